"""The tax bureau's results (税务回传): what was recorded is confirmed, what was paid elsewhere appears by itself.

Rules, per row, in this order
1. A voucher known already changes nothing, except that 入库日期 may now be filled.
2. A stored payment line of the registration with the same amount, not yet confirmed: this entry confirms it.
3. Another stored, unconfirmed line of the registration: the amounts contradict. The entry is kept without a line, and the
   payment gets a case.
4. Nothing stored: the payment appears by itself, at the county's import desk, dated by 开票日; money of another price
   period than the charge was priced in is priced by its own day first. What exceeds the amount due
   is excess with a case, all of it where nothing is due (somebody dead by then, or not to be insured here).
5. What the tax bureau invoiced on a special payment bill (channel 政府代缴) is the government's money: it confirms a
   government-paid line of the same amount, and never stands for something the resident paid. Where the money has not
   been disbursed yet, the entry waits with a case, and the disbursement takes it up.
Money is never refused; but who is not registered, or not assessed yet, cannot carry it: the row goes back. The same file
twice doubles nothing: vouchers are unique, and a payment's UUID is made of its voucher.
"""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.models import CaseKind, FigureRebuild
from contributions.services import tax_rows
from contributions.services.determine import determine_many
from enrollment.services.imports.common import plan_of, plan_options
from enrollment.services.imports.holders import holders
from foundation.bulk import next_id
from foundation.clock.services import offset
from foundation.imports.engine.changes import (
    changed_fields,
    insert_returning,
    logged_update,
    restore,
    undo_inserted,
)
from foundation.imports.engine.context import ROW, Context
from foundation.imports.kinds import Counts, Finding, ImportKind, RowIdentity
from townships.models import Device, DeviceKind
from townships.services.imports.places import county_of, whole_county

# Everything one row needs to know: the registration it pays for, what is due on it, and whether its voucher is known.
_ROWS: Final = f"""
    SELECT s.file, s.source_row, s.number_index, s.name, s.insurance, s.amount, s.invoiced_on, s.settled_on,
           s.channel, s.voucher, s.client_uuid, s.route, s.means,
           r.household_id, r.death_date, g.id AS registration_id, g.township_id, g.unit_id,
           c.id AS charge_id, c.version AS charge_version, c.tier, coalesce(c.personal_amount, 0) AS due,
           t.id AS entry_id, c.id IS NULL AND a.id IS NULL AS not_assessed
    FROM import_staging_tax s
    JOIN {holders("r.id, r.household_id, r.death_date", only_held=False)} r ON r.by_number = s.number_index
    JOIN enrollment_registration g
        ON g.resident_id = r.id AND g.insurance = s.insurance AND g.coverage_year = %(year)s
    LEFT JOIN contributions_assessment a
        ON a.resident_id = r.id AND a.insurance = s.insurance AND a.coverage_year = %(year)s
    LEFT JOIN (
        SELECT DISTINCT ON (registration_id) registration_id, id, version, tier, personal_amount
        FROM contributions_charge WHERE current AND for_year = %(year)s AND coverage_year = %(year)s
        ORDER BY registration_id, kind <> 'ordinary', id
    ) c ON c.registration_id = g.id
    LEFT JOIN contributions_taxentry t ON t.plan_id = %(plan)s AND t.voucher = s.voucher
    WHERE s.batch = %(batch)s
"""


# The first money of each registration among the rows: its day and route price the charge (DESIGN.md decision 3).
_FIRST_MONEY: Final = f"""
    SELECT DISTINCT ON (k.registration_id) k.registration_id, k.invoiced_on AS paid_on, k.route
    FROM ({_ROWS}) k WHERE k.entry_id IS NULL AND k.route <> 'government'
    ORDER BY k.registration_id, k.invoiced_on, k.voucher
"""


def _values(ctx: Context) -> dict[str, Any]:
    plan = plan_of(ctx)
    return {
        "county": county_of(ctx).pk, "plan": plan.pk, "year": plan.coverage_year,
        "closed": not plan.takes_charges,
    }  # fmt: skip


