"""The household register of the police (公安户籍), kept beside ours and never mixed with it.

Rules
- A row is a person; the number decides who. It says everything the police know: an empty cell means there is nothing.
- Its place is the unit of the address: the village named in the row, else the one its address speaks of, else where the
  person lives in our register, else where the others of the same 户号 are.
- A full register also ends the records it no longer names; death and cancellation may be stated too.
- Nothing of our residents changes: what differs is shown, and corrected by those who look.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.models import Sex
from enrollment.services.imports.common import bad_number, read_day, read_name
from enrollment.services.imports.holders import held, holders
from foundation.clock.services import business_date
from foundation.identity import read_number
from foundation.imports.engine.changes import (
    changed_fields,
    differs,
    insert_returning,
    logged_update,
    restore,
    undo_inserted,
)
from foundation.imports.engine.context import ROW, Context
from foundation.imports.kinds import Counts, Finding, ImportKind, Refused, RowReader, StagedRow, together
from townships.services.imports.places import county_of, out_of_scope, unknown_village
from townships.unit_names import Units

_STAGING: Final = "import_staging_police"
_COLUMNS: Final = (
    "number_index", "number_encrypted", "name", "township_id", "unit_id", "village_id", "household_number", "head_name",
    "relation", "birth_date", "sex", "address", "death_date", "cancelled_on", "cancelled_why",
)  # fmt: skip
_TEXTS: Final = ("name", "household_number", "head_name", "relation", "sex", "address", "cancelled_why")
_PLACE: Final = ("township_id", "unit_id", "village_id")
_DATES: Final = ("birth_date", "death_date", "cancelled_on")
_SEXES: Final = {
    "男": Sex.MALE,
    "女": Sex.FEMALE,
    "男性": Sex.MALE,
    "女性": Sex.FEMALE,
    "1": Sex.MALE,
    "2": Sex.FEMALE,
}
NOT_LISTED: Final = "不在最新户籍"


def _reader(ctx: Context) -> RowReader:
    units = Units(county_of(ctx), ctx.places)
    keyring, today = ctx.keyring, ctx.today

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        place, nowhere = None, None
        if village := get("village", ""):
            place = units[get("township", ""), village]
            nowhere = unknown_village(get("township", ""), village) if place is None else None
        else:
            place = units.in_address(get("address", ""))
        if place is not None and not place.allowed:
            return out_of_scope()
        name, parsed = read_name(cells["name"]), read_number(cells["id_number"], today)
        birth = read_day(get("birth_date", ""), _("出生日期"), "birth_date")
        death = read_day(get("death_date", ""), _("死亡日期"), "death_date")
        cancelled = read_day(get("cancelled_on", ""), _("注销日期"), "cancelled_on")
        wrong = together(nowhere, name, bad_number(parsed) if parsed.error else None, birth, death, cancelled)
        if wrong is not None:
            return wrong
        assert isinstance(name, str)
        number = parsed.number
        return (
            "\\x" + keyring.blind_index(number).hex(), "\\x" + keyring.encrypt(number).hex(), name,
            place.township if place else "", place.unit if place else "", place.village if place else "",
            get("household", "")[:40], get("head", "")[:60], get("relation", "")[:20],
            str(birth if isinstance(birth, date) else parsed.birth_date or ""),
            str(_SEXES.get(get("sex", "")) or parsed.sex or ""), get("address", "")[:120],
            str(death or ""), str(cancelled or ""), get("cancelled_why", "")[:20],
        )  # fmt: skip

    return read


def _values(ctx: Context) -> dict[str, Any]:
    return {"county": county_of(ctx).pk, "today": business_date(ctx.batch.county_code)}


def _check(ctx: Context) -> None:
    values = _values(ctx)
    ctx.refuse_staged(
        "duplicate",
        _("表内重复，和第%s行是同一个人，留一行"),
        f"""
        SELECT f.file, f.source_row, f.first_row AS said FROM (
            SELECT s.file, s.source_row, row_number() OVER one AS place, first_value({ROW}) OVER one AS first_row
            FROM {_STAGING} s WHERE s.batch = %(batch)s
            WINDOW one AS (PARTITION BY s.number_index ORDER BY s.file, s.source_row)
        ) f WHERE f.place > 1
        """,
    )
    # Where the address says nothing: the person's own unit in our register, then her housemates'.
    ctx.execute(
        f"""
        UPDATE {_STAGING} s SET township_id = r.township_id, unit_id = r.unit_id, village_id = r.village_id
        FROM {holders("r.township_id, r.unit_id, r.village_id")} r
        WHERE s.batch = %(batch)s AND s.unit_id IS NULL AND r.by_number = s.number_index
        """,
        **values,
    )
    ctx.execute(
        f"""
        UPDATE {_STAGING} s SET township_id = h.township_id, unit_id = h.unit_id, village_id = h.village_id
        FROM (
            SELECT DISTINCT ON (household_number) household_number, township_id, unit_id, village_id
            FROM (
                SELECT household_number, township_id, unit_id, village_id, count(*) AS people FROM {_STAGING}
                WHERE batch = %(batch)s AND unit_id IS NOT NULL AND household_number IS NOT NULL
                GROUP BY household_number, township_id, unit_id, village_id
            ) n ORDER BY household_number, people DESC, unit_id
        ) h
        WHERE s.batch = %(batch)s AND s.unit_id IS NULL AND s.household_number = h.household_number
        """
    )
    ctx.refuse_staged(
        "no_place",
        _("从住址看不出是哪个村居，库里也没有这个人，请加上镇街和村居两列"),
        f"SELECT s.file, s.source_row FROM {_STAGING} s WHERE s.batch = %(batch)s AND s.unit_id IS NULL",
    )
    ctx.refuse_staged(
        "bad_date",
        _("死亡日期早于出生日期"),
        f"SELECT s.file, s.source_row FROM {_STAGING} s WHERE s.batch = %(batch)s AND s.death_date < s.birth_date",
        field="death_date",
    )


# What the file says, with the record it is said of.
_SAID: Final = f"""
    SELECT s.file, s.source_row, p.id, s.number_index, s.number_encrypted,
           {", ".join(f"s.{name}" for name in (*_PLACE, *_DATES))},
           {", ".join(f"coalesce(s.{name}, '') AS {name}" for name in _TEXTS)}
    FROM {_STAGING} s
    LEFT JOIN enrollment_policerecord p ON p.county_id = %(county)s AND p.number_index = s.number_index
    WHERE s.batch = %(batch)s
