"""The slip a household is given: what it says, who may print it, and that printing is in the trail."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from contributions.models import Payment, TaxEntry
from enrollment.models import Household
from foundation.audit.models import AuditEvent
from foundation.scope.context import places_scope
from foundation.scope.places import NOWHERE
from tests.api.conftest import TODAY, Caller, Season, body_for, session_of, token_of


@pytest.fixture
def agent(season: Season) -> Caller:
    return token_of(season.cast.user("village_agent"))


def _paper(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/pdf"
    return "".join("".join(page.extract_text().split()) for page in PdfReader(BytesIO(answer.content)).pages)


def test_it_says_who_paid_what_for_whom_and_that_it_is_no_voucher(season: Season, agent: Caller) -> None:
    """Amount in Chinese capitals, payer, lines, route, means, day of the season, and the state."""
    first = season.charge(season.cast.dong, name="周永顺")
    assert first.household_id is not None
    with places_scope(season.cast.places):
        Household.objects.filter(pk=first.household_id).update(
            head_name="周永顺", group_name="3组", house_number="5"
        )
    second = season.charge(season.cast.dong, name="周建国", personal="175.00", government="175.00")
    body = body_for(first, second, payer_name="周建国", paid_for_others=True, household=first.household_id)
    paid = agent.post("payments", body).json()
    text = _paper(agent.get(f"payments/{paid['payment']}/slip"))
    for part in (
        "缴费登记回执", "（不作缴费凭证）", f"登记号{paid['slip_number']}", "2022年11月30日", "甲镇东村3组5号",
        "周永顺医疗350.00", "周建国医疗175.00", "525.00元", "人民币伍佰贰拾伍元整", "周建国付，村居代收，扫码，代扫",
        "待税务回传", "经手：村代办员",
    ):  # fmt: skip
        assert part in text, part


def test_money_too_much_stands_on_it(season: Season, agent: Caller) -> None:
    """The slip's total is what was handed over; what waits to be given back is a line of its own."""
    charge = season.charge(season.cast.dong)
    paid = agent.post("payments", body_for(charge, received="400.00")).json()
    text = _paper(agent.get(f"payments/{paid['payment']}/slip"))
    assert "多收，等待退还50.00" in text
    assert "人民币肆佰元整" in text


def test_it_tells_the_state_of_the_day(season: Season, agent: Caller) -> None:
    """待税务回传 until the tax side has answered, then 税务已确认; a payment taken back says so."""
    charge, other = season.charge(season.cast.dong), season.charge(season.cast.dong)
    pk = agent.post("payments", body_for(charge)).json()["payment"]
    with places_scope(season.cast.places):
        line = Payment.objects.get(pk=pk).lines.get()
        TaxEntry.objects.create(
            township_id=line.township_id, unit_id=line.unit_id, batch=1, plan=season.plan,
            registration_id=line.registration_id, payment_line=line, insurance="medical", coverage_year=2023,
            amount=line.amount, invoiced_on=TODAY, voucher="337040000000000001",
        )  # fmt: skip
    text = _paper(agent.get(f"payments/{pk}/slip"))
    assert "税务已确认" in text
    assert "待税务回传" not in text
    pk = agent.post("payments", body_for(other)).json()["payment"]
    undo = {"client_uuid": "6b2f3c1e-0000-4000-8000-000000000001", "reason": "收错"}
    reversal = agent.post(f"payments/{pk}/reverse", undo).json()["payment"]
    assert "本笔已撤销" in _paper(agent.get(f"payments/{pk}/slip"))
    assert agent.get(f"payments/{reversal}/slip").status_code == 404


def test_an_official_paper_is_chinese_for_everybody(season: Season) -> None:
    caller = token_of(season.cast.user("village_agent"), language="en")
    pk = caller.post("payments", body_for(season.charge(season.cast.dong))).json()["payment"]
    text = _paper(caller.get(f"payments/{pk}/slip"))
    assert "待税务回传" in text
    assert "扫码" in text


def test_every_printing_is_in_the_trail(season: Season, agent: Caller) -> None:
    """Who printed which slip; no name and no number in it."""
    pk = agent.post("payments", body_for(season.charge(season.cast.dong))).json()["payment"]
    agent.get(f"payments/{pk}/slip")
    agent.get(f"payments/{pk}/slip")
    events = AuditEvent.objects.filter(action="payment.print")
    assert [(e.actor_id, e.target) for e in events] == [(season.cast.user("village_agent").pk, str(pk))] * 2


def test_foreign_and_unknown_slips_answer_alike(season: Season, agent: Caller) -> None:
    """As JSON, whatever was asked for; a role that reads no register gets none."""
    yi = token_of(season.cast.user("clerk_yi"))
    foreign = yi.post("payments", body_for(season.charge(season.cast.nan))).json()["payment"]
    for path in ("payments/{}/slip", "payments/{}"):
        answers = [agent.get(path.format(pk)) for pk in (foreign, 999999999, 2**70)]
        assert [a.status_code for a in answers] == [404] * 3
        assert len({a.content for a in answers}) == 1
    agent.headers["Accept"] = "application/pdf"
    assert agent.get("payments/999999999/slip").json()["code"] == "not_found"
    assert token_of(season.cast.user("county_leader")).get(f"payments/{foreign}/slip").status_code == 403


def test_the_households_page_leads_to_its_slips(season: Season, agent: Caller) -> None:
    """Whoever pays at the agent's table is handed the slip from the page he paid on."""
    charge = season.charge(season.cast.dong)
    payment = agent.post("payments", body_for(charge)).json()["payment"]
    browser = session_of(season.cast.user("village_agent"))
    with places_scope(NOWHERE):
        page = browser.client.get(f"/village/{season.cast.dong.code}/{charge.household_id}/")
    address = f"/api/v1/payments/{payment}/slip"
    assert f'href="{address}"' in page.content.decode()
    assert "待税务回传" in _paper(browser.get(address.removeprefix("/api/v1/")))
