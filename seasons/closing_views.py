"""The end of a year by its pages: what is still open, closing, the summary, the archive, opening again."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import NoReverseMatch, reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from enrollment.models import CollectionPlan
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.documents import report
from foundation.imports.engine import vault
from foundation.sheets import write_workbook
from rosters.rules import safe_name, short_digest
from seasons import queries
from seasons.models import ArchivedFile, FileKind, SeasonClosing
from seasons.services.closing import NotReady, reopen_season, request_closing
from seasons.services.narrow import narrowed
from seasons.services.readiness import Matter, readiness
from seasons.services.summary_paper import county_tables, summary_report, total_rows, township_rows
from seasons.views import XLSX, closing_context, plan_named, to_year
from townships.access import user_who_may
from townships.models import Township, User
from townships.rules import may

PDF: Final = "application/pdf"
# Where each open matter is settled: (view, its arguments name the plan, its query).
SETTLED_AT: Final = {
    "plan": ("plans:plan", True, ""),
    "imports": ("imports:home", False, ""),
    "jobs": ("admin:jobs_job_changelist", False, ""),
    "cases": ("admin:contributions_paymentcase_changelist", False, ""),
    "progress": ("progress:county", False, "?plan={code}"),
    "rosters": ("rosters:board", False, "?plan={code}"),
    "postings": ("notices:list", False, "?plan={code}"),
    "funding": ("funding:list", False, ""),
    "confirm": ("seasons:confirm", True, ""),
    "returned": ("admin:imports_returnedrow_changelist", False, ""),
}  # fmt: skip


def _with_pages(matters: list[Matter], code: str) -> list[tuple[Matter, str]]:
    """Each matter with the address of the page that settles it, where there is one."""
    found = []
    for matter in matters:
        view, named, query = SETTLED_AT.get(matter.url, ("", False, ""))
        try:
            url = reverse(view, args=[code] if named else []) + query.format(code=code) if view else ""
        except NoReverseMatch:
            url = ""
        found.append((matter, url))
    return found


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def close(request: HttpRequest, code: str) -> HttpResponse:
    """What stands in the way of closing and what is open; pressed, the job begins and shows on the year's page."""
    user = user_who_may(request, "close_season")
    plan = plan_named(user, code)
    said = request.POST.get("reason", "")
    if request.method == "POST":
        try:
            request_closing(by=user, plan=plan, reason=said)
        except NotReady as error:
            found = error.found
            wrong = bool(found.warnings) and not found.blockers
        else:
            return to_year(plan)
    else:
        found, wrong = readiness(plan, today=business_date(plan.county.code)), False
    context = {
        "plan": plan,
        "ready": found.ready,
        "blockers": _with_pages(found.blockers, plan.code),
        "warnings": _with_pages(found.warnings, plan.code),
        "reason": said,
        "reason_missing": wrong,
        **closing_context(user, plan),
    }
    return render(request, "seasons/close.html", context)


@login_required
@require_POST
def reopen(request: HttpRequest, code: str) -> HttpResponse:
    """Open a closed year again, for a reason; the administrator alone."""
    user = user_who_may(request, "reopen_season")
    plan = plan_named(user, code)
    try:
        reopen_season(by=user, plan=plan, reason=request.POST.get("reason", ""))
    except ValidationError as error:
        messages.error(request, _("没有重新开启：%(why)s") % {"why": " ".join(error.messages)})
    else:
        messages.success(request, _("已重新开启。改完以后再结账，会另存一份归档。"))
    return to_year(plan)


def _closing(plan: CollectionPlan, number: str) -> SeasonClosing:
    """The closing with this number, else the newest that is archived. 404 for any other."""
    found = SeasonClosing.objects.filter(plan=plan, archived_at__isnull=False).select_related(
        "plan__county", "asked_by", "reopened_by"
    )
    if number:
        found = found.filter(number=number) if number.isdigit() and len(number) < 6 else found.none()
    closing = found.order_by("-number").first()
    if closing is None:
        raise Http404
    return closing


