"""Pay a request out: a payment of the government's for every line, exactly once, whoever retries.

1. The clerk's day and voucher are written on the request once; pressing again changes neither and joins the job.
2. The job works in steps of lines. A payment's UUID is made of its line, and a line is paid once by constraint: a killed
   step starts again, two workers at once meet at the index, and nothing is doubled.
3. Payments, lines, figures and waiting tax entries of a step are one transaction.
4. The request is disbursed when every line has its payment and the sums agree; else the job says what is missing.

Cover does not wait for it: it follows the certification (X26).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Count, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.models import PAID_OUT, CaseKind, FundingLine, FundingRequest, LinePart, PaymentLine
from contributions.rules import BAND_SQL
from contributions.services.funding import check_step, finish_step, locked_request
from foundation.audit.services import record
from foundation.clock.services import business_date, offset
from foundation.http import Problem
from foundation.jobs.kinds import Chunk, JobFailed, JobKind
from foundation.jobs.models import Job
from foundation.jobs.services import queue
from townships.models import Device, DeviceKind, User

KIND: Final = "funding_disburse"
STEP: Final = 5_000
_NAMESPACE: Final = uuid.UUID("b0c7a1c2-5a3e-5d0b-9b57-3f4c0d9e6a11")


def payment_uuid(line: int) -> uuid.UUID:
    """The UUID of the payment a line stands for: the same line is the same payment for ever."""
    return uuid.uuid5(_NAMESPACE, str(line))


@transaction.atomic
def request_disbursement(*, by: User, request: int, on: date, voucher: str) -> Job:
    """Write down day and voucher of the transfer and queue the paying out; the open job is joined.

    Raises PermissionDenied for another post, Problem 400 for a missing voucher or a day to come, 404, 409.
    """
    row = locked_request(by, request)
    check_step(by, row, "disburse")
    if not row.plan.takes_charges:
        raise Problem(409, "closed", _("这个年度已经结账，账上的数不再变；要拨付的，请管理员先重新开启。"))
    if row.disbursed_on is None:
        if not voucher.strip():
            raise Problem(400, "no_voucher", _("请填写拨款凭证号。"))
        if on > business_date(row.plan.county.code) or on < row.made_on:
            raise Problem(400, "bad_day", _("拨付日期应在申请之后，不晚于今天。"))
        row.disbursed_on, row.voucher = on, voucher.strip()[:40]
        row.save(update_fields=["disbursed_on", "voucher"])
        record(
            by=by, action="funding.pay", target_kind="funding_request", target=row.pk,
            county_code=row.plan.county.code, township_code=row.township.code, detail={"on": on},
        )  # fmt: skip
    return queue.submit(
        by=by, kind=KIND, county_code=row.plan.county.code, params={"request": row.pk}, key=str(row.pk)
    )


def _request_of(job: Job) -> FundingRequest:
    found = (
        FundingRequest.objects.select_related("plan__county", "township")
        .filter(pk=job.params["request"])
        .first()
    )
    if found is None or found.disbursed_on is None:
        raise JobFailed(_("这份申请已经不能拨付了。"))
    return found


def _plan(job: Job) -> Sequence[Chunk]:
    request = _request_of(job)
    lines = FundingLine.objects.filter(request=request, live=True).order_by("pk")
    ids = list(lines.values_list("pk", flat=True))
    return [
        Chunk({"first": part[0], "last": part[-1]}, len(part))
        for part in (ids[start : start + STEP] for start in range(0, len(ids), STEP))
    ]


def _work(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    request = _request_of(job)
    ids = list(
        FundingLine.objects.filter(request=request, live=True, pk__gte=spec["first"], pk__lte=spec["last"])
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    return {"paid": pay_lines(request=request, lines=ids, by=job.requested_by)}


# The lines of this step that are not paid yet, with the payment each will have.
_TO_PAY: Final = """
    CREATE TEMPORARY TABLE funding_paid ON COMMIT DROP AS
    SELECT f.id AS line_id, f.township_id, f.unit_id, f.registration_id, f.charge_id, f.amount, u.key,
           c.household_id, c.version, c.insurance, c.tier
    FROM unnest(%(ids)s, %(keys)s::uuid[]) u (id, key)
    JOIN contributions_fundingline f ON f.id = u.id
    JOIN contributions_charge c ON c.id = f.charge_id
    WHERE NOT EXISTS (SELECT FROM contributions_paymentline l WHERE l.funding_line_id = f.id)
