"""A plan as a document: sections in the order of the paper, each rule in words with its clause beside it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.plans import words
from contributions.plans.settings_words import setting_choice, setting_name
from enrollment.models import CollectionPlan, Insurance, Target
from subsidies.queries import rule_book
from subsidies.rules.periods import periods
from subsidies.rules.plan import Plan, RuleRow
from subsidies.rules.settings import ALIASES, SETTINGS

# Kinds of rules that stand together, under the heading people look for. The order on the page is the paper's:
# a section stands where its first clause does.
TOPICS: Final[tuple[tuple[str, Promise, frozenset[str]], ...]] = (
    ("purpose", gettext_lazy("目的和原则"), frozenset({"principles"})),
    ("goals", gettext_lazy("目标任务"), frozenset({"rates", "targets"})),
    ("scope", gettext_lazy("参保范围"), frozenset({"admission", "exclusion", "household_mode"})),
    (
        "pension",
        gettext_lazy("养老保险"),
        frozenset({"tiers", "restricted_tier", "subsidy", "government_paid", "family_planning"}),
    ),
    (
        "medical",
        gettext_lazy("医疗保险"),
        frozenset(
            {"standard", "cover", "waiver", "waiver_routes", "unclear", "late", "household", "interruption"}
        ),
    ),
    ("sponsors", gettext_lazy("资助"), frozenset({"sponsors"})),
    ("determination", gettext_lazy("身份认定"), frozenset({"determination", "lists", "open_payer"})),
    ("time", gettext_lazy("缴费期和步骤"), frozenset({"window", "stage", "deadlines"})),
    (
        "collection",
        gettext_lazy("征缴方式"),
        frozenset({"collection", "channels", "special_cases", "receipts"}),
    ),
    ("flow", gettext_lazy("征缴流程"), frozenset({"flow"})),
    ("duties", gettext_lazy("部门职责"), frozenset({"duties"})),
    ("publicity", gettext_lazy("公示"), frozenset({"publicity"})),
    ("refunds", gettext_lazy("退费"), frozenset({"refunds"})),
    ("discipline", gettext_lazy("纪律和督导"), frozenset({"prohibitions", "guidance"})),
    ("papers", gettext_lazy("表格、附件和依据"), frozenset({"forms", "annexes", "dependencies"})),
    ("amendments", gettext_lazy("修订"), frozenset({"amendments"})),
    ("groups", gettext_lazy("特殊群体名称对应"), frozenset({"group"})),
)
_AT_THE_END: Final = {"papers": 1, "groups": 2}
READINGS: Final = "readings"
_FIRST_LINE: Final = re.compile(r"\d+")
_LAST: Final = 10**6


@dataclass(frozen=True)
class RuleView:
    """A rule as it is read: what it says on the left, the clause it stands on on the right."""

    code: str
    kind: str
    title: str
    sentence: str
    facts: list[tuple[str, str]]
    insurance: str
    clause: str
    lines: str
    first_line: int
    certainty: str
    certainty_word: str
    note: str
    setting: str
    setting_word: str
    setting_value: str
    missing: bool
    values: str = ""
    """Condition, effect and shares as data: two versions of a rule say the same where these are equal."""

    @property
    def heading(self) -> str:
        """Its name; a rule without one is headed by what it says, else by the first words of its clause."""
        return self.title or self.sentence or Truncator(self.clause).chars(24)


@dataclass(frozen=True)
class Section:
    """A heading with its rules, in the order of the paper's lines."""

    code: str
    title: str
    rules: list[RuleView]

    @property
    def first_line(self) -> int:
        """Where the paper begins to speak of it."""
        return min(rule.first_line for rule in self.rules)


@dataclass(frozen=True)
class Reading:
    """A place where the text is open: what was chosen, what else it could mean, and the setting that decides."""

    rule: RuleView
    chosen: str
    other: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class TargetLine:
    """A row of the task table; without a township the sum of the rows or the total as printed."""

    name: str
    villages: int | None
    heads: tuple[int | None, ...]
    note: str = ""


