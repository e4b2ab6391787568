"""Pension: who is paid for, and every answer a plan can give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from .conditions import Condition
from .outcomes import EXTRA_CODE, ZERO, Outcome, divide, extra_groups
from .periods import AFTER, BEFORE, ROUTE_CLOSED, TIMINGS, Periods, periods
from .plan import FamilySubsidy, PayerShare, Pension, PensionTier, Plan
from .settings import Settings


@dataclass(frozen=True)
class Paid:
    """A government-paid rule as it is tried: who, how much, by whom."""

    condition: Condition
    code: str
    amount: Decimal
    payers: tuple[PayerShare, ...]


def paid_rules(plan: Plan, pension: Pension, settings: Settings) -> list[Paid]:
    """Government-paid rules in the order tried: the largest amount first, once only, ties as printed."""
    found = [Paid(each.condition, each.code, each.amount, each.payers) for each in pension.government_paid]
    extra = extra_groups(settings.codes("pension.government_paid_categories_extra"))
    if extra and pension.tiers:
        payers = pension.extra_payers or (PayerShare(next(iter(plan.payers)), Fraction(1)),)
        lowest = found[0].amount if found else pension.tiers[0].amount
        found.append(Paid(Condition(groups=extra), EXTRA_CODE, lowest, payers))
    return sorted(found, key=lambda each: -each.amount)


def pension_outcomes(plan: Plan, settings: Settings, paid: Sequence[Paid]) -> Iterator[Outcome]:
    """Key: ((period × (tiers + 1) + tier) × (paid rules + 1) + rule) × (family rules + 1) + family rule."""
    pension = plan.contribution()
    time = periods(plan, "pension", settings)
    families = (None, *pension.family)
    for regime in time.regimes():
        base = _pension_base(time, settings, regime, plan.special_case("pension.late_rule"))
        for tier_place, tier in enumerate((None, *pension.tiers)):
            for paid_place, rule in enumerate((None, *paid)):
                for family_place, family in enumerate(families):
                    key = (regime * (len(pension.tiers) + 1) + tier_place) * (len(paid) + 1) + paid_place
                    placed = replace(base, key=key * len(families) + family_place)
                    if tier is None:
                        priced = placed.decision == "accept"
                        yield replace(placed, decision="amount_not_configured") if priced else placed
                        continue
                    answer = _tier_priced(placed, settings, tier, rule)
                    if pension.family and answer.decision != "refuse":
                        answer = _with_family(answer, settings, family)
                    yield answer


def _pension_base(time: Periods, settings: Settings, regime: int, case: str | None) -> Outcome:
    """`case` is the rule that hands payments after the period over to an office."""
    base = Outcome(key=0, decision="accept", timing=TIMINGS[regime], decision_code=time.window.code)
    if regime == BEFORE:
        return replace(base, decision="hold")
    if regime == ROUTE_CLOSED:
        return replace(base, decision="refer", reason="route_closed")
    if regime == AFTER and settings.choice("pension.late_rule") == "refer":
        code = case or base.decision_code
        return replace(base, decision="refer", reason="out_of_period", decision_code=code)
    return base


def _with_family(answer: Outcome, settings: Settings, family: FamilySubsidy | None) -> Outcome:
    """The family-planning subsidy: credited beside the contribution, or paying towards it (`offset`)."""
    stacks = settings.flag("pension.fp_subsidy_stacking") or not answer.waiver_code
    if family is None or not stacks:
        return replace(answer, family_subsidy=ZERO)
    answer = replace(answer, family_subsidy=family.amount, family_code=family.code)
    if settings.choice("pension.fp_subsidy_mode") == "credit":
        return answer
    personal = max(ZERO, (answer.personal or ZERO) - family.amount)
    return replace(answer, personal=personal, total=personal + (answer.government_paid or ZERO))


def _tier_priced(base: Outcome, settings: Settings, tier: PensionTier, rule: Paid | None) -> Outcome:
    answer = replace(
        base,
        personal=tier.amount,
        government_paid=ZERO,
        pension_subsidy=tier.subsidy,
        total=tier.amount,
        standard_code=tier.code,
        subsidy_code=tier.subsidy_code,
    )
    if rule is None:
        return answer
    mode = settings.choice("pension.government_paid_higher_tier")
    higher = tier.amount > rule.amount
    if higher and mode == "none":
        return answer
    if higher and mode == "tier_100_only":
        return Outcome(
            base.key, "refuse", base.timing, reason="higher_tier_not_allowed", decision_code=rule.code
        )
    if not settings.flag("pension.subsidy_on_government_paid") and not higher:
        answer = replace(answer, pension_subsidy=ZERO, subsidy_code=None)
    personal = tier.amount if higher and mode == "on_top" else tier.amount - rule.amount
    return replace(
        answer,
        personal=personal,
        government_paid=rule.amount,
        total=personal + rule.amount,
        waiver_code=rule.code,
        payers=divide(rule.amount, rule.payers, settings),
    )