def _seen(user: User, closing: SeasonClosing) -> dict[str, Any]:
    """The summary as far as the user's places go."""
    if user.sees_county:
        whole: dict[str, Any] = closing.summary
        return whole
    own = Township.objects.filter(pk__in=sorted(user.scope_places().townships)).values_list("code", flat=True)
    return narrowed(closing.summary, set(own))


@login_required
@never_cache
@require_GET
def summary(request: HttpRequest, code: str) -> HttpResponse:
    """The year's figures as they stood when it was closed, and the files of its archive."""
    user = user_who_may(request, "read_season")
    plan = plan_named(user, code)
    closing = _closing(plan, request.GET.get("closing", ""))
    figures = _seen(user, closing)
    files = ArchivedFile.objects.visible_to(user).filter(closing=closing).select_related("township")
    context = {
        "plan": plan,
        "closing": closing,
        "summary": figures,
        "totals": total_rows(figures),
        "rows": list(township_rows(figures)),
        "payers": [
            row | {key: Decimal(row[key]) for key in ("amount", "disbursed")} for row in figures["payers"]
        ],
        "tiers": [
            row | {key: Decimal(row[key]) for key in ("tier", "paid_amount")} for row in figures["tiers"]
        ],
        "money": {k: v if isinstance(v, int) else Decimal(v) for k, v in figures["money"].items()},
        "whole_county": user.sees_county,
        "files": list(files.order_by("kind", "township__position", "name")),
        "digest": short_digest(closing.digest),
        "may_download": may(user.role, "read_archive"),
        "closings": queries.closings(plan),
        "late": queries.late_money(user, closing),
    }
    return render(request, "seasons/summary.html", context)


@login_required
@never_cache
@require_GET
def summary_workbook(request: HttpRequest, code: str) -> HttpResponse:
    """The summary as an official workbook; sums, nobody's data."""
    user = user_who_may(request, "read_season")
    plan = plan_named(user, code)
    closing = _closing(plan, request.GET.get("closing", ""))
    buffer = io.BytesIO()
    write_workbook(buffer, county_tables(plan, _seen(user, closing), closing.on, closing=closing))
    _record_export(user, closing, "xlsx")
    return _download(buffer.getvalue(), XLSX, _name(plan, "xlsx"))


@login_required
@never_cache
@require_GET
def summary_paper(request: HttpRequest, code: str) -> HttpResponse:
    """The summary as an official report, for offices of the whole county."""
    user = user_who_may(request, "read_season")
    plan = plan_named(user, code)
    if not user.sees_county:
        raise PermissionDenied
    closing = _closing(plan, request.GET.get("closing", ""))
    _record_export(user, closing, "pdf")
    return _download(
        report(summary_report(plan, closing.summary, closing.on, closing=closing)), PDF, _name(plan, "pdf")
    )


def _name(plan: CollectionPlan, kind: str) -> str:
    return safe_name(f"{plan.coverage_year}-{plan.county.name}-{_('年度总结')}") + f".{kind}"


def _download(content: bytes, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = content_disposition_header(True, name)
    return response


def _record_export(user: User, closing: SeasonClosing, kind: str) -> None:
    record(
        by=user, action="season.summary_export", target_kind="plan", target=closing.plan.code,
        county_code=closing.plan.county.code, detail={"number": closing.number, "kind": kind},
    )  # fmt: skip


@login_required
@never_cache
@require_GET
def archived_file(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """A file of the archive, opened piece by piece; whole ID numbers, so every look is in the trail."""
    user = user_who_may(request, "read_archive")
    files = ArchivedFile.objects.visible_to(user).select_related("closing__plan__county", "township")
    file = get_object_or_404(files, pk=pk)
    record(
        by=user, action="season.archive_download", target_kind="archived_file", target=file.pk,
        county_code=file.closing.plan.county.code,
        township_code=file.township.code if file.township is not None else "",
        detail={"plan": file.closing.plan.code, "number": file.closing.number, "sha256": file.sha256},
    )  # fmt: skip
    kind = PDF if file.kind == FileKind.PAPER else XLSX
    response = StreamingHttpResponse(vault.read(file.stored_as), content_type=kind)
    response["Content-Disposition"] = content_disposition_header(True, file.name)
    response["Content-Length"] = str(file.size)
    return response
