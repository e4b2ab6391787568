"""The budget page's data: what can be changed, what two scenarios change, and what that would cost."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from django.utils.http import urlencode
from django.utils.translation import gettext as _

from contributions.plans.settings_words import NAMES, setting_choice, setting_name
from contributions.plans.words import listed_names, read_listed, sentence, setting_value, tell_listed
from contributions.services.what_if import SUBSIDIES, WhatIf
from contributions.words import payer
from enrollment.models import CollectionPlan, Insurance
from subsidies.queries import rule_book
from subsidies.rules.changes import Known, known_changes
from subsidies.rules.decisive import decisive_settings
from subsidies.rules.plan import PERSONAL, Plan
from subsidies.rules.settings import SETTINGS
from townships.models import Township

# The two scenarios that stand beside each other, by the letter before each key of the form.
LETTERS: Final = ("a", "b")
_LONGEST: Final = 200


def scenario_name(letter: str) -> str:
    """甲案, 乙案."""
    return _("甲案") if letter == "a" else _("乙案")


def changes_from(sent: Mapping[str, str], plan: CollectionPlan) -> dict[str, dict[str, str]]:
    """What a form or a link changes, by scenario: filled fields that say something other than the plan does."""
    book = rule_book(plan)
    present = {key: known.value for key, known in known_changes(book).items()}
    present |= {name: read_listed(book, name, _setting_text(book, name)) for name in SETTINGS}
    found: dict[str, dict[str, str]] = {letter: {} for letter in LETTERS}
    for field_name, value in sent.items():
        letter, dot, key = field_name.partition(".")
        text = value.strip()[:_LONGEST]
        if key in SETTINGS and SETTINGS[key].kind == "codes":
            text = read_listed(book, key, text)
        if dot and letter in found and text and text != present.get(key):
            found[letter][key] = text
    return found


def _setting_text(book: Plan, name: str) -> str:
    value = book.settings[name]
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    text = "" if value is None or value == () else setting_value(value)
    return tell_listed(book, name, text) if SETTINGS[name].kind == "codes" else text


# the form


@dataclass(frozen=True)
class Field:
    """A line of the form: what the plan says, and what each scenario says instead."""

    key: str
    label: str
    present: str
    kind: str
    choices: list[tuple[str, str]]
    filled: list[tuple[str, str]]
    """(name of the input, its value) per scenario."""
    names: tuple[str, ...] = ()
    """What a list may name."""


@dataclass(frozen=True)
class FieldGroup:
    """Lines that belong to one rule or to one kind of settings; open when something in it is filled."""

    title: str
    note: str
    fields: list[Field]
    open: bool


def form_groups(plan: CollectionPlan, changes: Mapping[str, Mapping[str, str]]) -> list[FieldGroup]:
    """The premium first, then rule by rule, then the settings that price, per insurance of the plan.

    ``changes`` has what is filled in by the letter of each scenario; an amendment is a form with one.
    """
    book = rule_book(plan)
    groups = []
    if "medical" in plan.insurances:
        standard = book.premium().standard
        printed = (
            ("medical.personal", _("个人缴费"), standard.personal),
            ("medical.fiscal", _("财政补助"), standard.fiscal),
        )
        fields = []
        for name, label, amount in printed:
            own = book.settings.amount(name)
            present = own if own is not None else amount
            fields.append(
                _field(name, label, "" if present is None else f"{present:.2f}", "amount", [], changes)
            )
        groups.append(FieldGroup(_("医疗缴费标准"), _("元/人·年"), fields, open=True))
    by_rule: dict[str, list[Known]] = {}
    for known in known_changes(book).values():
        by_rule.setdefault(known.rule, []).append(known)
    for code, members in by_rule.items():
        rule = book.rule(code)
        fields = [
            _field(
                k.key,
                _rule_label(book, k),
                k.value,
                k.kind,
                _choices(k),
                changes,
                k.choices if k.kind == "groups" else (),
            )
            for k in members
        ]
        insurance = str(Insurance(rule.insurance).label) if rule and rule.insurance else ""
        title = (rule.name or sentence(book, rule) or rule.clause.text) if rule else code
        groups.append(FieldGroup(title, insurance, fields, _filled(fields)))
    decisive = decisive_settings(book)
    fields = [
        _field(
            name,
            setting_name(name),
            _setting_text(book, name),
            SETTINGS[name].kind,
            _setting_choices(name),
            _told(book, name, changes),
            list(listed_names(book, name).values()),
        )
        for name in NAMES
        if name in decisive or any(name in each for each in changes.values())
    ]
    groups.append(FieldGroup(_("条文没写清、由设置决定的"), "", fields, _filled(fields)))
    return groups


def _told(book: Plan, name: str, changes: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
    """The changes with a list of codes as the names people read."""
    if SETTINGS[name].kind != "codes":
        return changes
    return {
        letter: {key: tell_listed(book, name, value) if key == name else value for key, value in own.items()}
        for letter, own in changes.items()
    }


def _filled(fields: Iterable[Field]) -> bool:
    return any(value for each in fields for _name, value in each.filled)


def _field(
    key: str,
    label: str,
    present: str,
    kind: str,
    choices: list[tuple[str, str]],
    changes: Mapping[str, Mapping[str, str]],
    names: Sequence[str] = (),
) -> Field:
    filled = [(f"{letter}.{key}", said.get(key, "")) for letter, said in changes.items()]
    return Field(key, label, dict(choices).get(present, present), kind, choices, filled, tuple(names))


def _rule_label(book: Plan, known: Known) -> str:
    parts = known.key.split(".")[2:]
    words = {
        "amount": _("每人每年（元）"),
        "groups": _("群体"),
        "price": _("逾期缴多少"),
        "waiting.days": _("等待天数"),
        "waiting.months": _("等待月数"),
        "opens": _("首日"),
        "closes": _("末日"),
        "age.from": _("年龄从"),
        "age.to": _("年龄到"),
        "born.from": _("出生从"),
        "born.to": _("出生到"),
    }
    if not parts:
        return _("这一条")
    if parts[0] == "share":
        return _("%(payer)s承担") % {"payer": payer(parts[1], dict(book.payers))}
    if parts[0] == "amount" and len(parts) == 2:
        return _("%(payer)s（元）") % {"payer": payer(parts[1], dict(book.payers))}
    return words.get(".".join(parts), ".".join(parts))


def _choices(known: Known) -> list[tuple[str, str]]:
    if known.kind == "present":
        return [("on", _("照旧")), ("off", _("取消"))]
    if known.kind == "choice":
        words = {"personal_only": _("只缴个人部分"), "total_cost": _("缴个人和财政补助的全额")}
        return [(value, words.get(value, value)) for value in known.choices]
    return []


def _setting_choices(name: str) -> list[tuple[str, str]]:
    setting = SETTINGS[name]
    values = ("true", "false") if setting.kind == "flag" else setting.values
    return [(value, setting_choice(name, value)) for value in values]


def change_words(book: Plan, key: str, value: str) -> tuple[str, str, str]:
    """(what, from, to) of a change, in the words of the form."""
    if key in SETTINGS:
        return _setting_words(book, key, value)
    known = known_changes(book).get(key)
    if known is None:
        return key, "", value
    rule = book.rule(known.rule)
    said = dict(_choices(known))
    title = (rule.name or sentence(book, rule)) if rule else known.rule
    what = f"{title}：{_rule_label(book, known)}"
    return what, said.get(known.value, known.value), said.get(value, value)


def _setting_words(book: Plan, key: str, value: str) -> tuple[str, str, str]:
    before = _setting_text(book, key)
    amounts = {"medical.personal": _("医疗个人缴费"), "medical.fiscal": _("医疗财政补助")}
    if key in amounts and book.medical is not None and not before:
        printed = (
            book.medical.standard.personal if key == "medical.personal" else book.medical.standard.fiscal
        )
        before = "" if printed is None else f"{printed:.2f}"
    if SETTINGS[key].kind == "codes":
        return setting_name(key), before, tell_listed(book, key, value)
    return amounts.get(key, setting_name(key)), setting_choice(key, before), setting_choice(key, value)


# the answer


def as_result(found: WhatIf) -> dict[str, Any]:
    """An answer as a job keeps it: the command's JSON with the counts of the page."""
    return {
        **found.as_json(),
        "registered": found.registered,
        "paying_more": found.paying_more,
        "paying_less": found.paying_less,
    }


