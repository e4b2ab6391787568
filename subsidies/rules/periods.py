"""When an insurance is collected: the periods a payment date can fall into, under given settings."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .plan import Plan, Window
from .settings import Settings

ON_TIME: Final = 0
BEFORE: Final = 1
GAP: Final = 2
LATE: Final = 3
AFTER: Final = 4
ROUTE_CLOSED: Final = 5
REGIMES: Final = (ON_TIME, BEFORE, GAP, LATE, AFTER, ROUTE_CLOSED)
TIMINGS: Final = {
    ON_TIME: "on_time",
    BEFORE: "before_window",
    GAP: "out_of_period",
    LATE: "late",
    AFTER: "out_of_period",
    ROUTE_CLOSED: "out_of_period",
}


@dataclass(frozen=True)
class Periods:
    """When an insurance is collected under given settings."""

    opens: datetime.date
    closes: datetime.date
    window: Window
    late: Window | None

    def regimes(self) -> Iterator[int]:
        """The periods a payment date can fall into."""
        yield from (BEFORE, ON_TIME, AFTER)
        if self.late is not None:
            yield LATE
            yield GAP
        if self.window.routes:
            yield ROUTE_CLOSED


def periods(plan: Plan, insurance: str, settings: Settings) -> Periods:
    """The collection period (of the stage, where the settings say so) and the late period."""
    own = [window for window in plan.windows if window.insurance == insurance]
    window = next(window for window in own if window.kind == "collection")
    late = next((window for window in own if window.kind == "late"), None)
    opens, closes = window.opens, window.closes
    by_stage = settings.choice("plan.window_vs_stage") == "stage" or (
        insurance == "pension" and settings.choice("pension.window") == "stage"
    )
    if by_stage and window.stage:
        stage = next(stage for stage in plan.stages if stage.code == window.stage)
        opens, closes = stage.starts or opens, stage.ends or closes
    if insurance == "medical" and (first := settings.date("medical.window_open")) is not None:
        opens = first
    return Periods(opens, closes, window, late)


def effective(insurance: str, settings: Settings, regime: int) -> int:
    """The period as it is treated: a gap before the late period may be late already."""
    late = regime == GAP and insurance == "medical" and settings.choice("medical.gap_rule") == "late"
    return LATE if late else regime


def timing(insurance: str, settings: Settings, regime: int) -> str:
    """The word for a period in the answer."""
    return TIMINGS[effective(insurance, settings, regime)]


def late_from(plan: Plan, settings: Settings) -> datetime.date:
    """The first day that is late for medical; the end of the year where the plan has no late period."""
    time = periods(plan, "medical", settings)
    if time.late is None:
        return datetime.date(plan.coverage_year + 1, 1, 1)
    if effective("medical", settings, GAP) == LATE:
        return time.closes + datetime.timedelta(days=1)
    return time.late.opens
