"""Department lists in: memberships opened, corrected and closed; deaths, employees, students; unknown people back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from enrollment.models import FormerNumber, Membership, Resident
from foundation.clock.services import set_business_date
from foundation.encryption import get_keyring
from foundation.imports.kinds import ImportRefused
from foundation.imports.services.apply import apply, undo
from foundation.scope.context import places_scope
from tests.factories import make_registration, make_resident
from tests.imports.office import Desk, number_of

TODAY = date(2022, 11, 30)


@pytest.fixture(autouse=True)
def people(desk: Desk) -> dict[str, Resident]:
    """Three residents: two of 甲镇, one of 乙镇."""
    set_business_date(county_code=desk.cast.county.code, day=TODAY)
    cast = desk.cast
    return {
        "dong": make_resident(cast, cast.dong, name="张东", number=number_of(sequence=11)),
        "xi": make_resident(cast, cast.xi, name="李西", number=number_of(sequence=12)),
        "nan": make_resident(cast, cast.nan, name="赵南", number=number_of(sequence=13)),
    }


def _row(name: str, sequence: int, **values: str) -> dict[str, str]:
    return {
        "姓名": name,
        "身份证号": number_of(sequence=sequence),
        "认定时间": "2022.9.1",
        "止期": "",
    } | values


def _members(desk: Desk, **filters: Any) -> list[tuple[str, date | None]]:
    with places_scope(desk.cast.places):
        rows = Membership.objects.filter(**filters).order_by("resident__name")
        return list(rows.values_list("resident__name", "valid_to"))


def test_an_incremental_list_adds_and_corrects(desk: Desk) -> None:
    """The second list changes the grade and the end; the same list again changes nothing."""
    first = [_row("张东", 11, 残疾等级="三级"), _row("李西", 12, 残疾等级="1")]
    assert desk.take("category", first, category_code="disabled").new_count == 2
    second = [_row("张东", 11, 残疾等级="二级", 止期="2032-09-01")]
    batch = desk.take("category", second, category_code="disabled")
    assert (batch.new_count, batch.changed_count) == (0, 1)
    assert desk.take("category", second, category_code="disabled").unchanged_count == 1
    assert _members(desk) == [("张东", date(2032, 9, 1)), ("李西", None)]
    with places_scope(desk.cast.places):
        assert Membership.objects.get(resident__name="张东").grade == 2


def test_rows_that_cannot_be_certified_go_back(desk: Desk, people: dict[str, Resident]) -> None:
    """Unknown people, other names, the dead, other groups, missing grades, repeated rows: each with its reason."""
    with places_scope(desk.cast.places):
        Resident.objects.filter(pk=people["nan"].pk).update(death_date=date(2022, 8, 3))
    rows = [
        _row("张东", 11, 身份类别="残疾人", 残疾等级="一级"),
        _row("查无此人", 99, 身份类别="残疾人", 残疾等级="一级"),
        _row("王五六", 12, 身份类别="残疾人", 残疾等级="一级"),
        _row("赵南", 13, 身份类别="残疾人", 残疾等级="一级"),
        _row("张东", 11, 身份类别="残疾人", 残疾等级="二级"),
        _row("李西", 12, 身份类别="城乡低保对象", 残疾等级="二级"),
        _row("李西", 12, 身份类别="残疾人", 残疾等级=""),
        _row("李西", 12, 身份类别="残疾人", 残疾等级="六级"),
        _row("李西", 12, 身份类别="残疾人", 残疾等级="二级", 认定时间="明天"),
    ]
    batch = desk.take("category", rows, category_code="disabled")
    assert [code for _row, code, _message in desk.messages(batch)] == [
        "unknown_person", "name_differs", "deceased", "duplicate", "other_category", "no_grade", "bad_grade",
        "bad_date",
    ]  # fmt: skip
    assert _members(desk) == [("张东", None)]


def test_a_full_list_closes_whom_it_no_longer_names(desk: Desk) -> None:
    """Shown before it applies, ended the day before the business date, given back by undo."""
    desk.take("category", [_row("张东", 11), _row("李西", 12)], category_code="dibao")
    batch = desk.checked("category", [_row("张东", 11)], category_code="dibao", full_list=True)
    assert [row["name"] for row in batch.findings.get(section="closing").sample] == ["李*"]
    with places_scope(desk.cast.places):
        apply(by=None, batch=batch, places=desk.cast.places)
    assert _members(desk) == [("张东", None), ("李西", date(2022, 11, 29))]
    with places_scope(desk.cast.places):
        undo(by=None, batch=batch, places=desk.cast.places)
    assert _members(desk) == [("张东", None), ("李西", None)]


def test_a_full_list_with_a_bad_row_fails_whole(desk: Desk) -> None:
    """One returned row, and nobody is added or closed."""
    desk.take("category", [_row("李西", 12)], category_code="dibao")
    with pytest.raises(ImportRefused, match="全量"):
        desk.take("category", [_row("张东", 11), _row("无人", 98)], category_code="dibao", full_list=True)
    assert _members(desk) == [("李西", None)]


def test_a_clerk_closes_and_finds_only_her_own_people(desk: Desk) -> None:
    """A full list of 甲镇 leaves 乙镇 alone; a resident of 乙镇 is unknown to her like anybody."""
    desk.take("category", [_row("李西", 12), _row("赵南", 13)], category_code="dibao")
    clerk = desk.cast.user("township_clerk")
    desk.take("category", [_row("张东", 11)], category_code="dibao", full_list=True, by=clerk)
    assert _members(desk, valid_to=None) == [("张东", None), ("赵南", None)]
    batch = desk.take("category", [_row("赵南", 13), _row("无人", 98)], category_code="dibao", by=clerk)
    assert len({message for _row, _code, message in desk.messages(batch)}) == 1


def test_a_category_nobody_knows_is_refused(desk: Desk) -> None:
    """The codes there are stand in the sentence."""
    with pytest.raises(ImportRefused, match="dibao"):
        desk.take("category", [_row("张东", 11)], category_code="nonsense")


def test_the_card_number_of_a_disabled_person_holds_number_and_grade(desk: Desk) -> None:
    """The twenty digits of the card: ID number, kind and grade."""
    rows = [{"姓名": "张东", "身份证号": number_of(sequence=11) + "42"}]
    desk.take("category", rows, category_code="disabled")
    with places_scope(desk.cast.places):
        assert Membership.objects.get().grade == 2


def test_deaths_set_the_date_and_can_be_undone(desk: Desk, people: dict[str, Resident]) -> None:
    """A date corrected is a change; a death before birth goes back; somebody not in the register is passed over."""
    rows = [
        {"姓名": "张东", "身份证号": number_of(sequence=11), "死亡时间": "2022年11月3日", "镇街": "甲镇"},
        {"姓名": "李西", "身份证号": number_of(sequence=12), "死亡时间": "1950-01-01", "镇街": "甲镇"},
        {"姓名": "无人", "身份证号": number_of(sequence=97), "死亡时间": "2022-10-01", "镇街": ""},
    ]
    batch = desk.take("deaths", rows)
    assert (batch.new_count, batch.unchanged_count, batch.reasons) == (1, 1, {"bad_date": 1})
    assert batch.summary["warnings"] == {"not_in_register": 1}
    dong = people["dong"]
    with places_scope(desk.cast.places):
        dong.refresh_from_db()
        assert dong.death_date == date(2022, 11, 3)
        assert desk.take("deaths", [rows[0] | {"死亡时间": "20221104"}]).changed_count == 1
        undo(by=None, batch=_latest(desk), places=desk.cast.places)
        undo(by=None, batch=batch, places=desk.cast.places)
        dong.refresh_from_db()
        assert dong.death_date is None


def _latest(desk: Desk) -> Any:
    from foundation.imports.models import ImportBatch

    return ImportBatch.objects.filter(state="applied").latest("pk")


def test_employees_and_students_are_marked(desk: Desk, people: dict[str, Resident]) -> None:
    """Each insurance by itself, both when the list does not say; a stage of schooling by the words lists use."""
    employees = [
        {
            "姓名": "张东",
            "身份证号": number_of(sequence=11),
            "参保险种": "职工基本养老保险",
            "参保状态": "正常参保",
        },
        {"姓名": "李西", "身份证号": number_of(sequence=12), "参保险种": "", "参保状态": "正常参保"},
        {"姓名": "赵南", "身份证号": number_of(sequence=13), "参保险种": "职工医保", "参保状态": "暂停参保"},
    ]
    batch = desk.take("employee_insured", employees)
    assert (batch.new_count, batch.reasons) == (2, {"not_insured_now": 1})
    students = [
        {"姓名": "赵南", "身份证号": number_of(sequence=13), "学段": "普通高等学校（研究生）"},
        {"姓名": "张东", "身份证号": number_of(sequence=11), "学段": "火星学校"},
    ]
    assert desk.take("students", students).reasons == {"unknown_school": 1}
    with places_scope(desk.cast.places):
        flags = {r.name: (r.employee_pension, r.employee_medical, r.school) for r in Resident.objects.all()}
    assert flags == {
        "张东": (True, False, ""),
        "李西": (True, True, ""),
        "赵南": (False, False, "postgraduate"),
    }


def test_a_person_is_found_by_any_number_she_had(desk: Desk, people: dict[str, Resident]) -> None:
    """A corrected mistake and the number of a merged record still find her; named twice so, the second row goes back."""
    keys = get_keyring()
    wrong, other = number_of(sequence=71), number_of(sequence=72)
    dong = people["dong"]
    with places_scope(desk.cast.places):
        FormerNumber.objects.create(
            township_id=dong.township_id, unit_id=dong.unit_id, resident=dong, id_kind="resident_id",
            number_encrypted=keys.encrypt(wrong), number_index=keys.blind_index(wrong), until=TODAY,
        )  # fmt: skip
        double = make_resident(desk.cast, desk.cast.dong, name="李西", number=other)
        Resident.objects.filter(pk=double.pk).update(merged_into=people["xi"])
    rows = [_row("张东", 71), _row("李西", 72), _row("张东", 11), _row("赵南", 13)]
    batch = desk.take("category", rows, category_code="dibao")
    assert desk.messages(batch) == [(4, "duplicate", "表内重复，和第2行是同一个人，留一行")]
    assert _members(desk) == [("张东", None), ("李西", None), ("赵南", None)]


def test_a_number_in_force_comes_before_one_of_earlier_times(desk: Desk, people: dict[str, Resident]) -> None:
    """What was wrongly 张东's is 李西's own: lists mean 李西."""
    keys = get_keyring()
    with places_scope(desk.cast.places):
        FormerNumber.objects.create(
            township_id=people["dong"].township_id, unit_id=people["dong"].unit_id, resident=people["dong"],
            id_kind="resident_id", until=TODAY, number_encrypted=keys.encrypt(number_of(sequence=12)),
            number_index=keys.blind_index(number_of(sequence=12)),
        )  # fmt: skip
    desk.take("category", [_row("李西", 12)], category_code="dibao")
    assert _members(desk) == [("李西", None)]


def test_who_is_only_read_is_not_written(desk: Desk, people: dict[str, Resident]) -> None:
    """Somebody who lives in 乙镇 and is registered in 甲镇: 甲镇's clerk reads her, and her lists are 乙镇's business."""
    with places_scope(desk.cast.places):
        Resident.objects.filter(pk=people["nan"].pk).update(
            also_units=[desk.cast.dong.pk], also_townships=[desk.cast.jia.pk]
        )
    clerk = desk.cast.user("township_clerk")
    batch = desk.take("category", [_row("赵南", 13)], category_code="dibao", by=clerk)
    assert batch.reasons == {"unknown_person": 1}


def test_people_side_by_side_in_one_row_are_each_their_own(desk: Desk) -> None:
    """Two names in a row of the sheet: the wrong one goes back, its neighbour goes in."""
    text = (
        f"姓名,身份证号,姓名,身份证号\n张东,{number_of(sequence=11)},无人,{number_of(sequence=98)}\n"
        f"李西,{number_of(sequence=12)},张东,{number_of(sequence=11)}\n"
    )
    batch = desk.take("category", text.encode("utf-8"), category_code="dibao")
    assert [(row, code) for row, code, _message in desk.messages(batch)] == [
        (2, "unknown_person"),
        (3, "duplicate"),
    ]
    assert _members(desk) == [("张东", None), ("李西", None)]


def _person(name: str, sequence: int, **values: str) -> dict[str, str]:
    return {"姓名": name, "身份证号": number_of(sequence=sequence)} | values


def test_permits_open_the_door_and_a_full_list_shuts_it(desk: Desk) -> None:
    """Holders and the children who came along; expired ones go back; a full list takes the mark from whom it leaves out."""
    rows = [
        _person("张东", 11, 有效期止="2025-01-01", 持证方式="本人"),
        _person("李西", 12, 有效期止="2025-01-01", 持证方式="随父母"),
        _person("赵南", 13, 有效期止="2021-01-01", 持证方式="本人"),
        _person("无人", 97, 有效期止="2025-01-01", 持证方式="本人"),
    ]
    batch = desk.take("residence_permits", rows)
    assert (batch.new_count, batch.reasons) == (2, {"permit_over": 1})
    assert batch.summary["warnings"] == {"not_in_register": 1}
    assert _facts(desk, "residence_permit") == {"张东": "true", "李西": "parent", "赵南": "false"}
    full = desk.take("residence_permits", rows[1:2], full_list=True)
    assert (full.new_count, full.changed_count, full.summary["closed"]) == (0, 1, 1)
    assert _facts(desk, "residence_permit") == {"张东": "false", "李西": "parent", "赵南": "false"}
    with places_scope(desk.cast.places):
        undo(by=None, batch=full, places=desk.cast.places)
    assert _facts(desk, "residence_permit")["张东"] == "true"


def test_a_full_list_of_one_insurance_leaves_the_other_alone(desk: Desk) -> None:
    """Employees' medical insurance listed in full: nobody loses the mark of the pension, nor anybody of another township."""
    both = [_person(name, n) for name, n in (("张东", 11), ("李西", 12), ("赵南", 13))]
    desk.take("employee_insured", both)
    clerk = desk.cast.user("township_clerk")
    batch = desk.take(
        "employee_insured", [_person("张东", 11, 参保险种="职工基本医疗保险")], full_list=True, by=clerk
    )
    assert (batch.unchanged_count, batch.summary["closed"]) == (1, 1)
    assert _facts(desk, "employee_medical") == {"张东": True, "李西": False, "赵南": True}
    assert set(_facts(desk, "employee_pension").values()) == {True}


