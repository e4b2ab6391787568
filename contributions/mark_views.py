"""标识同步: marks by department and village, stuck ones first; one step for many at once; whom the delay overcharged."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from contributions.funding.asking import Ground, ground_of
from contributions.funding.marks import (
    MarksAsked,
    count_marks,
    mark_ids,
    mark_rows,
    overcharged,
    verdict,
)
from enrollment.models import MarkState
from enrollment.rules import MARK_STEPS, mark_before, may_move_mark
from enrollment.services.marks import advance_marks
from foundation.clock.services import business_date, offset
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.access import user_who_may
from townships.models import AgencyKind, User

PER_PAGE: Final = 50
OVERCHARGED_SHOWN: Final = 200
# What the button that moves marks to a state is called.
MOVES: Final = {
    MarkState.VERIFIED: gettext_noop("验证通过"),
    MarkState.MARKED: gettext_noop("已在医保系统标识"),
    MarkState.SYNCED: gettext_noop("已同步到税务"),
}


def _asked(request: HttpRequest, ground: Ground) -> MarksAsked:
    sent = request.POST if request.method == "POST" else request.GET
    state, department = sent.get("state", ""), sent.get("department", "")
    if (state and state not in MarkState.values) or (department and department not in AgencyKind.values):
        raise Http404
    chosen = [ground.township] if ground.township is not None else ground.townships
    county = ground.plan.county.code
    return MarksAsked(
        plan=ground.plan,
        book=ground.book,
        townships=tuple(township.pk for township in chosen),
        on=business_date(county),
        shift=offset(county),
        unit=ground.unit.pk if ground.unit is not None else None,
        states=(state,) if state else (),
        department=department,
    )


def _own_moves(user: User) -> list[MarkState]:
    """States to which the user's post moves marks."""
    return [state for state in MarkState if may_move_mark(user.role, state)]


@login_required
@never_cache
@require_GET
def marks(request: HttpRequest) -> HttpResponse:
    """How far the marks are, by department and place; the people, stuck ones first; who was charged too much."""
    user = user_who_may(request, "read_marks")
    try:
        ground = ground_of(request, user)
    except PlanError as error:
        return render(request, "funding/empty.html", {"problem": describe(error)})
    if ground is None or not ground.insurances or not ground.townships:
        return render(request, "funding/empty.html", {"plan": ground.plan if ground else None})
    asked = _asked(request, ground)
    whole, departments, townships, units = count_marks(
        MarksAsked(asked.plan, asked.book, asked.townships, asked.on, asked.shift, asked.unit)
    )
    page = request.GET.get("page", "1")
    number = int(page) if page.isdecimal() and 0 < int(page) < 10**6 else 1
    rows = mark_rows(asked, offset=(number - 1) * PER_PAGE, limit=PER_PAGE + 1)
    over = overcharged(asked)
    state = request.GET.get("state", "")
    department = request.GET.get("department", "")
    query = ground.query | ({"department": department} if department else {})
    moves = _own_moves(user)
    move = next((to for to in moves if state == mark_before(to)), None)
    context: dict[str, Any] = {
        "ground": ground,
        "whole": whole,
        "steps": [(each, whole.states.get(each, 0)) for each in MarkState],
        "departments": [(AgencyKind(each.key).label, each) for each in departments],
        "places": units if (ground.township is not None or len(ground.townships) == 1) else townships,
        "by_unit": ground.township is not None or len(ground.townships) == 1,
        "states": list(MarkState),
        "state": state,
        "department": department,
        "department_word": AgencyKind(department).label if department else "",
        "rows": rows[:PER_PAGE],
        "page": number,
        "before": number - 1 if number > 1 else None,
        "after": number + 1 if len(rows) > PER_PAGE else None,
        "query": urlencode(query),
        "query_state": urlencode(query | ({"state": state} if state else {})),
        "move": move,
        "move_word": _(MOVES[move]) if move is not None else "",
        "waiting_for_me": [
            (
                mark_before(to),
                MarkState(mark_before(to) or "").label,
                whole.states.get(mark_before(to) or "", 0),
            )
            for to in moves
        ],
        "over": [(row, verdict(ground.book, row)) for row in over[:OVERCHARGED_SHOWN]],
        "over_count": len(over),
        "over_amount": sum((row.refund for row in over), Decimal("0.00")),
        "filtered": sum(whole.states.values()) if not state else whole.states.get(state, 0),
        "may_see_people": user.role != "finance_bureau",
    }
    return render(request, "funding/marks.html", context)


@login_required
@require_POST
def move(request: HttpRequest) -> HttpResponse:
    """Move the marks that were ticked, or all that the page's choice names, one step."""
    user = user_who_may(request, "move_marks")
    try:
        ground = ground_of(request, user)
    except PlanError:
        raise Http404 from None
    if ground is None:
        raise Http404
    to = request.POST.get("to", "")
    if to not in {state for state, _posts in MARK_STEPS.values()}:
        raise Http404
    if "all" in request.POST:
        ids = mark_ids(_asked(request, ground))
    else:
        ids = [int(pk) for pk in request.POST.getlist("mark") if pk.isdecimal() and len(pk) < 19]
    moved = advance_marks(by=user, memberships=ids, to=to)
    label = MarkState(to).label
    if moved:
        messages.success(request, _("%(n)s 人的标识到了“%(state)s”。") % {"n": f"{moved:,}", "state": label})
    elif ids:
        messages.warning(request, _("这些人的标识已经有人办过了，没有再动。"))
    else:
        messages.warning(request, _("没有选人。先在左边打勾，再点按钮。"))
    back = ground.query | {key: request.POST[key] for key in ("state", "department") if request.POST.get(key)}
    return redirect(f"{reverse('marks:board')}?{urlencode(back)}")
