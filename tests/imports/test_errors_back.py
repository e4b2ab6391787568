"""Errors back: every problem of a row at once, in the sender's file, which is taken again with the extra column in it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from enrollment.models import Registration
from foundation.imports.services.errors import write_error_book
from foundation.scope.context import places_scope
from tests.factories import make_resident
from tests.imports.office import Desk, as_csv, number_of, registration_row


def _book(*rows: list[Any]) -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    for row in rows:
        page.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def _back(batch: Any) -> tuple[bytes, Any]:
    out = io.BytesIO()
    write_error_book(batch, out)
    return out.getvalue(), load_workbook(io.BytesIO(out.getvalue())).worksheets[0]


@pytest.mark.covers("E058")
def test_a_row_is_told_everything_that_is_wrong_with_it(desk: Desk) -> None:
    """Village, name, number and tier in one answer; the row counts once, under what was found first."""
    row = registration_row(
        **{"村(居)": "无名村", "姓名": "", "身份证号": "37040619850505001", "险种": "城乡居民基本养老保险"},
        缴费档次="150",
    )
    batch = desk.take("registration", as_csv([registration_row(), row]))
    assert batch.reasons == {"unknown_village": 1}
    said = batch.returned_rows.get()
    for word in ("没有这个村居", "没有填姓名", "位", "150不是方案的缴费档次"):
        assert word in said.message
    assert [code for code, _field in said.faults] == [
        "unknown_village",
        "no_name",
        "bad_length",
        "unknown_tier",
    ]
    _data, page = _back(batch)
    header = [cell.value for cell in page[1]]
    filled = {
        header[cell.column - 1] for cell in page[2] if cell.fill.fgColor.rgb in ("FFFBDAD7", "00FBDAD7")
    }
    assert filled == {"镇街", "村(居)", "姓名", "身份证号", "缴费档次"}
    assert page[2][header.index("错误原因")].value == said.message


def test_a_departments_row_names_all_its_wrong_cells(desk: Desk) -> None:
    """Number, grade and both dates of a list: one sentence, four marked cells."""
    header = ["姓名", "身份证号", "残疾等级", "认定时间", "止期"]
    data = _book(["残疾人名单"], header, ["周一", "370406198505050010", "五级", "去年", "明年"])
    batch = desk.take("category", data, category_code="disabled")
    assert [(code, field) for code, field in batch.returned_rows.get().faults] == [
        ("bad_check_digit", ""),
        ("bad_date", "certified_on"),
        ("bad_date", "valid_until"),
        ("bad_grade", ""),
    ]
    _data, page = _back(batch)
    assert {cell.coordinate for row in page.iter_rows() for cell in row if cell.comment} == {
        "B3",
        "C3",
        "D3",
        "E3",
    }


def test_a_row_of_another_township_says_that_alone(desk: Desk) -> None:
    """Whatever else is wrong with it: nothing about it is told to who may not see it."""
    row = registration_row(镇街="乙镇", **{"村(居)": "南村"}, 姓名="", 身份证号="1")
    batch = desk.take("registration", as_csv([row]), by=desk.cast.user("township_clerk"))
    assert batch.returned_rows.get().message == "不在您的管辖范围"


def test_the_corrected_book_is_taken_with_our_column_in_it(desk: Desk) -> None:
    """Corrected in place and sent again whole, or cut down to the bad rows: the extra column is passed over."""
    good, bad = registration_row(), registration_row(姓名="李晓", 身份证号="370406198505050010")
    batch = desk.take("registration", _book(list(good), list(good.values()), list(bad.values())))
    _data, page = _back(batch)
    column = [cell.value for cell in page[1]].index("身份证号") + 1
    page.cell(3, column, number_of(sequence=7))
    out = io.BytesIO()
    page.parent.save(out)
    again = desk.take("registration", out.getvalue())
    assert (again.read_count, again.new_count, again.unchanged_count, again.rejected_count) == (2, 1, 1, 0)
    assert not batch.returned_rows.filter(closed_at=None).exists(), (
        "the corrected row closed the one sent back"
    )
    page.delete_rows(2)
    alone = io.BytesIO()
    page.parent.save(alone)
    last = desk.take("registration", alone.getvalue())
    assert (last.read_count, last.unchanged_count) == (1, 1)
    with places_scope(desk.cast.places):
        assert Registration.objects.count() == 2


def test_persons_side_by_side_are_told_by_name(desk: Desk) -> None:
    """Two persons in one row of the file: the reason names whose it is, and her own cells are marked."""
    cast = desk.cast
    known = make_resident(cast, cast.dong, name="周一", number=number_of(sequence=31))
    assert known.name == "周一"
    header = ["姓名", "身份证号", "姓名", "身份证号"]
    data = _book(header, ["周一", number_of(sequence=31), "周二", "370406198505050010"])
    batch = desk.take("category", data, category_code="dibao")
    assert batch.accepted_count == 1
    _data, page = _back(batch)
    assert str(page["E2"].value).startswith("周二：")
    assert [cell.coordinate for cell in page[2] if cell.comment] == ["D2"]
