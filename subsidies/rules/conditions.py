"""Conditions of rules: keys of the facts with the values that satisfy them, and their SQL.

A condition is satisfied when each of its parts is; a part with a list is satisfied by any item of it. A fact
that is unknown satisfies nothing.
"""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from .source import Entry

HOUSEHOLD_REGISTRATIONS: Final = ("local", "same_city_other_county", "outside")
RESIDENCE_PERMITS: Final = ("true", "false", "parent")
SCHOOLS: Final = (
    "primary",
    "senior_high",
    "vocational",
    "technician_college",
    "university",
    "postgraduate",
)
ROUTES: Final = ("village", "township_hr_office", "online", "government")
SEXES: Final = ("male", "female")
FAMILY_KINDS: Final = ("only_child", "two_daughters_sterilised", "two_daughters_not_sterilised")
OTHER_ENROLMENTS: Final = ("medical_outside_pool_city", "medical_other_county_same_city", "same_plan_paid")

_CONDITION_KEYS: Final = (
    "groups not_groups household_registration residence_permit school in_school route sex age born family any"
)


@dataclass(frozen=True)
class Group:
    """A special group as a paper names it, and the category codes that belong to it.

    `grades` limits a disability card to these grades; the empty tuple stands for every grade.
    `severe` takes the grades from the setting `medical.severe_grades`.
    """

    name: str
    categories: tuple[str, ...]
    grades: tuple[int, ...] = ()
    severe: bool = False


@dataclass(frozen=True)
class AgeReference:
    """The day on which completed years are counted: from `first` to `last`, or the payment date when None.

    The two days differ only where an age counts that is reached at any time within a period: a lower bound is
    then tested on the last day and an upper bound on the first.
    """

    first: datetime.date | None
    last: datetime.date | None

    def at_least(self, column: str, years: int) -> str:
        """SQL: whoever was born on `column` has completed `years` (the birthday itself counts)."""
        return f"{column} <= {self._birthday(self.last, years)}"

    def at_most(self, column: str, years: int) -> str:
        return f"{column} > {self._birthday(self.first, years + 1)}"

    @staticmethod
    def _birthday(day: datetime.date | None, years: int) -> str:
        if day is None:
            return f"(f.payment_date - INTERVAL '{years} years')::date"
        return date_literal(years_before(day, years))


@dataclass(frozen=True)
class Band:
    """From and to, both included; None is open."""

    first: int | datetime.date | None
    last: int | datetime.date | None


