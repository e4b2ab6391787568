"""Preview equals effect, whoever lives in the unit and whatever is amended: every line becomes true, nobody else moves."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from contributions.models import Amendment, AmendmentLine, Assessment, Charge, PaidDifference
from contributions.services.assess import AssessResult, assess
from contributions.services.ledger import verify_ledger
from enrollment.models import CollectionPlan, Resident
from foundation.scope.context import places_scope
from subsidies.rules.source import PlanError
from subsidies.services.life import publish_plan
from tests.contributions.paid import Paid, build_paid
from tests.contributions.test_amendments import draft, effect, preview

GROUPS = ("dibao", "tekun", "dibao_edge", "monitored", "fanpin", "disabled", "youfu")
CHANGES: list[dict[str, str]] = [
    {"window.medical_collection.closes": "2023-01-31"},
    {"medical.personal": "400", "plan.amendment_for_paid": "keep_as_paid"},
    {"medical.personal": "320", "window.medical_collection.closes": "2023-01-06"},
    {"waiver.medical_age_60_69.share.personal": "30%", "waiver.medical_age_60_69.age.from": "58"},
    {"waiver.medical_full_groups": "off", "late.medical_late.waiting.months": "1"},
    {"window.medical_collection.closes": "2022-12-02", "medical.fiscal": "670"},
]


@pytest.fixture
def paid(db: None) -> Iterator[Paid]:
    """A published plan and the people of a synthetic unit and of a neighbour's."""
    made = build_paid()
    publish_plan(by=None, plan=made.plan)
    with places_scope(made.cast.places):
        yield made


def _populate(paid: Paid, chance: random.Random) -> None:
    """People of all ages and groups, of two townships, some of whom have paid, early, in time or late."""
    people: list[Resident] = []
    for number in range(18):
        birth = date(
            chance.choice([1941, 1951, 1955, 1960, 1962, 1964, 1985, 2001, 2015]), chance.randint(1, 12), 9
        )
        unit = chance.choice([paid.cast.dong, paid.cast.xi, paid.cast.nan])
        person = paid.resident(birth, unit=unit, name=f"人{number}")
        people.append(person)
        if chance.random() < 0.35:
            until = chance.choice([None, None, date(2022, 12, 5)])
            paid.member(person, chance.choice(GROUPS), date(2022, chance.choice([1, 12]), 2), until)
    paid.assess(date(2022, 11, 20))
    days = [date(2022, 11, 20), date(2022, 12, 28), date(2023, 1, 5), date(2023, 2, 8)]
    payers = [person for person in people if paid.charge(person).personal_amount]
    for place, person in enumerate(payers):
        if place < len(days) or chance.random() < 0.5:
            paid.pay(person, days[place] if place < len(days) else chance.choice(days))
    gone = chance.sample(people, 3)
    Resident.objects.filter(pk=gone[0].pk).update(employee_medical=True)
    Resident.objects.filter(pk=gone[1].pk).update(death_date=date(2022, 12, 20))
    paid.assess(date(2023, 2, 10))


def _said(charge: Charge) -> tuple[Any, ...]:
    others = charge.government_paid_amount + charge.fiscal_subsidy_amount
    return charge.personal_amount, others, charge.benefit_start


def _stands() -> dict[int, Charge]:
    return {charge.registration_id: charge for charge in Charge.objects.filter(current=True)}


@pytest.mark.parametrize("seed", range(len(CHANGES)))
def test_preview_equals_effect(paid: Paid, seed: int) -> None:
    """Whatever is amended: charges named in a line become what it says, all others keep the very row they had."""
    _populate(paid, random.Random(seed))
    before = _stands()
    draft(paid, CHANGES[seed], "试点修订。")
    preview(paid)
    assert {pk: c.pk for pk, c in _stands().items()} == {pk: c.pk for pk, c in before.items()}
    lines = {line.registration_id: line for line in AmendmentLine.objects.all()}
    assert lines, "each of these changes touches somebody"
    job = effect(paid)
    assert (job.state, job.error) == ("succeeded", "")
    after = _stands()
    for pk, charge in before.items():
        line = lines.get(pk)
        if line is None or line.outcome in ("keep", "review"):
            assert after[pk].pk == charge.pk
        elif line.outcome == "end":
            assert pk not in after
        else:
            assert after[pk].pk != charge.pk
            assert _said(after[pk]) == (line.personal_after, line.others_after, line.benefit_start_after)
            assert after[pk].plan_version == 2
        if line is not None:
            assert (line.personal_before, line.others_before, line.benefit_start_before) == _said(charge)
    owed = sum(
        (row.owed for row in PaidDifference.objects.filter(cause="amendment", standing=True)), Decimal(0)
    )
    refund = sum(
        (row.refund for row in PaidDifference.objects.filter(cause="amendment", standing=True)), Decimal(0)
    )
    assert (owed, refund) == (
        sum(line.owed for line in lines.values()),
        sum(line.refund for line in lines.values()),
    )
    settled = Amendment.objects.get()
    assert sum(s.touched for s in settled.sums.all()) == len(lines)
    assert not settled.sums.filter(moved=True).exists()
    proof = verify_ledger()
    assert proof.ok, proof
    # The next assessment has nothing to add: what the amendment left alone is left alone.
    again = paid.assess(date(2023, 2, 10))
    assert (again.changed, again.charges, again.corrected) == (0, 0, 0)


def test_another_run_of_the_same_would_touch_nobody(paid: Paid) -> None:
    """Alone and in bulk give the same: assessing each person by himself after the effect writes nothing."""
    _populate(paid, random.Random(11))
    draft(paid, CHANGES[0], "延长。")
    preview(paid)
    effect(paid)
    stamps = list(Assessment.objects.order_by("pk").values_list("pk", "priced_on", "plan_version"))
    with transaction.atomic():
        for person in Resident.objects.order_by("pk")[:6]:
            found = _alone(paid, person)
            assert (found.changed, found.charges) == (0, 0)
    assert list(Assessment.objects.order_by("pk").values_list("pk", "priced_on", "plan_version")) == stamps


def _alone(paid: Paid, person: Resident) -> AssessResult:
    plan = CollectionPlan.objects.select_related("county").get(pk=paid.plan.pk)
    return assess(by=None, plan=plan, residents=[person.pk], on=date(2023, 2, 10))


def test_a_change_that_does_not_hold_is_no_draft(paid: Paid) -> None:
    """A late period that would overlap is refused in words, and nothing is written."""
    with pytest.raises(PlanError):
        draft(paid, {"window.medical_collection.closes": "2024-06-30"}, "延长。")
