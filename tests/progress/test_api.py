"""Figures over JSON: by name, with definitions, within the caller's places."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from progress.services.figures import rebuild
from tests.progress.conftest import Count
from tests.progress.test_page import client_of


def ask(county: Count, role: str = "county_leader", **query: str) -> Any:
    """The answer's body."""
    response = client_of(county, role).get("/api/v1/progress", query)
    assert response.status_code == 200, response.content
    return response.json()


def value(body: Any, name: str, at: int = 0) -> Any:
    """A figure's value of an insurance."""
    return body["insurances"][at]["figures"][name]["value"]


@pytest.mark.covers("E116")
def test_figures_by_name_with_definition(county: Count) -> None:
    """Every figure has its label and definition; amounts are strings with two places."""
    county.targets("medical", jia=4, yi=4)
    county.confirm(county.pay(county.person(county.cast.dong)))
    rebuild(county.plan)
    body = ask(county)
    assert (body["plan"], body["date"], body["place"]["name"]) == ("shanting-2023", "2022-11-30", "山亭区")
    assert [each["insurance"] for each in body["insurances"]] == ["medical", "pension"]
    figures = body["insurances"][0]["figures"]
    assert all(figure["label"] and figure["definition"] for figure in figures.values())
    wanted = {
        "target": 8, "in_scope": 1, "registered": 1, "due": 1, "paid": 1, "confirmed": 1, "exempt": 0, "paid_today": 1,
        "completion_rate": 12.5, "due_paid_rate": 100.0, "collected_amount": "350.00", "confirmed_amount": "350.00",
        "settled_amount": "0.00",
    }  # fmt: skip
    assert {name: figures[name]["value"] for name in wanted} == wanted
    assert {place["name"]: place["insurances"][0]["figures"]["target"] for place in body["places"]} == {
        "甲镇": 4,
        "乙镇": 4,
    }


@pytest.mark.covers("E118")
def test_band_rates_by_name(county: Count) -> None:
    """rate_45_59 and rate_16_44 stand with the pension's figures."""
    county.pay(county.person(county.cast.dong, insurance="pension", age=50, personal="300.00"))
    county.person(county.cast.dong, insurance="pension", age=30, personal="300.00")
    rebuild(county.plan)
    body = ask(county, insurance="pension")
    assert len(body["insurances"]) == 1
    assert (value(body, "rate_45_59"), value(body, "rate_16_44")) == (100.0, 0.0)


def test_an_earlier_day_winds_back_what_moves(county: Count) -> None:
    """date=: what had been paid by the end of that day; bands are not kept by day and are left out."""
    county.pay(county.person(county.cast.dong), at=datetime.now(tz=UTC) - timedelta(days=2))
    county.pay(county.person(county.cast.dong))
    rebuild(county.plan)
    assert value(ask(county), "paid") == 2
    earlier = ask(county, date="2022-11-28")
    assert (earlier["date"], value(earlier, "paid"), value(earlier, "collected_amount")) == (
        "2022-11-28",
        1,
        "350.00",
    )
    assert value(earlier, "in_scope") == 2
    assert "rate_45_59" not in earlier["insurances"][1]["figures"]
    assert value(ask(county, date="2022-11-27"), "paid") == 0


def test_place_narrows_to_township_and_unit(county: Count) -> None:
    """place= takes county, township (9 or 12 digits) and unit codes."""
    cast = county.cast
    for unit in (cast.dong, cast.xi, cast.nan):
        county.person(unit)
    rebuild(county.plan)
    places = {cast.county.code[:6]: 3, cast.jia.code: 2, cast.jia.code[:9]: 2, cast.nan.code: 1}
    assert {code: value(ask(county, place=code), "in_scope") for code in places} == places


def test_a_foreign_place_plan_or_day_is_refused(county: Count) -> None:
    """Foreign and unknown answer alike; a bad day says how to write one."""
    cast = county.cast
    clerk = client_of(county, "township_clerk")
    for query in ({"place": cast.yi.code}, {"place": cast.nan.code}, {"place": "12"}, {"plan": "none-1999"}):
        response = clerk.get("/api/v1/progress", query)
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), query
    for query, code in (({"date": "30.11.2022"}, "bad_date"), ({"insurance": "fire"}, "unknown_insurance")):
        response = clerk.get("/api/v1/progress", query)
        assert (response.status_code, response.json()["code"]) == (400, code)
    assert Client().get("/api/v1/progress").status_code in {401, 403}


def test_without_a_place_everybody_gets_what_is_theirs(county: Count) -> None:
    """The clerk's answer holds 甲镇 alone, the agent's 东村 alone."""
    cast = county.cast
    for unit in (cast.dong, cast.xi, cast.nan):
        county.person(unit)
    rebuild(county.plan)
    assert [place["name"] for place in ask(county, "township_clerk")["places"]] == ["甲镇"]
    assert value(ask(county, "township_clerk"), "in_scope") == 2
    assert value(ask(county, "village_agent"), "in_scope") == 1
