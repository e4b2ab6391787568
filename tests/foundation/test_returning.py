"""A workbook that comes back: the sender's own in every sheet and style, marked, and nothing in it that could act."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Border, Font, PatternFill, Side
from openpyxl.worksheet.datavalidation import DataValidation

from foundation.sheets import ERROR_HEADER, Fault, open_table, write_errors

PAYLOAD: Final = "=cmd|' /C calc'!A0"
PAYLOADS: Final = [PAYLOAD, "@SUM(1+1)", "+1+1", "-2+3", "＝1＋1", "\t=1+1"]
HEADER: Final = ["序号", "镇街", "姓名", "身份证号", "残疾等级", "认定时间", "备注"]
_THIN: Final = Side(style="thin")
_NUMBER: Final = "3704061985050500{:02d}"


def _senders_book() -> Workbook:
    """What a department sends: title, unit line, styled header, borders, drop-down, notes, a sheet of codes, and worse."""
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = "残疾人名单(终)"
    page.merge_cells("A1:G1")
    page["A1"] = "山亭区残疾人名单"
    page["A1"].font = Font(name="宋体", size=18, bold=True)
    page.row_dimensions[1].height = 34
    page["A2"] = "填报单位：区残联"
    for column, text in enumerate(HEADER, start=1):
        cell = page.cell(3, column, text)
        cell.fill = PatternFill("solid", fgColor="FFDDEBF7")
        cell.border = Border(_THIN, _THIN, _THIN, _THIN)
    for row in range(4, 34):
        name = PAYLOADS[row - 4] if row < 4 + len(PAYLOADS) else f"周{row}"
        values = [row - 3, "甲镇", name, _NUMBER.format(row), "二级", "2022-10-01", None]
        for column, value in enumerate(values, start=1):
            cell = page.cell(row, column, value)
            cell.border = Border(_THIN, _THIN, _THIN, _THIN)
            if isinstance(value, str):
                cell.data_type = "s"
    page["G8"] = '=HYPERLINK("http://evil.example/","点我")'
    page["G9"] = "=cmd|'/C calc'!A0"
    page["G10"].hyperlink = "http://evil.example/"
    page["C20"].comment = Comment("户口本上是周二零", "残联")
    page.column_dimensions["D"].width = 24
    page.freeze_panes = "A4"
    page.print_title_rows = "3:3"
    page.page_setup.orientation = "landscape"
    page.protection.sheet = True
    for formula in ('"一级,二级,三级,四级"', "cmd|'/C calc'!A1"):
        choice = DataValidation(type="list", formula1=formula)
        choice.add("E4:E33")
        page.add_data_validation(choice)
    page.conditional_formatting.add(
        "D4:D33", FormulaRule(["LEN(D4)<>18"], fill=PatternFill(bgColor="FFFF00"))
    )
    page.conditional_formatting.add(
        "B4:B33", FormulaRule(["WEBSERVICE(B4)"], fill=PatternFill(bgColor="FF0000"))
    )
    codes = book.create_sheet("代码")
    codes.append(["一级", "=1+1"])
    book.create_sheet("存底").sheet_state = "hidden"
    return book


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """The book as a file, with the parts that act put in by hand."""
    path = tmp_path / "in.xlsx"
    _senders_book().save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"macro")
        archive.writestr("xl/externalLinks/externalLink1.xml", b"<externalLink/>")
        archive.writestr("xl/embeddings/oleObject1.bin", b"object")
        archive.writestr("docProps/custom.xml", b"<x/>")
    return path


def _returned(sent: Path, back: Path, faults: dict[int, Fault]) -> Any:
    table = open_table(sent)
    assert write_errors(table, back, faults, path=sent) == len(faults)
    return load_workbook(back)


FAULTS: Final = {
    4: Fault("身份证号校验位不对；残疾等级“五级”应为一级到四级", {3: "校验位不对", 4: "应为一级到四级"}),
    9: Fault("没有填备注", {6: "补上"}),
}


def test_it_is_the_senders_own_book(sent: Path, tmp_path: Path) -> None:
    """Sheets, order, widths, merges, heights, print set-up, styles, drop-downs and notes are as they were."""
    book = _returned(sent, tmp_path / "back.xlsx", FAULTS)
    page, before = book.worksheets[0], load_workbook(sent).worksheets[0]
    assert book.sheetnames == ["残疾人名单(终)", "代码", "存底"]
    assert book["存底"].sheet_state == "hidden"
    assert [str(area) for area in page.merged_cells.ranges] == ["A1:G1"]
    assert page.column_dimensions["D"].width == 24
    assert page.row_dimensions[1].height == 34
    assert (page.freeze_panes, page.print_title_rows) == ("A4", "$3:$3")
    assert page.page_setup.orientation == "landscape"
    assert not page.protection.sheet, "it is to be corrected"
    assert page["A1"].font.sz == 18
    for row in before.iter_rows(min_row=3, max_row=33, max_col=6):
        for cell in row:
            now = page[cell.coordinate]
            assert (now.value, now.border.left.style) == (cell.value, cell.border.left.style)
    assert [each.formula1 for each in page.data_validations.dataValidation] == ['"一级,二级,三级,四级"']
    assert [str(area.sqref) for area in page.conditional_formatting] == ["D4:D33"]
    assert page["C20"].comment.text == "户口本上是周二零"


def test_faulty_rows_are_marked_and_the_others_filtered_away(sent: Path, tmp_path: Path) -> None:
    """The reason stands after the last column in the row's own borders; cells at fault are filled and noted."""
    page = _returned(sent, tmp_path / "back.xlsx", FAULTS).worksheets[0]
    assert page["H3"].value == ERROR_HEADER
    assert page["H3"].fill.fgColor.rgb == "FFDDEBF7"
    assert page["H4"].value == FAULTS[4].reason
    assert page["H4"].border.left.style == "thin"
    assert page.auto_filter.ref == "A3:H33"
    shown = [row for row in range(1, 34) if not page.row_dimensions[row].hidden]
    assert shown == [1, 2, 3, 4, 9]
    noted = {cell.coordinate: cell.comment.text for row in page.iter_rows() for cell in row if cell.comment}
    assert noted == {"D4": "校验位不对", "E4": "应为一级到四级", "G9": "补上", "C20": "户口本上是周二零"}
    filled = {
        cell.coordinate for row in page.iter_rows() for cell in row if cell.fill.fgColor.rgb == "FFFBDAD7"
    }
    assert filled == {"D4", "E4", "G9"}