"""
_UNLISTED: Final = f"""
    SELECT p.id, %(today)s::date AS cancelled_on, '{NOT_LISTED}' AS cancelled_why, p.name, p.number_encrypted
    FROM enrollment_policerecord p
    WHERE p.county_id = %(county)s AND p.cancelled_on IS NULL AND p.death_date IS NULL AND {held("p")}
        AND NOT EXISTS (
            SELECT FROM {_STAGING} s WHERE s.batch = %(batch)s AND s.number_index = p.number_index)
"""
_WRITTEN: Final = (*_PLACE, *_TEXTS)


def _preview(ctx: Context) -> Counts:
    values = _values(ctx)
    new, changed, total = ctx.one(
        f"""
        SELECT count(*) FILTER (WHERE f.id IS NULL),
               count(*) FILTER (WHERE f.id IS NOT NULL AND ({differs("f", "p", _WRITTEN, _DATES)})), count(*)
        FROM ({_SAID}) f LEFT JOIN enrollment_policerecord p ON p.id = f.id
        """,
        **values,
    )
    closed = 0
    if ctx.batch.full_list:
        closed = int(ctx.one(f"SELECT count(*) FROM ({_UNLISTED}) u", **values)[0])
    return Counts(new, changed, total - new - changed, closed)


def _apply(ctx: Context) -> Counts:
    values = _values(ctx)
    changed = logged_update(
        ctx,
        table="enrollment_policerecord",
        found=f"SELECT * FROM ({_SAID}) f WHERE f.id IS NOT NULL",
        columns=_WRITTEN,
        exact=_DATES,
        **values,
    )
    closed = 0
    if ctx.batch.full_list:
        closed = logged_update(
            ctx,
            table="enrollment_policerecord",
            found=_UNLISTED,
            columns=("cancelled_on", "cancelled_why"),
            **values,
        )
    written = ", ".join((*_WRITTEN, *_DATES, "number_index", "number_encrypted"))
    new = insert_returning(
        ctx,
        "enrollment_policerecord",
        f"""
        INSERT INTO enrollment_policerecord ({written}, county_id, batch)
        SELECT {written}, %(county)s, %(batch)s FROM ({_SAID}) f WHERE f.id IS NULL
        """,
        **values,
    )
    return Counts(new, changed, 0, closed)


# What the police say of people of our register.
_OURS: Final = f"""
    FROM {_STAGING} s
    JOIN {holders("r.id, r.name, r.birth_date, r.sex, r.unit_id, r.death_date, r.left_on")} r ON r.by_number = s.number_index
