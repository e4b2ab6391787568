"""Requests for government money: the board, one request with its papers and steps, the budget, who pays."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet, Sum
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from contributions.funding import papers
from contributions.funding.asking import chosen_plan, seen_townships
from contributions.funding.budget import budget_tables, read_budget, whole
from contributions.funding.payers import Payers, payer_rows, payers_of
from contributions.models import (
    PAID_OUT,
    FundingDifference,
    FundingLine,
    FundingRequest,
    FundingState,
    PayerLevel,
    PayerResolution,
)
from contributions.rules import FUNDING_STEPS, takes_step
from contributions.services.disbursement import KIND as DISBURSE_KIND
from contributions.services.disbursement import request_disbursement
from contributions.services.funding import KIND as MAKE_KIND
from contributions.services.funding import agency_kind, may_ask, request_making, take_step
from contributions.services.payers import resolve_payer
from contributions.services.settlement import Cause, preview_settlement, settle_request
from contributions.words import payer as payer_word
from enrollment.models import CollectionPlan, Insurance
from foundation.audit.services import record
from foundation.clock.services import business_date, offset
from foundation.http import Problem
from foundation.jobs.models import OPEN_STATES, Job
from foundation.jobs.views import job_context
from foundation.sheets import OfficialTable, write_workbook
from subsidies.queries import rule_book
from subsidies.rules.plan import Plan
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.access import user_who_may
from townships.models import AgencyKind, Township, User
from townships.rules import may

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PER_PAGE: Final = 60
NAMES_SHOWN: Final = 100
_OPEN: Final = (FundingState.DRAFT, FundingState.SUBMITTED, FundingState.RETURNED, FundingState.APPROVED)
STATE_CSS: Final = {
    FundingState.DRAFT: "", FundingState.SUBMITTED: "state--go", FundingState.RETURNED: "state--wrong",
    FundingState.APPROVED: "state--go", FundingState.DISBURSED: "state--done", FundingState.BILLED: "state--done",
    FundingState.SETTLED: "state--done", FundingState.WITHDRAWN: "",
}  # fmt: skip


def _plan(request: HttpRequest, user: User) -> tuple[CollectionPlan, Plan] | None:
    """The plan named or the newest, with its rules; None where there is none. Raises PlanError."""
    sent = request.POST if request.method == "POST" else request.GET
    plan = chosen_plan(user, sent.get("plan", ""))
    return (plan, rule_book(plan)) if plan is not None else None


def steps_of(user: User, request: FundingRequest) -> list[str]:
    """Steps the user may take now."""
    found = []
    for act, step in FUNDING_STEPS.items():
        if request.state not in step.leaves:
            continue
        if act == "join" and (not request.joint or request.joined_on is not None):
            continue
        if act in {"return", "withdraw"} and request.disbursed_on is not None:
            continue
        if takes_step(
            act, role=user.role, agency=agency_kind(user), applicant=request.applicant, joint=request.joint
        ):
            found.append(act)
    return found


@dataclass(frozen=True)
class Shown:
    """A request in a list: who pays in words, and what the user may do next."""

    request: FundingRequest
    payer: str
    css: str
    mine: bool


@login_required
@never_cache
@require_GET
def requests(request: HttpRequest) -> HttpResponse:
    """Requests by state; those that wait for the user first."""
    user = user_who_may(request, "read_funding")
    try:
        found = _plan(request, user)
    except PlanError as error:
        return render(request, "funding/empty.html", {"problem": describe(error)})
    if found is None:
        return render(request, "funding/empty.html", {})
    plan, book = found
    rows = FundingRequest.objects.visible_to(user).filter(plan=plan)
    totals = {
        each["state"]: each
        for each in rows.values("state").annotate(n=Count("pk"), people=Sum("heads"), amount=Sum("amount"))
    }
    state = request.GET.get("state", "")
    if state and state not in FundingState.values:
        raise Http404
    chosen = rows.filter(state=state) if state else rows.exclude(state=FundingState.WITHDRAWN)
    townships = seen_townships(user, plan)
    township = _township(townships, request.GET.get("township", ""))
    if township is not None:
        chosen = chosen.filter(township=township)
    page = request.GET.get("page", "1")
    number = int(page) if page.isdecimal() and 0 < int(page) < 10**5 else 1
    start = (number - 1) * PER_PAGE
    listed = list(
        chosen.select_related("plan", "township").order_by("state", "-serial")[start : start + PER_PAGE + 1]
    )
    payers = Payers(plan, book)
    shown = [_shown(user, each, payers) for each in listed[:PER_PAGE]]
    order = list(FundingState.values)
    shown.sort(key=lambda each: (not each.mine, order.index(each.request.state), -each.request.serial))
    query = {"plan": plan.code} | ({"township": township.code} if township else {})
    context: dict[str, Any] = {
        "plan": plan,
        "rows": shown,
        "states": [
            (each, totals[each]["n"], totals[each]["people"], totals[each]["amount"])
            for each in FundingState
            if each in totals
        ],
        "state": state,
        "townships": townships if len(townships) > 1 else [],
        "township": township,
        "may_make": may_ask(user, plan, book),
        "query": urlencode(query),
        "before": number - 1 if number > 1 else None,
        "after": number + 1 if len(listed) > PER_PAGE else None,
        "page": number,
        "page_query": urlencode(query | ({"state": state} if state else {})),
        **_job(user, MAKE_KIND, {"plan": plan.pk}),
    }
    return render(request, "funding/requests.html", context)


def _township(townships: list[Township], code: str) -> Township | None:
    if not code:
        return None
    found = next((each for each in townships if each.code == code), None)
    if found is None:
        raise Http404
    return found


def _shown(user: User, row: FundingRequest, payers: Payers) -> Shown:
    mine = [act for act in steps_of(user, row) if act not in {"withdraw", "return", "settle"}]
    return Shown(
        row,
        row.payer_name or payers.named(row.payer, row.township_id, "").name,
        STATE_CSS[FundingState(row.state)],
        bool(mine),
    )


def _job(user: User, kind: str, params: dict[str, Any]) -> dict[str, Any]:
    """The newest job of a kind while it runs, or when it failed."""
    wanted = {f"params__{key}": value for key, value in params.items()}
    job = Job.objects.visible_to(user).filter(kind=kind, **wanted).order_by("-created_at").first()
    if job is None or job.state not in {*OPEN_STATES, "failed"}:
        return {"job": None}
    return job_context(job, here=job.state in OPEN_STATES)


@login_required
@require_POST
def make(request: HttpRequest) -> HttpResponse:
    """Queue the making of requests for the user's departments."""
    user = user_who_may(request, "ask_funding")
    try:
        found = _plan(request, user)
    except PlanError:
        raise Http404 from None
    if found is None:
        raise Http404
    request_making(by=user, plan=found[0])
    return redirect(f"{reverse('funding:requests')}?{urlencode({'plan': found[0].code})}")


