"""Amending a plan: written on a page or loaded, its examples settled, previewed, put into force, looked at afterwards."""

from __future__ import annotations

import datetime
import tempfile
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from contributions.difference_views import XLSX, page_number, township_of
from contributions.models import Amendment, AmendmentOutcome, AmendmentState
from contributions.plan_views import find_plan
from contributions.plans.amendment import (
    FOR_PAID,
    LETTER,
    MOST_ROWS,
    PER_PAGE,
    amend_groups,
    chosen_amendment,
    paid_choices,
    paid_word,
    people,
    shifts,
    texts_of,
    totals,
    touched,
    write_amendment_workbook,
)
from contributions.plans.budget import changes_from
from contributions.plans.proofs import prove
from contributions.plans.versions import differences
from contributions.services.amendments import (
    digest_of,
    find_amendment,
    is_previewed,
    is_running,
    job_of,
    request_effect,
    request_preview,
    withdraw,
)
from enrollment.models import CollectionPlan, PlanStatus, Resident
from enrollment.queries import search_condition
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.http import Problem
from foundation.jobs.models import Job
from foundation.jobs.views import job_context
from foundation.scope.models import ScopedQuerySet
from subsidies.queries import rule_book
from subsidies.rules.source import PlanError
from subsidies.rules.writing import Paper
from subsidies.services.amend import accept_examples, open_amendment, write_amendment
from subsidies.services.messages import describe
from townships.access import user_who_may
from townships.models import User
from townships.rules import may

# Fields of the form beside what is changed.
_PAPER: Final = ("number", "clause", "issued_on", "effective_on")


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def amend(request: HttpRequest, code: str) -> HttpResponse:
    """Write the next version from the one in force: what is changed, and the paper that changes it.

    A form that does not hold comes back as it was sent, with what is wrong. A link may fill it (a budget's scenario).
    """
    user = user_who_may(request, "manage_plans")
    plan = find_plan(user, code)
    if plan.status != PlanStatus.PUBLISHED:
        messages.error(request, _("只有已发布的方案可以修订。"))
        return redirect("plans:plan", code)
    if open_amendment(plan) is not None:
        return redirect("plans:amendment", code)
    sent = request.POST if request.method == "POST" else request.GET
    try:
        changes = changes_from({key: str(sent[key]) for key in sent}, plan)[LETTER]
        book = rule_book(plan)
    except PlanError as error:
        return render(request, "plans/unreadable.html", {"plan": plan, "problem": describe(error)})
    for_paid = str(sent.get("for_paid", "")) or book.settings.choice(FOR_PAID)
    if for_paid != book.settings.choice(FOR_PAID):
        changes[FOR_PAID] = for_paid
    context: dict[str, Any] = {
        "plan": plan,
        "groups": amend_groups(plan, changes),
        "paper": {name: str(sent.get(name, "")) for name in _PAPER},
        "today": business_date(plan.county.code),
        "for_paid": for_paid,
        "paid_choices": paid_choices(),
        "paid_word": paid_word(),
    }
    if request.method == "POST":
        try:
            write_amendment(by=user, plan=plan, changes=changes, paper=_paper(context["paper"]))
        except PlanError as error:
            return render(request, "plans/amend.html", context | {"problem": describe(error)})
        messages.success(request, _("修订写好了，还没有生效。下一步核对算例、试算。"))
        return redirect("plans:amendment", code)
    return render(request, "plans/amend.html", context)


def _paper(sent: dict[str, str]) -> Paper:
    days = {}
    for name in ("issued_on", "effective_on"):
        try:
            days[name] = datetime.date.fromisoformat(sent[name].strip())
        except ValueError:
            raise PlanError("not_a_date", value=sent[name]) from None
    return Paper(
        sent["number"].strip(), sent["clause"].strip()[:2000], days["issued_on"], days["effective_on"]
    )


def _amendment(request: HttpRequest, user: User, code: str) -> tuple[CollectionPlan, Amendment | None]:
    plan = find_plan(user, code)
    asked = str((request.POST or request.GET).get("to", ""))
    found = chosen_amendment(plan, asked)
    if found is None and asked:
        raise Http404
    return plan, found


