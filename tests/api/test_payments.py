"""Payments over HTTP: once, in full, in the contract's words; what is wrong is told in the caller's language."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contributions.models import Payment, PaymentCase, TaxEntry
from foundation.scope.context import places_scope
from tests.api.conftest import TODAY, Caller, Season, body_for, session_of, token_of
from tests.factories import make_household


@pytest.fixture
def agent(season: Season) -> Caller:
    return token_of(season.cast.user("village_agent"))


def test_a_household_is_paid_and_the_answer_is_the_contracts(season: Season, agent: Caller) -> None:
    """201 ``{payment, state, slip_number, received, excess, lines, cases}``, amounts as strings with two places."""
    first = season.charge(season.cast.dong)
    second = season.charge(season.cast.dong, personal="175.00", government="175.00")
    answer = agent.post("payments", body_for(first, second))
    assert answer.status_code == 201
    body = answer.json()
    pk = body.pop("payment")
    assert body == {
        "state": "recorded",
        "slip_number": f"{pk:010d}",
        "received": "525.00",
        "excess": "0.00",
        "lines": [
            {
                "registration": c.registration_id, "charge": c.pk, "version": 1, "insurance": "medical",
                "amount": f"{c.personal_amount:.2f}",
            }
            for c in (first, second)
        ],
        "cases": [],
    }  # fmt: skip


def test_the_same_body_again_is_200_with_the_first_answer(season: Season, agent: Caller) -> None:
    """One tap, one payment: also when the same words come in another order, and by session instead of token."""
    body = body_for(season.charge(season.cast.dong))
    first = agent.post("payments", body)
    again = agent.post("payments", dict(reversed(body.items())))
    by_page = session_of(season.cast.user("village_agent")).post("payments", {**body, "received": "350"})
    assert [first.status_code, again.status_code, by_page.status_code] == [201, 200, 200]
    assert first.json() == again.json() == by_page.json()
    assert Payment.objects.count() == 1


def test_another_body_under_a_used_uuid_is_409_and_a_case(season: Season, agent: Caller) -> None:
    """``{code: "uuid_reused", first, case}``: both stay on record, since money may have changed hands twice."""
    charge = season.charge(season.cast.dong)
    body = body_for(charge)
    first = agent.post("payments", body)
    other = agent.post("payments", {**body, "received": "700.00"})
    assert other.status_code == 409
    told = other.json()
    assert (told["code"], told["first"]) == ("uuid_reused", first.json())
    case = PaymentCase.objects.get(pk=told["case"])
    assert (case.kind, str(case.amount), case.payment_id) == (
        "uuid_reused",
        "700.00",
        first.json()["payment"],
    )
    assert agent.post("payments", {**body, "received": "700.00"}).json()["case"] == case.pk


def test_a_uuid_used_where_one_does_not_see_tells_nothing_and_loses_nothing(
    season: Season, agent: Caller
) -> None:
    """The money of the second is kept as a case of his own place; of the first payment nothing is said."""
    there = body_for(season.charge(season.cast.nan))
    stranger = token_of(season.cast.user("clerk_yi")).post("payments", there)
    assert stranger.status_code == 201
    here = season.charge(season.cast.dong)
    answer = agent.post("payments", body_for(here, client_uuid=there["client_uuid"]))
    assert (answer.status_code, answer.json()["code"]) == (409, "uuid_reused")
    assert "first" not in answer.json()
    case = PaymentCase.objects.get(pk=answer.json()["case"])
    assert (case.registration_id, case.unit_id) == (here.registration_id, season.cast.dong.pk)
    assert str(case.amount) == "350.00"


@pytest.mark.covers("E081")
@pytest.mark.parametrize("route", ["village", "township_hr_office", "government"])
def test_every_route_is_recorded_and_read_back(season: Season, agent: Caller, route: str) -> None:
    """Village, township office and the special ways: stored as handed over (oneself online: test_prices)."""
    charge = season.charge(season.cast.dong)
    answer = agent.post("payments", body_for(charge, route=route, means="transfer"))
    read = agent.get(f"payments/{answer.json()['payment']}").json()
    assert (read["route"], read["means"], read["paid_on"]) == (route, "transfer", TODAY.isoformat())


@pytest.mark.covers("E093")
def test_more_than_the_standard_never_rests_on_a_charge(season: Season, agent: Caller) -> None:
    """No overcharge, nothing bundled: what exceeds the charge waits to be given back, and a charge is a plan's."""
    charge = season.charge(season.cast.dong)
    answer = agent.post("payments", body_for(charge, amounts=["370.00"])).json()
    assert ([line["amount"] for line in answer["lines"]], answer["excess"]) == (["350.00"], "20.00")
    assert [(c["kind"], c["amount"]) for c in answer["cases"]] == [("amount_differs", "20.00")]
    bundled = body_for(season.charge(season.cast.dong))
    bundled["lines"][0]["charge"] = 2**40
    refused = agent.post("payments", bundled)
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_charge")


