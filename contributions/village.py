"""A unit's round: its households with what each still owes, unpaid first, in walking order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Sum, Value
from django.utils.html import format_html

from contributions.funding.marks import not_synced
from contributions.models import OWN_PARTS, Charge, Decision, PaymentLine
from contributions.plans.because import Said
from contributions.queries import NOT_SPONSORED, own_due, short_reason, sponsored_by_registration
from contributions.services.explain import Explanation, explain_people
from contributions.words import reason
from enrollment.models import CollectionPlan, Insurance, Registration, Resident
from enrollment.queries import search_condition
from foundation.money import format_yuan
from subsidies.rules.source import PlanError
from townships.models import CollectingUnit, User

ZERO = Decimal("0.00")


@dataclass
class Owed:
    """A current charge of a person and what of it is still open."""

    charge: int
    registration: int
    version: int
    insurance: str
    decision: str
    due: Decimal
    government: Decimal
    paid: Decimal
    sponsored: Decimal = ZERO
    closed: str = ""
    """Why it is settled without money; whoever turns up to pay all the same may."""
    told: list[Said] = field(default_factory=list)
    """Why it is this amount, in sentences with the plan's words; filled for the page of a household."""

    @property
    def asked(self) -> Decimal:
        """Yuan that are asked for."""
        return ZERO if self.closed else self.open

    @property
    def open(self) -> Decimal:
        """Yuan still to pay; nothing where the plan does not ask for it yet."""
        return max(self.due - self.paid, ZERO) if self.decision == Decision.ACCEPT else ZERO


@dataclass
class Home:
    """A household on the round."""

    id: int
    number: str
    group: str
    house: str
    head: str
    nickname: str = ""
    people: int = 0
    unpaid_people: int = 0
    due: Decimal = ZERO
    open: Decimal = ZERO

    def shown(self) -> dict[str, object]:
        """The words of its line, ready to be filled in: a unit has five hundred of them."""
        return {
            "id": str(self.id),
            "house": self.house or "—",
            "group": self.group,
            "head": self.head,
            "nickname": format_html(' <small class="nick">{}</small>', self.nickname)
            if self.nickname
            else "",
            "open": format_yuan(self.open),
            "people": str(self.people),
            "unpaid": str(self.unpaid_people),
        }


@dataclass
class Round:
    """The whole unit."""

    plan: CollectionPlan | None
    unpaid: list[Home] = field(default_factory=list)
    paid: list[Home] = field(default_factory=list)
    found: bool = False

    @property
    def total(self) -> int:
        """Households on the round."""
        return len(self.unpaid) + len(self.paid)

    @property
    def unpaid_lines(self) -> list[dict[str, object]]:
        """Lines of households that still owe."""
        return [home.shown() for home in self.unpaid]

    @property
    def paid_lines(self) -> list[dict[str, object]]:
        """Lines of households that owe nothing."""
        return [home.shown() for home in self.paid]

    @property
    def share(self) -> float:
        """Percent of households with nothing open."""
        return 100 * len(self.paid) / self.total if self.total else 0.0


def plan_of(unit: CollectingUnit) -> CollectionPlan | None:
    """The newest plan of the unit's county."""
    return (
        CollectionPlan.objects.in_force()
        .filter(county_id=unit.township.county_id)
        .defer("document")
        .order_by("-coverage_year", "-version")
        .first()
    )


def owed_by(user: User, plan: CollectionPlan, **where: Any) -> dict[int, list[Owed]]:
    """What people owe themselves by resident, medical first; ``where`` narrows charges. Three queries.

    What a sponsor has promised is not asked of the resident; what the sponsor has paid is not the resident's payment.
    """
    charges = list(
        Charge.objects.visible_to(user)
        .filter(plan=plan, current=True, **where)
        .order_by("insurance", "pk")
        .values_list(
            "pk",
            "registration_id",
            "version",
            "insurance",
            "decision",
            "personal_amount",
            "government_paid_amount",
            "registration__closing_reason",
            "resident_id",
        )
    )
    registrations = [row[1] for row in charges]
    lines = PaymentLine.objects.visible_to(user).filter(registration_id__in=registrations, part__in=OWN_PARTS)
    paid = dict(lines.values("registration_id").annotate(n=Sum("amount")).values_list("registration_id", "n"))
    sponsored = sponsored_by_registration(registration_id__in=registrations)
    owed: dict[int, list[Owed]] = defaultdict(list)
    for pk, registration, version, insurance, decision, personal, government, closed, resident in charges:
        helped = sponsored.get(registration, NOT_SPONSORED)
        owed[resident].append(
            Owed(
                charge=pk,
                registration=registration,
                version=version,
                insurance=insurance,
                decision=decision,
                due=own_due(personal, helped),
                government=government,
                paid=paid.get(registration, ZERO) - helped.paid,
                sponsored=min(helped.pledged, personal),
                closed=closed,
            )
        )
    return owed