@dataclass(frozen=True)
class TargetTable:
    """The task table with both totals, and how far they are apart per insurance."""

    insurances: tuple[str, ...]
    rows: list[TargetLine]
    total: TargetLine
    printed: TargetLine | None
    differences: tuple[int, ...]
    rule: RuleView | None

    @property
    def with_villages(self) -> bool:
        """Whether the paper prints how many villages each has."""
        return self.total.villages is not None

    @property
    def agrees(self) -> bool:
        """Whether the printed total is the sum of the rows."""
        return not any(self.differences)


@dataclass(frozen=True)
class Standard:
    """The medical premium: both parts with the year each is labelled, and whether they add up to the printed total."""

    personal: str
    personal_year: str
    fiscal: str
    fiscal_year: str
    printed: str
    total: str
    rule: RuleView

    @property
    def other_label(self) -> bool:
        """Whether the fiscal figure carries another year than the personal one."""
        return bool(self.fiscal_year and self.personal_year and self.fiscal_year != self.personal_year)


@dataclass(frozen=True)
class PlanDocument:
    """Everything the page of a plan shows."""

    book: Plan
    sections: list[Section]
    readings: list[Reading]
    missing: list[RuleView]
    standard: Standard | None
    targets: TargetTable | None
    early: list[str] = field(default_factory=list)
    """What began before the paper was dated."""


def read_document(plan: CollectionPlan) -> PlanDocument:
    """The document of a loaded plan. Raises PlanError where it has no rules."""
    book = rule_book(plan)
    written = _written(book)
    views = rule_views(plan)
    return PlanDocument(
        book=book,
        sections=_sections(views),
        readings=[
            Reading(
                view, _text(written[view.code], "chosen"), _text(written[view.code], "other"), _values(view)
            )
            for view in views
            if view.kind == READINGS
        ],
        missing=[view for view in views if view.missing],
        standard=_standard(book, views),
        targets=_targets(plan, book, views),
        early=_early(plan, book),
    )


def rule_views(plan: CollectionPlan) -> list[RuleView]:
    """Every rule of a loaded plan in words, in the order of its file. Raises PlanError where it has none."""
    book = rule_book(plan)
    written = _written(book)
    return [_view(book, row, written.get(row.code, {})) for row in book.rules]


def _written(book: Plan) -> dict[str, Mapping[str, Any]]:
    return {str(entry["code"]): entry for entry in _entries(book.document)}


def _entries(value: object) -> Iterator[Mapping[str, Any]]:
    """Every rule of the file as it is written."""
    if isinstance(value, Mapping):
        if "code" in value and "clause" in value:
            yield value
        for each in value.values():
            yield from _entries(each)
    elif isinstance(value, list):
        for each in value:
            yield from _entries(each)


def _text(entry: Mapping[str, Any], key: str) -> str:
    return str(entry.get(key) or "").strip()


def _view(book: Plan, row: RuleRow, entry: Mapping[str, Any]) -> RuleView:
    certainty = _text(entry, "certainty")
    name = _text(entry, "setting")
    setting = ALIASES.get(name, name)
    first = _FIRST_LINE.search(row.clause.lines)
    return RuleView(
        code=row.code,
        kind=row.kind,
        title=row.name,
        sentence=words.sentence(book, row),
        facts=words.facts(row),
        insurance=str(Insurance(row.insurance).label) if row.insurance else "",
        clause=row.clause.text,
        lines=row.clause.lines,
        first_line=int(first[0]) if first else _LAST,
        certainty=certainty,
        certainty_word=str(words.CERTAINTIES.get(certainty, certainty)),
        note=_text(entry, "note"),
        setting=setting,
        setting_word=setting_name(setting),
        setting_value=_chosen(book, setting),
        missing=_text(entry, "missing") == "true",
        values=repr((dict(row.condition), dict(row.effect), row.shares)),
    )