"""
_DIFFERS: Final = f"""
    SELECT s.file, s.source_row, s.name, s.number_encrypted, d.field, d.before, d.after {_OURS}
    CROSS JOIN LATERAL (VALUES
        ('name', left(r.name, 1) || '*', left(s.name, 1) || '*', r.name <> s.name),
        ('birth_date', r.birth_date::text, s.birth_date::text, r.birth_date <> s.birth_date),
        ('sex', r.sex, s.sex, r.sex <> s.sex AND r.sex <> ''),
        ('unit_id', (SELECT u.name FROM townships_collectingunit u WHERE u.id = r.unit_id),
         (SELECT u.name FROM townships_collectingunit u WHERE u.id = s.unit_id), r.unit_id <> s.unit_id)
    ) AS d (field, before, after, differs)
    WHERE s.batch = %(batch)s AND d.differs
"""
_GONE: Final = f"""
    SELECT s.file, s.source_row, s.name, s.number_encrypted, 'police' AS field, 'alive' AS before,
           coalesce(s.death_date, s.cancelled_on)::text AS after {_OURS}
    WHERE s.batch = %(batch)s AND r.death_date IS NULL AND r.left_on IS NULL
        AND (s.death_date IS NOT NULL OR s.cancelled_on IS NOT NULL)
"""
_MISSING: Final = f"""
    SELECT NULL::int AS file, NULL::int AS source_row, r.name, r.number_encrypted, 'police' AS field,
           'registered' AS before, 'absent' AS after
    FROM enrollment_resident r
    WHERE r.county_id = %(county)s AND r.merged_into_id IS NULL AND r.number_index IS NOT NULL AND {held("r")}
        AND r.registration_area = 'local' AND r.death_date IS NULL AND r.left_on IS NULL
        AND r.id_kind = 'resident_id'
        AND NOT EXISTS (SELECT FROM {_STAGING} s WHERE s.batch = %(batch)s AND s.number_index = r.number_index)
"""
_NAMES: Final = {
    "township_id": "(SELECT u.name FROM townships_township u WHERE u.id = {row}.township_id)",
    "unit_id": "(SELECT u.name FROM townships_collectingunit u WHERE u.id = {row}.unit_id)",
    "village_id": "(SELECT u.name FROM townships_village u WHERE u.id = {row}.village_id)",
}


def _findings(ctx: Context, counts: Counts) -> list[Finding]:
    values = _values(ctx)
    found = []
    if counts.changed:
        query = changed_fields(
            f"SELECT * FROM ({_SAID}) f WHERE f.id IS NOT NULL", "enrollment_policerecord", _WRITTEN, _DATES,
            staging=_STAGING, shown=_NAMES,
        )  # fmt: skip
        found.append(Finding("changed", query, values))
    if counts.closed:
        query = f"""
            SELECT NULL::int AS file, NULL::int AS source_row, u.name, u.number_encrypted, 'police' AS field,
                   'registered' AS before, 'ended' AS after FROM ({_UNLISTED}) u
        """
        found.append(Finding("closing", query, values))
    found += [Finding("police_dead", _GONE, values), Finding("police_differs", _DIFFERS, values)]
    # Only a full register can say who is missing from it.
    return [*found, Finding("police_missing", _MISSING, values)] if ctx.batch.full_list else found


def _undo(ctx: Context) -> None:
    restore(ctx, "enrollment_policerecord")
    undo_inserted(ctx, "enrollment_policerecord")


KIND: Final = ImportKind(
    name="household_register",
    label=gettext_lazy("公安户籍"),
    help=gettext_lazy("公安的户籍和死亡、销户信息，放在一旁和居民库比对，不直接改居民"),
    required=("name", "id_number"),
    optional=(
        "household", "head", "relation", "address", "sex", "birth_date", "township", "village", "death_date",
        "cancelled_on", "cancelled_why",
    ),
    staging=_STAGING,
    columns=_COLUMNS,
    reader=_reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    findings=_findings,
    undo=_undo,
    # The register is kept for the whole county: who sees part of it could not tell a move from a newcomer.
    roles=frozenset({"admin", "tax_bureau", "medical_bureau", "hr_bureau", "department"}),
    can_be_full=True,
    writes=("enrollment_policerecord",),
)  # fmt: skip
