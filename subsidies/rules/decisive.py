"""Which settings can change an answer of a plan: those it makes sense to ask about in a budget."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from .conditions import ROUTES
from .evaluator import evaluation_sql
from .plan import Plan
from .settings import SETTINGS, WAIVED, Setting
from .source import PlanError

# What must hold besides before a setting can show: an amount with an odd cent, newborns covered from birth.
_BESIDES: Final[dict[str, dict[str, object]]] = {
    "money.rounding": {"medical.personal": "355.55"},
    "money.odd_cent": {"medical.personal": "355.55"},
    "medical.newborn_days": {"medical.newborn_rule": "from_birth"},
}


@lru_cache(maxsize=16)
def decisive_settings(plan: Plan) -> frozenset[str]:
    """Settings under some value of which somebody could be answered otherwise than under the plan's own."""
    return frozenset(name for name, setting in SETTINGS.items() if _decides(plan, setting))


def _decides(plan: Plan, setting: Setting) -> bool:
    own = [each for each in plan.insurances if setting.name.startswith(f"{each}.")]
    other = setting.name.partition(".")[0] in ("medical", "pension") and not own
    besides = {**_missing_amounts(plan), **_BESIDES.get(setting.name, {})}
    return not other and any(
        _differs(plan, insurance, besides, {**besides, setting.name: value})
        for insurance in own or plan.insurances
        for value in _values(plan, setting)
    )


def _missing_amounts(plan: Plan) -> dict[str, object]:
    """Figures the paper does not print, as if a bureau had entered them."""
    if plan.medical is None:
        return {}
    standard = plan.medical.standard
    figures = {"medical.personal": standard.personal, "medical.fiscal": standard.fiscal}
    return {name: "100.00" for name, amount in figures.items() if amount is None}


def _differs(plan: Plan, insurance: str, one: dict[str, object], other: dict[str, object]) -> bool:
    try:
        return evaluation_sql(plan, insurance, one) != evaluation_sql(plan, insurance, other)
    except PlanError:  # a value that this plan cannot take decides nothing in it
        return False


def _values(plan: Plan, setting: Setting) -> Iterator[object]:
    """A few values that tell: all of a choice, an unusual one of everything else."""
    match setting.kind:
        case "choice":
            yield from setting.values
        case "flag":
            yield from (True, False)
        case "amount":
            yield "355.55"
        case "date":
            yield min(window.opens for window in plan.windows) - datetime.timedelta(days=40)
        case "whole":
            yield setting.within[0] + 1
            if plan.medical is not None and setting.name == "medical.fiscal_year":
                yield from (year for year, _ in plan.medical.standard.fiscal_figures if year)
        case "grades":
            yield [3]
        case "codes" if setting.name == "medical.waiver_channels":
            yield from ([route] for route in ROUTES)
        case "codes" if setting.name == "medical.payer_tie_order":
            yield [waiver.code for waiver in plan.medical.waivers][::-1] if plan.medical else []
        case "codes":
            named = {code for group in plan.groups.values() for code in group.categories}
            yield [next((code for code in sorted(plan.categories) if code not in named), WAIVED)]
            yield [WAIVED]
