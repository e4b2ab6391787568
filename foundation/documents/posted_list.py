"""The list posted in a village: A4, two columns of households, each sheet complete in itself on the wall.

What is shown is the least that lets a household check its own line: group, partly masked head, people due,
people paid, end of the voucher. Names and vouchers are masked here, whatever was handed in, so that no caller
can post more by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from django.utils.translation import gettext as _
from reportlab.lib.units import mm

from foundation.documents import fonts
from foundation.documents.paper import Align, Cell, Paper
from foundation.masking import Audience, mask_name, mask_receipt

ROWS_PER_COLUMN: Final = 24
_PAUSES: Final = re.compile("年度|城乡居民|保险|街道|[镇乡村区县]")


@dataclass(frozen=True, slots=True)
class PostedColumn:
    """A column of a posted list. `name` and `voucher` texts are masked when drawn."""

    header: str
    weight: float
    kind: Literal["text", "name", "voucher"] = "text"
    align: Align = "centre"


def payment_columns() -> tuple[PostedColumn, ...]:
    """Return the columns of a payment roster: 组, 户主, 应缴人数, 已缴人数, 凭证尾号."""
    return (
        PostedColumn(_("组"), 1.0),
        PostedColumn(_("户主"), 1.9, "name"),
        PostedColumn(_("应缴\n人数"), 1.6),
        PostedColumn(_("已缴\n人数"), 1.6),
        PostedColumn(_("凭证\n尾号"), 1.7, "voucher"),
    )


@dataclass(frozen=True, slots=True)
class PostedListData:
    """What is posted.

    `rows` are texts in the order of `columns`, in posting order. `first_day` and `last_day` bound the days of
    posting, both included. `signed_by` is who puts the seal; `url` makes a code that leads to the public
    page.
    """

    title: str
    subject: str
    rows: Sequence[Sequence[str]]
    columns: Sequence[PostedColumn]
    first_day: date
    last_day: date
    objections_to: str
    telephone: str
    signed_by: str
    signed_on: date
    note: str = ""
    url: str = ""


def chinese_date(day: date, *, year: bool = True) -> str:
    """Write a day as official papers do: 2023年1月6日."""
    return (f"{day.year}年" if year else "") + f"{day.month}月{day.day}日"


def lead_text(data: PostedListData) -> str:
    """Return the sentence at the head: what is posted, when, where to object and whom to call."""
    values = {
        "subject": data.subject,
        "first": chinese_date(data.first_day),
        "last": chinese_date(data.last_day, year=data.last_day.year != data.first_day.year),
        "to": data.objections_to,
        "telephone": data.telephone,
    }
    if data.url:
        text = _(
            "现将%(subject)s予以公示，公示期%(first)s至%(last)s。如有异议，请向%(to)s反映，或扫下方二维码。"
        )
    else:
        text = _("现将%(subject)s予以公示，公示期%(first)s至%(last)s。如有异议，请向%(to)s反映。")
    return text % values + (_("监督电话：%(telephone)s。") % values if data.telephone else "")


def _masked(row: Sequence[str], columns: Sequence[PostedColumn]) -> list[str]:
    texts: list[str] = []
    for text, column in zip(row, columns, strict=True):
        if column.kind == "name":
            text = mask_name(text)
        elif column.kind == "voucher":
            text = mask_receipt(text, Audience.PUBLIC)
        texts.append(text)
    return texts


def _balanced(title: str, room: float, size: float) -> str:
    """Break a title that needs two lines where it is said with a pause, as near to its middle as may be.

    A title that brings its own line break keeps it.
    """
    if "\n" in title or fonts.width(title, size, fonts.BOLD) <= room:
        return title
    breaks = [found.end() for found in _PAUSES.finditer(title)]
    fitting = [
        place
        for place in breaks
        if max(fonts.width(part, size, fonts.BOLD) for part in (title[:place], title[place:])) <= room
    ]
    if not fitting:
        return title
    place = min(fitting, key=lambda end: abs(2 * end - len(title)))
    return title[:place] + "\n" + title[place:]


def posted_list(data: PostedListData) -> bytes:
    """Return the list as a PDF; the same data give the same bytes. An empty list says so on one sheet."""
    rows = [_masked(row, data.columns) for row in data.rows]
    cells = [Cell(column.header, column.weight, column.align) for column in data.columns]
    per_page = 2 * ROWS_PER_COLUMN
    chunks = [rows[start : start + per_page] for start in range(0, len(rows), per_page)] or [[]]
    paper = Paper(title=data.title, margin=18 * mm, bottom=14 * mm)
    for page, chunk in enumerate(chunks, start=1):
        _sheet(paper, data, cells, chunk)
        paper.page_number(page, len(chunks), paper.bottom)
        if page < len(chunks):
            paper.next_page()
    return paper.finish()


def _sheet(paper: Paper, data: PostedListData, cells: Sequence[Cell], rows: Sequence[Sequence[str]]) -> None:
    title = _balanced(data.title, paper.room, 22)
    y = paper.paragraph(paper.top + 4, title, 22, font=fonts.BOLD, align="centre", leading=1.35)
    y = paper.paragraph(y - 9, lead_text(data), 13, indent=26, leading=1.55) - 9
    foot = paper.bottom + 30 * mm
    header_height = 34.0
    gap = 12.0
    row_height = min((y - foot - header_height) / ROWS_PER_COLUMN, 20.5)
    room = (paper.room - gap) / 2
    if not rows:
        paper.paragraph(y - 60, _("本期没有可以公示的记录。"), 14, align="centre")
    for side, start in enumerate((0, ROWS_PER_COLUMN)):
        part = rows[start : start + ROWS_PER_COLUMN]
        if part:
            paper.table(
                cells,
                part,
                x=paper.left + side * (room + gap),
                y=y,
                room=room,
                row_height=row_height,
                header_height=header_height,
                size=min(12.0, row_height * 0.62),
            )
    _foot(paper, data)


def _foot(paper: Paper, data: PostedListData) -> None:
    base = paper.bottom + 9 * mm
    x = paper.left
    if data.url:
        side = 17 * mm
        paper.code(data.url, x, base - 1 * mm, side)
        x += side + 5 * mm
    lines = [_("扫码查自家记录")] if data.url else []
    lines += fonts.wrap(data.note, paper.width / 2 - 6 * mm - (x - paper.left) / 2, 11) if data.note else []
    for index, line in enumerate(lines):
        fonts.draw(paper.canvas, x, base + 11.5 * mm - index * 16, line, 11)
    seal = _("%(signed_by)s（章）") % {"signed_by": data.signed_by}
    fonts.draw_right(paper.canvas, paper.right, base + 9 * mm, seal, 13)
    fonts.draw_right(paper.canvas, paper.right, base + 1.5 * mm, chinese_date(data.signed_on), 13)
