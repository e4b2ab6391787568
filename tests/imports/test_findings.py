"""What a check shows before anything is written: changes, endings and contradictions, masked on page and in workbook."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from enrollment.models import Category, Membership, PoliceRecord, Resident
from foundation.clock.services import set_business_date
from foundation.imports.models import ImportBatch, ImportFinding
from foundation.imports.services.check import check
from foundation.imports.services.findings import in_words
from foundation.imports.services.receive import abandon
from foundation.scope.context import places_scope
from tests.factories import make_registration, make_resident
from tests.imports.office import Desk, number_of, registration_row

TODAY = date(2022, 11, 30)


@pytest.fixture(autouse=True)
def dong(desk: Desk) -> Resident:
    """张东 of 东村, on a day of the season."""
    set_business_date(county_code=desk.cast.county.code, day=TODAY)
    return make_resident(desk.cast, desk.cast.dong, name="张东", number=number_of(sequence=11), sex="male")


def _person(**values: str) -> dict[str, str]:
    return {"姓名": "张东", "身份证号": number_of(sequence=11)} | values


def _shown(batch: ImportBatch) -> dict[str, list[tuple[str, str, str]]]:
    return {
        each.section: [(row["field"], row["before"], row["after"]) for row in map(in_words, each.sample)]
        for each in batch.findings.order_by("position")
    }


def _list(desk: Desk, person: Resident, code: str = "dibao") -> Membership:
    agency = desk.cast.user("department").agency
    with places_scope(desk.cast.places):
        return Membership.objects.create(
            township_id=person.township_id, unit_id=person.unit_id, resident=person, valid_from=date(2020, 1, 1),
            category=Category.objects.get(code=code), certified_by=agency,
        )  # fmt: skip


def _set(desk: Desk, person: Resident, **values: Any) -> None:
    with places_scope(desk.cast.places):
        Resident.objects.filter(pk=person.pk).update(**values)


def test_changes_are_shown_before_and_after(desk: Desk) -> None:
    """Registration data: household, resident and tier, each with what stands now; the row number leads into the file."""
    pension = {"险种": "养老", "缴费档次": "300", "姓名": "张东", "身份证号": number_of(sequence=11)}
    desk.take("registration", [registration_row(**pension)])
    row = registration_row(
        **pension | {"缴费档次": "500", "村(居)": "西村", "户编号": "0009", "联系电话": "13900007777"}
    )
    batch = desk.checked("registration", [registration_row(), row])
    shown = _shown(batch)["changed"]
    assert ("档次", "300.00", "500.00") in shown
    assert ("代收单位", "东村", "西村") in shown
    assert ("电话尾号", "0001", "7777") in shown
    finding = batch.findings.get(section="changed")
    assert finding.count == len(shown)
    assert {row["row"] for row in finding.sample} == {3}
    assert {row["name"] for row in finding.sample} == {"张*"}
    assert {len(row["tail"]) for row in finding.sample} == {2}


def test_a_full_list_shows_whom_it_ends(desk: Desk, dong: Resident) -> None:
    """By name, masked, with the day: before anything is applied."""
    other = make_resident(desk.cast, desk.cast.xi, name="李西", number=number_of(sequence=12))
    _list(desk, dong)
    _list(desk, other)
    batch = desk.checked("category", [_person()], category_code="dibao", full_list=True)
    finding = batch.findings.get(section="closing")
    assert [(row["name"], row["row"], row["after"]) for row in finding.sample] == [
        ("李*", None, "2022-11-29")
    ]
    assert _shown(batch)["closing"] == [("止期", "", "2022-11-29")]


@pytest.mark.covers("E063")
def test_the_dead_whom_others_hold_for_alive(desk: Desk, dong: Resident) -> None:
    """A death list against 民政's list, employment, this year's registration and the police."""
    _list(desk, dong)
    _set(desk, dong, employee_medical=True)
    make_registration(desk.cast, dong, desk.plan)
    with places_scope(desk.cast.places):
        PoliceRecord.objects.create(
            township_id=dong.township_id, unit_id=dong.unit_id, county_id=desk.cast.county.pk, name="张东",
            village_id=dong.village_id, number_index=dong.number_index, number_encrypted=dong.number_encrypted,
        )  # fmt: skip
    shown = _shown(desk.checked("deaths", [_person(死亡时间="2022-11-01")]))
    year = desk.plan.coverage_year
    assert shown == {
        "dead_listed": [("特殊群体", "低保对象（山亭区民政局）", "2022-11-01")],
        "dead_employed": [("职工参保", "已参加职工保险", "2022-11-01")],
        "dead_registered": [("参保登记", f"{year}年居民医保", "2022-11-01")],
        "dead_in_police": [("户籍", "没有死亡登记", "2022-11-01")],
    }


def test_employees_students_and_payers_elsewhere_who_are_registered(desk: Desk, dong: Resident) -> None:
    """Each list against this year's registrations and other offices' lists."""
    year = desk.plan.coverage_year
    for insurance, tier in (("medical", None), ("pension", Decimal(300))):
        make_registration(desk.cast, dong, desk.plan, insurance, tier=tier)
    _list(desk, dong)
    listed = ("特殊群体", "低保对象（山亭区民政局）", "已参加职工保险")
    shown = _shown(desk.checked("employee_insured", [_person(参保险种="职工基本医疗保险")]))
    assert shown == {
        "employed_registered": [("参保登记", f"{year}年居民医保", "已参加职工保险")], "employed_listed": [listed],
    }  # fmt: skip
    shown = _shown(desk.checked("students", [_person(学段="大学")]))
    assert shown == {"student_registered": [("参保登记", f"{year}年居民养老", "大学")]}
    shown = _shown(desk.checked("paid_elsewhere", [_person(参保地类型="市外")]))
    assert shown["elsewhere_registered"] == [("参保登记", f"{year}年居民医保", "市外")]
    assert shown["elsewhere_listed"] == [("特殊群体", "低保对象（山亭区民政局）", "市外")]


def test_a_listed_person_other_offices_know(desk: Desk, dong: Resident) -> None:
    """On another department's list as well, and employed; a local with a residence permit."""
    _list(desk, dong)
    _set(desk, dong, employee_pension=True)
    shown = _shown(desk.checked("category", [_person(残疾等级="一级")], category_code="disabled"))
    assert shown == {
        "listed_employed": [("职工参保", "已参加职工保险", "残疾人")],
        "listed_twice": [("特殊群体", "低保对象（山亭区民政局）", "残疾人")],
    }
    shown = _shown(desk.checked("residence_permits", [_person()]))
    assert shown == {"permit_local": [("户籍性质", "本县区", "持居住证")]}


