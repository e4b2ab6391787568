"""The evaluator: one SQL statement that answers for every row of `facts` under a plan and its settings.

Steps, per row:
1. the period the payment date falls into (before, on time, gap, late, after, route closed);
2. the first reason against, in the fixed order of `REASONS`, then those of silence;
3. for medical the first waiver tried that fits (they are tried from the lowest personal amount up), for pension
   the tier, the government-paid rule and the family-planning rule;
4. the answer these name, joined from the list of the plan's priced answers (`outcomes`);
5. the first day of cover where it depends on the day of payment, and the warnings.

Plan and settings are compiled into constants; nothing about a county or a year stands in this file. The generated
text contains only codes, numbers and dates that the parser has admitted, and no per cent sign.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .conditions import (
    AgeReference,
    Condition,
    Context,
    date_literal,
    either,
    text_array,
    text_literal,
)
from .facts import FACT_COLUMNS, RESULT_COLUMNS
from .outcomes import (
    AFTER,
    BEFORE,
    GAP,
    LATE,
    ON_TIME,
    ROUTE_CLOSED,
    TIMINGS,
    Outcome,
    choices,
    extra_groups,
    medical_outcomes,
    paid_rules,
    pension_outcomes,
    periods,
)
from .plan import WAIVED, Exclusion, Plan
from .settings import Settings
from .source import PlanError


@dataclass(frozen=True)
class Against:
    """A reason against with the decision it leads to, its test and the rule it stands on."""

    reason: str
    decision: str
    test: str
    code: str


@dataclass
class Parts:
    """What one insurance contributes to the statement."""

    columns: dict[str, str]
    place: str
    outcomes: list[Outcome]
    cover: str = ""
    cover_end: datetime.date | None = None
    household: bool = False
    refuse_without_cover: bool = False
    late_code: str = ""
    against: list[Against] = field(default_factory=list)


def resolve(plan: Plan, insurance: str, overrides: Mapping[str, object] | None = None) -> Settings:
    """The plan's settings under overrides. Raises PlanError for a name, a value or an insurance that does not fit."""
    if insurance not in plan.insurances:
        raise PlanError("insurance_not_in_plan", insurance=insurance)
    overrides = overrides or {}
    if "medical.age_reference_date" in overrides and _printed_birth_dates(plan):
        raise PlanError("printed_band", place="settings.medical.age_reference_date")
    return plan.settings.with_overrides(overrides)


def _printed_birth_dates(plan: Plan) -> bool:
    """Whether the plan's bands are birth dates, which no age reference date can move."""
    medical = plan.medical
    bands = [waiver.condition for waiver in medical.waivers] if medical else []
    return any(band.born for band in bands) and not any(band.age for band in bands)


def evaluation_sql(
    plan: Plan, insurance: str, overrides: Mapping[str, object] | None = None, *, facts: str = "facts"
) -> str:
    """SQL of the answers: `SELECT` with the columns of RESULT_COLUMNS over a relation with those of FACT_COLUMNS.

    `facts` is the name of a table, view or common table expression; it is read once. `overrides` are settings
    {name: value} that stand before the plan's own. Raises PlanError.
    """
    settings = resolve(plan, insurance, overrides)
    parts = _medical(plan, settings) if insurance == "medical" else _pension(plan, settings)
    parts.against = list(_against(plan, insurance, settings))
    regime = _regime(plan, insurance, settings)
    reasons = " ".join(
        f"WHEN {each.test} THEN {number}" for number, each in enumerate(parts.against, start=1)
    )
    computed = {
        "subject": "f.subject",
        "payment_date": "f.payment_date",
        "regime": regime,
        "against": f"CASE {reasons} ELSE 0 END" if reasons else "0",
        **parts.columns,
    }
    raw = {
        "categories": "COALESCE(r.categories, '{}'::text[])",
        **{
            name: f"COALESCE(r.{name}, FALSE)"
            for name in ("in_school", "employee_pension", "employee_medical")
        },
    }
    read = ", ".join(f"{raw.get(name, f'r.{name}')} AS {name}" for name in FACT_COLUMNS)
    found = ", ".join(f"{expression} AS {name}" for name, expression in computed.items())
    return (
        f"SELECT {_answer(parts)}\n"
        f"FROM (SELECT c.*, CASE WHEN c.against > 0 THEN -(c.against * 10 + c.regime) ELSE {parts.place} END AS key\n"
        f"FROM (SELECT {found}\n"
        f"FROM (SELECT {read} FROM {facts} r OFFSET 0) f OFFSET 0) c OFFSET 0) p\n"
        f"LEFT JOIN ({_values(_all_outcomes(plan, insurance, settings, parts))}) o ON o.key = p.key"
    )


