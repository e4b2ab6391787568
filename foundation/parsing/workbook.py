"""The rows of a binary workbook: xlsx, xls, and et of WPS.

Worksheets of an xlsx that are written as ordinary programs write them are streamed (`plain`); everything else is read
by calamine, which holds a sheet whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from typing import BinaryIO, Final

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from foundation.parsing import compound, package, plain
from foundation.parsing.limits import Limits, Refusal
from foundation.parsing.package import Area, Marks, Package, Seen
from foundation.parsing.serve import CELL, FAILED, MERGED, SIGNED, UNCACHED, Sheet, line_of
from foundation.parsing.texts import SPACES, cell_text

_MOST_MERGES: Final = 200_000
_MOST_COVERED: Final = 3_000_000
_KEPT_CELLS: Final = 2_500_000
"""Parsed sheets are kept beside the next one while they hold no more cells than this together."""
_OTHER_CALENDAR: Final = re.compile(rb'date1904="(?:1|true)"')
_SIGNS: Final = (UNCACHED, FAILED)


@dataclass(slots=True)
class _Merges:
    """Merged cells: where their text stands, and which cells of a row they cover."""

    tops: dict[int, list[int]] = field(default_factory=dict)
    covered: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    held: dict[tuple[int, int], str] = field(default_factory=dict)

    def add(self, areas: Sequence[Area], columns: int) -> None:
        """Add ranges that lie within so many columns; of a sheet with absurdly many, the first."""
        covered = 0
        for top, left, bottom, right in areas[:_MOST_MERGES]:
            covered += bottom - top + 1
            if bottom < top or not left <= right < columns or covered > _MOST_COVERED:
                continue
            self.tops.setdefault(top, []).append(left)
            for row in range(top, bottom + 1):
                self.covered.setdefault(row, []).append((top, left, right))

    def fill(self, cells: list[str], row: int) -> None:
        """Write the text of merged cells into the blank cells they cover, with a sign that it is not their own."""
        for left in self.tops.get(row, ()):
            self.held[row, left] = cells[left] if left < len(cells) else ""
        for top, left, right in self.covered[row]:
            text = self.held.get((top, left))
            if text and text[0] not in _SIGNS:
                cells.extend([""] * (right + 1 - len(cells)))
                for column in range(left, right + 1):
                    cells[column] = cells[column] or MERGED + text


class Workbook:
    """A workbook that kept the limits."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._limits = limits
        self._path = f"/dev/fd/{file.fileno()}"
        self._general: CalamineWorkbook | None = None
        self._parsed: dict[int, CalamineSheet] = {}
        self._package: Package | None = None
        self._seen: dict[int, Seen] = {}
        self._texts: list[bytes] | None = None
        if file.read(2) == b"PK":
            self._package = Package(file, limits)
            self._marks: dict[int, Marks] = {}
            self.notes = self._package.notes
            self.sheets = [
                Sheet(place, sheet.name, sheet.visible)
                for place, sheet in enumerate(self._package.sheets)
                if sheet.path
            ]
            return
        seen = compound.measure(file, limits)
        self._marks, self.notes = seen.marks, seen.notes
        self.sheets = [
            Sheet(place, sheet.name, sheet.visible is SheetVisibleEnum.Visible)
            for place, sheet in enumerate(self._calamine().sheets_metadata)
            if sheet.typ is SheetTypeEnum.WorkSheet
        ]

    def height(self, sheet: Sheet) -> int:
        """Rows down to the last that says anything."""
        seen = self._look(sheet)
        if seen is not None and seen.plain:
            return seen.rows
        return (self._table(sheet).end or (-1, 0))[0] + 1

    def lines(self, sheet: Sheet) -> Iterator[bytes]:
        """Yield a sheet's rows, beginning in column A of row 1."""
        seen, done = self._look(sheet), 0
        if seen is not None and seen.plain:
            try:
                for line in self._plain(sheet, seen):
                    yield line
                    done += 1
                return
            except plain.NotPlain:
                seen.plain = False
        # From where the strict reading ended, if it had begun.
        yield from islice(self._cells(sheet), done, None)

    # -- plain worksheets

    def _look(self, sheet: Sheet) -> Seen | None:
        if self._package is None:
            return None
        if sheet.place not in self._seen:
            self._seen[sheet.place] = self._package.look(self._package.sheets[sheet.place].path)
        return self._seen[sheet.place]

    def _plain(self, sheet: Sheet, seen: Seen) -> Iterator[bytes]:
        assert self._package is not None
        if self._texts is None:
            self._texts = plain.shared_texts(self._package.texts())
        if _OTHER_CALENDAR.search(self._package.part("xl/workbook.xml")):
            raise plain.NotPlain
        days = plain.day_styles(self._package.part("xl/styles.xml"))
        merges = _Merges()
        merges.add(seen.merged, self._limits.columns)
        covered = merges.covered
        between = CELL.encode()
        rows = plain.rows(
            self._package.blocks(self._package.sheets[sheet.place].path),
            self._texts,
            days,
            self._limits.columns,
        )
        for number, (cells, signed) in enumerate(rows):
            if number in covered:
                texts = [cell.decode("utf-8", "replace") for cell in cells]
                merges.fill(texts, number)
                yield line_of(texts)
            else:
                line = between.join(cells)
                if line.count(between) >= max(len(cells), 1):
                    line = line_of([cell.decode("utf-8", "replace") for cell in cells])
                yield SIGNED.encode() + line if signed else line

    # -- everything else

    def _calamine(self) -> CalamineWorkbook:
        if self._general is None:
            try:
                self._general = CalamineWorkbook.from_path(self._path)
            except PasswordError:
                raise Refusal("encrypted") from None
            except (CalamineError, OSError, ValueError):
                raise Refusal("broken") from None
        return self._general

    def _cells(self, sheet: Sheet) -> Iterator[bytes]:
        table = self._table(sheet)
        margin = [""] * table.start[1] if table.start else []
        marks = self._marks.get(sheet.place, {})
        merges = _Merges()
        merges.add([(*first, *last) for first, last in table.merged_cell_ranges or []], self._limits.columns)
        rows = chain(
            table.iter_rows(), repeat([], max(max(marks, default=0) - (table.end or (-1,))[0] - 1, 0))
        )
        try:
            for row, values in enumerate(rows):
                cells = margin + [
                    value.strip(SPACES) if type(value) is str else cell_text(value) for value in values
                ]
                for column, why in marks.get(row + 1, {}).items():
                    cells.extend([""] * (min(column + 1, self._limits.columns) - len(cells)))
                    if column < len(cells) and not cells[column]:
                        cells[column] = UNCACHED if why == package.UNCACHED else FAILED
                if row in merges.covered:
                    merges.fill(cells, row)
                yield line_of(cells)
        except CalamineError:
            raise Refusal("broken") from None

    def _table(self, sheet: Sheet) -> CalamineSheet:
        if sheet.place in self._parsed:
            return self._parsed[sheet.place]
        if self._package is not None:
            self._marks[sheet.place] = self._package.marks(self._package.sheets[sheet.place].path)
        if sum(table.height * table.width for table in self._parsed.values()) > _KEPT_CELLS:
            self._parsed.clear()
        try:
            table = self._calamine().get_sheet_by_name(sheet.name)
        except PasswordError:
            raise Refusal("encrypted") from None
        except (CalamineError, ValueError):
            raise Refusal("broken") from None
        end = table.end or (0, 0)
        if end[1] >= self._limits.columns or (end[0] + 1) * (end[1] + 1) > self._limits.cells:
            raise Refusal("too_big")
        self._parsed[sheet.place] = table
        return table


def open_book(file: BinaryIO, limits: Limits) -> Workbook:
    """Measure and open a workbook. Raises Refusal."""
    return Workbook(file, limits)
