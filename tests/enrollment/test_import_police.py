"""The police's household register in: beside ours, at the unit of its address, ended by a full list, taken back whole."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from enrollment.models import PoliceRecord, Resident
from foundation.clock.services import set_business_date
from foundation.imports.services.apply import undo
from foundation.scope.context import places_scope
from tests.factories import make_resident
from tests.imports.office import Desk, number_of

TODAY = date(2022, 11, 30)


def _row(name: str, sequence: int, **values: str) -> dict[str, str]:
    return {
        "户号": "370406001", "姓名": name, "身份证号": number_of(sequence=sequence), "与户主关系": "户主",
        "住址": "枣庄市山亭区甲镇东村1号", "性别": "男", "出生日期": "1985-05-05",
    } | values  # fmt: skip


@pytest.fixture(autouse=True)
def today(desk: Desk) -> None:
    """A day in the season."""
    set_business_date(county_code=desk.cast.county.code, day=TODAY)


def _records(desk: Desk, *fields: str) -> list[Any]:
    with places_scope(desk.cast.places):
        return list(PoliceRecord.objects.order_by("name").values_list(*fields))


@pytest.mark.covers("E064", "E065")
def test_the_register_is_kept_beside_ours(desk: Desk) -> None:
    """By address, by our own register, by housemates; who leads nowhere goes back; nothing of a resident changes."""
    ours = make_resident(desk.cast, desk.cast.nan, name="赵南", number=number_of(sequence=13))
    rows = [
        _row("张东", 11),
        _row("李西", 12, 住址="甲镇西村委会三组", 户号="2"),
        _row("赵南", 13, 住址="不详", 户号="3", 出生日期="1986-05-05"),
        _row("赵小", 14, 住址="", 户号="3", 与户主关系="子"),
        _row("无处", 15, 住址="某处", 户号="4"),
        _row("张东", 11),
    ]
    batch = desk.take("household_register", rows)
    assert (batch.new_count, batch.reasons) == (4, {"no_place": 1, "duplicate": 1})
    assert _records(desk, "name", "unit__name", "birth_date") == [
        ("张东", "东村", date(1985, 5, 5)), ("李西", "西村", date(1985, 5, 5)),
        ("赵南", "南村", date(1986, 5, 5)), ("赵小", "南村", date(1985, 5, 5)),
    ]  # fmt: skip
    with places_scope(desk.cast.places):
        assert Resident.objects.get() == ours
    assert desk.take("household_register", rows).unchanged_count == 4


@pytest.mark.covers("E064")
def test_a_full_register_ends_whom_it_no_longer_names(desk: Desk) -> None:
    """Death and cancellation are stated or follow from absence; who is named again is back; all of it can be undone."""
    rows = [_row("张东", 11), _row("李西", 12), _row("王北", 16)]
    desk.take("household_register", rows)
    left = [
        _row("张东", 11),
        _row("李西", 12) | {"死亡日期": "2022.10.1", "注销日期": "2022.10.8", "注销原因": "死亡"},
    ]
    full = desk.take(
        "household_register",
        [row | {"死亡日期": "", "注销日期": "", "注销原因": ""} | row for row in left],
        full_list=True,
    )
    assert (full.changed_count, full.summary["closed"]) == (2, 1)
    ended = [
        ("张东", None, None, ""), ("李西", date(2022, 10, 1), date(2022, 10, 8), "死亡"),
        ("王北", None, TODAY, "不在最新户籍"),
    ]  # fmt: skip
    fields = ("name", "death_date", "cancelled_on", "cancelled_why")
    assert _records(desk, *fields) == ended
    again = desk.take("household_register", rows[2:])
    assert _records(desk, *fields)[2] == ("王北", None, None, "")
    with places_scope(desk.cast.places):
        undo(by=None, batch=again, places=desk.cast.places)
    assert _records(desk, *fields) == ended
    with places_scope(desk.cast.places):
        undo(by=None, batch=full, places=desk.cast.places)
    assert {row[2] for row in _records(desk, *fields)} == {None}


def test_a_village_named_in_an_address_is_the_longest_first_one(desk: Desk) -> None:
    """东李庄 is not 东李, and the second village of an address is a neighbour's."""
    village = desk.cast.xi.village
    assert village is not None
    village.aliases = ["东村北"]
    village.save()
    rows = [
        _row("甲", 21, 住址="甲镇东村北5号"),
        _row("乙", 22, 住址="甲镇东村（原西村）6号"),
        _row("丙", 23, 住址="乙镇南村"),
    ]
    desk.take("household_register", rows)
    assert _records(desk, "name", "unit__name") == [("丙", "南村"), ("乙", "东村"), ("甲", "西村")]