def test_what_comes_after_shows_in_the_state(season: Season, agent: Caller) -> None:
    """recorded → confirmed by the tax side; another one → reversed. The replay keeps its first answer."""
    charge, other = season.charge(season.cast.dong), season.charge(season.cast.dong)
    body = body_for(charge)
    pk = agent.post("payments", body).json()["payment"]
    assert agent.get(f"payments/{pk}").json()["state"] == "recorded"
    with places_scope(season.cast.places):
        line = Payment.objects.get(pk=pk).lines.get()
        TaxEntry.objects.create(
            township_id=line.township_id, unit_id=line.unit_id, batch=1, plan=season.plan,
            registration_id=line.registration_id, payment_line=line, insurance="medical", coverage_year=2023,
            amount=line.amount, invoiced_on=TODAY, voucher="337040000000000001",
        )  # fmt: skip
    confirmed = agent.get(f"payments/{pk}").json()
    assert confirmed["state"] == "confirmed"
    assert confirmed["lines"][0]["confirmed_on"] == TODAY.isoformat()
    assert agent.post("payments", body).json()["state"] == "recorded"
    refused = agent.post(f"payments/{pk}/reverse", {"client_uuid": str(uuid.uuid4()), "reason": "收错"})
    assert (refused.status_code, refused.json()["code"]) == (409, "confirmed")

    pk = agent.post("payments", body_for(other)).json()["payment"]
    undo = {"client_uuid": str(uuid.uuid4()), "reason": "收错了人"}
    reversal = agent.post(f"payments/{pk}/reverse", undo)
    assert (reversal.status_code, reversal.json()["received"]) == (201, "-350.00")
    assert agent.post(f"payments/{pk}/reverse", undo).status_code == 200
    stands = agent.get(f"payments/{pk}").json()
    assert (stands["state"], stands["reversed_by"]) == ("reversed", reversal.json()["payment"])
    assert agent.get(f"payments/{reversal.json()['payment']}").json()["state"] == "reversal"


def test_a_reversal_takes_no_used_uuid(season: Season, agent: Caller) -> None:
    """The number of a payment cannot become the number of another's reversal, nor the other way round."""
    first, second = body_for(season.charge(season.cast.dong)), body_for(season.charge(season.cast.dong))
    pk = agent.post("payments", first).json()["payment"]
    agent.post("payments", second)
    taken = agent.post(f"payments/{pk}/reverse", {"client_uuid": second["client_uuid"], "reason": "收错"})
    assert (taken.status_code, taken.json()["code"]) == (409, "uuid_reused")
    undo = {"client_uuid": str(uuid.uuid4()), "reason": "收错"}
    assert agent.post(f"payments/{pk}/reverse", undo).status_code == 201
    assert agent.post("payments", {**first, "client_uuid": undo["client_uuid"]}).status_code == 409


def test_a_household_out_of_sight_is_not_written_down(season: Season, agent: Caller) -> None:
    """Money is not refused for a wrong household; it goes with the household of the person paid for."""
    charge = season.charge(season.cast.dong)
    foreign = make_household(season.cast, season.cast.nan)
    pk = agent.post("payments", body_for(charge, household=foreign.pk)).json()["payment"]
    assert Payment.objects.get(pk=pk).household_id == charge.household_id


def test_who_does_not_collect_takes_no_money(season: Season) -> None:
    """An auditor changes nothing; a leader reads figures."""
    body = body_for(season.charge(season.cast.dong))
    for role in ("auditor", "county_leader", "admin", "finance_bureau", "department", "medical_bureau"):
        answer = token_of(season.cast.user(role)).post("payments", body)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), role
    assert not Payment.objects.exists()


FIELDS: dict[str, list[Any]] = {
    "client_uuid": ["", "no-uuid", None, 7, []],
    "handed_over_at": ["", "yesterday", "2022-11-30T09:15:00", "2022-11-30", "0001-01-01T00:00:00+08:00",
                       "9999-12-31T23:59:59-12:00", "1899-12-31T00:00:00+08:00", 5],
    "received": ["", "abc", "-1.00", "1.005", "NaN", "Infinity", "1e30", None, {}],
    "route": ["", "drone", None, 1],
    "means": ["", "gold", None],
    "household": ["x", -1, 2**70, 1.5],
    "sequence": [2**70, "x"],
    "payer_name": ["长" * 61, "a\x00b", "\ud800", {}, None],
    "device": ["x", 3],
    "lines": [[], None, "x", {}, [1], [[]]],
}  # fmt: skip


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in FIELDS.items() for v in values])
def test_a_bad_field_is_400_and_named(season: Season, agent: Caller, field: str, value: Any) -> None:
    """``{"code", "message", "fields"}``: a Chinese sentence beside the field that has to be put right."""
    body = body_for(season.charge(season.cast.dong))
    answer = agent.post("payments", {**body, field: value})
    assert answer.status_code == 400, answer.content
    told = answer.json()
    assert (set(told), told["code"]) == ({"code", "message", "fields"}, "invalid")
    assert set(told["fields"]) == {field}
    assert _chinese(told["message"])
    assert _chinese(str(told["fields"][field]))


