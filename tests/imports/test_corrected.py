"""A corrected upload closes the rows that were sent back before, whoever of the same office sends it."""

from __future__ import annotations

import io
from datetime import date

import pytest

from foundation.identity import make_number
from foundation.imports.models import ImportBatch, ReturnedRow
from foundation.imports.services.apply import undo
from foundation.imports.services.corrected import resembles
from foundation.imports.services.errors import write_error_book
from foundation.scope.context import places_scope
from tests.factories import make_resident
from tests.imports.office import Desk, number_of, registration_row

GOOD = number_of(sequence=6)


def _open(desk: Desk) -> list[str]:
    return list(ReturnedRow.objects.filter(closed_at=None).order_by("pk").values_list("code", flat=True))


@pytest.mark.covers("E058", "E059")
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"村(居)": "无名村"}, "unknown_village"),
        ({"险种": "城乡居民基本养老保险", "缴费档次": "450"}, "unknown_tier"),
        ({"身份证号": GOOD[:16] + GOOD[17] + GOOD[16]}, "bad_check_digit"),
        ({"身份证号": GOOD[:-1]}, "bad_length"),
        ({"身份证号": f"{GOOD[0]}.{GOOD[1:6]}E+17"}, "scientific_notation"),
        ({"身份证号": GOOD[:15] + "000"}, "scientific_notation"),
    ],
)
def test_a_corrected_row_closes_the_one_sent_back(desk: Desk, wrong: dict[str, str], code: str) -> None:
    """Whatever was wrong: the corrected row says who it is, by number, or by name and a number that resembles it."""
    right = registration_row(姓名="李晓", 身份证号=GOOD)
    if "缴费档次" in wrong:
        right |= {"险种": wrong["险种"], "缴费档次": "300"}
    first = desk.take("registration", [registration_row(), right | wrong])
    assert first.reasons == {code: 1}
    second = desk.take("registration", [right])
    assert second.summary["corrected"] == 1
    row = first.returned_rows.get()
    assert (row.closed_by_batch, row.closed_reason) == (second.pk, f"已更正，由批次 {second.pk} 入库")


def test_one_insurance_does_not_speak_for_the_other(desk: Desk) -> None:
    """Both insurances of a person came back; only the one corrected closes."""
    medical = registration_row(身份证号=GOOD, 姓名="李晓")
    pension = medical | {"险种": "城乡居民基本养老保险", "缴费档次": "300"}
    desk.take("registration", [medical | {"村(居)": "无名村"}, pension | {"村(居)": "无名村"}])
    desk.take("registration", [medical])
    assert list(ReturnedRow.objects.filter(closed_at=None).values_list("part", flat=True)) == ["pension"]
    desk.take("registration", [pension])
    assert _open(desk) == []


def test_a_namesake_closes_nothing(desk: Desk) -> None:
    """Another person of the same name whose number is nothing like it, and one whose number was not written at all."""
    rows = [
        registration_row(姓名="王伟", 身份证号=GOOD[:-2]),
        registration_row(姓名="王伟", 身份证号=""),
    ]
    desk.take("registration", rows)
    desk.take(
        "registration", [registration_row(姓名="王伟", 身份证号=make_number("370406", date(1950, 7, 7), 77))]
    )
    assert sorted(_open(desk)) == ["bad_length", "empty"]


def test_a_number_filled_in_on_our_own_workbook_closes_the_empty_one(desk: Desk) -> None:
    """The file we sent back, its empty number filled in: its only row of that name is the one that was returned."""
    batch = desk.take("registration", [registration_row(姓名="王伟", 身份证号="")])
    assert write_error_book(batch, io.BytesIO()) == 1
    row = registration_row(姓名="王伟", 身份证号=GOOD) | {"错误原因": "没有填身份证号"}
    desk.take("registration", [row])
    assert _open(desk) == []


def test_a_row_sent_back_again_is_open_once(desk: Desk) -> None:
    """The older row closes in favour of the newer one, readable number or not."""
    village = registration_row(**{"村(居)": "无名村", "身份证号": GOOD})
    digits = registration_row(姓名="李晓", 身份证号=GOOD[:-1])
    first, second = (desk.take("registration", [village, digits, registration_row()]) for _n in range(2))
    assert not first.returned_rows.filter(closed_at=None).exists()
    assert _open(desk) == ["unknown_village", "bad_length"]
    closed = set(first.returned_rows.values_list("closed_reason", flat=True))
    assert closed == {f"改后又退回，见批次 {second.pk}"}


def test_only_the_senders_own_rows_close(desk: Desk) -> None:
    """A clerk's row stays open whatever the county or the other township imports: it would tell her of them."""
    clerk, other = desk.cast.user("township_clerk"), desk.cast.user("clerk_yi")
    foreign = registration_row(**{"镇街": "乙镇", "村(居)": "南村", "身份证号": GOOD})
    desk.take("registration", [registration_row(), foreign], by=clerk)
    assert _open(desk) == ["out_of_scope"]
    desk.take("registration", [foreign], by=other)
    desk.take("registration", [foreign | {"联系电话": "13900000002"}])
    assert _open(desk) == ["out_of_scope"]


def test_a_department_is_one_sender_whoever_sends(desk: Desk) -> None:
    """Two people of one agency; the group tells two rows of one person apart."""
    make_resident(desk.cast, desk.cast.dong, name="张东", number=GOOD)
    user = desk.cast.user("department")
    row = {"姓名": "张东", "身份证号": GOOD, "身份类别": "", "认定时间": "2022-09-01", "残疾等级": ""}
    rows = [row | {"身份类别": "残疾人"}, row | {"身份类别": "低保", "认定时间": "那天"}]
    desk.take("category", rows, by=user)
    colleague = user.__class__.objects.create(
        username="colleague", role=user.role, county=user.county, agency=user.agency
    )
    desk.take("category", [row | {"身份类别": "残疾人", "残疾等级": "一级"}], by=colleague)
    assert list(ReturnedRow.objects.filter(closed_at=None).values_list("part", flat=True)) == ["dibao"]


def test_undo_opens_again_what_the_batch_had_closed(desk: Desk) -> None:
    """Taken back, a correction corrects nothing."""
    right = registration_row(姓名="李晓", 身份证号=GOOD)
    desk.take("registration", [right | {"村(居)": "无名村"}])
    second = desk.take("registration", [right])
    assert _open(desk) == []
    with places_scope(desk.cast.places):
        undo(by=None, batch=second, places=desk.cast.places)
    assert _open(desk) == ["unknown_village"]


def test_people_a_list_passes_over_are_corrected_too(desk: Desk) -> None:
    """A death list's row, corrected, of somebody the register does not hold: nothing to change, and nothing open."""
    row = {"姓名": "无人", "身份证号": GOOD, "死亡时间": "2022-10-01"}
    desk.take("deaths", [row | {"死亡时间": "十月"}])
    assert _open(desk) == ["bad_date"]
    desk.take("deaths", [row])
    assert _open(desk) == []
    assert ImportBatch.objects.latest("pk").unchanged_count == 1


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("37040619850505001", True), ("370406198505050011", True), ("37040619850505010X", True),
        ("3.70406E+17", True), ("3.70405E+17", True), ("3.7E+17", False), ("3.80406E+17", False),
        ("370406198505050000", True), ("370406198505060000", False), ("370406196001010013", False), ("", False),
    ],
)  # fmt: skip
def test_which_unreadable_numbers_resemble(written: str, same: bool) -> None:
    """Two characters wrong, missing or exchanged; the first digits where a spreadsheet rounded the rest."""
    assert resembles(written, "370406198505050010") is same
