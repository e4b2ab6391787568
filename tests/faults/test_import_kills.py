"""`make faults`: a county's file going in while its worker and its PostgreSQL are killed, at ten random points.

Servers of the test's own, durable ones, since those of the suite may lose what they wrote. After each kill the whole batch
is in the register or nothing of it; the job goes on by itself or says that it failed; and in the end every row is in.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from portal.embedded.services import _joined

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

PROJECT = Path(__file__).resolve().parents[2]
RESIDENTS = 8_000
KILLS = 10
VICTIMS = ("worker", "postgres", "both")
# Where in an apply to strike: while a statement of these words is under way, in their order.
STATEMENTS = (
    "import_people", "INSERT INTO enrollment_household", "INSERT INTO enrollment_resident",
    "INSERT INTO enrollment_registration", "touched", "DELETE FROM import_staging", "COMMIT",
)  # fmt: skip
_PATIENCE = 180.0


@dataclass
class County:
    """The servers, the desk's process, and what stands in the database."""

    data: Path
    files: Path
    rows: int = 0

    def environment(self) -> dict[str, str]:
        """Where the servers are now: one that was killed may have come back at another port."""
        urls = {
            name: json.loads((self.data / service / "state.json").read_text(encoding="utf-8"))["url"]
            for service, name in (("pg", "DATABASE_URL"), ("valkey", "REDIS_URL"))
        }
        return {
            **os.environ, **urls, "PORTAL_DATA_DIR": str(self.data), "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PYTHONPATH": str(PROJECT),
        }  # fmt: skip

    def manage(self, *arguments: str) -> None:
        """A command of the portal."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=PROJECT, env=self.environment(), capture_output=True,
            text=True, timeout=280, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]

    def desk(self, *command: object) -> Any:
        """Ask the desk; a fresh process each time, as the servers come and go."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.import_desk"], cwd=PROJECT, env=self.environment(),
            input=json.dumps(command) + "\n", capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        told = json.loads(done.stdout.splitlines()[-1])
        assert "error" not in told, told
        return told["answer"]

    def ask(self, query: str, *values: object) -> tuple[Any, ...]:
        """One row, as the owner; waits for a server that is coming back."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                connection = psycopg2.connect(self.environment()["DATABASE_URL"])
                try:
                    with connection.cursor() as cursor:
                        cursor.execute(query, values)
                        row = cursor.fetchone()
                        assert row is not None
                        return tuple(row)
                finally:
                    connection.close()
            except (psycopg2.OperationalError, FileNotFoundError, ValueError):
                assert time.monotonic() < deadline, "the server did not come back"
                time.sleep(0.1)

    def counts(self) -> tuple[Any, ...]:
        """Registrations, residents, households."""
        return self.ask(
            "SELECT (SELECT count(*) FROM enrollment_registration), (SELECT count(*) FROM enrollment_resident),"
            " (SELECT count(*) FROM enrollment_household)"
        )

    def job(self, job: str) -> tuple[Any, ...]:
        """State and error."""
        return self.ask("SELECT state, error FROM jobs_job WHERE id = %s", job)

    def batch(self, batch: int) -> str:
        """State."""
        return str(self.ask("SELECT state FROM imports_importbatch WHERE id = %s", batch)[0])

    def kill_postgres(self) -> None:
        """kill -9 of the postmaster; its keeper starts it again."""
        pid = json.loads((self.data / "pg" / "server.json").read_text(encoding="utf-8"))["pid"]
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if json.loads((self.data / "pg" / "state.json").read_text(encoding="utf-8"))["pid"] != pid:
                    return
            except (FileNotFoundError, ValueError):
                pass
            time.sleep(0.05)
        pytest.fail("the keeper did not start the server again")

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """A Celery worker with its clock, killed whole on the way out."""
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "portal", "worker", "-c", "1", "--loglevel=ERROR"],
            env=self.environment(), cwd=PROJECT, start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process
        finally:
            with_children = os.getpgid(process.pid)
            os.killpg(with_children, signal.SIGKILL)
            process.wait(timeout=20)

    def strike_in(self, words: str, job: str) -> None:
        """Come back while a statement with these words runs; also when the job has ended, having been too fast."""
        connection = psycopg2.connect(self.environment()["DATABASE_URL"])
        connection.autocommit = True
        with connection.cursor() as cursor:
            deadline = time.monotonic() + _PATIENCE
            while time.monotonic() < deadline:
                cursor.execute(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
                    " AND query LIKE %s), (SELECT state IN ('succeeded', 'failed') FROM jobs_job WHERE id = %s)",
                    [f"%{words}%", job],
                )
                row = cursor.fetchone()
                if row is None or row[0] or row[1]:
                    break
        connection.close()

    def until(self, job: str, states: set[str], seconds: float = _PATIENCE) -> str:
        """Wait for a job to come into one of these states."""
        deadline = time.monotonic() + seconds
        while True:
            state, error = self.job(job)
            if state in states:
                return str(state)
            assert time.monotonic() < deadline, (state, error)
            time.sleep(0.02)


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    """A county of six thousand, its files, its own servers."""
    data = tmp_path_factory.mktemp("kills", numbered=True)
    data.chmod(0o755)
    with _joined(("pg", "valkey"), data):
        made = County(data, data / "files")
        (data / "static").mkdir(exist_ok=True)
        made.manage("migrate", "--no-input", "-v", "0")
        made.manage("load_county", "370406")
        made.manage("load_plan", "shanting-2023")
        made.manage(
            "make_county",
            "--county",
            "370406",
            "--residents",
            str(RESIDENTS),
            "--seed",
            "7",
            "--out",
            str(made.files),
        )
        made.desk("user")
        yield made


def _finish(county: County, batch: int, step: str, job: str) -> None:
    """Let a worker live: the job goes on by itself, or has said that it failed and is asked for again."""
    county.desk("wake")
    with county.worker():
        state = county.until(job, {"succeeded", "failed"})
        if state == "failed":
            assert county.job(job)[1], "a failed job says why"
            again = county.desk("submit", batch, step)
            assert county.until(again, {"succeeded", "failed"}) == "succeeded", county.job(again)


def _timed(county: County, path: Path) -> tuple[int, dict[str, float], tuple[Any, ...]]:
    """One undisturbed import: its batch, the seconds of its two jobs, and what it makes."""
    batch = county.desk("receive", str(path))
    seconds = {}
    with county.worker():
        for step in ("check", "apply"):
            job = county.desk("submit", batch, step)
            county.until(job, {"running", "succeeded"})
            started = time.monotonic()
            assert county.until(job, {"succeeded", "failed"}) == "succeeded", county.job(job)
            seconds[step] = time.monotonic() - started
    return batch, seconds, county.counts()


def test_ten_kills_leave_the_whole_batch_or_nothing(county: County) -> None:
    """Worker, PostgreSQL, or both, while the file is checked or applied."""
    chance = random.Random(20221130)
    path = county.files / "registration.csv"
    first, seconds, whole = _timed(county, path)
    assert whole[0] > RESIDENTS
    assert county.desk("undo", first) == "undone"
    nothing = county.counts()
    assert nothing[:2] == (0, 0)
    story = []
    for kill in range(KILLS):
        step, victim = ("check", "apply")[kill % 2], VICTIMS[kill % 3]
        batch = county.desk("receive", str(path))
        with county.worker():
            if step == "apply":
                job = county.desk("submit", batch, "check")
                assert county.until(job, {"succeeded", "failed"}) == "succeeded", county.job(job)
            job = county.desk("submit", batch, step)
            county.until(job, {"running", "succeeded"})
            if step == "apply":
                county.strike_in(chance.choice(STATEMENTS), job)
                time.sleep(chance.uniform(0.0, 0.02))
            else:
                time.sleep(chance.uniform(0.0, seconds[step]))
            if victim in ("postgres", "both"):
                county.kill_postgres()
            if victim == "postgres":
                time.sleep(chance.uniform(0.0, 1.0))  # the worker finds out for itself
        # Everybody is dead or cut off by now: what stands is what was committed.
        counts, state = county.counts(), county.batch(batch)
        story.append((step, victim, counts[0], state))
        assert counts in (nothing, whole), story
        assert (state == "applied") == (counts == whole), story
        if state != "applied":
            _finish(county, batch, step, job)
            if step == "check":
                job = county.desk("submit", batch, "apply")
                with county.worker():
                    assert county.until(job, {"succeeded", "failed"}) == "succeeded", county.job(job)
        assert county.batch(batch) == "applied", story
        assert county.counts() == whole, story
        assert county.desk("undo", batch) == "undone"
        assert county.counts() == nothing, story
    assert sum(state != "applied" for step, _victim, _rows, state in story) >= KILLS // 2, story
    # What killed processes had open is swept by the next that works; staging is empty.
    with county.worker():
        batch = county.desk("receive", str(path))
        for step in ("check", "apply"):
            job = county.desk("submit", batch, step)
            assert county.until(job, {"succeeded", "failed"}) == "succeeded"
    assert list((county.data / "work").glob("import-work-*")) == []
    assert county.ask("SELECT count(*) FROM import_staging_registration") == (0,)