@pytest.mark.parametrize(
    ("place", "kind", "said"),
    [
        ("北京市海淀区", "市外", "medical_outside_pool_city"),
        ("", "本市其他区县", "medical_other_county_same_city"),
        ("370404", "", "medical_other_county_same_city"),
        ("110108000000", "", "medical_outside_pool_city"),
        ("枣庄市山亭区", "", "own_county"),
        ("某地", "", "unclear_place"),
    ],
)
def test_who_paid_elsewhere_is_marked_by_where(desk: Desk, place: str, kind: str, said: str) -> None:
    """By the kind of place, its words or its code; where nobody can tell, the row goes back with what to write."""
    batch = desk.take("paid_elsewhere", [_person("张东", 11, 参保地=place, 参保地类型=kind)])
    assert (_facts(desk, "other_enrolment")["张东"] or next(iter(batch.reasons))) == said


def test_only_the_plans_medical_insurance_is_paid_elsewhere(desk: Desk) -> None:
    """Pensions and other years are not this plan's business."""
    rows = [
        _person("张东", 11, 参保地类型="市外", 险种="养老", 年度=""),
        _person("李西", 12, 参保地类型="市外", 险种="城乡居民医保", 年度="1999"),
    ]
    assert desk.take("paid_elsewhere", rows).reasons == {"unknown_insurance": 1, "other_year": 1}


