"""Record money handed over, once, and take it back by a row of its own.

Rules (DESIGN.md decisions 3 and 6):
1. One ``client_uuid`` is one payment for ever: the same body again gets the first answer, another body under a used
   UUID is a case, since money may have changed hands twice.
2. The price may be refused before money is taken; money taken is always stored: received = lines + excess.
3. Amounts come from the charge; an amount that differs is a case on the stored payment.
4. Registrations are locked in key order, so that two devices paying one resident wait for one another.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contributions.models import (
    CaseKind,
    Charge,
    FigureDelta,
    LinePart,
    Means,
    Payment,
    PaymentCase,
    PaymentLine,
    Route,
)
from contributions.queries import paid_by_registration
from contributions.services.allocation import LineOrder, PaymentOrder, allocate, figure_delta
from enrollment.models import Household, Registration
from foundation.audit.services import record
from foundation.clock.services import offset, real_moment
from foundation.http import Problem
from townships.models import Device, DeviceKind, User

# What of a registration, its resident, place and plan a payment rests on: half the time of a payment is reading.
_READ: Final = (
    "township_id", "unit_id", "resident_id", "plan_id", "insurance", "coverage_year", "tier",
    "resident__death_date", "resident__household_id", "township__county__code",
    "plan__county_id", "plan__coverage_year", "plan__collection_mode", "plan__source_sha256", "plan__status",
)  # fmt: skip

__all__ = ["LineOrder", "PaymentAnswer", "PaymentOrder", "record_payment", "reverse_payment"]


@dataclass(frozen=True)
class PaymentAnswer:
    """What the caller is told; ``first`` is False when this is a replay."""

    payment: Payment
    lines: list[PaymentLine]
    cases: list[PaymentCase]
    first: bool

    def as_json(self) -> dict[str, Any]:
        """The body of the API's answer: the same for the first call and every replay."""
        return {
            "payment": self.payment.pk,
            "state": "recorded",
            "slip_number": self.payment.slip_number,
            "received": f"{self.payment.received:.2f}",
            "excess": f"{self.payment.excess:.2f}",
            "lines": [
                {
                    "registration": line.registration_id, "charge": line.charge_id, "version": line.charge_version,
                    "insurance": line.insurance, "amount": f"{line.amount:.2f}",
                }
                for line in self.lines
            ],
            "cases": [
                {"case": case.pk, "kind": case.kind, "amount": f"{case.amount:.2f}", "message": case.get_kind_display()}
                for case in self.cases
            ],
        }  # fmt: skip


def record_payment(*, by: User, order: PaymentOrder) -> PaymentAnswer:
    """Store a payment once. Raises Problem: 400 unreadable, 404 not in the caller's scope, 409 UUID reused."""
    _check(order)
    if Payment.objects.filter(client_uuid=order.client_uuid).exists():
        answer = _replay(by, order)
        if answer is not None:
            return answer
    try:
        with transaction.atomic():
            return _store(by, order)
    except IntegrityError as error:
        if "client_uuid" not in str(error):
            raise
    except Problem:
        # Somebody may have stored it while this one waited for the lock; then it finds things otherwise.
        answer = _replay(by, order)
        if answer is not None:
            return answer
        raise
    answer = _replay(by, order)
    if answer is None:
        raise _reused_elsewhere(by, order)
    return answer


def _check(order: PaymentOrder) -> None:
    if not order.lines:
        raise Problem(400, "no_lines", _("没有选择要缴费的人。"))
    if order.route not in Route.values or order.means not in Means.values:
        raise Problem(400, "invalid", _("缴费渠道或方式不认识，请更新后再试。"))
    if order.received < 0 or any(line.amount < 0 for line in order.lines):
        raise Problem(400, "invalid", _("金额不能是负数。"))
    if len({line.registration for line in order.lines}) != len(order.lines):
        raise Problem(400, "repeated_registration", _("同一个人的同一险种选了两次，请去掉一次。"))


def _replay(by: User, order: PaymentOrder) -> PaymentAnswer | None:
    first = Payment.objects.filter(client_uuid=order.client_uuid).first()
    if first is None:
        return None
    if first.body_digest == order.digest:
        lines = list(first.lines.order_by("pk"))
        cases = list(first.cases.filter(detail__at_recording=True).order_by("pk"))
        return PaymentAnswer(first, lines, cases, first=False)
    case = _reused(by, first, order)
    raise Problem(
        409,
        "uuid_reused",
        _("这个编号已经用于另一笔缴费。两笔都已留存，请联系镇街核对是否收了两次钱。"),
        first=PaymentAnswer(first, list(first.lines.order_by("pk")), [], first=False).as_json(),
        case=case.pk,
    )


