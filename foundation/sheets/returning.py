"""Errors back: the file as its sender knows it, with one more column that says why rows were not taken.

- A workbook (xlsx) comes back as itself: every sheet, width, merge and style, the sound rows filtered away but there,
  faulty cells filled and noted (``marking``).
- Any other file, and a workbook built in a way that is not copied, comes back as an equivalent workbook in the same
  order of columns: titles, header and the faulty rows; all rows where a list is complete or nothing.

Text stays text in both: an ID number keeps its digits, and a name that begins with = is no formula.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import xlsxwriter

from foundation.sheets.finding import open_table
from foundation.sheets.headers import normalise_header
from foundation.sheets.marking import Marks, NotMarkable, mark_workbook
from foundation.sheets.reading import Table
from foundation.sheets.synonyms import ERROR_HEADER
from foundation.sheets.writing import clean_text, sheet_name

_ZIP: Final = b"PK\x03\x04"
_FAULTY: Final = "#FBDAD7"
_WRONG: Final = "#B3261E"
_MOST_NOTES: Final = 1000
# Beyond this a list comes back with its faulty rows alone: nobody corrects a million rows in a spreadsheet.
_MOST_ROWS: Final = 300_000


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row: the whole sentence, and by column of the table what is wrong with single cells."""

    reason: str
    cells: Mapping[int, str] = field(default_factory=dict)


def write_errors(
    source: Path | str | Table,
    target: Path | str | BinaryIO,
    faults: Mapping[int, str | Fault],
    *,
    path: Path | None = None,
    whole: bool = False,
    work: Path | None = None,
) -> int:
    """Write the file with its errors, ready to correct and upload again; return how many rows are faulty.

    `source` is the file that came in, or the table opened from it (keep it when a saved mapping was used; then `path`
    is the file). `faults` gives what is wrong with each row by its number in that file. `whole` asks for the sound rows
    too where the file cannot come back as itself. `work` is a folder for temporary files. A file that comes back a
    second time has its old reasons replaced. Memory does not grow with the rows.
    """
    if not isinstance(source, Table):
        path = Path(source)
        source = open_table(source)
    return write_errors_of([(source, faults)], target, path=path, whole=whole, work=work)


def write_errors_of(
    tables: Sequence[tuple[Table, Mapping[int, str | Fault]]],
    target: Path | str | BinaryIO,
    *,
    path: Path | None = None,
    whole: bool = False,
    work: Path | None = None,
) -> int:
    """`write_errors` for several sheets of one file, each with its own faults by row."""
    parts = [_part(table, faults) for table, faults in tables]
    count = sum(len(part.faults) for part in parts)
    if path is not None and _is_zip(path) and all(part.table.source.kind == "workbook" for part in parts):
        try:
            mark_workbook(path, _seekable(target), [_marks(part) for part in parts])
            return count
        except NotMarkable:
            if not isinstance(target, Path | str):
                target.seek(0)
                target.truncate()
    _write_equivalent(parts, target, whole=whole, work=work)
    return count


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where 错误原因 stands, whether it stood there before, the last row that says something."""

    column: int
    came_back: bool
    last_row: int
    sound: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A table with what is wrong in it."""

    table: Table
    faults: Mapping[int, Fault]
    shape: _Shape


def _part(table: Table, faults: Mapping[int, str | Fault]) -> _Part:
    found = {
        number: fault if isinstance(fault, Fault) else Fault(fault)
        for number, fault in sorted(faults.items())
        if number > table.header_row
    }
    return _Part(table, found, _measure(table, found))


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == _ZIP


def _seekable(target: Path | str | BinaryIO) -> Path | BinaryIO:
    return Path(target) if isinstance(target, str) else target


def _measure(table: Table, faults: Mapping[int, Fault]) -> _Shape:
    """One look at all rows: our column is the first one to the right of the header that no row of ours needs."""
    known = [normalise_header(header) for header in table.headers]
    came_back = ERROR_HEADER in known
    column = known.index(ERROR_HEADER) if came_back else 0
    last = sound = 0
    for number, cells in table.raw_rows():
        used = max((place for place, cell in enumerate(cells) if cell), default=-1)
        if used < 0:
            continue
        last = number
        if number > table.header_row and number not in faults:
            sound += 1
        elif not came_back and number >= table.header_row:
            column = max(column, used + 1)
    return _Shape(column, came_back, last, sound)


