"""Sponsors (000 L135-139): a pledge takes over a resident's own part, wholly or in part, and is paid by the sponsor.

What is promised is not asked of the resident from then on; it becomes money only when the sponsor pays. A sponsor is a
payer, never a category: who is sponsored stays in the group he is in.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from decimal import Decimal

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from contributions.models import (
    Charge,
    Decision,
    FigureDelta,
    LinePart,
    Means,
    Payment,
    PaymentLine,
    Pledge,
    Route,
    Sponsor,
    SponsorKind,
)
from contributions.queries import NOT_SPONSORED, paid_by_registration, sponsored_by_registration
from contributions.services.allocation import figure_delta
from enrollment.models import CollectionPlan, Registration
from foundation.audit.services import record
from foundation.clock.services import offset
from foundation.http import Problem
from subsidies.queries import rule_book
from townships.models import CollectingUnit, Device, DeviceKind, User
from townships.rules import may

ZERO = Decimal("0.00")


def _check_post(by: User) -> None:
    if not may(by.role, "sponsor"):
        raise PermissionDenied


def _check_plan(plan: CollectionPlan) -> None:
    if not rule_book(plan).settings.flag("sponsor.enabled"):
        raise Problem(409, "no_sponsors", _("这个方案没有写资助人，不能登记资助。"))


@transaction.atomic
def add_sponsor(*, by: User, unit: CollectingUnit, name: str, kind: str) -> Sponsor:
    """Enter a sponsor at a unit. Raises PermissionDenied, Problem 400 for a missing name, 409 for one known there."""
    _check_post(by)
    places = by.scope_places()
    if unit.township_id not in places.townships and unit.pk not in places.units:
        raise PermissionDenied
    if len(name.strip()) < 2 or kind not in SponsorKind.values:
        raise Problem(400, "no_name", _("请写明资助人的名称和类型。"))
    try:
        with transaction.atomic():
            made: Sponsor = Sponsor.objects.create(
                township_id=unit.township_id, unit=unit, name=name.strip()[:60], kind=kind
            )
    except IntegrityError:
        raise Problem(409, "known", _("这个村已经有同名的资助人。")) from None
    record(
        by=by, action="sponsor.add", target_kind="sponsor", target=made.pk, county_code=by.county_code,
        township_code=unit.township.code, detail={"kind": kind},
    )  # fmt: skip
    return made


def _lock(by: User, ids: Sequence[int]) -> dict[int, Registration]:
    found = {
        r.pk: r
        for r in Registration.objects.visible_to(by)
        .filter(pk__in=sorted(set(ids)))
        .select_related("plan__county", "resident")
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    }
    if len(found) != len(set(ids)):
        raise Problem(404, "not_found", _("没有找到这笔参保登记，或者不在您的管辖范围内。"))
    return found


def _charges(ids: Sequence[int]) -> dict[int, Charge]:
    rows = Charge.objects.filter(registration_id__in=ids, current=True, kind="ordinary").select_related(
        "plan"
    )
    return {charge.registration_id: charge for charge in rows}


@transaction.atomic
def pledge(*, by: User, sponsor: int, wanted: Sequence[tuple[int, Decimal | None]]) -> list[Pledge]:
    """Promise to pay for these registrations: (registration, yuan), None for all that is open.

    All or nothing. Raises PermissionDenied, Problem 404 for somebody out of scope, 409 where the plan knows no sponsors
    or somebody owes nothing any more, 400 for more than is open.
    """
    _check_post(by)
    row = Sponsor.objects.visible_to(by).select_related("township").filter(pk=sponsor).first()
    if row is None:
        raise Problem(404, "not_found", _("没有找到这个资助人，或者不在您的管辖范围内。"))
    if not wanted:
        raise Problem(400, "nobody", _("请选择资助哪些人。"))
    registrations = _lock(by, [registration for registration, _amount in wanted])
    for plan in {registration.plan for registration in registrations.values()}:
        _check_plan(plan)
    charges, paid = _charges(list(registrations)), paid_by_registration(list(registrations))
    promised = sponsored_by_registration(registration_id__in=list(registrations))
    if Pledge.objects.filter(sponsor=row, registration__in=registrations, withdrawn_at=None).exists():
        raise Problem(409, "pledged", _("选中的人里有这个资助人已经资助的，请先撤回再改。"))
    made = []
    for registration, amount in wanted:
        person, charge = registrations[registration], charges.get(registration)
        owed = charge.personal_amount if charge is not None and charge.decision == Decision.ACCEPT else ZERO
        before = promised.get(registration, NOT_SPONSORED).outstanding
        left = owed - paid.get(registration, ZERO) - before
        if left <= 0:
            raise Problem(
                409,
                "nothing_open",
                _("%(name)s没有要本人缴的钱了，不用资助。") % {"name": person.resident.name},
            )
        taken = left if amount is None else amount
        if not 0 < taken <= left:
            raise Problem(
                400, "too_much",
                _("%(name)s本人还要缴 %(left)s 元，资助不能超过这个数。") % {"name": person.resident.name, "left": left},
            )  # fmt: skip
        made.append(
            Pledge(
                township_id=person.township_id, unit_id=person.unit_id, sponsor=row, registration=person,
                amount=taken,
            )
        )  # fmt: skip
    pledges: list[Pledge] = Pledge.objects.bulk_create(made)
    record(
        by=by, action="sponsor.pledge", target_kind="sponsor", target=row.pk, county_code=by.county_code,
        township_code=row.township.code,
        detail={"people": len(pledges), "amount": sum((each.amount for each in pledges), ZERO)},
    )  # fmt: skip
    return pledges


@transaction.atomic
def withdraw_pledge(*, by: User, pledge: int) -> Pledge:
    """Take a promise back: what is not paid of it is asked of the resident again. Raises Problem 404, 409."""
    _check_post(by)
    row: Pledge | None = (
        Pledge.objects.visible_to(by)
        .select_related("township")
        .select_for_update(of=("self",))
        .filter(pk=pledge)
        .first()
    )
    if row is None:
        raise Problem(404, "not_found", _("没有找到这笔资助，或者不在您的管辖范围内。"))
    if row.withdrawn_at is not None:
        raise Problem(409, "withdrawn", _("这笔资助已经撤回了。"))
    row.withdrawn_at = timezone.now()
    row.save(update_fields=["withdrawn_at"])
    record(
        by=by, action="sponsor.withdraw", target_kind="pledge", target=row.pk, county_code=by.county_code,
        township_code=row.township.code,
    )  # fmt: skip
    return row


@transaction.atomic
def pay_pledges(
    *, by: User, sponsor: int, client_uuid: uuid.UUID, means: str = Means.TRANSFER
) -> list[Payment]:
    """Record that a sponsor has paid what is outstanding of his pledges, a payment for each plan and unit.

    The same ``client_uuid`` again gives the first payments. Somebody who has paid himself meanwhile is paid for only as
    far as something is open. Raises PermissionDenied, Problem 404, 409 where nothing is outstanding, 400.
    """
    _check_post(by)
    if means not in Means.values:
        raise Problem(400, "invalid", _("缴费渠道或方式不认识，请更新后再试。"))
    row = Sponsor.objects.visible_to(by).select_related("township__county").filter(pk=sponsor).first()
    if row is None:
        raise Problem(404, "not_found", _("没有找到这个资助人，或者不在您的管辖范围内。"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(client_uuid)])
    first = list(
        Payment.objects.visible_to(by).filter(body_digest=_digest(client_uuid), recorded_by=by, reverses=None)
    )
    if first:
        return first
    pledges = list(
        Pledge.objects.visible_to(by).filter(sponsor=row, withdrawn_at=None).order_by("registration_id")
    )
    registrations = _lock(by, [each.registration_id for each in pledges]) if pledges else {}
    charges, paid = _charges(list(registrations)), paid_by_registration(list(registrations))
    given = dict(
        PaymentLine.objects.filter(pledge__in=pledges)
        .values("pledge")
        .annotate(n=Sum("amount"))
        .values_list("pledge", "n")
    )
    groups: dict[tuple[int, int], list[tuple[Pledge, Charge, Decimal]]] = {}
    for each in pledges:
        charge = charges.get(each.registration_id)
        if charge is None or charge.decision != Decision.ACCEPT:
            continue
        open_amount = max(charge.personal_amount - paid.get(each.registration_id, ZERO), ZERO)
        amount = min(each.amount - given.get(each.pk, ZERO), open_amount)
        if amount > 0:
            groups.setdefault((charge.plan_id, charge.unit_id), []).append((each, charge, amount))
    if not groups:
        raise Problem(409, "nothing_open", _("这个资助人没有要付的资助。"))
    return [
        _pay(by, row, uuid.uuid5(client_uuid, f"{plan}/{unit}"), _digest(client_uuid), parts, means, paid)
        for (plan, unit), parts in sorted(groups.items())
    ]


def _digest(client_uuid: uuid.UUID) -> str:
    return hashlib.sha256(f"sponsor {client_uuid}".encode()).hexdigest()


def _pay(
    by: User,
    sponsor: Sponsor,
    key: uuid.UUID,
    digest: str,
    parts: Sequence[tuple[Pledge, Charge, Decimal]],
    means: str,
    paid: dict[int, Decimal],
) -> Payment:
    county, charge = sponsor.township.county, parts[0][1]
    now = timezone.now()
    paid_on = timezone.localtime(now + offset(county.code)).date()
    device, _made = Device.objects.get_or_create(
        county=county, kind=DeviceKind.COUNTER, user=by, defaults={"name": f"{by} {DeviceKind.COUNTER.label}"}
    )
    total = sum((amount for _pledge, _charge, amount in parts), ZERO)
    payment: Payment = Payment.objects.create(
        township_id=charge.township_id, unit_id=charge.unit_id, client_uuid=key, body_digest=digest,
        plan_id=charge.plan_id, payer_name=sponsor.name, paid_for_others=True, route=Route.TOWNSHIP_OFFICE,
        means=means, device=device, recorded_by=by, handed_over_at=now, paid_on=paid_on, received=total,
        allocated=total, excess=ZERO,
    )  # fmt: skip
    PaymentLine.objects.bulk_create(
        PaymentLine(
            township_id=each.township_id, unit_id=each.unit_id, payment=payment,
            registration_id=each.registration_id, charge=each, charge_version=each.version,
            insurance=each.insurance, tier=each.tier, amount=amount, part=LinePart.SPONSOR, pledge=promise,
        )
        for promise, each, amount in parts
    )  # fmt: skip
    deltas = []
    for _promise, each, amount in parts:
        before = paid.get(each.registration_id, ZERO)
        paid[each.registration_id] = before + amount
        settled = before < each.personal_amount <= before + amount
        deltas.append(figure_delta(each.plan, each, paid_on, int(settled), amount))
    FigureDelta.objects.bulk_create(deltas)
    record(
        by=by, action="sponsor.pay", target_kind="payment", target=payment.pk, county_code=county.code,
        township_code=sponsor.township.code, detail={"sponsor": sponsor.pk, "received": total, "lines": len(parts)},
    )  # fmt: skip
    return payment
