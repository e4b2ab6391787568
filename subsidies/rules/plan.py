"""A plan as frozen data: what the evaluator computes with, and every rule of the paper with its clause."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Final

from .conditions import Condition, Group
from .settings import Settings
from .source import Clause, Plain, PlanError

INSURANCES: Final = ("pension", "medical")
PERSONAL: Final = "personal"

AGENCIES: Final = (
    "tax",
    "medical",
    "hr",
    "finance",
    "civil_affairs",
    "disabled_federation",
    "health",
    "rural_revival",
    "veterans",
)
"""Kinds of offices that certify, apply for money, or are asked for it."""

LIST_KINDS: Final = ("assistance", "government_paid")

REASONS: Final = (
    "deceased",
    "duplicate",
    "duplicate_elsewhere",
    "duplicate_in_city",
    "not_in_scope",
    "employee_medical",
    "employee_pension",
    "in_school",
    "under_16",
    "age_60_or_more",
    "unknown_tier",
    "tier_100_not_allowed",
)
"""When several hold, the first is the one given."""

OWN_REASONS: Final = (
    "birth_date_missing",
    "newborn",
    "tier_not_chosen",
    "no_clause",
    "route_closed",
    "late_waived_group",
    "out_of_period",
    "after_coverage_year",
    "no_cover_left",
    "higher_tier_not_allowed",
)
"""Reasons for what no clause covers; they come after the others."""


@dataclass(frozen=True)
class Toggle:
    """A rule stands only while a setting has a value (for one insurance, or for both)."""

    setting: str
    value: str
    insurance: str = ""

    def holds(self, settings: Settings, insurance: str) -> bool:
        if self.insurance and self.insurance != insurance:
            return True
        value = settings[self.setting]
        return (str(value).lower() if isinstance(value, bool) else str(value)) == self.value


@dataclass(frozen=True)
class Admission:
    """Who is within the scope of the plan, or, among `Plan.doubtful`, who is referred because that is not clear."""

    code: str
    insurances: tuple[str, ...]
    condition: Condition
    clause: Clause
    only_if: tuple[Toggle, ...] = ()


@dataclass(frozen=True)
class Exclusion:
    """Why somebody is refused, or referred to the office, although within the scope.

    `decision` is refuse, refer, or `setting`: then `pension.max_age_action` decides. `years` is the age limit
    of under_16 and age_60_or_more, `born_from` a printed first birth date that takes its place.
    """

    code: str
    reason: str
    insurances: tuple[str, ...]
    decision: str
    clause: Clause
    years: int | None = None
    born_from: datetime.date | None = None


@dataclass(frozen=True)
class PayerShare:
    """A payer's fraction of the government-paid part; those of a rule sum to 1, highest level first."""

    payer: str
    share: Fraction


@dataclass(frozen=True)
class Waiver:
    """Somebody else pays all or part of the resident's part.

    The resident pays `personal_share` of the standard or a fixed `personal_amount`; `payers` divide the rest.
    `children_limited`: children share it up to the age that `medical.family_child_max_age` sets; parents are
    known by their family record.
    """

    code: str
    condition: Condition
    clause: Clause
    personal_share: Fraction | None
    personal_amount: Decimal | None
    payers: tuple[PayerShare, ...]
    only_if: tuple[Toggle, ...] = ()
    children_limited: bool = False


@dataclass(frozen=True)
class Unclear:
    """Persons no clause fits: referred with the clause that comes nearest, never the highest price."""

    code: str
    condition: Condition
    clause: Clause
    only_if: tuple[Toggle, ...] = ()


@dataclass(frozen=True)
class Standard:
    """The medical standard; a figure the paper does not print is None.

    `fiscal_figures` are all fiscal parts by label year in the order written; the first stands in `fiscal`, and
    the setting `medical.fiscal_year` chooses another.
    """

    code: str
    personal: Decimal | None
    fiscal: Decimal | None
    personal_year: str
    fiscal_year: str
    clause: Clause
    fiscal_figures: tuple[tuple[str, Decimal], ...] = ()

    def fiscal_of(self, year: int) -> Decimal:
        """The fiscal part labelled with a year. Raises PlanError where no figure has that label."""
        figures = dict(self.fiscal_figures)
        if str(year) not in figures:
            raise PlanError(
                "no_such_label", place="settings.medical.fiscal_year", year=year, known=", ".join(figures)
            )
        return figures[str(year)]


