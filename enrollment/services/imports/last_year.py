"""What was paid for the year before the plan's (上年缴费), as the tax side kept it.

Rules
- A row is a payment: person, insurance, amount, voucher. The same voucher of a person and insurance is the same payment:
  told again, its amount and date follow the file.
- Only the year before the plan's is last year; rows of another year go back. A file that names no year means it.
- The dead, the departed and the newly insured elsewhere paid too: a person nobody has registered is kept where her row
  says, so that somebody can ask after her. A row that leads to no place goes back.
- Who imports for part of the county keeps only what concerns people she sees.
- A pension registration of the plan's year gets last year's amount as its last tier.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.services.imports.common import (
    PersonReader,
    ReadPerson,
    other_year,
    plan_of,
    plan_options,
    read_day,
    read_insurance,
)
from enrollment.services.imports.holders import holders
from enrollment.services.imports.people import unknown_person
from foundation.imports.engine.changes import (
    changed_fields,
    insert_returning,
    logged_update,
    restore,
    undo_inserted,
)
from foundation.imports.engine.context import ROW, Context
from foundation.imports.kinds import (
    Counts,
    Finding,
    Identify,
    ImportKind,
    Refused,
    RowIdentity,
    RowReader,
    StagedRow,
    by_number,
    together,
)
from foundation.money import MoneyError, yuan
from townships.services.imports.places import county_of, out_of_scope, unknown_village, whole_county
from townships.unit_names import Units

_STAGING: Final = "import_staging_prior"
_COLUMNS: Final = (
    "number_index", "number_encrypted", "name", "township_id", "unit_id", "insurance", "amount", "paid_on", "voucher",
)  # fmt: skip
_CHANGING: Final = ("amount", "paid_on")


def _reader(ctx: Context) -> RowReader:
    plan, county = plan_of(ctx), county_of(ctx)
    units, read_person = Units(county, ctx.places), PersonReader(ctx)
    last, offered = str(plan.coverage_year - 1), frozenset(plan.insurances)

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        place = None
        if village := get("village", ""):
            place = units[get("township", "") or units.townships.spoken_of(get("region", "")), village]
            if place is not None and not place.allowed:
                return out_of_scope()
        person = read_person(cells)
        insurance = _insurance(cells["insurance"], offered)
        year = other_year(get("year", ""), last) if get("year", last)[:4] not in {last, ""} else None
        amount = _amount(cells["paid"])
        paid_on = read_day(get("paid_at", ""), _("缴费日期"), "paid_at")
        wrong = together(person, insurance, year, amount, paid_on)
        if wrong is not None:
            return wrong
        assert isinstance(person, ReadPerson)
        assert isinstance(insurance, str)
        # A file without vouchers still tells two payments of a person apart.
        voucher = get("voucher", "")[:40] or f"{paid_on or last}/{amount}"
        return (
            person.number_index, person.number_encrypted, person.name, place.township if place else "",
            place.unit if place else "", insurance, str(amount), str(paid_on or ""), voucher,
        )  # fmt: skip

    return read


def _insurance(raw: str, offered: frozenset[str]) -> str | Refused:
    found = read_insurance(raw)
    if found in offered:
        return found
    return Refused("unknown_insurance", _("征收品目“%(raw)s”不在方案内") % {"raw": raw[:20]})


def _amount(raw: str) -> Decimal | Refused:
    try:
        amount = yuan(raw)
    except MoneyError:
        return Refused("bad_amount", _("实缴金额“%(raw)s”不是金额") % {"raw": raw[:20]})
    if amount < 0:
        return Refused("bad_amount", _("实缴金额小于零：退费的行请去掉，并把退过的缴费一起去掉"))
    return amount


def _identify(ctx: Context) -> Identify:
    return by_number(ctx, part=lambda cells: read_insurance(cells.get("insurance", "")))


# Every staged payment with its place, the person's own before the row's, and the payment it was told as before.
_ROWS: Final = f"""
    SELECT s.*, coalesce(r.township_id, s.township_id) AS at_township, coalesce(r.unit_id, s.unit_id) AS at_unit,
           r.id AS resident_id, p.id AS prior_id, p.amount AS was_amount, p.paid_on AS was_paid_on
    FROM {_STAGING} s
    LEFT JOIN {holders("r.id, r.township_id, r.unit_id")} r ON r.by_number = s.number_index
    LEFT JOIN enrollment_priorpayment p
        ON p.county_id = %(county)s AND p.number_index = s.number_index AND p.coverage_year = %(last)s
        AND p.insurance = s.insurance AND p.voucher = s.voucher
    WHERE s.batch = %(batch)s
