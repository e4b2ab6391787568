"""The evaluator: one SQL statement that answers for every row of `facts` under a plan and its settings.

Steps, per row:
1. the period the payment date falls into (before, on time, gap, late, after, route closed);
2. the first reason against, in the fixed order of `REASONS`, then those of silence;
3. for medical the first waiver tried that fits (they are tried from the lowest personal amount up), for
   pension the tier, the government-paid rule and the family-planning rule;
4. the answer these name, joined from the list of the plan's priced answers (`outcomes`);
5. the first day of cover where it depends on the day of payment, and the warnings.

Plan and settings are compiled into constants; nothing about a county or a year stands in this file. The
generated text contains only codes, numbers and dates that the parser has admitted, and no per cent sign.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import Final

from .births import newborn
from .claims import certified_since, medical_limits
from .conditions import date_literal, either, text_literal
from .contribution import paid_rules, pension_outcomes
from .cover import cover_columns
from .facts import FACT_COLUMNS, RESULT_COLUMNS
from .outcomes import Outcome
from .periods import AFTER, BEFORE, GAP, LATE, ON_TIME, ROUTE_CLOSED, periods, timing
from .plan import Plan
from .premium import choices, medical_outcomes
from .reasons import Against, context_of, reasons_against
from .settings import Settings
from .source import PlanError

# What an answer that is refused after all has not: its amounts and who pays them.
_PRICED: Final = (
    "personal_amount", "government_paid_amount", "fiscal_subsidy_amount", "total_amount", "standard_code", "waiver_code",
    "subsidy_code", "payer_1", "amount_1", "payer_2", "amount_2",
)  # fmt: skip
_FALSE_UNLESS_KNOWN: Final = ("in_school", "employee_pension", "employee_medical")


@dataclass
class Parts:
    """What one insurance contributes to the statement.

    `columns` are computed for every row, `place` is the key of the answer they choose among `outcomes`.
    `last_day` is the last day of cover, set where the first differs from person to person (`cover_from`).
    """

    columns: dict[str, str]
    place: str
    outcomes: list[Outcome]
    last_day: datetime.date | None = None
    refuse_without_cover: bool = False


def resolve(plan: Plan, insurance: str, overrides: Mapping[str, object] | None = None) -> Settings:
    """The plan's settings under overrides. Raises PlanError for what does not fit the plan."""
    if insurance not in plan.insurances:
        raise PlanError("insurance_not_in_plan", insurance=insurance)
    overrides = overrides or {}
    if "medical.age_reference_date" in overrides and _printed_birth_dates(plan):
        raise PlanError("printed_band", place="settings.medical.age_reference_date")
    settings = plan.settings.with_overrides(overrides, plan.categories, plan.waiver_codes)
    year = settings.whole("medical.fiscal_year")
    if plan.medical is not None and year is not None:
        plan.medical.standard.fiscal_of(year)
    return settings


def _printed_birth_dates(plan: Plan) -> bool:
    """Whether the plan's bands are birth dates, which no age reference date can move."""
    medical = plan.medical
    bands = [waiver.condition for waiver in medical.waivers] if medical else []
    return any(band.born for band in bands) and not any(band.age for band in bands)


def evaluation_sql(
    plan: Plan, insurance: str, overrides: Mapping[str, object] | None = None, *, facts: str = "facts"
) -> str:
    """SQL of the answers: a SELECT of RESULT_COLUMNS over a relation with FACT_COLUMNS.

    `facts` is the name of a table, view or common table expression; it is read once. `overrides` are settings
    {name: value} that stand before the plan's own. Raises PlanError.
    """
    return _compile(plan, insurance, overrides, facts) if overrides else _standing(plan, insurance, facts)


@lru_cache(maxsize=64)
def _standing(plan: Plan, insurance: str, facts: str) -> str:
    """The statement under the plan's own settings, which is asked for again and again."""
    return _compile(plan, insurance, None, facts)


