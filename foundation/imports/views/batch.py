"""One batch: where it stands, what was found, what to do next, and what it leaves to take home."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from foundation.audit.models import AuditEvent
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.imports import jobs
from foundation.imports.engine import vault
from foundation.imports.engine.tables import field_label
from foundation.imports.findings_words import (
    DOINGS,
    advice_word,
    after_word,
    before_word,
    section_word,
)
from foundation.imports.kinds import ImportRefused, deadline_of, import_kind, next_steps
from foundation.imports.models import BatchState, ImportBatch, ImportFile
from foundation.imports.queries import Titles
from foundation.imports.senders import sender_name
from foundation.imports.services.apply import undo, undo_blockers
from foundation.imports.services.errors import write_error_book
from foundation.imports.services.findings import in_words
from foundation.imports.services.mapping import change_mapping
from foundation.imports.services.receive import abandon
from foundation.imports.services.returned import samples
from foundation.imports.views.shared import act, acts_on, own_batch, readable_batch, takes_home
from foundation.imports.words import act_word, advice, effect_lines, file_lines, reason, warning_lines
from foundation.jobs.models import OPEN_STATES, Job, JobState
from foundation.jobs.views import job_context

_SPREADSHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
AT_ONCE: Final = 20_000
"""Rows of a file whose errors are written while somebody waits; more are a job."""
_TOLD: Final = 30
_ENDED_EARLY: Final = (JobState.FAILED, JobState.CANCELLED)


@login_required
@never_cache
@require_GET
def batch_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One batch, four steps."""
    batch = readable_batch(request, pk)
    kind = import_kind(batch.kind)
    job = Job.objects.filter(pk=batch.job_id).first() if batch.job_id else None
    running = job is not None and job.state in OPEN_STATES
    files = list(batch.files.order_by("position"))
    found = samples(batch)
    deadline = deadline_of(batch)
    context = {
        "batch": batch,
        "kind": kind,
        "title": Titles()(batch),
        "sender": sender_name(batch.uploaded_by),
        "files": files,
        "has_columns": any(file.table.get("columns") for file in files),
        "columns": [(file, file_lines(file.table)) for file in files],
        "next_steps": next_steps(request.user, batch),
        "step": _step(batch),
        **_columns(files),
        "running": running,
        "failed": job is not None and job.state in _ENDED_EARLY and batch.is_open,
        "may_act": acts_on(request, batch) and not running,
        "reasons": _reasons(batch),
        "samples": [(row, reason(row.code), advice(row.code)) for row in found],
        "parts": _parts(batch),
        "seen": seen(batch),
        "fields": [(name, field_label(name)) for name in (*kind.required, *kind.optional)],
        "labels": {name: field_label(name) for name in (*kind.required, *kind.optional)},
        "effects": effect_lines(batch),
        "warnings": warning_lines(batch),
        "same_as": batch.summary.get("same_as"),
        "open_rows": batch.returned_rows.filter(closed_at=None).count(),
        "may_download": takes_home(request, batch),
        **_findings(batch),
        "is_large": batch.read_count > AT_ONCE,
        "deadline": deadline,
        "overdue": deadline is not None and business_date(batch.county_code) > deadline.on,
        "trail": _trail(batch),
    }
    if job is not None:
        context |= job_context(job, here=running, back=request.path)
    return render(request, "imports/batch.html", context)


def _findings(batch: ImportBatch) -> dict[str, Any]:
    """What the check showed: what changes and ends by itself, and what contradicts another office."""
    shown = [
        {
            "section": each.section,
            "title": section_word(each.section),
            "before": before_word(each.section),
            "after": after_word(each.section),
            "advice": advice_word(each.section),
            "count": each.count,
            "rows": [in_words(row) for row in each.sample],
        }
        for each in batch.findings.order_by("position")
    ]
    return {
        "doings": sorted(
            (each for each in shown if each["section"] in DOINGS),
            key=lambda each: DOINGS.index(each["section"]),
        ),
        "contradictions": [each for each in shown if each["section"] not in DOINGS],
        "found": sum(each["count"] for each in shown),
    }


def _step(batch: ImportBatch) -> int:
    """2 while columns and check are under way, 3 checked, 4 applied, 0 over."""
    steps = {BatchState.RECEIVED: 2, BatchState.CHECKED: 3, BatchState.APPLIED: 4}
    return steps.get(BatchState(batch.state), 0)


