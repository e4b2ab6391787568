"""What every list of people shares: staged by name and number, matched to the register, or sent back."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _

from enrollment.services.imports.common import SAME_PERSON, county_of, plan_options, whole_county
from foundation.imports.engine.context import Context
from foundation.imports.kinds import Refused

STAGING: Final = "import_staging_person"
COLUMNS: Final = (
    "number_index", "number_encrypted", "name", "initials", "code", "grade", "day", "until", "certified_by",
)  # fmt: skip
ROLES: Final = frozenset(
    {"admin", "medical_bureau", "hr_bureau", "tax_bureau", "department", "township_clerk"}
)

# The staged people with the residents they are; every reading and writing of a list starts here.
FOUND: Final = """
    import_staging_person s
    JOIN enrollment_resident r
        ON r.county_id = %(county)s AND r.number_index = s.number_index AND r.merged_into_id IS NULL
"""

options = plan_options


def county_id(ctx: Context) -> int:
    """The parameter ``county`` of ``FOUND``."""
    return county_of(ctx).pk


def refuse_repeated(ctx: Context, *, by_code: bool) -> int:
    """The same number twice; with ``by_code`` a person may stand once under each code."""
    also = ", s.code" if by_code else ""
    return ctx.refuse_staged(
        "duplicate",
        _("表内重复，和第%s行是同一个人，留一行"),
        f"""
        SELECT f.file, f.source_row, f.first_row AS said FROM (
            SELECT s.file, s.source_row, row_number() OVER one AS place, first_value(s.source_row) OVER one AS first_row
            FROM {STAGING} s WHERE s.batch = %(batch)s
            WINDOW one AS (PARTITION BY s.number_index{also} ORDER BY s.file, s.source_row)
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
    county = county_of(ctx)
    answer = unknown_person(whole=whole_county(ctx, county))
    return ctx.refuse_staged(
        answer.code,
        answer.message,
        f"""
        SELECT s.file, s.source_row FROM {STAGING} s
        LEFT JOIN enrollment_resident r
            ON r.county_id = %(county)s AND r.number_index = s.number_index AND r.merged_into_id IS NULL
        WHERE s.batch = %(batch)s AND r.id IS NULL
        """,
        county=county.pk,
    )


def pass_over_unknown(ctx: Context) -> int:
    """Numbers the register does not hold in a list that only states facts of residents: nothing to correct.

    They join with nobody (``FOUND``), and are told as a number; a clerk cannot tell from it whether somebody elsewhere
    holds one.
    """
    passed = int(
        ctx.one(
            f"""
            SELECT count(*) FROM {STAGING} s WHERE s.batch = %(batch)s AND NOT EXISTS (
                SELECT FROM enrollment_resident r
                WHERE r.county_id = %(county)s AND r.number_index = s.number_index AND r.merged_into_id IS NULL)
            """,
            county=county_id(ctx),
        )[0]
    )
    if passed:
        ctx.warnings["not_in_register"] = passed
    return passed


def refuse_other_name(ctx: Context) -> int:
    """Somebody else's number. A spelling of the same name stays, and is counted as a warning."""
    same = SAME_PERSON.format(a="s.name", b="r.name", ai="s.initials", bi="r.initials")
    county = county_id(ctx)
    refused = ctx.refuse_staged(
        "name_differs",
        _("姓名和号码不是同一个人，库里这个号码是%s，请核对"),
        f"SELECT s.file, s.source_row, left(r.name, 1) || '*' AS said FROM {FOUND}"
        f" WHERE s.batch = %(batch)s AND s.name <> r.name AND NOT {same}",
        county=county,
    )
    spelled = ctx.one(
        f"SELECT count(*) FROM {FOUND} WHERE s.batch = %(batch)s AND s.name <> r.name", county=county
    )[0]
    if spelled:
        ctx.warnings["name_spelled_otherwise"] = spelled
    return refused


def check_people(ctx: Context, *, by_code: bool = False, unknown_go_back: bool = True) -> None:
    """The checks every list shares, in the order a sender would ask them."""
    if unknown_go_back:
        refuse_unknown(ctx)
    refuse_other_name(ctx)
    refuse_repeated(ctx, by_code=by_code)
    if not unknown_go_back:
        pass_over_unknown(ctx)
