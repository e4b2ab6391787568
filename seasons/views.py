"""The year at a glance, and the people to confirm. Reads start at ``visible_to``; each write is one service call."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from enrollment.models import CollectionPlan, Insurance, PlanStatus
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.encryption import get_keyring
from foundation.jobs.models import OPEN_STATES, Job
from foundation.jobs.views import job_context
from foundation.masking import Audience, mask_number, mask_phone
from foundation.sheets import OfficialTable, write_workbook
from rosters.rules import safe_name
from rosters.services.export import Detail
from seasons import queries
from seasons.layouts import TO_CONFIRM
from seasons.models import Confirmation, Decision, Reason
from seasons.rules import CANDIDATES, HELD, LOOKED_AT
from seasons.services.closing import KIND as CLOSING_KIND
from seasons.services.confirm import MOST, CannotDecide, decide
from seasons.services.opening import IMPORTED, CannotOpen, prior_payments, request_opening
from seasons.services.opening import KIND as OPENING_KIND
from seasons.words import ADVICE, evidence, last_tier
from townships.access import user_who_may
from townships.models import Township, User
from townships.rules import may

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PER_PAGE: Final = 100
GROUPS: Final = (
    (
        gettext_lazy("没有结转的"),
        gettext_lazy("按新方案不能参保或已不在这里，等一句话：结转还是不结转"),
        HELD,
    ),
    (gettext_lazy("可以参加的"), gettext_lazy("上年没有登记，今年可以：愿意参加的就结转登记"), CANDIDATES),
    (gettext_lazy("已结转、要看一眼的"), gettext_lazy("登记已经在新年度里，核对后处理"), LOOKED_AT),
)


def plan_named(user: User, code: str) -> CollectionPlan:
    """The newest version of a plan of the user's county. 404 for any other."""
    found = next((plan for plan in queries.plans_of(user) if plan.code == code), None)
    if found is None:
        raise Http404
    return found


@login_required
@never_cache
@require_GET
def season(request: HttpRequest) -> HttpResponse:
    """A year from opening to archive: last year beside it, and each step with what it asks for."""
    user = user_who_may(request, "read_season")
    plans = queries.plans_of(user)
    code = request.GET.get("plan", "")
    if code and code not in {plan.code for plan in plans}:
        raise Http404
    if not plans:
        return render(request, "seasons/empty.html")
    plan = next((each for each in plans if each.code == code), plans[0])
    today = business_date(plan.county.code)
    opening = queries.opening_of(plan)
    sources = queries.years_before(plans, plan)
    before = opening.source if opening is not None else (sources[0] if sources else None)
    stages = queries.stages_of(plan)
    context: dict[str, Any] = {
        "plan": plan,
        "plans": plans,
        "today": today,
        "opening": opening,
        "sources": sources,
        "imported": IMPORTED if opening is None and prior_payments(plan).exists() else "",
        "now": queries.year_figures(user, plan),
        "before": queries.year_figures(user, before) if before is not None else None,
        "stages": stages,
        "stage": queries.stage_on(stages, today),
        "closed": plan.status == PlanStatus.CLOSED,
        "may_open": may(user.role, "open_season"),
        "may_confirm": may(user.role, "read_confirmations"),
        "may_assess": may(user.role, "assess"),
        "whole_county": user.sees_county,
    }
    context |= _waiting(user, plan) | _job(user, plan, OPENING_KIND)
    context |= closing_context(user, plan)
    return render(request, "seasons/season.html", context)


def closing_context(user: User, plan: CollectionPlan) -> dict[str, Any]:
    """How the year ended, or how far its end has come."""
    closing = queries.last_closing(plan)
    standing = closing if closing is not None and closing.reopened_at is None else None
    job = queries.last_job(user, plan, CLOSING_KIND)
    shown = job if job is not None and _worth_showing(job) else None
    return {
        "closing": standing,
        "reopened": closing if closing is not None and standing is None else None,
        "closing_job": shown,
        "closing_progress": job_context(shown, here=shown.state in OPEN_STATES) if shown is not None else {},
        "earlier": queries.closings(plan),
        "may_close": may(user.role, "close_season"),
        "may_reopen": may(user.role, "reopen_season"),
    }


