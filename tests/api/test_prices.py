"""What is due and why, over HTTP under the real plan of 山亭区 2023: tiers, routes, clauses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from contributions.models import Charge
from contributions.services.assess import assess
from enrollment.models import Category, CollectionPlan, Membership, Resident
from foundation.audit.models import AuditEvent
from foundation.clock.services import set_business_date
from foundation.identity import make_number
from foundation.scope.context import places_scope
from subsidies.services.plans import load_plan
from tests.api.conftest import TODAY, Caller, body_for, token_of
from tests.factories import Cast, make_cast, make_registration, make_resident
from townships.services.divisions import load_county

TIERS = [100, 300, 500, 600, 800, 1000, 1500, 2000, 2500, 3000, 4000, 5000]


@dataclass
class County:
    cast: Cast
    plan: CollectionPlan

    def registered(
        self, insurance: str, birth: date, *, tier: str | None = None, group: str = ""
    ) -> Resident:
        """A resident of 东村 registered for an insurance, maybe in a special group."""
        person = make_resident(self.cast, self.cast.dong, birth_date=birth)
        make_registration(self.cast, person, self.plan, insurance, tier)
        if group:
            category, _made = Category.objects.get_or_create(code=group, defaults={"name": group})
            Membership.objects.create(
                resident=person, category=category, valid_from=date(2022, 1, 1),
                township_id=person.township_id, unit_id=person.unit_id,
            )  # fmt: skip
        return person

    def charge(self, person: Resident) -> Charge:
        """His charge, after an assessment."""
        assess(by=None, plan=self.plan)
        return Charge.objects.get(resident=person, current=True)


@pytest.fixture
def county(db: None) -> Iterator[County]:
    cast = make_cast()
    load_county(by=None, code="370406")
    load_plan(by=None, path_or_code="shanting-2023")
    set_business_date(county_code=cast.county.code, day=TODAY)
    with places_scope(cast.places):
        yield County(cast, CollectionPlan.objects.get(code="shanting-2023"))


@pytest.fixture
def agent(county: County) -> Caller:
    return token_of(county.cast.user("village_agent"))


def _pays_tier(agent: Caller, charge: Charge, tier: int) -> Any:
    body = body_for(charge, amounts=[f"{tier}.00"])
    body["lines"][0]["tier"] = f"{tier}.00"
    return agent.post("payments", body)


@pytest.mark.covers("E026")
def test_twelve_tiers_are_taken_and_any_other_amount_is_refused(county: County, agent: Caller) -> None:
    """The price is refused before money is taken: 400, and nothing is stored."""
    people = {
        tier: county.registered("pension", date(1970, 5, 5), tier="300.00") for tier in (*TIERS, 450, 0)
    }
    charges = {tier: county.charge(person) for tier, person in people.items()}
    for tier in TIERS[1:]:
        answer = _pays_tier(agent, charges[tier], tier)
        assert (answer.status_code, answer.json()["cases"]) == (201, []), tier
        assert answer.json()["received"] == f"{tier}.00"
    for tier in (450, 0):
        refused = _pays_tier(agent, charges[tier], tier)
        assert (refused.status_code, refused.json().get("code")) == (400, "unknown_tier"), (
            refused.content.decode()
        )


@pytest.mark.covers("E027")
def test_tier_100_is_for_named_groups_alone(county: County, agent: Caller) -> None:
    """A resident of no group is refused it; one on the list of low income pays it."""
    plain = county.charge(county.registered("pension", date(1970, 5, 5), tier="300.00"))
    refused = _pays_tier(agent, plain, 100)
    assert (refused.status_code, refused.json()["code"]) == (400, "tier_100_not_allowed")
    assert "档次" in refused.json()["message"]


@pytest.mark.covers("E081")
def test_paying_for_oneself_online_is_recorded(county: County, agent: Caller) -> None:
    """The route is part of the quote, and stored with the payment."""
    charge = county.charge(county.registered("medical", date(1985, 5, 5)))
    answer = agent.post("payments", body_for(charge, route="online", means="qr"))
    assert (answer.status_code, answer.json()["cases"]) == (201, [])
    assert agent.get(f"payments/{answer.json()['payment']}").json()["route"] == "online"


@pytest.mark.covers("E035", "E043")
def test_every_yuan_has_a_payer_and_a_clause(county: County) -> None:
    """At 65 half is his own; own, government's and fiscal part add up to 960; each cites the paper with its lines."""
    person = county.registered("medical", date(1957, 5, 5))
    county.charge(person)
    clerk = token_of(county.cast.user("township_clerk"))
    answer = clerk.get(f"residents/{person.pk}/explanation", plan="shanting-2023")
    assert answer.status_code == 200
    (medical,) = answer.json()["charges"]
    assert {k: medical[k] for k in ("insurance", "decision", "reason", "benefit_start")} == {
        "insurance": "medical", "decision": "accept", "reason": None, "benefit_start": "2023-01-01",
    }  # fmt: skip
    amounts = {s["payer"]: s["amount"] for s in medical["shares"]}
    assert amounts == {"personal": "175.00", "government_or_department": "175.00", "fiscal_subsidy": "610.00"}
    for share in medical["shares"]:
        assert set(share) == {"payer", "amount", "rule", "clause", "lines"}
        assert share["clause"]
        assert share["lines"].startswith("L")