def test_history_stands_with_the_registration(desk: Desk, people: dict[str, Resident]) -> None:
    """Missed and repaired years and the first enrolment; nobody registered, too many repaired: back with the reason."""
    registered = make_registration(desk.cast, people["dong"], desk.plan)
    year = desk.plan.coverage_year
    rows = [
        _person("张东", 11, 中断年数="3年", 补缴年数="1", 首次参保=str(year - 8)),
        _person("李西", 12, 中断年数="1", 补缴年数="", 首次参保=""),
        _person("赵南", 13, 中断年数="1", 补缴年数="2", 首次参保=""),
        _person("张东", 11, 中断年数="很久", 补缴年数="", 首次参保="也许"),
    ]
    batch = desk.take("enrolment_history", rows)
    assert batch.reasons == {"not_registered": 1, "bad_years": 2}
    with places_scope(desk.cast.places):
        registered.refresh_from_db()
        assert (registered.missed_years, registered.repaired_years, registered.is_new) == (3, 1, False)
        assert desk.take("enrolment_history", rows[:1]).unchanged_count == 1
        desk.take("enrolment_history", [_person("张东", 11, 首次参保="是")])
        registered.refresh_from_db()
        assert (registered.missed_years, registered.is_new) == (3, True)
        undo(by=None, batch=_latest(desk), places=desk.cast.places)
        undo(by=None, batch=batch, places=desk.cast.places)
        registered.refresh_from_db()
    assert (registered.missed_years, registered.repaired_years, registered.is_new) == (0, 0, False)