def _waiting(user: User, plan: CollectionPlan) -> dict[str, Any]:
    rows = queries.reason_rows(user, plan)
    groups = [
        queries.ReasonGroup(
            str(title), str(note), [rows[Reason(name)] for name in names if Reason(name) in rows]
        )
        for title, note, names in GROUPS
    ]
    shown = [group for group in groups if group.rows]
    return {
        "groups": shown,
        "waiting": sum(group.waiting for group in shown),
        "decided": sum(row.decided for group in shown for row in group.rows),
    }


def _job(user: User, plan: CollectionPlan, kind: str) -> dict[str, Any]:
    job = queries.last_job(user, plan, kind)
    if job is None or not _worth_showing(job):
        return {"job": None}
    return job_context(job, here=job.state in OPEN_STATES)


def _worth_showing(job: Job) -> bool:
    """While it runs, and for an hour after it did not end well."""
    if job.state in OPEN_STATES:
        return True
    return (
        bool(job.error) and job.finished_at is not None and (timezone.now() - job.finished_at).seconds < 3600
    )


def to_year(plan: CollectionPlan) -> HttpResponse:
    return redirect(f"{reverse('seasons:season')}?{urlencode({'plan': plan.code})}")


@login_required
@require_POST
def open_year(request: HttpRequest, code: str) -> HttpResponse:
    """Ask for the opening of a year from the plan named; the job shows on the year's page."""
    user = user_who_may(request, "open_season")
    plan, named = plan_named(user, code), request.POST.get("source", "")
    source = None if named == IMPORTED else plan_named(user, named)
    try:
        request_opening(by=user, plan=plan, source=source)
    except CannotOpen as error:
        messages.error(request, str(error))
    return to_year(plan)


# people to confirm


@login_required
@never_cache
@require_GET
def confirm(request: HttpRequest, code: str) -> HttpResponse:
    """The people of a year to confirm: by reason, township and name, a hundred a page."""
    user = user_who_may(request, "read_confirmations")
    plan, asked = plan_named(user, code), queries.asked_from(request.GET)
    townships = _townships(user, plan, asked)
    rows = queries.confirmations(user, plan, asked)
    page = Paginator(queries.in_order(rows), PER_PAGE).get_page(request.GET.get("page"))
    found = queries.reason_rows(user, plan)
    context = {
        "plan": plan,
        "asked": asked,
        "query": urlencode(asked.query),
        "page": page,
        "lines": _lines(list(page)),
        "reasons": list(found.values()),
        "chosen": found.get(Reason(asked.reason)) if asked.reason else None,
        "advice": ADVICE[Reason(asked.reason)] if asked.reason else "",
        "held": queries.is_held(asked.reason) if asked.reason else None,
        # What people of this reason are told most: stay out, join, or seen.
        "usual": _usual(asked.reason),
        "townships": townships,
        "insurances": [(name, Insurance(name).label) for name in Insurance.values if name in plan.insurances],
        "may_decide": may(user.role, "confirm_season") and plan.status != PlanStatus.CLOSED,
        "most": MOST,
        "whole_numbers": Detail.of_role(user.role).numbers,
    }
    return render(request, "seasons/confirm.html", context)


def _townships(user: User, plan: CollectionPlan, asked: queries.Asked) -> list[Township]:
    """The user's townships. 404 for a list narrowed to any other."""
    found = queries.townships_of(user, plan)
    if asked.township and asked.township not in {township.code for township in found}:
        raise Http404
    return found


def _usual(reason: str) -> str:
    if reason in CANDIDATES:
        return Decision.CARRY
    return Decision.LEAVE_OUT if reason in HELD else Decision.DONE


def _lines(rows: list[Confirmation]) -> list[dict[str, Any]]:
    units, groups = queries.names_for(rows)
    keys = get_keyring()
    return [
        {
            "row": row,
            "number": mask_number(keys.decrypt(row.resident.number_encrypted), Audience.OFFICE)[-2:]
            if row.resident.number_encrypted
            else "",
            "evidence": evidence(row, units=units, groups=groups),
            "last_tier": last_tier(row),
        }
        for row in rows
    ]


