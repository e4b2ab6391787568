"""Files in, four steps on one page: file, columns, check, apply; the history, and the rows that came back.

Reads start at ``visible_to``: a township's clerk sees her own files, a county office those of its county.
"""

from __future__ import annotations

import tempfile
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from foundation.audit.services import record
from foundation.imports import jobs
from foundation.imports.engine.tables import field_label
from foundation.imports.kinds import ImportKind, ImportRefused, import_kind, kinds_for, next_steps
from foundation.imports.models import BatchState, ImportBatch
from foundation.imports.services.apply import undo
from foundation.imports.services.errors import write_error_book
from foundation.imports.services.mapping import change_mapping
from foundation.imports.services.receive import Terms, Upload, abandon, receive
from foundation.imports.services.returned import close_rows, open_rows, samples
from foundation.imports.words import REASONS, advice, effect_lines, file_lines, reason, warning_lines
from foundation.jobs.models import OPEN_STATES, Job, JobState
from foundation.jobs.views import job_context

_PER_PAGE: Final = 50
_SPREADSHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _kinds(request: HttpRequest) -> list[ImportKind]:
    kinds = kinds_for(request.user)
    if not kinds:
        raise PermissionDenied
    return kinds


def _readable(request: HttpRequest) -> list[ImportKind]:
    """The kinds the person's post imports; none for who audits them and sends nothing.

    Raises PermissionDenied for who does neither.
    """
    kinds = kinds_for(request.user)
    if not kinds and not getattr(request.user, "audits_all_work", False):
        raise PermissionDenied
    return kinds


def _batch(request: HttpRequest, pk: int) -> ImportBatch:
    _readable(request)
    return get_object_or_404(ImportBatch.objects.visible_to(request.user), pk=pk)


def _own_batch(request: HttpRequest, pk: int) -> ImportBatch:
    """A batch the person may act on: of a kind her post imports."""
    batch = _batch(request, pk)
    if batch.kind not in {kind.name for kind in _kinds(request)}:
        raise PermissionDenied
    return batch


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    """Choose what the file is, hand it over; below, what was handed over before."""
    kinds = _readable(request)
    wanted = request.POST.get("kind") or request.GET.get("kind", "")
    kind = next((each for each in kinds if each.name == wanted), kinds[0] if kinds else None)
    problem = ""
    if request.method == "POST":
        if kind is None or kind.name != wanted:
            raise PermissionDenied  # a file is never taken for another kind than its sender named
        try:
            return redirect("imports:batch", pk=_receive(request, kind).pk)
        except ImportRefused as error:
            problem = str(error)
    history = ImportBatch.objects.visible_to(request.user).select_related("uploaded_by").order_by("-pk")
    page = Paginator(history, _PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "kinds": kinds,
        "kind": kind,
        "options": kind.options(request.user) if kind else (),
        "needed": _needed(kind) if kind else [],
        "problem": problem,
        "page": page,
        "rows": [(batch, _label(batch)) for batch in page],
    }
    return render(request, "imports/home.html", context, status=400 if problem else 200)


def _needed(kind: ImportKind) -> list[str]:
    groups = [_("或").join(field_label(field) for field in group) for group in kind.any_of]
    return [*(field_label(field) for field in kind.required), *groups]


def _label(batch: ImportBatch) -> str:
    try:
        return str(import_kind(batch.kind).label)
    except ImportRefused:
        return batch.kind


def _receive(request: HttpRequest, kind: ImportKind) -> ImportBatch:
    user: Any = request.user
    chosen = {option.name: request.POST.get(option.name, "") for option in kind.options(user)}
    for option in kind.options(user):
        if option.required and chosen[option.name] not in dict(option.choices):
            raise ImportRefused(_("请选择%(what)s") % {"what": option.label})
    uploads = [
        Upload(file.name or "", file.file) for file in request.FILES.getlist("files") if file.file is not None
    ]
    terms = Terms(
        kind=kind.name,
        county_code=user.county_code,
        plan_code=chosen.get("plan", ""),
        category_code=chosen.get("category", ""),
        full_list=bool(request.POST.get("full_list")) and kind.can_be_full,
    )
    batch = receive(by=user, terms=terms, uploads=uploads)
    jobs.submit(by=user, batch=batch, step=jobs.CHECK)
    return batch


