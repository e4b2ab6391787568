"""The list of paid people whose answer is now another one: for the bureaus, township clerks and auditors."""

from __future__ import annotations

import tempfile
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from contributions.funding.asking import chosen_plan, seen_townships
from contributions.models import DifferenceOutcome
from contributions.plans.differences import (
    PER_PAGE,
    groups,
    lines,
    narrowed,
    standing,
    write_differences,
)
from enrollment.models import CollectionPlan, Resident
from enrollment.queries import search_condition
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.scope.models import ScopedQuerySet
from townships.access import user_who_may
from townships.models import Township, User

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def page_number(request: HttpRequest) -> int:
    """The page asked for, the first where that is none."""
    asked = request.GET.get("page", "1")
    return int(asked) if asked.isdecimal() and 0 < int(asked) < 10**5 else 1


def township_of(user: User, plan: CollectionPlan, code: str) -> tuple[list[Township], Township | None]:
    """The townships the user sees whole, and the one named. 404 for any other."""
    seen = seen_townships(user, plan)
    found = next((each for each in seen if each.code == code), None)
    if code and found is None:
        raise Http404
    return seen, found


def _asked(
    request: HttpRequest, user: User, plan: CollectionPlan
) -> tuple[ScopedQuerySet, ScopedQuerySet, dict[str, Any]]:
    """All rows, the rows asked for, and what was asked."""
    outcome, text = request.GET.get("outcome", ""), request.GET.get("q", "").strip()[:60]
    if outcome and outcome not in DifferenceOutcome.values:
        raise Http404
    townships, township = township_of(user, plan, request.GET.get("township", ""))
    found = None
    if text:
        people = Resident.objects.visible_to(user).filter(search_condition(text, user.county_code))
        found = Q(resident__in=people.values("pk"))
    rows = standing(user, plan)
    chosen = narrowed(rows, outcome=outcome, township=township, search=found)
    query = {"plan": plan.code, "outcome": outcome, "township": township.code if township else "", "q": text}
    asked = {key: value for key, value in query.items() if value}
    return rows, chosen, {
        "outcome": outcome,
        "search": text,
        "townships": townships if len(townships) > 1 else [],
        "township": township,
        "query": urlencode(asked),
        "narrowing": urlencode({key: value for key, value in asked.items() if key != "outcome"}),
    }  # fmt: skip


@login_required
@never_cache
@require_GET
def differences(request: HttpRequest) -> HttpResponse:
    """Who has paid and would owe something else today: before, after, difference, what happens."""
    user = user_who_may(request, "read_differences")
    plan = chosen_plan(user, request.GET.get("plan", ""))
    if plan is None:
        return render(request, "plans/differences.html", {"plan": None})
    rows, chosen, context = _asked(request, user, plan)
    number = page_number(request)
    listed = lines(plan, chosen, (number - 1) * PER_PAGE, PER_PAGE + 1)
    context |= {
        "plan": plan,
        "groups": (by_outcome := groups(rows)),
        "people": sum(group.people for group in by_outcome),
        "lines": listed[:PER_PAGE],
        "before": number - 1 if number > 1 else None,
        "after": number + 1 if len(listed) > PER_PAGE else None,
        "page": number,
    }
    return render(request, "plans/differences.html", context)


@login_required
@never_cache
@require_GET
def workbook(request: HttpRequest) -> FileResponse:
    """The rows asked for as an official workbook."""
    user = user_who_may(request, "read_differences")
    plan = chosen_plan(user, request.GET.get("plan", ""))
    if plan is None:
        raise Http404
    _rows, chosen, _context = _asked(request, user, plan)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
    written = write_differences(file, plan, chosen, business_date(plan.county.code))
    record(
        by=user, action="export.differences", target_kind="plan", target=plan.code, county_code=plan.county.code,
        detail={"lines": written.lines},
    )  # fmt: skip
    file.seek(0)
    name = _("%(plan)s已缴差异.xlsx") % {"plan": plan.code}
    return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX)
