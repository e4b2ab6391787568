"""Spreadsheets: whatever bureaus send is read, what harms is refused, what we write prints as expected."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from foundation.sheets import (
    Column,
    Layout,
    Limits,
    SheetError,
    Table,
    open_table,
    open_tables,
    parse_date,
    parse_datetime,
    write_errors,
    write_official,
)

HEADER = ["姓名", "公民身份号码", "行政村", "金额（元）"]
NUMBER = "11010519491231002X"
ROWS = [["张三", NUMBER, "柳泉村", "350.00"], ["李四", "", "柳泉村", ""]]
EXPECTED = [
    {"name": "张三", "id_number": NUMBER, "village": "柳泉村", "paid": "350.00"},
    {"name": "李四", "id_number": "", "village": "柳泉村", "paid": ""},
]


def workbook(path: Path, rows: Sequence[Sequence[Any]], **sheets: Sequence[Sequence[Any]]) -> Path:
    book = xlsxwriter.Workbook(str(path), {"strings_to_numbers": False})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for name, content in {"名单": rows, **sheets}.items():
        page = book.add_worksheet(name)
        for y, row in enumerate(content):
            for x, value in enumerate(row):
                if isinstance(value, datetime | date):
                    page.write_datetime(y, x, value, day)
                elif value is not None:
                    page.write(y, x, value)
    book.close()
    return path


def names_of(table: Table) -> list[tuple[int, str]]:
    """Row number and name of every record."""
    return [(number, record["name"]) for number, record in table.rows() if isinstance(record, dict)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", "|"])
def test_text_is_read_in_every_encoding_and_with_every_separator(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = tmp_path / "list.xlsx"  # the name lies; the content counts
    path.write_text("\r\n".join(delimiter.join(row) for row in [HEADER, *ROWS]), encoding=encoding)
    table = open_table(path, required=["name", "id_number"])
    assert [record for _number, record in table.rows()] == EXPECTED
    assert [number for number, _record in table.rows()] == [2, 3]


def test_a_workbook_named_csv_is_read_as_a_workbook(tmp_path: Path) -> None:
    table = open_table(workbook(tmp_path / "list.csv", [HEADER, *ROWS]))
    assert [record for _number, record in table.rows()] == EXPECTED


def test_titles_blanks_totals_signatures_and_repeated_headers_are_passed_over(tmp_path: Path) -> None:
    rows: list[Sequence[Any]] = [
        ["山亭区2023年度参保名单"],
        ["填报单位：店子镇", None, None, "单位：元"],
        [],
        HEADER,
        ROWS[0],
        [],
        HEADER,
        ["小计", None, None, 350],
        ROWS[1],
        ["合 计", None, None, 350],
        ["制表人：甲  审核人：乙"],
    ]
    table = open_table(workbook(tmp_path / "a.xlsx", rows))
    assert table.header_row == 4
    assert list(table.rows()) == [(5, EXPECTED[0]), (9, EXPECTED[1])]


def test_a_person_whose_name_is_a_word_for_total_is_kept_when_a_number_stands_beside(tmp_path: Path) -> None:
    table = open_table(workbook(tmp_path / "a.xlsx", [HEADER, ["共计", NUMBER, "柳泉村", "1"]]))
    assert len(list(table.rows())) == 1


def test_a_header_over_two_rows_is_joined(tmp_path: Path) -> None:
    rows = [
        ["序号", "姓名", "证件", None, "缴费", None],
        [None, None, "证件类型", "证件号码", "缴费日期", "金额"],
    ]
    table = open_table(workbook(tmp_path / "a.xlsx", [*rows, [1, "张三", "身份证", NUMBER, "2022.9.1", 350]]))
    assert table.header_row == 2
    assert list(table.rows()) == [
        (3, {"name": "张三", "id_kind": "身份证", "id_number": NUMBER, "paid_at": "2022.9.1", "paid": "350"})
    ]


def test_pairs_side_by_side_are_read_as_rows(tmp_path: Path) -> None:
    rows: list[Sequence[Any]] = [["姓名", "身份证号"] * 3, ["甲", "1", "乙", "2", None, None], ["丙", "3"]]
    table = open_table(workbook(tmp_path / "a.xlsx", rows))
    assert names_of(table) == [(2, "甲"), (2, "乙"), (3, "丙")]


def test_two_columns_for_one_field_are_no_pairs_and_the_first_counts(tmp_path: Path) -> None:
    rows = [["姓名", "费款所属期起", "费款所属期"], ["甲", "2023-01-01", "2023-12-31"]]
    assert list(open_table(workbook(tmp_path / "a.xlsx", rows)).rows()) == [
        (2, {"name": "甲", "year": "2023-01-01"})
    ]


def test_cells_come_as_they_are_shown(tmp_path: Path) -> None:
    header = ["姓名", "身份证号", "出生日期", "金额", "电话", "户编号"]
    row = ["张三", 370406195705050123, datetime(2022, 9, 1), 0.1 + 0.2, 13800000000.0, " 007 "]  # noqa: DTZ001
    _number, record = next(open_table(workbook(tmp_path / "a.xlsx", [header, row])).rows())
    assert record == {
        "name": "张三",
        "id_number": "3.70406195705050E+17",
        "birth_date": "2022-09-01",
        "paid": "0.3",
        "phone": "13800000000",
        "household": "007",
    }


def test_the_sheet_with_the_header_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["说明"], ["请填写"]], 数据=[HEADER, *ROWS], 空=[])
    found = open_tables(path)
    assert len(list(found.tables[0].rows())) == 2
    assert (len(found.tables), found.unread) == (1, ("名单",))


def test_a_senders_own_mapping_comes_first(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["人", "姓名"], ["张三", "x"]])
    table = open_table(path, mapping={"人": "name", "姓名": "note"})
    assert next(table.rows())[1] == {"name": "张三", "note": "x"}


def test_missing_columns_are_named_with_the_headers_found(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["姓名", "地址", "颜色"], ["张三", "x", "红"]])
    with pytest.raises(SheetError) as refused:
        open_table(path, required=["name", "id_number", "village"])
    assert refused.value.code == "missing_columns"
    assert refused.value.missing == ("id_number", "village")
    assert all(word in refused.value.message for word in ("身份证号", "村居", "颜色"))


def cell_at(reference: str, text: str = "x") -> str:
    return f'<row r="1"><c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c></row>'


def raw_workbook(path: Path, sheet_data: str, *, prolog: str = "", extra: Sequence[str] = ()) -> Path:
    """A workbook written by hand, for what no spreadsheet program writes."""
    good = io.BytesIO()
    book = xlsxwriter.Workbook(good)
    book.add_worksheet()
    book.close()
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            body = source.read(name).decode()
            if name == "xl/worksheets/sheet1.xml":
                head = (
                    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
                )
                body = prolog + head + sheet_data + "</sheetData></worksheet>"
            target.writestr(name, body)
        for name in extra:
            target.writestr(name, "<x/>")
    return path


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty", b"", "empty"),
        ("blank", b"\xef\xbb\xbf\r\n,,\r\n", "empty"),
        ("picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "document"),
        ("web page", "<html><p>姓名</p></html>".encode("gb18030"), "markup"),
        ("cut zip", b"PK\x03\x04" + b"x" * 100, "broken"),
        ("cut ole", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, "broken"),
        ("no header", "甲,乙\n1,2\n".encode(), "no_header"),
        ("open quote", ('姓名,身份证号\n"张三,1\n' + "李四,2\n" * 30_000).encode(), "bad_text"),
    ],
)
def test_what_is_no_table_is_refused_with_a_chinese_sentence(
    tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    path = tmp_path / "file.xlsx"
    path.write_bytes(content)
    with pytest.raises(SheetError) as refused:
        list(open_table(path).rows())
    assert refused.value.code == code, name
    assert any("\u4e00" <= char <= "\u9fff" for char in refused.value.message)


@pytest.mark.parametrize(
    "data",
    [
        cell_at("XFD1048576"),
        cell_at("A1") + cell_at("AA999999"),
        cell_at("OK1"),
        "<row r = '1048576'><c r = 'XFD1048576'><v>1</v></c></row>",
    ],
)
def test_a_cell_far_out_is_refused_before_any_parser_sees_it(tmp_path: Path, data: str) -> None:
    with pytest.raises(SheetError) as refused:
        open_table(raw_workbook(tmp_path / "a.xlsx", data))
    assert refused.value.code == "too_big"


def test_a_part_that_unpacks_a_thousandfold_is_refused(tmp_path: Path) -> None:
    path = raw_workbook(tmp_path / "a.xlsx", cell_at("A1", "0" * (20 << 20)))
    assert path.stat().st_size < 100_000
    with pytest.raises(SheetError, match="太大"):
        open_table(path)


def test_sizes_that_the_directory_states_are_not_believed(tmp_path: Path) -> None:
    path = raw_workbook(tmp_path / "a.xlsx", cell_at("A1", "0" * (20 << 20)))
    data = bytearray(path.read_bytes())
    entry = data.rfind(b"PK\x01\x02", 0, data.rfind(b"xl/worksheets/sheet1.xml"))
    data[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(SheetError, match="太大"):
        open_table(path)


def test_entities_other_packages_and_many_parts_are_refused(tmp_path: Path) -> None:
    bomb = raw_workbook(tmp_path / "a.xlsx", cell_at("A1"), prolog='<!DOCTYPE x [<!ENTITY a "b">]>')
    with pytest.raises(SheetError) as refused:
        open_table(bomb)
    assert refused.value.code == "broken"
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    with pytest.raises(SheetError) as refused:
        open_table(tmp_path / "b.xlsx")
    assert refused.value.code == "document"
    many = raw_workbook(tmp_path / "c.xlsx", cell_at("A1"), extra=[f"x/{n}.xml" for n in range(30)])
    with pytest.raises(SheetError) as refused:
        open_table(many, limits=Limits(parts=20))
    assert refused.value.code == "too_big"


@pytest.mark.parametrize(
    "text",
    [
        "2022.9.1",
        "20220901",
        "2022年9月1日",
        "2022-09-01",
        "2022/9/1",
        "44805",
        "2022-09-01 10:30:00",
        "44805.4375",
    ],
)
def test_dates_are_read_in_every_form_that_bureaus_use(text: str) -> None:
    assert parse_date(text) == date(2022, 9, 1)


DAYS = st.dates(date(1928, 1, 1), date(2099, 12, 31))


@given(DAYS)
def test_every_way_of_writing_a_day_gives_that_day(day: date) -> None:
    full_width = str.maketrans("0123456789.-/", "０１２３４５６７８９．－／")
    serial = (day - date(1899, 12, 30)).days
    ways = [
        day.isoformat(), f"{day:%Y%m%d}", f"{day:%Y/%m/%d}", f"{day:%Y.%m.%d}", f"{day.year}.{day.month}.{day.day}",
        f"{day.year}年{day.month}月{day.day}日", f"{day.year} 年 {day.month} 月 {day.day} 日", str(serial), f"{serial}.0",
        f"{day}T00:00:00", f"{day} 00:00:00.0", f"{day:%Y%m%d}000000",
    ]  # fmt: skip
    for way in [*ways, *(way.translate(full_width) for way in ways)]:
        assert parse_date(way) == day, way


def test_times_are_read_and_what_is_no_date_is_not() -> None:
    half_past_ten = datetime(2022, 9, 1, 10, 30)  # noqa: DTZ001
    for text in ("2022-09-01T10:30", "20220901103000", "44805.4375", "2022年9月1日 10:30"):
        assert parse_datetime(text) == half_past_ten
    assert parse_datetime("2022/9/1 下午 3:05") == datetime(2022, 9, 1, 15, 5)  # noqa: DTZ001
    assert parse_datetime("2022-09-01 12:00 AM") == datetime(2022, 9, 1)  # noqa: DTZ001
    for text in ("", "2022-02-30", "20221301", "9.1", "长期", "2022-09-01 后"):
        assert parse_date(text) is None


LAYOUT = Layout(
    code="test",
    columns=(
        Column("name", "姓名", 12),
        Column("number", "身份证号", 20),
        Column("people", "人数", 6, "int", total=True),
        Column("amount", "金额", 10, "yuan", total=True),
        Column("day", "日期", 12, "date"),
    ),
)
LINES = [
    {"name": "张三", "number": NUMBER, "people": 2, "amount": Decimal("350.10"), "day": date(2022, 10, 16)},
    {"name": "=1+1", "number": "370406195705050123", "people": 1, "amount": Decimal("0.20")},
    {"name": "@SUM(A1)\x00", "people": 1, "amount": Decimal("0.00")},
    {"name": "http://x", "people": 1, "amount": Decimal("1234567.00")},
]


def official(target: Path | io.BytesIO) -> None:
    written = write_official(
        target,
        LAYOUT,
        LINES,
        title="店子镇柳泉村征收清册",
        unit_line="填报单位：店子镇柳泉村",
        made_at=date(2022, 11, 30),
        sheet="柳泉村",
        footer=["注：金额单位为元"],
    )
    assert (written.lines, written.totals) == (4, {"people": 5, "amount": Decimal("1234917.30")})


def test_an_official_workbook_is_laid_out_as_bureaus_expect(tmp_path: Path) -> None:
    path = tmp_path / "roster.xlsx"
    official(path)
    page = openpyxl.load_workbook(path)["柳泉村"]
    assert page["A1"].value == "店子镇柳泉村征收清册"
    assert "A1:F1" in {str(area) for area in page.merged_cells.ranges}
    assert (page["A2"].value, page["F2"].value) == ("填报单位：店子镇柳泉村", "制表时间：2022年11月30日")
    assert [cell.value for cell in page[3]] == ["序号", "姓名", "身份证号", "人数", "金额", "日期"]
    assert [page.cell(row, 1).value for row in range(4, 9)] == [1, 2, 3, 4, "合计"]
    assert (page["D8"].value, page["E8"].value) == (5, 1234917.3)
    assert page["C4"].data_type == "s"
    assert page["C5"].value == "370406195705050123"
    assert (page["A4"].border.left.style, page["F8"].border.bottom.style) == ("thin", "thin")
    assert page["B4"].font.name == "宋体"
    assert page.print_title_rows == "$3:$3"
    assert (page.page_setup.orientation, page.page_setup.fitToHeight, page.page_setup.paperSize) == (
        "landscape",
        0,
        9,
    )
    assert page.sheet_properties.pageSetUpPr is not None
    assert page.sheet_properties.pageSetUpPr.fitToPage
    assert page.oddFooter.center.text == "第&P页 共&N页"
    assert [cell.value for cell in page[10] if cell.value] == ["制表人：", "审核人：", "日期："]
    assert page["A11"].value == "注：金额单位为元"


def test_no_cell_of_an_official_workbook_is_a_formula_or_a_link(tmp_path: Path) -> None:
    path = tmp_path / "roster.xlsx"
    official(path)
    page = openpyxl.load_workbook(path).active
    assert page is not None
    values = {page.cell(row, 2).value: page.cell(row, 2) for row in range(4, 8)}
    assert set(values) == {"张三", "=1+1", "@SUM(A1)", "http://x"}
    with zipfile.ZipFile(path) as archive:
        body = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in body
    assert "hyperlink" not in body


def test_the_same_rows_give_the_same_bytes_and_are_read_back(tmp_path: Path) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    official(first)
    official(second)
    assert first.getvalue() == second.getvalue()
    path = tmp_path / "roster.xlsx"
    path.write_bytes(first.getvalue())
    assert [name for _number, name in names_of(open_table(path))] == [
        "张三",
        "=1+1",
        "@SUM(A1)",
        "http://x",
    ]


def test_rejected_rows_go_back_in_the_senders_layout_and_come_in_again(tmp_path: Path) -> None:
    source = workbook(tmp_path / "in.xlsx", [["名单"], ["颜色", *HEADER], ["红", *ROWS[0]], ["蓝", *ROWS[1]]])
    back, again = tmp_path / "back.xlsx", tmp_path / "again.xlsx"
    assert write_errors(source, back, {4: "没有填身份证号"}) == 1
    table = open_table(back)
    assert [cells for _number, cells in table.raw_rows()] == [
        ["名单", "", "", "", "", ""],
        ["颜色", *HEADER, "错误原因"],
        ["红", *ROWS[0], ""],
        ["蓝", *ROWS[1], "没有填身份证号"],
    ]
    assert [record for _number, record in table.rows()] == EXPECTED
    assert write_errors(back, again, {3: "还是没有填"}) == 1
    assert [cells[-1] for _number, cells in open_table(again).raw_rows()][1:] == [
        "错误原因",
        "还是没有填",
        "",
    ]


def test_text_goes_back_as_a_workbook_with_its_numbers_whole(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("姓名|身份证号\n=cmd|370406195705050123\n", encoding="gb18030")
    back = tmp_path / "back.xlsx"
    write_errors(source, back, {2: "校验位不对"})
    page = openpyxl.load_workbook(back).active
    assert page is not None
    assert [cell.value for cell in page[2]] == ["=cmd", "370406195705050123", "校验位不对"]
    assert {cell.data_type for cell in page[2]} == {"s"}
