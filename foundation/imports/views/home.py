"""Hand a file over; below, what was handed over before."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from foundation.imports import jobs
from foundation.imports.engine.tables import field_label
from foundation.imports.kinds import ImportKind, ImportRefused
from foundation.imports.models import BatchState, ImportBatch, ReturnedRow
from foundation.imports.queries import Titles
from foundation.imports.senders import sender_name
from foundation.imports.services.receive import Terms, Upload, receive_once
from foundation.imports.views.shared import readable_kinds
from foundation.sheets import Limits

_PER_PAGE: Final = 50


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    """Choose what the file is, hand it over."""
    kinds = readable_kinds(request)
    wanted = request.POST.get("kind") or request.GET.get("kind", "")
    kind = next((each for each in kinds if each.name == wanted), None)
    if kind is None and kinds:
        kind = _usual(request, kinds)
    problem = ""
    if request.method == "POST":
        if kind is None or kind.name != wanted:
            raise PermissionDenied  # a file is never taken for another kind than its sender named
        try:
            return redirect("imports:batch", pk=_receive(request, kind).pk)
        except ImportRefused as error:
            problem = str(error)
    context = {
        "kinds": kinds,
        "kind": kind,
        "options": [
            (option, request.POST.get(option.name) or request.GET.get(option.name, ""))
            for option in kind.options(request.user)
        ]
        if kind
        else [],
        "full_list": bool(request.POST.get("full_list")),
        "needed": _needed(kind) if kind else [],
        "most_bytes": Limits().file_bytes,
        "problem": problem,
        **_history(request, kinds),
    }
    return render(request, "imports/home.html", context, status=400 if problem else 200)


def _usual(request: HttpRequest, kinds: list[ImportKind]) -> ImportKind:
    """What the person handed over last, else the first kind of her post."""
    last = (
        ImportBatch.objects.filter(uploaded_by=request.user.pk).order_by("-pk").values_list("kind", flat=True)
    )
    return next((each for each in kinds if each.name == last.first()), kinds[0])


def _needed(kind: ImportKind) -> list[str]:
    groups = [_("或").join(field_label(field) for field in group) for group in kind.any_of]
    return [*(field_label(field) for field in kind.required), *groups]


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
    with transaction.atomic():
        batch, is_new = receive_once(by=user, terms=terms, uploads=uploads)
        if is_new:
            jobs.submit(by=user, batch=batch, step=jobs.CHECK)
    return batch


def _history(request: HttpRequest, kinds: list[ImportKind]) -> dict[str, Any]:
    """What was handed over before: who, when, what, the file's hash, what came of it."""
    batches = ImportBatch.objects.visible_to(request.user)
    known = batches.order_by("kind").values_list("kind", flat=True).distinct()
    wanted, state = request.GET.get("list", ""), request.GET.get("state", "")
    if wanted:
        batches = batches.filter(kind=wanted)
    if state in BatchState.values:
        batches = batches.filter(state=state)
    page = Paginator(batches.select_related("uploaded_by__agency").order_by("-pk"), _PER_PAGE).get_page(
        request.GET.get("page")
    )
    waiting = dict(
        ReturnedRow.objects.filter(batch__in=[batch.pk for batch in page])
        .waiting()
        .values_list("batch_id")
        .annotate(n=Count("pk"))
    )
    title = Titles()
    return {
        "page": page,
        "rows": [
            (batch, title(batch), sender_name(batch.uploaded_by), waiting.get(batch.pk, 0)) for batch in page
        ],
        "lists": [(name, title(ImportBatch(kind=name))) for name in known],
        "list": wanted,
        "state": state,
        "states": BatchState.choices,
        "narrowed": urlencode({"kind": request.GET.get("kind", ""), "list": wanted, "state": state}),
    }