def _check(ctx: Context) -> None:
    values = _values(ctx)
    ctx.refuse_staged(
        "duplicate_voucher",
        _("税票号和第%s行重复，留一行"),
        f"""
        SELECT f.file, f.source_row, f.first_row AS said FROM (
            SELECT s.file, s.source_row, row_number() OVER one AS place, first_value({ROW}) OVER one AS first_row
            FROM import_staging_tax s WHERE s.batch = %(batch)s
            WINDOW one AS (PARTITION BY s.voucher ORDER BY s.file, s.source_row)
        ) f WHERE f.place > 1
        """,
    )
    known = whole_county(ctx, county_of(ctx))
    ctx.refuse_staged(
        "unknown_person",
        _("本县区没有这个人（按身份证号找不到）")
        if known
        else _("您的管辖范围内没有这个人（按身份证号找不到）"),
        f"""
        SELECT s.file, s.source_row FROM import_staging_tax s
        LEFT JOIN {holders("r.id", only_held=False)} r ON r.by_number = s.number_index
        WHERE s.batch = %(batch)s AND r.id IS NULL
        """,
        **values,
    )
    ctx.refuse_staged(
        "not_registered",
        _("这个人没有本年度这一险种的参保登记，请先登记再导入"),
        f"""
        SELECT s.file, s.source_row FROM import_staging_tax s
        JOIN {holders("r.id", only_held=False)} r ON r.by_number = s.number_index
        LEFT JOIN enrollment_registration g
            ON g.resident_id = r.id AND g.insurance = s.insurance AND g.coverage_year = %(year)s
        WHERE s.batch = %(batch)s AND g.id IS NULL
        """,
        **values,
    )
    ctx.refuse_staged(
        "not_assessed",
        _("这个人的应缴还没有核定，请先核定再导入"),
        f"SELECT k.file, k.source_row FROM ({_ROWS}) k WHERE k.not_assessed",
        **values,
    )
    ctx.refuse_staged(
        "voucher_conflict",
        _("税票号以前回传过，金额或缴费人与那次不同"),
        f"""
        SELECT k.file, k.source_row FROM ({_ROWS}) k JOIN contributions_taxentry t ON t.id = k.entry_id
        WHERE t.amount <> k.amount OR t.registration_id IS DISTINCT FROM k.registration_id
        """,
        **values,
    )


def _preview(ctx: Context) -> Counts:
    new, changed, total = ctx.one(
        f"""
        SELECT count(*) FILTER (WHERE k.entry_id IS NULL),
               count(*) FILTER (WHERE k.settled_on IS NOT NULL AND t.id IS NOT NULL
                                AND t.settled_on IS DISTINCT FROM k.settled_on),
               count(*)
        FROM ({_ROWS}) k LEFT JOIN contributions_taxentry t ON t.id = k.entry_id
        """,
        **_values(ctx),
    )
    return Counts(new, changed, total - new - changed)


def _match(ctx: Context) -> None:
    """Pair the new entries with what is stored, one to one, in temporary tables of this transaction.

    ``import_tax`` has a row per new entry: ``line_id`` the line it confirms, or ``against`` the payment it contradicts,
    or neither, and then what of it rests on the registration (``allocated``).
    """
    ctx.execute("DROP TABLE IF EXISTS pg_temp.import_tax")
    ctx.execute(
        f"""
        CREATE TEMPORARY TABLE import_tax ON COMMIT DROP AS
        WITH entries AS MATERIALIZED (
            SELECT k.*, k.route = 'government' AS of_government,
                   row_number() OVER (PARTITION BY k.registration_id, k.amount, k.route = 'government'
                                      ORDER BY k.invoiced_on, k.voucher) AS nth
            FROM ({_ROWS}) k WHERE k.entry_id IS NULL
        ),
        unconfirmed AS MATERIALIZED (
            SELECT l.id, l.payment_id, l.registration_id, l.amount, l.part = 'government' AS of_government,
                   row_number() OVER (PARTITION BY l.registration_id, l.amount, l.part = 'government'
                                      ORDER BY p.paid_on, l.id) AS nth
            FROM contributions_paymentline l JOIN contributions_payment p ON p.id = l.payment_id
            WHERE l.registration_id IN (SELECT registration_id FROM entries) AND l.amount > 0 AND p.reverses_id IS NULL
                AND NOT EXISTS (SELECT FROM contributions_payment b WHERE b.reverses_id = p.id)
                AND NOT EXISTS (SELECT FROM contributions_taxentry t WHERE t.payment_line_id = l.id)
        ),
        paired AS MATERIALIZED (
            SELECT e.*, u.id AS line_id,
                   row_number() OVER (PARTITION BY e.registration_id, e.of_government, u.id IS NULL
                                      ORDER BY e.invoiced_on, e.voucher) AS again
            FROM entries e LEFT JOIN unconfirmed u USING (registration_id, amount, of_government, nth)
        ),
        left_over AS (
            SELECT u.*, row_number() OVER (PARTITION BY u.registration_id, u.of_government ORDER BY u.id) AS again
            FROM unconfirmed u WHERE NOT EXISTS (SELECT FROM paired p WHERE p.line_id = u.id)
        ),
        paid AS (
            SELECT registration_id, sum(amount) AS amount FROM contributions_paymentline
            WHERE registration_id IN (SELECT registration_id FROM entries) AND part <> 'government'
            GROUP BY registration_id
        ),
        told AS (
            SELECT p.*, o.payment_id AS against, o.amount AS recorded, coalesce(d.amount, 0) AS paid_before,
                   p.line_id IS NULL AND o.payment_id IS NULL AND NOT p.of_government AS appears,
                   p.death_date IS NOT NULL AND p.death_date <= p.invoiced_on AS deceased
            FROM paired p
            LEFT JOIN left_over o ON p.line_id IS NULL AND o.registration_id = p.registration_id
                AND o.of_government = p.of_government AND o.again = p.again
            LEFT JOIN paid d ON d.registration_id = p.registration_id
        ),
        running AS (
            SELECT t.*, greatest(t.due - t.paid_before - coalesce(sum(t.amount) FILTER (WHERE t.appears) OVER (
                       PARTITION BY t.registration_id ORDER BY t.invoiced_on, t.voucher
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0), 0) AS still_due
            FROM told t
        )
        -- Under a closed plan sums stand: what appears now is kept beside them.
        SELECT r.*, r.appears AND %(closed)s AS too_late,
               CASE WHEN r.deceased OR %(closed)s THEN 0 ELSE least(r.amount, r.still_due) END AS allocated,
               CASE WHEN r.appears THEN {next_id("contributions_payment")} END AS new_payment,
               CASE WHEN r.appears AND NOT r.deceased AND r.still_due > 0 AND NOT %(closed)s
                    THEN {next_id("contributions_paymentline")} END AS new_line
        FROM running r
        """,
        **_values(ctx),
    )
    ctx.execute("ANALYZE import_tax")