def _request(user: User, pk: int) -> FundingRequest:
    """A request of the user's places and department; anybody else's is not there."""
    rows: QuerySet[FundingRequest] = FundingRequest.objects.visible_to(user)
    found = rows.select_related("plan__county", "township").filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


@login_required
@never_cache
@require_GET
def request_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One request: who pays for whom, by which clause, how far it has come, its papers, and what may be done now."""
    user = user_who_may(request, "read_funding")
    row = _request(user, pk)
    book = rule_book(row.plan)
    lines = FundingLine.objects.visible_to(user).filter(request=row)
    rules = []
    for each in lines.values("rule", "amount").annotate(n=Count("pk")).order_by("rule", "-amount"):
        rule = book.rule(each["rule"])
        rules.append(
            {
                "name": rule.name if rule is not None and rule.name else each["rule"],
                "clause": rule.clause.text if rule is not None else "",
                "lines": rule.clause.lines.lstrip("L") if rule is not None else "",
                "people": each["n"],
                "each": each["amount"],
                "sum": each["amount"] * each["n"],
            }
        )
    units = (
        lines.values("unit__name", "unit__position")
        .annotate(people=Count("pk"), amount=Sum("amount"))
        .order_by("unit__position", "unit__name")
    )
    acts = steps_of(user, row)
    named = payers_of(row, book)
    paid = lines.filter(payment_lines__isnull=False).count() if row.disbursed_on is not None else 0
    context: dict[str, Any] = {
        "row": row,
        "payer": "、".join(sorted(who.name for who in named)),
        "account": "、".join(sorted({who.account for who in named if who.account})),
        "open_payer": any(who.open for who in named),
        "css": STATE_CSS[FundingState(row.state)],
        "insurance": Insurance(row.insurance).label,
        "department": row.department_name or AgencyKind(row.department).label,
        "applicant": papers.office_name(row, row.applicant),
        "joint": papers.office_name(row, row.joint) if row.joint else "",
        "rules": rules,
        "units": units,
        "steps": row.steps.select_related("by").order_by("pk"),
        "way": _way(row),
        "acts": acts,
        "paid": paid,
        "today": business_date(row.plan.county.code),
        "may_resolve": may(user.role, "pay_funding"),
        "preview": _preview(row) if "settle" in acts else [],
        "differences": _differences(row),
        **_job(user, DISBURSE_KIND, {"request": row.pk}),
    }
    return render(request, "funding/request.html", context)


def _way(row: FundingRequest) -> list[tuple[str, bool]]:
    """The states a request goes through, and whether it has reached them."""
    order = [
        FundingState.DRAFT, FundingState.SUBMITTED, FundingState.APPROVED, FundingState.DISBURSED,
        FundingState.BILLED, FundingState.SETTLED,
    ]  # fmt: skip
    state = FundingState(row.state)
    reached = order.index(state) if state in order else 0
    return [(str(each.label), index <= reached) for index, each in enumerate(order)]


def _preview(row: FundingRequest) -> list[dict[str, Any]]:
    return [
        {"cause": Cause(cause).label, "people": people, "amount": amount}
        for cause, people, amount in preview_settlement(row)
    ]


def _differences(row: FundingRequest) -> dict[str, Any] | None:
    if row.state != FundingState.SETTLED:
        return None
    found = FundingDifference.objects.filter(line__request=row)
    groups = found.values("cause").annotate(people=Count("pk"), amount=Sum("difference")).order_by("cause")
    total = sum((each["amount"] for each in groups), Decimal("0.00"))
    return {
        "groups": [
            {"cause": Cause(each["cause"]).label, "people": each["people"], "amount": each["amount"]}
            for each in groups
        ],
        "total": total,
        "actual": row.amount + total,
        "heads": row.heads - sum(each["people"] for each in groups if each["cause"] != Cause.CHANGED),
    }


DONE: Final = {
    "submit": gettext_noop("已报送。"),
    "join": gettext_noop("已会签。"),
    "approve": gettext_noop("已审批，可以拨付。"),
    "return": gettext_noop("已退回，原因已写在申请上。"),
    "withdraw": gettext_noop("已撤回，这些人可以重新申请。"),
    "bill": gettext_noop("特殊缴费单据已登记。"),
    "settle": gettext_noop("已按实际人数结算。"),
}


@login_required
@require_POST
def step(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one step of a request."""
    user = user_who_may(request, "read_funding")
    _request(user, pk)
    act = request.POST.get("act", "")
    if act not in FUNDING_STEPS:
        raise Http404
    try:
        if act == "disburse":
            _disburse(request, user, pk)
        elif act == "settle":
            settle_request(by=user, request=pk)
            messages.success(request, _(DONE[act]))
        else:
            take_step(
                by=user,
                request=pk,
                act=act,
                reason=request.POST.get("reason", ""),
                bill=request.POST.get("bill", ""),
            )
            messages.success(request, _(DONE[act]))
    except Problem as problem:
        if problem.status_code == 404:
            raise Http404 from None
        messages.error(request, problem.message)
    return redirect("funding:request", pk)


