"""Long runs of `make faults`: real Celery workers killed at random points of the county job."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foundation.jobs.models import Job, JobState
from foundation.scope.context import places_scope
from rosters.models import RosterLine
from tests.rosters.test_job import expected_digests, populate, said, submit

pytestmark = pytest.mark.faults


@contextmanager
def celery_worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with its clock, in a process group of its own; killed whole on the way out."""
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "portal", "worker", "-c", "1", "--beat", "--loglevel=ERROR",
         "--schedule", str(folder / f"beat-{time.monotonic_ns()}")],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "portal.settings"}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_workers_end_with_the_same_rosters(stack: str, tmp_path: Path, seed: int) -> None:
    """kill -9 of the worker's whole group at random points, then one that may live: hash for hash the same."""
    chance = random.Random(seed)
    village = populate()
    wanted = expected_digests(village)
    job = submit(village)
    for _kill in range(2):
        with celery_worker(tmp_path):
            deadline = time.monotonic() + 40
            while Job.objects.get(pk=job.pk).state == JobState.QUEUED and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.15))
    with celery_worker(tmp_path):
        deadline = time.monotonic() + 200
        while Job.objects.get(pk=job.pk).state in (JobState.QUEUED, JobState.RUNNING):
            assert time.monotonic() < deadline, "nobody finished the job"
            time.sleep(0.5)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.error
    assert said(village) == wanted
    with places_scope(village.cast.places):
        assert RosterLine.objects.count() == 30
