"""Residents of a unit: found by what an agent knows, masked, paged, in a fixed number of queries."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollment.models import Resident
from foundation.identity import make_number
from foundation.scope.context import places_scope
from tests.api.conftest import Caller, Season, fill_unit, token_of
from tests.factories import make_resident

NUMBER = make_number("370406", date(1961, 3, 9), 271)


@pytest.fixture
def agent(season: Season) -> Caller:
    return token_of(season.cast.user("village_agent"))


def _names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [r["name"] for r in answer.json()["results"]]


@pytest.mark.parametrize(
    "words", ["单翠", "单翠花", "sch", NUMBER[-4:], "8765", NUMBER, NUMBER.lower(), "小花"]
)
def test_found_by_what_people_know(season: Season, agent: Caller, words: str) -> None:
    """Name, initials with the surname's own reading (单 is s), last four, phone tail, full number, nickname."""
    make_resident(season.cast, season.cast.dong, name="王五", phone_tail="1111")
    make_resident(
        season.cast, season.cast.dong, name="单翠花", number=NUMBER, birth_date=date(1961, 3, 9), phone_tail="8765",
        nickname="小花",
    )  # fmt: skip
    assert _names(agent.get(f"villages/{season.cast.dong.code}/residents", search=words)) == ["单翠花"]


def test_the_body_is_the_contracts(season: Season, agent: Caller) -> None:
    """``{next, results: [{resident, name, number_masked, household, house_number, head, charges: [...]}]}``."""
    charge = season.charge(season.cast.dong, name="单翠花", number=NUMBER, birth_date=date(1961, 3, 9))
    body = agent.get(f"villages/{season.cast.dong.code}/residents").json()
    assert set(body) == {"next", "results"}
    (found,) = body["results"]
    assert set(found) == {
        "resident", "name", "number_masked", "household", "house_number", "head", "charges",
    }  # fmt: skip
    assert found["number_masked"] == "*" * 14 + NUMBER[-4:]
    (owed,) = found["charges"]
    quotes = owed.pop("quotes")
    assert owed == {
        "registration": charge.registration_id, "charge": charge.pk, "version": 1, "insurance": "medical",
        "decision": "accept", "why": "按标准缴费", "due": "350.00", "paid": "0.00",
    }  # fmt: skip
    assert quotes == [
        {
            "tier": None, "route": "village", "from": "2022-10-01", "to": "2022-12-31", "personal_amount": "350.00",
        }
    ]  # fmt: skip


def test_no_answer_holds_a_whole_number(season: Season, agent: Caller) -> None:
    """At most the last four digits, also when the whole number was asked for."""
    make_resident(season.cast, season.cast.dong, name="单翠花", number=NUMBER, birth_date=date(1961, 3, 9))
    for words in ("", NUMBER):
        answer = agent.get(f"villages/{season.cast.dong.code}/residents", search=words)
        assert len(answer.json()["results"]) == 1
        assert NUMBER[6:14] not in answer.content.decode()


def test_search_stays_in_the_unit(season: Season, agent: Caller) -> None:
    """The same name next door is not found, not even by his full number."""
    make_resident(season.cast, season.cast.xi, name="单翠花", number=NUMBER, birth_date=date(1961, 3, 9))
    for words in ("单翠花", NUMBER, NUMBER[-4:], "dch"):
        assert _names(agent.get(f"villages/{season.cast.dong.code}/residents", search=words)) == []


@pytest.mark.parametrize("words", ["%", "_", "\x00", "'; --", "*" * 5000, "\U0001f600", "１２３４"])
def test_odd_words_find_nobody(season: Season, agent: Caller, words: str) -> None:
    """Signs that mean something to a database mean nothing here."""
    make_resident(season.cast, season.cast.dong, name="王五", number=NUMBER, birth_date=date(1961, 3, 9))
    answer = agent.get(f"villages/{season.cast.dong.code}/residents", search=words)
    assert answer.status_code == 200
    if words != "\x00":  # nothing is left of it: like an empty search
        assert _names(answer) == []


def _pages(caller: Caller, path: str) -> list[list[int]]:
    pages, cursor = [], ""
    while True:
        body = caller.get(path, cursor=cursor).json()
        pages.append([r["resident"] for r in body["results"]])
        cursor = body["next"]
        if cursor is None:
            return pages
        assert len(pages) < 50


def test_pages_are_complete_without_repeats_and_in_walking_order(season: Season, agent: Caller) -> None:
    """Also where several households share a place in the walk, and some people have no household at all."""
    residents = fill_unit(season, season.cast.dong, 250)
    with places_scope(season.cast.places):
        Resident.objects.filter(pk__in=[r.pk for r in residents[:105]]).update(household=None, is_head=False)
    pages = _pages(agent, f"villages/{season.cast.dong.code}/residents")
    seen = [pk for page in pages for pk in page]
    assert [len(page) for page in pages] == [100, 100, 50]
    assert sorted(seen) == sorted(r.pk for r in residents)
    assert len(set(seen)) == len(seen)
    assert set(seen[:145]) == {r.pk for r in residents[105:]}  # without a household: at the end of the walk
    heads = {r.pk for r in residents if r.is_head}
    assert seen[0] in heads


@pytest.mark.parametrize(
    "cursor", ["x", "W10=", "WzEsMiwzXQ==", "W1tbW1tb" * 400, "WzEsMiwzLC0xXQ==", "WzEsMiwzLDFlOTk5XQ==", "é"]
)
def test_a_cursor_that_is_none_is_400(season: Season, agent: Caller, cursor: str) -> None:
    """Starting again silently would give a client everybody twice."""
    answer = agent.get(f"villages/{season.cast.dong.code}/residents", cursor=cursor)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


def test_a_unit_of_500_costs_as_many_queries_as_one_of_50(season: Season) -> None:
    """A fixed number of queries, whatever the size of the unit."""
    fill_unit(season, season.cast.dong, 50)
    fill_unit(season, season.cast.xi, 500)
    clerk = token_of(season.cast.user("township_clerk"))
    counts = []
    for unit in (season.cast.dong, season.cast.dong, season.cast.xi):
        with CaptureQueriesContext(connection) as queries:
            answer = clerk.get(f"villages/{unit.code}/residents")
        assert answer.status_code == 200
        counts.append(len(queries))
    assert counts[1] == counts[2]
    assert counts[2] <= 22


def test_a_village_is_found_by_its_twelve_digits_alone(season: Season, agent: Caller) -> None:
    """What is foreign and what never was answer alike, byte for byte."""
    foreign = agent.get(f"villages/{season.cast.nan.code}/residents")
    unknown = agent.get("villages/999999999999/residents")
    nonsense = agent.get("villages/%00/residents")
    assert foreign.status_code == unknown.status_code == nonsense.status_code == 404
    assert foreign.content == unknown.content == nonsense.content


def test_roles_without_the_register_do_not_read_it(season: Season) -> None:
    """A leader reads figures, a department sends lists, an administrator keeps accounts: none reads residents."""
    for role in ("county_leader", "department", "admin", "finance_bureau"):
        answer = token_of(season.cast.user(role)).get(f"villages/{season.cast.dong.code}/residents")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), role
