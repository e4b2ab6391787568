"""Government-paid people and money in the demonstration: marks on their way, requests in every state, a sponsor."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any, Final

from django.db.models import Q

from contributions.funding.payers import Payers
from contributions.models import Charge, FundingLine, FundingRequest, PayerLevel, SponsorKind
from contributions.services.disbursement import request_disbursement
from contributions.services.funding import make_requests, own_offices, take_step
from contributions.services.payers import resolve_payer
from contributions.services.sponsors import add_sponsor, pay_pledges, pledge
from enrollment.models import CollectionPlan, MarkState, Membership
from enrollment.services.marks import advance_marks
from foundation.jobs.services.queue import follow
from foundation.scope.context import scope
from subsidies.queries import rule_book
from townships.models import Agency, AgencyKind, CollectingUnit, Role, Township, User
from townships.services.accounts import create_account, new_password

MADE_ON, PAID_ON = date(2022, 11, 10), date(2022, 11, 24)
# How far the requests of each township have come, in the order of the townships; those behind stay drafts.
FAR: Final = ("billed", "disbursed", "approved", "joined", "submitted", "returned")
_DEPARTMENTS: Final = (
    AgencyKind.DISABLED_FEDERATION, AgencyKind.HEALTH, AgencyKind.RURAL_REVIVAL, AgencyKind.VETERANS,
)  # fmt: skip


def departments(plan: CollectionPlan) -> list[User]:
    """An account for every department that certifies; the door's own is that of civil affairs."""
    found = [User.objects.get(username=Role.DEPARTMENT.value)]
    for kind in _DEPARTMENTS:
        agency = Agency.objects.filter(county=plan.county, kind=kind, township=None).first()
        if agency is not None:
            found.append(
                create_account(
                    by=None, username=f"department_{kind.value}", role=Role.DEPARTMENT.value, county=plan.county,
                    password=new_password(), display_name=agency.name, agency=agency,
                )
            )  # fmt: skip
    return found


def move_marks(plan: CollectionPlan) -> int:
    """Marks as they stand at the end of November: most townships are through, some wait for an office."""
    townships = list(Township.objects.filter(county=plan.county).order_by("position", "code"))
    posts = [
        (MarkState.VERIFIED, Role.TOWNSHIP_CLERK, 8),
        (MarkState.MARKED, Role.MEDICAL_BUREAU, 7),
        (MarkState.SYNCED, Role.TAX_BUREAU, 5),
    ]
    moved = 0
    for state, role, count in posts:
        for township in townships[:count]:
            user = _clerk(township) if role == Role.TOWNSHIP_CLERK else User.objects.get(username=role.value)
            with scope(user):
                ids = Membership.objects.visible_to(user).filter(township=township)
                # One in twelve is left where it was: a village that has not answered.
                chosen = [
                    pk for pk in ids.values_list("pk", flat=True) if pk % 12 or role != Role.TOWNSHIP_CLERK
                ]
                moved += advance_marks(by=user, memberships=chosen, to=state)
    return moved


def _clerk(township: Township) -> User:
    """The clerk of a township: the demonstration's own, else one made for it."""
    known = User.objects.filter(role=Role.TOWNSHIP_CLERK, townships=township).order_by("pk").first()
    if known is not None:
        return known
    return create_account(
        by=None, username=f"clerk_{township.code[:9]}", role=Role.TOWNSHIP_CLERK.value, county=township.county,
        password=new_password(), display_name=f"{township.name}医保办", townships=[township],
    )  # fmt: skip


