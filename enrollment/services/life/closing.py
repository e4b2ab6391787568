"""Registrations settled without money (销号), and opened again."""

from __future__ import annotations

from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from enrollment.models import ClosingReason, EventKind, Insurance, Registration
from enrollment.services.life.common import check_day, check_evidence, check_post, tell
from foundation.clock.services import business_date
from townships.models import User

# Only a merge of two records says this; nobody closes by hand with it.
BY_MERGE_ALONE = ClosingReason.SAME_PERSON


def held_registration(by: User, registration: int) -> Registration:
    """A registration collected in the user's places, locked, wherever the person lives now.

    Raises Registration.DoesNotExist, and ValidationError for one that stayed with a record merged into another.
    """
    check_post(by)
    row: Registration = (
        Registration.objects.held_by(by)
        .select_related("resident", "township")
        .select_for_update(of=("self",))
        .get(pk=registration)
    )
    if row.resident.merged_into_id is not None:
        raise ValidationError(_("这条参保登记属于已经并入别人的旧档案，不能再改。"))
    return row


@transaction.atomic
def close_registration(*, by: User, registration: int, reason: str, on: date, evidence: str) -> Registration:
    """Settle a registration without money, for a reason of the list. What is due by the plan stays as it was.

    It leaves rosters and chase lists; every denominator change is in the trail. Raises ValidationError.
    """
    row = held_registration(by, registration)
    if reason not in ClosingReason.values or reason == BY_MERGE_ALONE:
        raise ValidationError({"reason": _("请选销号原因。")})
    if row.closing_reason:
        raise ValidationError(_("已经销号：%(why)s。要改原因，先撤销销号。") % {"why": row.closing_reason})
    check_day(by, on, "on")
    words = check_evidence(evidence)
    row.closing_reason = reason
    row.save(update_fields=["closing_reason"])
    _tell(by, row, EventKind.CLOSED, on, words, {"after": {"reason": reason}})
    return row


@transaction.atomic
def reopen_registration(*, by: User, registration: int, evidence: str) -> Registration:
    """Take a settlement back: the registration is asked for again. Raises ValidationError."""
    row = held_registration(by, registration)
    if not row.closing_reason or row.closing_reason == BY_MERGE_ALONE:
        raise ValidationError(_("这条参保登记没有销号，或者是并档留下的，不能撤销。"))
    words = check_evidence(evidence)
    before, row.closing_reason = row.closing_reason, ""
    row.save(update_fields=["closing_reason"])
    today = business_date(by.county_code)
    _tell(by, row, EventKind.REOPENED, today, words, {"before": {"reason": before}})
    return row


def _tell(
    by: User, row: Registration, kind: EventKind, on: date, evidence: str, said: dict[str, dict[str, str]]
) -> None:
    """At the registration's place, which is the one that settles; where the person lives reads it as well."""
    person = row.resident
    lives = person.unit
    person.township_id, person.unit_id = row.township_id, row.unit_id
    about = {"insurance": str(Insurance(row.insurance).label), "year": row.coverage_year}
    tell(
        by=by, kind=kind, residents=[person], on=on, evidence=evidence, also=[lives], detail={**said, **about}
    )  # fmt: skip