def _answer(parts: Parts) -> str:
    """The select list over `p` (what was found) and `o` (the answer it names)."""
    columns = {name: f"o.{name}" for name in RESULT_COLUMNS}
    columns["subject"] = "p.subject"
    warnings = []
    if parts.cover:
        assert parts.cover_end is not None
        lapsed = f"o.waits AND p.cover_from > {date_literal(parts.cover_end)}"
        columns["benefit_start"] = (
            f"CASE WHEN NOT o.waits THEN o.benefit_start "
            f"WHEN p.cover_from <= {date_literal(parts.cover_end)} THEN p.cover_from END"
        )
        columns["benefit_end"] = f"CASE WHEN {lapsed} THEN NULL ELSE o.benefit_end END"
        if parts.refuse_without_cover:
            columns["decision"] = f"CASE WHEN {lapsed} THEN 'refuse' ELSE o.decision END"
            columns["reason"] = f"CASE WHEN {lapsed} THEN 'no_cover_left' ELSE o.reason END"
        warnings.append((lapsed, "no_cover_left"))
    if parts.household:
        warnings.append(("p.household_short AND o.decision <> 'refuse'", "household_incomplete"))
    nothing = "'{}'::text[]"
    if not warnings:
        columns["warnings"] = nothing
    elif len(warnings) == 1:
        test, name = warnings[0]
        columns["warnings"] = f"CASE WHEN {test} THEN {text_array([name])} ELSE {nothing} END"
    else:
        given = ", ".join(f"CASE WHEN {test} THEN {text_literal(name)} END" for test, name in warnings)
        some = either(test for test, _ in warnings)
        columns["warnings"] = f"CASE WHEN {some} THEN array_remove(ARRAY[{given}], NULL) ELSE {nothing} END"
    return ", ".join(f"{expression} AS {name}" for name, expression in columns.items())


def _regime(plan: Plan, insurance: str, settings: Settings) -> str:
    """SQL of the period of a payment date."""
    time = periods(plan, insurance, settings)
    tests = [(f"f.payment_date < {date_literal(time.opens)}", BEFORE)]
    closed = []
    for route, first, last in time.window.routes:
        days = [f"f.payment_date < {date_literal(first)}"] if first else []
        days += [f"f.payment_date > {date_literal(last)}"] if last else []
        if days:
            closed.append(f"(f.route = {text_literal(route)} AND {either(days)})")
    on_time = f"f.payment_date <= {date_literal(time.closes)}"
    if closed:
        tests.append((f"{on_time} AND {either(closed)}", ROUTE_CLOSED))
    tests.append((on_time, ON_TIME))
    if time.late is not None:
        if (time.late.opens - time.closes).days > 1:
            tests.append((f"f.payment_date < {date_literal(time.late.opens)}", GAP))
        tests.append((f"f.payment_date <= {date_literal(time.late.closes)}", LATE))
    whens = " ".join(f"WHEN {test} THEN {regime}" for test, regime in tests)
    return f"CASE {whens} ELSE {AFTER} END"


# reasons against


def _age(plan: Plan, settings: Settings, setting: str) -> AgeReference:
    """The day a setting counts completed years on."""
    year = plan.coverage_year
    before = datetime.date(year - 1, 12, 31)
    first, last = datetime.date(year, 1, 1), datetime.date(year, 12, 31)
    match settings.choice(setting):
        case "prior_year_end":
            return AgeReference(before, before)
        case "coverage_start":
            start = plan.medical.cover_from if plan.medical else first
            return AgeReference(start, start)
        case "within_coverage_year" | "within_plan_year":
            return AgeReference(first, last)
        case _:
            return AgeReference(None, None)


def _context(plan: Plan, insurance: str, settings: Settings) -> Context:
    if insurance == "medical":
        age = _age(plan, settings, "medical.age_reference_date")
    else:
        before = datetime.date(plan.coverage_year - 1, 12, 31)
        age = AgeReference(before, before)
    return Context(
        age, _age(plan, settings, "pension.fp_age_reference"), settings.grades("medical.severe_grades")
    )


