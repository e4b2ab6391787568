"""A plain list on A4: title, one table whose header stands on each page, signatures, page numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reportlab.lib.units import mm

from foundation.documents import fonts
from foundation.documents.paper import Cell, Paper


@dataclass(frozen=True, slots=True)
class ListingData:
    """What a list shows. `rows` are texts in the order of `cells`; `signatures` stand below the last row."""

    title: str
    cells: Sequence[Cell]
    rows: Sequence[Sequence[str]]
    unit_line: str = ""
    made_on: str = ""
    signatures: Sequence[str] = field(default_factory=tuple)
    landscape: bool = False
    size: float = 10


def listing(data: ListingData) -> bytes:
    """Return the list as a PDF; the same data give the same bytes."""
    paper = Paper(title=data.title, size="A4-landscape" if data.landscape else "A4", margin=15 * mm)
    row_height, header_height = data.size * 2, data.size * 2.6
    title_size = data.size + 6
    head = title_size * 1.6 * len(fonts.wrap(data.title, paper.room, title_size, fonts.BOLD)) + data.size * 2
    foot = paper.bottom + data.size * 2
    first = max(int((paper.top - head - header_height - foot) // row_height), 1)
    later = max(int((paper.top - header_height - foot) // row_height), 1)
    chunks = [data.rows[:first]]
    chunks += [data.rows[start : start + later] for start in range(first, len(data.rows), later)]
    for page, rows in enumerate(chunks, start=1):
        y = paper.top
        if page == 1:
            y = paper.paragraph(y, data.title, title_size, font=fonts.BOLD, align="centre")
            fonts.draw(paper.canvas, paper.left, y - data.size * 1.4, data.unit_line, data.size)
            fonts.draw_right(paper.canvas, paper.right, y - data.size * 1.4, data.made_on, data.size)
            y -= data.size * 2
        y = paper.table(
            data.cells,
            rows,
            x=paper.left,
            y=y,
            room=paper.room,
            row_height=row_height,
            header_height=header_height,
            size=data.size,
        )
        if page == len(chunks):
            for index, signature in enumerate(data.signatures):
                x = paper.left + paper.room * index / len(data.signatures)
                fonts.draw(paper.canvas, x, y - data.size * 1.6, signature, data.size)
        paper.page_number(page, len(chunks), paper.bottom - data.size * 0.4)
        if page < len(chunks):
            paper.next_page()
    return paper.finish()
