"""Facts change: those they touch are assessed again, and nobody else's row is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from contributions.models import Assessment, Charge
from contributions.services import reassess
from contributions.services.assess import assess
from contributions.services.reassess import request_reassessment, sweep_pending, waiting_for
from enrollment.models import Membership, PendingAssessment, Resident
from enrollment.services import pending
from enrollment.services.register import change_membership, correct_resident
from foundation.clock.services import set_business_date
from foundation.imports.services.apply import undo
from foundation.jobs.models import Job
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from subsidies.services.life import publish_plan
from subsidies.services.plans import load_plan
from tests.factories import make_registration, make_resident
from tests.imports.office import Desk, make_desk, number_of
from townships.services.divisions import load_county

TODAY = date(2022, 11, 30)


@pytest.fixture
def desk(db: None) -> Iterator[Desk]:
    """山亭 under its real plan, everybody of three villages registered and assessed."""
    desk = make_desk()
    desk.plan.delete()
    load_county(by=None, code="370406")
    desk.plan = load_plan(by=None, path_or_code="shanting-2023").plan
    publish_plan(by=None, plan=desk.plan)
    set_business_date(county_code=desk.cast.county.code, day=TODAY)
    cast = desk.cast
    for place, unit in enumerate((cast.dong, cast.xi, cast.nan)):
        for sequence in (1, 2):
            number = number_of(sequence=10 * place + sequence)
            person = make_resident(cast, unit, name=f"张{unit.name[0]}{sequence}", number=number)
            make_registration(cast, person, desk.plan)
    with places_scope(cast.places):
        assess(by=None, plan=desk.plan)
        yield desk


def _stamps() -> dict[str, str]:
    """Which transaction and row version every assessment is of."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.name, a.xmin::text || '/' || a.cmin::text || a.ctid::text FROM contributions_assessment a"
            " JOIN enrollment_resident r ON r.id = a.resident_id WHERE a.insurance = 'medical'"
        )
        return dict(cursor.fetchall())


def _row(name: str, sequence: int, **values: str) -> dict[str, str]:
    return {
        "姓名": name,
        "身份证号": number_of(sequence=sequence),
        "认定时间": "2022.9.1",
        "止期": "",
    } | values


def _due(name: str) -> str:
    return str(Charge.objects.get(resident__name=name, insurance="medical", current=True).personal_amount)


def _settle(desk: Desk, places: Places | None = None) -> Job:
    """The reassessment asked for and worked to its end."""
    county = desk.cast.county
    job = request_reassessment(by=None, county=county, places=places or desk.cast.places)
    run_job(str(job.pk), worker="test")
    job.refresh_from_db()
    assert job.state == "succeeded", job.error
    return job


def test_a_list_touches_whom_it_names_and_nobody_else(desk: Desk) -> None:
    """One of six is listed: one is queued in the import's transaction, one assessment is rewritten, five stay."""
    before = _stamps()
    batch = desk.take("category", [_row("张东1", 1)], category_code="dibao")
    assert batch.summary["to_assess"] == 1
    assert [row.resident.name for row in PendingAssessment.objects.all() if row.resident] == ["张东1"]
    assert (_due("张东1"), _stamps()) == ("350.00", before), "the import itself assesses nobody"
    job = _settle(desk)
    assert (job.result["assessed"], job.result["changed"], job.result["charges"]) == (2, 1, 1)
    after = _stamps()
    assert {name for name in after if after[name] != before[name]} == {"张东1"}
    assert set(Assessment.objects.exclude(resident__name="张东1").values_list("priced_on", flat=True)) == {
        TODAY
    }
    assert (_due("张东1"), _due("张东2")) == ("0.00", "350.00")
    assert not PendingAssessment.objects.exists()