def _disburse(request: HttpRequest, user: User, pk: int) -> None:
    try:
        on = date.fromisoformat(request.POST.get("on", ""))
    except ValueError:
        raise Problem(400, "bad_day", _("请填写拨付日期。")) from None
    request_disbursement(by=user, request=pk, on=on, voucher=request.POST.get("voucher", ""))
    messages.success(request, _("正在记入每个人的代缴款，做完后状态变为“已拨付”。"))


# papers


def _take_out(user: User, row: FundingRequest, paper: str, **detail: Any) -> None:
    record(
        by=user, action="export.funding", target_kind="funding_request", target=row.pk,
        county_code=row.plan.county.code, township_code=row.township.code, detail={"paper": paper, **detail},
    )  # fmt: skip


def _pdf(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(False, name) or ""
    return response


@login_required
@never_cache
@require_GET
def letter_pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """The letter that asks for the money."""
    user = user_who_may(request, "read_funding")
    row = _request(user, pk)
    # An official paper is Chinese, whatever language the screen speaks.
    with translation.override(settings.LANGUAGE_CODE):
        content = papers.request_letter(row)
    _take_out(user, row, "letter")
    return _pdf(content, f"{row.number}.pdf")


@login_required
@never_cache
@require_GET
def bill_paper(request: HttpRequest, pk: int) -> HttpResponse:
    """The special payment bill, once the money is there."""
    user = user_who_may(request, "read_funding")
    row = _request(user, pk)
    if row.state not in PAID_OUT:
        raise Http404
    with translation.override(settings.LANGUAGE_CODE):
        content = papers.bill_pdf(row)
    _take_out(user, row, "bill")
    return _pdf(content, f"{row.number}-bill.pdf")


@login_required
@never_cache
@require_GET
def names_paper(request: HttpRequest, pk: int) -> HttpResponse:
    """The people of a request as a paper to sign and seal."""
    user = user_who_may(request, "read_funding")
    row = _request(user, pk)
    numbers = may(user.role, "read_list_numbers")
    with translation.override(settings.LANGUAGE_CODE):
        content = papers.names_pdf(row, whole_numbers=numbers)
    _take_out(user, row, "names", rows=row.heads, whole_numbers=numbers)
    return _pdf(content, f"{row.number}-names.pdf")


@login_required
@never_cache
@require_GET
def names_workbook(request: HttpRequest, pk: int) -> FileResponse:
    """The people of a request as a workbook."""
    user = user_who_may(request, "read_funding")
    row = _request(user, pk)
    numbers = may(user.role, "read_list_numbers")
    with translation.override(settings.LANGUAGE_CODE):
        answer = _workbook([papers.name_table(row, whole_numbers=numbers)], f"{row.number}-names.xlsx")
    _take_out(user, row, "names", rows=row.heads, whole_numbers=numbers)
    return answer


@login_required
@never_cache
@require_GET
def settlement_workbook(request: HttpRequest, pk: int) -> FileResponse:
    """The settlement sheet of a closed request."""
    user = user_who_may(request, "read_funding")
    row = _request(user, pk)
    if row.state != FundingState.SETTLED:
        raise Http404
    numbers = may(user.role, "read_list_numbers")
    with translation.override(settings.LANGUAGE_CODE):
        answer = _workbook(
            [papers.settlement_table(row, whole_numbers=numbers)], f"{row.number}-settlement.xlsx"
        )
    _take_out(user, row, "settlement", whole_numbers=numbers)
    return answer


def _workbook(tables: list[OfficialTable], name: str) -> FileResponse:
    with tempfile.TemporaryDirectory(prefix="funding-") as folder:
        out = Path(folder) / "book.xlsx"
        write_workbook(out, tables)
        file = out.open("rb")
    return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX)


