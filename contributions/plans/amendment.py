"""What the pages of an amendment show: what it changes, its examples, whom it touches by township and one by one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO, Final

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from contributions.models import Amendment, AmendmentLine, AmendmentOutcome, AmendmentState, AmendmentSum
from contributions.plans.budget import FieldGroup, form_groups
from contributions.plans.proofs import Proof, Proofs
from contributions.plans.settings_words import setting_choice, setting_name
from contributions.services.amendments import find_amendment
from enrollment.models import CollectionPlan, Insurance
from foundation.encryption import get_keyring
from foundation.masking import Audience, mask_number, number_tail
from foundation.scope.models import ScopedQuerySet
from foundation.sheets import Column, Layout, OfficialTable, write_workbook
from foundation.sheets.writing import Written
from subsidies.rules.settings import SETTINGS
from townships.models import Township, User

PER_PAGE: Final = 50
# Rows of people in one workbook; a larger county takes them out by township.
MOST_ROWS: Final = 100_000
LETTER: Final = "a"
FOR_PAID: Final = "plan.amendment_for_paid"

_COUNTS: Final = (
    "touched", "more", "less", "earlier", "later", "begun", "ended", "owing", "owed", "repaid", "refund", "kept",
    "reviewed", "personal_before", "personal_after", "others_before", "others_after",
)  # fmt: skip

LOOKS: Final = {
    AmendmentOutcome.REPRICE: "",
    AmendmentOutcome.BEGIN: "state--go",
    AmendmentOutcome.END: "",
    AmendmentOutcome.KEEP: "",
    AmendmentOutcome.COLLECT: "state--wait",
    AmendmentOutcome.REFUND: "state--wait",
    AmendmentOutcome.REVIEW: "state--wait",
    AmendmentOutcome.APPLY: "state--done",
    AmendmentOutcome.RESTORE: "state--done",
}


@dataclass(frozen=True)
class Totals:
    """Sums of a township, or of all: people, money to settle, who pays how much more."""

    name: str
    code: str
    counts: Mapping[str, Any]

    @property
    def personal(self) -> Decimal:
        """What residents pay more (less: negative)."""
        return Decimal(self.counts["personal_after"] - self.counts["personal_before"])

    @property
    def others(self) -> Decimal:
        """What government and finance pay more."""
        return Decimal(self.counts["others_after"] - self.counts["others_before"])


@dataclass(frozen=True)
class Shift:
    """Worked examples that a new text answers otherwise in the same way."""

    differences: list[tuple[str, str, str]]
    proofs: list[Proof]


def shifts(proofs: Proofs) -> list[Shift]:
    """Examples that differ, together where the same differs; the most of a kind first."""
    found: dict[tuple[tuple[str, str, str], ...], list[Proof]] = {}
    for proof in proofs.proofs:
        if not proof.passed:
            found.setdefault(tuple(proof.differences), []).append(proof)
    return [
        Shift(list(same), members) for same, members in sorted(found.items(), key=lambda pair: -len(pair[1]))
    ]


@dataclass(frozen=True)
class Touched:
    """A person of the list in words."""

    line: AmendmentLine
    insurance: str
    tail: str
    css: str


def chosen_amendment(plan: CollectionPlan, to_version: str = "") -> Amendment | None:
    """The amendment under way, or the one that brought a version; None where there is none."""
    if not to_version:
        return find_amendment(plan)
    if not to_version.isdecimal() or len(to_version) > 5:
        return None
    done = Amendment.objects.filter(plan=plan, to_version=to_version, state=AmendmentState.IN_FORCE)
    return done.select_related("plan", "draft", "confirmed_by").first()


def past_amendments(plan: CollectionPlan) -> list[Amendment]:
    """Amendments that took effect, the newest first."""
    return list(Amendment.objects.filter(plan=plan, state=AmendmentState.IN_FORCE).order_by("-to_version"))


def texts_of(amendment: Amendment) -> tuple[CollectionPlan, CollectionPlan] | None:
    """The row of the text before and of the text after; None where one is gone."""
    versions = CollectionPlan.objects.filter(code=amendment.plan.code).in_bulk(field_name="pk")
    by_number = {each.version: each for each in versions.values()}
    before, after = by_number.get(amendment.from_version), by_number.get(amendment.to_version)
    return (before, after) if before is not None and after is not None else None


def amend_groups(plan: CollectionPlan, changes: Mapping[str, str]) -> list[FieldGroup]:
    """The budget's form with one scenario: the standard and the payment periods first, for they change most often."""
    groups = form_groups(plan, {LETTER: changes})
    first = [group for group in groups if _is_window(group)]
    return [*groups[:1], *first, *(group for group in groups[1:] if not _is_window(group))]


def _is_window(group: FieldGroup) -> bool:
    return any(field.key.startswith("window.") for field in group.fields)


def paid_choices() -> list[tuple[str, str]]:
    """What may become of those who have paid."""
    return [(value, setting_choice(FOR_PAID, value)) for value in SETTINGS[FOR_PAID].values]


def paid_word() -> str:
    """What the choice is called."""
    return setting_name(FOR_PAID)


def sums_of(user: User, amendment: Amendment) -> QuerySet[AmendmentSum]:
    """Sums of the townships the user sees whole."""
    seen = sorted(user.scope_places().townships)
    return AmendmentSum.objects.filter(amendment=amendment, township__in=seen)