"""
_PAY: Final = """
    WITH paid AS (
        INSERT INTO contributions_payment (township_id, unit_id, client_uuid, body_digest, plan_id, household_id,
            payer_name, paid_for_others, route, means, channel, device_id, recorded_by_id, handed_over_at, paid_on,
            received, allocated, excess, reason)
        SELECT township_id, unit_id, key, encode(sha256(convert_to('funding line ' || line_id, 'UTF8')), 'hex'),
            %(plan)s, household_id, %(payer)s, false, 'government', 'transfer', '', %(device)s, %(by)s,
            ((%(on)s::date + time '12:00') AT TIME ZONE 'Asia/Shanghai') - make_interval(days => %(offset)s),
            %(on)s, amount, amount, 0, ''
        FROM funding_paid ORDER BY line_id
        ON CONFLICT (client_uuid) DO NOTHING
        RETURNING id, client_uuid
    )
    INSERT INTO contributions_paymentline (township_id, unit_id, payment_id, registration_id, charge_id,
        charge_version, insurance, tier, amount, part, funding_line_id)
    SELECT f.township_id, f.unit_id, paid.id, f.registration_id, f.charge_id, f.version, f.insurance, f.tier, f.amount,
        'government', f.line_id
    FROM funding_paid f JOIN paid ON paid.client_uuid = f.key
    RETURNING funding_line_id
"""
# What these payments add to the figures: by unit and band, people whose government-paid part is now complete.
_FIGURES: Final = f"""
    INSERT INTO contributions_figuredelta (plan_id, township_id, unit_id, insurance, band, day, paid, paid_amount,
        confirmed, confirmed_amount, settled_amount, disbursed, disbursed_amount)
    SELECT %(plan)s, x.township_id, x.unit_id, x.insurance, {BAND_SQL.format(age="x.age")}, %(on)s, 0, 0, 0, 0, 0,
        count(*) FILTER (WHERE x.owed > 0 AND x.after >= x.owed AND x.after - x.now_paid < x.owed), sum(x.now_paid)
    FROM (
        SELECT o.township_id, o.unit_id, o.insurance, o.age, o.owed, n.now_paid,
            (SELECT sum(l.amount) FROM contributions_paymentline l
             WHERE l.registration_id = n.registration_id AND l.part = 'government') AS after
        FROM (
            SELECT l.registration_id, sum(l.amount) AS now_paid
            FROM funding_paid f JOIN contributions_paymentline l ON l.funding_line_id = f.line_id
            GROUP BY l.registration_id
        ) n
        JOIN (
            SELECT registration_id, township_id, unit_id, insurance, max(age) AS age,
                   sum(government_paid_amount) AS owed
            FROM contributions_charge
            WHERE plan_id = %(plan)s AND current AND for_year = %(year)s
              AND registration_id IN (SELECT registration_id FROM funding_paid)
            GROUP BY 1, 2, 3, 4
        ) o ON o.registration_id = n.registration_id
    ) x
    GROUP BY 2, 3, 4, 5
