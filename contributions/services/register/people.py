"""Deaths, leaving, closing and tiers: the register says what happened, what is due and what was paid follow."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from contributions.models import CaseKind, Route
from contributions.queries import paid_by_registration
from contributions.services.register.effects import (
    ZERO,
    close_cases,
    open_cases,
    renew,
    season_registrations,
    units_of,
)
from contributions.services.tiers import choose_tier
from enrollment.models import ClosingReason, EventKind, Insurance, LeaveReason, Registration, Resident
from enrollment.services.life import closing, people
from enrollment.services.life.common import check_evidence, tell
from foundation.clock.services import business_date
from foundation.http import Problem
from foundation.scope.context import with_units
from townships.models import User

CLOSED_BY_LEAVING: Final = {
    LeaveReason.MOVED_OUT: ClosingReason.MOVED_OUT,
    LeaveReason.CANCELLED: ClosingReason.MOVED_OUT,
    LeaveReason.EMPTY: ClosingReason.EMPTY,
}


@transaction.atomic
def record_death(*, by: User, resident: int, died_on: date, source: str, evidence: str) -> Resident:
    """Note a death: what is not paid is no longer due. Raises as note_death.

    What was paid before cover began is treated by the plan (``refund.death_before_cover``): a case to look at, as a rule.
    """
    row = people.note_death(by=by, resident=resident, died_on=died_on, source=source, evidence=evidence)
    with with_units(units_of([row])):
        renew(by, [row.pk])
    return row


@transaction.atomic
def undo_death(*, by: User, resident: int, evidence: str) -> Resident:
    """Take back a death that was none: people are due again, cases about the death are settled."""
    row = people.withdraw_death(by=by, resident=resident, evidence=evidence)
    with with_units(units_of([row])):
        renew(by, [row.pk])
    return row


@transaction.atomic
def deregister(*, by: User, resident: int, why: str, on: date, evidence: str) -> Resident:
    """End somebody's registration here: unpaid registrations of the season are settled, paid ones become a case."""
    row = people.leave(by=by, resident=resident, why=why, on=on, evidence=evidence)
    reason = CLOSED_BY_LEAVING[LeaveReason(why)]
    with with_units(units_of([row])):
        renew(by, [row.pk])
        mine = list(season_registrations([row.pk], on))
        paid = paid_by_registration([g.pk for g in mine])
        unpaid = [g.pk for g in mine if paid.get(g.pk, ZERO) <= 0]
        Registration.objects.filter(pk__in=unpaid, closing_reason="").update(closing_reason=reason)
        open_cases(
            registrations=mine, kind=CaseKind.LEFT, detail={"why": str(reason.value), "on": on.isoformat()},
            unless=[CaseKind.NOT_ACCEPTED, CaseKind.REFUND_DUE],
        )  # fmt: skip
    return row


@transaction.atomic
def take_back(*, by: User, resident: int, on: date, evidence: str) -> Resident:
    """Take somebody who left back in: what leaving had settled is asked for again."""
    row = people.come_back(by=by, resident=resident, on=on, evidence=evidence)
    with with_units(units_of([row])):
        mine = season_registrations([row.pk], on)
        reasons = set(CLOSED_BY_LEAVING.values())
        mine.filter(closing_reason__in=reasons).update(closing_reason="")
        close_cases(registrations=[g.pk for g in mine], kind=CaseKind.LEFT, outcome=_("户口已恢复"))
        renew(by, [row.pk])
    return row


@transaction.atomic
def settle_registration(*, by: User, registration: int, reason: str, on: date, evidence: str) -> Registration:
    """Settle a registration without money (销号); where money rests on it, it becomes a case to consider."""
    row = closing.close_registration(
        by=by, registration=registration, reason=reason, on=on, evidence=evidence
    )
    if reason != ClosingReason.AWAITING_TAX:
        open_cases(registrations=[row], kind=CaseKind.LEFT, detail={"why": reason, "on": on.isoformat()})
    return row


@transaction.atomic
def unsettle_registration(*, by: User, registration: int, evidence: str) -> Registration:
    """Ask for a settled registration again."""
    row = closing.reopen_registration(by=by, registration=registration, evidence=evidence)
    close_cases(registrations=[row.pk], kind=CaseKind.LEFT, outcome=_("销号已撤销"))
    return row


@transaction.atomic
def change_tier(*, by: User, registration: int, tier: str, evidence: str) -> bool:
    """Correct the pension tier. True when it is changed; False when money rests on it and a case was made instead.

    Raises ValidationError for a tier that is none of the plan's or not hers to use.
    """
    row = closing.held_registration(by, registration)
    if row.insurance != Insurance.PENSION:
        raise ValidationError({"tier": _("只有养老有档次。")})
    try:
        wanted = Decimal(tier).quantize(Decimal("0.01"))
    except InvalidOperation:
        raise ValidationError({"tier": _("请从方案的档次里选。")}) from None
    words = check_evidence(evidence)
    if wanted == row.tier:
        raise ValidationError({"tier": _("档次没有变。")})
    today = business_date(by.county_code)
    said = {
        "before": {"tier": f"{row.tier:.0f}" if row.tier is not None else ""},
        "after": {"tier": f"{wanted:.0f}"},
        "insurance": str(Insurance.PENSION.label), "year": row.coverage_year,
    }  # fmt: skip
    person = row.resident
    if paid_by_registration([row.pk]).get(row.pk, ZERO) > 0:
        open_cases(registrations=[row], kind=CaseKind.TIER_ASKED, detail={"tier": f"{wanted:.2f}"})
        return False
    try:
        choose_tier(
            by=by, plan=row.plan, registration=row, tier=wanted, route=Route.TOWNSHIP_OFFICE, on=today
        )
    except Problem as problem:
        raise ValidationError({"tier": problem.message}) from None
    lives = person.unit
    person.township_id, person.unit_id = row.township_id, row.unit_id
    tell(
        by=by, kind=EventKind.TIER, residents=[person], on=today, evidence=words, detail=said, also=[lives]
    )  # fmt: skip
    return True


@transaction.atomic
def give_number(
    *, by: User, resident: int, number: str, on: date, evidence: str, number_decides: bool = False
) -> Resident:
    """Give or correct the number; what is due follows the birth date it tells."""
    row = people.give_number(
        by=by, resident=resident, number=number, on=on, evidence=evidence, number_decides=number_decides
    )
    with with_units(units_of([row])):
        renew(by, [row.pk])
    return row