@dataclass(frozen=True)
class Waiting:
    """Cover starts after `days` full days, or after the `months` that follow the month of payment."""

    days: int | None = None
    months: int | None = None


@dataclass(frozen=True)
class Late:
    """The regime after the period: what is paid (personal_only, total_cost) and how long cover waits."""

    code: str
    price: str
    waiting: Waiting
    clause: Clause


@dataclass(frozen=True)
class Interruption:
    """Waiting after missed years, in months.

    `months` for the first missed collection period, `further` for each more missed year, `repaired` less for each
    year paid back, and from `long_years` missed in a row at least `long_months` in all.
    """

    code: str
    months: int
    further: int
    repaired: int
    long_years: int | None
    long_months: int
    clause: Clause


@dataclass(frozen=True)
class Medical:
    """The medical premium of one coverage year; `cover` is its first and last day where they are known."""

    cover: tuple[datetime.date, datetime.date] | None
    standard: Standard
    waivers: tuple[Waiver, ...]
    waiver_routes: tuple[str, ...]
    extra_payers: tuple[PayerShare, ...]
    unclear: tuple[Unclear, ...]
    late: Late | None
    household_code: str
    interruption: Interruption | None = None


@dataclass(frozen=True)
class PensionTier:
    """A tier; `restricted` says who may use it (None: everybody), `unclear` who is referred instead."""

    amount: Decimal
    code: str
    clause: Clause
    restricted: Condition | None
    restricted_code: str
    unclear: Condition | None
    subsidy: Decimal
    subsidy_code: str


@dataclass(frozen=True)
class GovernmentPaid:
    """A group whose lowest tier is paid for it."""

    code: str
    condition: Condition
    amount: Decimal
    payers: tuple[PayerShare, ...]
    clause: Clause


@dataclass(frozen=True)
class FamilySubsidy:
    """A family-planning subsidy beside the contribution."""

    code: str
    condition: Condition
    amount: Decimal
    payer: str
    clause: Clause


@dataclass(frozen=True)
class Pension:
    """The pension contribution of one year; without printed tiers nothing is computed."""

    code: str
    tiers: tuple[PensionTier, ...]
    government_paid: tuple[GovernmentPaid, ...]
    extra_payers: tuple[PayerShare, ...]
    family: tuple[FamilySubsidy, ...]


@dataclass(frozen=True)
class Window:
    """A payment period, both days included; `routes`: (route, first, last day) where one is open for less."""

    code: str
    insurance: str
    kind: str
    opens: datetime.date
    closes: datetime.date
    stage: str
    routes: tuple[tuple[str, datetime.date | None, datetime.date | None], ...]
    clause: Clause


@dataclass(frozen=True)
class Stage:
    """A stage of the work; stages may overlap."""

    code: str
    kind: str
    name: str
    starts: datetime.date | None
    ends: datetime.date | None
    clause: Clause


@dataclass(frozen=True)
class TargetRow:
    """A row of the task table. `township` is its official code, "" for the printed total."""

    township: str
    name: str
    villages: int | None
    heads: tuple[tuple[str, int], ...]
    note: str


@dataclass(frozen=True)
class Targets:
    """Task table: rows as printed, the printed total beside the sum of the rows."""

    code: str
    rows: tuple[TargetRow, ...]
    printed: TargetRow | None
    clause: Clause

    def total(self, insurance: str) -> int:
        return sum(dict(row.heads).get(insurance, 0) for row in self.rows)

    def difference(self, insurance: str) -> int:
        """Printed total less the sum of the rows; 0 where no total is printed."""
        return dict(self.printed.heads).get(insurance, 0) - self.total(insurance) if self.printed else 0


