"""Enrolment history (参保历史): years missed, years paid for since, and who enrols for the first time.

It is kept with the registration of the plan's year, where waiting times are counted from. A resident who is not registered
goes back: there is nothing it could stand with. A file that names no insurance means the medical one.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.services.imports import people
from enrollment.services.imports.common import (
    NO,
    YES,
    PersonReader,
    ReadPerson,
    other_year,
    plan_of,
    plan_options,
    read_insurance,
)
from foundation.imports.engine.changes import changed_fields, differs, logged_update, restore
from foundation.imports.engine.context import Context
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
from foundation.pinyin import initials

_MOST: Final = 60
_KEPT: Final = ("missed_years", "repaired_years", "is_new")
_SAID: Final = f"""
    SELECT s.file, s.source_row, g.id, s.missed_years, s.repaired_years, s.is_new
    FROM {people.FOUND}
    JOIN enrollment_registration g
        ON g.resident_id = r.id AND g.insurance = s.code AND g.coverage_year = %(year)s
    WHERE s.batch = %(batch)s
"""


def _insurance(cells: dict[str, str]) -> str:
    raw = cells.get("insurance", "")
    return read_insurance(raw) if raw else "medical"


def _years(raw: str, label: str, field: str) -> str | Refused:
    text = raw.removesuffix("年")
    if not text or (text.isascii() and text.isdigit() and int(text) <= _MOST):
        return text
    return Refused("bad_years", _("%(label)s“%(raw)s”不是年数") % {"label": label, "raw": raw[:10]}, field)


def _first(raw: str, year: int) -> str | Refused:
    """Whether somebody enrols for the first time: said outright, or by the year or day of the first enrolment."""
    if not raw or raw in YES | NO:
        return "" if not raw else "t" if raw in YES else "f"
    if raw[:4].isascii() and raw[:4].isdigit() and 1990 <= int(raw[:4]) <= year:
        return "t" if int(raw[:4]) == year else "f"
    return Refused("bad_first", _("首次参保“%(raw)s”看不懂，应写是、否或年度") % {"raw": raw[:10]})


def _reader(ctx: Context) -> RowReader:
    read_person, plan = PersonReader(ctx), plan_of(ctx)
    year, offered = str(plan.coverage_year), frozenset(plan.insurances)

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        person, insurance = read_person(cells), _insurance(cells)
        unknown: Refused | None = None
        if insurance not in offered:
            unknown = Refused(
                "unknown_insurance", _("险种“%(raw)s”不在方案内") % {"raw": get("insurance", "")[:20]}
            )
        another = other_year(get("year", ""), year) if get("year", year)[:4] not in {year, ""} else None
        missed = _years(get("missed_years", ""), _("中断年数"), "missed_years")
        repaired = _years(get("repaired_years", ""), _("补缴年数"), "repaired_years")
        first = _first(get("first_enrolment", ""), plan.coverage_year)
        wrong = together(person, unknown, another, missed, repaired, first)
        if wrong is not None:
            return wrong
        assert isinstance(person, ReadPerson)
        assert isinstance(missed, str)
        assert isinstance(repaired, str)
        assert isinstance(first, str)
        if missed and repaired and int(repaired) > int(missed):
            return Refused("bad_years", _("补缴年数多于中断年数，请核对"), "repaired_years")
        return (
            person.number_index, person.number_encrypted, person.name, initials(person.name)[:20], insurance,
            missed, repaired, first,
        )  # fmt: skip

    return read


def _identify(ctx: Context) -> Identify:
    return by_number(ctx, part=_insurance)


def _check(ctx: Context) -> None:
    people.check_people(ctx, by_code=True, unknown_go_back=False)
    ctx.refuse_staged(
        "not_registered",
        _("这个人没有本年度这一险种的参保登记，请先登记再导入"),
        f"""
        SELECT s.file, s.source_row FROM {people.FOUND}
        LEFT JOIN enrollment_registration g
            ON g.resident_id = r.id AND g.insurance = s.code AND g.coverage_year = %(year)s
        WHERE s.batch = %(batch)s AND g.id IS NULL
        """,
        year=plan_of(ctx).coverage_year,
    )


def _preview(ctx: Context) -> Counts:
    people.find(ctx)
    changed, total = ctx.one(
        f"""
        SELECT count(*) FILTER (WHERE {differs("f", "g", _KEPT)}),
               (SELECT count(*) FROM {people.STAGING} WHERE batch = %(batch)s)
        FROM ({_SAID}) f JOIN enrollment_registration g ON g.id = f.id
        """,
        year=plan_of(ctx).coverage_year,
    )
    return Counts(0, changed, total - changed)


def _apply(ctx: Context) -> Counts:
    changed = logged_update(
        ctx,
        table="enrollment_registration",
        found=_SAID,
        columns=_KEPT,
        year=plan_of(ctx).coverage_year,
    )
    return Counts(0, changed, 0)


def _findings(ctx: Context, counts: Counts) -> list[Finding]:
    if not counts.changed:
        return []
    query = changed_fields(_SAID, "enrollment_registration", _KEPT, staging=people.STAGING)
    return [Finding("changed", query, {"year": plan_of(ctx).coverage_year})]


def _undo(ctx: Context) -> None:
    restore(ctx, "enrollment_registration")


KIND: Final = ImportKind(
    name="enrolment_history",
    label=gettext_lazy("参保历史"),
    help=gettext_lazy("中断和补缴了几年、是不是首次参保：算待遇等待期要用"),
    required=("name", "id_number"),
    optional=("insurance", "year", "missed_years", "repaired_years", "first_enrolment"),
    staging=people.STAGING,
    columns=(
        "number_index", "number_encrypted", "name", "initials", "code", "missed_years", "repaired_years", "is_new",
    ),
    reader=_reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    findings=_findings,
    undo=_undo,
    identity=RowIdentity(part="code", of=_identify),
    roles=frozenset({"admin", "tax_bureau", "medical_bureau", "hr_bureau", "township_clerk"}),
    options=plan_options,
    needs_plan=True,
    any_of=(("missed_years", "repaired_years", "first_enrolment"),),
    writes=("enrollment_registration",),
)  # fmt: skip
