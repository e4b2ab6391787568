"""The year's end: each request against who actually was covered (按实际人数结算), the difference to return or to claim.

A line stands as paid unless, in this order: the person's record was another's twice; he died before cover began; his
registration was closed; the plan refuses him by now (a job with employee insurance, paid elsewhere); he never paid his
own part; or the share is another amount by now. Who died after cover had begun was covered.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from django.db import connection, models, transaction
from django.utils.translation import gettext_lazy as _

from contributions.models import FundingRequest
from contributions.services.funding import check_step, finish_step, locked_request
from foundation.clock.services import business_date
from townships.models import User


class Cause(models.TextChoices):
    """Why a line is otherwise than paid."""

    MERGED = "merged", _("重复的人")
    DIED = "died_before_cover", _("待遇开始前死亡")
    CLOSED = "closed", _("参保登记已销号")
    REFUSED = "refused", _("已不应参保")
    UNPAID = "own_part_unpaid", _("本人没有缴自己的部分")
    CHANGED = "amount_changed", _("代缴金额变了")


_FOUND: Final = f"""
    SELECT f.id, f.township_id, f.unit_id, f.amount,
        CASE WHEN r.merged_into_id IS NOT NULL THEN '{Cause.MERGED}'
             WHEN r.death_date < coalesce(c.benefit_start, make_date(q.coverage_year, 1, 1)) THEN '{Cause.DIED}'
             WHEN g.closing_reason <> '' AND r.death_date IS NULL THEN '{Cause.CLOSED}'
             WHEN a.decision = 'refuse' AND a.reason <> 'deceased' THEN '{Cause.REFUSED}'
             WHEN o.due > 0 AND coalesce(p.paid, 0) < o.due THEN '{Cause.UNPAID}'
             WHEN r.death_date IS NULL AND s.amount IS DISTINCT FROM f.amount THEN '{Cause.CHANGED}'
        END AS cause,
        coalesce(s.amount, 0) AS share
    FROM contributions_fundingline f
    JOIN contributions_fundingrequest n ON n.id = f.request_id
    JOIN enrollment_collectionplan q ON q.id = n.plan_id
    JOIN enrollment_registration g ON g.id = f.registration_id
    JOIN enrollment_resident r ON r.id = g.resident_id
    JOIN contributions_charge c ON c.id = f.charge_id
    LEFT JOIN contributions_assessment a ON a.resident_id = g.resident_id AND a.insurance = g.insurance
        AND a.coverage_year = g.coverage_year
    LEFT JOIN LATERAL (
        SELECT sum(x.amount) AS amount FROM contributions_chargeshare x
        JOIN contributions_charge k ON k.id = x.charge_id AND k.current
        WHERE k.registration_id = f.registration_id AND x.payer = f.payer AND k.kind = f.charge_kind
          AND k.for_year = f.for_year
    ) s ON true
    LEFT JOIN LATERAL (
        SELECT sum(k.personal_amount) AS due FROM contributions_charge k
        WHERE k.registration_id = f.registration_id AND k.current AND k.for_year = f.for_year
    ) o ON true
    LEFT JOIN LATERAL (
        SELECT sum(l.amount) AS paid FROM contributions_paymentline l
        WHERE l.registration_id = f.registration_id AND l.part <> 'government'
    ) p ON true
    WHERE f.request_id = %(request)s AND f.live
"""
_WRITE: Final = f"""
    INSERT INTO contributions_fundingdifference (line_id, township_id, unit_id, cause, actual, difference)
    SELECT id, township_id, unit_id, cause, actual, actual - amount
    FROM (
        SELECT x.*, CASE WHEN cause = '{Cause.CHANGED}' THEN share ELSE 0 END AS actual FROM ({_FOUND}) x
        WHERE cause IS NOT NULL
    ) y
    WHERE actual <> amount
"""


def preview_settlement(request: FundingRequest) -> list[tuple[str, int, Decimal]]:
    """What settling now would find: (cause, people, difference in yuan). Writes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT cause, count(*), sum(CASE WHEN cause = '{Cause.CHANGED}' THEN share ELSE 0 END - amount)"
            f" FROM ({_FOUND}) x WHERE cause IS NOT NULL"
            f" AND (CASE WHEN cause = '{Cause.CHANGED}' THEN share ELSE 0 END) <> amount GROUP BY cause ORDER BY cause",
            {"request": request.pk},
        )
        return list(cursor.fetchall())


@transaction.atomic
def settle_request(*, by: User, request: int) -> FundingRequest:
    """Close a request: write down where the year's end differs from what was paid, line by line.

    Raises PermissionDenied for another post, Problem 404, 409 before the money was paid out.
    """
    row = locked_request(by, request)
    check_step(by, row, "settle")
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {"request": row.pk})
        differing = cursor.rowcount
    finish_step(by=by, request=row, act="settle", on=business_date(row.plan.county.code), note=str(differing))
    return row
