"""Postings of a township's villages: plan them, print the papers, note when they hung."""

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

from enrollment.models import CollectionPlan, Insurance
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.http import Problem
from notices.models import Posting
from notices.queries import PostingRow, posting_rows
from notices.services.postings import create_posting, mark_posted, mark_removed, posted_list_pdf
from rosters.models import Roster, RosterKind
from rosters.queries import plans_of
from rosters.rules import safe_name
from townships.access import user_who_may
from townships.models import CollectingUnit, Township, User
from townships.rules import may


@login_required
@never_cache
@require_GET
def postings(request: HttpRequest) -> HttpResponse:
    """Villages of a township and how their posting stands, what must be done first."""
    user = user_who_may(request, "read_rosters")
    plans = plans_of(user.county_id or 0)
    code = request.GET.get("plan", "")
    plan = (plans.filter(code=code) if code else plans).first()
    if plan is None:
        return render(request, "notices/empty.html")
    seen = CollectingUnit.objects.visible_to(user).filter(township__county=plan.county).values("township")
    townships = list(Township.objects.filter(pk__in=seen).order_by("position", "code"))
    wanted = request.GET.get("township", "")
    township = next((t for t in townships if t.code == wanted), None)
    if wanted and township is None:
        raise Http404
    if township is None and townships:
        township = townships[0]
    today = business_date(plan.county.code)
    rows = posting_rows(user, plan, township, today) if township is not None else []
    context = {
        "plan": plan,
        "township": township,
        "townships": townships,
        "rows": sorted(rows, key=lambda row: ORDER.index(row.state)),
        "counts": _counts(rows),
        "insurances": [(i.value, i.label) for i in Insurance if i.value in plan.insurances],
        "may_post": may(user.role, "post"),
        "today": today,
    }
    return render(request, "notices/postings.html", context)


ORDER = ["overdue", "late", "none", "planned", "open", "closed"]


def _counts(rows: list[PostingRow]) -> dict[str, int]:
    return {state: sum(1 for row in rows if row.state == state) for state in ORDER}


def _back(plan: CollectionPlan, township: Township) -> HttpResponse:
    query = urlencode({"plan": plan.code, "township": township.code})
    return redirect(f"{reverse('notices:list')}?{query}")


def _posting(user: User, pk: int) -> Posting:
    """A posting of the user's places; anybody else's is not there."""
    found = Posting.objects.visible_to(user).select_related(
        "roster__plan__county", "roster__township", "roster__unit__village", "township"
    )
    posting: Posting = get_object_or_404(found, pk=pk)
    return posting


@login_required
@require_POST
def create(request: HttpRequest) -> HttpResponse:
    """Plan the posting of one roster, or of every latest payment roster of a township that has none."""
    user = user_who_may(request, "post")
    rosters = Roster.objects.visible_to(user).select_related("plan__county", "township")
    number = request.POST.get("roster", "")
    if number:
        if not number.isdigit():
            raise Http404
        roster = get_object_or_404(rosters, pk=int(number))
        try:
            create_posting(by=user, roster=roster)
        except Problem as problem:
            messages.error(request, problem.message)
        return _back(roster.plan, roster.township)
    wanted = rosters.filter(
        township__code=request.POST.get("township", ""),
        plan__code=request.POST.get("plan", ""),
        kind=RosterKind.PAYMENT,
        insurance="",
    )
    latest = list(wanted.order_by("unit", "-version").distinct("unit"))
    if not latest:
        raise Http404
    taken = set(Posting.objects.visible_to(user).filter(roster__in=latest).values_list("roster", flat=True))
    new = [roster for roster in latest if roster.pk not in taken]
    for roster in new:
        create_posting(by=user, roster=roster)
    messages.success(request, _("安排了 %(n)s 个村的公示。") % {"n": len(new)})
    return _back(latest[0].plan, latest[0].township)


def _note(request: HttpRequest, pk: int, act: Any, done: str) -> HttpResponse:
    user = user_who_may(request, "post")
    posting = _posting(user, pk)
    try:
        on = date.fromisoformat(request.POST.get("on", ""))
    except ValueError:
        on = business_date(posting.roster.plan.county.code)
    try:
        act(by=user, posting=posting, on=on)
        messages.success(request, done)
    except Problem as problem:
        messages.error(request, problem.message)
    return _back(posting.roster.plan, posting.township)


@login_required
@require_POST
def posted(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that a list hangs, since today or a given day."""
    return _note(request, pk, mark_posted, _("张贴已登记。"))


@login_required
@require_POST
def removed(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that a list was taken down."""
    return _note(request, pk, mark_removed, _("撤下已登记。"))


@login_required
@never_cache
@require_GET
def paper(request: HttpRequest, pk: int, insurance: str) -> HttpResponse:
    """The paper to print; taking it out is in the audit trail."""
    user = user_who_may(request, "read_rosters")
    posting = _posting(user, pk)
    plan = posting.roster.plan
    if insurance not in plan.insurances:
        raise Http404
    content = posted_list_pdf(posting, insurance=insurance)
    record(
        by=user, action="posting.print", target_kind="posting", target=posting.pk, county_code=plan.county.code,
        township_code=posting.township.code, detail={"roster": posting.roster.number, "insurance": insurance},
    )  # fmt: skip
    name = safe_name(f"{posting.roster.unit.name}-{Insurance(insurance).label}-{plan.coverage_year}-") + _(
        "公示表.pdf"
    )
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(False, name) or "inline"
    return response
