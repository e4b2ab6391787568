"""Time is two things (DESIGN.md decision 10).

``now()`` is real and serves sessions, leases, locks and audit. ``business_date()`` is the real date plus the
county's offset: it dates money and windows. Rules take dates as arguments and read neither.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.utils import timezone

from foundation.clock.models import CountyClock


def now() -> datetime:
    """The real time, aware, UTC."""
    return timezone.now()


def offset(county_code: str) -> timedelta:
    """The county's offset; zero where none is set."""
    days = CountyClock.objects.filter(county_code=county_code).values_list("offset_days", flat=True).first()
    return timedelta(days=days or 0)


def business_now(county_code: str) -> datetime:
    """The real time moved by the county's offset."""
    return now() + offset(county_code)


def real_moment(moment: datetime, shift: timedelta) -> datetime:
    """A moment somebody reports, as real time; ``shift`` is the county's offset.

    A device reports real time. Where the calendar is moved (a demonstration), somebody may report by the business date
    he was told: a moment nearer to that calendar's now than to the real one is taken back. Without an offset nothing
    changes.
    """
    real = now()
    return moment - shift if abs(moment - (real + shift)) < abs(moment - real) else moment


def business_date(county_code: str) -> date:
    """Today in the county (Asia/Shanghai), moved by its offset."""
    return timezone.localtime(business_now(county_code)).date()


def set_business_date(*, county_code: str, day: date) -> None:
    """Move the county's business date to ``day`` (demonstration and tests)."""
    days = (day - timezone.localdate()).days
    CountyClock.objects.update_or_create(county_code=county_code, defaults={"offset_days": days})