@login_required
@require_POST
def decide_many(request: HttpRequest, code: str) -> HttpResponse:
    """Say what becomes of the ticked people, or of everybody the list was narrowed to."""
    user = user_who_may(request, "confirm_season")
    plan, asked = plan_named(user, code), queries.asked_from(request.POST)
    rows = queries.confirmations(user, plan, asked)
    if request.POST.get("all") != "1":
        ticked = [int(pk) for pk in request.POST.getlist("line") if pk.isascii() and pk.isdigit()]
        rows = queries.confirmations(user, plan, queries.Asked(state="all")).filter(pk__in=ticked)
        if ticked and not rows.exists():
            raise Http404
    try:
        done = decide(by=user, plan=plan, chosen=rows, decision=request.POST.get("decision", ""))
    except CannotDecide as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("处理了 %(n)s 条。") % {"n": f"{done.lines:,}"})
        if done.kept:
            messages.warning(
                request,
                _("%(n)s 人没有动：已有应缴或缴费的请在居民页面处理，已迁走的由现在的镇街处理。")
                % {"n": f"{done.kept:,}"},
            )
    return redirect(f"{reverse('seasons:confirm', args=[plan.code])}?{urlencode(asked.query)}")


@login_required
@never_cache
@require_GET
def confirm_workbook(request: HttpRequest, code: str) -> HttpResponse:
    """The list as an official workbook, as narrowed on the page; taking it out is in the audit trail."""
    user = user_who_may(request, "read_confirmations")
    plan, asked = plan_named(user, code), queries.asked_from(request.GET)
    _townships(user, plan, asked)
    rows = queries.confirmations(user, plan, asked)
    if rows[MOST : MOST + 1].exists():
        messages.warning(
            request, _("超过 %(n)s 条，一次导不完，请先选一个镇街或一种原因。") % {"n": f"{MOST:,}"}
        )
        return redirect(f"{reverse('seasons:confirm', args=[plan.code])}?{urlencode(asked.query)}")
    detail = Detail.of_role(user.role)
    title = _("%(name)s%(year)s年度结转待确认名单") % {
        "name": plan.county.name, "year": plan.coverage_year,
    }  # fmt: skip
    buffer = io.BytesIO()
    watermark = f"{user.get_username()} {timezone.localtime():%Y-%m-%d %H:%M}"
    table = OfficialTable(
        TO_CONFIRM,
        _cells(queries.in_order(rows), detail),
        title,
        str(Reason(asked.reason).label) if asked.reason else "",
        business_date(plan.county.code),
        _("待确认"),
        page_note=watermark,
    )
    written = write_workbook(buffer, [table])[0]
    record(
        by=user, action="season.confirm_export", target_kind="plan", target=plan.code,
        county_code=plan.county.code,
        detail={"lines": written.lines, "reason": asked.reason, "whole_numbers": detail.numbers},
    )  # fmt: skip
    response = HttpResponse(buffer.getvalue(), content_type=XLSX)
    name = safe_name(f"{title}-{Reason(asked.reason).label}" if asked.reason else title)
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.xlsx")
    return response


def _cells(rows: Any, detail: Detail) -> Iterator[dict[str, object]]:
    keys = get_keyring()
    found = list(rows)
    units, groups = queries.names_for(found)
    insurances, decisions = dict(Insurance.choices), dict(Decision.choices)
    for row in found:
        person = row.resident
        number = keys.decrypt(person.number_encrypted) if person.number_encrypted else ""
        phone = keys.decrypt(person.phone_encrypted) if person.phone_encrypted else ""
        home = person.household
        yield {
            "township": row.township.name,
            "unit": row.unit.name,
            "group": home.group_name if home else "",
            "head": home.head_name if home else "",
            "name": person.name,
            "number": number if detail.numbers else mask_number(number, Audience.TABLET),
            "phone": phone if detail.phones else mask_phone(phone),
            "insurance": str(insurances[row.insurance]),
            "reason": str(Reason(row.reason).label),
            "evidence": evidence(row, units=units, groups=groups),
            "last_tier": last_tier(row),
            "carried": _("是") if row.carried else _("否"),
            "decision": str(decisions.get(row.decision, "")),
            "decided_at": timezone.localtime(row.decided_at).date() if row.decided_at else None,
        }
