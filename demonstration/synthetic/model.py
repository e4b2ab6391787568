"""What a synthetic county is made of. Plain objects, no Django: a county of 1.3 million streams village by
village.

Words are those of the collection plans: `registration_kind`, categories and schools take the codes of the
worked examples, so that a person can be handed to the evaluator as facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

MEDICAL = "medical"
PENSION = "pension"


@dataclass(frozen=True, slots=True)
class VillageSpec:
    """A village as the divisions list it; `short` is the name without 村委会, 居委会 and the like."""

    code: str
    name: str
    short: str


@dataclass(frozen=True, slots=True)
class TownshipSpec:
    """A township with its headcounts from the plan (medical weighs it, pension says how many pay the
    pension)."""

    code: str
    name: str
    medical: int
    pension: int
    villages: tuple[VillageSpec, ...]

    @property
    def pension_share(self) -> float:
        return self.pension / self.medical if self.medical else 0.0


@dataclass(frozen=True, slots=True)
class CountySpec:
    """The shape of a county under one plan: where people live, what they may choose, when they pay."""

    code: str
    name: str
    city: str
    plan: str
    coverage_year: int
    insurances: tuple[str, ...]
    opens_on: date
    closes_on: date
    as_of: date
    townships: tuple[TownshipSpec, ...]
    tiers: tuple[int, ...]
    tier_100_categories: frozenset[str]
    categories: tuple[str, ...]
    older_prefixes: tuple[str, ...]
    neighbour_prefixes: tuple[str, ...]
    outside_prefixes: tuple[str, ...]
    village_channels: tuple[tuple[str, int], ...]
    online_channels: tuple[tuple[str, int], ...]
    tax_office: str
    last_year_ratio: tuple[Decimal, Decimal]

    @property
    def reference_date(self) -> date:
        """Ages of the synthetic people are completed years on this day: 31 December before the coverage
        year."""
        return date(self.coverage_year - 1, 12, 31)

    @property
    def full_name(self) -> str:
        return f"{self.city}{self.name}"


@dataclass(slots=True)
class Person:
    """One person of a household. `registered` people stand in the tax bureau's registration data; the others
    (insured by an employer) only in the police register."""

    name: str
    sex: str
    birth_date: date
    number: str
    relation: str
    age: int
    registered: bool = True
    id_kind: str = "resident_id"
    phone: str = ""
    school: str | None = None
    employee_since: date | None = None
    categories: tuple[str, ...] = ()
    disability_grade: int | None = None
    permit: str = ""
    death_date: date | None = None
    tier: int | None = None
    is_new: bool = False

    @property
    def in_school(self) -> bool:
        return self.school is not None


@dataclass(slots=True)
class Couple:
    """A married couple of a household and its family-planning facts, as the health list keeps them."""

    husband: Person
    wife: Person
    kind: str | None = None
    lawful_birth: bool = True


@dataclass(slots=True)
class Household:
    """People of one door, head first. `number` is the twelve village digits and a four-digit count."""

    number: str
    members: list[Person]
    registration_kind: str = "local"
    group: str = ""
    house_number: str = ""
    nickname: str = ""
    address: str = ""
    couples: list[Couple] = field(default_factory=list)
    eagerness: float = 0.0

    @property
    def head(self) -> Person:
        return self.members[0]


@dataclass(slots=True)
class Village:
    """A village with its households; `size` counts registered people. `departed` paid last year and are
    dead or gone: no household of the registration data has them."""

    township: TownshipSpec
    spec: VillageSpec
    size: int
    households: list[Household]
    departed: list[Person] = field(default_factory=list)

    def people(self) -> Iterator[tuple[Household, Person]]:
        for household in self.households:
            for person in household.members:
                yield household, person


@dataclass(slots=True)
class Population:
    """A whole county in memory: for tests and small demonstrations."""

    spec: CountySpec
    seed: int
    villages: list[Village]

    def people(self) -> Iterator[tuple[Household, Person]]:
        for village in self.villages:
            yield from village.people()

    def residents(self) -> Iterator[tuple[Household, Person]]:
        """The people of the registration data."""
        return ((household, person) for household, person in self.people() if person.registered)