def _facts(desk: Desk, field: str) -> dict[str, Any]:
    with places_scope(desk.cast.places):
        return dict(Resident.objects.values_list("name", field))


def _groups(desk: Desk) -> list[tuple[Any, ...]]:
    with places_scope(desk.cast.places):
        rows = Membership.objects.order_by("resident__name", "valid_from", "category__code")
        return list(rows.values_list("resident__name", "category__code", "valid_from", "valid_to"))


@pytest.mark.covers("E054")
def test_one_list_of_registered_poverty_tells_two_groups(desk: Desk) -> None:
    """是否标注脱贫 says which; who turns from one to the other leaves the first the day before; undo gives it back."""
    rows = [
        _row("张东", 11, 身份类别="建档立卡贫困人员", 是否标注脱贫="否"),
        _row("李西", 12, 身份类别="建档立卡贫困人员", 是否标注脱贫="是"),
        _row("赵南", 13, 身份类别="建档立卡贫困人员", 是否标注脱贫=""),
    ]
    batch = desk.take("category", rows)
    assert batch.reasons == {"no_poverty_flag": 1}
    began = date(2022, 9, 1)
    assert _groups(desk) == [
        ("张东", "registered_poor_not_out", began, None), ("李西", "registered_poor_out", began, None),
    ]  # fmt: skip
    turned = desk.take(
        "category", [_row("张东", 11, 身份类别="建档立卡", 是否标注脱贫="是", 认定时间="2022-11-01")]
    )
    assert turned.summary["turned"] == 1
    assert _groups(desk)[:2] == [
        ("张东", "registered_poor_not_out", began, date(2022, 10, 31)),
        ("张东", "registered_poor_out", date(2022, 11, 1), None),
    ]
    # The old list once more says nothing new.
    assert desk.take("category", rows[:1]).unchanged_count == 1
    with places_scope(desk.cast.places):
        undo(by=None, batch=turned, places=desk.cast.places)
    assert _groups(desk)[0] == ("张东", "registered_poor_not_out", began, None)


