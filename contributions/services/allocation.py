"""What a payment order says, and how its money is spread over what is due.

The price may be refused before money is taken; here it has been taken, so everything that is wrong becomes a case.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q
from django.utils.translation import gettext as _

from contributions.models import CaseKind, Charge, FigureDelta, Means, Route
from contributions.queries import NOT_SPONSORED, paid_by_registration, sponsored_by_registration
from contributions.rules import band_of, same_price_period
from contributions.services.determine import determine
from contributions.services.quotes import price_periods
from contributions.services.tiers import choose_tier
from enrollment.models import CollectionMode, CollectionPlan, Registration
from foundation.http import Problem

ZERO = Decimal("0.00")
# What of a charge a payment rests on; the rest of its thirty columns stays where it is.
_READ: Final = (
    "township_id", "unit_id", "registration_id", "plan_id", "insurance", "age", "for_year", "version", "current",
    "tier", "personal_amount", "priced_on",
)  # fmt: skip


@dataclass(frozen=True)
class LineOrder:
    """A quoted part: registration, charge id and version as shown to the payer, tier if chosen, amount in yuan."""

    registration: int
    charge: int
    version: int
    amount: Decimal
    tier: Decimal | None = None


@dataclass(frozen=True)
class PaymentOrder:
    """One handing over of money as a device or counter reports it."""

    client_uuid: uuid.UUID
    handed_over_at: datetime
    route: str
    means: str
    received: Decimal
    lines: tuple[LineOrder, ...]
    device: uuid.UUID | None = None
    household: int | None = None
    payer_name: str = ""
    paid_for_others: bool = False
    sequence: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over the body; the same words in another order of keys are the same body."""
        body = {
            **{k: v for k, v in self.__dict__.items() if k not in {"lines", "client_uuid"}},
            "lines": [line.__dict__ for line in self.lines],
        }
        return hashlib.sha256(json.dumps(body, cls=DjangoJSONEncoder, sort_keys=True).encode()).hexdigest()


@dataclass
class Allocation:
    """How the money of one order is spread."""

    lines: list[tuple[Charge, LineOrder, Decimal]] = field(default_factory=list)
    cases: list[tuple[str, int, Decimal, dict[str, Any]]] = field(default_factory=list)
    deltas: list[FigureDelta] = field(default_factory=list)

    @property
    def allocated(self) -> Decimal:
        return sum((amount for _c, _l, amount in self.lines), ZERO)


def allocate(
    *,
    by: Any,
    plan: CollectionPlan,
    registrations: dict[int, Registration],
    order: PaymentOrder,
    paid_on: date,
) -> Allocation:
    """Spread what was handed over on ``paid_on`` over the lines in their order, each up to what is still due.

    What does not fit is a case, never a refusal. Raises Problem 400 for a charge that is not the registration's.
    """
    paid = paid_by_registration(list(registrations))
    sponsored = sponsored_by_registration(registration_id__in=list(registrations))
    # The charges shown to the payer and those that stand now are the same, as a rule: one query for both.
    found_charges = list(
        Charge.objects.filter(
            Q(registration_id__in=registrations, current=True, for_year=plan.coverage_year)
            | Q(pk__in=[line.charge for line in order.lines])
        ).only(*_READ)
    )
    charges = {c.registration_id: c for c in found_charges if c.current and c.for_year == plan.coverage_year}
    quoted = {c.pk: c for c in found_charges}
    periods = price_periods(plan)
    allocation, left = Allocation(), order.received
    if order.means == Means.CASH and plan.collection_mode == CollectionMode.DIRECT:
        # Under a direct plan nobody holds cash: the money is kept, and somebody must ask where it is.
        first = order.lines[0].registration
        allocation.cases.append((CaseKind.MEANS_NOT_ALLOWED, first, ZERO, {"means": order.means}))
    for line in order.lines:
        registration = registrations[line.registration]
        shown = quoted.get(line.charge)
        if shown is None or shown.registration_id != line.registration:
            raise Problem(400, "unknown_charge", _("应缴记录对不上，请刷新这一户后再收。"))
        charge = charges.get(line.registration, shown)
        before = paid.get(line.registration, ZERO)
        as_shown = line.version == charge.version
        if not plan.takes_charges:
            # The year is closed and its sums stand: the money is kept whole, beside them, and asked about.
            told = {"paid_on": paid_on.isoformat(), "closed": True}
            allocation.lines.append((charge, line, ZERO))
            allocation.cases.append((CaseKind.OUTSIDE_WINDOW, line.registration, line.amount, told))
            continue
        if line.tier is not None and line.tier != charge.tier and not before:
            # The payer chose another tier at the till: from now on that is what he owes.
            taken = choose_tier(
                by=by, plan=plan, registration=registration, tier=line.tier, route=order.route, on=paid_on
            )
            charge = taken or charge
            due = charge.personal_amount if taken else ZERO
        else:
            due = charge.personal_amount
        if not before and not _priced_for(plan, charge, order.route, paid_on, periods[charge.insurance]):
            # Money of another day or route is priced by it; later money rests on what the first determined.
            charge, due = determine(
                plan=plan, registration=registration, charge=charge, on=paid_on, route=order.route
            )
        # What a sponsor has promised and not paid yet is not asked of the resident.
        asked = max(due - sponsored.get(line.registration, NOT_SPONSORED).outstanding, ZERO)
        amount, found = _place(registration, line, asked, before, paid_on, left, as_shown=as_shown)
        allocation.lines.append((charge, line, amount))
        allocation.cases += found
        if _outside_season(plan, periods[charge.insurance], paid_on):
            told = {"paid_on": paid_on.isoformat()}
            allocation.cases.append((CaseKind.OUTSIDE_WINDOW, line.registration, ZERO, told))
        left -= amount
        if amount:
            settled = due > 0 and before < due <= before + amount
            allocation.deltas.append(figure_delta(plan, charge, paid_on, int(settled), amount))
    return allocation


