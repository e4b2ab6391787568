"""What an answer is made of: one of the few a plan can give for an insurance, priced once.

The evaluator only decides which answer applies. For medical they are a payment period times a waiver (`premium`);
for pension a period times a tier times a government-paid rule times a family-planning rule (`contribution`); and
the refusals (`reasons`). Their amounts are constants under given settings, computed with `foundation.money`, so
that the parts of each add up to the fen.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, cast

from foundation.money import Rounding, split

from .conditions import Group
from .plan import PayerShare
from .settings import SEVERE, Settings

ZERO: Final = Decimal("0.00")

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


def rounding(settings: Settings) -> Rounding:
    return cast(Rounding, settings.choice("money.rounding"))


def divide(
    amount: Decimal, payers: Sequence[PayerShare], settings: Settings
) -> tuple[tuple[str, Decimal], ...]:
    """The government-paid part by payer; payers with nothing to pay are left out.

    A cent that cannot be split goes to the first payer, the highest level, or to the last (`money.odd_cent`).
    """
    if not amount or not payers:
        return ()
    lowest = settings.choice("money.odd_cent") == "lower_level"
    parts = split(amount, [(each.payer, each.share) for each in (reversed(payers) if lowest else payers)])
    return tuple((each.payer, parts[each.payer]) for each in payers if parts[each.payer])


def extra_groups(codes: Sequence[str]) -> tuple[Group, ...]:
    """Groups a setting adds; `severely_disabled` is a disability card of a severe grade."""
    return tuple(
        Group(code, ("disabled",), severe=True) if code == SEVERE else Group(code, (code,)) for code in codes
    )