def _compile(plan: Plan, insurance: str, overrides: Mapping[str, object] | None, facts: str) -> str:
    settings = resolve(plan, insurance, overrides)
    parts = _medical(plan, settings) if insurance == "medical" else _pension(plan, settings)
    against = list(reasons_against(plan, insurance, settings))
    computed = {
        "subject": "f.subject",
        "regime": _regime(plan, insurance, settings),
        "against": _case(each.test for each in against),
        **parts.columns,
    }
    known = {"categories": "COALESCE(r.categories, '{}'::text[])"}
    known |= {name: f"COALESCE(r.{name}, FALSE)" for name in _FALSE_UNLESS_KNOWN}
    answers = _values(chain(parts.outcomes, _refusals(plan, insurance, settings, against)))
    # OFFSET 0 keeps the planner from copying an expression to each place that names it
    return "\n".join(
        (
            f"SELECT {_listed(_answer(parts))}",
            "FROM (SELECT c.*, CASE WHEN c.against > 0 THEN -(c.against * 10 + c.regime)",
            f"ELSE {parts.place} END AS key",
            f"FROM (SELECT {_listed(computed)}",
            f"FROM (SELECT {_listed({name: known.get(name, f'r.{name}') for name in FACT_COLUMNS})}",
            f"FROM {facts} r OFFSET 0) f OFFSET 0) c OFFSET 0) p",
            f"LEFT JOIN ({answers}) o ON o.key = p.key",
        )
    )


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{expression} AS {name}" for name, expression in columns.items())


def _case(tests: Iterable[str]) -> str:
    """SQL: the place of the first test that holds, from 1; 0 when none does."""
    whens = " ".join(f"WHEN {test} THEN {place}" for place, test in enumerate(tests, start=1))
    return f"CASE {whens} ELSE 0 END" if whens else "0"


def _answer(parts: Parts) -> dict[str, str]:
    """The columns of the answer over `p` (what was found) and `o` (the answer it names)."""
    columns = {name: f"o.{name}" for name in RESULT_COLUMNS}
    columns["subject"] = "p.subject"
    warnings = {}
    if parts.last_day is not None:
        left = f"p.cover_from <= {date_literal(parts.last_day)}"
        lapsed = f"o.covered AND NOT {left}"
        columns["benefit_start"] = f"CASE WHEN o.covered AND {left} THEN p.cover_from END"
        columns["benefit_end"] = f"CASE WHEN {left} THEN o.benefit_end END"
        if parts.refuse_without_cover:
            columns |= {name: f"CASE WHEN {lapsed} THEN NULL ELSE o.{name} END" for name in _PRICED}
            columns["decision"] = f"CASE WHEN {lapsed} THEN 'refuse' ELSE o.decision END"
            columns["reason"] = f"CASE WHEN {lapsed} THEN 'no_cover_left' ELSE o.reason END"
        warnings["no_cover_left"] = lapsed
    if "cover_rule" in parts.columns:
        moved = "o.covered AND p.cover_rule IS NOT NULL"
        columns["decision_code"] = f"CASE WHEN {moved} THEN p.cover_rule ELSE o.decision_code END"
    if "household_short" in parts.columns:
        warnings["household_incomplete"] = "p.household_short AND o.decision <> 'refuse'"
    columns["warnings"] = "'{}'::text[]"
    if warnings:
        given = ", ".join(
            f"CASE WHEN {test} THEN {text_literal(name)} END" for name, test in warnings.items()
        )
        some = either(warnings.values())
        columns["warnings"] = (
            f"CASE WHEN {some} THEN array_remove(ARRAY[{given}], NULL) ELSE '{{}}'::text[] END"
        )
    return columns


def _regime(plan: Plan, insurance: str, settings: Settings) -> str:
    """SQL of the period of a payment date. A newborn paid for in time is on time, whatever the period.

    So is somebody for whom others pay everything, certified and registered in time: the day of the money is finance's
    business, not his (X26).
    """
    time = periods(plan, insurance, settings)
    certified_in_time = ""
    if insurance == "medical" and (since := certified_since(plan, settings)):
        certified_in_time = f"({since} <= {date_literal(time.closes)}) IS TRUE"
    tests = [(f"f.payment_date < {date_literal(time.opens)}", BEFORE)]
    closed = []
    for route, first, last in time.window.routes:
        days = [f"f.payment_date < {date_literal(first)}"] if first else []
        days += [f"f.payment_date > {date_literal(last)}"] if last else []
        if days:
            closed.append(f"(f.route = {text_literal(route)} AND {either(days)})")
    on_time = f"f.payment_date <= {date_literal(time.closes)}"
    if closed:
        shut = f"{on_time} AND {either(closed)}"
        tests.append((f"{shut} AND NOT {certified_in_time}" if certified_in_time else shut, ROUTE_CLOSED))
    tests.append((on_time, ON_TIME))
    if certified_in_time:
        tests.append((certified_in_time, ON_TIME))
    if insurance == "medical" and (born := newborn(plan.premium(), settings)) is not None:
        tests.append((born, ON_TIME))
    if time.late is not None:
        tests.append((f"f.payment_date < {date_literal(time.late.opens)}", GAP))
        tests.append((f"f.payment_date <= {date_literal(time.late.closes)}", LATE))
    whens = " ".join(f"WHEN {test} THEN {regime}" for test, regime in tests)
    return f"CASE {whens} ELSE {AFTER} END"


