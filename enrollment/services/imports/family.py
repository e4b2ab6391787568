"""The health office's list of families (计划生育家庭): one row a couple, one record for each of the two who lives here.

Rules
- A couple is told by husband and wife, or by a person and a spouse; one of them must be a resident of the importer's.
- The kind of family, whether the birth was lawful, and the wife's birth date, which her number says: a date written
  beside it must agree.
- Somebody has one such record: told otherwise, it changes.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.services.imports.common import NO, SAME_PERSON, YES, bad_number, read_day, read_name
from enrollment.services.imports.holders import holders
from enrollment.services.imports.people import ROLES, unknown_person
from foundation.identity import ParsedNumber, read_number
from foundation.imports.engine.changes import (
    changed_fields,
    differs,
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
    together,
)
from foundation.pinyin import initials
from townships.services.imports.places import county_of, out_of_scope, whole_county
from townships.unit_names import Units

_STAGING: Final = "import_staging_family"
_COLUMNS: Final = (
    "number_index", "number_encrypted", "name", "initials", "other_index", "other_name", "other_initials", "kind",
    "lawful_birth", "wife_birth_date",
)  # fmt: skip
# Name and number of each person a row may tell, and whether she is the wife by the column alone.
_PEOPLE: Final = (
    ("husband_name", "husband_number", False), ("wife_name", "wife_number", True), ("name", "id_number", None),
    ("spouse_name", "spouse_number", None),
)  # fmt: skip
_KEPT: Final = ("kind", "lawful_birth", "wife_birth_date", "spouse_id")


def _kind_of(raw: str) -> str | Refused:
    if "独生" in raw:
        return "only_child"
    if "女" in raw and "绝育" in raw:
        return "two_daughters_not_sterilised" if "未" in raw or "没" in raw else "two_daughters_sterilised"
    return Refused(
        "unknown_family",
        _("家庭类型“%(raw)s”看不懂，应写独生子女、两女绝育或两女未绝育") % {"raw": raw[:20]},
    )


def _told(cells: dict[str, str]) -> list[tuple[str, str, bool | None]]:
    """The people a row tells by number: their fields."""
    return [each for each in _PEOPLE if cells.get(each[1])]


def _reader(ctx: Context) -> RowReader:
    units = Units(county_of(ctx), ctx.places)
    keyring, today = ctx.keyring, ctx.today

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        if village := get("village", ""):
            place = units[get("township", ""), village]
            if place is not None and not place.allowed:
                return out_of_scope()
        told = _told(cells)[:2]
        if not told:
            return Refused("empty", _("夫妻双方都没有填身份证号"), "husband_number")
        names = [_named(cells, name_field) for name_field, _number, _wife in told]
        parsed = [read_number(cells[number_field], today) for _name, number_field, _wife in told]
        numbers = [
            bad_number(number)._replace(field=field) if number.error else None
            for number, (_name, field, _wife) in zip(parsed, told, strict=True)
        ]
        kind = _kind_of(get("family_kind", ""))
        born = read_day(get("wife_birth_date", ""), _("妻子出生日期"), "wife_birth_date")
        lawful = get("lawful_birth", "")
        unclear: Refused | None = None
        if lawful and lawful not in YES | NO:
            unclear = Refused(
                "bad_flag", _("是否合法生育“%(raw)s”应写是或否") % {"raw": lawful[:10]}, "lawful_birth"
            )
        wrong = together(*names, *numbers, kind, born, unclear)
        if wrong is not None:
            return wrong
        wife = _wife(told, parsed)
        if wife is not None and born is not None and born != wife.birth_date:
            return Refused("wife_differs", _("妻子出生日期和她的身份证号不符，请核对"))
        known = wife.birth_date if wife is not None else born
        first, other = parsed[0].number, parsed[1].number if len(parsed) > 1 else ""
        return (
            "\\x" + keyring.blind_index(first).hex(), "\\x" + keyring.encrypt(first).hex(), str(names[0]),
            initials(str(names[0]))[:20], "\\x" + keyring.blind_index(other).hex() if other else "",
            str(names[1]) if other else "", initials(str(names[1]))[:20] if other else "", str(kind),
            "f" if lawful in NO else "t" if lawful else "", str(known or ""),
        )  # fmt: skip

    return read


def _named(cells: dict[str, str], field: str) -> str | Refused:
    name = read_name(cells.get(field, ""))
    return name if isinstance(name, str) else name._replace(field=field)


def _wife(told: list[tuple[str, str, bool | None]], parsed: list[ParsedNumber]) -> ParsedNumber | None:
    """Which of the two is the wife: by her column, else by what her number says."""
    for (_name, _field, wife), number in zip(told, parsed, strict=True):
        if wife or (wife is None and number.sex == "female"):
            return number
    return None


def _identify(ctx: Context) -> Identify:
    def identify(cells: dict[str, str]) -> tuple[bytes | None, str]:
        for _name, field, _wife_column in _told(cells):
            number = read_number(cells[field], ctx.today).number
            if number:
                return ctx.keyring.blind_index(number), ""
        return None, ""

    return identify


def _who(cells: dict[str, str]) -> tuple[str, str]:
    for name, number, _wife_column in _told(cells):
        return cells.get(name, ""), cells[number]
    return cells.get("husband_name", "") or cells.get("name", ""), ""


# -- across rows


def _find(ctx: Context) -> None:
    """The residents each row tells of, with the other one where he is a resident too: ``import_spouses``."""
    if "spouses" in ctx.done:
        return
    found = holders("r.id, r.township_id, r.unit_id, r.name, r.initials")
    ctx.execute("DROP TABLE IF EXISTS pg_temp.import_couples, pg_temp.import_spouses")
    ctx.execute(
        f"""
        CREATE TEMPORARY TABLE import_couples ON COMMIT DROP AS
        SELECT s.file, s.source_row, s.name AS said, s.initials AS said_initials, r.*
        FROM {_STAGING} s JOIN {found} r ON r.by_number = s.number_index WHERE s.batch = %(batch)s
        UNION ALL
        SELECT s.file, s.source_row, s.other_name, s.other_initials, r.*
        FROM {_STAGING} s JOIN {found} r ON r.by_number = s.other_index WHERE s.batch = %(batch)s
        """,
        county=county_of(ctx).pk,
    )
    ctx.execute(
        """
        CREATE TEMPORARY TABLE import_spouses ON COMMIT DROP AS
        SELECT c.file, c.source_row, c.said, c.said_initials, c.id AS resident_id, c.township_id, c.unit_id, c.name,
               c.initials, o.id AS spouse_id
        FROM import_couples c
        LEFT JOIN import_couples o ON o.file = c.file AND o.source_row = c.source_row AND o.id <> c.id
        """
    )
    ctx.execute("ANALYZE import_spouses")
    ctx.done.add("spouses")


def _check(ctx: Context) -> None:
    _find(ctx)
    answer = unknown_person(whole=whole_county(ctx, county_of(ctx)))
    ctx.refuse_staged(
        answer.code,
        answer.message,
        f"""
        SELECT s.file, s.source_row FROM {_STAGING} s WHERE s.batch = %(batch)s AND NOT EXISTS (
            SELECT FROM import_spouses p WHERE p.file = s.file AND p.source_row = s.source_row)
        """,
        field="husband_number",
    )
    same = SAME_PERSON.format(a="p.said", b="p.name", ai="p.said_initials", bi="p.initials")
    ctx.refuse_staged(
        "name_differs",
        _("姓名和号码不是同一个人，库里这个号码是%s，请核对"),
        "SELECT p.file, p.source_row, min(left(p.name, 1)) || '*' AS said FROM import_spouses p"
        f" WHERE p.said <> p.name AND NOT {same} GROUP BY p.file, p.source_row",
        field="husband_name",
    )
    ctx.refuse_staged(
        "duplicate",
        _("表内重复，和第%s行是同一家，留一行"),
        f"""
        SELECT f.file, f.source_row, min(f.first_row) AS said FROM (
            SELECT s.file, s.source_row, row_number() OVER one AS place, first_value({ROW}) OVER one AS first_row
            FROM {_STAGING} s JOIN import_spouses p ON p.file = s.file AND p.source_row = s.source_row
            WHERE s.batch = %(batch)s
            WINDOW one AS (PARTITION BY p.resident_id ORDER BY s.file, s.source_row)
        ) f WHERE f.place > 1 GROUP BY f.file, f.source_row
        """,
        field="husband_number",
    )


# A record for each of the two, and the one there is: of the same kind if there are several.
_SAID: Final = f"""
    SELECT DISTINCT ON (s.file, s.source_row, p.resident_id) s.file, s.source_row, p.resident_id, p.township_id,
           p.unit_id, p.spouse_id, s.kind, s.lawful_birth, s.wife_birth_date, k.id
    FROM {_STAGING} s
    JOIN import_spouses p ON p.file = s.file AND p.source_row = s.source_row
    LEFT JOIN enrollment_familyrecord k ON k.resident_id = p.resident_id
    WHERE s.batch = %(batch)s
    ORDER BY s.file, s.source_row, p.resident_id, k.kind = s.kind DESC NULLS LAST, k.id