def _against(plan: Plan, insurance: str, settings: Settings) -> Iterator[Against]:
    """Reasons against in the order in which the first is given."""
    yield from _excluded(plan, insurance, settings, ("deceased", "duplicate"))
    if insurance == "medical":
        yield from _excluded(plan, insurance, settings, ("duplicate_elsewhere", "duplicate_in_city"))
    context = _context(plan, insurance, settings)
    admitted = [
        admission
        for admission in plan.admissions
        if insurance in admission.insurances
        and all(each.holds(settings, insurance) for each in admission.only_if)
    ]
    if not any(admission.condition.is_empty for admission in admitted):
        within = either(admission.condition.sql(context) for admission in admitted) if admitted else "FALSE"
        nearest = next(each for each in plan.admissions if insurance in each.insurances)
        yield Against("not_in_scope", "refuse", f"{within} IS NOT TRUE", nearest.code)
    yield from _excluded(
        plan,
        insurance,
        settings,
        ("employee_medical", "employee_pension", "in_school", "under_16", "age_60_or_more"),
    )
    if insurance == "pension" and plan.pension is not None and plan.pension.tiers:
        yield from _tier_tests(plan, settings, context)
    yield Against("birth_date_missing", "refer", "f.birth_date IS NULL", admitted[0].code if admitted else "")
    if insurance == "pension" and plan.pension is not None and plan.pension.tiers:
        yield Against("tier_not_chosen", "hold", "f.tier IS NULL", plan.pension.code)


def _excluded(plan: Plan, insurance: str, settings: Settings, reasons: tuple[str, ...]) -> Iterator[Against]:
    either_kind = settings.choice("scope.employee_exclusion_mode") == "either"
    for reason in reasons:
        for exclusion in plan.exclusions:
            applies = insurance in exclusion.insurances or (either_kind and reason.startswith("employee_"))
            if exclusion.reason != reason or not applies:
                continue
            decision = exclusion.decision
            if decision == "setting":
                decision = settings.choice("pension.max_age_action")
            if decision != "accept":
                yield Against(reason, decision, _exclusion_test(plan, settings, exclusion), exclusion.code)


def _exclusion_test(plan: Plan, settings: Settings, exclusion: Exclusion) -> str:
    match exclusion.reason:
        case "deceased":
            return "f.death_date <= f.payment_date"
        case "duplicate":
            return "f.other_enrolment = 'same_plan_paid'"
        case "duplicate_elsewhere":
            return "f.other_enrolment = 'medical_outside_pool_city'"
        case "duplicate_in_city":
            return "f.other_enrolment = 'medical_other_county_same_city'"
        case "employee_medical" | "employee_pension" | "in_school":
            return f"f.{exclusion.reason}"
        case "under_16":
            assert exclusion.years is not None
            reference = _age(plan, settings, "pension.min_age_reference")
            return f"NOT ({reference.at_least('f.birth_date', exclusion.years)})"
        case _:
            if exclusion.born_from is not None:
                return f"f.birth_date < {date_literal(exclusion.born_from)}"
            assert exclusion.years is not None
            before = datetime.date(plan.coverage_year - 1, 12, 31)
            return AgeReference(before, before).at_least("f.birth_date", exclusion.years)


def _tier_tests(plan: Plan, settings: Settings, context: Context) -> Iterator[Against]:
    assert plan.pension is not None
    known = ", ".join(str(tier.amount) for tier in plan.pension.tiers)
    yield Against("unknown_tier", "refuse", f"f.tier NOT IN ({known})", plan.pension.code)
    extra = extra_groups(settings.codes("pension.tier100_categories_extra"))
    paid = [rule.condition for rule in paid_rules(plan, plan.pension, settings)]
    for tier in plan.pension.tiers:
        if tier.restricted is None:
            continue
        # who is paid for at this tier may of course use it
        allowed = either(
            each.sql(context)
            for each in (tier.restricted, *paid, *([Condition(groups=extra)] if extra else []))
        )
        closed = f"f.tier = {tier.amount} AND {allowed} IS NOT TRUE"
        if tier.unclear is not None:
            unclear = f"{closed} AND {tier.unclear.sql(context)}"
            yield Against("tier_100_not_allowed", "refer", unclear, tier.restricted_code)
        yield Against("tier_100_not_allowed", "refuse", closed, tier.restricted_code)


# what each insurance chooses


def _case(tests: list[str]) -> str:
    whens = " ".join(f"WHEN {test} THEN {number}" for number, test in enumerate(tests, start=1))
    return f"CASE {whens} ELSE 0 END" if whens else "0"


