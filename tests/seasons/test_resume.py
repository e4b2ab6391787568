"""The opening survives its worker: nobody carried twice, nobody forgotten."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.utils import timezone

from enrollment.models import Registration
from foundation.jobs.models import Job, JobChunk, JobState
from foundation.jobs.services import queue
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from seasons.models import Confirmation
from seasons.services.opening import request_opening
from tests.rosters.test_job import wait_for, waits_for, worker
from tests.seasons.conftest import Year, build_year


@pytest.fixture
def two_villages(stack: str, tmp_path: Path) -> Year:
    """Committed people in two villages, somebody of each to look at; one part a village."""
    year = build_year(tmp_path)
    for unit, name in ((year.cast.dong, "东"), (year.cast.nan, "南")):
        year.join(f"{name}一", unit=unit, tier="300")
        year.join(f"{name}二", unit=unit, employee_medical=True)
    year.assess()
    year.turn()
    return year


def ask(year: Year) -> Job:
    """The opening, cut finely."""
    return request_opening(by=year.cast.user("tax_bureau"), plan=year.new, source=year.old, part=1)


def carried(year: Year) -> tuple[set[tuple[int, str]], set[tuple[int, str]]]:
    """Who is registered for 2024, and who waits for what."""
    with places_scope(year.places):
        registered: Any = Registration.objects.filter(coverage_year=2024).values_list("resident", "insurance")
        listed: Any = Confirmation.objects.values_list("resident", "reason")
        return set(registered), set(listed)


def test_worker_killed_in_the_middle_of_a_part(two_villages: Year) -> None:
    """kill -9 while a part writes: the half part vanishes, the next worker finishes it, and nobody stands twice."""
    year = two_villages
    job = ask(year)
    blocker = psycopg2.connect(os.environ["DATABASE_URL"])
    person = year.people["南一"]
    with blocker.cursor() as cursor:
        cursor.execute(
            "INSERT INTO enrollment_registration (township_id, unit_id, village_id, resident_id, plan_id, insurance,"
            " coverage_year, is_new, missed_years, repaired_years, closing_reason)"
            " VALUES (%s, %s, %s, %s, %s, 'medical', 2024, false, 0, 0, '')",
            [person.township_id, person.unit_id, person.village_id, person.pk, year.new.pk],
        )
        child = worker(job)
        try:
            wait_for(lambda: waits_for(blocker))
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait(timeout=10)
    blocker.rollback()
    blocker.close()
    registered, _listed = carried(year)
    assert {resident for resident, _insurance in registered} == {year.people["东一"].pk}
    assert JobChunk.objects.filter(job=job, state=JobState.SUCCEEDED).exists()
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert run_job(str(job.pk), worker="second") == JobState.SUCCEEDED
    job.refresh_from_db()
    assert job.attempt == 2
    registered, listed = carried(year)
    assert registered == {
        (year.people[name].pk, insurance) for name in ("东一", "南一") for insurance in ("medical", "pension")
    }
    assert (year.people["南二"].pk, "employee_medical") in listed
    assert job.result["to_confirm"] == {"employee_medical": 2, "missed_last_year": 4}


def test_stopped_opening_goes_on_where_it_stopped(two_villages: Year) -> None:
    """Cancelled after its first part, asked for again: the rest is carried, the first part stays as it is."""
    year = two_villages
    job = ask(year)

    def stop(running: Job) -> None:
        registered, _listed = carried(year)
        if registered:
            queue.cancel(by=year.cast.user("tax_bureau"), job=running)

    assert run_job(str(job.pk), worker="one", report=stop) == JobState.CANCELLED
    first, _listed = carried(year)
    again = ask(year)
    assert again.pk != job.pk
    assert run_job(str(again.pk), worker="two") == JobState.SUCCEEDED
    registered, _listed = carried(year)
    again.refresh_from_db()
    assert first < registered
    assert again.result["registrations"] == len(registered) - len(first)


def test_the_same_opening_is_asked_for_once(two_villages: Year) -> None:
    """Two requests for one year are one job."""
    assert ask(two_villages).pk == ask(two_villages).pk
