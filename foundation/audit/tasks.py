from __future__ import annotations

from celery import shared_task

from foundation.audit import services


@shared_task(name="foundation.audit.tasks.seal")
def seal() -> None:
    """Chain the events of the last minute."""
    services.seal()