def _medical(plan: Plan, settings: Settings) -> Parts:
    medical = plan.premium()
    context = context_of(plan, "medical", settings)
    tried = choices(plan, medical, settings)
    child, limits = medical_limits(plan, medical, settings, context)
    waiver = _case(
        " AND ".join([choice.condition.sql(context), *(child if choice.children_limited else ()), *limits])
        for choice in tried
    )
    parts = Parts(
        columns={"waiver": waiver},
        place=f"c.regime * {len(tried) + 1} + c.waiver",
        outcomes=list(medical_outcomes(plan, settings, tried)),
    )
    if medical.cover is not None and (columns := cover_columns(plan, settings, context, waiver)):
        parts.columns |= columns
        parts.last_day = medical.cover[1]
        parts.refuse_without_cover = settings.choice("medical.late_no_cover_action") == "refuse"
    if medical.household_code and settings.choice("medical.household_mode") == "warn":
        enrolled = "f.household_enrolled + COALESCE(f.household_employee_medical, 0)"
        parts.columns["household_short"] = f"COALESCE({enrolled} < f.household_members, FALSE)"
    return parts


def _pension(plan: Plan, settings: Settings) -> Parts:
    pension = plan.contribution()
    context = context_of(plan, "pension", settings)
    paid = paid_rules(plan, pension, settings)
    tiers = " ".join(f"WHEN {tier.amount} THEN {place}" for place, tier in enumerate(pension.tiers, start=1))
    return Parts(
        columns={
            "tier_place": f"CASE f.tier {tiers} ELSE 0 END" if tiers else "0",
            "paid": _case(rule.condition.sql(context) for rule in paid),
            "family": _case(rule.condition.sql(context) for rule in pension.family),
        },
        place=(
            f"((c.regime * {len(pension.tiers) + 1} + c.tier_place) * {len(paid) + 1} + c.paid)"
            f" * {len(pension.family) + 1} + c.family"
        ),
        outcomes=list(pension_outcomes(plan, settings, paid)),
    )


def _refusals(
    plan: Plan, insurance: str, settings: Settings, against: Sequence[Against]
) -> Iterator[Outcome]:
    for place, each in enumerate(against, start=1):
        for regime in periods(plan, insurance, settings).regimes():
            yield Outcome(
                key=-(place * 10 + regime),
                decision=each.decision,
                timing=timing(insurance, settings, regime),
                reason=each.reason,
                decision_code=each.code,
            )


def _values(outcomes: Iterable[Outcome]) -> str:
    """The answers as a VALUES list; the first row carries the types."""

    def amount(value: Decimal | None) -> str:
        return "NULL" if value is None else f"{value:.2f}"

    def text(value: str | None) -> str:
        return "NULL" if value is None else text_literal(value)

    def day(value: datetime.date | None) -> str:
        return "NULL" if value is None else date_literal(value)

    types = {name: kind for name, kind in RESULT_COLUMNS.items() if name not in ("subject", "warnings")}
    rows: list[str] = []
    for outcome in outcomes:
        payers = [*outcome.payers, (None, None), (None, None)][:2]
        values = [
            text(outcome.decision),
            text(outcome.timing),
            text(outcome.reason),
            amount(outcome.personal),
            amount(outcome.government_paid),
            amount(outcome.fiscal),
            amount(outcome.pension_subsidy),
            amount(outcome.family_subsidy),
            amount(outcome.total),
            text(outcome.standard_code),
            text(outcome.waiver_code),
            text(outcome.subsidy_code),
            text(outcome.family_code),
            text(outcome.decision_code),
            text(payers[0][0]),
            amount(payers[0][1]),
            text(payers[1][0]),
            amount(payers[1][1]),
            day(outcome.benefit_start),
            day(outcome.benefit_end),
        ]
        if not rows:
            values = [f"{value}::{kind}" for value, kind in zip(values, types.values(), strict=True)]
        covered = "TRUE" if outcome.benefit_end is not None else "FALSE"
        rows.append(f"({outcome.key}, {covered}, {', '.join(values)})")
    names = ", ".join(types)
    listed = ",\n".join(rows)
    return f"SELECT * FROM (VALUES {listed}) v(key, covered, {names}) OFFSET 0"