@dataclass
class Scenario:
    """One scenario: what it changes, and its answer or what is wrong with it."""

    letter: str
    changes: dict[str, str]
    said: list[tuple[str, str, str]] = field(default_factory=list)
    result: dict[str, Any] | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        """甲案, 乙案."""
        return scenario_name(self.letter)

    @property
    def link(self) -> str:
        """The same changes as the form of an amendment takes them."""
        return urlencode({f"{LETTERS[0]}.{key}": value for key, value in self.changes.items()})


@dataclass(frozen=True)
class Cell:
    """A scenario's amount in a row and how far it is from now."""

    amount: Decimal
    difference: Decimal


@dataclass(frozen=True)
class Line:
    """A row of a table: who, what it is now, and each scenario beside it."""

    label: str
    before: Decimal
    cells: list[Cell]
    total: bool = False


@dataclass(frozen=True)
class TownshipLine:
    """A township: what residents pay and what all others pay, now and under each scenario."""

    code: str
    name: str
    personal: Line
    others: Line


@dataclass(frozen=True)
class Comparison:
    """Scenarios beside the present: by payer, by township, and every payer of every township."""

    scenarios: list[Scenario]
    payers: list[Line]
    townships: list[TownshipLine]
    all_townships: TownshipLine
    detail: list[tuple[str, str, Line]]


