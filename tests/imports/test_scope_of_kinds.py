"""A clerk's file that names another township's people, kind by kind: she learns which rows are not hers, and nothing else.

The same file is sent about somebody of 乙镇 who exists and about nobody at all: words, counts, what is shown before applying
and the number of questions asked of the database are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollment.models import Category, Membership, Resident
from foundation.identity import make_number
from foundation.imports.kinds import ImportRefused, kinds_for
from foundation.imports.models import ImportBatch
from foundation.scope.context import places_scope
from tests.factories import make_registration, make_resident
from tests.imports.office import Desk, number_of, registration_row

BORN = date(1966, 6, 6)
THERE, NOWHERE, FIRST = (make_number("370406", BORN, n) for n in (21, 23, 25))
NAME = "赵南山"
Row = Callable[[str], dict[str, str]]

# A row about a number, for each kind a clerk sends: in 乙镇 by its words, and without a place.
IN_PLACE: dict[str, Row] = {
    "registration": lambda n: registration_row(**{"镇街": "乙镇", "村(居)": "南村", "姓名": NAME, "身份证号": n}),
    "category": lambda n: {"姓名": NAME, "身份证号": n, "镇街": "乙镇", "村(居)": "南村", "身份类别": "低保"},
    "family_planning": lambda n: {
        "镇街": "乙镇", "村(居)": "南村", "丈夫姓名": NAME, "丈夫身份证号": n, "妻子姓名": "", "妻子身份证号": "",
        "家庭类型": "独生子女",
    },
    "last_year_payments": lambda n: {
        "姓名": NAME, "身份证号": n, "险种": "医疗", "实缴金额": "320", "镇街": "乙镇", "村(居)": "南村",
    },
    "collecting_units": lambda n: {"单位名称": "南村" if n == THERE else f"没有的{n[-4:]}村", "镇街": "乙镇", "类型": "村居"},
}  # fmt: skip
WITHOUT: dict[str, Row] = {
    "category": lambda n: {"姓名": NAME, "身份证号": n, "身份类别": "低保"},
    "deaths": lambda n: {"姓名": NAME, "身份证号": n, "死亡时间": "2022-10-01"},
    "employee_insured": lambda n: {"姓名": NAME, "身份证号": n, "参保险种": "职工基本医疗保险"},
    "students": lambda n: {"姓名": NAME, "身份证号": n, "学段": "大学"},
    "residence_permits": lambda n: {"姓名": NAME, "身份证号": n, "持证方式": "本人"},
    "paid_elsewhere": lambda n: {"姓名": NAME, "身份证号": n, "参保地类型": "市外"},
    "enrolment_history": lambda n: {"姓名": NAME, "身份证号": n, "中断年数": "2"},
    "family_planning": lambda n: {"丈夫姓名": NAME, "丈夫身份证号": n, "家庭类型": "独生子女"},
    "last_year_payments": lambda n: {"姓名": NAME, "身份证号": n, "险种": "医疗", "实缴金额": "320"},
}
# The county's own business: a clerk does not send them.
OF_THE_COUNTY = {"household_register", "targets", "bank_statement", "tax_results"}


@pytest.fixture
def foreigner(desk: Desk) -> Resident:
    """Somebody of 乙镇 of whom there is a lot to learn: registered, listed, employed."""
    person = make_resident(
        desk.cast, desk.cast.nan, name=NAME, number=THERE, birth_date=BORN, employee_medical=True
    )
    make_registration(desk.cast, person, desk.plan)
    with places_scope(desk.cast.places):
        Membership.objects.create(
            township_id=person.township_id, unit_id=person.unit_id, resident=person, valid_from=date(2020, 1, 1),
            category=Category.objects.get(code="dibao"),
        )  # fmt: skip
    return person


def _told(desk: Desk, kind: str, row: dict[str, str], **values: Any) -> tuple[Any, ...]:
    """Everything a clerk learns from a file with this row, but its number."""
    clerk = desk.cast.user("township_clerk")
    with CaptureQueriesContext(connection) as asked:
        batch = desk.take(kind, [row], by=clerk, **values)
    counts = (
        batch.read_count, batch.accepted_count, batch.new_count, batch.changed_count, batch.unchanged_count,
        batch.rejected_count,
    )  # fmt: skip
    shown = list(batch.findings.values_list("section", "count"))
    summary = {key: value for key, value in batch.summary.items() if key != "same_as"}
    return counts, batch.reasons, desk.messages(batch), shown, summary, len(asked.captured_queries)


def _both(desk: Desk, kind: str, row: Row) -> list[tuple[Any, ...]]:
    """What is told of who exists elsewhere, and of nobody; a file before them has warmed what is remembered."""
    return [_told(desk, kind, row(number)) for number in (FIRST, THERE, NOWHERE)][1:]


def _as_it_was(person: Resident) -> tuple[Any, ...]:
    person.refresh_from_db()
    return (
        person.death_date, person.in_school, person.residence_permit, person.other_enrolment, person.employee_pension,
        person.memberships.count(), person.family_records.count(), person.registrations.get().missed_years,
    )  # fmt: skip


@pytest.mark.parametrize("kind", sorted(IN_PLACE))
def test_rows_of_another_township_say_so_whoever_they_name(
    desk: Desk, foreigner: Resident, kind: str
) -> None:
    """不在您的管辖范围, for who exists and for who does not alike."""
    there, nowhere = _both(desk, kind, IN_PLACE[kind])
    assert there == nowhere
    assert [(code, message) for _row, code, message in there[2]] == [("out_of_scope", "不在您的管辖范围")]
    assert not ImportBatch.objects.exclude(accepted_count=0).exists()


@pytest.mark.parametrize("kind", sorted(WITHOUT))
def test_numbers_of_another_township_are_numbers_of_nobody(
    desk: Desk, foreigner: Resident, kind: str
) -> None:
    """Without a place: whoever holds the number elsewhere is as unknown as nobody, and stays as she was."""
    with places_scope(desk.cast.places):
        before = _as_it_was(foreigner)
    there, nowhere = _both(desk, kind, WITHOUT[kind])
    assert there == nowhere
    with places_scope(desk.cast.places):
        assert _as_it_was(foreigner) == before


@pytest.mark.parametrize("kind", ["employee_insured", "students", "residence_permits", "paid_elsewhere"])
def test_a_clerks_full_list_ends_nobody_elsewhere(desk: Desk, foreigner: Resident, kind: str) -> None:
    """What a full list leaves out is taken from her own people alone, and nobody else is shown."""
    with places_scope(desk.cast.places):
        Resident.objects.update(in_school=True, school="university", residence_permit="true")
        Resident.objects.update(other_enrolment="medical_outside_pool_city", employee_pension=True)
        before = _as_it_was(foreigner)
    told = _told(desk, kind, WITHOUT[kind](NOWHERE), full_list=True)
    assert told[3] == []
    assert told[4]["closed"] == 0
    with places_scope(desk.cast.places):
        assert _as_it_was(foreigner) == before


def test_every_kind_is_asked(desk: Desk) -> None:
    """A kind added for clerks without a row here fails."""
    clerks = {kind.name for kind in kinds_for(desk.cast.user("township_clerk"))}
    assert clerks == set(IN_PLACE) | set(WITHOUT)
    every = {kind.name for role in desk.cast.users.values() for kind in kinds_for(role)}
    assert every - clerks == OF_THE_COUNTY
    for kind in sorted(OF_THE_COUNTY):
        with pytest.raises(ImportRefused, match="岗位不能导入"):
            desk.checked(kind, [{"姓名": NAME, "身份证号": number_of()}], by=desk.cast.user("township_clerk"))
