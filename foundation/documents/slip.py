"""缴费登记回执: what a household is given when its money went straight to the tax side.

It says in its title that it is no proof of payment, since the tax bureau's electronic voucher is. One A5 page
fits a hand, a phone screen and half a sheet of A4; a household with more lines gets another page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _
from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm

from foundation.documents import fonts
from foundation.documents.paper import Paper
from foundation.money import format_yuan, in_words

_LINES_ON_FIRST = 12
_LINES_LATER = 22
_QUIET = HexColor("#444B54")
_WARNING = HexColor("#A1201B")
_INK = HexColor("#000000")


@dataclass(frozen=True, slots=True)
class SlipLine:
    """One insurance of one member: name in full, insurance as said (医疗), what the household paid for it."""

    name: str
    insurance: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class SlipData:
    """What a slip shows; every text is ready to print.

    `made_at` is local time. `place` is where the household lives (店子镇柳泉村 3 组 5 号), `coverage` when
    the cover begins, `payment` who paid and by what means (周建国付，裕农通刷卡，没有代扫), `state` the
    state of the payment (待税务回传), `voucher_hint` where the official voucher is found, `handled_by` the
    agent. `reversed` marks a slip whose payment was taken back.
    """

    slip_number: str
    made_at: datetime
    place: str
    head: str
    lines: Sequence[SlipLine]
    coverage: str
    payment: str
    state: str
    voucher_hint: str
    handled_by: str
    reversed: bool = False
    url: str = ""

    @property
    def total(self) -> Decimal:
        """The sum of the lines."""
        return sum((line.amount for line in self.lines), Decimal("0.00"))


def registration_slip(data: SlipData) -> bytes:
    """Return the slip as a PDF; the same data give the same bytes."""
    paper = Paper(title=_("缴费登记回执"), size="A5", margin=14 * mm, bottom=11 * mm)
    chunks = [list(data.lines[:_LINES_ON_FIRST])]
    chunks += [
        list(data.lines[start : start + _LINES_LATER])
        for start in range(_LINES_ON_FIRST, len(data.lines), _LINES_LATER)
    ]
    for page, lines in enumerate(chunks, start=1):
        y = _head(paper, data, page)
        y = _table(paper, lines, y)
        if page == len(chunks):
            y = _sum(paper, data, y)
            if y - paper.bottom < 110:
                paper.page_number(page, len(chunks) + 1, paper.bottom - 4)
                paper.next_page()
                y = _head(paper, data, page + 1)
                _foot(paper, data, y - 6)
                paper.page_number(page + 1, len(chunks) + 1, paper.bottom - 4)
            else:
                _foot(paper, data, y)
                if len(chunks) > 1:
                    paper.page_number(page, len(chunks), paper.bottom - 4)
        else:
            paper.page_number(page, len(chunks), paper.bottom - 4)
            paper.next_page()
    return paper.finish()


def _head(paper: Paper, data: SlipData, page: int) -> float:
    canvas = paper.canvas
    y = paper.paragraph(paper.top + 4, _("缴费登记回执"), 19, font=fonts.BOLD, align="centre", leading=1.3)
    canvas.setFillColor(_WARNING)
    y = paper.paragraph(y, _("（不作缴费凭证）"), 17, font=fonts.BOLD, align="centre", leading=1.3)
    if data.reversed:
        y = paper.paragraph(y, _("本笔已撤销"), 17, font=fonts.BOLD, align="centre", leading=1.4)
    canvas.setFillColor(_QUIET)
    day = data.made_at
    moment = f"{day.year}年{day.month}月{day.day}日 {day:%H:%M}"
    number = _("登记号 %(number)s") % {"number": data.slip_number}
    base = y - 19
    fonts.draw(canvas, paper.left, base, number, fonts.fitting_size(number, paper.room * 0.58, 10.5))
    fonts.draw_right(canvas, paper.right, base, moment, 10.5)
    canvas.setFillColor(_INK)
    y = base - 6
    if page == 1:
        y = paper.paragraph(y, data.place, 12, leading=1.5)
        y = paper.paragraph(y, _("户主 %(head)s") % {"head": data.head}, 12, leading=1.5)
    return y - 4


def _table(paper: Paper, lines: Sequence[SlipLine], y: float) -> float:
    canvas = paper.canvas
    second = paper.left + paper.room * 0.45
    step = 19.5
    canvas.setFillColor(_QUIET)
    base = y - 14
    fonts.draw(canvas, paper.left, base, _("姓名"), 10.5, fonts.BOLD)
    fonts.draw(canvas, second, base, _("险种"), 10.5, fonts.BOLD)
    fonts.draw_right(canvas, paper.right, base, _("金额（元）"), 10.5, fonts.BOLD)
    canvas.setFillColor(_INK)
    y = base - 6
    paper.rule(y, 0.8)
    for line in lines:
        base = y - 14
        size = fonts.fitting_size(line.name, second - paper.left - 8, 12.5, fonts.BOLD)
        fonts.draw(canvas, paper.left, base, line.name, size, fonts.BOLD)
        fonts.draw(canvas, second, base, line.insurance, 12)
        fonts.draw_right(canvas, paper.right, base, format_yuan(line.amount), 12.5)
        y -= step
        canvas.setStrokeColor(_QUIET)
        paper.rule(y, 0.3)
        canvas.setStrokeColor(_INK)
    return y


def _sum(paper: Paper, data: SlipData, y: float) -> float:
    canvas = paper.canvas
    y -= 7
    paper.rule(y, 1.2)
    fonts.draw(canvas, paper.left, y - 20, _("合计"), 12)
    amount = _("%(amount)s 元") % {"amount": format_yuan(data.total)}
    fonts.draw_right(canvas, paper.right, y - 23, amount, 19, fonts.BOLD)
    y -= 30
    words = _("大写 %(words)s") % {"words": in_words(data.total)}
    y = paper.paragraph(y, words, 12, leading=1.5) - 5
    paper.rule(y, 1.2)
    return y


def _foot(paper: Paper, data: SlipData, y: float) -> None:
    canvas = paper.canvas
    side = 20 * mm
    room = paper.room - (side + 4 * mm if data.url else 0)
    low = y
    if data.url:
        low = y - 4 * mm - side
        paper.code(data.url, paper.right - side, low, side)
    y -= 4
    y = paper.paragraph(y, data.coverage, 10.5, leading=1.55, room=room)
    y = paper.paragraph(y, data.payment, 10.5, leading=1.55, room=room)
    label = data.state
    box = fonts.width(label, 11.5, fonts.BOLD) + 14
    canvas.setLineWidth(0.9)
    canvas.roundRect(paper.left, y - 22, box, 19, 4, stroke=1, fill=0)
    fonts.draw(canvas, paper.left + 7, y - 16.5, label, 11.5, fonts.BOLD)
    y -= 26
    canvas.setFillColor(_QUIET)
    y = paper.paragraph(y, data.voucher_hint, 10.5, leading=1.5, room=room if low < y else None)
    paper.paragraph(y, _("经手：%(agent)s") % {"agent": data.handled_by}, 10.5, leading=1.5)
    canvas.setFillColor(_INK)
