"""What every list of people shares: staged by name and number, matched to the register, or sent back."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _

from enrollment.services.imports.common import SAME_PERSON, plan_options
from enrollment.services.imports.holders import holders
from foundation.imports.engine.context import ROW, Context
from foundation.imports.kinds import Refused
from townships.services.imports.places import county_of, whole_county

STAGING: Final = "import_staging_person"
COLUMNS: Final = (
    "number_index", "number_encrypted", "name", "initials", "code", "grade", "day", "until", "certified_by",
)  # fmt: skip
ROLES: Final = frozenset(
    {"admin", "medical_bureau", "hr_bureau", "tax_bureau", "department", "township_clerk"}
)

# The staged people with the residents they are (``find``); every reading and writing of a list starts here.
FOUND: Final = (
    "import_staging_person s JOIN import_found r ON r.file = s.file AND r.source_row = s.source_row"
)
_FACTS: Final = (
    "id", "township_id", "unit_id", "name", "initials", "birth_date", "death_date", "employee_pension",
    "employee_medical", "registration_area",
)  # fmt: skip

options = plan_options


def find(ctx: Context) -> None:
    """Look the staged people up, once a run: the register is read by number one time, whatever is asked afterwards."""
    if "people" in ctx.done:
        return
    ctx.execute("DROP TABLE IF EXISTS pg_temp.import_found")
    ctx.execute(
        f"""
        CREATE TEMPORARY TABLE import_found ON COMMIT DROP AS
        SELECT s.file, s.source_row, {", ".join(f"r.{name}" for name in _FACTS)}
        FROM {STAGING} s JOIN {holders(", ".join(f"r.{name}" for name in _FACTS))} r ON r.by_number = s.number_index
        WHERE s.batch = %(batch)s
        """,
        county=county_of(ctx).pk,
    )
    ctx.execute("ANALYZE import_found")
    ctx.done.add("people")


def refuse_repeated(ctx: Context, *, by_code: bool) -> int:
    """The same person twice, by whatever numbers; with ``by_code`` she may stand once under each code."""
    also = ", s.code" if by_code else ""
    return ctx.refuse_staged(
        "duplicate",
        _("表内重复，和第%s行是同一个人，留一行"),
        f"""
        SELECT f.file, f.source_row, f.first_row AS said FROM (
            SELECT s.file, s.source_row, row_number() OVER one AS place, first_value({ROW}) OVER one AS first_row
            FROM {STAGING} s LEFT JOIN import_found r ON r.file = s.file AND r.source_row = s.source_row
            WHERE s.batch = %(batch)s
            WINDOW one AS (PARTITION BY r.id, CASE WHEN r.id IS NULL THEN s.number_index END{also}
                           ORDER BY s.file, s.source_row)
        ) f WHERE f.place > 1
        """,
    )


def unknown_person(*, whole: bool) -> Refused:
    """The answer for a number nobody in the importer's places holds: the same whether somebody elsewhere does or nobody."""
    if whole:
        return Refused(
            "unknown_person", _("本县区没有这个人（按身份证号找不到），请核对号码，或先办参保登记")
        )
    return Refused("unknown_person", _("您的管辖范围内没有这个人（按身份证号找不到），请核对号码"))


def refuse_unknown(ctx: Context) -> int:
    """Send back the numbers nobody in the importer's places holds."""
    answer = unknown_person(whole=whole_county(ctx, county_of(ctx)))
    return ctx.refuse_staged(answer.code, answer.message, _NOBODY)


# Staged people who are nobody of the importer's.
_NOBODY: Final = f"""
    SELECT s.file, s.source_row FROM {STAGING} s
    WHERE s.batch = %(batch)s AND NOT EXISTS (
        SELECT FROM import_found r WHERE r.file = s.file AND r.source_row = s.source_row)
"""


def pass_over_unknown(ctx: Context) -> int:
    """Numbers the register does not hold in a list that only states facts of residents: nothing to correct.

    They join with nobody (``FOUND``), and are told as a number; a clerk cannot tell from it whether somebody elsewhere
    holds one.
    """
    passed = int(ctx.one(f"SELECT count(*) FROM ({_NOBODY}) n")[0])
    if passed:
        ctx.warnings["not_in_register"] = passed
    return passed


def refuse_other_name(ctx: Context) -> int:
    """Somebody else's number. A spelling of the same name stays, and is counted as a warning."""
    same = SAME_PERSON.format(a="s.name", b="r.name", ai="s.initials", bi="r.initials")
    refused = ctx.refuse_staged(
        "name_differs",
        _("姓名和号码不是同一个人，库里这个号码是%s，请核对"),
        f"SELECT s.file, s.source_row, left(r.name, 1) || '*' AS said FROM {FOUND}"
        f" WHERE s.batch = %(batch)s AND s.name <> r.name AND NOT {same}",
    )
    spelled = ctx.one(f"SELECT count(*) FROM {FOUND} WHERE s.batch = %(batch)s AND s.name <> r.name")[0]
    if spelled:
        ctx.warnings["name_spelled_otherwise"] = spelled
    return refused


def check_people(ctx: Context, *, by_code: bool = False, unknown_go_back: bool = True) -> None:
    """The checks every list shares, in the order a sender would ask them."""
    find(ctx)
    if unknown_go_back:
        refuse_unknown(ctx)
    refuse_other_name(ctx)
    refuse_repeated(ctx, by_code=by_code)
    if not unknown_go_back:
        pass_over_unknown(ctx)