def _columns(files: list[ImportFile]) -> dict[str, int]:
    """How many columns were recognised, and how many are not used."""
    columns = [column for file in files for column in file.table.get("columns", [])]
    used = [column for column in columns if column["field"]]
    return {"recognised": len(used), "unread": len(columns) - len(used)}


def seen(batch: ImportBatch) -> str:
    """What a page showed of a check: whoever applies from a page that is out of date is asked to look again."""
    counts = (
        batch.read_count,
        batch.new_count,
        batch.changed_count,
        batch.unchanged_count,
        batch.rejected_count,
    )
    return "-".join(map(str, counts))


def _reasons(batch: ImportBatch) -> list[dict[str, Any]]:
    most = max(batch.reasons.values(), default=1)
    return [
        {"code": code, "word": reason(code), "count": count, "width": round(100 * count / most, 1)}
        for code, count in sorted(batch.reasons.items(), key=lambda item: (-item[1], item[0]))
    ]


def _parts(batch: ImportBatch) -> list[dict[str, Any]]:
    """The bar: unchanged, new, changed, returned, as widths that add up to the rows read; and whom a full list ends."""
    closed = batch.summary.get("closed", 0)
    shares = [
        ("idle", _("不变"), batch.unchanged_count),
        ("action", _("新增"), batch.new_count),
        ("wait", _("变更"), batch.changed_count - closed),
        ("wrong", _("退回"), batch.rejected_count),
    ]
    if closed:
        shares.append(("end", _("停掉"), closed))
    total = batch.read_count + closed or 1
    parts, start = [], 0.0
    for look, word, count in shares:
        width = 1000 * count / total
        parts.append(
            {"look": look, "word": word, "count": count, "x": round(start, 1), "width": round(width, 1)}
        )
        start += width
    return parts


def _trail(batch: ImportBatch) -> list[tuple[AuditEvent, str]]:
    """Who did what with the file, newest first: every act and every download."""
    events = AuditEvent.objects.filter(target_kind="import", target=str(batch.pk)).select_related("actor")
    return [(event, act_word(event.action, event.detail)) for event in events.order_by("-pk")[:_TOLD]]