def fund(plan: CollectionPlan, report: Any) -> dict[str, Any]:
    """Payers named where the plan leaves them open, requests made by the departments and taken on their way."""
    book = rule_book(plan)
    finance, tax = (User.objects.get(username=role.value) for role in (Role.FINANCE_BUREAU, Role.TAX_BUREAU))
    medical = User.objects.get(username=Role.MEDICAL_BUREAU.value)
    makers = [
        user
        for user in departments(plan)
        if own_offices(user, book, "medical") or own_offices(user, book, "pension")
    ]
    with scope(finance):
        # The pension's “政府” stays open, so that the page shows what a clerk has to do.
        resolve_payer(
            by=finance, plan=plan, payer="government_or_department", level=PayerLevel.COUNTY,
            name=f"{plan.county.name}财政局", account="370406000001", basis="区政府常务会议纪要〔2022〕第18号",
        )  # fmt: skip
    townships = list(Township.objects.filter(county=plan.county).order_by("position", "code"))
    requests: list[FundingRequest] = []
    for number, township in enumerate(townships, start=1):
        for user in makers:
            with scope(user):
                requests += make_requests(by=user, plan=plan, township=township, on=MADE_ON)
        report(number, len(townships), "requests")
    far = dict(zip([township.pk for township in townships], FAR, strict=False))
    by_kind = {user.agency.kind: user for user in makers if user.agency is not None}
    for request in requests:
        reached = far.get(request.township_id)
        if reached is not None and _named(finance, plan, request):
            _take(request, reached, by_kind[request.applicant], tax, finance, medical)
    states = FundingRequest.objects.filter(plan=plan).values_list("state", flat=True)
    return {
        "requests": len(requests),
        "people": sum(request.heads for request in requests),
        "amount": f"{sum(request.amount for request in requests):.2f}",
        "states": {state: list(states).count(state) for state in sorted(set(states))},
    }


def _named(finance: User, plan: CollectionPlan, request: FundingRequest) -> bool:
    """Whether everybody who would pay is named."""
    payers = Payers(plan, rule_book(plan))
    with scope(finance):
        rules = list(FundingLine.objects.filter(request=request).values_list("rule", flat=True).distinct())
    return not any(payers.named(request.payer, request.township_id, rule).open for rule in rules)


def _take(
    request: FundingRequest, reached: str, applicant: User, tax: User, finance: User, medical: User
) -> None:
    def go(user: User, act: str, **values: str) -> None:
        with scope(user):
            take_step(by=user, request=request.pk, act=act, **values)

    go(applicant, "submit")
    if reached == "returned":
        go(finance, "return", reason="有两人已在外地参保，请核对名单后重报")
        return
    if reached == "submitted":
        return
    go(tax, "join")
    if reached == "joined":
        return
    go(finance, "approve")
    if reached == "approved":
        return
    with scope(finance):
        job = request_disbursement(
            by=finance, request=request.pk, on=PAID_ON, voucher=f"CZ{request.serial:06d}"
        )
    follow(job, report=lambda _job: None, own_hands_after=1.0)
    if reached == "billed":
        go(medical, "bill", bill=f"TS2023{request.serial:05d}")


def sponsor(plan: CollectionPlan, unit: CollectingUnit) -> str:
    """The agent's village pays for four people who have not paid yet, and has paid half of it."""
    clerk = _clerk(unit.township)
    with scope(clerk):
        made = add_sponsor(
            by=clerk, unit=unit, name=f"{unit.name}股份经济合作社", kind=SponsorKind.COLLECTIVE
        )
        paid = Q(registration__payment_lines__isnull=False)
        charges = (
            Charge.objects.visible_to(clerk)
            .filter(plan=plan, unit=unit, current=True, decision="accept", personal_amount__gt=0)
            .exclude(paid)
            .order_by("pk")
        )
        ids = list(charges.values_list("registration_id", flat=True)[:4])
        if not ids:
            return "nobody to sponsor"
        pledge(by=clerk, sponsor=made.pk, wanted=[(pk, None) for pk in ids[:2]])
        pay_pledges(by=clerk, sponsor=made.pk, client_uuid=uuid.uuid5(uuid.NAMESPACE_OID, unit.code))
        if ids[2:]:
            pledge(by=clerk, sponsor=made.pk, wanted=[(pk, None) for pk in ids[2:]])
    return f"{len(ids)} people sponsored"
