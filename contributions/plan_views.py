"""Plans as documents, their versions side by side, and what a change would cost. Plans are public papers of a county;
budgets are sums of everything their reader may see."""

from __future__ import annotations

import datetime
import io
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from contributions.plans.budget import (
    LETTERS,
    Scenario,
    as_result,
    change_words,
    changes_from,
    chart,
    compare,
    form_groups,
    today_of,
)
from contributions.plans.calendar import plan_calendar
from contributions.plans.document import read_document
from contributions.plans.life import life_of
from contributions.plans.proofs import prove
from contributions.plans.sheets import write_budget
from contributions.plans.versions import differences
from contributions.plans.words import LEVELS
from contributions.services.budget_job import budget_job, needs_job, parameters, request_budget
from contributions.services.what_if import registered_count, what_if
from enrollment.models import CollectionPlan, Insurance, PlanStatus
from enrollment.models.plans import CollectionPlanQuerySet
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.jobs.models import OPEN_STATES, JobState
from foundation.jobs.views import job_context
from subsidies.queries import rule_book
from subsidies.rules.changes import change_plan
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.access import user_who_may
from townships.models import User
from townships.rules import may

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _plans(user: User) -> CollectionPlanQuerySet:
    """Plans of the user's county, the newest year and version first."""
    # a plan holds nobody's data: whoever works for the county reads it
    plans = CollectionPlan.objects.filter(county_id=user.county_id or 0).select_related(
        "county", "parent", "township"
    )
    return plans.order_by("-coverage_year", "code", "-version")


def find_plan(user: User, code: str, version: str = "") -> CollectionPlan:
    """A plan of the user's county by code, in the version named or the one in force. 404 for any other."""
    plans = _plans(user).filter(code=code)
    if not version:
        plans = plans.in_force()
    elif version.isdigit() and len(version) < 6:
        plans = plans.filter(version=version)
    else:
        plans = plans.none()
    plan = plans.first()
    if plan is None:
        raise Http404
    return plan


@login_required
@never_cache
@require_GET
def plan_list(request: HttpRequest) -> HttpResponse:
    """The county's plans, each in the version in force; an amendment being written is marked."""
    user = user_who_may(request, "read_plans")
    written = set(
        _plans(user)
        .filter(status=PlanStatus.DRAFT)
        .exclude(pk__in=_plans(user).in_force())
        .values_list("code", flat=True)
    )
    rows = [
        (plan, [Insurance(each).label for each in plan.insurances], plan.code in written)
        for plan in _plans(user).in_force()
    ]
    return render(request, "plans/list.html", {"rows": rows, "may_budget": may(user.role, "budget")})


@login_required
@never_cache
@require_GET
def budgets(request: HttpRequest) -> HttpResponse:
    """To the budget of the newest plan."""
    user = user_who_may(request, "budget")
    plan = _plans(user).in_force().first()
    return redirect("plans:budget", plan.code) if plan else redirect("plans:list")


@login_required
@never_cache
@require_GET
def plan_page(request: HttpRequest, code: str) -> HttpResponse:
    """A plan as the paper says it, with its clauses, examples, open readings, dates and tasks."""
    user = user_who_may(request, "read_plans")
    plan = find_plan(user, code, request.GET.get("version", ""))
    versions = list(_plans(user).filter(code=code).values_list("version", flat=True))
    context: dict[str, Any] = {
        "plan": plan,
        "versions": versions,
        "may_budget": may(user.role, "budget"),
        "insurances": [Insurance(each).label for each in plan.insurances],
        "life": life_of(user, plan),
        "proofs": None,
    }
    try:
        document = read_document(plan)
    except PlanError as error:
        return render(request, "plans/unreadable.html", context | {"problem": describe(error)})
    context["document"] = document
    context["level"] = LEVELS.get(document.book.level, document.book.level)
    context["calendar"] = plan_calendar(plan, document.book, business_date(plan.county.code))
    try:
        context["proofs"] = prove(plan)
    except PlanError as error:
        context["no_proofs"] = describe(error)
    return render(request, "plans/plan.html", context)


@login_required
@never_cache
@require_GET
def compare_versions(request: HttpRequest, code: str) -> HttpResponse:
    """What differs between two versions of a plan; by default the newest and the one before it."""
    user = user_who_may(request, "read_plans")
    versions = list(_plans(user).filter(code=code).values_list("version", flat=True))
    if not versions:
        raise Http404
    newer = find_plan(user, code, request.GET.get("to") or str(versions[0]))
    older = find_plan(user, code, request.GET.get("from") or str(versions[min(1, len(versions) - 1)]))
    context: dict[str, Any] = {"older": older, "plan": newer, "versions": versions}
    try:
        context["changes"] = differences(older, newer)
    except PlanError as error:
        return render(request, "plans/unreadable.html", context | {"problem": describe(error)})
    return render(request, "plans/compare.html", context)


# budgets