def test_nothing_in_it_acts(sent: Path, tmp_path: Path) -> None:
    """No formula, link, macro, object or command: what looked like one is text or stays behind."""
    back = tmp_path / "back.xlsx"
    page = _returned(sent, back, FAULTS).worksheets[0]
    assert [page.cell(row, 3).value for row in range(4, 10)] == [*PAYLOADS]
    assert {cell.data_type for row in page.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}
    with zipfile.ZipFile(back) as archive:
        names = archive.namelist()
        text = b"".join(archive.read(name) for name in names if name.endswith((".xml", ".rels")))
    assert not [name for name in names if re.search(r"vba|external|embed|custom|connection|activeX", name)]
    assert b"<f>" not in text
    assert b"hyperlink" not in text.lower()
    assert b"WEBSERVICE" not in text
    assert b"TargetMode" not in text
    assert text.count(b"cmd|") == 1, "the name alone"


def test_it_comes_in_again_and_comes_back_again(sent: Path, tmp_path: Path) -> None:
    """The extra column is passed over when it is read; a second round takes the old reasons and marks off."""
    back, again = tmp_path / "back.xlsx", tmp_path / "again.xlsx"
    _returned(sent, back, FAULTS)
    rows = list(open_table(back).rows())
    assert [row for _number, row in rows] == [row for _number, row in open_table(sent).rows()]
    page = _returned(back, again, {9: Fault("还是没有填", {6: "补上"})}).worksheets[0]
    assert [(row[0].row, row[7].value) for row in page.iter_rows() if row[7].value] == [
        (3, ERROR_HEADER),
        (9, "还是没有填"),
    ]
    assert page["D4"].fill.fgColor.rgb == "00000000"
    assert page["D4"].border.left.style == "thin"
    assert page.row_dimensions[4].hidden
    assert page.max_column == 8


def test_columns_are_counted_from_a_where_the_table_begins_further_right(tmp_path: Path) -> None:
    """A list that begins in column C: marks stand on its own cells."""
    book = Workbook()
    page = book.active
    assert page is not None
    rows: list[list[Any]] = [[*HEADER], [1, "甲镇", "周一", "1", "二级", "2022-10-01", "好"]]
    for row, values in enumerate(rows, start=5):
        for column, value in enumerate(values, start=3):
            page.cell(row, column, value)
    path = tmp_path / "in.xlsx"
    book.save(path)
    marked = _returned(path, tmp_path / "back.xlsx", {6: Fault("位数不对", {5: "应为18位"})}).worksheets[0]
    assert (marked["J5"].value, marked["J6"].value) == (ERROR_HEADER, "位数不对")
    assert marked["F6"].comment.text == "应为18位"


def test_a_prefixed_namespace_and_rows_without_numbers_are_copied_too(tmp_path: Path) -> None:
    """Programs of bureaus write every tag with a prefix, or leave the references out."""
    path = tmp_path / "in.xlsx"
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["姓名", "身份证号"])
    page.append(["周一", "1"])
    plain = io.BytesIO()
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                text = re.sub(r"<(/?)(?=\w)", r"<\1x:", data.decode()).replace("xmlns=", "xmlns:x=")
                data = re.sub(r' r="[A-Z]?\d+"| spans="[\d:]+"', "", text).encode()
            new.writestr(name, data)
    marked = _returned(path, tmp_path / "back.xlsx", {2: Fault("位数不对", {1: "应为18位"})}).worksheets[0]
    assert [cell.value for cell in marked[2]] == ["周一", "1", "位数不对"]


def test_a_complete_list_of_another_format_comes_back_whole(tmp_path: Path) -> None:
    """Asked for, the sound rows of a text file come too, filtered away; else the faulty rows alone."""
    source = tmp_path / "in.csv"
    source.write_text("姓名,身份证号\n周一,1\n周二,2\n", encoding="gb18030")
    for whole, rows in ((True, 3), (False, 2)):
        back = tmp_path / f"{whole}.xlsx"
        assert write_errors(source, back, {3: Fault("位数不对", {1: "应为18位"})}, whole=whole) == 1
        page = load_workbook(back).worksheets[0]
        assert page.max_row == rows
        assert page.cell(rows, 3).value == "位数不对"
        assert page.cell(rows, 2).comment.text == "应为18位"
        assert page.row_dimensions[2].hidden is whole