def totals(user: User, amendment: Amendment) -> tuple[list[Totals], Totals]:
    """By township in order, both insurances together, and the whole."""
    rows = sums_of(user, amendment)
    added = {name: Sum(name) for name in _COUNTS}
    summed: Any = rows.values("township").annotate(**{f"n_{name}": each for name, each in added.items()})
    by_township = {row["township"]: row for row in summed}
    order = Township.objects.filter(pk__in=by_township).order_by("position", "code")
    listed = [
        Totals(each.name, each.code, {name: by_township[each.pk][f"n_{name}"] for name in _COUNTS})
        for each in order
    ]
    whole = {name: sum(row.counts[name] for row in listed) for name in _COUNTS}
    return listed, Totals(str(_("合计")), "", whole)


def people(user: User, amendment: Amendment) -> ScopedQuerySet:
    """The lines of an amendment in the user's places."""
    rows: ScopedQuerySet = AmendmentLine.objects.visible_to(user).filter(amendment=amendment)
    return rows


def touched(rows: ScopedQuerySet, start: int, count: int) -> list[Touched]:
    """Some of the people, by place."""
    keys = get_keyring()
    page = rows.select_related("resident", "unit", "township").order_by("township", "unit", "pk")
    return [
        Touched(
            line=line,
            insurance=str(Insurance(line.insurance).label),
            tail=number_tail(
                keys.decrypt(line.resident.number_encrypted) if line.resident.number_encrypted else "",
                Audience.OFFICE,
            ),
            css=LOOKS[AmendmentOutcome(line.outcome)],
        )
        for line in page[start : start + count]
    ]


# the workbook


def write_amendment_workbook(
    target: BinaryIO,
    user: User,
    amendment: Amendment,
    rows: ScopedQuerySet,
    today: datetime.date,
) -> list[Written]:
    """By township, and everybody touched; sums equal those of the page, numbers are masked as on it."""
    listed, _whole = totals(user, amendment)
    plan = amendment.plan
    title = _("%(plan)s第 %(n)s 版修订") % {"plan": plan.name, "n": amendment.to_version}
    note = (
        _("已于 %(day)s 生效。") % {"day": amendment.effective_on}
        if amendment.state == AmendmentState.IN_FORCE
        else _("本表为试算，还没有写入任何应缴。")
    )
    townships = OfficialTable(
        Layout("amendment_townships", _township_columns(), paper="A3"),
        (_township_cells(row) for row in listed),
        f"{title}{_('影响汇总表')}",
        _("单位：元、人次"),
        today,
        _("按镇街"),
        footer=(note,),
    )
    everybody = OfficialTable(
        Layout("amendment_people", _people_columns(), paper="A3"),
        _people_cells(rows),
        f"{title}{_('影响人员表')}",
        _("单位：元"),
        today,
        _("人员"),
        footer=(note,),
    )
    return write_workbook(target, [townships, everybody])


def _township_columns() -> tuple[Column, ...]:
    heads = (
        ("touched", _("应缴有变")), ("more", _("本人多缴")), ("less", _("本人少缴")), ("earlier", _("待遇提前")),
        ("later", _("待遇推后")), ("begun", _("新应缴")), ("ended", _("不再应缴")), ("owing", _("已缴要补")),
        ("repaid", _("已缴要退")), ("kept", _("已缴保留")), ("reviewed", _("要复核")),
    )  # fmt: skip
    money = (
        ("owed", _("应补")), ("refund", _("应退")), ("personal", _("本人增减")), ("others", _("政府和财政增减")),
    )  # fmt: skip
    return (
        Column("township", _("镇（街）"), 12),
        *(Column(key, head, 10, "int", total=True) for key, head in heads),
        *(Column(key, head, 16, "yuan", total=True) for key, head in money),
    )


def _township_cells(row: Totals) -> dict[str, object]:
    return {"township": row.name, **row.counts, "personal": row.personal, "others": row.others}


def _people_columns() -> tuple[Column, ...]:
    return (
        Column("township", _("镇（街）"), 10),
        Column("unit", _("村（居）"), 12),
        Column("name", _("姓名"), 10),
        Column("number", _("身份证号"), 20),
        Column("insurance", _("险种"), 6),
        Column("outcome", _("怎么办"), 16),
        Column("paid_on", _("缴费日期"), 11, "date"),
        Column("paid", _("已缴"), 10, "yuan", total=True),
        Column("before", _("个人缴，现行"), 12, "yuan", total=True),
        Column("after", _("个人缴，修订后"), 12, "yuan", total=True),
        Column("owed", _("应补"), 10, "yuan", total=True),
        Column("refund", _("应退"), 10, "yuan", total=True),
        Column("cover_before", _("待遇开始，现行"), 12, "date"),
        Column("cover_after", _("待遇开始，修订后"), 12, "date"),
    )


def _people_cells(rows: ScopedQuerySet) -> Iterator[dict[str, object]]:
    keys = get_keyring()
    ordered = rows.select_related("resident", "unit", "township").order_by("township", "unit", "pk")
    for line in ordered.iterator(chunk_size=2000):
        person = line.resident
        number = keys.decrypt(person.number_encrypted) if person.number_encrypted else ""
        yield {
            "township": line.township.name,
            "unit": line.unit.name,
            "name": person.name,
            "number": mask_number(number, Audience.OFFICE),
            "insurance": str(Insurance(line.insurance).label),
            "outcome": str(AmendmentOutcome(line.outcome).label),
            "paid_on": line.paid_on,
            "paid": line.paid,
            "before": line.personal_before,
            "after": line.personal_after,
            "owed": line.owed,
            "refund": line.refund,
            "cover_before": line.benefit_start_before,
            "cover_after": line.benefit_start_after,
        }
