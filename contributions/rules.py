"""Pure rules of money and bands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

# Age bands of the figures (口径): 45 counts in 45–59 (reading B-000-01).
BANDS = ("0-15", "16-44", "45-59", "60-69", "70+")


def band_of(age: int | None) -> str:
    """The band of an age at the plan's reference date; an unknown age counts as a child's."""
    if age is None or age <= 15:
        return "0-15"
    if age <= 44:
        return "16-44"
    if age <= 59:
        return "45-59"
    return "60-69" if age <= 69 else "70+"


# The same bands for set-based counting; {age} is a column of a query.
BAND_SQL = (
    "CASE WHEN {age} IS NULL OR {age} <= 15 THEN '0-15' WHEN {age} <= 44 THEN '16-44' "
    "WHEN {age} <= 59 THEN '45-59' WHEN {age} <= 69 THEN '60-69' ELSE '70+' END"
)


def same_price_period(windows: Sequence[tuple[date, date | None]], one: date, other: date) -> bool:
    """Whether two days lie between the same days on which a price may change.

    ``windows`` are (first day, last day) of the plan's payment periods; a price can change on a first day and on the
    day after a last one.
    """
    edges = {first for first, _last in windows} | {
        last + timedelta(days=1) for _first, last in windows if last
    }
    return all((one < edge) == (other < edge) for edge in edges)
