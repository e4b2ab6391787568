"""Official workbooks out: one layout for every bureau table, written row by row in little memory.

A layout is data; a bureau may change columns, widths and page. What people expect of such a table is fixed
here: merged title, unit and time row, 序号 first, 合计 last, thin borders, 宋体, fitted to the page width,
header repeated on each page, page numbers, and places to sign. Text stays text: an ID number keeps its
digits and a name that begins with = or @ is no formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import xlsxwriter
from django.utils.translation import gettext as _

Kind = Literal["text", "int", "yuan", "date"]

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SHEET_NAME: Final = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_PAPER: Final = {"A4": 9, "A3": 8}
_CREATED: Final = datetime.combine(date(2000, 1, 1), time())  # workbooks of the same rows are the same bytes
_LONGEST: Final = 32_767


@dataclass(frozen=True, slots=True)
class Column:
    """One column: key of its value in a row, header, width in characters, kind, and whether it is summed."""

    key: str
    header: str
    width: float
    kind: Kind = "text"
    total: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """One official table. `columns` begin after 序号, which is written by itself unless `serial` is False."""

    code: str
    columns: tuple[Column, ...]
    paper: Literal["A4", "A3"] = "A4"
    landscape: bool = True
    font: str = "宋体"
    font_size: int = 10
    row_height: float = 18
    serial: bool = True
    signatures: tuple[str, ...] = ("制表人：", "审核人：", "日期：")


@dataclass(frozen=True, slots=True)
class OfficialTable:
    """One sheet of an official workbook; the fields are the arguments of `write_official`.

    `page_note` is printed at the left foot of every page, such as a number and a digest.
    """

    layout: Layout
    rows: Iterable[Mapping[str, object]]
    title: str
    unit_line: str = ""
    made_at: datetime | date | None = None
    sheet: str = ""
    footer: tuple[str, ...] = ()
    page_note: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the number of data rows and the sums of the columns to be totalled."""

    lines: int
    totals: dict[str, Decimal]


def clean_text(value: object) -> str:
    """Return text that a workbook can hold: no control characters, no more than a cell takes."""
    return _CONTROL.sub("", str(value))[:_LONGEST]


def sheet_name(text: str) -> str:
    """Return `text` as a permitted sheet name: 31 characters, none of the forbidden ones."""
    return _SHEET_NAME.sub(" ", text).strip("' ")[:31] or "Sheet1"


class _Formats:
    """The cell formats of one workbook."""

    def __init__(self, book: xlsxwriter.Workbook, layout: Layout) -> None:
        base = {"font_name": layout.font, "font_size": layout.font_size, "valign": "vcenter"}
        cell = base | {"border": 1}
        self.title = book.add_format(
            base | {"font_size": layout.font_size + 8, "bold": True, "align": "center"},
        )
        self.plain = book.add_format(base)
        self.right = book.add_format(base | {"align": "right"})
        self.head = book.add_format(cell | {"bold": True, "align": "center", "text_wrap": True})
        self.kinds: dict[str, Any] = {
            "text": book.add_format(cell | {"num_format": "@", "shrink": True}),
            "int": book.add_format(cell | {"num_format": "0", "align": "center"}),
            "yuan": book.add_format(cell | {"num_format": "#,##0.00", "align": "right"}),
            "date": book.add_format(cell | {"num_format": "yyyy-mm-dd", "align": "center"}),
        }
        bold = {"bold": True}
        self.totals: dict[str, Any] = {
            "text": book.add_format(cell | bold | {"align": "center"}),
            "int": book.add_format(cell | bold | {"num_format": "0", "align": "center"}),
            "yuan": book.add_format(cell | bold | {"num_format": "#,##0.00", "align": "right"}),
            "date": book.add_format(cell | bold),
        }


def _page_setup(sheet: Any, layout: Layout, header_row: int, note: str = "") -> None:
    sheet.set_paper(_PAPER[layout.paper])
    if layout.landscape:
        sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.center_horizontally()
    sheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.7)
    # A note may begin with a digit, which would join the size code without the space; & starts a code itself.
    left = f"&L&8 {clean_text(note).replace('&', '&&')}" if note else ""
    sheet.set_footer(left + "&C" + _("第&P页 共&N页"))
    sheet.repeat_rows(header_row)
    sheet.freeze_panes(header_row + 1, 0)


def _write_cell(sheet: Any, row: int, column: int, kind: Kind, value: object, style: Any) -> None:
    if value is None or value == "":
        sheet.write_blank(row, column, None, style)
    elif kind in ("int", "yuan") and isinstance(value, Decimal | int | float):
        sheet.write_number(row, column, value, style)
    elif kind == "date" and isinstance(value, datetime | date):
        sheet.write_datetime(row, column, value, style)
    else:
        sheet.write_string(row, column, clean_text(value), style)