def test_undoing_the_list_touches_them_again(desk: Desk) -> None:
    """Taken back, the batch queues whom it named, and they owe again what they owed."""
    batch = desk.take("category", [_row("张东1", 1)], category_code="dibao")
    _settle(desk)
    undo(by=None, batch=batch, places=desk.cast.places)
    assert list(PendingAssessment.objects.values_list("resident__name", "why")) == [("张东1", "undone")]
    _settle(desk)
    assert _due("张东1") == "350.00"


def test_every_list_of_facts_is_seen(desk: Desk) -> None:
    """Deaths, employees and students queue whom they change; the same list again queues nobody."""
    deaths = [{"姓名": "张东1", "身份证号": number_of(sequence=1), "死亡时间": "2022-11-03", "镇街": "甲镇"}]
    desk.take("deaths", deaths)
    employed = [{"姓名": "张西1", "身份证号": number_of(sequence=11), "参保险种": "职工医保"}]
    desk.take("employee_insured", employed)
    desk.take("students", [{"姓名": "张南1", "身份证号": number_of(sequence=21), "学段": "高中"}])
    assert sorted(PendingAssessment.objects.values_list("resident__name", flat=True)) == [
        "张东1",
        "张南1",
        "张西1",
    ]
    _settle(desk)
    gone = Charge.objects.filter(resident__name__in=["张东1", "张西1"], current=True, insurance="medical")
    assert not gone.exists()
    desk.take("deaths", deaths)
    assert not PendingAssessment.objects.exists()


def test_a_correction_by_hand_is_settled_at_once(desk: Desk) -> None:
    """The last day of a membership is set at the counter: what is due follows in the same transaction."""
    desk.take("category", [_row("张东1", 1)], category_code="dibao")
    _settle(desk)
    before = _stamps()
    clerk = desk.cast.user("township_clerk")
    with places_scope(clerk.scope_places()):
        member = Membership.objects.get()
        change_membership(by=clerk, membership=member.pk, valid_to=date(2022, 11, 1), grade=None)
    assert _due("张东1") == "350.00"
    assert not PendingAssessment.objects.exists()
    after = _stamps()
    assert {name for name in after if after[name] != before[name]} == {"张东1"}
    correct_resident(by=clerk, resident=member.resident_id, address="东村 1 号")
    assert not PendingAssessment.objects.exists(), "an address touches nobody"


def test_while_a_long_job_is_at_work_a_correction_waits_in_the_queue(desk: Desk) -> None:
    """A county's assessing read the old fact: who is corrected meanwhile is settled after it."""
    desk.take("category", [_row("张东1", 1)], category_code="dibao")
    _settle(desk)
    job = Job.objects.create(kind="assess", county_code=desk.cast.county.code, key="x", state="running")
    change_membership(
        by=desk.cast.user("medical_bureau"), membership=Membership.objects.get().pk, valid_to=date(2022, 11, 1),
        grade=None,
    )  # fmt: skip
    assert PendingAssessment.objects.count() == 1
    assert _due("张东1") == "0.00"
    Job.objects.filter(pk=job.pk).update(state="succeeded")
    _settle(desk)
    assert _due("张东1") == "350.00"


def test_what_nobody_asks_for_is_done_by_the_clock(desk: Desk) -> None:
    """Two minutes after the list the beat queues one job for the county; a draft waits for somebody to ask."""
    desk.take("category", [_row("张东1", 1), _row("张南1", 21)], category_code="dibao")
    assert sweep_pending() == 0, "who imported it may press the button first"
    PendingAssessment.objects.update(since=timezone.now() - timedelta(minutes=3))
    type(desk.plan).objects.filter(pk=desk.plan.pk).update(status="draft")
    assert sweep_pending() == 0
    type(desk.plan).objects.filter(pk=desk.plan.pk).update(status="published")
    assert (sweep_pending(), sweep_pending()) == (1, 1)
    job = Job.objects.get(kind="reassess")
    run_job(str(job.pk), worker="beat")
    assert (_due("张东1"), _due("张南1")) == ("0.00", "0.00")


