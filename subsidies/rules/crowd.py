"""People on both sides of every bound of a plan: where two plans answer all of them alike, they are the same plan."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import combinations, product
from typing import Any, Final

from .conditions import (
    FAMILY_KINDS,
    HOUSEHOLD_REGISTRATIONS,
    RESIDENCE_PERMITS,
    ROUTES,
    SCHOOLS,
    Condition,
    years_before,
)
from .plan import Plan

_DAY: Final = datetime.timedelta(days=1)


def crowd(plan: Plan, insurance: str) -> list[dict[str, Any]]:
    """Rows of facts for `price`: one bound or fact varied at a time, groups also in pairs.

    Some 2,500 rows: every place of registration, permit and school; every group with every grade at each bound of
    age; every two groups; the days around each period on every route; families; missed and repaired years.
    """
    rows = [*_places(plan), *_groups(plan), *_days(plan), *_families(plan), *_missed(plan), *_against(plan)]
    usual = {
        "birth_date": datetime.date(plan.coverage_year - 38, 5, 5),
        "household_registration": "local",
        "categories": [],
        "payment_date": _usual_day(plan, insurance),
        "route": "village",
    }
    tiers: list[Decimal | None] = [None]
    if insurance == "pension" and plan.pension is not None and plan.pension.tiers:
        tiers = [tier.amount for tier in plan.pension.tiers[:2]]
    asked = product(rows, tiers)
    return [
        usual | row | {"subject": subject, "tier": row.get("tier", tier)}
        for subject, (row, tier) in enumerate(asked, start=1)
    ]


def _usual_day(plan: Plan, insurance: str) -> datetime.date:
    """A day on time: in the stage of collection where there is one."""
    window = next(each for each in plan.windows if each.insurance == insurance and each.kind == "collection")
    stage = next((each for each in plan.stages if each.code == window.stage), None)
    return (stage.starts if stage and stage.starts else window.opens) + _DAY


def _around(days: Iterable[datetime.date]) -> list[datetime.date]:
    return sorted({day + step for day in days for step in (-_DAY, 0 * _DAY, _DAY)})


def _birth_dates(plan: Plan) -> list[datetime.date]:
    """Around every birthday that an age or a printed birth date of the plan makes a bound."""
    years = {exclusion.years for exclusion in plan.exclusions if exclusion.years}
    printed = {exclusion.born_from for exclusion in plan.exclusions if exclusion.born_from}
    conditions: list[Condition] = []
    if plan.medical is not None:
        conditions += [waiver.condition for waiver in plan.medical.waivers]
        conditions += [unclear.condition for unclear in plan.medical.unclear]
    for band in (band for condition in conditions for band in (condition.age, condition.born) if band):
        for end in (band.first, band.last):
            if isinstance(end, datetime.date):
                printed.add(end)
            elif end is not None:
                years |= {end, end + 1}
    references = [datetime.date(plan.coverage_year - 1, 12, 31), datetime.date(plan.coverage_year, 1, 1)]
    return _around({*printed, *(years_before(day, year) for day in references for year in years)})


def _places(plan: Plan) -> Iterator[dict[str, Any]]:
    for where, permit, in_school, school in product(
        HOUSEHOLD_REGISTRATIONS, (None, *RESIDENCE_PERMITS), (True, False), (None, *SCHOOLS)
    ):
        yield {
            "household_registration": where,
            "residence_permit": permit,
            "in_school": in_school,
            "school": school,
        }


def _groups(plan: Plan) -> Iterator[dict[str, Any]]:
    births = _birth_dates(plan)
    for category in sorted(plan.categories):
        for grade in (None, 1, 2, 3, 4):
            yield {"categories": [category], "disability_grade": grade}
        for birth in births:
            yield {"categories": [category], "birth_date": birth}
    for birth in births:
        yield {"birth_date": birth}
    for pair in combinations(sorted(plan.categories), 2):
        yield {"categories": list(pair), "disability_grade": 1}


def _days(plan: Plan) -> Iterator[dict[str, Any]]:
    days = {day for window in plan.windows for day in (window.opens, window.closes)}
    days |= {day for stage in plan.stages for day in (stage.starts, stage.ends) if day}
    days |= {day for window in plan.windows for route in window.routes for day in route[1:] if day}
    named = [group.categories[0] for group in plan.groups.values()]
    for day, route, category in product(_around(days), ROUTES, ["", *dict.fromkeys(named)]):
        yield {"payment_date": day, "route": route, "categories": [category] if category else []}


def _families(plan: Plan) -> Iterator[dict[str, Any]]:
    end = datetime.date(plan.coverage_year - 1, 12, 31)
    wives = _around([years_before(end, years) for years in (45, 49, 50, 51)])
    for kind, lawful, wife in product(FAMILY_KINDS, (True, False, None), wives):
        yield {"family_kind": kind, "family_lawful_birth": lawful, "family_wife_birth_date": wife}


def _missed(plan: Plan) -> Iterator[dict[str, Any]]:
    late = [window.opens for window in plan.windows if window.kind == "late"]
    for missed, repaired, first, day in product(range(8), range(5), (None, True), (None, *late)):
        yield {
            "missed_years": missed,
            "repaired_years": repaired,
            "first_enrolment": first,
            **({"payment_date": day} if day else {}),
        }


def _against(plan: Plan) -> Iterator[dict[str, Any]]:
    for fact in ("employee_pension", "employee_medical", "in_school"):
        yield {fact: True}
    for other in ("medical_outside_pool_city", "medical_other_county_same_city", "same_plan_paid"):
        yield {"other_enrolment": other}
    yield {"death_date": datetime.date(plan.coverage_year - 2, 1, 1)}
    yield {"birth_date": None}
    yield {"household_members": 3, "household_enrolled": 2}
