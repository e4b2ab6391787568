"""Requests for government money: made from current charges' shares, then taken step by step (``rules.FUNDING_STEPS``).

Making: for every township, every department's people with a share that stands in no live request become the lines of a
request, one for each payer, list and insurance. A person's share of a payer stands in one live request at most, by
constraint. Sums are written with the lines and never changed; withdrawing sets the lines free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.funding.payers import Payers, payers_of
from contributions.funding.standing import Asked, Office, offices_of, taken_sql
from contributions.models import FigureRebuild, FundingLine, FundingRequest, FundingState, FundingStep
from contributions.rules import FUNDING_STEPS, post_acts_for, takes_step
from enrollment.models import CollectionPlan
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.http import Problem
from foundation.jobs.kinds import Chunk, JobFailed, JobKind
from foundation.jobs.models import Job
from foundation.jobs.services import queue
from subsidies.queries import rule_book
from subsidies.rules.claims import claims
from subsidies.rules.parse_lists import SUPPLIER
from subsidies.rules.plan import Plan
from townships.models import Township, User
from townships.rules import may

KIND: Final = "funding_requests"
# The bureau that keeps an insurance applies where the plan does not say who does.
KEEPERS: Final = {"medical": "medical", "pension": "hr"}
_SERIAL_LOCK: Final = 0x4A5A_4652


@dataclass(frozen=True)
class Applicant:
    """Who applies for a department's people and with whom."""

    agency: str
    joint: str


def applicant_of(office: Office, insurance: str) -> Applicant:
    """As the plan's list says; the keeper of the insurance where no list does."""
    application = office.list.application if office.list is not None else None
    if application is None:
        return Applicant(KEEPERS[insurance], "")
    by = office.agency if application.by == SUPPLIER else application.by
    return Applicant(by, next(iter(application.joined), ""))


def agency_kind(user: User) -> str:
    """The kind of somebody's office."""
    return user.agency.kind if user.agency is not None else ""


def own_offices(user: User, book: Plan, insurance: str) -> list[Office]:
    """Departments for whose people the user may apply."""
    return [
        office
        for office in offices_of(book)
        if post_acts_for(user.role, agency_kind(user), applicant_of(office, insurance).agency)
    ]


def may_ask(user: User, plan: CollectionPlan, book: Plan) -> bool:
    """Whether the user applies for any of the plan's people."""
    return may(user.role, "ask_funding") and any(
        own_offices(user, book, insurance) for insurance in plan.insurances
    )


def request_making(*, by: User, plan: CollectionPlan) -> Job:
    """Queue the making of requests for the user's departments and places; the open job is joined.

    Raises PermissionDenied for a post that applies for nobody under this plan.
    """
    if plan.county_id != by.county_id or not may_ask(by, plan, rule_book(plan)):
        raise PermissionDenied
    return queue.submit(
        by=by,
        kind=KIND,
        county_code=plan.county.code,
        params={"plan": plan.pk, "on": business_date(plan.county.code).isoformat()},
        key=f"{plan.pk}:{by.role}:{agency_kind(by)}",
    )


def _plan_of(job: Job) -> CollectionPlan:
    found = CollectionPlan.objects.select_related("county").filter(pk=job.params["plan"]).first()
    if found is None:
        raise JobFailed(_("方案已经不在了。"))
    return found


def _plan(job: Job) -> Sequence[Chunk]:
    ids = Township.objects.filter(pk__in=job.places.get("townships", [])).order_by("position", "code")
    return [Chunk({"township": pk}) for pk in ids.values_list("pk", flat=True)]