@login_required
@require_POST
def columns(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what the columns mean, remember it for this sender, and check again."""
    batch = own_batch(request, pk)
    posted = request.POST
    position = posted.get("file", "0")
    mapping = dict(zip(posted.getlist("column"), posted.getlist("field"), strict=False))
    return act(
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
    batch = own_batch(request, pk)
    return act(request, batch, lambda: _submit(request, batch, jobs.CHECK))


@login_required
@require_POST
def apply_batch(request: HttpRequest, pk: int) -> HttpResponse:
    """Put the sound rows into the register, once: a second press joins the job, or says that it is done."""
    batch = own_batch(request, pk)
    return act(request, batch, lambda: _submit(request, batch, jobs.APPLY))


def _submit(request: HttpRequest, batch: ImportBatch, step: str) -> None:
    if not batch.is_open:
        words = {
            BatchState.APPLIED: _("这一批已经入库，没有再做一次"),
            BatchState.UNDONE: _("这一批已经撤回。要再导入，请重新上传"),
        }
        raise ImportRefused(words.get(BatchState(batch.state), _("这一批已经放弃。要再导入，请重新上传")))
    if step == jobs.APPLY:
        if batch.state != BatchState.CHECKED:
            raise ImportRefused(_("这一批还没有检查完，请等检查结果"))
        if request.POST.get("seen", seen(batch)) != seen(batch):
            raise ImportRefused(
                _("这一页打开后又检查过一次，结果变了。请看过新的结果再写入，什么都还没有写入")
            )
    jobs.submit(by=request.user, batch=batch, step=step)


@login_required
@require_POST
def abandon_batch(request: HttpRequest, pk: int) -> HttpResponse:
    """Drop a batch that was not applied."""
    batch = own_batch(request, pk)
    return act(request, batch, lambda: abandon(by=request.user, batch=batch))


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def undo_batch(request: HttpRequest, pk: int) -> HttpResponse:
    """What taking an applied batch back would do and what stands against it; on the second press, do it."""
    batch = own_batch(request, pk)
    user: Any = request.user
    if request.method == "POST":
        return act(request, batch, lambda: undo(by=user, batch=batch, places=user.scope_places()))
    if batch.state != BatchState.APPLIED:
        messages.error(request, _("只有已入库的批次才能撤回"))
        return redirect("imports:batch", pk=batch.pk)
    context = {
        "batch": batch,
        "kind": import_kind(batch.kind),
        "title": Titles()(batch),
        "blockers": undo_blockers(by=user, batch=batch, places=user.scope_places()),
        "corrected": batch.summary.get("corrected", 0),
        "effects": effect_lines(batch),
    }
    return render(request, "imports/undo.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def errors(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The sender's file with 错误原因; each download is audited.

    A large one is asked for by POST and written by a job; ``?job=`` takes it home when it is done.
    """
    batch = _to_take_home(request, pk)
    if request.method == "POST":
        job = jobs.submit_errors(by=request.user, batch=batch)
        done = f"{reverse('imports:errors', args=[batch.pk])}?{urlencode({'job': job.pk})}"
        return redirect(f"{reverse('jobs:page', args=[job.pk])}?{urlencode({'next': done})}")
    if wanted := request.GET.get("job"):
        return _written_errors(request, batch, wanted)
    if batch.read_count > AT_ONCE:
        messages.info(request, _("这份文件大，退回表要生成一会儿：请按“生成退回表”"))
        return redirect("imports:batch", pk=batch.pk)
    book = tempfile.TemporaryFile()  # noqa: SIM115 - FileResponse closes it
    try:
        count = write_error_book(batch, book)
    except ImportRefused as error:
        book.close()
        messages.error(request, str(error))
        return redirect("imports:batch", pk=batch.pk)
    _record(request, batch, "import.errors", rows=count)
    book.seek(0)
    return _as_errors(FileResponse(book), batch)


def _written_errors(request: HttpRequest, batch: ImportBatch, wanted: str) -> HttpResponseBase:
    """What a job wrote, opened piece by piece."""
    try:
        key = UUID(wanted)
    except ValueError:
        raise Http404 from None
    found = Job.objects.visible_to(request.user).filter(kind=jobs.ERRORS, params__batch=batch.pk)
    job = get_object_or_404(found, pk=key, state=JobState.SUCCEEDED)
    stored = str(job.result.get("stored", ""))
    if not stored:
        messages.info(request, _("这份退回表已经有更新的了，请重新生成"))
        return redirect("imports:batch", pk=batch.pk)
    _record(request, batch, "import.errors", rows=job.result.get("marked", 0))
    response = StreamingHttpResponse(vault.read(stored))
    response["Content-Length"] = str(job.result["size"])
    return _as_errors(response, batch)


def _as_errors(response: FileResponse | StreamingHttpResponse, batch: ImportBatch) -> HttpResponseBase:
    several = batch.files.count() > 1
    name = f"{_('退回')}-{batch.pk}.{'zip' if several else 'xlsx'}"
    response["Content-Type"] = "application/zip" if several else _SPREADSHEET
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


@login_required
@never_cache
@require_GET
def findings(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Everything the check showed, in one workbook: numbers are masked, each download is audited."""
    batch = own_batch(request, pk)
    if not batch.findings_stored_as:
        raise Http404
    _record(request, batch, "import.findings")
    response = StreamingHttpResponse(vault.read(batch.findings_stored_as), content_type=_SPREADSHEET)
    name = _("核对明细-%(n)s.xlsx") % {"n": batch.pk}
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


@login_required
@never_cache
@require_GET
def original(request: HttpRequest, pk: int, position: int) -> HttpResponseBase:
    """A file as it was sent; each download is audited."""
    batch = _to_take_home(request, pk)
    file = get_object_or_404(batch.files, position=position)
    if not file.stored_as:
        raise Http404
    _record(request, batch, "import.download", file=position, sha256=file.sha256)

    def pieces() -> Iterator[bytes]:
        yield from vault.read(file.stored_as)

    response = StreamingHttpResponse(pieces(), content_type="application/octet-stream")
    response["Content-Length"] = str(file.size)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = content_disposition_header(True, file.name) or "attachment"
    return response


def _to_take_home(request: HttpRequest, pk: int) -> ImportBatch:
    batch = readable_batch(request, pk)
    if not takes_home(request, batch):
        raise PermissionDenied
    return batch


def _record(request: HttpRequest, batch: ImportBatch, action: str, **detail: Any) -> None:
    record(
        by=request.user,
        action=action,
        target_kind="import",
        target=batch.pk,
        county_code=batch.county_code,
        detail=detail,
    )