@login_required
@never_cache
@require_GET
def amendment_page(request: HttpRequest, code: str) -> HttpResponse:
    """What an amendment changes, its examples, whom it touches, and the step that comes next."""
    user = user_who_may(request, "read_amendments")
    plan, amendment = _amendment(request, user, code)
    context: dict[str, Any] = {"plan": plan, "amendment": amendment}
    if amendment is None:
        context["may_manage"] = may(user.role, "manage_plans")
        return render(request, "plans/amendment.html", context)
    texts = texts_of(amendment)
    if texts is None:
        raise Http404
    before, after = texts
    try:
        context["changes"] = differences(before, after)
        context["proofs"] = prove(after)
        context["shifts"] = shifts(context["proofs"])
    except PlanError as error:
        return render(request, "plans/unreadable.html", {"plan": plan, "problem": describe(error)})
    taken = amendment.state in (AmendmentState.TAKING, AmendmentState.IN_FORCE)
    job = job_of(amendment)
    shown = bool(amendment.pk) and (taken or is_previewed(amendment))
    effective = _effective_on(after)
    today = business_date(plan.county.code)
    context |= {
        "after": after,
        "taken": taken,
        "previewed": shown,
        "stale": bool(amendment.previewed_at) and not shown,
        "running": is_running(job),
        "failed": job if job is not None and job.error and not is_running(job) else None,
        "digest": digest_of(amendment) if shown else "",
        "effective_on": effective or today,
        "too_early": effective is not None and effective > today,
        "today": today,
        "may_manage": may(user.role, "manage_plans"),
        "may_people": may(user.role, "read_differences"),
        "link": f"to={amendment.to_version}" if amendment.state == AmendmentState.IN_FORCE else "",
    }
    if shown:
        context["townships"], context["whole"] = totals(user, amendment)
    if job is not None and is_running(job) and Job.objects.visible_to(user).filter(pk=job.pk).exists():
        context |= job_context(job, here=True)
    return render(request, "plans/amendment.html", context)


def _effective_on(plan: CollectionPlan) -> datetime.date | None:
    """The day from which the newest amending paper of a text holds."""
    entries = plan.document.get("amendments") or [{}]
    try:
        return datetime.date.fromisoformat(str(entries[-1].get("from")))
    except ValueError:
        return None


def _back(code: str) -> HttpResponse:
    return redirect("plans:amendment", code)


@login_required
@require_POST
def accept(request: HttpRequest, code: str) -> HttpResponse:
    """Take the answers of the new text for what its paper means."""
    user = user_who_may(request, "manage_plans")
    draft = open_amendment(find_plan(user, code))
    if draft is None:
        raise Http404
    try:
        number = accept_examples(by=user, draft=draft)
    except PlanError as error:
        messages.error(request, describe(error))
    else:
        messages.success(request, _("已确认 %(n)s 个算例按修订后的结果。") % {"n": number})
    return _back(code)


@login_required
@require_POST
def preview(request: HttpRequest, code: str) -> HttpResponse:
    """Ask for the preview; the page follows it."""
    user = user_who_may(request, "manage_plans")
    try:
        request_preview(by=user, plan=find_plan(user, code))
    except Problem as problem:
        messages.error(request, problem.message)
    return _back(code)


@login_required
@require_POST
def effect(request: HttpRequest, code: str) -> HttpResponse:
    """Put the amendment into force, as it was shown."""
    user = user_who_may(request, "manage_plans")
    plan = find_plan(user, code)
    try:
        day = datetime.date.fromisoformat(request.POST.get("effective_on", ""))
    except ValueError:
        messages.error(request, _("没有生效：生效日期不是日期。"))
        return _back(code)
    amendment = find_amendment(plan)
    going_on = amendment is not None and amendment.state == AmendmentState.TAKING
    if not going_on and not request.POST.get("seen"):
        messages.error(request, _("没有生效：请先勾选“已看过试算结果”。"))
        return _back(code)
    try:
        request_effect(
            by=user, plan=plan, digest=request.POST.get("digest", ""), effective_on=day,
            moving=bool(request.POST.get("moving")),
        )  # fmt: skip
    except Problem as problem:
        messages.error(request, _("没有生效：%(why)s") % {"why": problem.message})
    return _back(code)


