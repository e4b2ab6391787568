"""Lists that state a fact of residents: deaths, employees' insurance, pupils and students.

A list says what is; it does not say what is not: who is missing from it keeps what the register knows. It names many who
are in no register of ours (most employees, most of the dead): they are passed over and counted, not sent back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.services.imports import people
from enrollment.services.imports.common import (
    PersonReader,
    ReadPerson,
    logged_update,
    read_day,
    read_insurance,
    restore,
)
from foundation.imports.engine.context import Context
from foundation.imports.kinds import (
    Counts,
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

# What lists call a stage of schooling, longest first where one contains another; the codes are those of the facts.
_STAGES: Final = (
    ("研究生", "postgraduate"), ("硕士", "postgraduate"), ("博士", "postgraduate"), ("技师", "technician_college"),
    ("技工", "technician_college"), ("中等职业", "vocational"), ("中职", "vocational"), ("职业高中", "vocational"),
    ("职高", "vocational"), ("中专", "vocational"), ("高中", "senior_high"), ("小学", "primary"), ("初中", "primary"),
    ("义务教育", "primary"), ("幼儿园", "primary"), ("高等", "university"), ("大学", "university"),
    ("本科", "university"), ("专科", "university"), ("大专", "university"), ("高职", "university"),
)  # fmt: skip
_STOPPED: Final = ("暂停", "终止", "停保", "退休", "注销", "中断")


def _staged(person: ReadPerson, *, code: str = "", day: date | None = None) -> StagedRow:
    return (
        person.number_index, person.number_encrypted, person.name, initials(person.name)[:20], code, "",
        str(day or ""), "", "",
    )  # fmt: skip


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
        return _staged(person, day=day)

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
        return _staged(person, code=_which(kinds))

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
        return _staged(person, code=code)

    return read


_SAID_DEATH: Final = (
    f"SELECT r.id, s.day AS death_date FROM {people.FOUND} WHERE s.batch = %(batch)s",
    ("death_date",),
)
_SAID_EMPLOYED: Final = (
    f"""
    SELECT r.id, CASE WHEN s.code IN ('both', 'pension') THEN true END AS employee_pension,
           CASE WHEN s.code IN ('both', 'medical') THEN true END AS employee_medical
    FROM {people.FOUND} WHERE s.batch = %(batch)s
    """,
    ("employee_pension", "employee_medical"),
)
_SAID_STUDENT: Final = (
    f"SELECT r.id, true AS in_school, s.code AS school FROM {people.FOUND} WHERE s.batch = %(batch)s",
    ("in_school", "school"),
)


def _before_birth(ctx: Context) -> None:
    people.check_people(ctx, unknown_go_back=False)
    ctx.refuse_staged(
        "bad_date",
        _("死亡时间早于出生日期"),
        f"SELECT s.file, s.source_row FROM {people.FOUND} WHERE s.batch = %(batch)s AND s.day < r.birth_date",
    )


def _people_once_each(ctx: Context) -> None:
    # A person may stand under each insurance once.
    people.check_people(ctx, by_code=True, unknown_go_back=False)


def _people_once(ctx: Context) -> None:
    people.check_people(ctx, unknown_go_back=False)


def _preview(said: tuple[str, tuple[str, ...]]) -> Callable[[Context], Counts]:
    query, columns = said
    differs = " OR ".join(f"(f.{c} IS NOT NULL AND f.{c} IS DISTINCT FROM t.{c})" for c in columns)
    first = columns[0]

    def preview(ctx: Context) -> Counts:
        people.find(ctx)
        # A fact the register did not have is new; one it had differently is a change.
        new, changed, staged = ctx.one(
            f"""
            SELECT count(*) FILTER (WHERE ({differs}) AND (t.{first} IS NULL OR t.{first}::text = 'false')),
                   count(*) FILTER (WHERE ({differs}) AND t.{first} IS NOT NULL AND t.{first}::text <> 'false'),
                   (SELECT count(*) FROM {people.STAGING} WHERE batch = %(batch)s)
            FROM ({query}) f JOIN enrollment_resident t ON t.id = f.id
            """,
        )
        return Counts(new, changed, staged - new - changed)

    return preview


def _apply(said: tuple[str, tuple[str, ...]]) -> Callable[[Context], Counts]:
    query, columns = said

    def apply(ctx: Context) -> Counts:
        # Two rows of one person (two insurances) become one change.
        merged = ", ".join(
            f"bool_or({c}) AS {c}" if c.startswith(("employee", "in_")) else f"max({c}) AS {c}"
            for c in columns
        )
        changed = logged_update(
            ctx,
            table="enrollment_resident",
            found=f"SELECT id, {merged} FROM ({query}) one GROUP BY id",
            columns=columns,
        )
        return Counts(0, changed, 0)

    return apply


def _undo(ctx: Context) -> None:
    restore(ctx, "enrollment_resident")


_PERSON: Final = RowIdentity()


def _kind(
    said: tuple[str, tuple[str, ...]],
    *,
    name: str,
    label: Any,
    says: Any,
    required: tuple[str, ...],
    optional: tuple[str, ...],
    reader: Callable[[Context], RowReader],
    check: Callable[[Context], None],
    any_of: tuple[tuple[str, ...], ...] = (),
    identity: RowIdentity = _PERSON,
) -> ImportKind:
    return ImportKind(
        name=name,
        label=label,
        help=says,
        required=required,
        optional=optional,
        staging=people.STAGING,
        columns=people.COLUMNS,
        reader=reader,
        check=check,
        preview=_preview(said),
        apply=_apply(said),
        undo=_undo,
        roles=people.ROLES,
        any_of=any_of,
        identity=identity,
    )


DEATHS: Final = _kind(
    _SAID_DEATH,
    name="deaths",
    label=gettext_lazy("死亡名单"),
    says=gettext_lazy("登记死亡日期：此后不再收缴，已收的转核对"),
    required=("name", "id_number", "death_date"),
    optional=("township", "note"),
    reader=_deaths,
    check=_before_birth,
)
EMPLOYEES: Final = _kind(
    _SAID_EMPLOYED,
    name="employee_insured",
    label=gettext_lazy("职工参保人员名单"),
    says=gettext_lazy("标记已参加职工养老或职工医保的人"),
    required=("name", "id_number"),
    optional=("insurance", "state", "employer"),
    reader=_employees,
    check=_people_once_each,
    identity=RowIdentity(part="code", of=_identify_employee),
)
STUDENTS: Final = _kind(
    _SAID_STUDENT,
    name="students",
    label=gettext_lazy("在校学生名单"),
    says=gettext_lazy("标记在校和学段：在校学生不参加居民养老保险"),
    required=("name", "id_number"),
    optional=("school", "school_kind", "township", "village"),
    reader=_students,
    check=_people_once,
    any_of=(("school_kind", "school"),),
)
