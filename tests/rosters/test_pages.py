"""The board, a roster's page and downloads, for who may see them."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from contributions.models import Assessment
from foundation.jobs.models import Job, JobState
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from rosters.models import Roster, RosterKind
from tests.contributions.conftest import TODAY
from tests.factories import make_registration
from tests.rosters.conftest import Village, number_of


def sign_in(village: Village, role: str) -> Client:
    """A browser of somebody at that post."""
    client = Client()
    client.force_login(village.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def sealed(village: Village) -> Village:
    """Levy rosters of three villages in two townships."""
    village.family(village.cast.dong, "1", ["赵大", "赵小"])
    village.family(village.cast.xi, "1", ["孙大"])
    village.family(village.cast.nan, "1", ["李大"])
    village.seal(village.cast.dong, village.cast.xi, village.cast.nan)
    return village


@pytest.mark.covers("E073")
def test_clerk_sees_her_villages_and_what_to_do(village: Village) -> None:
    """A village with people and no roster comes first with the reason; sealed ones follow with their version."""
    village.family(village.cast.dong, "1", ["赵大"])
    village.family(village.cast.xi, "1", ["孙大"])
    village.seal(village.cast.dong)
    page = sign_in(village, "township_clerk").get("/rosters/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "甲镇" in text
    assert "乙镇" not in text
    assert text.index("有人登记，还没有征收清册") < text.index("其余 1 个村")
    assert "第 1 版" in text


def test_a_changed_price_shows_until_the_roster_is_made_again(sealed: Village) -> None:
    """与应缴一致: a charge written after the seal asks for a new version; a job that finds nothing new settles it."""
    client = sign_in(sealed, "township_clerk")
    assert "封存以后，应缴有了变化" not in client.get("/rosters/").content.decode()
    sealed.family(sealed.cast.dong, "2", ["周大"])
    with connection.cursor() as cursor:  # in one transaction now() stands still
        cursor.execute("UPDATE contributions_charge SET created_at = now() + interval '1 second' WHERE unit_id = %s",
                       [sealed.cast.dong.pk])  # fmt: skip
    assert "封存以后，应缴有了变化" in client.get("/rosters/").content.decode()


def test_the_button_queues_a_job_that_the_board_follows(sealed: Village) -> None:
    """生成征收清册: a job of the clerk's township; its partial polls, and ends with a reload of the board."""
    client = sign_in(sealed, "township_clerk")
    answer = client.post(
        "/rosters/generate/", {"plan": "shanting-2023", "kind": "levy", "township": sealed.cast.jia.code}
    )
    assert answer.status_code == 302
    job = Job.objects.get(kind="rosters")
    assert job.places == {"townships": [sealed.cast.jia.pk], "units": []}
    board = client.get(answer["Location"]).content.decode()
    assert f'hx-get="/jobs/{job.pk}/progress/' in board
    assert 'hx-trigger="every 1s"' in board
    assert "HX-Refresh" not in client.get(f"/jobs/{job.pk}/progress/?here")
    Job.objects.filter(pk=job.pk).update(state=JobState.SUCCEEDED, result={"rosters": 2, "new": 0})
    partial = client.get(f"/jobs/{job.pk}/progress/?here")
    assert partial["HX-Refresh"] == "true"
    assert "hx-get" not in partial.content.decode()
    assert "清册（册） 2" in partial.content.decode()


def test_a_job_is_its_owners(sealed: Village) -> None:
    """Another clerk neither sees nor stops it; a bureau of the county sees it and does not stop it."""
    sign_in(sealed, "township_clerk").post("/rosters/generate/", {"plan": "shanting-2023", "kind": "levy"})
    job = Job.objects.get(kind="rosters")
    assert sign_in(sealed, "clerk_yi").get(f"/jobs/{job.pk}/").status_code == 404
    assert sign_in(sealed, "clerk_yi").get(f"/jobs/{job.pk}/progress/").status_code == 404
    assert sign_in(sealed, "tax_bureau").get(f"/jobs/{job.pk}/").status_code == 200
    assert sign_in(sealed, "tax_bureau").post(f"/jobs/{job.pk}/cancel/").status_code == 404
    assert sign_in(sealed, "township_clerk").post(f"/jobs/{job.pk}/cancel/").status_code == 302
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_roster_page_masks_numbers_and_gives_reasons(village: Village) -> None:
    """Two digits of a number, totals, and who is registered but not on it."""
    village.family(village.cast.dong, "1", ["赵大"])
    village.family(village.cast.dong, "2", ["钱大"], closing_reason="参军")
    village.seal()
    roster = village.roster()
    text = sign_in(village, "township_clerk").get(f"/rosters/{roster.pk}/").content.decode()
    assert "赵大" in text
    assert "医疗：参军" in text
    assert roster.number in text
    number = number_of(village.lines(roster)[0])
    assert f"**{number[-2:]}" in text
    assert number[-4:] not in text.replace(roster.digest, "").replace(roster.number, "")


@pytest.mark.parametrize("path", ["/rosters/{pk}/", "/rosters/{pk}/workbook.xlsx"])
def test_foreign_roster_is_not_there(sealed: Village, path: str) -> None:
    """Township 甲's clerk gets nothing of 乙镇 by any address; an unknown number answers alike."""
    foreign = sealed.roster(sealed.cast.nan)
    clerk = sign_in(sealed, "township_clerk")
    assert clerk.get(path.format(pk=foreign.pk)).status_code == 404
    assert clerk.get(path.format(pk=987654321)).status_code == 404
    assert sign_in(sealed, "clerk_yi").get(path.format(pk=foreign.pk)).status_code == 200


