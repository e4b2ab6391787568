"""Corrections of the register by hand: small, scoped, and in the trail. Bulk changes come by imports."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import EventKind, Household, Membership, Resident
from enrollment.services.life.common import tell
from enrollment.services.life.people import phone_columns
from enrollment.services.pending import touch
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.encryption import get_keyring
from townships.models import CollectingUnit, User
from townships.rules import may

REVEAL_FOR: Final = timedelta(hours=2)


@transaction.atomic
def correct_resident(
    *,
    by: User,
    resident: int,
    phone: str | None = None,
    address: str | None = None,
    nickname: str | None = None,
    household_number: str | None = None,
) -> Resident:
    """Correct what people tell at the counter; None leaves a fact as it is, an empty phone removes it.

    ``household_number`` moves the person into another household of the same unit. Raises ValidationError by field,
    and Resident.DoesNotExist for somebody who lives in none of the user's places.
    """
    row: Resident = (
        Resident.objects.held_by(by).filter(merged_into=None).select_for_update(of=("self",)).get(pk=resident)
    )
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    if phone is not None:
        columns = phone_columns(phone.strip())
        before["phone"], after["phone"] = row.phone_tail[-2:], columns["phone_tail"][-2:]
        row.phone_encrypted, row.phone_tail = columns["phone_encrypted"], columns["phone_tail"]
    for field, value in (("address", address), ("nickname", nickname)):
        if value is not None and value.strip() != getattr(row, field):
            before[field], after[field] = getattr(row, field), value.strip()
            setattr(row, field, value.strip())
    joined = _join(by, row, household_number.strip()) if household_number else ()
    if after or joined:
        row.changed_at = timezone.now()
        row.full_clean(exclude=["household", "village", "township", "unit"])
        row.save()
    today = business_date(by.county_code)
    if after:
        tell(
            by=by, kind=EventKind.CONTACT, residents=[row], on=today, detail={"before": before, "after": after}
        )  # fmt: skip
    if joined:
        tell(
            by=by, kind=EventKind.JOINED, residents=[row], on=today,
            detail={"before": {"household": joined[0]}, "after": {"household": joined[1]}},
        )  # fmt: skip
    return row


def _join(by: User, row: Resident, number: str) -> tuple[str, ...]:
    """Move somebody into another household of his unit; (its number before, after), empty when he lives there."""
    household = Household.objects.held_by(by).filter(unit_id=row.unit_id, number=number).first()
    if household is None:
        raise ValidationError({"household_number": _("本村没有这个户编号。")})
    if household.pk == row.household_id:
        return ()
    before = row.household.number if row.household is not None else ""
    row.household = household
    if row.is_head:
        row.relation = ""
    row.is_head = False
    return before, number


@transaction.atomic
def correct_household(
    *, by: User, household: int, group_name: str, house_number: str, walk: int | None = None
) -> Household:
    """Correct where a household is found on the round."""
    row: Household = Household.objects.held_by(by).select_for_update(of=("self",)).get(pk=household)
    row.group_name, row.house_number = group_name.strip(), house_number.strip()
    if walk is not None:
        row.walk = walk
    row.full_clean(exclude=["village", "township", "unit"])
    row.save()
    _record(by, "household.correct", "household", row, {})
    return row


@transaction.atomic
def change_membership(*, by: User, membership: int, valid_to: date | None, grade: int | None) -> Membership:
    """Set the last day of a membership or its grade; the person is assessed again at once."""
    row: Membership = Membership.objects.held_by(by).select_for_update(of=("self",)).get(pk=membership)
    if valid_to is not None and valid_to < row.valid_from:
        raise ValidationError({"valid_to": _("止期不能早于起期。")})
    if grade is not None and grade not in range(1, 5):
        raise ValidationError({"grade": _("残疾等级是 1 到 4。")})
    before = {"valid_to": row.valid_to, "grade": row.grade}
    row.valid_to, row.grade = valid_to, grade
    row.save(update_fields=["valid_to", "grade"])
    if (before["valid_to"], before["grade"]) != (valid_to, grade):
        touch(by=by, residents=[row.resident_id])
    _record(
        by, "membership.change", "membership", row, {"before": before, "valid_to": valid_to, "grade": grade}
    )
    return row


@transaction.atomic
def open_numbers(*, by: User, unit: CollectingUnit, reason: str) -> datetime:
    """Let a person read full ID numbers of one unit for two hours, for a reason that stays in the trail.

    Returns until when. Raises PermissionDenied for a post that may not, ValidationError without a reason.
    """
    if (
        not may(by.role, "reveal_number")
        or not CollectingUnit.objects.visible_to(by).filter(pk=unit.pk).exists()
    ):
        raise PermissionDenied
    if len(reason.strip()) < 4:
        raise ValidationError({"reason": _("请写明原因，至少四个字。")})
    until = timezone.now() + REVEAL_FOR
    record(
        by=by, action="number.open", target_kind="unit", target=unit.pk, county_code=by.county_code,
        township_code=unit.township.code, detail={"reason": reason.strip()[:200], "until": until},
    )  # fmt: skip
    return until


def read_number(*, by: User, resident: Resident) -> str:
    """The full ID number, with an audit row of its own for every look; empty for a person without one."""
    if resident.number_encrypted is None:
        return ""
    _record(by, "number.read", "resident", resident, {})
    return get_keyring().decrypt(resident.number_encrypted)


def _record(by: User, action: str, kind: str, row: Any, detail: dict[str, Any]) -> None:
    record(
        by=by, action=action, target_kind=kind, target=row.pk, county_code=by.county_code,
        township_code=row.township.code, detail=detail,
    )  # fmt: skip