@dataclass(frozen=True)
class Context:
    """What the SQL of a condition depends on besides the condition."""

    age: AgeReference
    wife_age: AgeReference
    severe_grades: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Condition:
    """Parts that must all hold; the empty condition holds for everybody."""

    groups: tuple[Group, ...] = ()
    not_groups: tuple[Group, ...] = ()
    household_registration: tuple[str, ...] = ()
    residence_permit: tuple[str, ...] = ()
    school: tuple[str, ...] = ()
    in_school: bool | None = None
    route: tuple[str, ...] = ()
    sex: tuple[str, ...] = ()
    age: Band | None = None
    born: Band | None = None
    family_kinds: tuple[str, ...] = ()
    family_lawful_birth: bool | None = None
    wife_age_from: int | None = None
    any_of: tuple[Condition, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        return self == Condition()

    def sql(self, context: Context) -> str:
        """SQL over the relation `f`; NULL where a fact is unknown, which satisfies no CASE."""
        parts = [*self._group_tests(context), *self._birth_tests(context), *self._family_tests(context)]
        for column in ("household_registration", "residence_permit", "school", "route", "sex"):
            values: tuple[str, ...] = getattr(self, column)
            if values:
                parts.append(f"f.{column} IN ({texts(values)})")
        if self.in_school is not None:
            parts.append("f.in_school" if self.in_school else "NOT f.in_school")
        if self.any_of:
            parts.append(either(condition.sql(context) for condition in self.any_of))
        return "(" + " AND ".join(parts) + ")" if parts else "TRUE"

    def _group_tests(self, context: Context) -> Iterator[str]:
        if self.groups:
            yield any_group(self.groups, context.severe_grades)
        if self.not_groups:
            yield any_group(self.not_groups, context.severe_grades) + " IS NOT TRUE"

    def _birth_tests(self, context: Context) -> Iterator[str]:
        if self.age is not None:
            if isinstance(self.age.last, int):
                yield context.age.at_most("f.birth_date", self.age.last)
            if isinstance(self.age.first, int):
                yield context.age.at_least("f.birth_date", self.age.first)
        if self.born is not None:
            if isinstance(self.born.first, datetime.date):
                yield f"f.birth_date >= {date_literal(self.born.first)}"
            if isinstance(self.born.last, datetime.date):
                yield f"f.birth_date <= {date_literal(self.born.last)}"

    def _family_tests(self, context: Context) -> Iterator[str]:
        if self.family_kinds:
            yield f"f.family_kind IN ({texts(self.family_kinds)})"
        if self.family_lawful_birth is not None:
            yield f"f.family_lawful_birth IS {str(self.family_lawful_birth).upper()}"
        if self.wife_age_from is not None:
            yield context.wife_age.at_least("f.family_wife_birth_date", self.wife_age_from)

    def words(self) -> dict[str, object]:
        """The condition as plain data for tables and pages."""
        result: dict[str, object] = {}
        for name in ("groups", "not_groups"):
            if groups := getattr(self, name):
                result[name] = [group.name for group in groups]
        for name in ("household_registration", "residence_permit", "school", "route", "sex", "family_kinds"):
            if values := getattr(self, name):
                result[name] = list(values)
        for name in ("in_school", "family_lawful_birth", "wife_age_from"):
            if (value := getattr(self, name)) is not None:
                result[name] = value
        for name in ("age", "born"):
            band: Band | None = getattr(self, name)
            if band is not None:
                ends = {"from": band.first, "to": band.last}
                result[name] = {
                    key: end if isinstance(end, int) else end.isoformat()
                    for key, end in ends.items()
                    if end is not None
                }
        if self.any_of:
            result["any"] = [condition.words() for condition in self.any_of]
        return result


def parse_condition(entry: Entry, groups: Mapping[str, Group]) -> Condition:
    """Read a `when:` mapping. Raises PlanError for unknown keys, values and groups."""
    entry.only(optional=_CONDITION_KEYS)
    if not entry.mapping():
        raise entry.error("empty_condition")

    def named(key: str) -> tuple[Group, ...]:
        return named_groups(part, groups) if (part := entry.get(key)) else ()

    def chosen(key: str, known: tuple[str, ...]) -> tuple[str, ...]:
        return part.choices(*known) if (part := entry.get(key)) else ()

    family = entry.get("family")
    if family is not None:
        family.only(optional="kinds lawful_birth wife_age_from")
    kinds = family.get("kinds") if family else None
    lawful = family.get("lawful_birth") if family else None
    wife = family.get("wife_age_from") if family else None
    in_school = entry.get("in_school")
    age, born = entry.get("age"), entry.get("born")
    alternatives = entry.get("any")
    return Condition(
        groups=named("groups"),
        not_groups=named("not_groups"),
        household_registration=chosen("household_registration", HOUSEHOLD_REGISTRATIONS),
        residence_permit=chosen("residence_permit", RESIDENCE_PERMITS),
        school=chosen("school", SCHOOLS),
        in_school=in_school.flag() if in_school else None,
        route=chosen("route", ROUTES),
        sex=chosen("sex", SEXES),
        age=_band(age, days=False) if age else None,
        born=_band(born, days=True) if born else None,
        family_kinds=kinds.choices(*FAMILY_KINDS) if kinds else (),
        family_lawful_birth=lawful.flag() if lawful else None,
        wife_age_from=wife.age() if wife else None,
        any_of=tuple(parse_condition(item, groups) for item in alternatives.items()) if alternatives else (),
    )


def named_groups(entry: Entry, groups: Mapping[str, Group]) -> tuple[Group, ...]:
    found = []
    for item in entry.items():
        name = item.text()
        if name not in groups:
            raise item.error("undefined_group", name=name)
        found.append(groups[name])
    if not found:
        raise entry.error("empty_list")
    return tuple(found)


def _band(entry: Entry, *, days: bool) -> Band:
    entry.only(optional="from to")
    first, last = entry.get("from"), entry.get("to")
    if first is None and last is None:
        raise entry.error("missing_key", key="from")
    ends: list[int | datetime.date | None] = [
        None if end is None else (end.date() if days else end.age()) for end in (first, last)
    ]
    if first and last and str(first.value).zfill(10) > str(last.value).zfill(10):
        raise entry.error("band_backwards")
    return Band(ends[0], ends[1])


def any_group(groups: Iterable[Group], severe_grades: tuple[int, ...]) -> str:
    """SQL: whoever belongs to one of the groups; the same people give the same text, however they are named."""
    by_grades: dict[tuple[int, ...], set[str]] = {}
    for group in groups:
        grades = severe_grades if group.severe else group.grades
        by_grades.setdefault(tuple(sorted(grades)), set()).update(group.categories)
    everybody = by_grades.get((), set())
    tests = []
    for grades, categories in sorted(by_grades.items()):
        held = sorted(categories - everybody if grades else categories)
        if held:
            test = f"f.categories && {text_array(held)}"
            tests.append(f"({test} AND f.disability_grade IN ({numbers(grades)}))" if grades else f"({test})")
    return either(tests)


# literals: only codes, whole numbers, amounts and dates come here, and these functions hold them to it


def text_literal(value: str) -> str:
    if not value.replace("_", "").replace("-", "").isalnum() or not value.isascii():
        raise ValueError(f"not a code: {value!r}")
    return f"'{value}'"


def texts(values: Iterable[str]) -> str:
    return ", ".join(text_literal(value) for value in values)


def text_array(values: Iterable[str]) -> str:
    inner = ",".join(text_literal(value).strip("'") for value in values)
    return f"'{{{inner}}}'::text[]"


def numbers(values: Iterable[int]) -> str:
    return ", ".join(str(int(value)) for value in values)


def date_literal(value: datetime.date) -> str:
    return f"DATE '{value.isoformat()}'"


def either(alternatives: Iterable[str]) -> str:
    return "(" + " OR ".join(alternatives) + ")"


def years_before(day: datetime.date, years: int) -> datetime.date:
    """The same day `years` earlier; 29 February becomes 28 February where the year has none, as in SQL."""
    year = day.year - years
    return day.replace(year=year, day=min(day.day, calendar.monthrange(year, day.month)[1]))
