"""Periods and stages of a plan as a small calendar: bars on a line of months, in the numbers of a drawing."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from enrollment.models import CollectionPlan, Insurance
from subsidies.rules.periods import periods
from subsidies.rules.plan import Plan

WIDTH: Final = 960
LABEL: Final = 236
ROW: Final = 30
TOP: Final = 40
# A bar of a day or two is still seen.
LEAST: Final = 4


@dataclass(frozen=True)
class Bar:
    """A row of the calendar: its name and place, first and last day as words."""

    name: str
    days: str
    look: str
    y: int
    x: float
    width: float
    text_x: float
    text_anchor: str


@dataclass(frozen=True)
class Month:
    """A line between months, with the month's name, and above it the year's where one begins."""

    name: str
    year: str
    x: float


@dataclass(frozen=True)
class Calendar:
    """The drawing: ``height`` high, with a line for the day of the paper and for today where they fall inside."""

    bars: list[Bar]
    months: list[Month]
    height: int
    issued: float | None
    today: float | None
    width: int = WIDTH

    @property
    def key(self) -> list[tuple[str, str]]:
        """(look, word) of the bars there are."""
        words = {
            "medical": _("医疗缴费期"),
            "pension": _("养老缴费期"),
            "late": _("逾期"),
            "stage": _("工作步骤（可以重叠）"),
        }
        drawn = {bar.look for bar in self.bars}
        return [(look, word) for look, word in words.items() if look in drawn]

    @property
    def issued_first(self) -> bool:
        """Whether the day of the paper stands left of today, so that their words keep apart."""
        return self.today is None or self.issued is None or self.issued <= self.today


def plan_calendar(plan: CollectionPlan, book: Plan, today: datetime.date) -> Calendar | None:
    """Periods as the settings read them, then stages by their first day; None where the plan prints no dates."""
    rows: list[tuple[str, str, datetime.date, datetime.date]] = []
    for window in book.windows:
        opens, closes = window.opens, window.closes
        if window.kind == "collection":
            time = periods(book, window.insurance, book.settings)
            opens, closes = time.opens, time.closes
        word = _("%(insurance)s集中缴费期") if window.kind == "collection" else _("%(insurance)s逾期期间")
        name = word % {"insurance": Insurance(window.insurance).label}
        rows.append((name, window.insurance if window.kind == "collection" else "late", opens, closes))
    stages = [
        (stage.name, "stage", stage.starts or stage.ends, stage.ends or stage.starts) for stage in book.stages
    ]
    rows += sorted(
        ((name, look, first, last) for name, look, first, last in stages if first and last),
        key=lambda row: row[2],
    )
    if not rows:
        return None
    first = min(row[2] for row in rows).replace(day=1)
    last = max(row[3] for row in rows)
    if plan.issued_on and plan.issued_on < first:
        first = plan.issued_on.replace(day=1)
    end = _next_month(last)
    scale = (WIDTH - LABEL) / (end - first).days

    def place(day: datetime.date) -> float:
        return round(LABEL + (day - first).days * scale, 1)

    bars = []
    for number, (name, look, starts, ends) in enumerate(rows):
        x, right = place(starts), place(ends + datetime.timedelta(days=1))
        roomy = WIDTH - right > 150
        bars.append(
            Bar(
                name=name,
                days=_days(starts, ends),
                look=look,
                y=TOP + number * ROW,
                x=x,
                width=max(round(right - x, 1), LEAST),
                text_x=round(right + 8 if roomy else x - 8, 1) if right - x < 150 else round(x + 8, 1),
                text_anchor="start" if right - x >= 150 or roomy else "end",
            )
        )
    return Calendar(
        bars=bars,
        months=_months(first, end, place(first), scale),
        height=TOP + len(rows) * ROW + 22,
        issued=place(plan.issued_on) if plan.issued_on and first <= plan.issued_on < end else None,
        today=place(today) if first <= today < end else None,
    )


def _next_month(day: datetime.date) -> datetime.date:
    return (day.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)


def _days(first: datetime.date, last: datetime.date) -> str:
    def short(day: datetime.date) -> str:
        return f"{day.month}.{day.day}"

    return short(first) if first == last else f"{short(first)}—{short(last)}"


def _months(first: datetime.date, end: datetime.date, left: float, scale: float) -> list[Month]:
    """Every month, or where they would stand too close every third."""
    months = []
    day = first
    while day < end:
        months.append(day)
        day = _next_month(day)
    step = 1 if len(months) <= 15 else 3
    return [
        Month(
            name=_("%(month)s月") % {"month": day.month},
            year=_("%(year)s年") % {"year": day.year} if day.month == 1 or number == 0 else "",
            x=round(left + (day - first).days * scale, 1),
        )
        for number, day in enumerate(months)
        if number % step == 0
    ]
