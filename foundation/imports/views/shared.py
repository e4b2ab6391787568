"""Who may read a file's page, act on it, and take whole numbers home."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from foundation.imports.kinds import ImportKind, ImportRefused, kinds_for
from foundation.imports.models import ImportBatch
from foundation.imports.senders import desk_of


def own_kinds(request: HttpRequest) -> list[ImportKind]:
    """The kinds the person's post imports. Raises PermissionDenied for a post that imports none."""
    kinds = kinds_for(request.user)
    if not kinds:
        raise PermissionDenied
    return kinds


def readable_kinds(request: HttpRequest) -> list[ImportKind]:
    """The kinds the person's post imports; none for who audits them and sends nothing.

    Raises PermissionDenied for who does neither.
    """
    kinds = kinds_for(request.user)
    if not kinds and not getattr(request.user, "audits_all_work", False):
        raise PermissionDenied
    return kinds


def readable_batch(request: HttpRequest, pk: int) -> ImportBatch:
    """A batch the person sees."""
    readable_kinds(request)
    batches = ImportBatch.objects.visible_to(request.user).select_related("uploaded_by__agency")
    return get_object_or_404(batches, pk=pk)


def own_batch(request: HttpRequest, pk: int) -> ImportBatch:
    """A batch the person may act on: of a kind her post imports."""
    batch = readable_batch(request, pk)
    if not acts_on(request, batch):
        raise PermissionDenied
    return batch


def acts_on(request: HttpRequest, batch: ImportBatch) -> bool:
    """Whether the batch is of a kind the person's post imports."""
    return batch.kind in {kind.name for kind in kinds_for(request.user)}


def takes_home(request: HttpRequest, batch: ImportBatch) -> bool:
    """Whether the person may download what names people in full: its sender, or a bureau that keeps the register."""
    user = request.user
    if not acts_on(request, batch):
        return False
    sent = batch.uploaded_by_id is not None and batch.uploaded_by_id == user.pk
    desk = desk_of(user)
    return sent or (bool(desk) and batch.sender == desk) or getattr(user, "reads_numbers", False)


def act(request: HttpRequest, batch: ImportBatch, what: Callable[[], object]) -> HttpResponse:
    """Do it, or say on the batch's page why not."""
    try:
        with transaction.atomic():
            what()
    except ImportRefused as error:
        messages.error(request, str(error))
    return redirect("imports:batch", pk=batch.pk)
