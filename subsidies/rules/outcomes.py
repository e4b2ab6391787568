"""Every answer a plan can give for one insurance, priced once: the evaluator only decides which one applies.

A plan has few answers: for medical, a payment period times a waiver; for pension, a period times a tier
times a government-paid rule times a family-planning rule; and the refusals. Their amounts are constants under
given settings, computed here with `foundation.money`, so that the parts of each add up to the fen.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final, cast

from foundation.money import Rounding, split

from .conditions import Condition, Group
from .plan import PERSONAL, FamilySubsidy, Medical, PayerShare, Pension, PensionTier, Plan, Waiver, Window
from .settings import SEVERE, Settings

ZERO: Final = Decimal("0.00")

ON_TIME: Final = 0
BEFORE: Final = 1
GAP: Final = 2
LATE: Final = 3
AFTER: Final = 4
ROUTE_CLOSED: Final = 5
REGIMES: Final = (ON_TIME, BEFORE, GAP, LATE, AFTER, ROUTE_CLOSED)
_TIMINGS: Final = {
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
    return _TIMINGS[effective(insurance, settings, regime)]


def late_from(plan: Plan, settings: Settings) -> datetime.date:
    """The first day that is late for medical; the end of the year where the plan has no late period."""
    time = periods(plan, "medical", settings)
    if time.late is None:
        return datetime.date(plan.coverage_year + 1, 1, 1)
    if effective("medical", settings, GAP) == LATE:
        return time.closes + datetime.timedelta(days=1)
    return time.late.opens


@dataclass(frozen=True)
class Choice:
    """A place in the order in which medical waivers are tried; `waiver` None is a person no clause fits."""

    condition: Condition
    code: str
    personal: Decimal
    payers: tuple[tuple[str, Decimal], ...]
    refer: bool = False
    children_limited: bool = False


def figures(medical: Medical, settings: Settings) -> tuple[Decimal | None, Decimal | None]:
    """Personal and fiscal part of the standard; a setting stands before the paper, None is not known."""
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
    """Waivers in the order they are tried: what leaves the least to pay first, ties in the plan's order.

    A person no clause fits comes after those who pay nothing and before all who pay something: nothing lower
    is possible for the former, the price is uncertain for the latter.
    """
    standard, _ = figures(medical, settings)
    unclear = [
        Choice(each.condition, each.code, ZERO, (), refer=True)
        for each in medical.unclear
        if all(toggle.holds(settings, "medical") for toggle in each.only_if)
    ]
    if standard is None:
        return unclear
    found = [
        _choice(waiver, standard, settings)
        for waiver in medical.waivers
        if all(toggle.holds(settings, "medical") for toggle in waiver.only_if)
    ]
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
    else:
        share = waiver.personal_share or Fraction(0)
        parts = [(PERSONAL, share), ("others", 1 - share)]
        personal = split(standard, parts, rounding(settings))[PERSONAL]
    return Choice(
        condition=waiver.condition,
        code=waiver.code,
        personal=personal,
        payers=divide(standard - personal, waiver.payers),
        children_limited=waiver.children_limited,
    )


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
        treated = effective("medical", settings, regime)
        for place, choice in enumerate((None, *tried)):
            base = Outcome(
                key=regime * width + place,
                decision="accept",
                timing=_TIMINGS[treated],
                standard_code=medical.standard.code,
                decision_code=_window_code(time, medical, treated),
            )
            if choice is not None and choice.refer:
                yield replace(base, decision="refer", reason="no_clause", decision_code=choice.code)
            elif (stopped := _stopped(time, settings, regime)) is not None:
                yield replace(base, decision=stopped[0], reason=stopped[1])
            elif personal is None:
                yield replace(base, decision="amount_not_configured")
            else:
                yield _priced(base, medical, settings, treated, choice, personal, fiscal)


def _stopped(time: Periods, settings: Settings, regime: int) -> tuple[str, str] | None:
    """Decision and reason where the period alone stands against a price."""
    if regime == GAP and settings.choice("medical.gap_rule") == "refuse":
        return "refuse", "out_of_period"
    if regime == AFTER and time.late is not None:
        return "refer", "after_coverage_year"
    if regime == AFTER and settings.choice("medical.late_rule") == "refer":
        return "refer", "out_of_period"
    return None


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
    first, last = medical.cover or (None, None)
    covered = replace(outcome, benefit_start=first, benefit_end=last)
    if regime == LATE and medical.late is not None and medical.late.price == "total_cost":
        return _total_cost(covered, settings, choice, standard, fiscal)
    return covered


def _total_cost(
    late: Outcome, settings: Settings, choice: Choice | None, standard: Decimal, fiscal: Decimal | None
) -> Outcome:
    """Late, the resident also pays the fiscal part; a setting says what then becomes of a waiver."""
    if fiscal is None:
        return Outcome(
            late.key,
            "amount_not_configured",
            late.timing,
            standard_code=late.standard_code,
            decision_code=late.decision_code,
        )
    whole = standard + fiscal
    late = replace(late, fiscal=ZERO, total=whole, subsidy_code=None)
    rule = settings.choice("medical.late_waived_groups")
    if choice is None or rule == "none":
        return replace(late, personal=whole, government_paid=ZERO, payers=(), waiver_code=None)
    if rule == "whole_cost":
        # others pay the same share of the whole as of the personal part, each in the same proportion
        paid = sum((amount for _, amount in choice.payers), ZERO)
        shares = [PayerShare(payer, Fraction(amount) / Fraction(paid)) for payer, amount in choice.payers]
        share = Fraction(choice.personal) / Fraction(standard)
        personal = split(whole, [(PERSONAL, share), ("others", 1 - share)], rounding(settings))[PERSONAL]
        others = whole - personal
        return replace(late, personal=personal, government_paid=others, payers=divide(others, shares))
    answer = replace(late, personal=whole - (late.government_paid or ZERO))
    if rule == "personal_share_only":
        return answer
    return replace(answer, decision="refer", reason="late_waived_group", benefit_start=None, benefit_end=None)


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
        base = _pension_base(time, settings, regime)
        for tier_place, tier in enumerate((None, *pension.tiers)):
            for paid_place, rule in enumerate((None, *paid)):
                for family_place, family in enumerate(families):
                    key = (regime * (len(pension.tiers) + 1) + tier_place) * (len(paid) + 1) + paid_place
                    placed = replace(base, key=key * len(families) + family_place)
                    if tier is None:
                        priced = placed.decision in ("accept", "hold")
                        yield replace(placed, decision="amount_not_configured") if priced else placed
                        continue
                    answer = _tier_priced(placed, settings, tier, rule)
                    if pension.family and answer.decision != "refuse":
                        answer = _with_family(answer, settings, family)
                    yield answer


def _pension_base(time: Periods, settings: Settings, regime: int) -> Outcome:
    base = Outcome(key=0, decision="accept", timing=_TIMINGS[regime], decision_code=time.window.code)
    if regime == BEFORE:
        return replace(base, decision="hold")
    if regime == ROUTE_CLOSED:
        return replace(base, decision="refer", reason="route_closed")
    if regime == AFTER and settings.choice("pension.late_rule") == "refer":
        return replace(base, decision="refer", reason="out_of_period")
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
        payers=divide(rule.amount, rule.payers),
    )