def test_killed_in_the_middle_the_rest_is_still_queued(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second township's part dies: the first is done, the second waits, and the next attempt ends the same."""
    desk.take("category", [_row("张东1", 1), _row("张南1", 21)], category_code="dibao")
    real, seen = reassess.assess, []  # type: ignore[attr-defined]

    def dies(**values: Any) -> Any:
        seen.append(values)
        found = real(**values)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return found

    job = request_reassessment(by=None, county=desk.cast.county, places=desk.cast.places)
    monkeypatch.setattr(reassess, "assess", dies)
    with pytest.raises(KeyboardInterrupt):
        run_job(str(job.pk), worker="one")
    monkeypatch.setattr(reassess, "assess", real)
    assert (_due("张东1"), _due("张南1")) == ("0.00", "350.00")
    assert list(PendingAssessment.objects.values_list("resident__name", flat=True)) == ["张南1"]
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert run_job(str(job.pk), worker="two") == "succeeded"
    assert (_due("张南1"), PendingAssessment.objects.count()) == ("0.00", 0)


def test_a_clerk_settles_her_own_township(desk: Desk) -> None:
    """Her job sees and settles 甲镇; 乙镇's waits for its own."""
    desk.take("category", [_row("张东1", 1), _row("张南1", 21)], category_code="dibao")
    clerk = desk.cast.user("township_clerk")
    with places_scope(clerk.scope_places()):
        assert waiting_for(clerk) == 1
    _settle(desk, clerk.scope_places())
    assert (_due("张东1"), _due("张南1")) == ("0.00", "350.00")
    assert list(PendingAssessment.objects.values_list("resident__name", flat=True)) == ["张南1"]


def test_a_list_of_most_of_a_unit_names_the_unit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A county's file is a row a unit in the queue; what is counted and settled is its people."""
    monkeypatch.setattr(pending, "MANY", 2)
    rows = [_row("张东1", 1), _row("张东2", 2), _row("张南1", 21)]
    batch = desk.take("category", rows, category_code="dibao")
    queued = PendingAssessment.objects.order_by("unit_id").values_list("unit__name", "resident__name")
    assert list(queued) == [("东村", None), ("南村", "张南1")]
    bureau = desk.cast.user("medical_bureau")
    assert (batch.summary["to_assess"], waiting_for(bureau, batch.pk), waiting_for(bureau)) == (3, 3, 3)
    _settle(desk)
    assert [_due(name) for name in ("张东1", "张东2", "张南1", "张西1")] == ["0.00"] * 3 + ["350.00"]


def test_assessing_a_township_settles_its_queue(desk: Desk) -> None:
    """A whole assessment leaves nobody of its places waiting, and others' rows alone."""
    desk.take("category", [_row("张东1", 1), _row("张南1", 21)], category_code="dibao")
    assess(by=None, plan=desk.plan, townships=[desk.cast.jia.pk])
    assert list(PendingAssessment.objects.values_list("resident__name", flat=True)) == ["张南1"]


def test_the_batch_page_asks_for_those_it_touched(desk: Desk) -> None:
    """The button names how many, its job reassesses only them, and then nothing is asked any more."""
    client = Client()
    client.force_login(desk.cast.user("medical_bureau"), backend="django.contrib.auth.backends.ModelBackend")
    batch = desk.take("category", [_row("张东1", 1)], category_code="dibao")
    page = reverse("imports:batch", args=[batch.pk])
    shown = client.get(page).content.decode()
    assert "1 人的应缴要重新核定" in shown
    assert 'name="touched"' in shown
    client.post("/plans/assess/", {"touched": "1", "next": page})
    job = Job.objects.get(kind="reassess")
    run_job(str(job.pk), worker="test")
    with places_scope(desk.cast.places):
        assert (Assessment.objects.filter(resident__in=Resident.objects.all()).count(), _due("张东1")) == (
            12,
            "0.00",
        )
    job.refresh_from_db()
    assert job.result["assessed"] == 2
    assert "核定应缴：已完成" in client.get(page).content.decode()