def _reused(by: User, first: Payment, order: PaymentOrder) -> PaymentCase:
    existing: PaymentCase | None = first.cases.filter(
        kind=CaseKind.UUID_REUSED, detail__digest=order.digest
    ).first()
    if existing is not None:
        return existing
    case: PaymentCase = PaymentCase.objects.create(
        township_id=first.township_id, unit_id=first.unit_id, kind=CaseKind.UUID_REUSED, payment=first,
        amount=order.received, detail={"digest": order.digest, "registrations": [ln.registration for ln in order.lines]},
    )  # fmt: skip
    record(
        by=by, action="payment.uuid_reused", target_kind="payment", target=first.pk,
        county_code=first.township.county.code,
    )  # fmt: skip
    return case


def _reused_elsewhere(by: User, order: PaymentOrder) -> Problem:
    """The UUID belongs to a payment the caller does not see: nothing is told of it, his own money is kept as a case."""
    registration = _lock(by, order)[order.lines[0].registration]
    known = PaymentCase.objects.filter(
        kind=CaseKind.UUID_REUSED, registration=registration, detail__digest=order.digest
    )
    case = known.first()
    if case is None:
        case = PaymentCase.objects.create(
            township_id=registration.township_id, unit_id=registration.unit_id, kind=CaseKind.UUID_REUSED,
            registration=registration, amount=order.received,
            detail={"digest": order.digest, "registrations": [line.registration for line in order.lines]},
        )  # fmt: skip
        record(
            by=by, action="payment.uuid_reused", target_kind="registration", target=registration.pk,
            county_code=registration.township.county.code,
        )  # fmt: skip
    return Problem(409, "uuid_reused", _("这个编号已经用过，请把这笔钱的情况告诉镇街。"), case=case.pk)


def _store(by: User, order: PaymentOrder) -> PaymentAnswer:
    registrations = _lock(by, order)
    first = registrations[order.lines[0].registration]
    county, plan = first.township.county, first.plan
    shift = offset(county.code)
    handed_over_at = real_moment(order.handed_over_at, shift)
    paid_on = timezone.localtime(handed_over_at + shift).date()
    device = _device(by, order, county.pk)
    allocation = allocate(by=by, plan=plan, registrations=registrations, order=order, paid_on=paid_on)
    received = order.received
    payment = Payment.objects.create(
        township_id=first.township_id, unit_id=first.unit_id, client_uuid=order.client_uuid,
        body_digest=order.digest, plan=plan, household_id=_household(by, order, first), payer_name=order.payer_name,
        paid_for_others=order.paid_for_others, route=order.route, means=order.means, device=device,
        sequence=order.sequence, recorded_by=by, handed_over_at=handed_over_at, paid_on=paid_on,
        received=received, allocated=allocation.allocated, excess=received - allocation.allocated,
    )  # fmt: skip
    lines = PaymentLine.objects.bulk_create(
        PaymentLine(
            township_id=charge.township_id, unit_id=charge.unit_id, payment=payment,
            registration_id=line.registration, charge=charge, charge_version=line.version,
            insurance=charge.insurance, tier=charge.tier if line.tier is None else line.tier, amount=amount,
        )
        for charge, line, amount in allocation.lines
    )  # fmt: skip
    if payment.excess and not any(amount for _k, _r, amount, _d in allocation.cases):
        allocation.cases.append((CaseKind.EXCESS, order.lines[0].registration, payment.excess, {}))
    cases = PaymentCase.objects.bulk_create(
        PaymentCase(
            township_id=payment.township_id, unit_id=payment.unit_id, kind=kind, payment=payment,
            registration_id=registration, amount=amount, detail={"at_recording": True, **detail},
        )
        for kind, registration, amount, detail in allocation.cases
    )  # fmt: skip
    FigureDelta.objects.bulk_create(allocation.deltas)
    record(
        by=by, action="payment.record", target_kind="payment", target=payment.pk, county_code=county.code,
        detail={"received": received, "lines": len(lines), "cases": [c.kind for c in cases]},
    )  # fmt: skip
    return PaymentAnswer(payment, lines, cases, first=True)


def _lock(by: User, order: PaymentOrder) -> dict[int, Registration]:
    ids = sorted(line.registration for line in order.lines)
    found = {
        r.pk: r
        for r in Registration.objects.visible_to(by)
        .filter(pk__in=ids)
        .select_related("township__county", "resident", "plan")
        .only(*_READ)
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    }
    if len(found) != len(ids):
        raise Problem(404, "not_found", _("没有找到这笔参保登记，或者不在您的管辖范围内。"))
    return found


def _household(by: User, order: PaymentOrder, first: Registration) -> int | None:
    """The household named, if it is one the caller sees; else the first person's. Money waits for no household."""
    named = order.household
    if named == first.resident.household_id:
        return named
    if named is not None and Household.objects.visible_to(by).filter(pk=named).exists():
        return named
    return first.resident.household_id


