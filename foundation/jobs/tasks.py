"""Thin carriers: an id in, a service call, nothing returned."""

from __future__ import annotations

import uuid

from celery import shared_task

from foundation.jobs.services import queue
from foundation.jobs.services.run import run_job


@shared_task(name="foundation.jobs.tasks.run")
def run(job_id: str) -> None:
    """Work one job, unless somebody holds it."""
    run_job(job_id, worker=f"worker-{uuid.uuid4()}")


@shared_task(name="foundation.jobs.tasks.sweep")
def sweep() -> None:
    """Send silent jobs again."""
    queue.sweep()
