"""Ask for background work, cancel it, wait for it, wake what went silent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import current_app
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from foundation.audit.services import record
from foundation.jobs.models import OPEN_STATES, Job, JobState
from foundation.jobs.services.run import run_job
from foundation.scope.places import HasPlaces, Places

log = logging.getLogger(__name__)

RUN_TASK = "foundation.jobs.tasks.run"
# A message may be lost with Redis: a job queued this long without a worker is sent again.
RESEND_AFTER = timedelta(seconds=30)


def submit(
    *, by: Any, kind: str, county_code: str, params: dict[str, Any], key: str, places: Places | None = None
) -> Job:
    """Queue a job, or join the open one with the same key. ``places`` default to the requester's scope."""
    holder: HasPlaces | None = by
    seen = places if places is not None else (holder.scope_places() if holder is not None else Places())
    try:
        with transaction.atomic():
            job = Job.objects.create(
                kind=kind,
                county_code=county_code,
                requested_by=by,
                places={"townships": sorted(seen.townships), "units": sorted(seen.units)},
                params=params,
                key=key,
            )
            record(by=by, action=f"job.{kind}", target_kind="job", target=job.pk, county_code=county_code)
    except IntegrityError:
        # The partial unique index says: the same thing is already asked for. Join it.
        joined = Job.objects.filter(kind=kind, key=key, state__in=OPEN_STATES).first()
        if joined is None:
            return submit(by=by, kind=kind, county_code=county_code, params=params, key=key, places=places)
        return joined
    transaction.on_commit(lambda: send(job))
    return job


def send(job: Job) -> None:
    """Hand the id to Celery. Without a broker the row waits for the sweeper: nothing is lost."""
    try:
        current_app.send_task(RUN_TASK, args=[str(job.pk)], retry=False)
    except Exception as error:  # noqa: BLE001 - whatever the broker fails of, the row is the truth
        log.warning("job %s stays queued: broker said %s", job.pk, type(error).__name__)


def cancel(*, by: Any, job: Job) -> None:
    """Stop a job at its next chunk; what is done stays done."""
    with transaction.atomic():
        Job.objects.filter(pk=job.pk, state__in=OPEN_STATES).update(cancel_requested=True)
        Job.objects.filter(pk=job.pk, state=JobState.QUEUED).update(
            state=JobState.CANCELLED, finished_at=timezone.now()
        )
        record(by=by, action="job.cancel", target_kind="job", target=job.pk, county_code=job.county_code)


def sweep() -> int:
    """Send again what went silent: leases that passed, and queued rows nobody picked up. Returns how many."""
    now = timezone.now()
    silent = Job.objects.filter(
        Q(state=JobState.RUNNING, lease_until__lt=now)
        | Q(state=JobState.QUEUED, created_at__lt=now - RESEND_AFTER)
    )
    jobs = list(silent.order_by("created_at")[:100])
    for job in jobs:
        send(job)
    return len(jobs)


def follow(job: Job, *, report: Callable[[Job], None], own_hands_after: float = 3.0) -> Job:
    """Wait for a job's end, reporting as it moves; with no worker alive, do the work in this process.

    The lease decides who works, so a worker that wakes up later changes nothing.
    """
    started = time.monotonic()
    while True:
        job.refresh_from_db()
        report(job)
        if job.state not in OPEN_STATES:
            return job
        stalled = job.state == JobState.QUEUED or (
            job.lease_until is not None and job.lease_until < timezone.now()
        )
        if stalled and time.monotonic() - started > own_hands_after:
            run_job(str(job.pk), worker=f"command-{time.monotonic_ns()}", report=report)
            continue
        time.sleep(0.2)
