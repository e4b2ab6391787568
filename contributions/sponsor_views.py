"""Sponsors and their pledges: who takes over a resident's own part, what is promised, what is paid."""

from __future__ import annotations

import uuid
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from contributions.funding.asking import chosen_plan
from contributions.models import Charge, Means, Payment, PaymentLine, Pledge, Sponsor, SponsorKind
from contributions.queries import NOT_SPONSORED, paid_by_registration, sponsored_by_registration
from contributions.services.sponsors import add_sponsor, pay_pledges, pledge, withdraw_pledge
from enrollment.models import CollectionPlan, Insurance, Resident
from enrollment.queries import search_condition
from foundation.http import Problem
from subsidies.queries import rule_book
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.access import user_who_may
from townships.models import CollectingUnit, User
from townships.rules import may

ZERO: Final = Decimal("0.00")
FOUND: Final = 60


def _units(user: User) -> list[CollectingUnit]:
    return list(
        CollectingUnit.objects.visible_to(user)
        .select_related("township")
        .order_by("township__position", "position", "code")
    )


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def sponsors(request: HttpRequest) -> HttpResponse:
    """Sponsors of the user's places with what they promised and paid; a form for a new one."""
    user = user_who_may(request, "read_sponsors")
    try:
        plan = chosen_plan(user, request.GET.get("plan", ""))
        enabled = plan is not None and rule_book(plan).settings.flag("sponsor.enabled")
    except PlanError as error:
        return render(request, "funding/empty.html", {"problem": describe(error)})
    units = _units(user)
    sent: dict[str, str] = {}
    if request.method == "POST":
        user_who_may(request, "sponsor")
        unit = next((each for each in units if each.code == request.POST.get("unit", "")), None)
        if unit is None:
            raise Http404
        try:
            made = add_sponsor(
                by=user, unit=unit, name=request.POST.get("name", ""), kind=request.POST.get("kind", "")
            )
        except Problem as problem:
            messages.error(request, problem.message)
            sent = {key: str(request.POST.get(key, "")) for key in ("name", "kind", "unit")}
        else:
            return redirect("funding:sponsor", made.pk)
    rows = list(
        Sponsor.objects.visible_to(user)
        .select_related("township", "unit")
        .annotate(
            people=Count("pledges", filter=Q(pledges__withdrawn_at=None)),
            promised=Sum("pledges__amount", filter=Q(pledges__withdrawn_at=None)),
        )
        .order_by("township__position", "unit__position", "name")
    )
    paid = dict(
        PaymentLine.objects.visible_to(user)
        .filter(pledge__sponsor__in=rows)
        .values("pledge__sponsor")
        .annotate(n=Sum("amount"))
        .values_list("pledge__sponsor", "n")
    )
    context = {
        "plan": plan,
        "enabled": enabled,
        "rows": [(row, paid.get(row.pk, ZERO)) for row in rows],
        "kinds": SponsorKind.choices,
        "units": units,
        "may_sponsor": may(user.role, "sponsor") and enabled,
        "sent": sent,
        "clause": _clause(plan),
    }
    return render(request, "funding/sponsors.html", context)


def _clause(plan: CollectionPlan | None) -> str:
    if plan is None:
        return ""
    rules = rule_book(plan).of_kind("sponsors")
    return rules[0].clause.text if rules else ""


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def sponsor(request: HttpRequest, pk: int) -> HttpResponse:
    """One sponsor: for whom, how much, what is paid; find people and promise, take back, record the payment."""
    user = user_who_may(request, "read_sponsors")
    row = Sponsor.objects.visible_to(user).select_related("township", "unit").filter(pk=pk).first()
    if row is None:
        raise Http404
    if request.method == "POST":
        user_who_may(request, "sponsor")
        _act(request, user, row)
        return redirect("funding:sponsor", pk)
    pledges = list(
        Pledge.objects.visible_to(user)
        .filter(sponsor=row)
        .select_related("registration__resident", "unit")
        .order_by("withdrawn_at", "unit__position", "pk")
    )
    given = dict(
        PaymentLine.objects.visible_to(user)
        .filter(pledge__in=pledges)
        .values("pledge")
        .annotate(n=Sum("amount"))
        .values_list("pledge", "n")
    )
    listed = [
        (each, Insurance(each.registration.insurance).label, given.get(each.pk, ZERO)) for each in pledges
    ]
    live = [(each, paid) for each, _label, paid in listed if each.withdrawn_at is None]
    context: dict[str, Any] = {
        "row": row,
        "pledges": listed,
        "promised": sum((each.amount for each, _paid in live), ZERO),
        "paid": sum(given.values(), ZERO),
        "outstanding": sum((max(each.amount - paid, ZERO) for each, paid in live), ZERO),
        "may_sponsor": may(user.role, "sponsor"),
        "means": [Means.TRANSFER, Means.QR, Means.POS],
        "client_uuid": uuid.uuid4(),
        "search": request.GET.get("q", "").replace("\x00", "").strip()[:60],
        "payments": Payment.objects.visible_to(user)
        .filter(lines__pledge__sponsor=row)
        .distinct()
        .order_by("-pk")[:20],
    }
    if context["search"] and context["may_sponsor"]:
        context["found"] = _found(user, row, context["search"])
    return render(request, "funding/sponsor.html", context)