def _medical(plan: Plan, settings: Settings) -> Parts:
    medical = plan.premium()
    context = _context(plan, "medical", settings)
    tried = choices(plan, medical, settings)
    limits = []
    routes = settings.codes("medical.waiver_channels") or medical.waiver_routes
    if routes:
        limits.append(Condition(route=tuple(routes)).sql(context))
    if settings.flag("waiver.requires_local_registration"):
        limits.append(Condition(household_registration=("local",)).sql(context))
    tests = [" AND ".join([choice.condition.sql(context), *limits]) for choice in tried]
    columns = {"waiver": _case(tests)}
    width = len(tried) + 1
    parts = Parts(columns, f"c.regime * {width} + c.waiver", list(medical_outcomes(plan, settings, tried)))
    if any(outcome.waits for outcome in parts.outcomes):
        assert medical.late is not None
        parts.cover_end = medical.cover_to
        parts.cover = columns["cover_from"] = _cover_from(
            medical.late.waiting.days, medical.late.waiting.months, settings, context
        )
        parts.refuse_without_cover = settings.choice("medical.late_no_cover_action") == "refuse"
        parts.late_code = medical.late.code
    if medical.household_code and settings.choice("medical.household_mode") == "warn":
        parts.household = True
        columns["household_short"] = (
            "COALESCE(f.household_enrolled + COALESCE(f.household_employee_medical, 0) < f.household_members, FALSE)"
        )
    return parts


def _cover_from(days: int | None, months: int | None, settings: Settings, context: Context) -> str:
    """SQL of the first day of cover after a late payment."""
    if days is not None:
        wait = days if settings.choice("medical.waiting_day_count") == "include_payment_day" else days + 1
        start = f"f.payment_date + {wait}"
    else:
        assert months is not None
        start = f"(date_trunc('month', f.payment_date::timestamp) + INTERVAL '{months + 1} months')::date"
    exempt = settings.codes("medical.waiting_exempt_categories")
    if not exempt:
        return start
    groups = extra_groups([code for code in exempt if code != WAIVED])
    tests = [Condition(groups=groups).sql(context)] if groups else []
    return f"CASE WHEN {either(tests)} THEN f.payment_date ELSE {start} END" if tests else start


def _pension(plan: Plan, settings: Settings) -> Parts:
    pension = plan.contribution()
    context = _context(plan, "pension", settings)
    paid = paid_rules(plan, pension, settings)
    tiers = " ".join(f"WHEN {tier.amount} THEN {place}" for place, tier in enumerate(pension.tiers, start=1))
    columns = {
        "tier_place": f"CASE f.tier {tiers} ELSE 0 END" if tiers else "0",
        "paid": _case([rule.condition.sql(context) for rule in paid]),
        "family": _case([rule.condition.sql(context) for rule in pension.family]),
    }
    place = (
        f"((c.regime * {len(pension.tiers) + 1} + c.tier_place) * {len(paid) + 1} + c.paid)"
        f" * {len(pension.family) + 1} + c.family"
    )
    return Parts(columns, place, list(pension_outcomes(plan, settings, paid)))


# the list of answers


def _all_outcomes(plan: Plan, insurance: str, settings: Settings, parts: Parts) -> Iterator[Outcome]:
    yield from parts.outcomes
    gap_is_late = settings.choice("medical.gap_rule") == "late"
    for number, each in enumerate(parts.against, start=1):
        for regime in periods(plan, insurance, settings).regimes():
            shown = LATE if regime == GAP and gap_is_late and insurance == "medical" else regime
            yield Outcome(
                key=-(number * 10 + regime),
                decision=each.decision,
                timing=TIMINGS[shown],
                reason=each.reason,
                decision_code=each.code,
            )


def _values(outcomes: Iterator[Outcome]) -> str:
    """The answers as a VALUES list; the first row carries the types."""

    def amount(value: Decimal | None) -> str:
        return "NULL" if value is None else f"{value:.2f}"

    def text(value: str | None) -> str:
        return "NULL" if value is None else text_literal(value)

    def day(value: datetime.date | None) -> str:
        return "NULL" if value is None else date_literal(value)

    types = {name: kind for name, kind in RESULT_COLUMNS.items() if name not in ("subject", "warnings")}
    rows = []
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
        waits = "TRUE" if outcome.waits else "FALSE"
        rows.append(f"({outcome.key}, {waits}, {', '.join(values)})")
    names = ", ".join(types)
    listed = ",\n".join(rows)
    return f"SELECT * FROM (VALUES {listed}) v(key, waits, {names}) OFFSET 0"