def test_registration_of_people_others_told_of(desk: Desk, dong: Resident) -> None:
    """Dead, employed in that very insurance, paid elsewhere."""
    other_enrolment = "medical_outside_pool_city"
    _set(desk, dong, death_date=date(2022, 10, 1), employee_medical=True, other_enrolment=other_enrolment)
    row = registration_row(姓名="张东", 身份证号=number_of(sequence=11))
    shown = _shown(desk.checked("registration", [row, row | {"险种": "养老", "缴费档次": "300"}]))
    assert shown["registered_dead"] == [("死亡日期", "2022-10-01", "登记参保")] * 2
    assert shown["registered_employed"] == [("职工参保", "已参加职工保险", "登记参保")]
    assert shown["registered_elsewhere"] == [("异地参保", "市外", "登记参保")]


@pytest.mark.covers("E064")
def test_what_the_police_say_of_our_people(desk: Desk, dong: Resident) -> None:
    """Another birth date, another village, ended there and alive here, missing there."""
    make_resident(desk.cast, desk.cast.xi, name="李西", number=number_of(sequence=12))
    rows = [
        _person(住址="甲镇西村3号", 出生日期="1985-05-06", 性别="男", 死亡日期="2022-11-02"),
    ]
    shown = _shown(desk.checked("household_register", rows, full_list=True))
    assert shown["police_dead"] == [("户籍", "没有死亡登记", "2022-11-02")]
    assert ("出生日期", "1985-05-05", "1985-05-06") in shown["police_differs"]
    assert ("代收单位", "东村", "西村") in shown["police_differs"]
    assert shown["police_missing"] == [("户籍", "登记参保", "没有")]


def test_findings_go_with_the_next_check_and_with_the_batch(desk: Desk, dong: Resident) -> None:
    """Checked again they are found anew; dropped, neither a row nor a file is left."""
    _set(desk, dong, employee_medical=True)
    batch = desk.checked("category", [_person()], category_code="dibao")
    assert batch.findings.count() == 1
    first = batch.findings_stored_as
    assert default_storage.exists(first)
    _set(desk, dong, employee_medical=False)
    with places_scope(desk.cast.places):
        check(by=None, batch=batch, places=desk.cast.places)
    assert (batch.findings.count(), batch.findings_stored_as) == (0, "")
    again = desk.checked("category", [_person()], category_code="dibao")
    with places_scope(desk.cast.places):
        abandon(by=None, batch=again)
    assert not ImportFinding.objects.exists()


def test_the_page_shows_examples_and_the_workbook_all(desk: Desk) -> None:
    """A dozen on the page, every row in the workbook; neither names a whole number."""
    people = [
        make_resident(desk.cast, desk.cast.dong, name="李小西", number=number_of(sequence=n))
        for n in range(20, 35)
    ]
    for person in people:
        _list(desk, person)
    clerk = desk.cast.user("township_clerk")
    rows = [
        {"姓名": "李小西", "身份证号": number_of(sequence=n), "死亡时间": "2022-11-01"} for n in range(20, 35)
    ]
    batch = desk.checked("deaths", rows, by=clerk)
    client = Client()
    client.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse("imports:batch", args=[batch.pk])).content.decode()
    assert "死亡名单有，仍在享受待遇" in page
    assert "下载全部明细（15 项）" in page
    assert "这里只列 12 项" in page
    assert "李小西" not in page
    book = b"".join(client.get(reverse("imports:findings", args=[batch.pk])).streaming_content)  # type: ignore[attr-defined]
    sheet = load_workbook(io.BytesIO(book)).worksheets[0]
    cells = list(sheet.iter_rows(values_only=True))
    assert cells[2][1:7] == ("原行号", "姓名", "号码尾号", "项目", "别的名单", "这份文件")
    assert [row[1] for row in cells[3:18]] == list(range(2, 17))
    text = str(cells)
    assert "李*西" in text
    assert not any(number_of(sequence=n) in text for n in range(20, 35))


def test_a_foreign_workbook_is_not_there(desk: Desk, dong: Resident) -> None:
    """Another township's clerk gets 404, an auditor reads the page and takes nothing home."""
    _set(desk, dong, employee_medical=True)
    batch = desk.checked("category", [_person()], category_code="dibao", by=desk.cast.user("township_clerk"))
    for role, status in (("clerk_yi", 404), ("auditor", 403), ("department", 404)):
        client = Client()
        client.force_login(desk.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
        assert client.get(reverse("imports:findings", args=[batch.pk])).status_code == status