def _found(user: User, row: Sponsor, text: str) -> list[dict[str, Any]]:
    """People of the sponsor's township who still owe something themselves."""
    charges = list(
        Charge.objects.visible_to(user)
        .filter(
            resident__in=Resident.objects.visible_to(user).filter(search_condition(text, user.county_code)),
            township=row.township,
            current=True,
            decision="accept",
            kind="ordinary",
            personal_amount__gt=0,
        )
        .select_related("resident__household", "unit")
        .order_by("unit__position", "household_id", "resident_id", "insurance")[:FOUND]
    )
    ids = [charge.registration_id for charge in charges]
    paid, promised = paid_by_registration(ids), sponsored_by_registration(registration_id__in=ids)
    found = []
    for charge in charges:
        helped = promised.get(charge.registration_id, NOT_SPONSORED)
        left = charge.personal_amount - paid.get(charge.registration_id, ZERO) - helped.outstanding
        if left > 0:
            found.append({"charge": charge, "insurance": Insurance(charge.insurance).label, "left": left})
    return found


def _act(request: HttpRequest, user: User, row: Sponsor) -> None:
    try:
        match request.POST.get("act", ""):
            case "pledge":
                made = pledge(by=user, sponsor=row.pk, wanted=_wanted(request))
                messages.success(
                    request,
                    _("已登记资助 %(n)s 人，共 %(amount)s 元。这些钱不再向本人收。")
                    % {"n": len(made), "amount": sum((each.amount for each in made), ZERO)},
                )
            case "withdraw":
                key = request.POST.get("pledge", "")
                withdraw_pledge(by=user, pledge=int(key) if key.isdecimal() and len(key) < 19 else 0)
                messages.success(request, _("已撤回，没付的部分重新由本人缴。"))
            case "pay":
                try:
                    key_uuid = uuid.UUID(request.POST.get("client_uuid", ""))
                except ValueError:
                    raise Http404 from None
                payments = pay_pledges(
                    by=user, sponsor=row.pk, client_uuid=key_uuid, means=request.POST.get("means", "")
                )
                messages.success(
                    request,
                    _("已记下 %(name)s付的 %(amount)s 元。")
                    % {"name": row.name, "amount": sum((each.received for each in payments), ZERO)},
                )
            case _:
                raise Http404
    except Problem as problem:
        if problem.status_code == 404:
            raise Http404 from None
        messages.error(request, problem.message)


def _wanted(request: HttpRequest) -> list[tuple[int, Decimal | None]]:
    """Ticked registrations, each with its own amount where one is written; else all that is open."""
    found: list[tuple[int, Decimal | None]] = []
    for key in request.POST.getlist("registration"):
        if not key.isdecimal() or len(key) > 18:
            continue
        text = request.POST.get(f"amount-{key}", "").strip()
        try:
            amount = Decimal(text) if text else None
        except InvalidOperation:
            raise Problem(400, "bad_amount", _("“%(text)s”不是金额。") % {"text": text[:20]}) from None
        if amount is not None and (not amount.is_finite() or amount != amount.quantize(Decimal("0.01"))):
            raise Problem(400, "bad_amount", _("“%(text)s”不是金额。") % {"text": text[:20]})
        found.append((int(key), amount))
    return found
