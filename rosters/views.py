"""The roster board of a township, the page of a roster, and workbooks out. Reads start at ``visible_to``."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from contributions.models import Means
from contributions.services.assess_job import last_assessment
from enrollment.models import CollectionPlan, Insurance
from foundation.encryption import get_keyring
from foundation.jobs.models import OPEN_STATES, Job
from foundation.jobs.views import job_context
from foundation.masking import Audience, mask_number
from rosters.models import Roster, RosterKind
from rosters.queries import UnitRow, board_rows, latest_of, lines_of, plans_of, township_rows
from rosters.rules import REASON_WORDS, safe_name, short_digest
from rosters.services.export import Detail, export_workbook, export_zip, of_insurance, workbook_name
from rosters.services.generate import KIND, request_rosters
from townships.access import user_who_may
from townships.models import CollectingUnit, Township, User
from townships.rules import may

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LINES_PER_PAGE = 200
WHY_STUCK = {
    "unassessed": gettext_lazy("没有核定 %(n)s 人"),
    "no_levy": gettext_lazy("有人登记，还没有征收清册"),
    "changed": gettext_lazy("封存以后，应缴有了变化"),
}


def plan_named(user: User, code: str) -> CollectionPlan | None:
    """The plan named, else the newest of the county."""
    plans = plans_of(user.county_id or 0)
    return (plans.filter(code=code) if code else plans).first()


def townships_seen(user: User, plan: CollectionPlan) -> list[Township]:
    """Townships where the user sees at least one unit, in order."""
    seen = CollectingUnit.objects.visible_to(user).filter(township__county=plan.county).values("township")
    return list(Township.objects.filter(pk__in=seen).order_by("position", "code"))


@login_required
@never_cache
@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """Units × rosters of a township, the stuck ones first; townships of the county for who sees several."""
    user = user_who_may(request, "read_rosters")
    plan = plan_named(user, request.GET.get("plan", ""))
    if plan is None:
        return render(request, "rosters/empty.html", {"named": bool(request.GET.get("plan"))})
    townships = townships_seen(user, plan)
    code = request.GET.get("township", "")
    chosen = [t for t in townships if t.code == code] if code else townships
    if code and not chosen:
        raise Http404
    insurance = insurance_named(plan, request.GET.get("insurance", ""))
    context: dict[str, Any] = {
        "plan": plan,
        "plans": list(plans_of(user.county_id or 0)),
        "several": len(townships) > 1,
        "may_make": may(user.role, "make_rosters"),
        "may_assess": may(user.role, "assess"),
        "kinds": [(k.value, k.label) for k in (RosterKind.LEVY, RosterKind.PAYMENT, RosterKind.REFERENCE)],
        "insurance": insurance,
        "insurances": [(name, Insurance(name).label) for name in plan.insurances],
    }
    if len(chosen) != 1:
        context |= {"townships": township_rows(user, plan)} | _job(user, plan, None)
        return render(request, "rosters/townships.html", context)
    township = chosen[0]
    rows = board_rows(user, plan, township, insurance)
    assessing = last_assessment(user, plan, township)
    context |= _board(rows) | _job(user, plan, township) | {"township": township}
    context["assessing"] = assessing if assessing is not None and assessing.state in OPEN_STATES else None
    return render(request, "rosters/board.html", context)


def insurance_named(plan: CollectionPlan, name: str) -> str:
    """One insurance of the plan, empty for both. 404 for any other."""
    if name and name not in plan.insurances:
        raise Http404
    return name


def _board(rows: Sequence[UnitRow]) -> dict[str, Any]:
    expected = [row for row in rows if row.registered]
    levies = [row.levy for row in rows if row.levy is not None]
    payments = [row.payment for row in rows if row.payment is not None]
    references = [row.reference for row in rows if row.reference is not None]
    return {
        "with_reference": len(references),
        "paid_last_year": sum(r.line_count for r in references),
        "stuck": [(row, _why(row)) for row in rows if row.stuck],
        "unassessed": sum(row.unassessed for row in rows),
        "fine": [row for row in rows if not row.stuck],
        "units": len(rows),
        "expected": len(expected),
        "registered": sum(row.registered for row in rows),
        "with_levy": len(levies),
        "current": sum(1 for row in rows if row.levy is not None and not row.changed and not row.unassessed),
        "with_payment": len(payments),
        "people": sum(r.line_count for r in levies),
        "households": sum(r.household_count for r in levies),
        "personal": _yuan(levies, "personal"),
        "paid": _yuan(payments, "paid"),
    }


def _why(row: UnitRow) -> str:
    text = str(WHY_STUCK[row.stuck])
    return text % {"n": f"{row.unassessed:,}"} if row.unassessed else text


def _yuan(rosters: Sequence[Roster], key: str) -> Decimal:
    return sum((Decimal(r.totals.get(key, "0")) for r in rosters), Decimal("0.00"))


def _job(user: User, plan: CollectionPlan, township: Township | None) -> dict[str, Any]:
    """The user's own request for these rosters: live while it runs, its outcome for an hour."""
    codes = ["", township.code] if township else [""]
    jobs = Job.objects.visible_to(user).filter(
        kind=KIND, params__plan=plan.pk, params__township__in=codes, requested_by=user
    )
    job = jobs.order_by("-created_at").first()
    if job is None or (job.finished_at is not None and timezone.now() - job.finished_at > timedelta(hours=1)):
        return {"job": None}
    return job_context(job, here=job.state in OPEN_STATES)


