"""Two records of one person put together, and apart again: no yuan, no registration and no payment is lost.

Where both are registered for an insurance and year, the registration that holds money is kept; where both hold money, the
living record's own is kept and the other one's money is a case (重复缴费) to be given back. Registrations, charges,
payments, tax entries and cases keep their rows, places and sums: only whose they are changes, and nobody's residual.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from contributions.models import (
    Assessment,
    CaseKind,
    Charge,
    PaidDifference,
    PaymentCase,
    PaymentLine,
)
from contributions.queries import paid_by_registration
from contributions.services.register.effects import ZERO, close_cases, open_cases, renew, units_of
from enrollment.models import PairVerdict, Registration, Resident, ResidentPair
from enrollment.services.life import doubles
from enrollment.services.life.common import held_residents
from foundation.scope.context import with_units
from townships.models import User


@transaction.atomic
def merge(*, by: User, living: int, merged: int, reason: str) -> ResidentPair:
    """Put ``merged`` into ``living``, with everything that stands on it. Raises ValidationError; Resident.DoesNotExist."""
    if living == merged:
        raise ValidationError(_("请选两份不同的档案。"))
    people = held_residents(by, [living, merged])
    with with_units(units_of(people)):
        prefer = _paid_where_the_other_is_not(living, merged)
        pair, taken = doubles.merge_records(by=by, living=living, merged=merged, prefer=prefer, reason=reason)
        comes = [*taken.moved, *taken.swapped[::2]]
        _give(comes, living)
        _give(taken.swapped[1::2], merged)
        # An assessment is an answer of now, not a fact of then: the merged record gets none any more.
        Assessment.objects.filter(resident=merged).delete()
        stopped = list(
            Charge.objects.filter(registration__in=_left_with(merged), current=True).values_list(
                "pk", flat=True
            )
        )
        Charge.objects.filter(pk__in=stopped).update(current=False)
        _end_differences(_left_with(merged))
        made = open_cases(
            registrations=list(Registration.objects.filter(pk__in=_left_with(merged)).order_by("pk")),
            kind=CaseKind.ALREADY_PAID, detail={"merged": merged, "living": living},
        )  # fmt: skip
        pair.moved = {
            **pair.moved, "charges": stopped, "cases": [case.pk for case in made],
            "last_line": PaymentLine.objects.order_by("-pk").values_list("pk", flat=True).first() or 0,
        }  # fmt: skip
        pair.save(update_fields=["moved"])
        renew(by, [living])
    return pair


def _left_with(resident: int) -> list[int]:
    return list(Registration.objects.filter(resident=resident).values_list("pk", flat=True))


def _give(registrations: Sequence[int], resident: int) -> None:
    Charge.objects.filter(registration__in=registrations).update(resident=resident)
    PaidDifference.objects.filter(registration__in=registrations).update(resident=resident)


def _end_differences(registrations: Sequence[int]) -> None:
    """What was paid on a registration that is not kept is asked about once: as money paid twice."""
    standing = PaidDifference.objects.filter(registration__in=registrations, standing=True)
    cases = [case for case in standing.values_list("case", flat=True) if case is not None]
    PaymentCase.objects.filter(pk__in=cases, state="open").update(
        state="closed", outcome=_("已并档，按重复缴费处理"), closed_at=timezone.now()
    )
    standing.update(standing=False, ended="gone")


def _paid_where_the_other_is_not(living: int, merged: int) -> set[int]:
    """Registrations of the merged record that hold money where the living one's own of the same year holds none."""
    own = {
        (g.insurance, g.coverage_year): g.pk
        for g in Registration.objects.filter(resident=living).order_by("pk")
    }
    theirs = {
        (g.insurance, g.coverage_year): g.pk
        for g in Registration.objects.filter(resident=merged).order_by("pk")
    }
    both = own.keys() & theirs.keys()
    paid = paid_by_registration([own[k] for k in both] + [theirs[k] for k in both])
    return {theirs[k] for k in both if paid.get(theirs[k], ZERO) > 0 and paid.get(own[k], ZERO) <= 0}


@transaction.atomic
def unmerge(*, by: User, pair: int, reason: str) -> tuple[Resident, Resident]:
    """Take a merge back as long as nothing depends on it.

    Raises ValidationError saying what does: money taken since on what was merged, a case that was settled, a later merge.
    """
    row: ResidentPair | None = (
        ResidentPair.objects.held_by(by)
        .filter(pk=pair, verdict=PairVerdict.SAME)
        .select_for_update(of=("self",))
        .first()
    )
    if row is None:
        raise ResidentPair.DoesNotExist
    living, merged = int(row.moved["living"]), int(row.moved["merged"])
    people = list(Resident.objects.filter(pk__in=[living, merged]))
    with with_units(units_of(people)):
        if blocked := _depends(row, living, merged):
            raise ValidationError(_("不能撤销并档：%(why)s。") % {"why": "；".join(blocked)})
        stays, goes = doubles.unmerge_records(by=by, pair=row, reason=reason)
        taken = row.moved["registrations"]
        _give([*taken["moved"], *taken["swapped"][::2]], merged)
        _give(taken["swapped"][1::2], living)
        # What the merge had stopped is owed again; a charge made since for the same registration gives way.
        stopped = row.moved["charges"]
        again = list(Charge.objects.filter(pk__in=stopped).values_list("registration_id", flat=True))
        Charge.objects.filter(registration__in=again, current=True).update(current=False)
        Charge.objects.filter(pk__in=stopped).update(current=True)
        close_cases(
            registrations=list(
                PaymentCase.objects.filter(pk__in=row.moved["cases"]).values_list("registration_id", flat=True)
            ),
            kind=CaseKind.ALREADY_PAID, outcome=_("并档已撤销"),
        )  # fmt: skip
        renew(by, [stays.pk, goes.pk])
    return stays, goes


def _depends(row: ResidentPair, living: int, merged: int) -> list[str]:
    reasons = []
    if Resident.objects.filter(pk=living).exclude(merged_into=None).exists():
        reasons.append(_("保留的档案后来又并入了别的档案"))
    of_either = Q(first__in=[living, merged]) | Q(second__in=[living, merged])
    later = ResidentPair.objects.filter(of_either, verdict=PairVerdict.SAME, decided_at__gt=row.decided_at)
    if any(other.moved.get("living") in (living, merged) for other in later):
        reasons.append(_("后来又并入了另一份档案，请先撤销那一次"))
    taken = row.moved["registrations"]
    touched = [*taken["moved"], *taken["swapped"], *taken["closed"]]
    since = PaymentLine.objects.filter(registration__in=touched, pk__gt=row.moved["last_line"]).count()
    if since:
        reasons.append(_("并过来的参保登记后来又有 %(n)s 笔缴费") % {"n": since})
    if PaymentCase.objects.filter(pk__in=row.moved["cases"]).exclude(state="open").exists():
        reasons.append(_("重复缴的钱已经处理"))
    return reasons