def _marks(part: _Part) -> Marks:
    return Marks(
        sheet=part.table.sheet,
        header_row=part.table.header_row,
        column=part.shape.column,
        last_row=part.shape.last_row,
        reasons={number: clean_text(fault.reason) for number, fault in part.faults.items()},
        cells={
            number: {column: clean_text(note) for column, note in fault.cells.items()}
            for number, fault in part.faults.items()
            if fault.cells
        },
        came_back=part.shape.came_back,
        hide=bool(part.shape.sound),
    )


def _display_width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _write_equivalent(
    parts: Sequence[_Part], target: Path | str | BinaryIO, *, whole: bool, work: Path | None
) -> None:
    rows = sum(part.shape.sound + len(part.faults) for part in parts)
    options: dict[str, Any] = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "tmpdir": str(work) if work is not None else None,
    }
    book = xlsxwriter.Workbook(str(target) if isinstance(target, Path) else target, options)
    names: set[str] = set()
    try:
        for part in parts:
            name = sheet_name(part.table.sheet) if part.table.sheet else "Sheet1"
            if name.lower() in names:  # one of two that differ beyond the 31st character
                name = f"{name[:26]} ({len(names)})"
            names.add(name.lower())
            _Equivalent(book, part, name, whole=whole and rows <= _MOST_ROWS).write()
    finally:
        book.close()


class _Equivalent:
    """A sheet in the sender's order of columns."""

    def __init__(self, book: xlsxwriter.Workbook, part: _Part, name: str, *, whole: bool) -> None:
        self._table, self._faults, self._shape, self._whole = part.table, part.faults, part.shape, whole
        self._text = book.add_format({"num_format": "@"})
        self._head = book.add_format({"bold": True, "num_format": "@", "bottom": 1})
        self._wrong_head = book.add_format(
            {"bold": True, "num_format": "@", "bottom": 1, "font_color": _WRONG}
        )
        self._faulty = book.add_format({"num_format": "@", "bg_color": _FAULTY})
        self._reason = book.add_format(
            {"num_format": "@", "font_color": _WRONG, "text_wrap": True, "valign": "top"}
        )
        self._page = book.add_worksheet(name)
        self._notes = 0

    def write(self) -> None:
        page, header_row = self._page, self._table.header_row
        for index, header in enumerate(self._table.headers):
            page.set_column(index, index, min(max(_display_width(header) + 4, 10), 24))
        page.set_column(self._shape.column, self._shape.column, 60)
        row = head = 0
        hides = self._whole and bool(self._shape.sound)
        for number, cells in self._table.raw_rows():
            fault = self._faults.get(number)
            if number > header_row and fault is None and not self._whole:
                continue
            if number == header_row:
                head = row
            if hides and number > header_row and fault is None:
                page.set_row(row, None, None, {"hidden": True})
            self._row(row, number, cells, fault)
            row += 1
        if hides:
            page.autofilter(head, 0, max(row - 1, head + 1), self._shape.column)
            page.filter_column(self._shape.column, "x == NonBlanks")
        page.freeze_panes(head + 1, 0)
        page.ignore_errors({"number_stored_as_text": f"A1:XFD{row + 1}"})

    def _row(self, row: int, number: int, cells: list[str], fault: Fault | None) -> None:
        page, column = self._page, self._shape.column
        style = self._head if number <= self._table.header_row else self._text
        marked = fault.cells if fault is not None else {}
        for index, cell in enumerate(cells):
            if cell and index != column and index not in marked:
                page.write_string(row, index, clean_text(cell), style)
        for index, note in marked.items():
            text = clean_text(cells[index]) if index < len(cells) else ""
            if text:
                page.write_string(row, index, text, self._faulty)
            else:
                page.write_blank(row, index, None, self._faulty)
            if note and self._notes < _MOST_NOTES:
                self._notes += 1
                page.write_comment(row, index, clean_text(note), {"x_scale": 1.6})
        if number == self._table.header_row:
            page.write_string(row, column, ERROR_HEADER, self._wrong_head)
        elif fault is not None:
            page.write_string(row, column, clean_text(fault.reason), self._reason)
