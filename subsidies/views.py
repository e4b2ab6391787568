"""Departments' lists: which have come, in which form, what went in and what went back, until when."""

from __future__ import annotations

from datetime import date
from typing import Final
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from enrollment.models import CollectionPlan
from foundation.clock.services import business_date
from subsidies.lists import ListLine, list_board
from subsidies.models import ListDelivery
from subsidies.services.deliveries import DeliveryRefused, note_delivery, withdraw_delivery
from townships.access import user_who_may
from townships.models import Township, User
from townships.rules import may

_LAST: Final = 30


def _plans(user: User) -> list[CollectionPlan]:
    """The county's plans, and its townships' own where the user works; the newest year first."""
    plans = CollectionPlan.objects.in_force().select_related("county").filter(county=user.county_id)
    places = user.scope_places().townships
    return sorted(
        (plan for plan in plans if plan.township_id is None or plan.township_id in places),
        key=lambda plan: (-plan.coverage_year, plan.township_id is not None, plan.code),
    )


def _townships(user: User, plan: CollectionPlan) -> list[Township]:
    """The offices that may have received something besides the county's: the user's own townships."""
    found = Township.objects.filter(pk__in=sorted(user.scope_places().townships))
    if plan.township_id is not None:
        found = found.filter(pk=plan.township_id)
    return list(found.order_by("position", "code"))


def _chosen(
    user: User, code: str, place: str
) -> tuple[CollectionPlan | None, Township | None, list[CollectionPlan]]:
    """The plan and the receiving office asked for. Raises Http404 for one beyond the user's sight."""
    plans = _plans(user)
    plan = next((each for each in plans if each.code == code), None) if code else next(iter(plans), None)
    if plan is None:
        if code:
            raise Http404
        return None, None, plans
    townships = _townships(user, plan)
    township = next((each for each in townships if each.code == place), None)
    if place and township is None:
        raise Http404
    if township is None and not user.sees_county:
        township = next(iter(townships), None)
    return plan, township, plans


@login_required
@never_cache
@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """Who has sent what to an office."""
    user = user_who_may(request, "read_lists")
    plan, township, plans = _chosen(user, request.GET.get("plan", ""), request.GET.get("township", ""))
    if plan is None:
        return render(request, "lists/empty.html")
    today = business_date(plan.county.code)
    lines = list_board(user=user, plan=plan, township=township, today=today)
    noted = (
        ListDelivery.objects.visible_to(user)
        .filter(plan__code=plan.code, township=township)
        .select_related("category", "noted_by", "withdrawn_by")
        .order_by("-pk")[:_LAST]
    )
    titles = {line.key: line.title for line in lines}
    context = {
        "plan": plan,
        "plans": plans,
        "township": township,
        "townships": _townships(user, plan),
        "whole_county": user.sees_county,
        "lines": lines,
        "counts": _counts(lines),
        "noted": [(each, titles.get(_key(each), str(each.category or each.kind))) for each in noted],
        "may_note": _may_note(user, township),
        "may_import": may(user.role, "import"),
        "today": today,
    }
    return render(request, "lists/board.html", context)


def _key(delivery: ListDelivery) -> str:
    return f"{delivery.kind}:{delivery.category.code if delivery.category else ''}"


def _counts(lines: list[ListLine]) -> dict[str, int]:
    return {
        "all": len(lines),
        "complete": sum(line.complete for line in lines),
        "overdue": sum(line.overdue for line in lines),
        "open": sum(line.open for line in lines),
    }


def _may_note(user: User, township: Township | None) -> bool:
    """An office notes what came to itself: a township's clerk to the township, a bureau to the county."""
    return may(user.role, "note_lists") and (township is None) == user.sees_county


def _back(plan: CollectionPlan, township: Township | None) -> HttpResponse:
    query = {"plan": plan.code} | ({"township": township.code} if township else {})
    return redirect(f"{reverse('lists:board')}?{urlencode(query)}")


@login_required
@require_POST
def received(request: HttpRequest) -> HttpResponse:
    """Note what came."""
    user = user_who_may(request, "note_lists")
    plan, township, _plans = _chosen(user, request.POST.get("plan", ""), request.POST.get("township", ""))
    if plan is None:
        raise Http404
    if not _may_note(user, township):
        raise PermissionDenied
    today = business_date(plan.county.code)
    wanted = set(request.POST.getlist("line"))
    lines = [
        line
        for line in list_board(user=user, plan=plan, township=township, today=today)
        if line.key in wanted
    ]
    try:
        done = note_delivery(
            by=user,
            plan=plan,
            lines=lines,
            township=township,
            received_on=_day(request.POST.get("on", ""), today),
            forms=frozenset(request.POST.getlist("form")),
            note=request.POST.get("note", ""),
            today=today,
        )
        messages.success(request, _("已记下收到 %(n)s 份名单") % {"n": done})
    except DeliveryRefused as error:
        messages.error(request, str(error))
    return _back(plan, township)


def _day(text: str, today: date) -> date:
    try:
        day = parse_date(text) if text else today
    except ValueError:
        day = None
    if day is None:
        raise DeliveryRefused(_("收到日期不对，写成 2022-10-31 这样"))
    return day


@login_required
@require_POST
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a note back."""
    user = user_who_may(request, "note_lists")
    found = ListDelivery.objects.visible_to(user).select_related("plan__county", "township")
    delivery = get_object_or_404(found, pk=pk)
    if not _may_note(user, delivery.township):
        raise PermissionDenied
    try:
        withdraw_delivery(by=user, delivery=delivery)
        messages.success(request, _("已撤销这一条"))
    except DeliveryRefused as error:
        messages.error(request, str(error))
    return _back(delivery.plan, delivery.township)