# budget and payers


@login_required
@never_cache
@require_GET
def budget(request: HttpRequest) -> HttpResponse:
    """What each level of government owes, has been asked for and has paid."""
    user = user_who_may(request, "read_funding")
    if user.role == "department":
        raise PermissionDenied  # its own people's sums stand on its requests
    try:
        found = _plan(request, user)
    except PlanError as error:
        return render(request, "funding/empty.html", {"problem": describe(error)})
    if found is None:
        return render(request, "funding/empty.html", {})
    plan, book = found
    townships = seen_townships(user, plan)
    blocks = read_budget(user, plan, book, townships)
    names = {township.pk: township.name for township in townships}
    context = {
        "plan": plan,
        "blocks": blocks,
        "total": whole(blocks),
        "detail": [
            (
                line,
                [
                    (names[pk], sums)
                    for pk, sums in sorted(line.townships.items(), key=lambda item: -item[1].owed)
                ],
            )
            for block in blocks
            for line in block.lines
        ],
    }
    return render(request, "funding/budget.html", context)


@login_required
@never_cache
@require_GET
def budget_workbook(request: HttpRequest) -> HttpResponse:
    """The budget as an official workbook."""
    user = user_who_may(request, "read_funding")
    if user.role == "department":
        raise PermissionDenied
    try:
        found = _plan(request, user)
    except PlanError:
        raise Http404 from None
    if found is None:
        raise Http404
    plan, book = found
    townships = seen_townships(user, plan)
    file = io.BytesIO()
    with translation.override(settings.LANGUAGE_CODE):
        blocks = read_budget(user, plan, book, townships)
        write_workbook(file, budget_tables(plan, blocks, townships, business_date(plan.county.code)))
    record(
        by=user, action="export.funding_budget", target_kind="plan", target=plan.code,
        county_code=plan.county.code,
    )  # fmt: skip
    name = _("%(plan)s代缴资金预算表.xlsx") % {"plan": plan.code}
    return HttpResponse(
        file.getvalue(),
        content_type=XLSX,
        headers={"Content-Disposition": content_disposition_header(True, name) or ""},
    )


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def payers(request: HttpRequest) -> HttpResponse:
    """Who pays: the payers a plan leaves unnamed stay open until a finance clerk says who they are."""
    user = user_who_may(request, "read_funding")
    if user.role == "department":
        raise PermissionDenied
    try:
        found = _plan(request, user)
    except PlanError as error:
        return render(request, "funding/empty.html", {"problem": describe(error)})
    if found is None:
        return render(request, "funding/empty.html", {})
    plan, book = found
    townships = seen_townships(user, plan)
    sent = {}
    if request.method == "POST":
        user_who_may(request, "pay_funding")
        township = _township(townships, request.POST.get("township", ""))
        try:
            made = resolve_payer(
                by=user, plan=plan, payer=request.POST.get("payer", ""), level=request.POST.get("level", ""),
                name=request.POST.get("name", ""), account=request.POST.get("account", ""),
                basis=request.POST.get("basis", ""), township=township, rule=request.POST.get("rule", ""),
            )  # fmt: skip
        except Problem as problem:
            messages.error(request, problem.message)
            sent = {
                key: str(request.POST.get(key, ""))
                for key in ("payer", "rule", "level", "name", "account", "basis", "township")
            }
        else:
            messages.success(request, _("已指定由“%(name)s”付款。") % {"name": made.name})
            return redirect(f"{reverse('funding:payers')}?{urlencode({'plan': plan.code})}")
    rows = payer_rows(user, plan, book, townships)
    shift = offset(plan.county.code)  # moments are real; the county's own day stands on the page
    context = {
        "plan": plan,
        "rows": rows,
        "open": [row for row in rows if row.open],
        "townships": townships,
        "levels": PayerLevel.choices,
        "codes": list(dict.fromkeys((row.payer, row.printed) for row in rows)),
        "rules": list(dict.fromkeys((row.rule, row.rule_name) for row in rows)),
        "history": [
            (each, payer_word(each.payer, dict(book.payers)), _rule_name(book, each.rule), each.at + shift)
            for each in PayerResolution.objects.filter(plan__code=plan.code)
            .select_related("township", "by")
            .order_by("-pk")[:60]
        ],
        "may_resolve": may(user.role, "pay_funding"),
        "sent": sent,
        "clauses": [
            (payer_word(each.payer, dict(book.payers)), each.clause.text, each.clause.lines.lstrip("L"))
            for each in book.open_payers
        ],
    }
    return render(request, "funding/payers.html", context)


def _rule_name(book: Plan, code: str) -> str:
    rule = book.rule(code) if code else None
    return rule.name if rule is not None and rule.name else code
