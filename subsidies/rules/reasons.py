"""Reasons against: who is refused, referred or held, in the order in which the first is given."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from .births import paid_after_birth
from .conditions import AgeReference, Condition, Context, date_literal, either
from .contribution import paid_rules
from .outcomes import extra_groups
from .periods import late_from
from .plan import Exclusion, Plan
from .settings import Settings

_EMPLOYEE: Final = ("employee_medical", "employee_pension")


@dataclass(frozen=True)
class Against:
    """A reason against with the decision it leads to, its test and the rule it stands on."""

    reason: str
    decision: str
    test: str
    code: str


def age_reference(plan: Plan, settings: Settings, setting: str) -> AgeReference:
    """The day a setting counts completed years on."""
    first, last = datetime.date(plan.coverage_year, 1, 1), datetime.date(plan.coverage_year, 12, 31)
    match settings.choice(setting):
        case "prior_year_end":
            return prior_year_end(plan)
        case "coverage_start":
            start = plan.medical.cover[0] if plan.medical and plan.medical.cover else first
            return AgeReference(start, start)
        case "within_coverage_year" | "within_plan_year":
            return AgeReference(first, last)
        case _:
            return AgeReference(None, None)


def prior_year_end(plan: Plan) -> AgeReference:
    """31 December before the coverage year: where a plan prints birth dates they agree with this day."""
    day = datetime.date(plan.coverage_year - 1, 12, 31)
    return AgeReference(day, day)


def context_of(plan: Plan, insurance: str, settings: Settings) -> Context:
    """The days on which the ages of this insurance's conditions are counted, and the severe grades."""
    medical = insurance == "medical"
    return Context(
        age=age_reference(plan, settings, "medical.age_reference_date") if medical else prior_year_end(plan),
        wife_age=age_reference(plan, settings, "pension.fp_age_reference"),
        severe_grades=settings.grades("medical.severe_grades"),
    )


def reasons_against(plan: Plan, insurance: str, settings: Settings) -> Iterator[Against]:
    """Reasons against in the order in which the first is given."""
    yield from _excluded(plan, insurance, settings, ("deceased", "duplicate"))
    if insurance == "medical":
        yield from _excluded(plan, insurance, settings, ("duplicate_elsewhere", "duplicate_in_city"))
    context = context_of(plan, insurance, settings)
    admitted = [
        admission
        for admission in plan.admissions
        if insurance in admission.insurances
        and all(each.holds(settings, insurance) for each in admission.only_if)
    ]
    nearest = next(each for each in plan.admissions if insurance in each.insurances)
    if not any(admission.condition.is_empty for admission in admitted):
        within = either(admission.condition.sql(context) for admission in admitted) if admitted else "FALSE"
        yield Against("not_in_scope", "refuse", f"{within} IS NOT TRUE", nearest.code)
    for each in plan.doubtful:
        if insurance in each.insurances and all(toggle.holds(settings, insurance) for toggle in each.only_if):
            yield Against("not_in_scope", "refer", each.condition.sql(context), each.code)
    yield from _excluded(
        plan,
        insurance,
        settings,
        (*_EMPLOYEE, "in_school", "under_16", "age_60_or_more"),
    )
    if insurance == "pension" and plan.contribution().tiers:
        yield from _tier_tests(plan, settings, context)
    yield Against("birth_date_missing", "refer", "f.birth_date IS NULL", nearest.code)
    if insurance == "medical":
        yield from _newborns(plan, settings)
    if insurance == "pension" and plan.contribution().tiers:
        yield Against("tier_not_chosen", "hold", "f.tier IS NULL", plan.contribution().code)


def _excluded(plan: Plan, insurance: str, settings: Settings, reasons: tuple[str, ...]) -> Iterator[Against]:
    either_kind = settings.choice("scope.employee_exclusion_mode") == "either"
    for reason in reasons:
        for exclusion in _for_either(plan) if either_kind else plan.exclusions:
            applies = insurance in exclusion.insurances or (either_kind and reason in _EMPLOYEE)
            if exclusion.reason != reason or not applies:
                continue
            decision = exclusion.decision
            if decision == "setting":
                decision = settings.choice("pension.max_age_action")
            if decision != "accept":
                yield Against(reason, decision, _exclusion_test(plan, settings, exclusion), exclusion.code)


def _newborns(plan: Plan, settings: Settings) -> Iterator[Against]:
    """A newborn paid for after the period, where a plan leaves newborns to an office and says nothing of the price."""
    case = plan.special_case("medical.newborn_rule")
    born = paid_after_birth(plan.premium(), settings)
    if case is None or born is None or settings.choice("medical.newborn_rule") == "from_birth":
        return
    late = f"f.payment_date >= {date_literal(late_from(plan, settings))}"
    yield Against("newborn", "refer", f"{late} AND {born}", case)


def _for_either(plan: Plan) -> Iterator[Exclusion]:
    """A plan of one insurance names one employee insurance; read as either, its clause stands for both."""
    yield from plan.exclusions
    named = {exclusion.reason: exclusion for exclusion in plan.exclusions if exclusion.reason in _EMPLOYEE}
    if len(named) == 1:
        ((reason, exclusion),) = named.items()
        yield replace(exclusion, reason=next(each for each in _EMPLOYEE if each != reason))


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
        case "under_16":
            reference = age_reference(plan, settings, "pension.min_age_reference")
            return f"NOT ({reference.at_least('f.birth_date', exclusion.years or 0)})"
        case "age_60_or_more":
            if exclusion.born_from is not None:
                return f"f.birth_date < {date_literal(exclusion.born_from)}"
            return prior_year_end(plan).at_least("f.birth_date", exclusion.years or 0)
        case fact:  # employee_medical, employee_pension, in_school
            return f"f.{fact}"


def _tier_tests(plan: Plan, settings: Settings, context: Context) -> Iterator[Against]:
    pension = plan.contribution()
    known = ", ".join(str(tier.amount) for tier in pension.tiers)
    yield Against("unknown_tier", "refuse", f"f.tier NOT IN ({known})", pension.code)
    extra = extra_groups(settings.codes("pension.tier100_categories_extra"))
    paid = paid_rules(plan, pension, settings)
    for tier in pension.tiers:
        if tier.restricted is None:
            continue
        # who is wholly paid for at this tier may of course use it
        whole = [rule.condition for rule in paid if rule.amount >= tier.amount]
        allowed = either(
            each.sql(context)
            for each in (tier.restricted, *whole, *([Condition(groups=extra)] if extra else []))
        )
        closed = f"f.tier = {tier.amount} AND {allowed} IS NOT TRUE"
        if tier.unclear is not None:
            unclear = f"{closed} AND {tier.unclear.sql(context)}"
            yield Against("tier_100_not_allowed", "refer", unclear, tier.restricted_code)
        yield Against("tier_100_not_allowed", "refuse", closed, tier.restricted_code)