def write_official(
    target: Path | str | BinaryIO,
    layout: Layout,
    rows: Iterable[Mapping[str, object]],
    *,
    title: str,
    unit_line: str = "",
    made_at: datetime | date | None = None,
    sheet: str = "",
    footer: Sequence[str] = (),
) -> Written:
    """Write one official table and return its counts.

    `rows` are mappings by the keys of the layout's columns: text for text, int for int, Decimal yuan for
    yuan, date or ISO text for date; a missing key is a blank cell. `unit_line` stands left above the header
    (填报单位), `made_at` right of it as 制表时间. `footer` are lines below the signatures, such as notes.
    The same arguments give the same bytes. Rows are never held in memory.
    """
    table = OfficialTable(layout, rows, title, unit_line, made_at, sheet, tuple(footer))
    return write_workbook(target, [table])[0]


def write_workbook(target: Path | str | BinaryIO, tables: Iterable[OfficialTable]) -> list[Written]:
    """Write official tables as the sheets of one workbook, in their order; the first names the file.

    A file is written row by row through temporary files beside it. A buffer holds its workbook in memory as it grows, so
    that no temporary file ever carries what the workbook says: for tables of one unit.
    """
    to_file = isinstance(target, Path | str)
    book = xlsxwriter.Workbook(
        str(target) if to_file else target,
        {
            "constant_memory": to_file,
            # Beside the target: what a killed process leaves is swept away with its folder.
            "tmpdir": str(Path(target).parent) if isinstance(target, Path | str) else None,
            "in_memory": not to_file,
            # What passes through temporary files stays where the file is: who made the folder keeps it closed.
            **({"tmpdir": str(Path(target).parent)} if isinstance(target, Path | str) else {}),
            "strings_to_formulas": False,
            "strings_to_urls": False,
        },
    )
    formats: dict[tuple[str, int], _Formats] = {}
    written: list[Written] = []
    try:
        for table in tables:
            if not written:
                book.set_properties({"title": clean_text(table.title), "created": _CREATED})
            style = (table.layout.font, table.layout.font_size)
            if style not in formats:
                formats[style] = _Formats(book, table.layout)
            written.append(_write_table(book, formats[style], table))
    finally:
        book.close()
    return written


def _write_table(book: xlsxwriter.Workbook, formats: _Formats, table: OfficialTable) -> Written:
    layout = table.layout
    offset = 1 if layout.serial else 0
    last = len(layout.columns) + offset - 1
    page = book.add_worksheet(sheet_name(table.sheet or table.title))
    header_row = 2
    _page_setup(page, layout, header_row, table.page_note)
    if layout.serial:
        page.set_column(0, 0, 6)
    for index, column in enumerate(layout.columns, start=offset):
        page.set_column(index, index, column.width)

    page.set_row(0, 30)
    page.merge_range(0, 0, 0, max(last, 1), clean_text(table.title), formats.title)
    page.set_row(1, 18)
    page.write_string(1, 0, clean_text(table.unit_line), formats.plain)
    if table.made_at:
        made_at = table.made_at
        stamp = _("制表时间：%(day)s") % {"day": f"{made_at.year}年{made_at.month}月{made_at.day}日"}
        page.write_string(1, last, stamp, formats.right)
    page.set_row(header_row, layout.row_height * 1.6)
    if layout.serial:
        page.write_string(header_row, 0, _("序号"), formats.head)
    for index, column in enumerate(layout.columns, start=offset):
        page.write_string(header_row, index, column.header, formats.head)

    cells = [
        (index, column.key, column.kind, formats.kinds[column.kind])
        for index, column in enumerate(layout.columns, start=offset)
    ]
    totals = {column.key: Decimal(0) for column in layout.columns if column.total}
    number = header_row
    serial_style = formats.kinds["int"]
    page.set_default_row(layout.row_height)
    for row in table.rows:
        number += 1
        if layout.serial:
            page.write_number(number, 0, number - header_row, serial_style)
        for index, key, kind, style in cells:
            _write_cell(page, number, index, kind, row.get(key), style)
        for key in totals:
            value = row.get(key)
            if isinstance(value, Decimal | int):
                totals[key] += value
    lines = number - header_row
    if totals:
        number += 1
        _write_totals(page, number, layout, offset, totals, formats)
    page.ignore_errors({"number_stored_as_text": f"A1:XFD{max(number, 1) + 1}"})
    _write_foot(page, number + 2, last, layout, table.footer, formats)
    return Written(lines, totals)


def _write_totals(
    page: Any, row: int, layout: Layout, offset: int, totals: Mapping[str, Decimal], formats: _Formats
) -> None:
    label_column = 0
    for index in range(len(layout.columns) + offset):
        page.write_blank(row, index, None, formats.totals["text"])
    page.write_string(row, label_column, _("合计"), formats.totals["text"])
    for index, column in enumerate(layout.columns, start=offset):
        if column.total:
            page.write_number(row, index, totals[column.key], formats.totals[column.kind])


def _write_foot(
    page: Any, row: int, last: int, layout: Layout, footer: Sequence[str], formats: _Formats
) -> None:
    count = len(layout.signatures)
    places: dict[int, str] = {}
    for index, signature in enumerate(layout.signatures):
        column = index * (last + 1) // count
        places[column] = (places[column] + "　　　　" + signature) if column in places else signature
    for column, signature in places.items():
        page.write_string(row, column, signature, formats.plain)
    for step, line in enumerate(footer, start=1):
        page.write_string(row + step, 0, clean_text(line), formats.plain)
