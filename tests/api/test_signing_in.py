"""Who one is: token or session, places, and what nobody and a guesser are told."""

from __future__ import annotations

import json

from django.test import Client
from rest_framework.authtoken.models import Token

from tests.api.conftest import Caller, Season, session_of, token_of
from tests.factories import Cast, make_cast


def test_a_password_gives_a_token_and_the_token_signs_in(season: Season) -> None:
    """CONTRACT: ``POST /auth/token`` → ``{token}``, sent as ``Authorization: Token …``."""
    answer = Caller(Client(), {}).post(
        "auth/token", {"username": "township_clerk", "password": "test-password-1"}
    )
    assert answer.status_code == 200
    assert set(answer.json()) == {"token"}
    me = Caller(Client(), {"Authorization": f"Token {answer.json()['token']}"}).get("me")
    assert me.json() == {
        "username": "township_clerk",
        "role": "township_clerk",
        "county": {"code": "370406000000", "name": "山亭区"},
        "townships": [{"code": "370406901000", "name": "甲镇"}],
        "units": [],
        "business_date": "2022-11-30",
    }


def test_a_session_signs_in_too_and_shows_single_units(season: Season) -> None:
    """An agent's places are units, not townships."""
    me = session_of(season.cast.user("village_agent")).get("me").json()
    assert (me["role"], me["townships"]) == ("village_agent", [])
    assert me["units"] == [{"code": season.cast.dong.code, "name": "东村"}]


def test_a_session_without_its_cross_site_token_writes_nothing(season: Season) -> None:
    """A page of another site cannot post with an agent's cookie."""
    caller = session_of(season.cast.user("village_agent"))
    del caller.headers["X-CSRFToken"]
    assert caller.post("payments", {}).status_code == 403


def test_county_roles_see_all_townships_in_posting_order(season: Season) -> None:
    me = token_of(season.cast.user("tax_bureau")).get("me").json()
    assert [t["name"] for t in me["townships"]] == ["甲镇", "乙镇"]


def test_nobody_gets_401_in_our_shape(db: None) -> None:
    """No token, no answer, and the header says how to sign in."""
    answer = Caller(Client(), {"Accept-Language": "zh-hans"}).get("me")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert set(answer.json()) == {"code", "message"}


def test_a_wrong_password_is_one_sentence_for_known_and_unknown_names(season: Season) -> None:
    """The answer does not tell which names exist."""
    known = Caller(Client(), {}).post("auth/token", {"username": "auditor", "password": "wrong"})
    unknown = Caller(Client(), {}).post("auth/token", {"username": "nobody-here", "password": "wrong"})
    assert known.status_code == unknown.status_code == 400
    assert known.json() == unknown.json()
    assert known.json()["code"] == "wrong_credentials"
    assert not Token.objects.filter(user=season.cast.user("auditor")).exists()


def test_five_wrong_passwords_lock_the_name_also_for_the_right_one(db: None) -> None:
    """Locked by user name: one address may be a whole township. The answer is JSON like every other."""
    cast: Cast = make_cast()
    for _n in range(5):
        last = Caller(Client(), {}).post("auth/token", {"username": "auditor", "password": "wrong"})
    right = Caller(Client(), {}).post("auth/token", {"username": "auditor", "password": "test-password-1"})
    other = Caller(Client(), {}).post("auth/token", {"username": "admin", "password": "test-password-1"})
    assert [last.status_code, right.status_code, other.status_code] == [429, 429, 200]
    assert json.loads(right.content)["code"] == "locked"
    assert not Token.objects.filter(user=cast.user("auditor")).exists()


def test_unreadable_sign_ins_are_400(db: None) -> None:
    """Whatever stands in the body, it is no server error."""
    for body in (b"[]", b'"x"', b"{}", b"nonsense", b'{"username": {}, "password": []}',
                 b'{"username": "a\\u0000b", "password": "x"}', b'{"username": "\\ud800", "password": "x"}'):  # fmt: skip
        answer = Caller(Client(), {}).post("auth/token", body)
        assert answer.status_code == 400, body
        assert {"code", "message"} <= set(answer.json())


def test_a_token_ends_with_the_account(season: Season) -> None:
    """Who is no longer at his post gets nothing."""
    agent = season.cast.user("village_agent")
    caller = token_of(agent)
    agent.is_active = False
    agent.save()
    assert caller.get("me").status_code == 401


def test_personal_data_stays_in_no_cache(season: Season) -> None:
    answer = token_of(season.cast.user("township_clerk")).get("me")
    assert "no-store" in answer["Cache-Control"]
