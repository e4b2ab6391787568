"""What comes after an import: the people it moved are assessed from its page, and the board says who is not yet."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from contributions.models import Charge
from foundation.clock.services import set_business_date
from foundation.imports.models import ImportBatch
from foundation.jobs.models import Job
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from subsidies.services.plans import load_plan
from tests.imports.office import Desk, as_csv, make_desk, registration_row
from townships.services.divisions import load_county

PLAN = "shanting-2023"
BUTTON = 'action="/plans/assess/"'


@pytest.fixture
def office(stack: str) -> Desk:
    """A desk with commits and the real plan of 山亭区 2023, in its season."""
    desk = make_desk()
    load_county(by=None, code="370406")
    load_plan(by=None, path_or_code=PLAN)
    set_business_date(county_code=desk.cast.county.code, day=date(2022, 11, 30))
    return desk


def _client(desk: Desk, role: str) -> Client:
    client = Client()
    client.force_login(desk.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def _work() -> Job:
    job = Job.objects.filter(state="queued").latest("created_at")
    run_job(str(job.pk), worker="test")
    job.refresh_from_db()
    return job


def _imported(client: Client) -> ImportBatch:
    """One adult of 东村 registered by the clerk, through the page."""
    file = SimpleUploadedFile("登记.csv", as_csv([registration_row()]))
    client.post(reverse("imports:home"), {"kind": "registration", "plan": PLAN, "files": file})
    _work()
    batch = ImportBatch.objects.latest("pk")
    client.post(reverse("imports:apply", args=[batch.pk]))
    assert _work().state == "succeeded"
    batch.refresh_from_db()
    return batch


@pytest.mark.covers("E058")
def test_from_the_import_to_the_charge(office: Desk) -> None:
    """The batch's page and the board ask for the assessing; the button's job makes the charges; then neither asks."""
    client = _client(office, "township_clerk")
    batch = _imported(client)
    page, board = (
        reverse("imports:batch", args=[batch.pk]),
        f"/rosters/?plan={PLAN}&township={office.cast.jia.code}",
    )
    shown = client.get(page).content.decode()
    assert "1 人的应缴要重新核定" in shown
    assert BUTTON in shown
    asked = client.get(board).content.decode()
    assert "没有核定 1 人" in asked
    assert BUTTON in asked

    answer: Any = client.post("/plans/assess/", {"touched": "1", "next": page})
    job = Job.objects.get(kind="reassess")
    assert answer.url.startswith(f"/jobs/{job.pk}/?next=")
    assert job.places == {"townships": [office.cast.jia.pk], "units": []}
    live = client.get(answer.url).content.decode()
    assert 'hx-trigger="every 1s"' in live
    done = _work()
    assert (done.state, done.result["charges"]) == ("succeeded", 1)
    with places_scope(office.cast.places):
        assert [str(charge.personal_amount) for charge in Charge.objects.all()] == ["350.00"]
    assert page in client.get(answer.url).content.decode()

    assert BUTTON not in client.get(page).content.decode()
    assert "核定应缴：已完成" in client.get(page).content.decode()
    assert "没有核定" not in client.get(board).content.decode()


def test_only_who_may_assess_is_asked_to(office: Desk) -> None:
    """Reading posts see the batch and the board without the button, and the address is shut to them."""
    batch = _imported(_client(office, "township_clerk"))
    auditor = _client(office, "auditor")
    shown = auditor.get(reverse("imports:batch", args=[batch.pk])).content.decode()
    assert "1 人的应缴要重新核定" in shown
    assert BUTTON not in shown
    board = auditor.get(f"/rosters/?plan={PLAN}&township={office.cast.jia.code}").content.decode()
    assert "没有核定 1 人" in board
    assert BUTTON not in board
    for role in ("auditor", "village_agent", "admin", "department", "county_leader"):
        assert _client(office, role).post("/plans/assess/", {"touched": "1"}).status_code == 403
    foreign = _client(office, "clerk_yi").post(
        "/plans/assess/", {"plan": PLAN, "township": office.cast.jia.code}
    )
    assert foreign.status_code == 404
    assert not Job.objects.filter(kind__in=("assess", "reassess")).exists()