def _sections(views: list[RuleView]) -> list[Section]:
    known = {kind for _code, _title, kinds in TOPICS for kind in kinds}
    found = []
    for code, title, kinds in TOPICS:
        rules = [view for view in views if view.kind in kinds and view.kind != "targets"]
        if rules:
            found.append(Section(code, str(title), sorted(rules, key=lambda view: view.first_line)))
    others = [view for view in views if view.kind not in known and view.kind != READINGS]
    if others:
        found.append(Section("others", _("其他"), sorted(others, key=lambda view: view.first_line)))
    # annexes and the names of groups come last, wherever the paper first names one
    return sorted(found, key=lambda section: (_AT_THE_END.get(section.code, 0), section.first_line))


def _chosen(book: Plan, setting: str) -> str:
    """What the plan says where a setting decides, in words."""
    return setting_choice(setting, words.setting_value(book.settings[setting])) if setting in SETTINGS else ""


def _values(view: RuleView) -> tuple[str, ...]:
    """The values a setting may take, where they are few."""
    if view.setting not in SETTINGS:
        return ()
    setting = SETTINGS[view.setting]
    values = ("true", "false") if setting.kind == "flag" else setting.values
    return tuple(setting_choice(view.setting, value) for value in values)


def _standard(book: Plan, views: list[RuleView]) -> Standard | None:
    view = next((view for view in views if view.kind == "standard"), None)
    row = book.rule(view.code) if view else None
    if view is None or row is None or book.medical is None:
        return None
    standard = book.medical.standard
    both = standard.personal is not None and standard.fiscal is not None
    return Standard(
        personal="" if standard.personal is None else f"{standard.personal:.2f}",
        personal_year=standard.personal_year,
        fiscal="" if standard.fiscal is None else f"{standard.fiscal:.2f}",
        fiscal_year=standard.fiscal_year,
        printed=str(row.effect.get("total") or ""),
        total=f"{standard.personal + standard.fiscal:.2f}"
        if both and standard.personal and standard.fiscal
        else "",
        rule=view,
    )


def _targets(plan: CollectionPlan, book: Plan, views: list[RuleView]) -> TargetTable | None:
    """The table as loaded: its townships by the names the county uses."""
    if book.targets is None:
        return None
    names = dict(
        Target.objects.filter(plan=plan, township__isnull=False).values_list(
            "township__code", "township__name"
        )
    )
    insurances = book.insurances

    def line(row: Any, name: str) -> TargetLine:
        heads = dict(row.heads)
        return TargetLine(name, row.villages, tuple(heads.get(each) for each in insurances), row.note)

    rows = [line(row, names.get(row.township.ljust(12, "0"), row.name)) for row in book.targets.rows]
    villages = [row.villages for row in rows if row.villages is not None]
    total = TargetLine(
        _("各行之和"),
        sum(villages) if villages else None,
        tuple(book.targets.total(each) for each in insurances),
    )
    printed = line(book.targets.printed, _("印刷合计")) if book.targets.printed else None
    return TargetTable(
        insurances=tuple(str(Insurance(each).label) for each in insurances),
        rows=rows,
        total=total,
        printed=printed,
        differences=tuple(book.targets.difference(each) for each in insurances),
        rule=next((view for view in views if view.kind == "targets"), None),
    )


def _early(plan: CollectionPlan, book: Plan) -> list[str]:
    """Periods and stages that had begun when the paper was dated: it may be entered all the same."""
    issued: datetime.date | None = plan.issued_on
    if issued is None:
        return []
    opened = [(each, periods(book, each, book.settings).opens) for each in book.insurances]
    begun = [
        (day, _("%(insurance)s缴费期") % {"insurance": Insurance(insurance).label})
        for insurance, day in opened
        if day < issued
    ]
    begun += [(stage.starts, stage.name) for stage in book.stages if stage.starts and stage.starts < issued]
    return [f"{name}（{day.isoformat()}）" for day, name in sorted(begun)]