@pytest.mark.covers("E054")
def test_a_full_list_of_both_groups_ends_whom_it_leaves_out(desk: Desk) -> None:
    """Chosen as the list of one of the two, with the column it is the full list of both."""
    rows = [
        _row("张东", 11, 是否标注脱贫="否"),
        _row("李西", 12, 是否标注脱贫="是"),
        _row("赵南", 13, 是否标注脱贫="是"),
    ]
    desk.take("category", rows, category_code="registered_poor_not_out")
    full = desk.take("category", rows[:2], category_code="registered_poor_not_out", full_list=True)
    assert full.summary["closed"] == 1
    assert [row[0] for row in _groups(desk) if row[3] is not None] == ["赵南"]


def test_hardship_by_illness_is_told_by_its_approval(desk: Desk) -> None:
    """是否批准 tells the two groups; a name that says it needs no column; both need one of them."""
    rows = [
        _row("张东", 11, 身份类别="因病致困", 是否批准="是"),
        _row("李西", 12, 身份类别="因病致困（未批准）", 是否批准=""),
        _row("赵南", 13, 身份类别="因病致困", 是否批准="待定"),
    ]
    assert desk.take("category", rows).reasons == {"bad_flag": 1}
    assert [row[:2] for row in _groups(desk)] == [
        ("张东", "illness_hardship_approved"), ("李西", "illness_hardship_unapproved"),
    ]  # fmt: skip


