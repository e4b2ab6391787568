"""A department's list of a special group (特殊群体名单).

Rules
- The list's group comes with the file (``--category``); a row that names another group goes back. Without it every row
  names its own.
- A person on the list has the membership from the certification date (else from the county's business date) to the end
  date, if one is given. One who already has it keeps its beginning; grade, end and certification follow the list.
- One person may stand under several groups, a row for each. Of two groups that a column tells apart (标注脱贫, 批准) she is
  in one: what begins ends the other.
- An incremental list adds and corrects. A full list (全量) also ends, the day before the business date, what it no longer
  names in the sender's places, and goes in only when no row goes back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.models import Category
from enrollment.services.imports import people
from enrollment.services.imports.category_rows import PAIRS, identify, reader
from enrollment.services.imports.conflicts import conflicts
from enrollment.services.imports.holders import held
from foundation.clock.services import business_date
from foundation.imports.engine.changes import (
    changed_fields,
    differs,
    insert_returning,
    logged_update,
    restore,
    undo_inserted,
)
from foundation.imports.engine.context import Context
from foundation.imports.kinds import (
    Counts,
    Finding,
    ImportKind,
    Option,
    RowIdentity,
)
from foundation.imports.models import ImportBatch
from townships.services.imports.places import county_of, township_named

_WORTH_COMPARING: Final = ("grade", "valid_to", "certified_on", "certified_by_id")


def _objection(batch: ImportBatch, fields: Collection[str]) -> str:
    if batch.category_code or "category" in fields:
        return ""
    return _("文件里没有“身份类别”列，要另外说明是哪一个特殊群体（命令里用 --category）")


def _check(ctx: Context) -> None:
    people.check_people(ctx, by_code=True)
    ctx.refuse_staged(
        "deceased",
        _("已去世（%s），请从名单去掉"),
        f"SELECT s.file, s.source_row, to_char(r.death_date, 'YYYY年MM月') AS said FROM {people.FOUND}"
        " WHERE s.batch = %(batch)s AND r.death_date IS NOT NULL",
    )
    ctx.refuse_staged(
        "bad_date",
        _("止期早于认定时间"),
        "SELECT s.file, s.source_row FROM import_staging_person s"
        " WHERE s.batch = %(batch)s AND s.until < coalesce(s.starts, s.day)",
    )


# What the list says, with the membership it touches: the one whose days overlap.
_BEGINS: Final = "coalesce(s.starts, s.day, least(%(today)s, coalesce(s.until, %(today)s)))"
_SAID: Final = f"""
    SELECT s.file, s.source_row, r.id AS resident_id, r.township_id, r.unit_id, c.id AS category_id, s.code, s.grade,
           {_BEGINS} AS valid_from, s.until AS valid_to, s.day AS certified_on, s.certified_by AS certified_by_id, m.id
    FROM {people.FOUND}
    JOIN enrollment_category c ON c.code = s.code
    LEFT JOIN LATERAL (
        SELECT m.id FROM enrollment_membership m
        WHERE m.resident_id = r.id AND m.category_id = c.id
            AND daterange(m.valid_from, m.valid_to, '[]') && daterange({_BEGINS}, s.until, '[]')
        ORDER BY m.valid_from DESC LIMIT 1
    ) m ON true
    WHERE s.batch = %(batch)s
"""
# Of two groups that a column tells apart a person is in one: what begins now ends the other, the day before.
_OTHERS: Final = ", ".join(
    f"('{code}', '{pair.yes if code == pair.no else pair.no}')" for code, pair in PAIRS.items()
)
_TURNED: Final = f"""
    SELECT m.id, greatest(m.valid_from, f.valid_from - 1) AS valid_to, f.file, f.source_row
    FROM import_members f
    JOIN (VALUES {_OTHERS}) AS pair (code, other) ON pair.code = f.code
    JOIN enrollment_category c ON c.code = pair.other
    JOIN enrollment_membership m ON m.resident_id = f.resident_id AND m.category_id = c.id
        AND m.valid_from <= f.valid_from AND (m.valid_to IS NULL OR m.valid_to >= f.valid_from)
    WHERE f.id IS NULL
"""


def _find(ctx: Context) -> None:
    """Pair the list with the memberships there are, once a run: ``import_members``."""
    people.find(ctx)
    if "members" in ctx.done:
        return
    ctx.execute("DROP TABLE IF EXISTS pg_temp.import_members")
    ctx.execute(f"CREATE TEMPORARY TABLE import_members ON COMMIT DROP AS {_SAID}", **_values(ctx))
    ctx.execute("ANALYZE import_members")
    ctx.done.add("members")


def _values(ctx: Context) -> dict[str, Any]:
    wanted = ctx.batch.category_code
    codes = {wanted}
    if wanted in PAIRS:
        # A list that tells both groups apart is the full list of both.
        codes |= {
            code
            for (code,) in ctx.fetch(f"SELECT DISTINCT code FROM {people.STAGING} WHERE batch = %(batch)s")
        }
    return {
        "county": county_of(ctx).pk,
        "today": business_date(ctx.batch.county_code),
        "codes": sorted(codes),
    }


_CLOSING: Final = f"""
    SELECT m.id, m.valid_to, k.name, k.number_encrypted FROM enrollment_membership m
    JOIN enrollment_category c ON c.id = m.category_id AND c.code = ANY (%(codes)s)
    JOIN enrollment_resident k ON k.id = m.resident_id
    WHERE {held("m")} AND k.county_id = %(county)s
        AND m.valid_from < %(today)s AND (m.valid_to IS NULL OR m.valid_to >= %(today)s)
        AND NOT EXISTS (SELECT FROM {people.FOUND} WHERE s.batch = %(batch)s AND r.id = m.resident_id)