"""


def _preview(ctx: Context) -> Counts:
    _find(ctx)
    new, changed, total = ctx.one(
        f"""
        SELECT count(*) FILTER (WHERE news), count(*) FILTER (WHERE moved AND NOT news), count(*) FROM (
            SELECT bool_or(f.id IS NULL) AS news, bool_or(f.id IS NOT NULL AND ({differs("f", "k", _KEPT)})) AS moved
            FROM ({_SAID}) f LEFT JOIN enrollment_familyrecord k ON k.id = f.id
            GROUP BY f.file, f.source_row
        ) couples
        """
    )
    return Counts(new, changed, total - new - changed)


def _apply(ctx: Context) -> Counts:
    changed = logged_update(
        ctx,
        table="enrollment_familyrecord",
        found=f"SELECT * FROM ({_SAID}) f WHERE f.id IS NOT NULL",
        columns=_KEPT,
    )
    new = insert_returning(
        ctx,
        "enrollment_familyrecord",
        f"""
        INSERT INTO enrollment_familyrecord (township_id, unit_id, resident_id, spouse_id, kind, lawful_birth,
            wife_birth_date, batch)
        SELECT f.township_id, f.unit_id, f.resident_id, f.spouse_id, f.kind, coalesce(f.lawful_birth, true),
               f.wife_birth_date, %(batch)s
        FROM ({_SAID}) f WHERE f.id IS NULL
        """,
    )
    return Counts(new, changed, 0)


def _findings(ctx: Context, counts: Counts) -> list[Finding]:
    if not counts.changed:
        return []
    spouse = "(SELECT r.name FROM enrollment_resident r WHERE r.id = {row}.spouse_id)"
    query = changed_fields(
        f"SELECT * FROM ({_SAID}) f WHERE f.id IS NOT NULL", "enrollment_familyrecord", _KEPT, staging=_STAGING,
        shown={"spouse_id": f"left({spouse}, 1) || '*'"},
    )  # fmt: skip
    return [Finding("changed", query)]


def _undo(ctx: Context) -> None:
    restore(ctx, "enrollment_familyrecord")
    undo_inserted(ctx, "enrollment_familyrecord")


KIND: Final = ImportKind(
    name="family_planning",
    label=gettext_lazy("计划生育家庭名单"),
    help=gettext_lazy("卫健部门的独生子女、双女家庭，一行一对夫妻：养老的计生补贴用它"),
    required=("family_kind",),
    optional=(
        "husband_name", "husband_number", "wife_name", "wife_number", "name", "id_number", "spouse_name",
        "spouse_number", "lawful_birth", "wife_birth_date", "township", "village",
    ),
    staging=_STAGING,
    columns=_COLUMNS,
    reader=_reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    findings=_findings,
    undo=_undo,
    identity=RowIdentity(of=_identify, who=_who),
    roles=ROLES,
    any_of=(("husband_number", "wife_number", "id_number"),),
    writes=("enrollment_familyrecord",),
)  # fmt: skip