@pytest.mark.parametrize(
    ("field", "value"),
    [("registration", "x"), ("charge", 2**70), ("version", 0), ("version", 2**40), ("amount", "-0.01"),
     ("amount", "0.001"), ("tier", "x"), ("amount", None)],
)  # fmt: skip
def test_a_bad_line_is_400_and_named(season: Season, agent: Caller, field: str, value: Any) -> None:
    body = body_for(season.charge(season.cast.dong))
    body["lines"][0][field] = value
    told = agent.post("payments", body)
    assert told.status_code == 400
    assert set(told.json()["fields"]["lines"]["0"]) == {field}


def _chinese(text: str) -> bool:
    return any("一" <= sign <= "鿿" for sign in text)


def test_the_message_speaks_the_language_of_the_request(season: Season) -> None:
    """Accept-Language decides, for our sentences and the framework's."""
    clerk = season.cast.user("village_agent")
    english, chinese = token_of(clerk, language="en"), token_of(clerk)
    for body in ({}, {**body_for(season.charge(season.cast.dong)), "handed_over_at": "2022-11-30T09:15:00"}):
        told, gesagt = english.post("payments", body).json(), chinese.post("payments", body).json()
        assert told["code"] == gesagt["code"]
        assert str(told).isascii(), told
        assert _chinese(gesagt["message"])
    foreign = english.get("payments/999999999")
    assert foreign.json()["message"].isascii()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"x"', b"1e999", b"[" * 100_000])
def test_a_body_that_is_no_order_is_400(season: Season, agent: Caller, body: bytes) -> None:
    """Cut off, not text, not an object, nested beyond reading: one clear error."""
    answer = agent.post("payments", body)
    assert answer.status_code == 400
    assert {"code", "message"} <= set(answer.json())


def test_a_body_beyond_all_measure_is_413(season: Season, agent: Caller) -> None:
    answer = agent.post("payments", b" " * (5 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_form_is_not_json(season: Season, agent: Caller) -> None:
    answer = agent.client.post("/api/v1/payments", {"received": "1"}, headers=agent.headers)
    assert answer.status_code == 415
    assert {"code", "message"} <= set(answer.json())


_leaf = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=8).map(str)
)
_json = st.recursive(
    _leaf,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3),
    max_leaves=8,
)
_changes = st.dictionaries(
    st.sampled_from([*FIELDS, "paid_for_others", "more"]), _json | st.just("__gone__"), max_size=3
)
_line_changes = st.dictionaries(
    st.sampled_from(["registration", "charge", "version", "tier", "amount", "more"]),
    _json | st.just("__gone__") | st.decimals(allow_nan=True).map(str), max_size=3,
)  # fmt: skip


@hypothesis_settings(
    max_examples=150, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(changes=_changes, line_changes=_line_changes, twice=st.booleans())
def test_no_body_is_a_server_error(
    season: Season, agent: Caller, changes: dict[str, Any], line_changes: dict[str, Any], twice: bool
) -> None:
    """Any body at all is recorded, refused with a reason, or not found; the test client would raise on a 500."""
    with places_scope(season.cast.places):
        body = body_for(_CHARGE.setdefault(id(season), season.charge(season.cast.dong)))
    lines = [{k: v for k, v in {**line, **line_changes}.items() if v != "__gone__"} for line in body["lines"]]
    body = {k: v for k, v in {**body, "lines": lines * (1 + twice), **changes}.items() if v != "__gone__"}
    answer = agent.post("payments", body)
    assert answer.status_code in {200, 201, 400, 404, 409}
    if answer.status_code >= 400:
        assert {"code", "message"} <= set(answer.json())


_CHARGE: dict[int, Any] = {}


def test_recording_costs_as_many_queries_for_one_as_for_six(season: Season, agent: Caller) -> None:
    """A household of six is one payment, and no query a person."""
    agent.post("payments", body_for(season.charge(season.cast.dong)))
    counts = []
    for size in (1, 6):
        body = body_for(*(season.charge(season.cast.dong) for _n in range(size)))
        with CaptureQueriesContext(connection) as queries:
            assert agent.post("payments", body).status_code == 201
        counts.append(len(queries))
    assert counts[1] - counts[0] <= 5 * 1  # one price period look-up a line
