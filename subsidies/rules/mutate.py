"""Small mistakes in a plan: each value that computes, changed one at a time.

Changed are amounts, bounds, categories, payers, dates, shares, and whole rules, in the sections the evaluator
computes with. What a paper prescribes beside prices (duties, deadlines, flow, posting, targets) is read by people
and by other rooms and is not touched.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from .conditions import FAMILY_KINDS, HOUSEHOLD_REGISTRATIONS, RESIDENCE_PERMITS, ROUTES, SCHOOLS, SEXES
from .plan import INSURANCES, PERSONAL, Plan
from .settings import ALIASES, SETTINGS
from .source import Entry, Path, Plain

COMPUTED: Final = (
    "settings", "groups", "scope", "exclusions", "medical", "pension", "stages", "windows",
)  # fmt: skip
_WORDS: Final = frozenset(
    (
        *("code", "clause", "lines", "name", "note", "certainty", "setting"),
        *("reason", "kind", "band", "insurance", "stage", "is", "count", "tasks"),
    )
)
_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "household_registration": HOUSEHOLD_REGISTRATIONS,
    "residence_permit": RESIDENCE_PERMITS,
    "school": SCHOOLS,
    "route": ROUTES,
    "routes": ROUTES,
    "sex": SEXES,
    "kinds": FAMILY_KINDS,
    "disability_grades": ("1", "2", "3", "4"),
    "insurances": INSURANCES,
}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "price": ("personal_only", "total_cost"),
    "decision": ("refuse", "refer"),
    "disability_grades": ("severe",),
}
_STEP: Final = Fraction(1, 10)
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER: Final = re.compile(r"\d+(\.\d{1,2})?")


@dataclass(frozen=True)
class Mutant:
    """A plan with one value changed: where, its line, what was changed in words, the changed document."""

    place: str
    line: int
    change: str
    document: Mapping[str, Plain]


class _Left:
    """The mark of a value that is left out."""


_LEFT_OUT: Final = _Left()


def mutants(plan: Plan, lines: Mapping[Path, int]) -> Iterator[Mutant]:
    """Every mutant of a plan, in the order of its file. `lines` gives the line of each value."""
    year = plan.coverage_year
    for other in (year - 1, year + 1):
        yield _mutant(plan, lines, ("plan", "coverage_year"), str(other))
    stranger = _stranger(plan)
    for section in COMPUTED:
        if section in plan.document:
            yield from _walk(plan, lines, (section,), plan.document[section], stranger)


def _stranger(plan: Plan) -> str:
    """A category the plan names nowhere."""
    named = {code for group in plan.groups.values() for code in group.categories}
    return next(code for code in sorted(plan.categories) if code not in named)


def _walk(plan: Plan, lines: Mapping[Path, int], path: Path, value: Plain, stranger: str) -> Iterator[Mutant]:
    key = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
    if path[0] == "settings" and len(path) > 1:
        others: Iterable[Plain | _Left] = _other_settings(key, value)
    elif key in ("shares", "payers", "amounts") and isinstance(value, dict):
        others = _other_shares(plan, value)
    else:
        others = _others(plan, path, key, value, stranger)
    for other in others:
        yield _mutant(plan, lines, path, other)
    if isinstance(value, dict) and key not in ("shares", "payers", "amounts"):
        for name, item in value.items():
            if name not in _WORDS:
                yield from _walk(plan, lines, (*path, name), item, stranger)
    elif isinstance(value, list) and path[0] != "settings" and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _walk(plan, lines, (*path, index), item, stranger)


def _others(plan: Plan, path: Path, key: str, value: Plain, stranger: str) -> Iterator[Plain | _Left]:
    """Other values that could have been written by mistake; `_LEFT_OUT` where the whole rule may be missing."""
    if isinstance(value, dict):
        if len(path) > 1 and ("code" in value or (len(path) > 2 and path[-2] in ("routes", "any"))):
            yield _LEFT_OUT
    elif isinstance(value, list):
        yield from _other_lists(plan, key, value, stranger)
    elif value is None:
        return
    elif key in _CHOICES and not _NUMBER.fullmatch(value):
        yield from (other for other in _CHOICES[key] if other != value)
        if value == "severe":
            yield ["1"]
            yield ["1", "2", "3"]
    elif key == "payer":
        yield _other_payer(plan, {value})
    elif value in ("true", "false"):
        yield "false" if value == "true" else "true"
    elif _ISO.fullmatch(value):
        day = datetime.date.fromisoformat(value)
        for days in (-1, 1):
            yield (day + datetime.timedelta(days=days)).isoformat()
    elif _NUMBER.fullmatch(value):
        yield str(Decimal(value) + 1)
        if Decimal(value) >= 1:
            yield str(Decimal(value) - 1)


def _other_lists(plan: Plan, key: str, value: list[Plain], stranger: str) -> Iterator[Plain | _Left]:
    """A member missing, a member too many."""
    if key in ("amounts", "tiers"):
        for index, item in enumerate(value):
            yield [*value[:index], str(Decimal(str(item)) + 1), *value[index + 1 :]]
            yield [*value[:index], *value[index + 1 :]]
    elif key == "categories":
        for item in value:
            yield [each for each in value if each != item] or [stranger]
        yield [*value, stranger]
    elif key in ("groups", "not_groups", "unclear_groups"):
        for item in value:
            rest = [each for each in value if each != item]
            yield rest or [next(name for name in [*plan.groups, str(item)] if name != item)]
    elif key in _LISTS:
        for each in _LISTS[key]:
            if each not in value:
                yield [*value, each]
            elif len(value) > 1:
                yield [item for item in value if item != each]
            else:
                yield [next(other for other in _LISTS[key] if other != each)]
    elif key == "only_if":
        yield _LEFT_OUT


def _other_shares(plan: Plan, value: dict[str, Plain]) -> Iterator[Plain]:
    """Another payer in the place of each; a tenth of the whole, or a yuan, moved from one to the next."""
    names = list(value)
    for name in names:
        if name != PERSONAL:
            other = _other_payer(plan, set(names))
            yield {other if each == name else each: share for each, share in value.items()}
    for giver in names:
        taker = next((name for name in names if name != giver), None)
        if taker is None:
            continue
        gives, takes = Entry(value[giver]), Entry(value[taker])
        if str(gives.value).replace(".", "").isdigit() and str(gives.value) not in ("0", "1"):
            if gives.amount() >= 1:
                yield {
                    **value, giver: str(gives.amount() - 1), taker: str(takes.amount() + 1)
                }  # fmt: skip
        elif gives.share() >= _STEP:
            moved = {giver: gives.share() - _STEP, taker: takes.share() + _STEP}
            yield {
                **value,
                **{name: f"{share.numerator}/{share.denominator}" for name, share in moved.items()},
            }


def _other_payer(plan: Plan, taken: set[str]) -> str:
    return next((payer for payer in reversed([*plan.payers]) if payer not in taken), "nobody")


def _other_settings(name: str, value: Plain) -> Iterator[Plain | _Left]:
    setting = SETTINGS.get(ALIASES.get(name, name))
    if setting is None:
        return
    if setting.kind == "choice":
        yield from (each for each in setting.values if each != value)
    elif setting.kind == "flag":
        yield "false" if value == "true" else "true"
    elif isinstance(value, list):
        for item in value:
            yield [each for each in value if each != item]
    elif isinstance(value, str) and _NUMBER.fullmatch(value):
        yield str(Decimal(value) + 1)
        yield str(Decimal(value) - 1)
    elif isinstance(value, str) and _ISO.fullmatch(value):
        yield (datetime.date.fromisoformat(value) + datetime.timedelta(days=1)).isoformat()


def _mutant(plan: Plan, lines: Mapping[Path, int], path: Path, other: Plain | _Left) -> Mutant:
    found: Plain = dict(plan.document)
    for step in path:
        found = found[step] if isinstance(found, dict | list) else None  # type: ignore[index]
    left_out = isinstance(other, _Left)
    change = "—" if left_out else f"{_said(found)} → {_said(other)}"  # type: ignore[arg-type]
    document = _replaced(dict(plan.document), path, other)
    line = next((lines[path[:size]] for size in range(len(path), 0, -1) if path[:size] in lines), 0)
    named = [str(step) for step in path]
    return Mutant(".".join(named), line, change, document if isinstance(document, dict) else {})


def _said(value: Plain) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_said(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(_said(item) for item in value) + "]"
        case _:
            return str(value)


def _replaced(value: Plain, path: Path, other: Plain | _Left) -> Plain:
    """A copy of `value` with what lies at `path` replaced or left out."""
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        if not rest and isinstance(other, _Left):
            return {key: item for key, item in value.items() if key != step}
        changed = other if not rest else _replaced(value[str(step)], rest, other)
        return {key: changed if key == step else item for key, item in value.items()}  # type: ignore[misc]
    if isinstance(value, list):
        if not rest and isinstance(other, _Left):
            return [item for index, item in enumerate(value) if index != step]
        assert isinstance(step, int)
        changed = other if not rest else _replaced(value[step], rest, other)
        return [changed if index == step else item for index, item in enumerate(value)]  # type: ignore[misc]
    raise KeyError(step)