@login_required
@never_cache
@require_GET
def batch_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One batch: where it stands, what was found, what to do next."""
    batch = _batch(request, pk)
    kind, mine = import_kind(batch.kind), _readable(request)
    job = Job.objects.visible_to(request.user).filter(pk=batch.job_id).first() if batch.job_id else None
    running = job is not None and job.state in OPEN_STATES
    files = list(batch.files.order_by("position"))
    context = {
        "batch": batch,
        "kind": kind,
        "files": files,
        "has_columns": any(file.table.get("columns") for file in files),
        "columns": [(file, file_lines(file.table)) for file in files],
        "next_steps": next_steps(request.user, batch),
        "step": _step(batch),
        "running": running,
        "failed": job is not None and job.state == JobState.FAILED,
        "may_act": kind in mine and not running,
        "reasons": _reasons(batch),
        "samples": [(row, reason(row.code), advice(row.code)) for row in samples(batch)],
        "parts": _parts(batch),
        "fields": [(name, field_label(name)) for name in (*kind.required, *kind.optional)],
        "labels": {name: field_label(name) for name in (*kind.required, *kind.optional)},
        "effects": effect_lines(batch),
        "warnings": warning_lines(batch),
        "same_as": batch.summary.get("same_as"),
        "open_rows": batch.returned_rows.filter(closed_at=None).count(),
        "may_download": bool(mine),
    }
    if job is not None:
        context |= job_context(job, here=running)
    return render(request, "imports/batch.html", context)


def _step(batch: ImportBatch) -> int:
    """2 while columns and check are under way, 3 checked, 4 applied, 0 over."""
    steps = {BatchState.RECEIVED: 2, BatchState.CHECKED: 3, BatchState.APPLIED: 4}
    return steps.get(BatchState(batch.state), 0)


def _reasons(batch: ImportBatch) -> list[dict[str, Any]]:
    most = max(batch.reasons.values(), default=1)
    return [
        {"code": code, "word": reason(code), "count": count, "width": round(100 * count / most, 1)}
        for code, count in sorted(batch.reasons.items(), key=lambda item: (-item[1], item[0]))
    ]


def _parts(batch: ImportBatch) -> list[dict[str, Any]]:
    """The bar: unchanged, new, changed, returned, as widths that add up to the rows read."""
    total = batch.read_count or 1
    shares = [
        ("idle", _("不变"), batch.unchanged_count),
        ("action", _("新增"), batch.new_count),
        ("wait", _("变更"), batch.changed_count),
        ("wrong", _("退回"), batch.rejected_count),
    ]
    parts, start = [], 0.0
    for look, word, count in shares:
        width = 1000 * count / total
        parts.append(
            {"look": look, "word": word, "count": count, "x": round(start, 1), "width": round(width, 1)}
        )
        start += width
    return parts


@login_required
@require_POST
def columns(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what the columns mean, remember it for this sender, and check again."""
    batch = _own_batch(request, pk)
    posted = request.POST
    position = posted.get("file", "0")
    mapping = dict(zip(posted.getlist("column"), posted.getlist("field"), strict=False))
    return _act(
        request,
        batch,
        lambda: (
            change_mapping(
                by=request.user,
                batch=batch,
                position=int(position) if position.isdecimal() else -1,
                mapping=mapping,
                sheets=posted.getlist("sheet") if "sheets" in posted else None,
            ),
            jobs.submit(by=request.user, batch=batch, step=jobs.CHECK),
        ),
    )


