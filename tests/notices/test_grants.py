"""A grant list on the wall: who the government pays for, name and kind of grant, and nothing more (002 L204-206)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date

import pytest
from pypdf import PdfReader

from foundation.audit.models import AuditEvent
from foundation.http import Problem
from foundation.scope.context import places_scope
from notices.models import GrantPosting
from notices.services.grants import create_grant_postings, digest_of, grant_list_pdf
from subsidies.queries import rule_book
from tests.funding.conftest import TODAY, Town, build_town


@pytest.fixture
def grants(db: None) -> Iterator[Town]:
    """甲镇 under a plan that posts its lists: two of 东村 on it, one of them a child, one of 西村, one who pays himself."""
    town = build_town(
        posts="  - {code: publicity_grants, kind: grant_list, days: '5', clause: 资助名单给予公示, lines: L45}\n"
    )
    dong, xi = town.cast.dong, town.cast.xi
    town.person(dong, name="低保人", categories={"dibao": {}})
    town.person(dong, name="小低保", categories={"dibao": {}}, birth_date=date(2015, 5, 5))
    town.person(dong, name="自己缴")
    town.person(xi, name="西低保", categories={"dibao": {}})
    town.assess()
    with places_scope(town.cast.places):
        yield town


def _list(town: Town) -> str:
    return next(each.code for each in rule_book(town.plan).lists if each.kind == "assistance")


@pytest.mark.covers("E067")
def test_lists_are_taken_down_by_village_and_hang(grants: Town) -> None:
    """By page: the clerk takes the list down, prints, notes when it hung; a second time takes down nobody twice."""
    clerk = grants.client("township_clerk")
    page = clerk.get("/notices/grants/").content.decode()
    assert "安排各村公示" in page
    body = {"plan": grants.plan.code, "township": grants.cast.jia.code, "list": _list(grants)}
    assert "安排了 2 个村的资助名单公示" in clerk.post("/notices/grants/create/", **body).content.decode()
    assert "没有要新公示的村" in clerk.post("/notices/grants/create/", **body).content.decode()
    dong = GrantPosting.objects.get(unit=grants.cast.dong)
    assert [(row[1], row[2]) for row in dong.entries] == [("低保人", "医疗资助"), ("＊", "医疗资助")]
    assert (dong.heads, dong.digest, dong.opens_on) == (2, digest_of(dong.entries), TODAY)
    assert (dong.closes_on - dong.opens_on).days == 5, "the posting day is not counted (X17)"
    text = "".join(
        each.extract_text()
        for each in PdfReader(io.BytesIO(clerk.file(f"/notices/grants/{dong.pk}/paper.pdf"))).pages
    )
    assert "共 2 人" in text and "医疗资助" in text  # noqa: PT018
    for hidden in ("低保", "小低保", "自己缴", "350", "3704"):
        assert hidden not in text, hidden
    assert "张贴已登记" in clerk.post(f"/notices/grants/{dong.pk}/posted/").content.decode()
    assert "撤下已登记" in clerk.post(f"/notices/grants/{dong.pk}/removed/").content.decode()
    dong.refresh_from_db()
    assert (dong.posted_on, dong.removed_on) == (TODAY, TODAY)
    acts = set(AuditEvent.objects.filter(target_kind="grantposting").values_list("action", flat=True))
    assert acts == {"posting.create", "posting.posted", "posting.removed", "posting.print"}


def test_a_plan_that_prints_no_posting_posts_none(town: Town) -> None:
    """Nothing is posted that the plan does not print: the page says so, the service refuses."""
    town.person(town.cast.dong, categories={"dibao": {}})
    town.assess()
    assert "没有写资助名单要公示" in town.client("township_clerk").get("/notices/grants/").content.decode()
    with pytest.raises(Problem, match="没有写要公示资助名单"):
        create_grant_postings(
            by=town.user("township_clerk"), plan=town.plan, township=town.cast.jia, list_code=_list(town)
        )


def test_what_hangs_stays_as_it_was_taken_down(grants: Town) -> None:
    """Somebody joins the list afterwards: the paper printed again says what it said."""
    clerk = grants.user("township_clerk")
    made = create_grant_postings(
        by=clerk, plan=grants.plan, township=grants.cast.jia, list_code=_list(grants)
    )
    dong = next(posting for posting in made if posting.unit_id == grants.cast.dong.pk)
    before = [page.extract_text() for page in PdfReader(io.BytesIO(grant_list_pdf(dong))).pages]
    grants.person(grants.cast.dong, name="后来者", categories={"dibao": {}})
    grants.assess()
    dong.refresh_from_db()
    assert [page.extract_text() for page in PdfReader(io.BytesIO(grant_list_pdf(dong))).pages] == before