def test_foreign_township_is_not_there(sealed: Village) -> None:
    """Nor by the board's filter, the zip or a request for its rosters."""
    clerk, yi = sign_in(sealed, "township_clerk"), sealed.cast.yi.code
    assert clerk.get(f"/rosters/?township={yi}").status_code == 404
    assert clerk.get(f"/rosters/township/{yi}.zip?plan=shanting-2023&kind=levy").status_code == 404
    body = {"plan": "shanting-2023", "kind": "levy", "township": yi}
    assert clerk.post("/rosters/generate/", body).status_code == 404
    assert not Job.objects.exists()


def test_row_level_security_alone_holds(sealed: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``visible_to`` switched off the database still shows no foreign roster."""
    from foundation.scope.models import ScopedQuerySet

    monkeypatch.setattr(ScopedQuerySet, "visible_to", lambda self, user: self.all())
    foreign = sealed.roster(sealed.cast.nan)
    clerk = sign_in(sealed, "township_clerk")
    assert clerk.get(f"/rosters/{foreign.pk}/").status_code == 404
    assert clerk.get(f"/rosters/{foreign.pk}/workbook.xlsx").status_code == 404


@pytest.mark.parametrize("role", ["county_leader", "village_agent", "department", "finance_bureau"])
def test_posts_without_rosters_are_refused(sealed: Village, role: str) -> None:
    """Who has no business with rosters gets neither page nor file; who only reads makes none."""
    client = sign_in(sealed, role)
    roster = sealed.roster()
    assert client.get("/rosters/").status_code == 403
    assert client.get(f"/rosters/{roster.pk}/workbook.xlsx").status_code == 403
    assert client.post("/rosters/generate/", {"plan": "shanting-2023", "kind": "levy"}).status_code == 403
    auditor = sign_in(sealed, "auditor")
    assert auditor.get(f"/rosters/{roster.pk}/").status_code == 200
    assert auditor.post("/rosters/generate/", {"plan": "shanting-2023", "kind": "levy"}).status_code == 403


def test_nobody_is_shown_the_door(sealed: Village) -> None:
    """Without signing in every page leads to the door."""
    for path in ("/rosters/", f"/rosters/{sealed.roster().pk}/", "/notices/"):
        assert Client().get(path).status_code == 302


def test_downloads_are_whole(sealed: Village) -> None:
    """A unit's workbook and a township's zip open, and hold the unit's people and no other's."""
    clerk = sign_in(sealed, "township_clerk")
    answer = clerk.get(f"/rosters/{sealed.roster().pk}/workbook.xlsx")
    assert "attachment" in answer["Content-Disposition"]
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["台账"]
    assert [sheet.cell(row, 4).value for row in (4, 5)] == ["赵大", "赵小"]
    answer = clerk.get(f"/rosters/township/{sealed.cast.jia.code}.zip?plan=shanting-2023&kind=levy")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer)))
    assert [name.split("-")[2] for name in archive.namelist()] == ["东村", "西村"]


def test_board_asks_a_fixed_number_of_questions(sealed: Village) -> None:
    """The number of queries does not grow with villages or people."""
    client = sign_in(sealed, "township_clerk")
    client.get("/rosters/")
    with CaptureQueriesContext(connection) as few:
        client.get("/rosters/")
    for n in range(10, 16):
        sealed.family(sealed.cast.xi, str(n), ["吴大", "吴小"])
    sealed.seal(sealed.cast.xi)
    sealed.seal(sealed.cast.dong, kind=RosterKind.PAYMENT)
    with CaptureQueriesContext(connection) as many:
        client.get("/rosters/")
    assert len(many) == len(few)


def test_worker_seals_for_the_clerk_who_asked(stack: str) -> None:
    """From the button to the sealed roster through the job's own transaction; the clerk is named as who sealed it."""
    from tests.rosters.conftest import build_village

    village = build_village()
    village.family(village.cast.dong, "1", ["赵大"])
    client = sign_in(village, "township_clerk")
    client.post("/rosters/generate/", {"plan": "shanting-2023", "kind": "levy"})
    job = Job.objects.get()
    assert run_job(str(job.pk), worker="one") == JobState.SUCCEEDED
    with places_scope(village.cast.places):
        roster = Roster.objects.get()
    assert (roster.sealed_by_id, roster.job_id) == (village.cast.user("township_clerk").pk, job.pk)
    assert f"/rosters/{roster.pk}/" in client.get("/rosters/").content.decode()


@pytest.mark.covers("E073")
def test_people_nobody_has_assessed_are_counted(sealed: Village) -> None:
    """没有核定: registered, without a charge, and not refused; such a village is not 与应缴一致."""
    client = sign_in(sealed, "township_clerk")
    assert "没有核定" not in client.get("/rosters/").content.decode()
    assert "与应缴一致 2 / 2" in client.get("/rosters/").content.decode()
    home = sealed.household(sealed.cast.dong, "7")
    new, refused = sealed.person(home, "郑大"), sealed.person(home, "郑小")
    for person in (new, refused):
        make_registration(sealed.cast, person, sealed.plan, "medical")
    Assessment.objects.create(
        township_id=refused.township_id, unit_id=refused.unit_id, plan=sealed.plan, insurance="medical",
        coverage_year=2023, resident=refused, decision="refuse", priced_on=TODAY,
    )  # fmt: skip
    text = client.get("/rosters/").content.decode()
    assert "没有核定 1 人" in text
    assert "与应缴一致 1 / 2" in text