@pytest.mark.covers("E028")
@pytest.mark.parametrize(("tier", "subsidy"), [("300.00", "30.00"), ("500.00", "60.00"), ("800.00", "80.00")])
def test_the_subsidy_of_a_tier_is_explained(county: County, tier: str, subsidy: str) -> None:
    person = county.registered("pension", date(1970, 5, 5), tier=tier)
    county.charge(person)
    answer = token_of(county.cast.user("hr_bureau")).get(f"residents/{person.pk}/explanation").json()
    (pension,) = (charge for charge in answer["charges"] if charge["insurance"] == "pension")
    amounts = {s["payer"]: s["amount"] for s in pension["shares"]}
    assert amounts == {"personal": tier, "pension_subsidy": subsidy}


def test_a_look_at_an_explanation_is_in_the_trail(county: County) -> None:
    """It tells which group somebody is in; who looked is written down, without name or number."""
    person = county.registered("medical", date(1990, 5, 5), group="dibao")
    county.charge(person)
    clerk = county.cast.user("township_clerk")
    token_of(clerk).get(f"residents/{person.pk}/explanation")
    event = AuditEvent.objects.get(action="explain")
    assert (event.actor_id, event.target_kind, event.target) == (clerk.pk, "resident", str(person.pk))


def test_foreign_and_unknown_residents_and_plans_answer_alike(county: County) -> None:
    foreign = make_resident(county.cast, county.cast.nan)
    own = county.registered("medical", date(1990, 5, 5))
    clerk = token_of(county.cast.user("township_clerk"))
    answers = [
        clerk.get(f"residents/{foreign.pk}/explanation"),
        clerk.get("residents/999999999/explanation"),
        clerk.get(f"residents/{2**70}/explanation"),
        clerk.get(f"residents/{own.pk}/explanation", plan="no-such-plan"),
    ]
    assert [a.status_code for a in answers] == [404] * 4
    assert len({a.content for a in answers}) == 1


@pytest.mark.covers("E129")
def test_an_office_looks_up_what_somebody_owes_and_has_paid(county: County, agent: Caller) -> None:
    """The HR bureau is asked: it finds the person by his number and reads pension due, paid and the payment's state."""
    number = make_number("370406", date(1970, 5, 5), 655)
    person = make_resident(
        county.cast, county.cast.dong, birth_date=date(1970, 5, 5), number=number, name="周永顺"
    )
    make_registration(county.cast, person, county.plan, "pension", "500.00")
    charge = county.charge(person)
    payment = _pays_tier(agent, charge, 500).json()["payment"]
    bureau = token_of(county.cast.user("hr_bureau"))
    (found,) = bureau.get(f"villages/{county.cast.dong.code}/residents", search=number).json()["results"]
    (pension,) = found["charges"]
    assert (found["name"], pension["due"], pension["paid"]) == ("周永顺", "500.00", "500.00")
    assert bureau.get(f"payments/{payment}").json()["state"] == "recorded"
