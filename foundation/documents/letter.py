"""A letter from one office to another in the proportions of official documents (GB/T 9704-2012).

A4, margins 37 mm above, 35 below, 28 left and 26 right: 22 lines of 28 characters. Title in size 2 (22 pt), body in
size 3 (16 pt), two characters of indent; whoever signs and the day stand at the right, the page number —1— at the foot.
The fonts are those we may carry: where an office wants 小标宋 and 仿宋, the proportions stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from reportlab.lib.units import mm

from foundation.documents import fonts
from foundation.documents.paper import Cell, Paper

TOP, BOTTOM, LEFT, RIGHT = 37 * mm, 35 * mm, 28 * mm, 26 * mm
BODY, TITLE, SMALL = 16.0, 22.0, 12.0
LINES: Final = 22
# The line's height: 22 of them between the margins.
PITCH: Final = (297 * mm - TOP - BOTTOM) / LINES


@dataclass(frozen=True, slots=True)
class LetterTable:
    """A small table within the letter: texts in the order of `cells`; the last row may be a total."""

    cells: Sequence[Cell]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class LetterData:
    """What a letter says. `signers` are offices, each with a place for its seal; `attachments` are numbered."""

    title: str
    number: str
    to: str
    paragraphs: Sequence[str]
    signers: Sequence[str]
    on: date
    table: LetterTable | None = None
    attachments: Sequence[str] = field(default_factory=tuple)
    note: str = ""


def chinese_day(day: date) -> str:
    """2022年9月1日, without leading zeros."""
    return f"{day.year}年{day.month}月{day.day}日"


class OfficialSheet:
    """A4 in the proportions of official documents; writes downward, page after page."""

    def __init__(self, title: str) -> None:
        self.paper = Paper(title=title, margin=LEFT, bottom=BOTTOM)
        self.paper.left, self.paper.right = LEFT, self.paper.width - RIGHT
        self.paper.top = self.paper.height - TOP
        self.y = self.paper.top
        self.page = 1

    def _foot(self) -> None:
        x = self.paper.right - BODY if self.page % 2 else self.paper.left + BODY
        text = f"— {self.page} —"
        if self.page % 2:
            fonts.draw_right(self.paper.canvas, x, BOTTOM - 10 * mm, text, 14)
        else:
            fonts.draw(self.paper.canvas, x, BOTTOM - 10 * mm, text, 14)

    def need(self, height: float) -> None:
        """Turn the page where so much does not fit."""
        if self.y - height < self.paper.bottom:
            self._foot()
            self.paper.next_page()
            self.page += 1
            self.y = self.paper.top

    def line(self, text: str, size: float, *, font: str = fonts.REGULAR, x: float | None = None) -> None:
        """One line at the left."""
        self.need(PITCH)
        self.y -= PITCH
        fonts.draw(
            self.paper.canvas, self.paper.left if x is None else x, self.y + PITCH * 0.25, text, size, font
        )

    def centred(self, text: str, size: float, font: str) -> None:
        """Lines in the middle."""
        for part in fonts.wrap(text, self.paper.room, size, font):
            self.need(PITCH * 1.25)
            self.y -= PITCH * 1.25
            middle = (self.paper.left + self.paper.right) / 2
            fonts.draw_centred(self.paper.canvas, middle, self.y + PITCH * 0.25, part, size, font)

    def right(self, text: str, size: float, in_from_right: float) -> None:
        """One line that ends so far from the right margin."""
        self.need(PITCH)
        self.y -= PITCH
        fonts.draw_right(
            self.paper.canvas, self.paper.right - in_from_right, self.y + PITCH * 0.25, text, size
        )

    def signers(self, names: Sequence[str]) -> None:
        """Two offices side by side, each with room for its seal; one alone at the right."""
        if len(names) == 1:
            self.right(names[0], BODY, 2 * BODY)
            return
        for start in range(0, len(names), 2):
            self.need(PITCH * 1.5)
            self.y -= PITCH
            pair = names[start : start + 2]
            for place, name in enumerate(pair):
                middle = self.paper.left + self.paper.room * (0.25 + 0.5 * place)
                size = fonts.fitting_size(name, self.paper.room / 2 - 12, BODY)
                fonts.draw_centred(self.paper.canvas, middle, self.y + PITCH * 0.25, name, size)
            self.y -= PITCH * 0.5

    def paragraph(self, text: str) -> None:
        """Text with two characters of indent."""
        for index, part in enumerate(fonts.wrap(text, self.paper.room, BODY, fonts.REGULAR, indent=2 * BODY)):
            self.line(part, BODY, x=self.paper.left + (2 * BODY if index == 0 else 0))

    def table(self, table: LetterTable) -> None:
        """A ruled table over as many pages as it takes, its header on each."""
        row, size = PITCH * 0.9, 12.0
        header = row * 1.2
        rows = list(table.rows)
        while rows:
            self.need(header + row * min(len(rows), 2) + PITCH * 0.5)
            fits = max(int((self.y - self.paper.bottom - header - PITCH * 0.5) // row), 1)
            chunk, rows = rows[:fits], rows[fits:]
            self.y -= PITCH * 0.4
            self.y = self.paper.table(
                table.cells, chunk, x=self.paper.left, y=self.y, room=self.paper.room, row_height=row,
                header_height=header, size=size,
            )  # fmt: skip

    def finish(self) -> bytes:
        """The last page's foot, and the file."""
        self._foot()
        return self.paper.finish()


def letter(data: LetterData) -> bytes:
    """Return the letter as a PDF; the same data give the same bytes."""
    sheet = OfficialSheet(data.title)
    sheet.line(data.number, SMALL)
    sheet.y -= PITCH * 0.5
    sheet.centred(data.title, TITLE, fonts.BOLD)
    sheet.y -= PITCH * 0.75
    sheet.line(f"{data.to}：", BODY)
    for text in data.paragraphs:
        sheet.paragraph(text)
    if data.table is not None:
        sheet.table(data.table)
    # Attachments, signers and day keep together: nobody seals a page without text.
    sheet.need(PITCH * (len(data.attachments) + 4.5))
    if data.attachments:
        sheet.y -= PITCH * 0.5
        for index, text in enumerate(data.attachments, start=1):
            head = "附件：" if index == 1 else "　　　"
            sheet.line(f"　　{head}{index}.{text}", BODY)
    sheet.y -= PITCH * 1.5
    sheet.signers(data.signers)
    sheet.right(chinese_day(data.on), BODY, 4 * BODY)
    if data.note:
        sheet.y -= PITCH * 0.5
        for part in fonts.wrap(data.note, sheet.paper.room, SMALL, fonts.REGULAR):
            sheet.line(part, SMALL)
    return sheet.finish()
