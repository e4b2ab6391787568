"""Newborns: who is paid for within the days that count from birth."""

from __future__ import annotations

from .conditions import date_literal
from .plan import Medical
from .settings import Settings


def newborn(medical: Medical, settings: Settings) -> str | None:
    """SQL: a newborn covered from birth; None where the setting knows none."""
    if settings.choice("medical.newborn_rule") != "from_birth":
        return None
    return paid_after_birth(medical, settings)


def paid_after_birth(medical: Medical, settings: Settings) -> str | None:
    """SQL: somebody paid for within the days that count from birth; None where the plan has no cover.

    The day of birth is not counted: born on 1 March, 90 days end on 30 May.
    """
    if medical.cover is None:
        return None
    days = settings.whole("medical.newborn_days") or 0
    last = date_literal(medical.cover[1])
    return (
        f"(f.birth_date <= LEAST(f.payment_date, {last}) AND f.payment_date - f.birth_date <= {days}) IS TRUE"
    )
