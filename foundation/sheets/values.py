"""Text as dates."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Final

_DATE: Final = re.compile(r"(\d{4})\s*[-/.年．－／]\s*(\d{1,2})\s*[-/.月．－／]\s*(\d{1,2})\s*日?")
_COMPACT: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?")
_SERIAL: Final = re.compile(r"(\d{5})(?:\.(\d+))?")
_TIME: Final = re.compile(
    r"[T\s]*(\d{1,2})\s*[:：时]\s*(\d{1,2})(?:\s*[:：分]\s*(\d{1,2})(?:\.\d+)?)?\s*[秒分]?"
)
_EPOCH: Final = datetime.combine(
    date(1899, 12, 30), time()
)  # day 0 of a spreadsheet that believes 1900 was a leap year


def _moment(year: str, month: str, day: str, hour: str, minute: str, second: str) -> datetime | None:
    try:
        day_ = date(int(year), int(month), int(day))
        return datetime.combine(day_, time(int(hour or 0), int(minute or 0), int(second or 0)))
    except ValueError:
        return None


def parse_datetime(text: str) -> datetime | None:
    """Read a moment as bureaus write it; None when it is none. Without a time of day it is midnight.

    Understands 2022-09-01, 2022.9.1, 2022/9/1, 2022年9月1日, 20220901, 20220901103000, each with a time
    behind it, and spreadsheet serials (44805, 44805.4375). The result is naive local time.
    """
    text = text.strip()
    found = _DATE.match(text)
    if found:
        rest = text[found.end() :].strip()
        clock = _TIME.fullmatch(rest) if rest else None
        if rest and clock is None:
            return None
        parts = clock.groups() if clock else ("", "", "")
        return _moment(*found.groups(), *(part or "" for part in parts))
    compact = _COMPACT.fullmatch(text)
    if compact:
        return _moment(*(part or "" for part in compact.groups()))
    serial = _SERIAL.fullmatch(text)
    if serial:
        fraction = float(f"0.{serial[2]}") if serial[2] else 0.0
        return _EPOCH + timedelta(days=int(serial[1]), seconds=round(fraction * 86_400))
    return None


def parse_date(text: str) -> date | None:
    """Read a day in any form of `parse_datetime`; None when it is none."""
    moment = parse_datetime(text)
    return moment.date() if moment else None