def test_one_person_stands_under_several_groups(desk: Desk) -> None:
    """A row for each; two in one cell go back with what to do."""
    rows = [
        _row("张东", 11, 身份类别="低保", 残疾等级=""),
        _row("张东", 11, 身份类别="残疾人", 残疾等级="二级"),
        _row("李西", 12, 身份类别="低保、孤儿", 残疾等级=""),
        _row("赵南", 13, 身份类别="", 残疾等级=""),
    ]
    batch = desk.take("category", rows)
    assert [message for _row, _code, message in desk.messages(batch)] == [
        "“低保、孤儿”是几个类别，请一行写一个", "没有填身份类别",
    ]  # fmt: skip
    assert [row[1] for row in _groups(desk)] == ["dibao", "disabled"]


def test_certification_validity_and_certifier(desk: Desk) -> None:
    """Months count from their first to their last day, 长期 has no end; the sender certifies unless another is named."""
    department = desk.cast.user("department")
    rows = [
        _row("张东", 11, 认定时间="2022年9月", 生效日期="2022-10-01", 止期="2023年8月", 认定部门=""),
        _row("李西", 12, 认定时间="2022-09-15", 生效日期="", 止期="长期", 认定部门="民政局"),
        _row("赵南", 13, 认定时间="2022.9", 生效日期="", 止期="", 认定部门="某某办"),
    ]
    batch = desk.take("category", rows, category_code="dibao", by=department)
    assert batch.summary["warnings"] == {"certifier_unknown": 1}
    with places_scope(desk.cast.places):
        kept = list(
            Membership.objects.order_by("resident__name").values_list(
                "resident__name", "certified_on", "valid_from", "valid_to", "certified_by__name"
            )
        )
    office = "山亭区民政局"
    assert kept == [
        ("张东", date(2022, 9, 1), date(2022, 10, 1), date(2023, 8, 31), office),
        ("李西", date(2022, 9, 15), date(2022, 9, 15), None, office),
        ("赵南", date(2022, 9, 1), date(2022, 9, 1), None, None),
    ]
