"""Registration data taken back: what money makes of it, and what the machine wrote that goes with it.

Assessments and charges are computed: they go with the registrations they were computed for, and whoever stays is assessed
again (the queue hears of it). What people did stays, and so does the batch: money handed over, what the tax side said,
cases, requests for funds.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from contributions.models import (
    FundingLine,
    PaidDifference,
    PaymentCase,
    PaymentLine,
    Pledge,
    TaxEntry,
)
from foundation.imports.engine.changes import made_by
from foundation.imports.engine.context import Context


def money_stands(ctx: Context) -> list[str]:
    """Why a registration batch stays: what was done about the registrations it made."""
    made = made_by(ctx, "enrollment_registration", "registration_id")
    stands = (
        (PaymentLine, _("已缴 %(n)s 笔")),
        (TaxEntry, _("税务已回传 %(n)s 条")),
        (PaymentCase, _("有 %(n)s 件待处理事项")),
        (PaidDifference, _("有 %(n)s 条补差")),
        (FundingLine, _("已列入请款 %(n)s 条")),
        (Pledge, _("有 %(n)s 条资助承诺")),
    )
    counted = [(model._default_manager.filter(made).count(), text) for model, text in stands]
    return [_("本批登记的人%(what)s") % {"what": text % {"n": n}} for n, text in counted if n]


def drop_assessments(ctx: Context, *, undoing: bool) -> dict[str, Any]:
    """Before registrations are taken back their charges go, before residents their assessments: they were computed."""
    if undoing:
        made = ctx.batch.summary.get("inserted", {})
        for first, last in made.get("enrollment_registration", []):
            charges = (
                "SELECT id FROM contributions_charge WHERE registration_id BETWEEN %(first)s AND %(last)s"
            )
            ctx.execute(
                f"DELETE FROM contributions_chargeshare WHERE charge_id IN ({charges})",
                first=first,
                last=last,
            )
            ctx.execute(
                "DELETE FROM contributions_charge WHERE registration_id BETWEEN %(first)s AND %(last)s",
                first=first,
                last=last,
            )
        for first, last in made.get("enrollment_resident", []):
            ctx.execute(
                "DELETE FROM contributions_assessment WHERE resident_id BETWEEN %(first)s AND %(last)s",
                first=first,
                last=last,
            )
    return {}
