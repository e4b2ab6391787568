"""Work a job.

1. Claim it by a conditional update: queued, or running with a lease that passed. Who loses, leaves.
2. Cut it into chunks once; the chunks are rows.
3. For each chunk not done: take it, work it in one transaction under the job's scope, and mark it done in that
   same transaction if it is still ours. A worker paused past its lease finds its chunk taken and rolls back.
4. A heart beats in a thread of its own and extends the lease.
5. A chunk that fails three times fails the job, with an error a person can read.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import close_old_connections, connection, transaction
from django.db.models import F, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from foundation.jobs.kinds import JobFailed, JobKind, job_kind
from foundation.jobs.models import Job, JobChunk, JobState
from foundation.scope.context import places_scope
from foundation.scope.places import Places

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
HEARTBEAT_SECONDS = 8.0
ATTEMPTS = 3


class LeaseLost(Exception):
    """Another worker took the job; this one leaves without a trace."""


def run_job(job_id: str, *, worker: str, report: Callable[[Job], None] | None = None) -> str:
    """Claim and work a job to its end. Returns its state, or ``"taken"`` when another worker holds it."""
    if not _claim(job_id, worker):
        return "taken"
    job = Job.objects.get(pk=job_id)
    try:
        with _heartbeat(job_id, worker):
            _work(job, worker, report)
    except LeaseLost:
        return "taken"
    except JobFailed as error:
        _end(job, worker, JobState.FAILED, error=str(error))
    except Exception as error:
        log.exception("job %s (%s) failed", job.pk, job.kind)
        if job.attempt >= ATTEMPTS:
            _end(
                job,
                worker,
                JobState.FAILED,
                error=_("试了 %(n)s 次都没有做完（%(why)s）。已做完的部分都在，请重试或联系管理员。")
                % {"n": job.attempt, "why": type(error).__name__},
            )
        else:
            # Leave the lease to pass: the sweeper sends it again.
            Job.objects.filter(pk=job.pk, lease_owner=worker).update(state=JobState.QUEUED, lease_until=None)
    job.refresh_from_db()
    return str(job.state)


def _claim(job_id: str, worker: str) -> bool:
    now = timezone.now()
    claimable = Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING, lease_until__lt=now)
    taken = Job.objects.filter(claimable, pk=job_id).update(
        state=JobState.RUNNING, lease_owner=worker, lease_until=now + LEASE, attempt=F("attempt") + 1
    )
    if taken:
        Job.objects.filter(pk=job_id, started_at=None).update(started_at=now)
    return bool(taken)


@contextmanager
def _heartbeat(job_id: str, worker: str) -> Any:
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            try:
                close_old_connections()
                Job.objects.filter(pk=job_id, lease_owner=worker).update(lease_until=timezone.now() + LEASE)
            except Exception as error:  # noqa: BLE001 - a broken connection must not stop the heart
                log.warning("heartbeat of job %s missed: %s", job_id, type(error).__name__)
        connection.close()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)


def _places(job: Job) -> Places:
    return Places(frozenset(job.places.get("townships", [])), frozenset(job.places.get("units", [])))


def _work(job: Job, worker: str, report: Callable[[Job], None] | None) -> None:
    kind = job_kind(job.kind)
    if not job.planned:
        _plan(job, kind, worker)
    while True:
        chunk = _take_chunk(job, worker)
        if chunk is None:
            break
        job.refresh_from_db()
        if job.cancel_requested:
            _end(job, worker, JobState.CANCELLED)
            return
        _work_chunk(job, kind, chunk, worker)
        if report is not None:
            job.refresh_from_db()
            report(job)
    with places_scope(_places(job)):
        results = list(job.chunks.order_by("index").values_list("result", flat=True))
        result = kind.finish(job, results)
    _end(job, worker, JobState.SUCCEEDED, result=result)


def _plan(job: Job, kind: JobKind, worker: str) -> None:
    with places_scope(_places(job)):
        chunks = kind.plan(job)
        JobChunk.objects.bulk_create(
            JobChunk(job=job, index=i, spec=c.spec, weight=c.weight) for i, c in enumerate(chunks)
        )
        held = Job.objects.filter(pk=job.pk, lease_owner=worker, planned=False).update(
            planned=True, total=sum(c.weight for c in chunks)
        )
        if not held:
            transaction.set_rollback(True)
            raise LeaseLost


def _take_chunk(job: Job, worker: str) -> JobChunk | None:
    chunk = job.chunks.exclude(state=JobState.SUCCEEDED).order_by("index").first()
    if chunk is None:
        return None
    if not Job.objects.filter(pk=job.pk, lease_owner=worker).exists():
        raise LeaseLost
    if chunk.attempt >= ATTEMPTS:
        raise JobFailed(
            _("第 %(n)s 部分试了三次都没有做完：%(why)s")
            % {"n": chunk.index + 1, "why": chunk.error or _("工作进程中断")}
        )
    JobChunk.objects.filter(pk=chunk.pk).update(
        state=JobState.RUNNING, owner=worker, attempt=F("attempt") + 1
    )
    return chunk


def _work_chunk(job: Job, kind: JobKind, chunk: JobChunk, worker: str) -> None:
    try:
        with places_scope(_places(job)):
            result = kind.work(job, chunk.spec)
            done = JobChunk.objects.filter(pk=chunk.pk, owner=worker, state=JobState.RUNNING).update(
                state=JobState.SUCCEEDED, result=result, error=""
            )
            if not done:
                raise LeaseLost
    except (LeaseLost, JobFailed):
        raise
    except Exception as error:
        JobChunk.objects.filter(pk=chunk.pk, owner=worker).update(error=f"{type(error).__name__}")
        if chunk.attempt + 1 >= ATTEMPTS:
            raise
        log.warning("chunk %s of job %s failed (%s), trying again", chunk.index, job.pk, type(error).__name__)
        return
    done_weight = job.chunks.filter(state=JobState.SUCCEEDED).aggregate(n=Sum("weight"))["n"] or 0
    Job.objects.filter(pk=job.pk, lease_owner=worker).update(
        done=done_weight, lease_until=timezone.now() + LEASE
    )


def _end(
    job: Job, worker: str, state: JobState, *, result: dict[str, Any] | None = None, error: str = ""
) -> None:
    Job.objects.filter(pk=job.pk, lease_owner=worker).update(
        state=state, result=result or {}, error=error, finished_at=timezone.now(), lease_until=None
    )