"""


def _preview(ctx: Context) -> Counts:
    _find(ctx)
    moved = differs("s", "m", _WORTH_COMPARING)
    new, changed, total = ctx.one(
        f"""
        SELECT count(*) FILTER (WHERE s.id IS NULL), count(*) FILTER (WHERE s.id IS NOT NULL AND ({moved})), count(*)
        FROM import_members s LEFT JOIN enrollment_membership m ON m.id = s.id
        """,
        **_values(ctx),
    )
    closed = 0
    if ctx.batch.full_list:
        closed = int(ctx.one(f"SELECT count(*) FROM ({_CLOSING}) e", **_values(ctx))[0])
    return Counts(new, changed, total - new - changed, closed)


def _apply(ctx: Context) -> Counts:
    values = _values(ctx)
    changed = logged_update(
        ctx,
        table="enrollment_membership",
        # The overlap found may be one that begins later: its end moves only when it stays behind its beginning.
        found="SELECT x.* FROM import_members x JOIN enrollment_membership k ON k.id = x.id"
        " WHERE x.valid_to IS NULL OR x.valid_to >= k.valid_from",
        columns=_WORTH_COMPARING,
        **values,
    )
    closed = 0
    if ctx.batch.full_list:
        closed = logged_update(
            ctx,
            table="enrollment_membership",
            found=f"SELECT e.id, %(today)s::date - 1 AS valid_to FROM ({_CLOSING}) e",
            columns=("valid_to",),
            **values,
        )
    turned = logged_update(ctx, table="enrollment_membership", found=_TURNED, columns=("valid_to",), **values)
    if turned:
        ctx.summary["turned"] = turned
    new = insert_returning(
        ctx,
        "enrollment_membership",
        """
        INSERT INTO enrollment_membership (township_id, unit_id, resident_id, category_id, grade, approved, valid_from,
            valid_to, certified_by_id, certified_on, batch, mark)
        SELECT s.township_id, s.unit_id, s.resident_id, s.category_id, s.grade, true, s.valid_from, s.valid_to,
               s.certified_by_id, s.certified_on, %(batch)s, 'listed'
        FROM import_members s WHERE s.id IS NULL
        """,
        **values,
    )
    return Counts(new, changed, 0, closed)


_OFFICE: Final = "(SELECT a.name FROM townships_agency a WHERE a.id = {row}.certified_by_id)"


def _findings(ctx: Context, counts: Counts) -> list[Finding]:
    values = _values(ctx)
    found = []
    if counts.changed:
        query = changed_fields(
            "SELECT * FROM import_members f WHERE f.id IS NOT NULL", "enrollment_membership", _WORTH_COMPARING,
            staging=people.STAGING, shown={"certified_by_id": _OFFICE},
        )  # fmt: skip
        found.append(Finding("changed", query))
    if counts.closed:
        query = f"""
            SELECT NULL::int AS file, NULL::int AS source_row, e.name, e.number_encrypted, 'valid_to' AS field,
                   e.valid_to::text AS before, (%(today)s::date - 1)::text AS after FROM ({_CLOSING}) e
        """
        found.append(Finding("closing", query, values))
    turning = f"""
        SELECT t.file, t.source_row, s.name, s.number_encrypted, 'membership' AS field, was.name AS before, now.name AS after
        FROM ({_TURNED}) t
        JOIN {people.STAGING} s ON s.batch = %(batch)s AND s.file = t.file AND s.source_row = t.source_row
        JOIN enrollment_membership m ON m.id = t.id
        JOIN enrollment_category was ON was.id = m.category_id
        JOIN enrollment_category now ON now.code = s.code
    """
    return [*found, Finding("turning", turning), *conflicts(ctx, values["today"])]


def _undo(ctx: Context) -> None:
    restore(ctx, "enrollment_membership")
    undo_inserted(ctx, "enrollment_membership")


def _options(user: Any) -> tuple[Option, ...]:
    choices = tuple(Category.objects.order_by("position").values_list("code", "name"))
    return (Option("category", _("特殊群体"), choices, required=False, blank=_("各行写着（身份类别列）")),)


KIND: Final = ImportKind(
    name="category",
    label=gettext_lazy("特殊群体名单"),
    help=gettext_lazy("部门认定的低保、残疾、优抚等名单。增量名单只增加和更正，全量名单还会停掉没列出的人"),
    required=("name", "id_number"),
    optional=(
        "township", "village", "category", "certified_by", "certified_on", "valid_from", "valid_until",
        "disability_grade", "out_of_poverty", "approved",
    ),
    staging=people.STAGING,
    columns=(
        "number_index", "number_encrypted", "name", "initials", "code", "grade", "day", "starts", "until", "certified_by",
        "township_id",
    ),
    reader=reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    findings=_findings,
    undo=_undo,
    identity=RowIdentity(part="code", of=identify),
    township=township_named,
    roles=people.ROLES,
    options=_options,
    objection=_objection,
    can_be_full=True,
    writes=("enrollment_membership",),
)  # fmt: skip