"""
# What the tax bureau had invoiced before the money came now has its line; its case is settled.
_CONFIRM: Final = f"""
    WITH waiting AS (
        SELECT t.id, t.registration_id, t.amount,
               row_number() OVER (PARTITION BY t.registration_id, t.amount ORDER BY t.id) AS nth
        FROM contributions_taxentry t
        WHERE t.of_government AND t.payment_line_id IS NULL AND t.plan_id = %(plan)s
          AND t.registration_id IN (SELECT registration_id FROM funding_paid)
    ), open_line AS (
        SELECT l.id, l.registration_id, l.amount,
               row_number() OVER (PARTITION BY l.registration_id, l.amount ORDER BY l.id) AS nth
        FROM contributions_paymentline l JOIN funding_paid f ON f.line_id = l.funding_line_id
        WHERE NOT EXISTS (SELECT FROM contributions_taxentry t WHERE t.payment_line_id = l.id)
    ), linked AS (
        UPDATE contributions_taxentry t SET payment_line_id = o.id
        FROM waiting w JOIN open_line o USING (registration_id, amount, nth) WHERE t.id = w.id
        RETURNING t.registration_id, t.voucher
    )
    UPDATE contributions_paymentcase c SET state = 'closed', closed_at = now(), outcome = %(outcome)s
    FROM linked WHERE c.registration_id = linked.registration_id AND c.state = 'open'
      AND c.kind = '{CaseKind.NOT_DISBURSED}' AND c.detail->>'voucher' = linked.voucher
"""


@transaction.atomic
def pay_lines(*, request: FundingRequest, lines: Sequence[int], by: Any) -> int:
    """Pay these lines of a request that are not paid yet; returns how many it paid. Doing it again pays none."""
    county = request.plan.county
    device, _made = Device.objects.get_or_create(
        county=county, kind=DeviceKind.FUNDER, user=None, defaults={"name": _("财政拨付")}
    )
    values = {
        "ids": list(lines), "keys": [str(payment_uuid(line)) for line in lines], "plan": request.plan_id,
        "year": request.plan.coverage_year, "payer": request.payer_name[:60], "device": device.pk,
        "by": getattr(by, "pk", None), "on": request.disbursed_on, "offset": offset(county.code).days,
        "outcome": _("财政已拨付"),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.funding_paid")
        cursor.execute(_TO_PAY, values)
        cursor.execute("ANALYZE funding_paid")
        cursor.execute(_PAY, values)
        paid_lines = [line for (line,) in cursor.fetchall()]
        paid = len(paid_lines)
        # A line that another worker paid while this one waited is his, also in the figures.
        cursor.execute("DELETE FROM funding_paid WHERE line_id <> ALL (%s)", [paid_lines])
        if paid:
            cursor.execute(_FIGURES, values)
            cursor.execute(_CONFIRM, values)
    return paid


def _finish(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    with transaction.atomic():
        found = (
            FundingRequest.objects.select_related("plan__county", "township")
            .select_for_update(of=("self",))
            .get(pk=job.params["request"])
        )
        paid = PaymentLine.objects.filter(
            funding_line__request=found, funding_line__live=True, part=LinePart.GOVERNMENT
        ).aggregate(heads=Count("pk"), amount=Sum("amount"))
        amount = paid["amount"] or Decimal("0.00")
        if (paid["heads"], amount) != (found.heads, found.amount):
            raise JobFailed(
                _(
                    "应拨 %(heads)s 笔 %(amount)s 元，已记 %(done)s 笔 %(paid)s 元，对不上。请重试，仍不行请联系管理员。"
                )
                % {"heads": found.heads, "amount": found.amount, "done": paid["heads"], "paid": amount}
            )
        if found.state not in PAID_OUT:
            assert found.disbursed_on is not None
            by = job.requested_by if isinstance(job.requested_by, User) else None
            finish_step(by=by, request=found, act="disburse", on=found.disbursed_on, note=found.voucher)
    return {"request": found.pk, "people": found.heads, "amount": str(found.amount)}


DISBURSE: Final = JobKind(KIND, gettext_lazy("拨付代缴资金"), _plan, _work, _finish)  # type: ignore[arg-type]