@login_required
@require_POST
def withdraw_draft(request: HttpRequest, code: str) -> HttpResponse:
    """Take the draft back."""
    user = user_who_may(request, "manage_plans")
    try:
        withdraw(by=user, plan=find_plan(user, code))
    except PlanError as error:
        messages.error(request, describe(error))
        return _back(code)
    messages.success(request, _("修订已撤回，现行的方案没有变。"))
    return redirect("plans:plan", code)


def _people(
    request: HttpRequest, user: User, amendment: Amendment
) -> tuple[ScopedQuerySet, ScopedQuerySet, dict[str, Any]]:
    """All lines of the user's places, those asked for, and what was asked."""
    outcome, text = request.GET.get("outcome", ""), request.GET.get("q", "").strip()[:60]
    if outcome and outcome not in AmendmentOutcome.values:
        raise Http404
    townships, township = township_of(user, amendment.plan, request.GET.get("township", ""))
    rows = people(user, amendment)
    chosen = rows
    if outcome:
        chosen = chosen.filter(outcome=outcome)
    if township is not None:
        chosen = chosen.filter(township=township)
    if text:
        found = Resident.objects.visible_to(user).filter(search_condition(text, user.county_code))
        chosen = chosen.filter(Q(resident__in=found.values("pk")))
    query = {
        "to": request.GET.get("to", ""), "outcome": outcome, "township": township.code if township else "", "q": text,
    }  # fmt: skip
    asked = {key: value for key, value in query.items() if value}
    return rows, chosen, {
        "outcome": outcome,
        "search": text,
        "to": request.GET.get("to", ""),
        "townships": townships if len(townships) > 1 else [],
        "township": township,
        "query": urlencode(asked),
        "narrowing": urlencode({key: value for key, value in asked.items() if key != "outcome"}),
    }  # fmt: skip


@login_required
@never_cache
@require_GET
def touched_people(request: HttpRequest, code: str) -> HttpResponse:
    """Everybody an amendment touches, one by one, a page at a time."""
    user = user_who_may(request, "read_differences")
    plan, amendment = _amendment(request, user, code)
    if amendment is None or not amendment.pk:
        return redirect("plans:amendment", code)
    rows, chosen, context = _people(request, user, amendment)
    number = page_number(request)
    listed = touched(chosen, (number - 1) * PER_PAGE, PER_PAGE + 1)
    counted = dict(rows.values_list("outcome").annotate(n=Count("pk")).values_list("outcome", "n"))
    context |= {
        "plan": plan,
        "amendment": amendment,
        "outcomes": [(each.value, each.label, counted[each]) for each in AmendmentOutcome if each in counted],
        "people": sum(counted.values()),
        "lines": listed[:PER_PAGE],
        "before": number - 1 if number > 1 else None,
        "after": number + 1 if len(listed) > PER_PAGE else None,
        "page": number,
    }
    return render(request, "plans/amendment_people.html", context)


@login_required
@never_cache
@require_GET
def people_workbook(request: HttpRequest, code: str) -> HttpResponse | FileResponse:
    """The sums and the people asked for as a workbook; a large county takes them out by township."""
    user = user_who_may(request, "read_differences")
    plan, amendment = _amendment(request, user, code)
    if amendment is None or not amendment.pk:
        raise Http404
    _rows, chosen, context = _people(request, user, amendment)
    if chosen[: MOST_ROWS + 1].count() > MOST_ROWS:
        messages.error(request, _("人太多，一个表放不下。请选一个镇街再下载。"))
        return redirect(f"{reverse('plans:amendment-people', args=[code])}?{context['query']}")
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
    written = write_amendment_workbook(file, user, amendment, chosen, business_date(plan.county.code))
    record(
        by=user, action="export.amendment", target_kind="plan", target=f"{plan.code} v{amendment.to_version}",
        county_code=plan.county.code, detail={"lines": written[-1].lines},
    )  # fmt: skip
    file.seek(0)
    name = _("%(plan)s第%(n)s版修订影响.xlsx") % {"plan": plan.code, "n": amendment.to_version}
    return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX)
