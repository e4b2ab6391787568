"""The leader's page: what it says, to whom, and in how many queries."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from contributions.models import CaseKind, PaymentCase
from enrollment.models import CollectionPlan, Target
from foundation.scope.context import places_scope, scope
from progress.models import UnitDay, UnitFigure
from progress.services.figures import fold, rebuild
from tests.progress.conftest import Count


def client_of(county: Count, role: str) -> Client:
    """A browser signed in as the holder of a post."""
    client = Client()
    client.force_login(county.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def look(county: Count, path: str, role: str = "county_leader") -> str:
    """A page's text without tags, one space between words."""
    response = client_of(county, role).get(path)
    assert response.status_code == 200, response
    text = re.sub(r"<script.*?</script>", " ", response.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def board_of(county: Count, path: str, role: str = "county_leader") -> Any:
    """What the page was given to show."""
    response = client_of(county, role).get(path)
    assert response.status_code == 200, response
    return response.context["board"]


@pytest.mark.covers("E116")
def test_each_township_stands_against_its_own_target(county: Count) -> None:
    """任务数 per township from the task table; the county's is the sum of rows, also where the print differs."""
    county.targets("medical", jia=4, yi=2, printed=7)
    county.pay(county.person(county.cast.dong))
    county.pay(county.person(county.cast.nan))
    county.person(county.cast.xi)
    rebuild(county.plan)
    shown = board_of(county, "/progress/")
    rates = {row.name: (row.standings["medical"].target, row.standings["medical"].rate) for row in shown.rows}
    assert rates == {"乙镇": (2, 50.0), "甲镇": (4, 25.0)}
    assert (shown.chosen.target, shown.chosen.rate, shown.printed_differs) == (6, 33.3, 1)
    text = look(county, "/progress/")
    assert "最慢的是 甲镇" in text
    assert "任务 6" in text
    assert "还差 4" in text


@pytest.mark.covers("E117")
def test_exempt_people_are_out_of_paid_and_target(county: Count) -> None:
    """000: 征缴人数统计口径均不包括免缴认定人群数量."""
    county.targets("medical", jia=2, yi=2)
    county.pay(county.person(county.cast.dong))
    county.person(county.cast.dong, personal="0.00", government="350.00")
    rebuild(county.plan)
    shown = board_of(county, "/progress/")
    assert (shown.chosen.done, shown.chosen.rate, shown.chosen.counts.exempt) == (1, 25.0, 1)
    assert "政府全额代缴的人两边都不计入" in look(county, "/progress/")


@pytest.mark.covers("E117")
@pytest.mark.parametrize("value", ["true", True])
def test_exempt_people_are_in_where_the_plan_says_so(county: Count, value: object) -> None:
    """003 counts the subsidised: the same people, another setting, another rate."""
    CollectionPlan.objects.filter(pk=county.plan.pk).update(settings={"targets.includes_exempt": value})
    county.targets("medical", jia=2, yi=2)
    county.pay(county.person(county.cast.dong))
    county.person(county.cast.dong, personal="0.00", government="350.00")
    rebuild(county.plan)
    assert board_of(county, "/progress/").chosen.rate == 50.0


def test_a_plan_without_a_task_table_takes_everybody_in_scope(county: Count) -> None:
    """应保尽保: the whole is who is in scope, less the exempt."""
    county.pay(county.person(county.cast.dong))
    county.person(county.cast.dong)
    county.person(county.cast.dong, personal="0.00", government="350.00")
    county.person(county.cast.dong, personal=None)
    rebuild(county.plan)
    assert board_of(county, "/progress/").chosen.rate == 33.3


@pytest.mark.covers("E118")
def test_bands_use_the_printed_denominators(county: Count) -> None:
    """45–59: of all people of the age; 16–44: of the registered. Paid and government-paid count as done."""
    dong = county.cast.dong
    county.pay(county.person(dong, insurance="pension", age=50, personal="300.00"))
    county.person(dong, insurance="pension", age=51, personal="0.00", government="100.00")
    county.person(dong, insurance="pension", age=45, personal=None)
    county.person(dong, insurance="pension", age=59, personal="300.00")
    county.pay(county.person(dong, insurance="pension", age=44, personal="300.00"))
    county.person(dong, insurance="pension", age=20, personal=None)
    rebuild(county.plan)
    bands = {band.band: band for band in board_of(county, "/progress/").bands}
    assert (bands["45-59"].done, bands["45-59"].whole, bands["45-59"].percent) == (2, 4, 50.0)
    assert (bands["16-44"].done, bands["16-44"].whole, bands["16-44"].percent) == (1, 1, 100.0)
    assert bands["45-59"].missing == 2
    text = look(county, "/progress/")
    assert "养老 45–59 岁 50.0% ，目标 95%" in text
    assert "养老 16–44 岁 100.0% ，目标 60%" in text


@pytest.mark.covers("E123")
def test_the_leader_sees_stage_money_and_risk(county: Count) -> None:
    """掌握工作进展进度: the stage, the days left, money on its way and what waits for a decision."""
    dong = county.cast.dong
    late = county.pay(county.person(dong), at=datetime.now(tz=UTC) - timedelta(days=4))
    county.pay(county.person(dong), at=datetime.now(tz=UTC) - timedelta(days=3))
    county.confirm(county.pay(county.person(dong)))
    PaymentCase.objects.create(
        township_id=dong.township_id,
        unit=dong,
        kind=CaseKind.ALREADY_PAID,
        payment_id=late,
        amount=Decimal("350.00"),
    )
    rebuild(county.plan)
    text = look(county, "/progress/")
    assert "第 46 天，还有 31 天" in text
    assert "集中缴费阶段" in text
    assert "台账已缴 1,050.00 元" in text
    assert "差 700.00 元" in text
    assert "超 3 天没回传 1 笔，350.00 元" in text
    assert "重复缴费 1 笔，350.00 元" in text
    shown = board_of(county, "/progress/")
    assert (shown.open.late_heads, shown.season_passed, shown.season_left) == (1, 46, 31)


def test_a_unit_where_nobody_paid_for_three_days_is_named(county: Count) -> None:
    """停滞: somebody still owes, and no money came on the last three days."""
    county.person(county.cast.dong)
    county.pay(county.person(county.cast.xi))
    county.person(county.cast.xi)
    county.pay(county.person(county.cast.nan), at=datetime.now(tz=UTC) - timedelta(days=3))
    county.person(county.cast.nan)
    rebuild(county.plan)
    assert [(r.kind, r.heads) for r in board_of(county, "/progress/").risks if r.kind == "stalled"] == [
        ("stalled", 2)
    ]


def test_page_shows_open_deltas_before_and_after_the_fold_alike(county: Count) -> None:
    """Pages read folded plus open: a payment shows at once, and once."""
    county.targets("medical", jia=4, yi=4)
    charge = county.person(county.cast.dong)
    rebuild(county.plan)
    county.pay(charge)
    before = board_of(county, "/progress/")
    fold()
    after = board_of(county, "/progress/")
    for shown in (before, after):
        assert (shown.chosen.counts.paid, shown.chosen.paid_today, shown.money.paid_amount) == (
            1,
            1,
            Decimal("350.00"),
        )
        assert shown.trend["medical"][-1] == (date(2022, 11, 30), 12.5)


def test_ranking_moves_since_yesterday_and_names_the_last(county: Count) -> None:
    """较昨日: places gained by what today added."""
    county.targets("medical", jia=2, yi=2)
    county.pay(county.person(county.cast.nan), at=datetime.now(tz=UTC) - timedelta(days=2))
    county.pay(county.person(county.cast.dong))
    county.pay(county.person(county.cast.dong))
    rebuild(county.plan)
    first, last = board_of(county, "/progress/").rows
    assert (first.name, first.position, first.moved, first.is_last) == ("甲镇", 1, 1, False)
    assert (last.name, last.position, last.moved, last.is_last) == ("乙镇", 2, -1, True)


def test_same_day_last_year_in_points(county: Count) -> None:
    """比上年: paid by the same day of last year against last year's target; a dash without data."""
    county.targets("medical", jia=2, yi=2)
    county.pay(county.person(county.cast.dong))
    rebuild(county.plan)
    assert board_of(county, "/progress/").rows[0].versus_last_year is None
    cast = county.cast
    before = CollectionPlan.objects.create(
        code="shanting-2022", county=cast.county, name="上年", coverage_year=2022, insurances=["medical"],
        collection_mode="direct",
    )  # fmt: skip
    Target.objects.create(plan=before, township=cast.jia, insurance="medical", headcount=4)
    with places_scope(cast.places):
        for day, paid in ((date(2021, 11, 30), 1), (date(2021, 12, 1), 2)):
            UnitDay.objects.create(
                plan=before,
                township_id=cast.jia.pk,
                unit_id=cast.dong.pk,
                insurance="medical",
                day=day,
                paid=paid,
            )
    rows = {row.name: row.versus_last_year for row in board_of(county, "/progress/").rows}
    assert rows == {"甲镇": 25.0, "乙镇": None}


def test_drill_down_to_units_and_one_unit(county: Count) -> None:
    """Township → units by 应缴已缴率 → unit."""
    county.pay(county.person(county.cast.dong))
    county.person(county.cast.dong, personal="0.00", government="350.00")
    county.person(county.cast.xi)
    rebuild(county.plan)
    shown = board_of(county, f"/progress/{county.cast.jia.code}/")
    assert [(row.name, row.standings["medical"].rate) for row in shown.rows] == [
        ("东村", 100.0),
        ("西村", 0.0),
    ]
    unit = board_of(county, f"/progress/{county.cast.jia.code}/{county.cast.xi.code}/")
    assert (unit.ground.name, unit.chosen.rate, unit.chosen.counts.due) == ("西村", 0.0, 1)


def test_pages_of_other_places_answer_not_found(county: Count) -> None:
    """A clerk of 甲镇 gets nothing of 乙镇, an agent nothing of the next village; a unit stands under its township."""
    cast = county.cast
    rebuild(county.plan)
    for role, path in (
        ("township_clerk", f"/progress/{cast.yi.code}/"),
        ("township_clerk", f"/progress/{cast.yi.code}/{cast.nan.code}/"),
        ("village_agent", f"/progress/{cast.yi.code}/"),
        ("village_agent", f"/progress/{cast.jia.code}/{cast.xi.code}/"),
        ("county_leader", f"/progress/{cast.yi.code}/{cast.dong.code}/"),
        ("county_leader", "/progress/999999999999/"),
        ("county_leader", "/progress/?plan=nowhere-2020"),
        ("county_leader", "/progress/?insurance=fire"),
    ):
        assert client_of(county, role).get(path).status_code == 404, (role, path)


def test_each_post_lands_on_its_own_place(county: Count) -> None:
    """The clerk on her township, the agent on his village, with its figures alone."""
    cast = county.cast
    for unit in (cast.dong, cast.xi, cast.nan):
        county.person(unit)
    rebuild(county.plan)
    clerk = client_of(county, "township_clerk").get("/progress/", follow=True)
    assert clerk.redirect_chain[-1][0] == f"/progress/{cast.jia.code}/"
    assert clerk.context["board"].chosen.counts.in_scope == 2
    agent = client_of(county, "village_agent").get("/progress/", follow=True)
    assert agent.redirect_chain[-1][0] == f"/progress/{cast.jia.code}/{cast.dong.code}/"
    assert agent.context["board"].chosen.counts.in_scope == 1
    township = board_of(county, f"/progress/{cast.jia.code}/", role="village_agent")
    assert [row.name for row in township.rows] == ["东村"]
    assert township.chosen.counts.in_scope == 1


def test_the_second_wall_holds_figures_too(county: Count) -> None:
    """Without any filter, the database shows a clerk her own township's figures alone."""
    for unit in (county.cast.dong, county.cast.nan):
        county.pay(county.person(unit))
    rebuild(county.plan)
    with scope(county.cast.user("clerk_yi")):
        assert set(UnitFigure.objects.values_list("unit_id", flat=True)) == {county.cast.nan.pk}
        assert set(UnitDay.objects.values_list("unit_id", flat=True)) == {county.cast.nan.pk}


@pytest.mark.parametrize("level", ["county", "township", "unit"])
def test_queries_do_not_grow_with_people_units_or_days(county: Count, level: str) -> None:
    """A page costs the same number of queries whatever it counts, and few."""
    cast = county.cast
    path = {
        "county": "/progress/",
        "township": f"/progress/{cast.jia.code}/",
        "unit": f"/progress/{cast.jia.code}/{cast.dong.code}/",
    }[level]
    client = client_of(county, "county_leader")
    county.targets("medical", jia=10, yi=10)
    county.person(cast.dong)
    rebuild(county.plan)

    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(path).status_code == 200
        return len(queries)

    small = cost()
    with places_scope(cast.places):
        for unit in (cast.dong, cast.xi, cast.nan):
            for days in range(4):
                county.pay(county.person(unit), at=datetime.now(tz=UTC) - timedelta(days=days))
        rebuild(county.plan)
        county.pay(county.person(cast.dong))
    assert cost() == small
    assert small <= 24


def test_an_empty_county_says_what_to_do_next(county: Count) -> None:
    """No figures yet: no chart of nothing, but the next step."""
    text = look(county, "/progress/")
    assert "先导入参保登记，再核定应缴" in text
    assert "谁落后" not in text


def test_page_needs_a_sign_in_and_carries_no_inline_script(county: Count) -> None:
    """The content policy allows our own files alone: data stand in an inert element."""
    assert Client().get("/progress/").status_code == 302
    county.person(county.cast.dong)
    rebuild(county.plan)
    page = client_of(county, "county_leader").get("/progress/").content.decode()
    scripts = re.findall(r"<script([^>]*)>", page)
    assert scripts
    assert all("src=" in each or 'type="application/json"' in each for each in scripts)
    assert not re.search(r"\sstyle=|\son[a-z]+=", page)
