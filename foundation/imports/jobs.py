"""Checking and applying as background jobs: one transaction each, progress seen from outside it; large errors, too.

A check looks at the columns first and commits what it found, so that a file whose columns are not understood can be
explained on the page instead of being sent again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation.imports.engine import vault
from foundation.imports.kinds import ImportRefused, import_kind
from foundation.imports.models import ImportBatch
from foundation.imports.services.apply import apply
from foundation.imports.services.check import check, look
from foundation.imports.services.errors import write_error_book
from foundation.jobs.kinds import Chunk, JobFailed, JobKind
from foundation.jobs.models import Job, JobState
from foundation.jobs.services import queue
from foundation.scope.places import Places

log = logging.getLogger(__name__)

KIND: Final = "import"
ERRORS: Final = "import_errors"
LOOK, CHECK, APPLY = "look", "check", "apply"
# A job counts in thousandths, since the number of rows is known only when they have been read.
_WHOLE: Final = 1000
_SHARES: Final = {
    CHECK: {"read": (0, 860), "check": (860, 60), "find": (920, 60)},
    APPLY: {"read": (0, 600), "check": (600, 50)},
}
_BEAT_SECONDS: Final = 1.0
_MEASURED: Final = 10


class _Watched:
    """Shows a transaction's progress on its job from a thread of its own, and hears there when to stop."""

    def __init__(self, job: Job, step: str) -> None:
        self._job, self._shares = job, _SHARES[step]
        self._done = 0
        self._rows = (0, 0)
        self._seen: deque[tuple[float, int]] = deque(maxlen=_MEASURED)
        self._stopped = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(timeout=5)

    def report(self, what: str, done: int, total: int) -> None:
        """The import's progress callback. Raises JobFailed when somebody asked to stop."""
        if self._stopped:
            raise JobFailed(_("已停下，什么都没有写入。文件还在，可以重新检查"))
        start, length = self._shares.get(what, (_WHOLE - 1, 0))
        self._done = start + (length * done // total if total else 0)
        if what == "read":
            self._rows = (done, total)

    def _pace(self) -> dict[str, Any]:
        """Rows read, of how many, and how many a second over the last beats."""
        rows, of = self._rows
        if not rows:
            return {}
        self._seen.append((time.monotonic(), rows))
        (since, before), (now, _rows) = self._seen[0], self._seen[-1]
        return {
            "rows": rows,
            "of": of,
            "per_second": int((rows - before) / (now - since)) if now > since else 0,
        }

    def _beat(self) -> None:
        try:
            while not self._end.wait(_BEAT_SECONDS):
                jobs = Job.objects.filter(pk=self._job.pk)
                jobs.update(done=self._done, result=self._pace())
                self._stopped = jobs.filter(cancel_requested=True).exists()
        except Exception as error:  # noqa: BLE001 - progress is a courtesy: the work goes on without it
            log.warning("progress of import job %s is not shown: %s", self._job.pk, type(error).__name__)
        finally:
            connection.close()


def _plan(job: Job) -> Sequence[Chunk]:
    if job.params["step"] == CHECK:
        return [Chunk({"step": LOOK}, weight=1), Chunk({"step": CHECK}, weight=_WHOLE - 1)]
    return [Chunk({"step": APPLY}, weight=_WHOLE)]


def _work(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    batch = ImportBatch.objects.get(pk=job.params["batch"])
    places = Places(frozenset(job.places["townships"]), frozenset(job.places["units"]))
    if spec["step"] == LOOK:
        try:
            look(batch=batch)
        except ImportRefused as error:
            raise JobFailed(str(error)) from None
        return {}
    act = check if spec["step"] == CHECK else apply
    with _Watched(job, spec["step"]) as watched:
        try:
            act(by=job.requested_by, batch=batch, places=places, progress=watched.report)
        except ImportRefused as error:
            raise JobFailed(str(error)) from None
    return {
        "read": batch.read_count,
        "accepted": batch.accepted_count,
        "new": batch.new_count,
        "changed": batch.changed_count,
        "unchanged": batch.unchanged_count,
        "rejected": batch.rejected_count,
    }


def _finish(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    return results[-1]


JOB_KIND: Final = JobKind(KIND, str(gettext_lazy("导入名单")), _plan, _work, _finish)


def _plan_errors(job: Job) -> Sequence[Chunk]:
    return [Chunk({})]


def _work_errors(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    """Write the errors of a large file and keep them sealed until they are taken home; the ones before go."""
    batch = ImportBatch.objects.get(pk=job.params["batch"])
    with vault.folder() as folder:
        book = folder / "errors"
        try:
            with book.open("w+b") as target:
                rows = write_error_book(batch, target)
        except ImportRefused as error:
            raise JobFailed(str(error)) from None
        with book.open("rb") as source:
            stored = vault.store(source, folder=f"imports/{batch.county_code}")
    earlier = Job.objects.filter(kind=ERRORS, key=job.key, state=JobState.SUCCEEDED)
    old = [str(each.result["stored"]) for each in earlier if each.result.get("stored")]
    earlier.update(result={})

    def remove() -> None:
        for name in old:
            vault.remove(name)

    transaction.on_commit(remove)
    return {"marked": rows, "stored": stored.name, "size": stored.size}


ERRORS_KIND: Final = JobKind(ERRORS, str(gettext_lazy("生成退回表")), _plan_errors, _work_errors, _finish)


def submit_errors(*, by: Any, batch: ImportBatch) -> Job:
    """Queue the writing of a batch's errors; asked for twice at once it is one job."""
    return queue.submit(
        by=by,
        kind=ERRORS,
        county_code=batch.county_code,
        params={"batch": batch.pk},
        key=f"{batch.pk}:errors",
    )


def submit(*, by: Any, batch: ImportBatch, step: str) -> Job:
    """Queue the checking or applying of a batch; the same step asked for twice is one job."""
    import_kind(batch.kind)
    job = queue.submit(
        by=by,
        kind=KIND,
        county_code=batch.county_code,
        params={"batch": batch.pk, "step": step},
        key=f"{batch.pk}:{step}",
    )
    ImportBatch.objects.filter(pk=batch.pk).update(job_id=job.pk)
    batch.job_id = job.pk
    return job
