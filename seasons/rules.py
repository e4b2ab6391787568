"""Pure rules of the year's turn: whom nobody carries over without a word, and the days that decide."""

from __future__ import annotations

from datetime import date
from typing import Final

# Not carried over: the new plan would refuse or refer them, or they are gone. Each waits with its reason.
HELD: Final = (
    "deceased", "employee_medical", "employee_pension", "not_in_scope", "in_school", "age_60_or_more", "left",
)  # fmt: skip
# Never registered for this insurance, and now old enough or out of school: they may join.
CANDIDATES: Final = ("new_sixteen", "left_school")
# Carried over, and somebody should look.
LOOKED_AT: Final = (
    "new_sixty", "lapsed_category", "moved", "closed_last_year", "missed_last_year", "enrolled_elsewhere",
    "tier_gone", "tier_100_not_allowed",
)  # fmt: skip

# What last year's closing reason (销号原因) says of the new year, where the register itself does not say it.
CLOSED_AS: Final = {
    "死亡": "deceased",
    "职工参保": "employee",
    "户口迁出": "left",
}

# Closing reasons after which an unpaid year is a year missed; none is the first of them.
GAPS: Final = ("", "自愿不参保", "失联", "空挂户")
# A registration closed because its record was merged into another: that one goes on.
SAME_PERSON: Final = "重复档案"

SIXTEEN, SIXTY = 16, 60


def age_day(coverage_year: int) -> date:
    """The day ages of a coverage year are counted on: 31 December before it (reading X1)."""
    return date(coverage_year - 1, 12, 31)


def turned(age: int, *, before: int, now: int) -> tuple[date, date]:
    """Birth dates of those who reach ``age`` between two coverage years: after the first day, up to the second.

    Somebody born on 31 December 2006 is sixteen on 31 December 2022.
    """
    first, last = age_day(before), age_day(now)
    return first.replace(year=first.year - age), last.replace(year=last.year - age)
