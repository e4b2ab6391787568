"""Thin carriers."""

from __future__ import annotations

from celery import shared_task

from progress.services import figures


# A fold that waited longer than this has been overtaken by the next beat.
@shared_task(name="progress.tasks.fold", expires=10)
def fold() -> None:
    """Fold open deltas into the figures and settle requests for a recount."""
    figures.fold()