def _outside_season(plan: CollectionPlan, periods: Sequence[tuple[date, date | None]], paid_on: date) -> bool:
    """Before the first payment period opens, or after the year that is paid for."""
    opens = min((first for first, _last in periods), default=paid_on)
    return paid_on < opens or paid_on.year > plan.coverage_year


def _priced_for(
    plan: CollectionPlan,
    charge: Charge,
    route: str,
    paid_on: date,
    periods: Sequence[tuple[date, date | None]],
) -> bool:
    """Whether a charge holds for a payment as it stands; under a closed plan every one does."""
    same = route != Route.ONLINE and same_price_period(periods, charge.priced_on, paid_on)
    return same or not plan.takes_charges


def _place(
    registration: Registration,
    line: LineOrder,
    due: Decimal,
    before: Decimal,
    paid_on: date,
    left: Decimal,
    *,
    as_shown: bool,
) -> tuple[Decimal, list[tuple[str, int, Decimal, dict[str, Any]]]]:
    """How much of a line rests on its registration, and what has to be settled about the rest."""
    cases: list[tuple[str, int, Decimal, dict[str, Any]]] = []
    open_amount = max(due - before, ZERO)
    died = registration.resident.death_date
    if died is not None and died <= paid_on:
        cases.append((CaseKind.DECEASED, line.registration, line.amount, {"died": died.isoformat()}))
        return ZERO, cases
    amount = min(line.amount, open_amount, left)
    if line.amount and before >= due > 0:
        cases.append(
            (CaseKind.ALREADY_PAID, line.registration, line.amount - amount, {"paid": f"{before:.2f}"})
        )
    elif not as_shown:
        cases.append((CaseKind.PRICE_CHANGED, line.registration, line.amount - amount, {"due": f"{due:.2f}"}))
    elif line.amount != open_amount or amount != line.amount:
        cases.append(
            (CaseKind.AMOUNT_DIFFERS, line.registration, line.amount - amount, {"due": f"{due:.2f}"})
        )
    return amount, cases


def figure_delta(plan: CollectionPlan, charge: Charge, day: date, paid: int, amount: Decimal) -> FigureDelta:
    """What an amount adds to the figures of the charge's unit; ``paid`` is 1 when it settles the charge, -1 undone."""
    return FigureDelta(
        plan_id=plan.pk, township_id=charge.township_id, unit_id=charge.unit_id, insurance=charge.insurance,
        band=band_of(charge.age), day=day, paid=paid, paid_amount=amount,
    )  # fmt: skip
