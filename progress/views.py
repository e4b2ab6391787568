"""The leader's pages: county → township → unit. One answer each to: who is behind, how far, is the money safe."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from enrollment.models import CollectionPlan, Insurance
from foundation.clock.services import business_date
from progress import rules
from progress.definitions import DEFINITIONS, completion_text
from progress.queries.board import Board, board
from progress.queries.ground import Ground, county_ground, plans_of, township_ground, unit_ground
from townships.models import CollectingUnit, Township, User

# The columns of the detail table, whose definitions open beside it.
DETAIL = (
    "target",
    "in_scope",
    "registered",
    "due",
    "paid",
    "confirmed",
    "exempt",
    "due_paid_rate",
    "collected_amount",
)


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise Http404
    return request.user


def _choose(request: HttpRequest, user: User) -> tuple[CollectionPlan, list[CollectionPlan], str]:
    plans = plans_of(user)
    wanted = request.GET.get("plan")
    plan = next((p for p in plans if p.code == wanted), None) if wanted else next(iter(plans), None)
    if plan is None:
        raise Http404(_("还没有征缴方案。"))
    insurance = request.GET.get("insurance") or _first(plan)
    if insurance not in plan.insurances:
        raise Http404
    return plan, plans, insurance


def _first(plan: CollectionPlan) -> str:
    return next((name for name in Insurance.values if name in plan.insurances), "")


@login_required
def county(request: HttpRequest) -> HttpResponse:
    """The whole of what a person sees; whoever sees one township or one unit goes straight there."""
    user = _person(request)
    places = user.scope_places()
    if not places:
        return render(request, "progress/empty.html", {"reason": "places"})
    if not plans_of(user):
        return render(request, "progress/empty.html", {"reason": "plan"})
    if len(places.townships) == 1 and not places.units:
        code = Township.objects.values_list("code", flat=True).get(pk__in=places.townships)
        return redirect("progress:township", code)
    if not places.townships:
        units = list(CollectingUnit.objects.visible_to(user).select_related("township").order_by("position"))
        if len(units) == 1:
            return redirect("progress:unit", units[0].township.code, units[0].code)
        return redirect("progress:township", units[0].township.code)
    plan, plans, insurance = _choose(request, user)
    return _show(request, user, plan, plans, insurance, county_ground(user, plan))


@login_required
def township(request: HttpRequest, code: str) -> HttpResponse:
    """A township's units. 404 for a township that is not the person's."""
    user = _person(request)
    plan, plans, insurance = _choose(request, user)
    return _show(request, user, plan, plans, insurance, township_ground(user, plan, code))


@login_required
def unit(request: HttpRequest, code: str, unit_code: str) -> HttpResponse:
    """One unit. 404 for a unit that is not the person's or not of this township."""
    user = _person(request)
    plan, plans, insurance = _choose(request, user)
    ground = unit_ground(user, plan, unit_code)
    if ground is None or ground.parent_code != code:
        raise Http404
    return _show(request, user, plan, plans, insurance, ground)


def _show(
    request: HttpRequest,
    user: User,
    plan: CollectionPlan,
    plans: list[CollectionPlan],
    insurance: str,
    ground: Ground | None,
) -> HttpResponse:
    if ground is None:
        raise Http404
    today = business_date(plan.county.code)
    shown = board(plan, ground, insurance=insurance, today=today)
    context: dict[str, Any] = {
        "board": shown,
        "plan": plan,
        "plans": plans,
        "standings": list(shown.standings.values()),
        "other": next((s for name, s in shown.standings.items() if name != insurance), None),
        "definitions": DEFINITIONS,
        "completion_text": completion_text(rules.includes_exempt(plan.settings)),
        "detail_figures": DETAIL,
        "overdue_days": rules.OVERDUE_DAYS,
        "chart": chart(shown),
        "crumbs": _crumbs(user, ground),
        "household_url": _households(user, ground),
    }
    return render(request, "progress/board.html", context)


def _crumbs(user: User, ground: Ground) -> list[tuple[str, str]]:
    """Where one came from: pages above this one that the person may see."""
    crumbs = []
    if ground.level != "county" and len(user.scope_places().townships) > 1:
        crumbs.append((reverse("progress:county"), user.county.name if user.county else ""))
    if ground.level == "unit":
        crumbs.append((reverse("progress:township", args=[ground.parent_code]), ground.parent_name))
    return crumbs


def _households(user: User, ground: Ground) -> str:
    """The unit's household list, for staff whose page exists."""
    if ground.level != "unit" or user.role == "county_leader":
        return ""
    try:
        return reverse("village:round", args=[ground.code])
    except NoReverseMatch:
        return ""


def chart(shown: Board) -> dict[str, Any]:
    """The trend as data for the script: one list of (day, percent) a line, percent of the whole."""
    lines = []
    for name, standing in shown.standings.items():
        points = shown.trend.get(name, [])
        ahead = shown.forecast(name)
        lines.append(
            {
                "name": name,
                "label": standing.label,
                "points": [[day.isoformat(), share] for day, share in points],
                "ahead": [[day.isoformat(), share] for day, share in ahead],
                "before": [[day.isoformat(), share] for day, share in shown.last_year.get(name, [])],
            }
        )
    season = shown.season
    return {
        "lines": lines,
        "today": shown.today.isoformat(),
        "opens": season.opens.isoformat() if season else "",
        "closes": season.closes.isoformat() if season else "",
        "words": {"today": _("今天"), "before": _("上年")},
    }