"""


def _values(ctx: Context) -> dict[str, Any]:
    plan = plan_of(ctx)
    return {
        "county": county_of(ctx).pk,
        "plan": plan.pk,
        "year": plan.coverage_year,
        "last": plan.coverage_year - 1,
    }


def _check(ctx: Context) -> None:
    values = _values(ctx)
    known = whole_county(ctx, county_of(ctx))
    unknown = unknown_village("", "") if known else unknown_person(whole=False)
    ctx.refuse_staged(
        unknown.code,
        unknown.message,
        f"SELECT k.file, k.source_row FROM ({_ROWS}) k"
        f" WHERE k.resident_id IS NULL AND (k.at_unit IS NULL OR NOT {known})",
        **values,
    )
    ctx.refuse_staged(
        "duplicate",
        _("表内重复，和第%s行是同一人同一笔缴费，留一行"),
        f"""
        SELECT f.file, f.source_row, f.first_row AS said FROM (
            SELECT s.file, s.source_row, row_number() OVER one AS place, first_value({ROW}) OVER one AS first_row
            FROM {_STAGING} s WHERE s.batch = %(batch)s
            WINDOW one AS (PARTITION BY s.number_index, s.insurance, s.voucher ORDER BY s.file, s.source_row)
        ) f WHERE f.place > 1
        """,
    )


def _preview(ctx: Context) -> Counts:
    new, changed, total, unknown = ctx.one(
        f"""
        SELECT count(*) FILTER (WHERE k.prior_id IS NULL),
               count(*) FILTER (WHERE k.prior_id IS NOT NULL AND (k.amount <> k.was_amount
                   OR (k.paid_on IS NOT NULL AND k.paid_on IS DISTINCT FROM k.was_paid_on))),
               count(*), count(*) FILTER (WHERE k.resident_id IS NULL)
        FROM ({_ROWS}) k
        """,
        **_values(ctx),
    )
    if unknown:
        ctx.warnings["paid_not_registered"] = unknown
    return Counts(new, changed, total - new - changed)


PAID_LAST_YEAR: Final = """
    SELECT p.number_index, sum(p.amount) AS amount FROM enrollment_priorpayment p
    WHERE p.county_id = %(county)s AND p.coverage_year = %(last)s AND p.insurance = 'pension'
    GROUP BY p.number_index HAVING sum(p.amount) > 0
"""
"""What was paid for last year's pension, by number: the last tier of a registration."""

_TIERS: Final = f"""
    SELECT g.id, paid.amount AS last_tier FROM enrollment_registration g
    JOIN enrollment_resident r ON r.id = g.resident_id
    JOIN ({PAID_LAST_YEAR}) paid ON paid.number_index = r.number_index
    WHERE g.plan_id = %(plan)s AND g.insurance = 'pension'
"""


def _apply(ctx: Context) -> Counts:
    values = _values(ctx)
    changed = logged_update(
        ctx,
        table="enrollment_priorpayment",
        found=f"SELECT k.prior_id AS id, k.amount, k.paid_on FROM ({_ROWS}) k WHERE k.prior_id IS NOT NULL",
        columns=_CHANGING,
        **values,
    )
    # A payment told for a place the importer does not see stays as it is, and nothing is said of it.
    new = insert_returning(
        ctx,
        "enrollment_priorpayment",
        f"""
        INSERT INTO enrollment_priorpayment (county_id, township_id, unit_id, number_index, number_encrypted, name,
            insurance, coverage_year, amount, paid_on, voucher, batch)
        SELECT %(county)s, k.at_township, k.at_unit, k.number_index, k.number_encrypted, k.name, k.insurance, %(last)s,
               k.amount, k.paid_on, k.voucher, %(batch)s
        FROM ({_ROWS}) k WHERE k.prior_id IS NULL
        ON CONFLICT DO NOTHING
        """,
        **values,
    )
    ctx.summary["last_tiers"] = logged_update(
        ctx, table="enrollment_registration", found=_TIERS, columns=("last_tier",), **values
    )
    return Counts(new, changed, 0)


def _findings(ctx: Context, counts: Counts) -> list[Finding]:
    if not counts.changed:
        return []
    said = f"SELECT k.file, k.source_row, k.prior_id AS id, k.amount, k.paid_on FROM ({_ROWS}) k WHERE k.prior_id IS NOT NULL"
    query = changed_fields(said, "enrollment_priorpayment", _CHANGING, staging=_STAGING)
    return [Finding("changed", query, _values(ctx))]


def _undo(ctx: Context) -> None:
    restore(ctx, "enrollment_registration", "enrollment_priorpayment")
    undo_inserted(ctx, "enrollment_priorpayment")


KIND: Final = ImportKind(
    name="last_year_payments",
    label=gettext_lazy("上年缴费"),
    help=gettext_lazy("上一年度谁缴过、缴了多少：缴费信息清册、上年档次和“上年参保今年未缴”都用它"),
    required=("name", "id_number", "insurance", "paid"),
    optional=("year", "paid_at", "voucher", "region", "township", "village", "due", "agency"),
    staging=_STAGING,
    columns=_COLUMNS,
    reader=_reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    findings=_findings,
    undo=_undo,
    identity=RowIdentity(part="insurance", of=_identify),
    roles=frozenset({"admin", "tax_bureau", "medical_bureau", "hr_bureau", "township_clerk"}),
    options=plan_options,
    needs_plan=True,
    writes=("enrollment_priorpayment",),
)