def _work(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    assert isinstance(job.requested_by, User)
    made = make_requests(
        by=job.requested_by,
        plan=_plan_of(job),
        township=Township.objects.get(pk=spec["township"]),
        on=date.fromisoformat(job.params["on"]),
    )
    return {
        "requests": len(made),
        "people": sum(request.heads for request in made),
        "amount": str(sum((request.amount for request in made), Decimal("0.00"))),
    }


def _finish(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "requests": sum(result["requests"] for result in results),
        "people": sum(result["people"] for result in results),
        "amount": str(sum((Decimal(result["amount"]) for result in results), Decimal("0.00"))),
    }


MAKE: Final = JobKind(KIND, gettext_lazy("生成拨付申请"), _plan, _work, _finish)  # type: ignore[arg-type]


_DRAFT: Final = """
    CREATE TEMPORARY TABLE funding_draft ON COMMIT DROP AS
    WITH {taken}
    SELECT j.registration_id, c.township_id, c.unit_id, c.id AS charge_id, c.kind, c.for_year, s.payer, s.rule,
           s.amount, (%(office_of)s::int[])[j.taken] AS office
    FROM judged j
    JOIN contributions_charge c ON c.registration_id = j.registration_id AND c.current
    JOIN contributions_chargeshare s ON s.charge_id = c.id
    WHERE c.plan_id = %(plan)s AND c.insurance = %(insurance)s AND c.decision = 'accept'
      AND c.township_id = ANY (%(townships)s) AND j.how <> 'dead'
      AND (%(office_of)s::int[])[j.taken] = ANY (%(own)s)
      AND NOT EXISTS (
        SELECT FROM contributions_fundingline f
        WHERE f.registration_id = j.registration_id AND f.payer = s.payer AND f.charge_kind = c.kind
          AND f.for_year = c.for_year AND f.live)
"""
_LINES: Final = """
    INSERT INTO contributions_fundingline (request_id, township_id, unit_id, registration_id, charge_id, payer, rule,
        charge_kind, for_year, amount, live)
    SELECT %(request)s, township_id, unit_id, registration_id, charge_id, payer, rule, kind, for_year, amount, true
    FROM funding_draft WHERE office = %(office)s AND payer = %(payer)s AND rule = ANY (%(rules)s)
    ORDER BY unit_id, registration_id
"""


@transaction.atomic
def make_requests(*, by: User, plan: CollectionPlan, township: Township, on: date) -> list[FundingRequest]:
    """Draft requests for a township's people of the user's departments; none where everything is asked for already.

    Rules whose unnamed payer was resolved differently go into requests of their own. Who died is not asked for.
    """
    book = rule_book(plan)
    payers = Payers(plan, book)
    made: list[FundingRequest] = []
    with connection.cursor() as cursor:
        # One at a time under a plan: serials follow each other, and no share is drafted twice.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_SERIAL_LOCK, plan.pk])
    for insurance in plan.insurances:
        offices = own_offices(by, book, insurance)
        if not offices or not claims(book, insurance):
            continue
        asked = Asked(plan, book, insurance, (township.pk,), on, offices=offices_of(book))
        sql, values = taken_sql(asked)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS pg_temp.funding_draft")
            cursor.execute(_DRAFT.format(taken=sql), values | {"own": [office.index for office in offices]})
            cursor.execute(
                "SELECT office, payer, rule, count(*), sum(amount) FROM funding_draft GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
            )
            found = cursor.fetchall()
        grouped: dict[tuple[int, str, str, str], list[tuple[str, int, Decimal]]] = {}
        for office, payer, rule, heads, amount in found:
            who = payers.named(payer, township.pk, rule)
            key = (office, payer, "" if who.open else who.name, who.account)
            grouped.setdefault(key, []).append((rule, heads, amount))
        by_index = {office.index: office for office in offices}
        for (office, payer, _name, _account), rules in grouped.items():
            made.append(_write(by, plan, township, insurance, by_index[office], payer, rules, on))
    return made


def _write(
    by: User,
    plan: CollectionPlan,
    township: Township,
    insurance: str,
    office: Office,
    payer: str,
    rules: Sequence[tuple[str, int, Decimal]],
    on: date,
) -> FundingRequest:
    applicant = applicant_of(office, insurance)
    newest = FundingRequest.objects.filter(plan=plan).aggregate(n=Max("serial"))["n"] or 0
    request = FundingRequest.objects.create(
        plan=plan, township=township, insurance=insurance, payer=payer, serial=newest + 1, made_on=on,
        list_code=office.list.code if office.list is not None else "",
        list_name=office.list.name if office.list is not None else "",
        list_kind=office.list.kind if office.list is not None else "",
        department=office.agency or applicant.agency,
        department_name=office.supplier.name if office.supplier is not None else "",
        applicant=applicant.agency, joint=applicant.joint,
        heads=sum(heads for _rule, heads, _amount in rules),
        amount=sum((amount for _rule, _heads, amount in rules), Decimal("0.00")),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            _LINES,
            {
                "request": request.pk, "office": office.index, "payer": payer,
                "rules": [rule for rule, _heads, _amount in rules],
            },
        )  # fmt: skip
    _step(request, "make", by, on, "")
    return request


def _step(request: FundingRequest, act: str, by: User | None, on: date, note: str) -> None:
    FundingStep.objects.create(
        request=request, act=act, to_state=request.state, by=by, on=on, note=note[:200]
    )
    record(
        by=by, action=f"funding.{act}", target_kind="funding_request", target=request.pk,
        county_code=request.plan.county.code, township_code=request.township.code,
        detail={"state": request.state, "heads": request.heads, "amount": request.amount},
    )  # fmt: skip


def locked_request(by: User, pk: int) -> FundingRequest:
    """A request the user sees, locked. Raises Problem 404 for any other."""
    found = (
        FundingRequest.objects.visible_to(by)
        .select_related("plan__county", "township")
        .select_for_update(of=("self",))
        .filter(pk=pk)
        .first()
    )
    if found is None:
        raise Problem(404, "not_found", _("没有找到这份申请，或者不在您的管辖范围内。"))
    return found


def check_step(by: User, request: FundingRequest, act: str) -> None:
    """Raises PermissionDenied for another's step, Problem 409 for one that does not follow the state."""
    allowed = takes_step(
        act, role=by.role, agency=agency_kind(by), applicant=request.applicant, joint=request.joint
    )
    if not allowed:
        raise PermissionDenied
    if request.state not in FUNDING_STEPS[act].leaves:
        raise Problem(
            409,
            "wrong_state",
            _("这份申请现在是“%(state)s”，不能这样办。请刷新后再看。")
            % {"state": request.get_state_display()},
        )
    if act in {"return", "withdraw"} and request.disbursed_on is not None:
        raise Problem(409, "being_paid", _("这份申请正在拨付，不能再退回或撤回。"))


@transaction.atomic
def take_step(*, by: User, request: int, act: str, reason: str = "", bill: str = "") -> FundingRequest:
    """Submit, join, approve, return, withdraw or bill a request; disbursing and settling have services of their own.

    Raises PermissionDenied for another's step, Problem 404, 409 for a step that does not follow, 400 for a return
    without a reason or a bill without a number.
    """
    row = locked_request(by, request)
    check_step(by, row, act)
    today = business_date(row.plan.county.code)
    note = ""
    match act:
        case "submit":
            _name_payer(row)
            row.reason, row.joined_on = "", None
        case "join":
            if row.joined_on is not None:
                raise Problem(409, "joined", _("已经会签过了。"))
            row.joined_on = today
        case "approve":
            if row.joint and row.joined_on is None:
                raise Problem(409, "not_joined", _("方案规定要会同申请，还没有会签，不能审批。"))
        case "return":
            if len(reason.strip()) < 2:
                raise Problem(400, "no_reason", _("请写明退回的原因。"))
            row.reason = note = reason.strip()[:200]
            row.joined_on = None
        case "withdraw":
            FundingLine.objects.filter(request=row).update(live=False)
        case "bill":
            if not bill.strip():
                raise Problem(400, "no_bill", _("请填写推送给税务的特殊缴费单据号。"))
            row.bill = note = bill.strip()[:40]
            row.billed_on = today
            FigureRebuild.objects.create(plan=row.plan)
        case _:
            raise Problem(400, "unknown_act", _("没有这一步。"))
    row.state = FUNDING_STEPS[act].reaches
    row.save()
    _step(row, act, by, today, note)
    return row


def _name_payer(row: FundingRequest) -> None:
    """Take down who pays; a payer the plan leaves open has to be named first (X13)."""
    row.payer_name = row.account = ""  # a returned request may be paid by somebody else by now
    named = payers_of(row, rule_book(row.plan))
    if any(who.open for who in named):
        raise Problem(
            409,
            "open_payer",
            _("方案只写“%(payer)s”，还没有指定由谁付款。请财政局先在“付款方”里指定，再报送。")
            % {"payer": next(iter(named)).name},
        )
    if len(named) > 1:
        raise Problem(409, "two_payers", _("这份申请里的人由不同的单位付款，请撤回后重新生成，会分成几份。"))
    who = named.pop()
    row.payer_name, row.account = who.name, who.account


@transaction.atomic
def finish_step(*, by: User | None, request: FundingRequest, act: str, on: date, note: str = "") -> None:
    """Write down a step that a service of its own has carried out."""
    request.state = FundingState(FUNDING_STEPS[act].reaches)
    request.save(update_fields=["state"])
    _step(request, act, by, on, note)
