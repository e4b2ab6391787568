"""Until when a plan wants departments' lists, for the files that bring them."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from enrollment.models import CollectionPlan
from foundation.clock.services import offset
from foundation.imports.kinds import Deadline
from foundation.imports.models import ImportBatch
from subsidies.queries import rule_book
from subsidies.rules.plan import Plan, RuleRow
from subsidies.rules.settings import Settings
from subsidies.rules.source import PlanError

_SATURDAY: Final = 5
_WEEK: Final = 7


def list_deadline(batch: ImportBatch) -> Deadline | None:
    """The earliest deadline for a batch among the plans it concerns; None where they name none.

    A batch that names its plan is held to that one; another to the county's plans of the latest year, and to a
    township's own plan when its sender works for that township alone. A deadline names the kinds of files it is about
    (``files``): a day (``by``), or a day of every month (``days``), the first on or after the county's date of the
    upload.
    """
    day = timezone.localtime(batch.uploaded_at).date() + offset(batch.county_code)
    found = [
        deadline
        for plan in _plans(batch)
        if (book := _book(plan)) is not None
        for rule in book.of_kind("deadlines")
        if (deadline := _deadline(rule, book.settings, batch.kind, day)) is not None
    ]
    return min(found, key=lambda each: each.on, default=None)


def _plans(batch: ImportBatch) -> list[CollectionPlan]:
    plans = CollectionPlan.objects.in_force().filter(county__code=batch.county_code)
    if batch.plan_code:
        return list(plans.filter(code=batch.plan_code))
    whose = Q(township=None)
    sender = batch.uploaded_by
    if sender is not None and not sender.sees_county:
        whose |= Q(township_id__in=sorted(sender.scope_places().townships))
    known = list(plans.filter(whose))
    latest = max((plan.coverage_year for plan in known), default=0)
    return [plan for plan in known if plan.coverage_year == latest]


def _book(plan: CollectionPlan) -> Plan | None:
    try:
        return rule_book(plan)
    except PlanError:
        return None  # a plan entered without its text has no deadlines


def _deadline(rule: RuleRow, settings: Settings, kind: str, day: date) -> Deadline | None:
    files = rule.effect.get("files")
    if not isinstance(files, list | tuple) or kind not in files:
        return None
    by, days = str(rule.effect.get("by", "")), str(rule.effect.get("days", ""))
    on = date.fromisoformat(by) if by else _monthly(days, day)
    if on is None:
        return None
    if not settings.flag("dates.before_is_inclusive"):
        on -= timedelta(days=1)
    if settings.choice("deadlines.roll_over") == "next_working_day" and on.weekday() >= _SATURDAY:
        on += timedelta(days=_WEEK - on.weekday())
    return Deadline(rule.name, on, rule.clause.text)


def _monthly(days: str, day: date) -> date | None:
    """The first such day of a month on or after ``day``."""
    if not days.isdigit() or not 1 <= int(days) <= 31:
        return None
    year, month = day.year, day.month
    if int(days) < day.day:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return date(year, month, min(int(days), calendar.monthrange(year, month)[1]))
