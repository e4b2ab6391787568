"""Rates, days, ranks and the outlook."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progress import rules

SEASON = rules.Season(date(2022, 10, 16), date(2022, 12, 31))


@pytest.mark.parametrize(
    ("day", "passed", "left"),
    [
        (date(2022, 10, 15), 0, 77),
        (date(2022, 10, 16), 1, 76),
        (date(2022, 11, 28), 44, 33),
        (date(2022, 12, 31), 77, 0),
        (date(2023, 1, 9), 77, 0),
    ],
)
def test_days_of_the_season(day: date, passed: int, left: int) -> None:
    """The first day is day 1, the last leaves none."""
    assert (SEASON.days, SEASON.passed(day), SEASON.left(day)) == (77, passed, left)


def test_equal_rates_share_a_place() -> None:
    """And whoever has no rate comes last."""
    assert rules.ranks({"a": 50.0, "b": 70.0, "c": 50.0, "d": None}) == {"b": 1, "a": 2, "c": 2, "d": 4}


def test_outlook_needs_a_pace() -> None:
    """Too few days, a standstill or a full house give no outlook."""
    assert rules.outlook([10.0] * 7, 5) == []
    assert rules.outlook([10.0] * 8, 5) == []
    assert rules.outlook([90.0, 91, 92, 93, 94, 95, 96, 100], 5) == []


def test_outlook_closes_the_same_part_each_week() -> None:
    """Half of what was open a week ago is closed: in another week half of the rest."""
    shares = [20.0, 25, 31, 37, 43, 49, 54, 60]
    assert rules.outlook(shares, 14)[6] == 80.0
    assert rules.outlook(shares, 14)[13] == 90.0


@given(st.lists(st.floats(0, 100), min_size=8, max_size=40).map(sorted), st.integers(1, 90))
def test_outlook_never_falls_and_never_passes_the_whole(shares: list[float], days: int) -> None:
    """Whatever the past, the line rises at most to 100 percent."""
    ahead = rules.outlook(shares, days)
    assert ahead == sorted(ahead)
    assert all(value <= 100 for value in ahead)


def test_printed_targets_are_read_from_the_plan() -> None:
    """Percent as printed, denominators as printed, rates without ages are none of these."""
    rates: list[dict[str, Any]] = [
        {"insurance": "medical", "denominator": "in_scope"},
        {"insurance": "pension", "ages": [16, 44], "rate": "60%", "denominator": "enrolled"},
        {"insurance": "pension", "ages": [45, 59], "rate": "95%", "denominator": "residents"},
    ]
    assert rules.band_targets(rates) == [
        rules.BandTarget("45-59", "pension", 95.0, False),
        rules.BandTarget("16-44", "pension", 60.0, True),
    ]
    assert rules.band_targets(None) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, False), ({"targets.includes_exempt": "false"}, False), ({"targets.includes_exempt": "true"}, True)],
)
def test_exempt_people_are_out_where_the_plan_is_silent(settings: dict[str, str], expected: bool) -> None:
    """A setting may come as a word."""
    assert rules.includes_exempt(settings) is expected


def test_same_day_last_year() -> None:
    """29 February has no brother."""
    assert rules.year_before(date(2024, 2, 29)) == date(2023, 2, 28)
