"""Medical: the first day of cover, where it depends on the person and the day of payment.

- Paid on time: the first day of the coverage year; after missed years, when the waiting is over.
- Paid for in full by others, certified and registered in time: as paid on time, whenever the money comes (X26).
- Paid late: after the waiting period, longer by the months of missed years.
- Without a waiting period (`medical.waiting_exempt_categories`): the day of payment, not before the coverage year.
- A newborn paid for in time, where `medical.newborn_rule` says so: the day of birth, not before the coverage year.

Nothing is covered after the last day of the coverage year.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .births import newborn
from .claims import certified_since
from .conditions import Condition, Context, date_literal, either, text_literal
from .outcomes import EXTRA_CODE, extra_groups
from .periods import late_from
from .plan import Interruption, Plan, Waiting
from .settings import WAIVED, Settings

_MISSED: Final = "CASE WHEN f.first_enrolment THEN 0 ELSE COALESCE(f.missed_years, 0) END"
"""Whoever enrols for the first time has missed nothing."""


def cover_columns(plan: Plan, settings: Settings, context: Context, waiver: str) -> Mapping[str, str]:
    """SQL of `cover_from`, and of `cover_rule`: the rule that moves it, where that is not the period's own.

    Empty where everybody is covered from the first day. `waiver` is SQL of the place of the waiver, 0 for none.
    """
    medical = plan.premium()
    if medical.cover is None:
        return {}
    first, late, broken = date_literal(medical.cover[0]), medical.late, medical.interruption
    born = newborn(medical, settings)
    if late is None and broken is None and born is None:
        return {}
    on_time = f"f.payment_date < {date_literal(late_from(plan, settings))}"
    day = "f.payment_date"
    if since := certified_since(plan, settings):
        # Cover follows the certification within the period, never the day on which finance pays (X26).
        on_time = f"({on_time} OR ({since} < {date_literal(late_from(plan, settings))}) IS TRUE)"
        day = f"LEAST(f.payment_date, {since})"
    exempt = _exempt(settings, context, waiver)
    missed = f"({_MISSED}) > 0"
    start, rules = [], []
    if born is not None:
        start.append(f"WHEN {born} THEN GREATEST(f.birth_date, {first})")
        rules.append(
            f"WHEN {born} THEN {text_literal(plan.special_case('medical.newborn_rule') or EXTRA_CODE)}"
        )
    if broken is not None:
        waits = f"{missed} AND NOT {exempt}" if exempt else missed
        rules.append(f"WHEN {waits} THEN {text_literal(broken.code)}")
        start.append(f"WHEN {on_time} AND NOT ({waits}) THEN {first}")
    else:
        start.append(f"WHEN {on_time} THEN {first}")
    if exempt is not None:
        start.append(f"WHEN {exempt} THEN GREATEST(f.payment_date, {first})")
    if broken is not None:
        start.append(f"WHEN {on_time} THEN {_after_missed_years(broken, settings, first)}")
    last = first
    if late is not None:
        months = str(late.waiting.months or 0)
        if broken is not None:
            months = _months(broken, months, _MISSED)
        last = f"GREATEST({first}, {_waited(late.waiting, settings, months, day)})"
    columns = {"cover_from": f"CASE {' '.join(start)} ELSE {last} END"}
    if rules:
        columns["cover_rule"] = f"CASE {' '.join(rules)} END"
    return columns


def _exempt(settings: Settings, context: Context, waiver: str) -> str | None:
    """SQL: whoever has no waiting period; None where nobody is exempt."""
    codes = settings.codes("medical.waiting_exempt_categories")
    tests = [f"({waiver}) > 0"] if WAIVED in codes else []
    if groups := extra_groups([code for code in codes if code != WAIVED]):
        tests.append(Condition(groups=groups).sql(context))
    return f"{either(tests)} IS TRUE" if tests else None


def _months(broken: Interruption, base: str, further: str) -> str:
    """SQL of the months of waiting: `base`, more for each `further` missed year, less for each one repaired."""
    added = f"({further}) * {broken.further} - COALESCE(f.repaired_years, 0) * {broken.repaired}"
    months = f"{base} + GREATEST({added}, 0)"
    if broken.long_years is None:
        return months
    longest = f"({_MISSED}) >= {broken.long_years}"
    return f"CASE WHEN {longest} THEN GREATEST({months}, {broken.long_months}) ELSE {months} END"


def _after_missed_years(broken: Interruption, settings: Settings, first: str) -> str:
    """SQL of the first day of somebody who paid on time after missed years; the first one is the fixed period."""
    counted = settings.choice("medical.waiting_first_missed_year") == "adds_a_month"
    months = _months(broken, str(broken.months), _MISSED if counted else f"({_MISSED}) - 1")
    if settings.choice("medical.interruption_start") == "payment_date":
        return f"GREATEST({first}, {_waited(Waiting(months=broken.months), settings, months)})"
    return f"({first} + make_interval(months => {months}))::date"


def _waited(waiting: Waiting, settings: Settings, months: str, day: str = "f.payment_date") -> str:
    """SQL of the first day after a waiting period that begins on `day`, the payment's."""
    if waiting.days is not None:
        counted = settings.choice("medical.waiting_day_count") == "include_payment_day"
        return f"{day} + {waiting.days + (0 if counted else 1)}"
    if settings.choice("medical.waiting_month_count") == "from_payment_day":
        return f"({day} + make_interval(months => {months}))::date + 1"
    return f"(date_trunc('month', {day}::timestamp) + make_interval(months => {months} + 1))::date"