_PAYMENTS: Final = """
    INSERT INTO contributions_payment (id, township_id, unit_id, client_uuid, body_digest, plan_id, household_id,
        payer_name, paid_for_others, route, means, channel, device_id, handed_over_at, paid_on, received, allocated,
        excess, reason)
    SELECT new_payment, township_id, unit_id, client_uuid,
        encode(sha256(convert_to(concat_ws('|', voucher, registration_id, amount), 'UTF8')), 'hex'), %(plan)s,
        household_id, name, false, route, means, coalesce(channel, ''), %(device)s,
        ((invoiced_on + time '12:00') AT TIME ZONE 'Asia/Shanghai') - make_interval(days => %(offset)s),
        invoiced_on, amount, allocated, amount - allocated, ''
    FROM import_tax WHERE appears
"""
_LINES: Final = """
    INSERT INTO contributions_paymentline (id, township_id, unit_id, payment_id, registration_id, charge_id,
        charge_version, insurance, tier, amount)
    SELECT new_line, township_id, unit_id, new_payment, registration_id, charge_id, charge_version, insurance, tier,
        allocated
    FROM import_tax WHERE new_line IS NOT NULL
"""
_ENTRIES: Final = """
    INSERT INTO contributions_taxentry (township_id, unit_id, batch, plan_id, registration_id, payment_line_id,
        number_index, insurance, coverage_year, amount, invoiced_on, settled_on, voucher, channel, of_government)
    SELECT township_id, unit_id, %(batch)s, %(plan)s, registration_id, coalesce(line_id, new_line), number_index,
        insurance, %(year)s, amount, invoiced_on, settled_on, voucher, coalesce(channel, ''), of_government
    FROM import_tax
"""
# Entries with something to settle about them.
_WRONG: Final = (
    "(against IS NOT NULL OR (of_government AND line_id IS NULL)"
    " OR (appears AND (deceased OR too_late OR amount <> still_due)))"
)
_CASES: Final = f"""
    INSERT INTO contributions_paymentcase (township_id, unit_id, kind, payment_id, registration_id, amount, detail,
        state, outcome)
    SELECT township_id, unit_id,
        CASE WHEN against IS NOT NULL THEN '{CaseKind.CONTRADICTED}'
             WHEN of_government THEN '{CaseKind.NOT_DISBURSED}' WHEN deceased THEN '{CaseKind.DECEASED}'
             WHEN too_late THEN '{CaseKind.OUTSIDE_WINDOW}'
             WHEN charge_id IS NULL THEN '{CaseKind.NOT_ACCEPTED}'
             WHEN still_due = 0 AND due > 0 THEN '{CaseKind.ALREADY_PAID}' ELSE '{CaseKind.AMOUNT_DIFFERS}' END,
        coalesce(against, new_payment), registration_id,
        CASE WHEN against IS NOT NULL THEN amount - recorded WHEN of_government THEN amount
             ELSE amount - allocated END,
        jsonb_strip_nulls(jsonb_build_object('voucher', voucher, 'tax', amount::text, 'recorded', recorded::text,
            'due', due::text)),
        'open', ''
    FROM import_tax
    WHERE {_WRONG}
"""


