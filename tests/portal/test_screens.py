"""The agent's round and household page, entered as the agent does."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from contributions.models import Payment
from foundation.scope.context import scope
from tests.portal.conftest import Office


@pytest.fixture
def agent(office: Office) -> Client:
    """The agent of 东村."""
    return office.client("village_agent")


def _household(office: Office, **values: Any) -> Any:
    with scope(office.season.cast.user("tax_bureau")):
        return office.season.charge(office.season.cast.dong, **values)


def test_round_lists_who_owes_first(office: Office, agent: Client) -> None:
    """Households with something open on top, then the rest; only the own village."""
    _household(office, name="欠缴户")
    page = agent.get("/village/370406901201/").content.decode()
    assert (
        page.index("没缴完 1 户")
        < page.index("欠缴户")
        < page.index("没有要缴的 1 户")
        < page.index("洪甲壬")
    )
    assert "350.00" in page
    assert agent.get("/village/370406901202/").status_code == 404, "西村 has another agent"
    assert agent.get("/village/370406902203/").status_code == 404


def test_round_is_searched_by_name_initials_last_four_and_nickname(office: Office, agent: Client) -> None:
    """What an agent knows of people."""
    charge = _household(office, name="单守田", nickname="老孙头", phone_tail="7788")
    for asked in ("单守", "sst", "老孙头", "7788"):
        page = agent.get("/village/370406901201/", {"q": asked}).content.decode()
        assert "单守田" in page, asked
        assert "洪甲壬" not in page, asked
    assert "没有找到这个人" in agent.get("/village/370406901201/", {"q": "不存在"}).content.decode()
    assert charge.resident.nickname == "老孙头"


def test_round_asks_a_fixed_number_of_questions(
    office: Office, agent: Client, django_assert_num_queries: Any
) -> None:
    """A unit of three households and one of fifteen cost the same queries."""
    for count in (2, 12):
        for _n in range(count):
            _household(office)
        with django_assert_num_queries(16):
            agent.get("/village/370406901201/")


@pytest.mark.covers("E091")
@pytest.mark.covers("E093")
def test_amount_comes_from_the_charge_and_the_payer_is_recorded(office: Office, agent: Client) -> None:
    """What somebody types as an amount is not read; who paid, and whether for others, is kept."""
    charge = _household(office, name="王守信")
    page = f"/village/370406901201/{charge.household_id}/"
    shown = agent.get(page).content.decode()
    key = shown.split('name="client_uuid" value="')[1].split('"')[0]
    body = {
        "client_uuid": key, "line": f"{charge.pk}:{charge.version}", "means": "qr", "payer": "李邻居",
        "for_others": "1", "amount": "1.00", "received": "1.00",
    }  # fmt: skip
    for _twice in range(2):
        assert "已记下 350.00 元" in agent.post(page, body, follow=True).content.decode()
    with scope(office.season.cast.user("village_agent")):
        payment = Payment.objects.get(payer_name="李邻居")
        assert not payment.cases.exists()
    assert (str(payment.received), payment.paid_for_others, payment.route) == ("350.00", True, "village")
    assert payment.recorded_by == office.season.cast.user("village_agent")


def test_direct_plan_offers_no_cash(office: Office, agent: Client) -> None:
    """Where the money goes straight to the tax side, the page has no cash and a posted cash is refused in words."""
    charge = _household(office)
    page = f"/village/370406901201/{charge.household_id}/"
    shown = agent.get(page).content.decode()
    assert 'value="cash"' not in shown
    assert 'value="pos"' in shown


def test_nothing_ticked_and_rubbish_are_answered_in_words(office: Office, agent: Client) -> None:
    """No traceback: one sentence, nothing stored."""
    charge = _household(office)
    page = f"/village/370406901201/{charge.household_id}/"
    key = agent.get(page).content.decode().split('name="client_uuid" value="')[1].split('"')[0]
    empty = agent.post(page, {"client_uuid": key, "means": "qr"}, follow=True)
    assert "没有选择要缴费的人" in empty.content.decode()
    assert agent.post(page, {"client_uuid": "x", "line": "abc", "means": "qr"}).status_code == 404
    odd = agent.post(page, {"client_uuid": key, "line": f"{charge.pk}:1", "means": "gold"}, follow=True)
    assert "渠道或方式不认识" in odd.content.decode()


def test_foreign_household_is_not_there(office: Office, agent: Client) -> None:
    """Another village's household under the own village's address: 404, also for a payment."""
    with scope(office.season.cast.user("tax_bureau")):
        foreign = office.season.charge(office.season.cast.nan)
    page = f"/village/370406901201/{foreign.household_id}/"
    assert agent.get(page).status_code == 404
    assert agent.post(page, {"line": f"{foreign.pk}:1"}).status_code == 404
