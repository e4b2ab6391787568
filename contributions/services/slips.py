"""The registration slip of a payment whose money went straight to the tax side (缴费登记回执，不作缴费凭证)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from contributions.models import PaymentLine
from contributions.queries import StoredPayment, stored_payment
from enrollment.models import Household
from foundation.audit.services import record
from foundation.clock.services import offset
from foundation.documents import SlipData, SlipLine, registration_slip
from foundation.http import Problem
from townships.models import User


@dataclass(frozen=True)
class Slip:
    """A printed slip."""

    pdf: bytes
    file_name: str


def print_slip(*, by: User, payment: int) -> Slip:
    """Print the slip of a payment of the caller's places, with a trail of who printed it.

    What it shows is what is stored: the lines, what was too much, who paid by what route and means, and whether the
    tax side has confirmed it. A reversal has no slip of its own: the payment's says that it was taken back.
    Raises Problem 404 for a payment that is not the caller's.
    """
    stored = stored_payment(by, payment)
    if stored is None or stored.payment.reverses_id is not None:
        raise Problem(404, "not_found", _("没有找到这笔缴费，或者不在您的管辖范围内。"))
    # An official paper is Chinese, whatever language the screen speaks.
    with translation.override(settings.LANGUAGE_CODE):
        pdf = registration_slip(slip_data(stored))
    county_code = stored.payment.township.county.code
    record(
        by=by, action="payment.print", target_kind="payment", target=stored.payment.pk, county_code=county_code,
        township_code=stored.payment.township.code, detail={"state": stored.state},
    )  # fmt: skip
    return Slip(pdf, f"slip-{stored.payment.slip_number}.pdf")


def slip_data(stored: StoredPayment) -> SlipData:
    """A payment in the words of its slip."""
    payment = stored.payment
    household = _household(stored)
    head = household.head_name if household is not None else ""
    lines = [
        SlipLine(line.registration.resident.name, line.get_insurance_display(), line.amount)
        for line in stored.lines
        if line.amount
    ]
    if payment.excess:
        lines.append(SlipLine(_("多收，等待退还"), "", payment.excess))
    handled_by = payment.recorded_by
    return SlipData(
        slip_number=payment.slip_number,
        made_at=timezone.localtime(payment.handed_over_at + offset(payment.township.county.code)),
        place=_place(stored, household),
        head=head or payment.payer_name,
        lines=lines,
        coverage=_coverage(stored),
        payment=_("%(payer)s付，%(route)s，%(means)s，%(others)s")
        % {
            "payer": payment.payer_name or head,
            "route": payment.get_route_display(),
            "means": payment.get_means_display(),
            "others": _("代扫") if payment.paid_for_others else _("没有代扫"),
        },
        state=_state(stored),
        voucher_hint=_("正式凭证是税务的电子缴费凭证，可在电子税务局或政务服务平台查询、打印。"),
        handled_by=str(handled_by) if handled_by is not None else _("税务回传"),
        reversed=stored.state == "reversed",
    )


def _household(stored: StoredPayment) -> Household | None:
    """The household that paid: the one named on the payment, else the first person's."""
    people = [line.registration.resident for line in stored.lines]
    households = [person.household for person in people if person.household is not None]
    named = [household for household in households if household.pk == stored.payment.household_id]
    return next(iter(named or households), None)


def _place(stored: StoredPayment, household: Household | None) -> str:
    parts = [stored.payment.township.name, stored.payment.unit.name]
    if household is not None:
        parts.append(household.group_name)
        if household.house_number:
            parts.append(_("%(number)s号") % {"number": household.house_number.removesuffix("号")})
    return " ".join(part for part in parts if part)


def _coverage(stored: StoredPayment) -> str:
    year = _("%(year)s 年度。") % {"year": stored.payment.plan.coverage_year}
    starts = _starts(stored.lines)
    if not starts:
        return year
    if len(starts) == 1:
        return year + _("医疗待遇从%(day)s起。") % {"day": _day(starts[0][1])}
    return year + _("医疗待遇：%(each)s。") % {
        "each": "、".join(_("%(name)s从%(day)s起") % {"name": name, "day": _day(day)} for name, day in starts)
    }


def _starts(lines: list[PaymentLine]) -> list[tuple[str, date]]:
    """First day of medical cover, once where it is the same for everybody, else by person."""
    starts = [
        (line.registration.resident.name, line.charge.benefit_start)
        for line in lines
        if line.insurance == "medical" and line.amount and line.charge.benefit_start is not None
    ]
    return starts[:1] if len({day for _name, day in starts}) == 1 else starts


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _state(stored: StoredPayment) -> str:
    return {
        "recorded": _("待税务回传"),
        "confirmed": _("税务已确认"),
        "contradicted": _("与税务回传不符，正在核对"),
        "reversed": _("已撤销"),
    }[stored.state]
