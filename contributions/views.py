"""The round of a unit and one household of it, where a payment is recorded."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from contributions.models import Means, Payment
from contributions.services.counter import take_from_household
from contributions.village import household_members, plan_of, unit_round
from enrollment.models import CollectionPlan, Household
from enrollment.models.plans import CollectionMode
from foundation.http import Problem
from townships.models import CollectingUnit, User
from townships.rules import may

SLIPS_OFFERED = 6


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    if not may(request.user.role, "read_residents"):
        raise PermissionDenied
    return request.user


def _unit(user: User, code: str) -> CollectingUnit:
    unit = (
        CollectingUnit.objects.visible_to(user).select_related("township__county").filter(code=code).first()
    )
    if unit is None:
        raise Http404
    return unit


def means_of(plan: CollectionPlan) -> list[Means]:
    """Cash changes hands only where the plan entrusts the unit with money."""
    offered = [Means.QR, Means.POS, Means.TRANSFER]
    return [*offered, Means.CASH] if plan.collection_mode == CollectionMode.ENTRUSTED else offered


@login_required
@require_GET
def round_page(request: HttpRequest, code: str) -> HttpResponse:
    """Households unpaid first, in walking order; search by name, initials, nickname, last four, phone tail."""
    user = _person(request)
    unit = _unit(user, code)
    text = request.GET.get("q", "").strip()[:60]
    context = {
        "unit": unit,
        "round": unit_round(user, unit, search=text),
        "search": text,
        "units": CollectingUnit.objects.filter(pk__in=user.scope_places().units).order_by("position", "code"),
    }
    return render(request, "contributions/village.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def household_page(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """One household: tick who pays, say how, one total, one slip."""
    user = _person(request)
    unit = _unit(user, code)
    household = (
        Household.objects.visible_to(user).select_related("unit__township").filter(pk=pk, unit=unit).first()
    )
    plan = plan_of(unit)
    if household is None or plan is None:
        raise Http404
    if request.method == "POST":
        return _take(request, user, household)
    members = household_members(user, household.pk, plan)
    context = {
        "unit": unit,
        "household": household,
        "members": members,
        "payable": any(o.open for m in members for o, _name, _why in m.items),
        "open": sum((o.asked for m in members for o, _name, _why in m.items), Decimal("0.00")),
        "means": means_of(plan),
        "direct": plan.collection_mode == CollectionMode.DIRECT,
        "may_collect": may(user.role, "collect"),
        "client_uuid": uuid.uuid4(),
        "slips": Payment.objects.visible_to(user)
        .filter(unit=unit, household_id=household.pk, plan=plan, reverses=None)
        .order_by("-pk")[:SLIPS_OFFERED],
    }
    return render(request, "contributions/household.html", context)


def _take(request: HttpRequest, user: User, household: Household) -> HttpResponse:
    """Record what was ticked. The page names charge and version alone, never an amount."""
    if not may(user.role, "collect"):
        raise PermissionDenied
    ticked = [
        (int(charge), int(version))
        for charge, _colon, version in (line.partition(":") for line in request.POST.getlist("line"))
        if charge.isdecimal() and version.isdecimal()
    ]
    try:
        key = uuid.UUID(request.POST.get("client_uuid", ""))
    except ValueError:
        raise Http404 from None
    try:
        payment = take_from_household(
            by=user, household=household, client_uuid=key, ticked=ticked, means=request.POST.get("means", ""),
            payer_name=request.POST.get("payer", "").strip()[:60], paid_for_others="for_others" in request.POST,
        )  # fmt: skip
    except Problem as problem:
        messages.error(request, problem.message)
    else:
        words = {
            "amount": f"{payment.received:,.2f}",
            "slip": payment.slip_number,
            "back": f"{payment.excess:,.2f}",
        }
        if payment.excess:
            messages.warning(
                request,
                _(
                    "已记下 %(amount)s 元，登记号 %(slip)s。其中 %(back)s 元有人先缴过了，记为要退的钱，请告诉镇街。"
                )
                % words,
            )
        else:
            messages.success(request, _("已记下 %(amount)s 元，登记号 %(slip)s，等税务回传。") % words)
    return redirect("village:household", household.unit.code, household.pk)
