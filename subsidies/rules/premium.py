"""Medical: the order in which waivers are tried, and every answer a plan can give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from foundation.money import split

from .conditions import Condition
from .outcomes import EXTRA_CODE, ZERO, Outcome, divide, extra_groups, rounding
from .periods import AFTER, BEFORE, GAP, LATE, ROUTE_CLOSED, TIMINGS, Periods, effective, periods
from .plan import PERSONAL, Medical, PayerShare, Plan, Waiver
from .settings import Settings


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
    standard, year = medical.standard, settings.whole("medical.fiscal_year")
    labelled = standard.fiscal if year is None else standard.fiscal_of(year)
    return (
        standard.personal if personal is None else personal,
        labelled if fiscal is None else fiscal,
    )


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
        full = divide(
            standard, medical.extra_payers or (PayerShare(next(iter(plan.payers)), Fraction(1)),), settings
        )
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
        payers=divide(standard - personal, waiver.payers, settings),
        children_limited=waiver.children_limited,
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
                timing=TIMINGS[treated],
                standard_code=medical.standard.code,
                decision_code=_window_code(time, medical, treated),
            )
            if choice is not None and choice.refer:
                yield replace(base, decision="refer", reason="no_clause", decision_code=choice.code)
            elif (stopped := _stopped(time, settings, regime)) is not None:
                yield replace(base, decision=stopped[0], reason=stopped[1])
            elif personal is None:
                yield _unpriced(base, treated)
            else:
                yield _priced(base, medical, settings, treated, choice, personal, fiscal)


def _unpriced(base: Outcome, regime: int) -> Outcome:
    """Without an amount the period still decides; nothing can be accepted."""
    if regime == BEFORE:
        return replace(base, decision="hold")
    if regime == ROUTE_CLOSED:
        return replace(base, decision="refer", reason="route_closed")
    return replace(base, decision="amount_not_configured")


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
        return replace(
            late, personal=personal, government_paid=others, payers=divide(others, shares, settings)
        )
    answer = replace(late, personal=whole - (late.government_paid or ZERO))
    if rule == "personal_share_only":
        return answer
    return replace(answer, decision="refer", reason="late_waived_group", benefit_start=None, benefit_end=None)
