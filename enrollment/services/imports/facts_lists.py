"""Lists of deaths, of employees' insurance, of pupils and students."""

from __future__ import annotations

from datetime import date
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.services.imports import people
from enrollment.services.imports.common import PersonReader, ReadPerson, read_day, read_insurance
from enrollment.services.imports.facts import (
    Said,
    fact_kind,
    people_once,
    people_once_each,
    staged,
    unlisted,
)
from enrollment.services.imports.holders import held
from foundation.imports.engine.context import Context
from foundation.imports.kinds import Identify, Refused, RowIdentity, RowReader, StagedRow, by_number, together

# What lists call a stage of schooling, longest first where one contains another; the codes are those of the facts.
_STAGES: Final = (
    ("研究生", "postgraduate"), ("硕士", "postgraduate"), ("博士", "postgraduate"), ("技师", "technician_college"),
    ("技工", "technician_college"), ("中等职业", "vocational"), ("中职", "vocational"), ("职业高中", "vocational"),
    ("职高", "vocational"), ("中专", "vocational"), ("高中", "senior_high"), ("小学", "primary"), ("初中", "primary"),
    ("义务教育", "primary"), ("幼儿园", "primary"), ("高等", "university"), ("大学", "university"),
    ("本科", "university"), ("专科", "university"), ("大专", "university"), ("高职", "university"),
)  # fmt: skip
_STOPPED: Final = ("暂停", "终止", "停保", "退休", "注销", "中断")


def _deaths(ctx: Context) -> RowReader:
    read_person = PersonReader(ctx)

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        person = read_person(cells)
        day = read_day(cells["death_date"], _("死亡时间"), "death_date")
        if day is None:
            day = Refused("no_death_date", _("没有填死亡时间"))
        elif isinstance(day, date) and day > ctx.today:
            day = Refused("bad_date", _("死亡时间晚于今天"), "death_date")
        wrong = together(person, day)
        if wrong is not None:
            return wrong
        assert isinstance(person, ReadPerson)
        assert isinstance(day, date)
        return staged(person, day=day)

    return read


def _employees(ctx: Context) -> RowReader:
    read_person = PersonReader(ctx)

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        person = read_person(cells)
        kinds, state = cells.get("insurance", ""), cells.get("state", "")
        unknown: Refused | None = None
        stopped: Refused | None = None
        if kinds and not any(word in kinds for word in ("养老", "医")):
            unknown = Refused("unknown_insurance", _("参保险种“%(raw)s”看不懂") % {"raw": kinds[:20]})
        if any(word in state for word in _STOPPED):
            stopped = Refused(
                "not_insured_now",
                _("参保状态是“%(raw)s”，不是正在参加职工保险") % {"raw": state[:20]},
                "state",
            )
        wrong = together(person, unknown, stopped)
        if wrong is not None:
            return wrong
        assert isinstance(person, ReadPerson)
        return staged(person, code=_which(kinds))

    return read


def _which(kinds: str) -> str:
    # A list of employees that does not say which insurance means both.
    return read_insurance(kinds) or "both"


def _identify_employee(ctx: Context) -> Identify:
    return by_number(ctx, part=lambda cells: _which(cells.get("insurance", "")))


def _students(ctx: Context) -> RowReader:
    read_person = PersonReader(ctx)

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        person = read_person(cells)
        stage = cells.get("school_kind", "") or cells.get("school", "")
        code: str | Refused = next((code for word, code in _STAGES if word in stage), "") or Refused(
            "unknown_school",
            _("学段“%(raw)s”看不懂，应写小学、初中、高中、中职、大学等") % {"raw": stage[:20]},
        )
        wrong = together(person, code)
        if wrong is not None:
            return wrong
        assert isinstance(person, ReadPerson)
        assert isinstance(code, str)
        return staged(person, code=code)

    return read


_SAID_DEATH: Final = Said(
    f"SELECT s.file, s.source_row, r.id, s.day AS death_date FROM {people.FOUND} WHERE s.batch = %(batch)s",
    ("death_date",),
)
# A full list speaks of the insurance it names: one of pensions alone takes nobody's medical insurance away.
_SAID_EMPLOYED: Final = Said(
    f"""
    SELECT s.file, s.source_row, r.id, CASE WHEN s.code IN ('both', 'pension') THEN true END AS employee_pension,
           CASE WHEN s.code IN ('both', 'medical') THEN true END AS employee_medical
    FROM {people.FOUND} WHERE s.batch = %(batch)s
    """,
    ("employee_pension", "employee_medical"),
    f"""
    SELECT k.id, CASE WHEN k.employee_pension AND l.pension AND n.pension IS NOT TRUE THEN false END AS employee_pension,
           CASE WHEN k.employee_medical AND l.medical AND n.medical IS NOT TRUE THEN false END AS employee_medical
    FROM enrollment_resident k
    CROSS JOIN (
        SELECT bool_or(code IN ('both', 'pension')) AS pension, bool_or(code IN ('both', 'medical')) AS medical
        FROM {people.STAGING} WHERE batch = %(batch)s
    ) l
    LEFT JOIN (
        SELECT r.id, bool_or(s.code IN ('both', 'pension')) AS pension, bool_or(s.code IN ('both', 'medical')) AS medical
        FROM {people.FOUND} WHERE s.batch = %(batch)s GROUP BY r.id
    ) n ON n.id = k.id
    WHERE k.county_id = %(county)s AND k.merged_into_id IS NULL AND {held("k")}
        AND (k.employee_pension OR k.employee_medical)
    """,
)
_SAID_STUDENT: Final = Said(
    f"SELECT s.file, s.source_row, r.id, true AS in_school, s.code AS school FROM {people.FOUND} WHERE s.batch = %(batch)s",
    ("in_school", "school"),
    unlisted("false AS in_school, '' AS school", "k.in_school"),
)


def _before_birth(ctx: Context) -> None:
    people_once(ctx)
    ctx.refuse_staged(
        "bad_date",
        _("死亡时间早于出生日期"),
        f"SELECT s.file, s.source_row FROM {people.FOUND} WHERE s.batch = %(batch)s AND s.day < r.birth_date",
        field="death_date",
    )


DEATHS: Final = fact_kind(
    _SAID_DEATH,
    name="deaths",
    label=gettext_lazy("死亡名单"),
    says=gettext_lazy("登记死亡日期：此后不再收缴，已收的转核对"),
    required=("name", "id_number", "death_date"),
    optional=("township", "note"),
    reader=_deaths,
    check=_before_birth,
)
EMPLOYEES: Final = fact_kind(
    _SAID_EMPLOYED,
    name="employee_insured",
    label=gettext_lazy("职工参保人员名单"),
    says=gettext_lazy("标记已参加职工养老或职工医保的人"),
    required=("name", "id_number"),
    optional=("insurance", "state", "employer"),
    reader=_employees,
    check=people_once_each,
    identity=RowIdentity(part="code", of=_identify_employee),
)
STUDENTS: Final = fact_kind(
    _SAID_STUDENT,
    name="students",
    label=gettext_lazy("在校学生名单"),
    says=gettext_lazy("标记在校和学段：在校学生不参加居民养老保险"),
    required=("name", "id_number"),
    optional=("school", "school_kind", "township", "village"),
    reader=_students,
    any_of=(("school_kind", "school"),),
)
