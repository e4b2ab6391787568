"""Figures over JSON, each with its definition."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from enrollment.models import CollectionPlan, Insurance
from foundation.clock.services import business_date
from foundation.http import Problem, ScopedAPIView
from progress.definitions import DEFINITIONS, completion_text
from progress.queries.board import Board, board
from progress.queries.ground import Ground, county_ground, plans_of, township_ground, unit_ground
from progress.queries.standing import Standing
from townships.models import User

_BAND_FIGURES = {"45-59": "rate_45_59", "16-44": "rate_16_44"}


class ProgressView(ScopedAPIView):
    """Figures of a county, township or collecting unit within the caller's places."""

    @extend_schema(
        parameters=[
            OpenApiParameter("plan", str, description="Plan code; default: the county's current plan."),
            OpenApiParameter(
                "place", str, description="County, township or unit code; default: all you see."
            ),
            OpenApiParameter(
                "insurance", str, enum=list(Insurance.values), description="Default: all of the plan."
            ),
            OpenApiParameter("date", date, description="End of that day for what moves; default: today."),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> Response:
        user = request.user
        if not isinstance(user, User):
            raise Http404
        wanted = request.query_params.get("plan")
        plan = next((p for p in plans_of(user) if not wanted or p.code == wanted), None)
        if plan is None:
            raise Http404
        today = business_date(plan.county.code)
        until = _day(request.query_params.get("date", ""), today)
        insurance = request.query_params.get("insurance", "")
        if insurance and insurance not in plan.insurances:
            raise Problem(400, "unknown_insurance", _("方案没有这个险种。"))
        ground = _ground(user, plan, request.query_params.get("place", ""))
        names = [insurance] if insurance else [n for n in Insurance.values if n in plan.insurances]
        shown = board(plan, ground, insurance=names[0], today=today, until=until)
        return Response(_body(shown, names, until or today))


def _day(text: str, today: date) -> date | None:
    """An earlier day to wind back to; None for today and later."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Problem(400, "bad_date", _("日期要写成 2022-11-30 这样。")) from None
    return day if day < today else None


def _ground(user: User, plan: CollectionPlan, code: str) -> Ground:
    whole = plan.county.code
    if not code or code in {whole, whole[:6]}:
        return county_ground(user, plan)
    if not code.isdigit():
        raise Http404
    ground = township_ground(user, plan, code) or unit_ground(user, plan, code)
    if ground is None:
        raise Http404
    return ground


def _body(shown: Board, names: list[str], day: date) -> dict[str, Any]:
    return {
        "plan": shown.plan.code,
        "date": day.isoformat(),
        "place": {"code": shown.ground.code, "name": shown.ground.name, "level": shown.ground.level},
        "insurances": [
            {"insurance": name, "figures": _figures(shown, shown.standings[name])} for name in names
        ],
        "places": [
            {
                "code": row.code,
                "name": row.name,
                "position": row.position,
                "insurances": [
                    {"insurance": name, "figures": _values(row.standings[name])} for name in names
                ],
            }
            for row in shown.rows
        ],
        "unconfirmed_overdue": _described(
            shown,
            "unconfirmed_overdue",
            {"count": shown.open.late_heads, "amount": f"{shown.open.late_amount:.2f}"},
        ),
    }


def _values(standing: Standing) -> dict[str, Any]:
    """Figures by name: heads as numbers, amounts as strings with two places, rates in percent or null."""
    counts = standing.counts
    values: dict[str, Any] = {
        "target": standing.target,
        "in_scope": counts.in_scope,
        "registered": counts.registered,
        "due": counts.due,
        "paid": counts.paid,
        "confirmed": counts.confirmed,
        "exempt": counts.exempt,
        "exempt_amount": counts.exempt_amount,
        "billed": counts.billed,
        "billed_amount": counts.billed_amount,
        "disbursed": counts.disbursed,
        "disbursed_amount": counts.disbursed_amount,
        "completion_rate": standing.completion_rate,
        "due_paid_rate": standing.due_paid_rate,
        "due_amount": counts.due_amount,
        "collected_amount": counts.paid_amount,
        "confirmed_amount": counts.confirmed_amount,
        "settled_amount": counts.settled_amount,
    }
    return {name: f"{v:.2f}" if isinstance(v, Decimal) else v for name, v in values.items()}


def _figures(shown: Board, standing: Standing) -> dict[str, Any]:
    values = _values(standing)
    values["paid_today"] = standing.paid_today
    for band in shown.bands:
        if band.insurance == standing.insurance and band.band in _BAND_FIGURES:
            values[_BAND_FIGURES[band.band]] = band.percent
    return {name: _described(shown, name, value) for name, value in values.items()}


def _described(shown: Board, name: str, value: Any) -> dict[str, Any]:
    definition = DEFINITIONS[name]
    text = definition.text
    if name == "completion_rate":
        text = completion_text(shown.chosen.includes_exempt)
    return {"value": value, "label": str(definition.label), "definition": str(text)}