def _owed_in_unit(
    user: User, plan: CollectionPlan, unit: CollectingUnit
) -> dict[int, tuple[Decimal, Decimal]]:
    """Yuan due and still open by resident of a unit, those who owe nothing left out. Three queries.

    A registration settled without money (销号) is still due by the plan and no longer asked for.
    """
    lines = PaymentLine.objects.visible_to(user).filter(unit=unit, part__in=OWN_PARTS)
    paid = dict(lines.values("registration_id").annotate(n=Sum("amount")).values_list("registration_id", "n"))
    charges = (
        Charge.objects.visible_to(user)
        .filter(plan=plan, current=True, unit=unit, personal_amount__gt=0)
        .values_list(
            "resident_id", "registration_id", "decision", "personal_amount", "registration__closing_reason"
        )
    )
    sponsored = sponsored_by_registration(unit=unit)
    owed: dict[int, tuple[Decimal, Decimal]] = {}
    for resident, registration, decision, personal, closed in charges:
        helped = sponsored.get(registration, NOT_SPONSORED)
        amount, by_himself = own_due(personal, helped), paid.get(registration, ZERO) - helped.paid
        due, open_amount = owed.get(resident, (ZERO, ZERO))
        still = max(amount - by_himself, ZERO) if decision == Decision.ACCEPT and not closed else ZERO
        owed[resident] = (due + amount, open_amount + still)
    return owed


def unit_round(user: User, unit: CollectingUnit, *, search: str = "") -> Round:
    """Households of a unit; with ``search`` only those where somebody fits. Seven queries, whatever the size.

    Whoever registered here and moved away since is still asked at the house he registered in.
    """
    plan = plan_of(unit)
    people = Resident.objects.visible_to(user).filter(
        unit=unit, merged_into=None, household__isnull=False, left_on=None
    )
    away = moved_away(user, plan, unit)
    wanted: set[int] | None = None
    if search.strip():
        condition = search_condition(search, unit.township.county.code)
        wanted = set(people.filter(condition).values_list("household_id", flat=True))
        gone = Resident.objects.visible_to(user).filter(condition, pk__in=[row[0] for row in away])
        found_away = set(gone.values_list("pk", flat=True)) if away else set()
        wanted |= {row[1] for row in away if row[0] in found_away}
    owed = _owed_in_unit(user, plan, unit) if plan is not None else {}
    homes: dict[int, Home] = {}
    rows = people.order_by("household__walk", "household_id", "-is_head", "pk").values_list(
        "pk", "household_id", "name", "nickname", "is_head", "household__number", "household__group_name",
        "household__house_number", "household__head_name",
    )  # fmt: skip
    for pk, household, name, nickname, is_head, number, group, house, head in [*rows, *away]:
        if wanted is not None and household not in wanted:
            continue
        home = homes.get(household)
        if home is None:
            home = homes[household] = Home(household, number, group, house, head or name)
        if is_head or not home.nickname:
            home.nickname = nickname or home.nickname
        home.people += 1
        if pk in owed:
            due, still = owed[pk]
            home.due += due
            home.open += still
            home.unpaid_people += bool(still)
    found = Round(plan, found=wanted is not None)
    for home in homes.values():
        (found.unpaid if home.open else found.paid).append(home)
    return found


