"""One row of the tax bureau's results to a staged row, and what the channels mean."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext as _

from contributions.models import Means, Route
from enrollment.services.imports.common import PersonReader, ReadPerson, plan_of, read_day
from foundation.imports.engine.context import Context
from foundation.imports.kinds import Identify, Refused, RowReader, StagedRow, by_number, together
from foundation.money import MoneyError, yuan
from foundation.pinyin import initials

COLUMNS: Final = (
    "number_index", "number_encrypted", "name", "initials", "insurance", "amount", "invoiced_on", "settled_on",
    "channel", "voucher", "client_uuid", "route", "means",
)  # fmt: skip

# Agents collect by 裕农通 and the bank's code (000 L162-166); the rest people do themselves (000 L176-178).
CHANNELS: Final = {
    "裕农通": (Route.VILLAGE, Means.POS), "银联二维码": (Route.VILLAGE, Means.QR),
    "微信": (Route.ONLINE, Means.QR), "支付宝": (Route.ONLINE, Means.QR), "爱山东App": (Route.ONLINE, Means.QR),
    "电子税务局": (Route.ONLINE, Means.TRANSFER), "银行柜台": (Route.ONLINE, Means.TRANSFER),
    "政府代缴": (Route.GOVERNMENT, Means.TRANSFER), "部门集中缴费": (Route.GOVERNMENT, Means.TRANSFER),
    "特殊缴费": (Route.GOVERNMENT, Means.TRANSFER), "财政拨付": (Route.GOVERNMENT, Means.TRANSFER),
}  # fmt: skip
_ELSEWHERE: Final = (Route.ONLINE, Means.TRANSFER)
_NAMESPACE: Final = uuid.UUID("6f1f6f0e-9f0b-5c55-8f7e-2f6a6b1d6d0a")


def payment_uuid(plan_code: str, voucher: str) -> uuid.UUID:
    """The UUID of the payment a voucher stands for: the same voucher is the same payment for ever."""
    return uuid.uuid5(_NAMESPACE, f"{plan_code}|{voucher}")


def identify(ctx: Context) -> Identify:
    """Whom a row is about, and by which voucher."""
    return by_number(ctx, part=lambda cells: cells.get("voucher", "")[:40])


def reader(ctx: Context) -> RowReader:
    """The row function of the tax results for one batch."""
    plan = plan_of(ctx)
    read_person = PersonReader(ctx)
    year, offered, code = str(plan.coverage_year), frozenset(plan.insurances), plan.code

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        person = read_person(cells)
        insurance = _insurance(cells["insurance"], offered)
        other_year: Refused | None = None
        if get("year", "")[:4] not in {year, ""}:
            other_year = Refused(
                "other_year",
                _("所属年度是%(raw)s，方案是%(year)s年度") % {"raw": get("year", "")[:10], "year": year},
            )
        amount = _amount(cells["paid"])
        invoiced, settled = _days(cells)
        voucher: str | Refused = cells["voucher"][:40] or Refused("no_voucher", _("没有填电子税票号码"))
        wrong = together(person, insurance, other_year, amount, invoiced, settled, voucher)
        if wrong is not None:
            return wrong
        assert isinstance(person, ReadPerson)
        assert isinstance(insurance, str)
        assert isinstance(voucher, str)
        channel = get("channel", "")[:20]
        route, means = CHANNELS.get(channel, _ELSEWHERE)
        return (
            person.number_index, person.number_encrypted, person.name, initials(person.name)[:20], insurance,
            str(amount), str(invoiced), str(settled or ""), channel, voucher, str(payment_uuid(code, voucher)),
            route.value, means.value,
        )  # fmt: skip

    return read


def _insurance(raw: str, offered: frozenset[str]) -> str | Refused:
    found = "medical" if "医" in raw else "pension" if "养老" in raw else ""
    if found in offered:
        return found
    return Refused("unknown_insurance", _("征收品目“%(raw)s”不在方案内") % {"raw": raw[:20]})


def _amount(raw: str) -> Decimal | Refused:
    try:
        amount = yuan(raw)
    except MoneyError:
        return Refused("bad_amount", _("实缴金额“%(raw)s”不是金额") % {"raw": raw[:20]})
    return amount if amount > 0 else Refused("bad_amount", _("实缴金额应大于零，退费请走退费流程"))


def _days(cells: dict[str, str]) -> tuple[date | Refused, date | Refused | None]:
    """The day of the invoice and, where the file says it, of the arrival in the treasury."""
    invoiced = read_day(cells["paid_at"], _("开票日期"), "paid_at")
    settled = read_day(cells.get("settled_at", ""), _("入库日期"), "settled_at")
    if invoiced is None:
        invoiced = Refused("no_invoice_date", _("没有填开票日期"))
    if isinstance(invoiced, date) and isinstance(settled, date) and settled < invoiced:
        settled = Refused("bad_date", _("入库日期早于开票日期"), "settled_at")
    return invoiced, settled
