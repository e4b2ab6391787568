"""The health office's families in: a record for each spouse who lives here, corrected by the next list, taken back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from enrollment.models import FamilyRecord
from foundation.identity import make_number
from foundation.imports.services.apply import undo
from foundation.scope.context import places_scope
from tests.factories import make_resident
from tests.imports.office import Desk

HUSBAND, WIFE = make_number("370406", date(1970, 3, 3), 11), make_number("370406", date(1972, 4, 4), 12)
OUTSIDER = make_number("320506", date(1971, 5, 5), 14)


def _row(**values: str) -> dict[str, str]:
    return {
        "镇街": "甲镇", "村(居)": "东村", "丈夫姓名": "张东", "丈夫身份证号": HUSBAND, "妻子姓名": "李晓", "妻子身份证号": WIFE,
        "家庭类型": "独生子女", "是否合法生育": "是", "妻子出生日期": "1972-04-04",
    } | values  # fmt: skip


@pytest.fixture
def couple(desk: Desk) -> tuple[Any, Any]:
    """Husband and wife of 东村."""
    return (
        make_resident(desk.cast, desk.cast.dong, name="张东", number=HUSBAND, sex="male"),
        make_resident(desk.cast, desk.cast.dong, name="李晓", number=WIFE, sex="female"),
    )


def _records(desk: Desk) -> list[tuple[Any, ...]]:
    with places_scope(desk.cast.places):
        rows = FamilyRecord.objects.order_by("resident__name")
        return list(
            rows.values_list("resident__name", "spouse__name", "kind", "lawful_birth", "wife_birth_date")
        )


def test_a_couple_has_a_record_each(desk: Desk, couple: Any) -> None:
    """Both with the wife's birth date; the same list again changes nothing; a kind told otherwise changes both."""
    assert desk.take("family_planning", [_row()]).new_count == 1
    born = date(1972, 4, 4)
    assert _records(desk) == [
        ("张东", "李晓", "only_child", True, born), ("李晓", "张东", "only_child", True, born),
    ]  # fmt: skip
    assert desk.take("family_planning", [_row()]).unchanged_count == 1
    batch = desk.take("family_planning", [_row(家庭类型="两女未绝育", 是否合法生育="否")])
    assert (batch.new_count, batch.changed_count) == (0, 1)
    assert [row[2:4] for row in _records(desk)] == [("two_daughters_not_sterilised", False)] * 2
    with places_scope(desk.cast.places):
        undo(by=None, batch=batch, places=desk.cast.places)
    assert [row[2:4] for row in _records(desk)] == [("only_child", True)] * 2


def test_a_spouse_from_elsewhere_leaves_one_record(desk: Desk, couple: Any) -> None:
    """Who lives here has it, with her birth date, whoever the other is; a widow's row tells of her alone."""
    row = _row(丈夫姓名="外人", 丈夫身份证号=OUTSIDER, 家庭类型="双女绝育")
    desk.take("family_planning", [row])
    assert _records(desk) == [("李晓", None, "two_daughters_sterilised", True, date(1972, 4, 4))]
    desk.take("family_planning", [_row(丈夫姓名="", 丈夫身份证号="", 家庭类型="双女绝育")])
    assert len(_records(desk)) == 1


def test_a_list_of_a_person_and_a_spouse_is_the_same(desk: Desk, couple: Any) -> None:
    """Who is the wife, the numbers say."""
    row = {
        "姓名": "李晓",
        "身份证号": WIFE,
        "配偶姓名": "张东",
        "配偶身份证号": HUSBAND,
        "家庭类型": "独生子女父母",
    }
    desk.take("family_planning", [row])
    assert {row[4] for row in _records(desk)} == {date(1972, 4, 4)}
    assert len(_records(desk)) == 2


def test_rows_that_cannot_be_kept_go_back(desk: Desk, couple: Any) -> None:
    """No number, nobody here, another name, another date, an unclear kind, a family twice; everything wrong is told."""
    rows = [
        _row(),
        _row(),
        _row(丈夫身份证号="", 妻子身份证号=""),
        _row(丈夫姓名="外人", 丈夫身份证号=OUTSIDER, 妻子姓名="", 妻子身份证号="", 妻子出生日期=""),
        _row(丈夫姓名="王五六"),
        _row(妻子出生日期="1972-05-05"),
        _row(家庭类型="双女户", 妻子身份证号=WIFE[:-1], 是否合法生育="大概"),
    ]
    batch = desk.take("family_planning", rows)
    assert [(row, code) for row, code, _message in desk.messages(batch)] == [
        (3, "duplicate"), (4, "empty"), (5, "unknown_person"), (6, "name_differs"), (7, "wife_differs"),
        (8, "bad_length"),
    ]  # fmt: skip
    message = desk.messages(batch)[-1][2]
    assert "应写独生子女、两女绝育或两女未绝育" in message
    assert "应写是或否" in message


def test_a_clerk_writes_of_her_own_people_alone(desk: Desk, couple: Any) -> None:
    """A couple of another township, existing or not, is told the same way; a village that is not hers before that."""
    make_resident(desk.cast, desk.cast.nan, name="外人", number=OUTSIDER)
    nobody = make_number("370406", date(1971, 6, 6), 15)
    clerk = desk.cast.user("township_clerk")
    alone = {"妻子姓名": "", "妻子身份证号": "", "妻子出生日期": "", "丈夫姓名": "外人"}
    rows = [
        _row(**alone, 丈夫身份证号=OUTSIDER), _row(**alone, 丈夫身份证号=nobody),
        _row(**alone, 丈夫身份证号=OUTSIDER) | {"镇街": "乙镇", "村(居)": "南村"}, _row(),
    ]  # fmt: skip
    batch = desk.take("family_planning", rows, by=clerk)
    told = desk.messages(batch)
    assert [code for _row, code, _message in told] == ["unknown_person", "unknown_person", "out_of_scope"]
    assert told[0][2] == told[1][2]
    assert batch.new_count == 1
