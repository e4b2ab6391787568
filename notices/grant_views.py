"""Grant lists on the wall: take a list down for a township's villages, print the papers, note when they hung."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from enrollment.models import CollectionPlan
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.http import Problem
from notices.models import GrantPosting
from notices.queries import posting_state
from notices.services.grants import create_grant_postings, grant_list_pdf, posted_lists
from notices.services.postings import mark_posted, mark_removed
from rosters.queries import plans_of
from rosters.rules import safe_name
from subsidies.rules.source import PlanError
from townships.access import user_who_may
from townships.models import CollectingUnit, Township, User
from townships.rules import may


def _lists(plan: CollectionPlan) -> list[Any]:
    try:
        return list(posted_lists(plan))
    except PlanError:
        return []  # a draft that cannot be read posts nothing


@login_required
@never_cache
@require_GET
def grants(request: HttpRequest) -> HttpResponse:
    """The grant lists of a township's villages and how their posting stands."""
    user = user_who_may(request, "read_rosters")
    plans = plans_of(user.county_id or 0)
    code = request.GET.get("plan", "")
    chosen = list(plans.filter(code=code)[:1]) if code else list(plans)
    plan = next((each for each in chosen if _lists(each)), chosen[0] if chosen else None)
    if plan is None:
        return render(request, "notices/empty.html")
    seen = CollectingUnit.objects.visible_to(user).filter(township__county=plan.county).values("township")
    townships = list(Township.objects.filter(pk__in=seen).order_by("position", "code"))
    wanted = request.GET.get("township", "")
    township = next((t for t in townships if t.code == wanted), None)
    if wanted and township is None:
        raise Http404
    if township is None and townships:
        township = plan.township if plan.township in townships else townships[0]
    today = business_date(plan.county.code)
    found = (
        GrantPosting.objects.visible_to(user)
        .filter(plan=plan, township=township)
        .select_related("unit")
        .order_by("list_code", "unit__position", "unit__code")
    )
    context = {
        "plan": plan,
        "township": township,
        "townships": townships,
        "lists": _lists(plan),
        "rows": [(posting, posting_state(posting, today)) for posting in found],
        "may_post": may(user.role, "post"),
    }
    return render(request, "notices/grants.html", context)


def _back(plan: CollectionPlan, township: Township) -> HttpResponse:
    query = urlencode({"plan": plan.code, "township": township.code})
    return redirect(f"{reverse('notices:grants')}?{query}")


@login_required
@require_POST
def create(request: HttpRequest) -> HttpResponse:
    """Take a list down for every village of a township."""
    user = user_who_may(request, "post")
    plan = get_object_or_404(plans_of(user.county_id or 0), code=request.POST.get("plan", ""))
    townships = Township.objects.filter(pk__in=sorted(user.scope_places().townships))
    township = get_object_or_404(townships, code=request.POST.get("township", ""))
    try:
        made = create_grant_postings(
            by=user, plan=plan, township=township, list_code=request.POST.get("list", "")
        )
    except Problem as problem:
        messages.error(request, problem.message)
    else:
        said = (
            _("安排了 %(n)s 个村的资助名单公示。")
            if made
            else _("没有要新公示的村：名单上没有人，或者都安排过了。")
        )
        messages.success(request, said % {"n": len(made)} if made else said)
    return _back(plan, township)


def _posting(user: User, pk: int) -> GrantPosting:
    found = GrantPosting.objects.visible_to(user).select_related(
        "plan__county", "township__county", "unit__village"
    )
    posting: GrantPosting = get_object_or_404(found, pk=pk)
    return posting


def _note(request: HttpRequest, pk: int, act: Any, done: str) -> HttpResponse:
    user = user_who_may(request, "post")
    posting = _posting(user, pk)
    try:
        on = date.fromisoformat(request.POST.get("on", ""))
    except ValueError:
        on = business_date(posting.plan.county.code)
    try:
        act(by=user, posting=posting, on=on)
        messages.success(request, done)
    except Problem as problem:
        messages.error(request, problem.message)
    return _back(posting.plan, posting.township)


@login_required
@require_POST
def posted(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that a grant list hangs, since today or a given day."""
    return _note(request, pk, mark_posted, _("张贴已登记。"))


@login_required
@require_POST
def removed(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that a grant list was taken down."""
    return _note(request, pk, mark_removed, _("撤下已登记。"))


@login_required
@never_cache
@require_GET
def paper(request: HttpRequest, pk: int) -> HttpResponse:
    """The paper to print; taking it out is in the audit trail."""
    user = user_who_may(request, "read_rosters")
    posting = _posting(user, pk)
    content = grant_list_pdf(posting)
    record(
        by=user, action="posting.print", target_kind="grantposting", target=posting.pk,
        county_code=posting.plan.county.code, township_code=posting.township.code,
        detail={"list": posting.list_name, "heads": posting.heads},
    )  # fmt: skip
    name = safe_name(f"{posting.unit.name}-{posting.list_name.strip('《》')}-") + _("公示表.pdf")
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(False, name) or "inline"
    return response