@login_required
@require_POST
def check_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Check once more, since the register or the divisions may have moved on."""
    batch = _own_batch(request, pk)
    if not batch.is_open:
        raise Http404
    return _act(request, batch, lambda: jobs.submit(by=request.user, batch=batch, step=jobs.CHECK))


@login_required
@require_POST
def apply_batch(request: HttpRequest, pk: int) -> HttpResponse:
    """Put the sound rows into the register."""
    batch = _own_batch(request, pk)
    if batch.state != BatchState.CHECKED:
        raise Http404
    return _act(request, batch, lambda: jobs.submit(by=request.user, batch=batch, step=jobs.APPLY))


@login_required
@require_POST
def abandon_batch(request: HttpRequest, pk: int) -> HttpResponse:
    """Drop a batch that was not applied."""
    batch = _own_batch(request, pk)
    return _act(request, batch, lambda: abandon(by=request.user, batch=batch))


@login_required
@require_POST
def undo_batch(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an applied batch back."""
    batch = _own_batch(request, pk)
    user: Any = request.user
    return _act(request, batch, lambda: undo(by=user, batch=batch, places=user.scope_places()))


def _act(request: HttpRequest, batch: ImportBatch, act: Any) -> HttpResponse:
    try:
        with transaction.atomic():
            act()
    except ImportRefused as error:
        messages.error(request, str(error))
    return redirect("imports:batch", pk=batch.pk)


@login_required
@never_cache
@require_GET
def errors(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The rows still open, in the sender's layout with 错误原因; each download is audited."""
    _kinds(request)  # whole numbers are for who sends files, not for who reads about them
    batch = _batch(request, pk)
    several = batch.files.count() > 1
    book = tempfile.TemporaryFile()  # noqa: SIM115 - FileResponse closes it
    try:
        count = write_error_book(batch, book)
    except ImportRefused as error:
        book.close()
        messages.error(request, str(error))
        return redirect("imports:batch", pk=batch.pk)
    record(
        by=request.user,
        action="import.errors",
        target_kind="import",
        target=batch.pk,
        county_code=batch.county_code,
        detail={"rows": count},
    )
    book.seek(0)
    name = f"{_('退回')}-{batch.pk}.{'zip' if several else 'xlsx'}"
    response = FileResponse(book, content_type="application/zip" if several else _SPREADSHEET)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


@login_required
@never_cache
@require_GET
def returned_rows(request: HttpRequest, pk: int) -> HttpResponse:
    """The open rows of one reason, masked, each to be closed with what came of it."""
    batch, kinds = _batch(request, pk), _readable(request)
    code = request.GET.get("code", "")
    if code not in batch.reasons:
        raise Http404
    page = Paginator(
        batch.returned_rows.filter(code=code, closed_at=None).order_by("file", "source_row"), _PER_PAGE
    ).get_page(request.GET.get("page"))
    context = {
        "batch": batch,
        "kind": import_kind(batch.kind),
        "code": code,
        "word": REASONS.get(code, code),
        "advice": advice(code),
        "page": page,
        "rows": open_rows(batch, code, start=(page.number - 1) * _PER_PAGE, count=_PER_PAGE),
        "may_act": batch.kind in {kind.name for kind in kinds},
        "may_download": bool(kinds),
    }
    return render(request, "imports/rows.html", context)


@login_required
@require_POST
def close(request: HttpRequest, pk: int, row: int) -> HttpResponse:
    """Close a returned row with a reason."""
    batch = _own_batch(request, pk)
    returned = get_object_or_404(batch.returned_rows, pk=row)
    try:
        close_rows(by=request.user, rows=[returned], reason=request.POST.get("reason", ""))
    except ImportRefused as error:
        messages.error(request, str(error))
    left = batch.returned_rows.filter(code=returned.code, closed_at=None).exists()
    if not left:
        return redirect("imports:batch", pk=batch.pk)
    return redirect(f"{reverse('imports:rows', args=[batch.pk])}?code={returned.code}")
