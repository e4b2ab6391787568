"""A cell as the text it shows."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

SPACES: Final = " \t\n\r\x0b\x0c\xa0\u3000"
"""What is taken off the ends of a cell."""
_MIDNIGHT: Final = time()
_EXACT: Final = 1 << 53
"""From here on not every whole number can be told from the next."""


def cell_text(value: object) -> str:
    """Return what a cell shows: numbers without a trailing .0, dates in ISO form, text without outer spaces.

    A number that a cell cannot hold whole (an ID number typed as a number) comes out in scientific notation, as
    spreadsheet programs show it: its last digits are lost, and nobody should take zeros for them.
    """
    if isinstance(value, str):
        return value.strip(SPACES)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime):
        if value.time() == _MIDNIGHT:
            return value.date().isoformat()
        return value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value).strip(SPACES)


def _number(value: float) -> str:
    if abs(value) >= _EXACT:
        return format(value, ".14E")
    if value.is_integer():
        return str(int(value))
    text = format(Decimal(format(value, ".15g")), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
