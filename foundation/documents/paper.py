"""The sheet under every paper of ours: size, margins, metadata, page numbers, codes, ruled tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Literal

import segno
from django.utils.translation import gettext as _
from reportlab.lib.pagesizes import A4, A5, landscape
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from foundation.documents import fonts

SIZES: Final = {"A4": A4, "A4-landscape": landscape(A4), "A5": A5}
Align = Literal["left", "centre", "right"]


@dataclass(frozen=True, slots=True)
class Cell:
    """How a column is drawn: its header (a line break is kept), share of the width, and alignment."""

    header: str
    weight: float
    align: Align = "centre"


class Paper:
    """One PDF in the making.

    Coordinates are points from the lower left corner; `left`, `right`, `top` and `bottom` bound the printed
    area. The same calls give the same bytes: no clock, no random name enters the file.
    """

    def __init__(
        self, *, title: str, size: str = "A4", margin: float = 18 * mm, bottom: float | None = None
    ) -> None:
        self._buffer = BytesIO()
        self.width, self.height = SIZES[size]
        self.canvas = Canvas(self._buffer, pagesize=(self.width, self.height), invariant=1, pageCompression=1)
        self.canvas.setTitle(title)
        self.canvas.setCreator("")
        self.canvas.setProducer("")
        self.canvas.setAuthor("")
        self.canvas.setLineWidth(0.6)
        self.left, self.right = margin, self.width - margin
        self.top, self.bottom = self.height - margin, margin if bottom is None else bottom

    @property
    def room(self) -> float:
        """Width between the margins."""
        return float(self.right - self.left)

    def paragraph(
        self,
        y: float,
        text: str,
        size: float,
        *,
        font: str = fonts.REGULAR,
        indent: float = 0,
        leading: float = 1.6,
        align: Align = "left",
        room: float | None = None,
    ) -> float:
        """Set `text` in lines below `y`; return the y below the last line."""
        space = self.room if room is None else room
        step = size * leading
        for index, line in enumerate(fonts.wrap(text, space, size, font, indent=indent)):
            y -= step
            base = y + (step - size) / 2 + size * 0.12
            if align == "centre":
                fonts.draw_centred(self.canvas, self.left + space / 2, base, line, size, font)
            elif align == "right":
                fonts.draw_right(self.canvas, self.left + space, base, line, size, font)
            else:
                fonts.draw(self.canvas, self.left + (indent if index == 0 else 0), base, line, size, font)
        return y

    def rule(
        self, y: float, line_width: float = 0.6, *, x: float | None = None, to: float | None = None
    ) -> None:
        """Draw a horizontal line, by default from margin to margin."""
        self.canvas.setLineWidth(line_width)
        self.canvas.line(self.left if x is None else x, y, self.right if to is None else to, y)

    def page_number(self, page: int, pages: int, y: float, size: float = 9) -> None:
        """Write 第n页 共N页 in the middle of the foot."""
        text = _("第%(page)d页　共%(pages)d页") % {"page": page, "pages": pages}
        fonts.draw_centred(self.canvas, self.width / 2, y, text, size)

    def code(self, url: str, x: float, y: float, side: float) -> None:
        """Draw a QR code of `url`, its lower left corner at (x, y), as one path so that it prints sharp."""
        matrix = segno.make(url, error="m", micro=False).matrix
        step = side / len(matrix)
        path = self.canvas.beginPath()
        for row, modules in enumerate(matrix):
            column = 0
            while column < len(modules):
                start = column
                while column < len(modules) and modules[column]:
                    column += 1
                if column > start:
                    path.rect(x + start * step, y + side - (row + 1) * step, (column - start) * step, step)
                column += 1
        self.canvas.drawPath(path, stroke=0, fill=1)

    def table(
        self,
        cells: Sequence[Cell],
        rows: Sequence[Sequence[str]],
        *,
        x: float,
        y: float,
        room: float,
        row_height: float,
        header_height: float,
        size: float,
    ) -> float:
        """Draw a ruled table, header first, from its upper left corner (x, y); return its lower edge.

        A text too wide for its cell is set smaller; nothing is cut off.
        """
        total = sum(cell.weight for cell in cells)
        edges = [x]
        for cell in cells:
            edges.append(edges[-1] + room * cell.weight / total)
        bottom = y - header_height - row_height * len(rows)
        lines = [y, y - header_height, *(y - header_height - row_height * n for n in range(1, len(rows) + 1))]
        self.canvas.setLineWidth(0.6)
        self.canvas.grid(edges, lines)
        self.canvas.setLineWidth(1.2)
        self.canvas.line(x, y - header_height, x + room, y - header_height)
        self.canvas.setLineWidth(0.6)
        for cell, left, right in zip(cells, edges, edges[1:], strict=False):
            self._header(cell.header, (left + right) / 2, y - header_height / 2, right - left - 4, size)
        pad = size * 0.35
        base = y - header_height - row_height / 2 - size * 0.36
        for row in rows:
            for cell, text, left, right in zip(cells, row, edges, edges[1:], strict=False):
                if not text:
                    continue
                fitted = fonts.fitting_size(text, right - left - 2 * pad, size)
                if cell.align == "centre":
                    fonts.draw_centred(self.canvas, (left + right) / 2, base, text, fitted)
                elif cell.align == "right":
                    fonts.draw_right(self.canvas, right - pad, base, text, fitted)
                else:
                    fonts.draw(self.canvas, left + pad, base, text, fitted)
            base -= row_height
        return bottom

    def _header(self, text: str, x: float, middle: float, room: float, size: float) -> None:
        lines = text.split("\n")
        base = middle + (len(lines) - 1) * size * 0.6 - size * 0.36
        for line in lines:
            fitted = fonts.fitting_size(line, room, size, fonts.BOLD)
            fonts.draw_centred(self.canvas, x, base, line, fitted, fonts.BOLD)
            base -= size * 1.2

    def next_page(self) -> None:
        """End the page."""
        self.canvas.showPage()

    def finish(self) -> bytes:
        """End the last page and return the PDF."""
        self.canvas.showPage()
        self.canvas.save()
        return self._buffer.getvalue()
