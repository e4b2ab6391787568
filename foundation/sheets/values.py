"""Text as dates."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time, timedelta
from typing import Final

_DATE: Final = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_COMPACT: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?")
_SERIAL: Final = re.compile(r"(\d{5})(?:\.(\d+))?")
_TIME: Final = re.compile(
    r"T?\s*(上午|下午|AM|PM)?\s*(\d{1,2})\s*[:时]\s*(\d{1,2})(?:\s*[:分]\s*(\d{1,2})(?:\.\d+)?)?\s*[秒分]?\s*(AM|PM)?"
    r"\s*(?:Z|\+08:?00)?",
    re.IGNORECASE,
)
_AFTERNOON: Final = frozenset({"下午", "PM"})
_MORNING: Final = frozenset({"上午", "AM"})
_EPOCH: Final = datetime.combine(
    date(1899, 12, 30), time()
)  # day 0 of a spreadsheet that believes 1900 was a leap year


def _moment(year: str, month: str, day: str, hour: str, minute: str, second: str) -> datetime | None:
    try:
        day_ = date(int(year), int(month), int(day))
        return datetime.combine(day_, time(int(hour or 0), int(minute or 0), int(second or 0)))
    except ValueError:
        return None


def _clock(text: str) -> tuple[str, str, str] | None:
    """Hour, minute and second of a time of day, in 24 hours."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    before, hour, minute, second, after = (part or "" for part in found.groups())
    half = (before or after).upper()
    if half in _AFTERNOON and int(hour) < 12:
        hour = str(int(hour) + 12)
    elif half in _MORNING and int(hour) == 12:
        hour = "0"
    return hour, minute, second


def parse_datetime(text: str) -> datetime | None:
    """Read a moment as bureaus write it; None when it is none. Without a time of day it is midnight.

    Understands 2022-09-01, 2022.9.1, 2022/9/1, 2022年9月1日, 20220901, 20220901103000, each with a time
    behind it (10:30, 下午 3:05), full-width or not, and spreadsheet serials (44805, 44805.4375). The result is naive
    local time.
    """
    text = text.strip()
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).strip()
    found = _DATE.match(text)
    if found:
        rest = text[found.end() :].strip()
        clock = _clock(rest) if rest else ("", "", "")
        year, month, day = found.groups()
        return _moment(year, month, day, *clock) if clock else None
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