@dataclass
class _Asked:
    """A budget as it was asked for: plan, day, scenarios with what they change."""

    user: User
    plan: CollectionPlan
    on: datetime.date
    scenarios: list[Scenario]

    @property
    def changes(self) -> dict[str, dict[str, str]]:
        """What each scenario changes."""
        return {scenario.letter: scenario.changes for scenario in self.scenarios}

    @property
    def sound(self) -> list[Scenario]:
        """Scenarios that change something and hold."""
        return [each for each in self.scenarios if each.changes and not each.problem]

    @property
    def query(self) -> str:
        """The same question as a link that can be kept and shared."""
        asked = QueryDict(mutable=True)
        asked["date"] = self.on.isoformat()
        for scenario in self.scenarios:
            for key, value in scenario.changes.items():
                asked[f"{scenario.letter}.{key}"] = value
        return asked.urlencode()


def _asked(request: HttpRequest, code: str) -> _Asked:
    """Read the question from a form or a link; changes that do not hold are told beside their scenario.

    Raises PlanError for a plan without rules.
    """
    user = user_who_may(request, "budget")
    plan = find_plan(user, code)
    sent = request.POST if request.method == "POST" else request.GET
    book = rule_book(plan)
    changes = changes_from({key: str(sent[key]) for key in sent}, plan)
    scenarios = []
    for letter in LETTERS:
        scenario = Scenario(letter, changes[letter])
        scenario.said = [change_words(book, key, value) for key, value in scenario.changes.items()]
        try:
            change_plan(book, scenario.changes)
        except PlanError as error:
            scenario.problem = describe(error)
        scenarios.append(scenario)
    on = today_of(str(sent.get("date", "")), business_date(plan.county.code))
    return _Asked(user, plan, on, scenarios)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def budget(request: HttpRequest, code: str) -> HttpResponse:
    """Change amounts, waivers, shares and settings in up to two scenarios and see what it would cost.

    A form is answered with a link that says the question. What takes long becomes a job that the page follows.
    """
    try:
        asked = _asked(request, code)
    except PlanError as error:
        plan = find_plan(user_who_may(request, "budget"), code)
        return render(request, "plans/unreadable.html", {"plan": plan, "problem": describe(error)})
    here = f"{reverse('plans:budget', args=[asked.plan.code])}?{asked.query}"
    long = bool(asked.sound) and needs_job(asked.plan, len(asked.sound))
    if request.method == "POST":
        if long:
            request_budget(
                by=asked.user,
                plan=asked.plan,
                on=asked.on,
                scenarios={s.letter: s.changes for s in asked.sound},
            )
        return redirect(here)
    context: dict[str, Any] = {
        "plan": asked.plan,
        "on": asked.on,
        "scenarios": asked.scenarios,
        "groups": form_groups(asked.plan, asked.changes),
        "registered": registered_count(asked.plan),
        "query": asked.query,
        "waiting": False,
        "may_amend": may(asked.user.role, "manage_plans") and asked.plan.status == PlanStatus.PUBLISHED,
    }
    context |= _answer(asked, long=long)
    comparison = compare(asked.plan, asked.scenarios)
    context["comparison"] = comparison
    context["chart"] = chart(comparison) if comparison else None
    return render(request, "plans/budget.html", context)


def _answer(asked: _Asked, *, long: bool) -> dict[str, Any]:
    """Fill in the scenarios' answers: at once, or from the job that answers this question."""
    if not asked.sound:
        return {"job": None}
    if not long:
        for scenario in asked.sound:
            found = what_if(plan=asked.plan, changes=scenario.changes, on=asked.on)
            scenario.result = as_result(found)
        return {"job": None}
    wanted = {scenario.letter: scenario.changes for scenario in asked.sound}
    job = budget_job(asked.user, parameters(asked.plan, asked.on, wanted))
    if job is None:
        return {"job": None, "waiting": True}
    if job.state == JobState.SUCCEEDED:
        for scenario in asked.sound:
            scenario.result = job.result.get(scenario.letter)
        return {"job": None, "answered_at": job.finished_at}
    return job_context(job, here=job.state in OPEN_STATES) | {"waiting": job.state not in OPEN_STATES}


@login_required
@never_cache
@require_GET
def budget_workbook(request: HttpRequest, code: str) -> HttpResponse:
    """The answer as an official workbook. 404 while there is none."""
    try:
        asked = _asked(request, code)
    except PlanError:
        raise Http404 from None
    _answer(asked, long=bool(asked.sound) and needs_job(asked.plan, len(asked.sound)))
    comparison = compare(asked.plan, asked.scenarios)
    if comparison is None:
        raise Http404
    file = io.BytesIO()
    write_budget(file, asked.plan, comparison, asked.on)
    record(
        by=asked.user, action="export.budget", target_kind="plan", target=asked.plan.code,
        county_code=asked.plan.county.code, detail={"on": asked.on, "scenarios": asked.changes},
    )  # fmt: skip
    name = _("%(plan)s测算表.xlsx") % {"plan": asked.plan.code}
    return HttpResponse(
        file.getvalue(),
        content_type=XLSX,
        headers={"Content-Disposition": content_disposition_header(as_attachment=True, filename=name) or ""},
    )
