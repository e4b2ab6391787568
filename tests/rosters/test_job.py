"""The county job: whatever dies, the rosters are the same, hash for hash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from io import StringIO
from typing import Any

import psycopg2
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from foundation.jobs.models import Job, JobChunk, JobState
from foundation.jobs.services import queue
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from rosters.models import Roster, RosterKind, RosterLine
from rosters.queries import recompute_digest
from rosters.services.generate import request_rosters
from tests.rosters.conftest import Village, build_village

CHILD = "import sys, django; django.setup(); from foundation.jobs.tasks import run; run(sys.argv[1])"


@pytest.fixture
def county(stack: str) -> Village:
    """Three villages with committed data, one chunk each."""
    return populate()


def populate() -> Village:
    """The same people in whatever database is pointed at."""
    village = build_village()
    cast = village.cast
    for unit, surname in ((cast.dong, "赵"), (cast.xi, "钱"), (cast.nan, "孙")):
        for n in range(1, 6):
            village.family(unit, f"{n:05d}", [f"{surname}大{n}", f"{surname}小{n}"], group=f"{n}组")
    return village


def submit(village: Village, kind: RosterKind = RosterKind.LEVY) -> Job:
    """Ask for the whole county in chunks of one village."""
    return request_rosters(
        by=village.cast.user("tax_bureau"), plan=village.plan, kind=kind, chunk_registrations=10
    )


def said(village: Village) -> dict[str, str]:
    """The digest of every sealed version by its number, each recomputed from its stored lines."""
    with places_scope(village.cast.places):
        for roster in Roster.objects.select_related("plan", "unit"):
            assert recompute_digest(roster) == roster.digest
        return dict(Roster.objects.values_list("number", "digest"))


def worker(job: Job) -> subprocess.Popen[bytes]:
    """A worker process of its own that carries the job's task."""
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "portal.settings"}
    return subprocess.Popen([sys.executable, "-c", CHILD, str(job.pk)], env=env, stderr=subprocess.DEVNULL)


def wait_for(condition: Any, seconds: float = 60.0) -> None:
    """Until something holds in the database."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the worker did not get there"
        time.sleep(0.05)


def expected_digests(village: Village) -> dict[str, str]:
    """What an unkilled run seals: worked out in a transaction that is rolled back."""
    from django.db import transaction

    with transaction.atomic():
        village.seal(village.cast.dong, village.cast.xi, village.cast.nan)
        digests = said(village)
        transaction.set_rollback(True)
    return digests


@pytest.mark.covers("E073")
def test_worker_killed_in_the_middle_ends_with_the_same_rosters(county: Village) -> None:
    """kill -9 while a chunk inserts its roster: the half chunk vanishes, the next worker finishes, hash for hash."""
    wanted = expected_digests(county)
    job = submit(county)
    # Somebody else's uncommitted row under the second village's roster number: the worker's insert waits for it.
    blocker = psycopg2.connect(os.environ["DATABASE_URL"])
    with blocker.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rosters_roster (township_id, unit_id, plan_id, kind, version, number, as_of, digest,"
            " line_count, household_count, totals) VALUES (%s, %s, %s, 'levy', 1, %s, now(), '', 0, 0, '{}')",
            [
                county.cast.xi.township_id, county.cast.xi.pk, county.plan.pk,
                f"370406-2023-L-{county.cast.xi.code}-001",
            ],
        )  # fmt: skip
        child = worker(job)
        try:
            wait_for(lambda: JobChunk.objects.filter(job=job, index=0, state=JobState.SUCCEEDED).exists())
            wait_for(lambda: waits_for(blocker))
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait(timeout=10)
    blocker.rollback()
    blocker.close()
    with places_scope(county.cast.places):
        assert [r.unit_id for r in Roster.objects.all()] == [county.cast.dong.pk]
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    assert run_job(str(job.pk), worker="early") == "taken", "the dead worker's lease still holds"
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert run_job(str(job.pk), worker="second") == JobState.SUCCEEDED
    job.refresh_from_db()
    assert (job.attempt, job.result["rosters"], job.result["lines"]) == (2, 3, 30)
    assert said(county) == wanted
    with places_scope(county.cast.places):
        assert RosterLine.objects.count() == 30


def waits_for(blocker: Any) -> bool:
    """Whether some session waits for the blocker's row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND %s = ANY (pg_blocking_pids(pid))",
            [blocker.info.backend_pid],
        )
        return bool(cursor.fetchall()[0][0])


