"""The rows of a binary workbook, by calamine: xlsx, xls, and et of WPS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from foundation.parsing import compound, package
from foundation.parsing.limits import Limits, Refusal
from foundation.parsing.serve import FAILED, MERGED, UNCACHED, Sheet
from foundation.parsing.texts import cell_text

_ZIP: Final = b"PK"
_MOST_MERGES: Final = 200_000
_MOST_COVERED: Final = 3_000_000
_KEPT_CELLS: Final = 2_500_000
"""Parsed sheets are kept beside the next one while they hold no more cells than this together."""


@dataclass(slots=True)
class _Merges:
    """Merged cells: where their text stands, and which cells of a row they cover."""

    tops: dict[int, list[int]] = field(default_factory=dict)
    covered: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)

    def add(self, top: int, left: int, bottom: int, right: int) -> None:
        """Add a range; rows and columns count from 0."""
        self.tops.setdefault(top, []).append(left)
        for row in range(top, bottom + 1):
            self.covered.setdefault(row, []).append((top, left, right))

    def fill(self, cells: list[str], row: int, held: dict[tuple[int, int], str]) -> None:
        """Write the text of merged cells into the blank cells they cover, with a sign that it is not their own."""
        for left in self.tops.get(row, ()):
            held[row, left] = cells[left] if left < len(cells) else ""
        for top, left, right in self.covered[row]:
            text = held.get((top, left))
            if text and text[0] not in (UNCACHED, FAILED):
                for column in range(left, min(right + 1, len(cells))):
                    cells[column] = cells[column] or MERGED + text


class Workbook:
    """A workbook that kept the limits."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._limits = limits
        packed = file.read(2) == _ZIP
        seen = package.measure(file, limits) if packed else compound.measure(file, limits)
        self._marks, self.notes = seen.marks, seen.notes
        self._parsed: dict[int, CalamineSheet] = {}
        try:
            self._workbook = CalamineWorkbook.from_path(f"/dev/fd/{file.fileno()}")
            listed = self._workbook.sheets_metadata
        except PasswordError:
            raise Refusal("encrypted") from None
        except (CalamineError, OSError, ValueError):
            raise Refusal("broken") from None
        self.sheets = [
            Sheet(place, sheet.name, sheet.visible is SheetVisibleEnum.Visible)
            for place, sheet in enumerate(listed)
            if sheet.typ is SheetTypeEnum.WorkSheet
        ]

    def height(self, sheet: Sheet) -> int:
        """Rows down to the last that says anything."""
        return (self._table(sheet).end or (-1, 0))[0] + 1

    def cells(self, sheet: Sheet) -> Iterator[list[str]]:
        """Yield a sheet's rows as text, beginning in column A of row 1."""
        table = self._table(sheet)
        margin = [""] * table.start[1] if table.start else []
        marks = self._marks.get(sheet.place, {})
        merges = _merges(table)
        held: dict[tuple[int, int], str] = {}
        try:
            for row, values in enumerate(table.iter_rows()):
                cells = [value.strip() if type(value) is str else cell_text(value) for value in values]
                if margin:
                    cells = margin + cells
                for column, why in marks.get(row + 1, {}).items():
                    if column < len(cells) and not cells[column]:
                        cells[column] = UNCACHED if why == package.UNCACHED else FAILED
                if row in merges.covered:
                    merges.fill(cells, row, held)
                yield cells
        except CalamineError:
            raise Refusal("broken") from None

    def _table(self, sheet: Sheet) -> CalamineSheet:
        if sheet.place in self._parsed:
            return self._parsed[sheet.place]
        if sum(table.height * table.width for table in self._parsed.values()) > _KEPT_CELLS:
            self._parsed.clear()
        try:
            table = self._workbook.get_sheet_by_name(sheet.name)
        except PasswordError:
            raise Refusal("encrypted") from None
        except (CalamineError, ValueError):
            raise Refusal("broken") from None
        end = table.end or (0, 0)
        if end[1] >= self._limits.columns or (end[0] + 1) * (end[1] + 1) > self._limits.cells:
            raise Refusal("too_big")
        self._parsed[sheet.place] = table
        return table


def _merges(table: CalamineSheet) -> _Merges:
    merges, covered = _Merges(), 0
    ranges = table.merged_cell_ranges or []
    if len(ranges) > _MOST_MERGES:
        return merges
    for (top, left), (bottom, right) in ranges:
        if bottom < top or right < left or covered + bottom - top > _MOST_COVERED:
            continue
        covered += bottom - top + 1
        merges.add(top, left, bottom, right)
    return merges


def open_book(file: BinaryIO, limits: Limits) -> Workbook:
    """Measure and open a workbook. Raises Refusal."""
    return Workbook(file, limits)