@dataclass(frozen=True)
class Supplier:
    """An office that certifies persons of a list: those of its groups, and those a rule computes by age.

    `agency` is its kind, `name` as the paper prints it.
    """

    agency: str
    name: str
    groups: tuple[Group, ...]
    computed: tuple[str, ...]


@dataclass(frozen=True)
class Application:
    """Who applies for a list's money and with whom: kinds of agencies; `by` "supplier" means each its own."""

    by: str
    joined: tuple[str, ...]
    to: str
    rule: str


@dataclass(frozen=True)
class PersonList:
    """A list of persons for whom somebody else pays (名单): its rules, who certifies whom, who applies.

    `kind` is assistance (资助) or government_paid (代缴): where a paper tells them apart, they are different things.
    """

    code: str
    name: str
    kind: str
    waivers: tuple[str, ...]
    suppliers: tuple[Supplier, ...]
    application: Application | None
    bill: str
    clause: Clause


@dataclass(frozen=True)
class OpenPayer:
    """A payer the paper leaves unnamed (“政府或部门”): somebody has to say who it is before money is asked for."""

    code: str
    payer: str
    clause: Clause


@dataclass(frozen=True)
class RuleRow:
    """Any rule of the paper as it stands in the table of rules and on the page of the plan."""

    code: str
    kind: str
    insurance: str
    position: int
    name: str
    condition: Mapping[str, object]
    effect: Mapping[str, object]
    shares: tuple[tuple[str, str], ...]
    clause: Clause


@dataclass(frozen=True, eq=False)
class Plan:
    """A collection plan, checked.

    `categories` are the group codes known to it, `document` is the file as plain data, `text` the file itself
    (its order says which payer takes a cent that cannot be split), `sha256` its digest.
    """

    code: str
    version: int
    name: str
    county: str
    township: str
    parent: str
    level: str
    document_number: str
    issuer: str
    issued_on: datetime.date | None
    coverage_year: int
    insurances: tuple[str, ...]
    collection_mode: str
    payers: Mapping[str, str]
    groups: Mapping[str, Group]
    categories: frozenset[str]
    settings: Settings
    admissions: tuple[Admission, ...]
    doubtful: tuple[Admission, ...]
    exclusions: tuple[Exclusion, ...]
    medical: Medical | None
    pension: Pension | None
    windows: tuple[Window, ...]
    stages: tuple[Stage, ...]
    targets: Targets | None
    lists: tuple[PersonList, ...]
    open_payers: tuple[OpenPayer, ...]
    rules: tuple[RuleRow, ...]
    document: Mapping[str, Plain] = field(repr=False)
    text: str = field(repr=False)
    sha256: str

    def premium(self) -> Medical:
        """The medical part. Raises PlanError where the plan has none."""
        if self.medical is None:
            raise PlanError("insurance_not_in_plan", insurance="medical")
        return self.medical

    def contribution(self) -> Pension:
        """The pension part. Raises PlanError where the plan has none."""
        if self.pension is None:
            raise PlanError("insurance_not_in_plan", insurance="pension")
        return self.pension

    @property
    def waiver_codes(self) -> frozenset[str]:
        """Codes of the medical waivers."""
        return frozenset(waiver.code for waiver in self.medical.waivers) if self.medical else frozenset()

    def rule(self, code: str) -> RuleRow | None:
        return next((rule for rule in self.rules if rule.code == code), None)

    def list_of(self, rule: str) -> PersonList | None:
        """The list on which somebody stands for whom a waiver or government-paid rule pays; None if on none."""
        return next((each for each in self.lists if rule in each.waivers), None)

    def is_open(self, payer: str) -> bool:
        """Whether the paper leaves a payer unnamed."""
        return any(each.payer == payer for each in self.open_payers)

    def special_case(self, setting: str) -> str | None:
        """The rule that hands a special case over to an office; `setting` is the reading that makes it one."""
        found = (rule.code for rule in self.of_kind("special_cases") if rule.effect.get("setting") == setting)
        return next(found, None)

    def of_kind(self, kind: str) -> tuple[RuleRow, ...]:
        return tuple(rule for rule in self.rules if rule.kind == kind)