def moved_away(user: User, plan: CollectionPlan | None, unit: CollectingUnit) -> list[tuple[Any, ...]]:
    """People registered in a unit for the plan who live elsewhere, in the columns of the round. One query."""
    rows = (
        Registration.objects.visible_to(user)
        .filter(plan=plan, unit=unit, household__isnull=False, resident__also_units__contains=[unit.pk])
        .exclude(resident__unit=unit)
        .order_by("household__walk", "household_id", "resident_id")
        .distinct()
    )
    return list(
        rows.values_list(
            "resident_id", "household_id", "resident__name", "resident__nickname", Value(False),
            "household__number", "household__group_name", "household__house_number", "household__head_name",
        )
    )  # fmt: skip


@dataclass(frozen=True)
class Closed:
    """An insurance a person does not pay for: in a few words why not, and the plan's words."""

    insurance: str
    why: str
    told: list[Said]


@dataclass
class Member:
    """A person of a household with what is owed and one line why."""

    resident: Resident
    items: list[tuple[Owed, str, str]]
    """(what is owed, insurance in words, why)."""
    lives: str = ""
    """Where he lives now, for somebody who registered here and moved away."""
    registered: str = ""
    """Where he is registered for the season, for somebody who came with it settled elsewhere."""
    not_by_phone: Decimal = ZERO
    """What paying by phone would charge too much, while the tax side does not know yet who pays; nothing else."""
    shut: list[Closed] = field(default_factory=list)
    """What he may not join, or not without an office."""


def household_members(user: User, household: int, plan: CollectionPlan) -> list[Member]:
    """Members of a household, head first, with their charges; empty out of scope.

    Those who registered from this house and moved to another unit stand last: their money is taken here.
    """
    at_home = Resident.objects.visible_to(user).filter(household_id=household, merged_into=None, left_on=None)
    registered = Registration.objects.visible_to(user).filter(household=household, plan=plan)
    away = Resident.objects.visible_to(user).filter(
        pk__in=registered.values("resident"), merged_into=None
    ).exclude(household_id=household)  # fmt: skip
    rows = [
        *at_home.order_by("-is_head", "birth_date", "pk"),
        *away.select_related("unit__township").order_by("pk"),
    ]
    ids = [person.pk for person in rows]
    owed = owed_by(user, plan, resident_id__in=ids)
    why = {
        charge.pk: short_reason(charge)
        for charge in Charge.objects.visible_to(user).filter(plan=plan, current=True, resident_id__in=ids)
    }
    early = not_synced(user, plan, ids)
    told = _explained(plan, ids)
    for pk, charges in owed.items():
        for each in charges:
            each.told = told.get(pk, {})[each.insurance].why if each.insurance in told.get(pk, {}) else []
    return [
        Member(
            person,
            [(o, str(Insurance(o.insurance).label), why[o.charge]) for o in owed.get(person.pk, [])],
            lives=""
            if person.household_id == household
            else f"{person.unit.township.name}{person.unit.name}",
            registered=registered_elsewhere(person) if person.household_id == household else "",
            not_by_phone=early.get(person.pk, ZERO),
            shut=_shut({o.insurance for o in owed.get(person.pk, [])}, told.get(person.pk, {})),
        )
        for person in rows
    ]


def _explained(plan: CollectionPlan, residents: list[int]) -> dict[int, dict[str, Explanation]]:
    """Explanations by resident and insurance; none for a draft whose rules cannot be read."""
    try:
        found = explain_people(plan=plan, residents=residents, shut_out=True)
    except PlanError:
        return {}
    return {pk: {each.insurance: each for each in listed} for pk, listed in found.items()}


# Why somebody has no pension to pay that nobody at the door needs to be told.
_EVERYBODY_KNOWS = ("under_16", "in_school")


def _shut(due: set[str], told: dict[str, Explanation]) -> list[Closed]:
    return [
        Closed(str(Insurance(insurance).label), reason(each.reason), each.why)
        for insurance, each in told.items()
        if insurance not in due
        and each.decision in (Decision.REFUSE, Decision.REFER)
        and each.reason not in _EVERYBODY_KNOWS
    ]


def registered_elsewhere(person: Resident) -> str:
    """The other units where a person is or was registered, in words; empty for nearly everybody."""
    if not person.also_units:
        return ""
    units = CollectingUnit.objects.filter(pk__in=person.also_units).select_related("township")
    return "、".join(f"{unit.township.name}{unit.name}" for unit in units.order_by("code"))