def _apply(ctx: Context) -> Counts:
    values = _values(ctx)
    changed = logged_update(
        ctx,
        table="contributions_taxentry",
        found=f"SELECT k.entry_id AS id, k.settled_on FROM ({_ROWS}) k WHERE k.entry_id IS NOT NULL",
        columns=("settled_on",),
        **values,
    )
    plan = plan_of(ctx)
    for insurance in plan.insurances:
        determine_many(plan, insurance, _FIRST_MONEY, {"batch": ctx.batch.pk, **values})
    _match(ctx)
    device, _made = Device.objects.get_or_create(
        county_id=values["county"], kind=DeviceKind.IMPORT, user=None, defaults={"name": _("税务回传导入")}
    )
    # Moments are real time, days are the county's: a demonstration's offset lies between them.
    shift = offset(ctx.batch.county_code).days
    appeared = ctx.execute(_PAYMENTS, device=device.pk, offset=shift, **values)
    ctx.execute(_LINES)
    new = insert_returning(ctx, "contributions_taxentry", _ENTRIES, **values)
    insert_returning(ctx, "contributions_paymentcase", _CASES)
    confirmed, contradicted, cases = ctx.one(
        f"SELECT count(line_id), count(against), count(*) FILTER (WHERE against IS NULL AND {_WRONG})"
        " FROM import_tax"
    )
    ctx.summary |= {
        "confirmed": confirmed,
        "appeared": appeared,
        "contradicted": contradicted,
        "cases": cases + contradicted,
    }
    return Counts(new, changed, 0)


def _findings(ctx: Context, counts: Counts) -> list[Finding]:
    if not counts.changed:
        return []
    said = f"SELECT k.file, k.source_row, k.entry_id AS id, k.settled_on FROM ({_ROWS}) k WHERE k.entry_id IS NOT NULL"
    query = changed_fields(said, "contributions_taxentry", ("settled_on",), staging="import_staging_tax")
    return [Finding("changed", query, _values(ctx))]


def _blockers(ctx: Context) -> list[str]:
    appeared = ctx.batch.summary.get("appeared", 0)
    if not appeared:
        return []
    return [_("本批带来 %(n)s 笔缴费，缴过的钱不能删除，只能逐笔冲正或退费") % {"n": appeared}]


def _undo(ctx: Context) -> None:
    restore(ctx, "contributions_taxentry")
    undo_inserted(ctx, "contributions_paymentcase", "contributions_taxentry")


def recount(ctx: Context) -> dict[str, Any]:
    """After an import the figures of the county's open plans are counted anew."""
    plans = ctx.fetch(
        "SELECT p.id FROM enrollment_collectionplan p JOIN townships_county c ON c.id = p.county_id"
        " WHERE c.code = %(code)s AND (%(plan)s = '' OR p.code = %(plan)s) AND p.status <> 'closed'",
        code=ctx.batch.county_code,
        plan=ctx.batch.plan_code,
    )
    FigureRebuild.objects.bulk_create(FigureRebuild(plan_id=pk) for (pk,) in plans)
    return {}


KIND: Final = ImportKind(
    name="tax_results",
    label=gettext_lazy("税务回传"),
    help=gettext_lazy("确认已登记的缴费；网上自己缴的，缴费记录自动补上"),
    required=("name", "id_number", "insurance", "paid", "paid_at", "voucher"),
    optional=("year", "settled_at", "channel", "agency", "region", "village"),
    staging="import_staging_tax",
    columns=tax_rows.COLUMNS,
    reader=tax_rows.reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    findings=_findings,
    undo=_undo,
    blockers=_blockers,
    identity=RowIdentity(part="voucher", of=tax_rows.identify),
    roles=frozenset({"admin", "tax_bureau"}),
    options=plan_options,
    needs_plan=True,
    writes=("contributions_payment", "contributions_paymentline", "contributions_taxentry"),
)
