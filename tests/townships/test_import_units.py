"""The list of who collects: villages found again, health stations and schools added, agents and accounts kept."""

from __future__ import annotations

from typing import Any

import pytest

from foundation.encryption import get_keyring
from foundation.imports.kinds import ImportRefused
from foundation.imports.services.apply import undo
from foundation.scope.context import places_scope
from tests.factories import make_resident
from tests.imports.office import Desk, make_desk
from townships.models import CollectingUnit


@pytest.fixture
def desk(db: None) -> Desk:
    """A county's desk for files."""
    return make_desk()


def _row(name: str, **values: str) -> dict[str, str]:
    return {
        "单位名称": name, "镇街": "甲镇", "类型": "村居", "村(居)": "", "代办员": "王代办", "联系电话": "13900001234",
        "账户户名": "东村集体经济组织", "账号": "9370406000001", "POS机号": "YNT001",
    } | values  # fmt: skip


def _units(desk: Desk, **filters: Any) -> list[tuple[Any, ...]]:
    rows = CollectingUnit.objects.filter(township__county=desk.cast.county, **filters).order_by("pk")
    return list(rows.values_list("name", "kind", "agent_name", "pos_number"))


@pytest.mark.covers("E066")
def test_health_stations_are_units_beside_the_villages(desk: Desk) -> None:
    """The health office's stations and a school collect too, with or without a village of their own."""
    rows = [
        _row("东村社区卫生服务站", 类型="社区卫生服务站", **{"村(居)": "东村"}),
        _row("甲镇第一卫生服务站", 类型=""),
        _row("甲镇中心小学", 类型="学校"),
    ]
    batch = desk.take("collecting_units", rows)
    assert (batch.new_count, batch.rejected_count) == (3, 0)
    stations = _units(desk, kind="health_station")
    assert [row[0] for row in stations] == ["东村社区卫生服务站", "甲镇第一卫生服务站"]
    codes = set(CollectingUnit.objects.exclude(kind="village").values_list("code", flat=True))
    assert codes == {"370406901H001", "370406901H002", "370406901S001"}
    assert desk.take("collecting_units", rows).unchanged_count == 3
    # A village's people still belong to its own unit.
    person = {"姓名": "张东", "身份证号": "", "镇街": "甲镇", "村(居)": "东村", "险种": "医疗"}
    assert desk.checked("registration", [person]).reasons == {"empty": 1}
    desk.take("collecting_units", [_row("甲镇第二卫生服务站", 类型="")])
    assert CollectingUnit.objects.filter(code="370406901H003").exists()


def test_a_village_is_found_by_any_of_its_names(desk: Desk) -> None:
    """Agent, account and terminal are kept with the unit there is; the phone encrypted; a new agent is a change."""
    batch = desk.take("collecting_units", [_row("东村村民委员会")])
    assert (batch.new_count, batch.changed_count) == (0, 1)
    unit = desk.cast.dong
    unit.refresh_from_db()
    assert (unit.agent_name, unit.account, unit.pos_number) == ("王代办", "9370406000001", "YNT001")
    assert unit.agent_phone_encrypted is not None
    assert get_keyring().decrypt(unit.agent_phone_encrypted) == "13900001234"
    second = desk.take("collecting_units", [_row("东村", 代办员="李代办", 联系电话="13900005678", 账号="")])
    assert second.changed_count == 1
    with places_scope(desk.cast.places):
        undo(by=None, batch=second, places=desk.cast.places)
        unit.refresh_from_db()
        assert (unit.agent_name, unit.agent_phone_tail) == ("王代办", "1234")
        undo(by=None, batch=batch, places=desk.cast.places)
    unit.refresh_from_db()
    assert (unit.agent_name, unit.account) == ("", "")


def test_rows_that_are_no_units_go_back(desk: Desk) -> None:
    """Unknown townships and villages, no name, no kind, a unit twice, somebody else's code or name."""
    rows = [
        _row("东村"),
        _row("东村村委会"),
        _row("西村", 镇街="丙镇"),
        _row("无名村"),
        _row("", 类型="学校"),
        _row("某某", 类型="企业"),
        _row("甲镇卫生站", 类型="卫生站") | {"单位编码": desk.cast.nan.code},
        _row("西村", 类型="村居") | {"单位编码": "X1"},
    ]
    rows = [row | {"单位编码": row.get("单位编码", "")} for row in rows]
    batch = desk.take("collecting_units", rows)
    assert [code for _row, code, _message in desk.messages(batch)] == [
        "duplicate", "unknown_township", "unknown_village", "no_unit_name", "unknown_unit_kind", "other_township",
        "unit_name_taken",
    ]  # fmt: skip


def test_a_clerk_lists_her_own_townships_units(desk: Desk) -> None:
    """Units of another township are not hers, whether they exist or not."""
    rows = [_row("东村"), _row("南村", 镇街="乙镇"), _row("没有的村", 镇街="乙镇")]
    batch = desk.take("collecting_units", rows, by=desk.cast.user("township_clerk"))
    assert batch.reasons == {"out_of_scope": 2}
    assert _units(desk, pos_number="YNT001") == [("东村", "village", "王代办", "YNT001")]


def test_units_with_people_stay(desk: Desk) -> None:
    """A batch that made a unit is taken back only while nobody is there."""
    batch = desk.take("collecting_units", [_row("甲镇卫生服务站", 类型="")])
    unit = CollectingUnit.objects.get(name="甲镇卫生服务站")
    unit.village = desk.cast.dong.village
    unit.save()
    resident = make_resident(desk.cast, unit)
    with places_scope(desk.cast.places):
        with pytest.raises(ImportRefused, match="居民"):
            undo(by=None, batch=batch, places=desk.cast.places)
        resident.delete()
        undo(by=None, batch=batch, places=desk.cast.places)
    assert not CollectingUnit.objects.filter(name="甲镇卫生服务站").exists()