def _device(by: User, order: PaymentOrder, county_id: int) -> Device:
    if order.device is not None:
        device = Device.objects.filter(uuid=order.device, county_id=county_id).first()
        if device is None:
            raise Problem(400, "unknown_device", _("这台设备没有绑定，请联系镇街。"))
        return device
    device, _created = Device.objects.get_or_create(
        county_id=county_id,
        kind=DeviceKind.COUNTER,
        user=by,
        defaults={"name": f"{by} {DeviceKind.COUNTER.label}"},
    )
    return device


@transaction.atomic
def reverse_payment(*, by: User, payment: int, client_uuid: uuid.UUID, reason: str) -> PaymentAnswer:
    """Take a payment back by a row of its own, once.

    An agent may reverse what he recorded himself; an office, any payment of its places. What the tax side has
    confirmed is refunded there, not reversed here. Raises Problem 400, 404 or 409.
    """
    if not reason.strip():
        raise Problem(400, "reason_missing", _("请写明冲销原因。"))
    original = (
        Payment.objects.visible_to(by).filter(pk=payment).select_related("plan", "township__county").first()
    )
    if original is None or original.reverses_id is not None:
        raise Problem(404, "not_found", _("没有找到这笔缴费，或者不在您的管辖范围内。"))
    lines = list(original.lines.order_by("registration_id"))
    if any(line.part == LinePart.GOVERNMENT for line in lines):
        raise Problem(409, "government_money", _("财政拨付的代缴款不能冲销，多拨少拨在年终结算里办理。"))
    list(
        Registration.objects.filter(pk__in=[line.registration_id for line in lines])
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", flat=True)
    )
    done = Payment.objects.filter(reverses=original).first()
    if done is not None:
        if done.client_uuid == client_uuid:
            return PaymentAnswer(done, list(done.lines.order_by("pk")), [], first=False)
        raise Problem(409, "already_reversed", _("这笔缴费已经冲销过了。"))
    if by.role == "village_agent" and original.recorded_by_id != by.pk:
        raise Problem(403, "forbidden", _("只能撤销自己录入的缴费，别人录的请找镇街。"))
    if not original.plan.takes_charges:
        raise Problem(409, "closed", _("这个年度已经结账，不能冲销；钱要退的请走退费，或请管理员重新开启。"))
    if PaymentLine.objects.filter(payment=original, tax_entry__isnull=False).exists():
        raise Problem(409, "confirmed", _("税务已经确认这笔钱，请走退费，不能冲销。"))
    try:
        with transaction.atomic():
            return _write_reversal(by, original, lines, client_uuid, reason.strip())
    except IntegrityError as error:
        if "client_uuid" not in str(error):
            raise
    # No money changes hands by a reversal, so there is nothing to keep but the refusal.
    raise Problem(409, "uuid_reused", _("这个编号已经用于另一笔缴费，请重新提交冲销。"))


def _write_reversal(
    by: User, original: Payment, lines: list[PaymentLine], client_uuid: uuid.UUID, reason: str
) -> PaymentAnswer:
    now = timezone.now()
    county = original.township.county
    before = paid_by_registration([line.registration_id for line in lines])
    today = timezone.localtime(now + offset(county.code)).date()
    digest = hashlib.sha256(f"reversal of {original.pk}".encode()).hexdigest()
    reversal = Payment.objects.create(
        township_id=original.township_id, unit_id=original.unit_id, client_uuid=client_uuid,
        body_digest=digest, plan=original.plan, household_id=original.household_id,
        payer_name=original.payer_name, route=original.route, means=original.means, device=original.device,
        recorded_by=by, handed_over_at=now, paid_on=today, received=-original.received,
        allocated=-original.allocated, excess=-original.excess, reverses=original, reason=reason,
    )  # fmt: skip
    written = PaymentLine.objects.bulk_create(
        PaymentLine(
            township_id=line.township_id, unit_id=line.unit_id, payment=reversal,
            registration_id=line.registration_id, charge_id=line.charge_id, charge_version=line.charge_version,
            insurance=line.insurance, tier=line.tier, amount=-line.amount, part=line.part, pledge_id=line.pledge_id,
        )
        for line in lines
    )  # fmt: skip
    charges = {c.pk: c for c in Charge.objects.filter(pk__in=[line.charge_id for line in lines])}
    FigureDelta.objects.bulk_create(
        figure_delta(
            original.plan, charges[line.charge_id], today,
            -int(before[line.registration_id] >= charges[line.charge_id].personal_amount > 0), -line.amount,
        )
        for line in lines
        if line.amount
    )  # fmt: skip
    PaymentCase.objects.filter(payment=original, state="open").update(
        state="closed", outcome=_("已冲销"), closed_at=now
    )
    record(
        by=by, action="payment.reverse", target_kind="payment", target=original.pk, county_code=county.code,
        detail={"reversal": reversal.pk},  # the reason is free text: it stays with the row
    )  # fmt: skip
    return PaymentAnswer(reversal, written, [], first=True)