@login_required
@require_POST
def generate(request: HttpRequest) -> HttpResponse:
    """Ask for the rosters of a township, or of everything the user sees; the job shows on the board."""
    user = user_who_may(request, "make_rosters")
    plan = plan_named(user, request.POST.get("plan", ""))
    kind = request.POST.get("kind", "")
    if plan is None or kind not in RosterKind.values:
        raise Http404
    code = request.POST.get("township", "")
    township = next((t for t in townships_seen(user, plan) if t.code == code), None)
    if code and township is None:
        raise Http404
    insurance = insurance_named(plan, request.POST.get("insurance", ""))
    request_rosters(by=user, plan=plan, kind=RosterKind(kind), township=township, insurance=insurance)
    query = {"plan": plan.code} | ({"township": township.code} if township else {})
    query |= {"insurance": insurance} if insurance else {}
    return redirect(f"{reverse('rosters:board')}?{urlencode(query)}")


@login_required
@never_cache
@require_GET
def roster_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One sealed version: what it says, its totals, its other versions."""
    user = user_who_may(request, "read_rosters")
    roster = _roster(user, pk)
    versions = (
        Roster.objects.visible_to(user)
        .filter(plan=roster.plan, kind=roster.kind, insurance=roster.insurance, unit=roster.unit)
        .order_by("-version")
    )
    lines = lines_of(roster)
    search = request.GET.get("q", "").strip()
    if search:
        lines = lines.filter(Q(name__startswith=search) | Q(head_name__startswith=search))
    page = Paginator(lines, LINES_PER_PAGE).get_page(request.GET.get("page"))
    keys, means = get_keyring(), dict(Means.choices)
    shown = [
        (
            line,
            mask_number(keys.decrypt(line.number_encrypted), Audience.OFFICE)
            if line.number_encrypted
            else "",
            means.get(line.means, line.means),
        )
        for line in page
    ]
    context = {
        "roster": roster,
        "versions": list(versions),
        "newest": versions[0].pk == roster.pk,
        "digest": short_digest(roster.digest),
        "page": page,
        "lines": shown,
        "search": search,
        "excluded": _excluded(roster),
        "amounts": {k: Decimal(v) for k, v in roster.totals.items() if isinstance(v, str)},
        "payment": roster.kind == RosterKind.PAYMENT,
        "reference": roster.kind == RosterKind.REFERENCE,
        "whole_numbers": Detail.of_role(user.role).numbers,
    }
    return render(request, "rosters/roster.html", context)


def _excluded(roster: Roster) -> list[tuple[str, str, int]]:
    """Who is registered and still not on the list: insurance, reason, people; the largest first."""
    names = {"medical": _("医疗"), "pension": _("养老")}
    found = []
    for key, n in roster.totals.get("excluded", {}).items():
        insurance, _colon, reason = key.partition(":")
        found.append((names.get(insurance, insurance), REASON_WORDS.get(reason, reason), int(n)))
    return sorted(found, key=lambda row: (-row[2], row[0], row[1]))


def _roster(user: User, pk: int) -> Roster:
    """A roster of the user's places; anybody else's is not there."""
    rosters = Roster.objects.visible_to(user).select_related("plan__county", "township", "unit", "sealed_by")
    roster: Roster = get_object_or_404(rosters, pk=pk)
    return roster


@login_required
@never_cache
@require_GET
def workbook(request: HttpRequest, pk: int) -> HttpResponse:
    """A unit's workbook; taking it out is in the audit trail."""
    user = user_who_may(request, "read_rosters")
    roster = _roster(user, pk)
    response = HttpResponse(export_workbook(by=user, roster=roster), content_type=XLSX)
    response["Content-Disposition"] = content_disposition_header(True, workbook_name(roster))
    return response


@login_required
@never_cache
@require_GET
def township_zip(request: HttpRequest, code: str) -> FileResponse:
    """The latest rosters of one township, a workbook per unit."""
    user = user_who_may(request, "read_rosters")
    plan, kind = plan_named(user, request.GET.get("plan", "")), request.GET.get("kind", "")
    township = next((t for t in townships_seen(user, plan) if t.code == code), None) if plan else None
    if plan is None or township is None or kind not in RosterKind.values:
        raise Http404
    insurance = insurance_named(plan, request.GET.get("insurance", ""))
    rosters = list(
        latest_of(
            Roster.objects.visible_to(user).filter(township=township), plan, kind, insurance
        ).select_related("plan__county", "township", "unit")
    )
    if not rosters:
        raise Http404
    # The file lives as long as the answer is sent: its name is gone once it is open.
    with tempfile.TemporaryDirectory(prefix="rosters-") as folder:
        out = Path(folder) / "rosters.zip"
        export_zip(by=user, plan=plan, kind=kind, rosters=rosters, out=out, detail=Detail.of_role(user.role))
        file = out.open("rb")
    label = f"{of_insurance(rosters[0])}{RosterKind(kind).label}"
    name = safe_name(f"{township.name}-{label}-{plan.coverage_year}") + ".zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")