def compare(plan: CollectionPlan, scenarios: list[Scenario]) -> Comparison | None:
    """Put the answered scenarios side by side; None while there is none."""
    answered = [scenario for scenario in scenarios if scenario.result is not None]
    if not answered:
        return None
    printed = dict(rule_book(plan).payers)
    results = [scenario.result or {} for scenario in answered]
    wholes = [(each["before"], each["after"]) for each in results]
    codes = list(dict.fromkeys(code for each in results for code in each["after"]["by_township"]))
    names = dict(Township.objects.filter(county=plan.county, code__in=codes).values_list("code", "name"))
    order = list(
        Township.objects.filter(county=plan.county, code__in=codes)
        .order_by("position", "code")
        .values_list("code", flat=True)
    )

    def pairs_of(code: str) -> Pairs:
        return [tuple(each[side]["by_township"].get(code, _NOTHING) for side in _SIDES) for each in results]

    by_code = {code: pairs_of(code) for code in order}
    return Comparison(
        scenarios=answered,
        payers=[*_payer_lines(wholes, printed), _line(_("合计"), wholes, _everything, total=True)],
        townships=[_township(code, names.get(code, code), pairs) for code, pairs in by_code.items()],
        all_townships=_township("", _("全县合计"), wholes),
        detail=[
            (names.get(code, code), line.label, line)
            for code, pairs in by_code.items()
            for line in _payer_lines(pairs, printed)
        ],
    )


_NOTHING: Final[dict[str, Any]] = {"personal": "0.00", "shares": {}}
_SIDES: Final = ("before", "after")
Pairs = Sequence[tuple[Mapping[str, Any], ...]]


def _everything(side: Mapping[str, Any]) -> Decimal:
    return sum((Decimal(amount) for amount in side["shares"].values()), Decimal("0.00"))


def _share(code: str, side: Mapping[str, Any]) -> Decimal:
    return Decimal(side["shares"].get(code, "0.00"))


def _line(label: str, pairs: Pairs, amount: Any, *, total: bool = False) -> Line:
    before = amount(pairs[0][0])
    return Line(
        label, before, [Cell(amount(after), amount(after) - amount(now)) for now, after in pairs], total
    )


def _payer_lines(pairs: Pairs, printed: dict[str, Any]) -> list[Line]:
    codes = list(dict.fromkeys(code for pair in pairs for side in pair for code in side["shares"]))
    order = [PERSONAL, *printed, *SUBSIDIES]
    codes.sort(key=lambda code: order.index(code) if code in order else len(order))
    return [_line(payer(code, printed), pairs, lambda side, code=code: _share(code, side)) for code in codes]


def _township(code: str, name: str, pairs: Pairs) -> TownshipLine:
    return TownshipLine(
        code=code,
        name=name,
        personal=_line(_("本人"), pairs, lambda side: _share(PERSONAL, side)),
        others=_line(_("政府和财政"), pairs, lambda side: _everything(side) - _share(PERSONAL, side)),
    )


def chart(comparison: Comparison) -> dict[str, Any]:
    """The differences by township as data for the script; yuan as numbers only for drawing."""
    series = []
    for number, scenario in enumerate(comparison.scenarios):
        for part, word in (("personal", _("本人")), ("others", _("政府和财政"))):
            series.append(
                {
                    "name": _("%(scenario)s：%(part)s") % {"scenario": scenario.name, "part": word},
                    "scenario": scenario.letter,
                    "part": part,
                    "values": [
                        float(getattr(line, part).cells[number].difference) for line in comparison.townships
                    ],
                }
            )
    return {
        "townships": [line.name for line in comparison.townships],
        "series": series,
        "words": {"yuan": _("元"), "ten_thousand": _("万元")},
    }


def today_of(text: str, default: datetime.date) -> datetime.date:
    """The day a budget is priced for; what is no date is the default."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return default
