"""Every answer a plan can give for one insurance, priced once: the evaluator only decides which one applies.

A plan has few answers: for medical, a payment period times a waiver; for pension, a period times a tier times a
government-paid rule times a family-planning rule; and the refusals. Their amounts are constants under given
settings, computed here with `foundation.money`, so that the parts of each add up to the fen.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final, cast

from foundation.money import Rounding, split

from .conditions import SEVERE, Condition, Group
from .plan import PERSONAL, Medical, PayerShare, Pension, PensionTier, Plan, Waiver, Window
from .settings import Settings

ZERO: Final = Decimal("0.00")

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

EXTRA_CODE: Final = "settings_extra"
"""The rule named for a group that is in no clause but in a setting."""


@dataclass(frozen=True)
class Outcome:
    """One answer with its amounts and the rules they come from; None is SQL NULL."""

    key: int
    decision: str
    timing: str
    reason: str | None = None
    personal: Decimal | None = None
    government_paid: Decimal | None = None
    fiscal: Decimal | None = None
    pension_subsidy: Decimal | None = None
    family_subsidy: Decimal | None = None
    total: Decimal | None = None
    standard_code: str | None = None
    waiver_code: str | None = None
    subsidy_code: str | None = None
    family_code: str | None = None
    decision_code: str | None = None
    payers: tuple[tuple[str, Decimal], ...] = ()
    benefit_start: datetime.date | None = None
    benefit_end: datetime.date | None = None
    waits: bool = False


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
            if (self.late.opens - self.closes).days > 1:
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


@dataclass(frozen=True)
class Choice:
    """A place in the order in which medical waivers are tried; `waiver` None is a person no clause fits."""

    condition: Condition
    code: str
    personal: Decimal
    payers: tuple[tuple[str, Decimal], ...]
    refer: bool = False


def figures(medical: Medical, settings: Settings) -> tuple[Decimal | None, Decimal | None]:
    """The personal and the fiscal part of the standard; a setting stands before the paper, None is not known."""
    personal, fiscal = settings.amount("medical.personal"), settings.amount("medical.fiscal")
    return (
        medical.standard.personal if personal is None else personal,
        medical.standard.fiscal if fiscal is None else fiscal,
    )


def rounding(settings: Settings) -> Rounding:
    return cast(Rounding, settings.choice("money.rounding"))


def divide(amount: Decimal, payers: Sequence[PayerShare]) -> tuple[tuple[str, Decimal], ...]:
    """The government-paid part by payer; payers with nothing to pay are left out."""
    if not amount or not payers:
        return ()
    parts = split(amount, [(each.payer, each.share) for each in payers])
    return tuple((payer, part) for payer, part in parts.items() if part)


def choices(plan: Plan, medical: Medical, settings: Settings) -> list[Choice]:
    """Waivers in the order they are tried: the one that leaves the least to pay first, ties in the plan's order.

    A person no clause fits comes after those who pay nothing and before all who pay something: nothing lower is
    possible for the former, the price is uncertain for the latter.
    """
    standard, _ = figures(medical, settings)
    unclear = [
        Choice(each.condition, each.code, ZERO, (), refer=True)
        for each in medical.unclear
        if all(toggle.holds(settings, "medical") for toggle in each.only_if)
    ]
    if standard is None:
        return unclear
    found = [_choice(waiver, standard, settings) for waiver in medical.waivers]
    if extra := extra_groups(settings.codes("medical.waiver_categories_extra")):
        full = divide(standard, medical.extra_payers or (PayerShare(next(iter(plan.payers)), Fraction(1)),))
        found.append(Choice(Condition(groups=extra), EXTRA_CODE, ZERO, full))
    order = settings.codes("medical.payer_tie_order")
    rank = {code: position for position, code in enumerate(order)}
    found.sort(key=lambda choice: (choice.personal, rank.get(choice.code, len(rank))))
    free = [choice for choice in found if not choice.personal]
    return [*free, *unclear, *(choice for choice in found if choice.personal)]


def _choice(waiver: Waiver, standard: Decimal, settings: Settings) -> Choice:
    if waiver.personal_amount is not None:
        personal = min(waiver.personal_amount, standard)
        return Choice(waiver.condition, waiver.code, personal, divide(standard - personal, waiver.payers))
    assert waiver.personal_share is not None
    share = waiver.personal_share
    parts = [(PERSONAL, share), ("others", 1 - share)]
    personal = split(standard, parts, rounding(settings))[PERSONAL]
    return Choice(waiver.condition, waiver.code, personal, divide(standard - personal, waiver.payers))


def extra_groups(codes: Sequence[str]) -> tuple[Group, ...]:
    """Groups a setting adds; `severely_disabled` is a disability card of a severe grade."""
    return tuple(
        Group(code, ("disabled",), severe=True) if code == SEVERE else Group(code, (code,)) for code in codes
    )


def medical_outcomes(plan: Plan, settings: Settings, tried: Sequence[Choice]) -> Iterator[Outcome]:
    """Key: period × (number of waivers + 1) + place of the waiver in the order tried, 0 for none."""
    medical = plan.premium()
    personal, fiscal = figures(medical, settings)
    time = periods(plan, "medical", settings)
    width = len(tried) + 1
    for regime in time.regimes():
        effective = regime
        if regime == GAP and settings.choice("medical.gap_rule") == "late":
            effective = LATE
        for place, choice in enumerate((None, *tried)):
            base = Outcome(
                key=regime * width + place,
                decision="accept",
                timing=TIMINGS[effective],
                standard_code=medical.standard.code,
                decision_code=_window_code(time, medical, effective),
            )
            if choice is not None and choice.refer:
                yield replace(base, decision="refer", reason="no_clause", decision_code=choice.code)
            elif regime == GAP and settings.choice("medical.gap_rule") == "refuse":
                yield replace(base, decision="refuse", reason="out_of_period")
            elif effective == AFTER and time.late is None and settings.choice("medical.late_rule") == "refer":
                yield replace(base, decision="refer", reason="out_of_period")
            elif effective == AFTER and time.late is not None:
                yield replace(base, decision="refer", reason="after_coverage_year")
            elif personal is None:
                yield replace(base, decision="amount_not_configured")
            else:
                yield _priced(base, medical, settings, effective, choice, personal, fiscal)


def _window_code(time: Periods, medical: Medical, regime: int) -> str:
    return medical.late.code if regime == LATE and medical.late else time.window.code


def _priced(
    base: Outcome,
    medical: Medical,
    settings: Settings,
    regime: int,
    choice: Choice | None,
    standard: Decimal,
    fiscal: Decimal | None,
) -> Outcome:
    personal = choice.personal if choice else standard
    payers = choice.payers if choice else ()
    others = sum((amount for _, amount in payers), ZERO)
    outcome = replace(
        base,
        personal=personal,
        government_paid=others,
        fiscal=fiscal,
        total=personal + others + (fiscal or ZERO),
        waiver_code=choice.code if choice else None,
        subsidy_code=medical.standard.code if fiscal is not None else None,
        payers=payers,
    )
    if regime == BEFORE:
        return replace(outcome, decision="hold")
    if regime == ROUTE_CLOSED:
        return replace(outcome, decision="refer", reason="route_closed")
    covered = replace(outcome, benefit_start=medical.cover_from, benefit_end=medical.cover_to)
    if regime != LATE or medical.late is None:
        return covered
    late = replace(outcome, benefit_end=medical.cover_to, waits=True)
    if medical.late.price == "personal_only":
        return late
    return _total_cost(late, settings, choice, standard, fiscal)


def _total_cost(
    late: Outcome, settings: Settings, choice: Choice | None, standard: Decimal, fiscal: Decimal | None
) -> Outcome:
    """Late, the resident also pays the fiscal part; whether a waiver reaches it is what `late_waived_groups` says."""
    if fiscal is None:
        nothing = dict(personal=None, government_paid=None, fiscal=None, total=None, payers=(), waits=False)
        return replace(late, decision="amount_not_configured", waiver_code=None, benefit_end=None, **nothing)  # type: ignore[arg-type]
    whole = standard + fiscal
    late = replace(late, fiscal=ZERO, total=whole, subsidy_code=None)
    if choice is None:
        return replace(late, personal=whole)
    match settings.choice("medical.late_waived_groups"):
        case "none":
            return replace(late, personal=whole, government_paid=ZERO, payers=(), waiver_code=None)
        case "whole_cost":
            # the share of the fiscal part follows the share of the personal part
            share = Fraction(choice.personal) / Fraction(standard) if standard else Fraction(0)
            parts = [(PERSONAL, share), ("others", 1 - share)]
            personal = split(whole, parts, rounding(settings))[PERSONAL]
            paid = sum((amount for _, amount in choice.payers), ZERO)
            shares = [PayerShare(payer, Fraction(amount) / Fraction(paid)) for payer, amount in choice.payers]
            return replace(
                late,
                personal=personal,
                government_paid=whole - personal,
                payers=divide(whole - personal, shares),
            )
        case rule:
            paid = sum((amount for _, amount in choice.payers), ZERO)
            answer = replace(late, personal=whole - paid)
            if rule == "personal_share_only":
                return answer
            return replace(
                answer, decision="refer", reason="late_waived_group", benefit_end=None, waits=False
            )


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
    """Key: ((period × (tiers + 1) + tier) × (government-paid rules + 1) + rule) × (family rules + 1) + family rule."""
    pension = plan.contribution()
    time = periods(plan, "pension", settings)
    families = (None, *pension.family)
    for regime in time.regimes():
        base = Outcome(key=0, decision="accept", timing=TIMINGS[regime], decision_code=time.window.code)
        if regime == BEFORE:
            base = replace(base, decision="hold")
        elif regime == ROUTE_CLOSED:
            base = replace(base, decision="refer", reason="route_closed")
        elif regime == AFTER and settings.choice("pension.late_rule") == "refer":
            base = replace(base, decision="refer", reason="out_of_period")
        for tier_place, tier in enumerate((None, *pension.tiers)):
            for paid_place, rule in enumerate((None, *paid)):
                for family_place, family in enumerate(families):
                    key = (regime * (len(pension.tiers) + 1) + tier_place) * (len(paid) + 1) + paid_place
                    placed = replace(base, key=key * len(families) + family_place)
                    if tier is None:
                        unknown = (
                            "amount_not_configured"
                            if placed.decision in ("accept", "hold")
                            else placed.decision
                        )
                        yield replace(placed, decision=unknown)
                        continue
                    answer = _tier_priced(placed, settings, tier, rule)
                    if answer.decision == "refuse":
                        pass
                    elif family is not None:
                        stacks = settings.flag("pension.fp_subsidy_stacking") or not answer.waiver_code
                        amount = family.amount if stacks else ZERO
                        answer = replace(
                            answer, family_subsidy=amount, family_code=family.code if amount else None
                        )
                        if settings.choice("pension.fp_subsidy_mode") == "offset":
                            personal = max(ZERO, (answer.personal or ZERO) - amount)
                            answer = replace(
                                answer, personal=personal, total=personal + (answer.government_paid or ZERO)
                            )
                    elif pension.family:
                        answer = replace(answer, family_subsidy=ZERO)
                    yield answer


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
        payers=divide(rule.amount, rule.payers),
    )
