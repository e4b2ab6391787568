"""Today's figures of the area on the office's home."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from foundation.office import Panel, office_panel
from progress.queries.board import board
from progress.queries.ground import county_ground, plans_of, township_ground
from townships.models import Township, User
from townships.rules import may


@office_panel
def today_figures(user: User, today: date) -> Iterator[Panel]:
    """Rates, today's gain and what waits for the tax side over the whole width; the slowest places at the side."""
    plans = plans_of(user)
    places = user.scope_places()
    if not plans or not places.townships or not may(user.role, "read_rosters"):
        return
    plan = plans[0]
    ground = county_ground(user, plan)
    if len(places.townships) == 1:
        code = Township.objects.values_list("code", flat=True).get(pk__in=places.townships)
        ground = township_ground(user, plan, code) or ground
    insurance = "medical" if "medical" in plan.insurances else plan.insurances[0]
    shown = board(plan, ground, insurance=insurance, today=today)
    if not shown.counted:
        return
    unconfirmed = shown.money.paid_amount - shown.money.confirmed_amount
    yield Panel("office/_figures.html", {"board": shown, "unconfirmed": unconfirmed}, wide=True)
    if shown.behind:
        slowest = [(row, row.standings[shown.insurance]) for row in shown.behind]
        yield Panel("office/_slowest.html", {"board": shown, "slowest": slowest})
