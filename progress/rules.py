"""Pure rules of rates, days, ranks and the outlook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

# Money on its way longer than this is named on the leader's page (days).
OVERDUE_DAYS = 3
# The outlook continues the pace of the last days.
PACE_DAYS = 7


def rate(part: int, whole: int) -> float | None:
    """Percent with one decimal, None where there is nothing to divide by."""
    return round(100 * part / whole, 1) if whole > 0 else None


def includes_exempt(settings: Mapping[str, Any]) -> bool:
    """``targets.includes_exempt`` of a plan's settings, which hold words or truth values; out where it is silent."""
    return str(settings.get("targets.includes_exempt", "false")).lower() == "true"


def completion(
    *, paid: int, exempt: int, in_scope: int, target: int | None, includes_exempt: bool
) -> float | None:
    """完成率: paid ÷ target. People the government pays for in full are in or out as the plan says.

    A plan that prints no target takes everybody in scope (应保尽保), less the exempt where they are out.
    """
    done = paid + exempt if includes_exempt else paid
    whole = target if target is not None else (in_scope if includes_exempt else in_scope - exempt)
    return rate(done, whole)


@dataclass(frozen=True)
class Season:
    """The days of collection, both included."""

    opens: date
    closes: date

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.closes - self.opens).days + 1

    def passed(self, today: date) -> int:
        """Days begun until today: the first day is day 1; 0 before it, all of them after the last."""
        return min(max((today - self.opens).days + 1, 0), self.days)

    def left(self, today: date) -> int:
        """Days after today."""
        return self.days - self.passed(today)

    def gone(self, today: date) -> float:
        """Percent of the time gone by the end of today."""
        return round(100 * self.passed(today) / self.days, 1)


@dataclass(frozen=True)
class BandTarget:
    """A printed target of an age band: percent, and which people it is measured against."""

    band: str
    insurance: str
    percent: float
    against_registered: bool

    @property
    def first(self) -> int:
        """The band's lowest age."""
        return int(self.band.partition("-")[0])


def band_targets(rates: Sequence[Mapping[str, Any]] | None) -> list[BandTarget]:
    """Targets by age among the ``rates`` of a plan's document, oldest band first.

    人员 (``residents``) means everybody in scope of the band, 参保人员 (``enrolled``) the registered (reading
    B-000-02).
    """
    found = []
    for item in rates or ():
        ages, percent = item.get("ages"), _percent(item.get("rate"))
        if not ages or percent is None:
            continue
        found.append(
            BandTarget(
                f"{ages[0]}-{ages[1]}",
                item.get("insurance", ""),
                percent,
                item.get("denominator") == "enrolled",
            )
        )
    return sorted(found, key=lambda target: -target.first)


def _percent(value: Any) -> float | None:
    text = str(value if value is not None else "").strip().removesuffix("%")
    try:
        number = float(text)
    except ValueError:
        return None
    return number * 100 if isinstance(value, float) and value <= 1 else number


def ranks(rates: Mapping[str, float | None]) -> dict[str, int]:
    """Place of each key by its rate, best first; equal rates share a place, no rate comes last."""
    ordered = sorted(rates.values(), key=lambda value: -1.0 if value is None else value, reverse=True)
    return {key: ordered.index(value) + 1 for key, value in rates.items()}


def named_last(count: int) -> int:
    """How many of the last are named: three, fewer where the list is short."""
    return min(3, count // 2)


def outlook(shares: Sequence[float], days: int) -> list[float]:
    """Shares (percent of the target) of the coming ``days``, by the pace of the last ones.

    Each day closes the same part of what is still open as an average day of the last ``PACE_DAYS`` did, so
    the line slows as it nears the whole. ``shares`` are cumulative, one a day, today last; without a pace the
    list is empty.
    """
    if len(shares) <= PACE_DAYS or days <= 0:
        return []
    open_now, open_then = 100 - shares[-1], 100 - shares[-1 - PACE_DAYS]
    if open_now <= 0 or open_then <= open_now:
        return []
    kept = (open_now / open_then) ** (1 / PACE_DAYS)
    return [round(100 - open_now * kept**step, 1) for step in range(1, days + 1)]


def calendar(first: date, last: date) -> list[date]:
    """Every day from first to last."""
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def year_before(day: date) -> date:
    """The same day a year before; 29 February becomes 28."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)