def test_second_request_joins_the_first(county: Village) -> None:
    """The same thing asked for twice is one job; another kind or another township is another one."""
    first = submit(county)
    assert submit(county).pk == first.pk
    assert submit(county, RosterKind.PAYMENT).pk != first.pk
    other = request_rosters(
        by=county.cast.user("tax_bureau"), plan=county.plan, kind=RosterKind.LEVY, township=county.cast.jia
    )  # fmt: skip
    assert other.pk != first.pk
    queue.cancel(by=county.cast.user("tax_bureau"), job=first)
    assert submit(county).pk != first.pk


def test_clerk_seals_her_township_alone(county: Village) -> None:
    """A clerk's job runs under her places: the other township's roster is not made."""
    job = request_rosters(by=county.cast.user("township_clerk"), plan=county.plan, kind=RosterKind.LEVY)
    assert run_job(str(job.pk), worker="one") == JobState.SUCCEEDED
    with places_scope(county.cast.places):
        units = set(Roster.objects.values_list("unit", flat=True))
    assert units == {county.cast.dong.pk, county.cast.xi.pk}


def test_cancelled_job_keeps_what_is_done(county: Village) -> None:
    """Stopping ends at the next chunk; sealed rosters stay, and asking again makes the rest."""
    job = submit(county)
    seen: list[int] = []

    def stop(running: Job) -> None:
        seen.append(running.done)
        queue.cancel(by=county.cast.user("tax_bureau"), job=running)

    assert run_job(str(job.pk), worker="one", report=stop) == JobState.CANCELLED
    with places_scope(county.cast.places):
        assert Roster.objects.count() == 1
    again = submit(county)
    assert run_job(str(again.pk), worker="two") == JobState.SUCCEEDED
    again.refresh_from_db()
    assert (again.result["rosters"], again.result["new"]) == (3, 2)


@pytest.mark.parametrize(
    ("kind", "message"),
    [("reference", "还没有上年缴费记录"), ("levy", "还没有核定应缴")],
    ids=["reference", "levy"],
)
def test_nothing_to_list_is_said_plainly(county: Village, kind: str, message: str) -> None:
    """Without last year's data, or before anybody is assessed, the job fails with a sentence, not a traceback."""
    from contributions.models import Charge

    with places_scope(county.cast.places):
        Charge.objects.update(current=False)
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as error:
        call_command(
            "generate_rosters", "--plan", "shanting-2023", "--kind", kind, "--wait", "--json", stdout=out, stderr=err
        )  # fmt: skip
    assert error.value.code == 1
    assert message in err.getvalue()
    assert json.loads(out.getvalue().splitlines()[-1])["state"] == "failed"


@pytest.mark.covers("E073")
def test_generate_rosters_command(county: Village) -> None:
    """``--wait`` follows the job to its end and prints CONTRACT's keys; a township narrows it by 9 or 12 digits."""
    out = StringIO()
    arguments = ["generate_rosters", "--plan", "shanting-2023", "--kind", "levy", "--wait", "--json"]
    call_command(*arguments, "--township", county.cast.yi.code[:9], stdout=out)
    answer = json.loads(out.getvalue().splitlines()[-1])
    assert set(answer) == {"job", "state", "rosters", "lines", "seconds"}
    assert (answer["state"], answer["rosters"], answer["lines"]) == ("succeeded", 1, 10)
    out = StringIO()
    call_command(*arguments, stdout=out)
    answer = json.loads(out.getvalue().splitlines()[-1])
    assert (answer["rosters"], answer["lines"]) == (3, 30)
    assert "1 of them unchanged" in out.getvalue()


@pytest.mark.parametrize("arguments", [["--plan", "nowhere-1999"], ["--township", "370406999"]])
def test_unknown_plan_or_township_is_unusable(county: Village, arguments: list[str]) -> None:
    """Exit 2 with one clear line."""
    err = StringIO()
    base = {"--plan": "shanting-2023"} | {arguments[0]: arguments[1]}
    flat = [part for pair in base.items() for part in pair]
    with pytest.raises(SystemExit) as error:
        call_command("generate_rosters", *flat, "--kind", "levy", stderr=err)
    assert error.value.code == 2
    assert err.getvalue().strip().count("\n") == 0
