"""Thin carriers."""

from __future__ import annotations

from celery import shared_task

from contributions.services import reassess


# A look that waited longer than this has been overtaken by the next beat.
@shared_task(name="contributions.tasks.reassess", expires=50)
def sweep_pending() -> None:
    """Assess again whose facts changed and whom nobody has asked for."""
    reassess.sweep_pending()
