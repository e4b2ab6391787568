"""A move in November rewrites no history: money, charges and rosters stay, the person goes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from contributions.models import Assessment, Charge, PaymentLine
from contributions.services.assess import assess
from contributions.services.explain import explain
from contributions.services.ledger import verify_ledger
from contributions.services.register.moves import NewHome, accept_transfer, move_people
from contributions.village import household_members, unit_round
from enrollment.models import (
    Category,
    EventKind,
    Household,
    Membership,
    Registration,
    Resident,
    ResidentEvent,
    Transfer,
)
from enrollment.services.life import moves
from foundation.scope.context import scope
from rosters.models import RosterKind
from rosters.services.sealing import seal_units
from tests.register.conftest import TODAY, Life

MOVED = date(2022, 11, 20)


def _transfer(life: Life, *people: Resident, along: bool = False) -> Transfer:
    with scope(life.clerk):
        return moves.offer(
            by=life.clerk, residents=[p.pk for p in people], to_unit=life.cast.nan, on=MOVED, evidence="户口迁移证",
            with_registrations=along,
        )[0]  # fmt: skip


def _accept(life: Life, transfer: Transfer) -> list[Resident]:
    with scope(life.other_clerk):
        return accept_transfer(by=life.other_clerk, party=transfer.party, home=NewHome(house_number="9"))


def test_paid_in_one_township_moved_to_another_the_season_stays(life: Life) -> None:
    """Registration, charge and money stand where they were collected; the person lives in the new village."""
    person = life.person(life.cast.dong, "medical", "pension", name="迁移人")
    life.pay(person)
    house = life.household(person)
    before = [life.registration(person, i).unit_id for i in ("medical", "pension")]
    [moved] = _accept(life, _transfer(life, person, along=True))
    assert (moved.unit, moved.township) == (life.cast.nan, life.cast.yi)
    medical, pension = (life.registration(person, i) for i in ("medical", "pension"))
    assert before == [life.cast.dong.pk] * 2
    assert medical.unit_id == life.cast.dong.pk, "paid: it stays"
    assert medical.household_id == house.pk
    assert pension.unit_id == life.cast.nan.pk, "nothing paid, offered to go along"
    charges = {i: life.charge(person, i) for i in ("medical", "pension")}
    assert charges["medical"] is not None
    assert charges["pension"] is not None
    assert charges["medical"].unit_id == life.cast.dong.pk
    assert charges["medical"].household_id == house.pk
    assert charges["pension"].unit_id == life.cast.nan.pk
    with life.county():
        assert PaymentLine.objects.get().unit_id == life.cast.dong.pk
        assert verify_ledger().ok
        places = dict(Assessment.objects.values_list("insurance", "unit_id"))
        assert places == {"medical": life.cast.dong.pk, "pension": life.cast.nan.pk}


def test_without_being_asked_for_what_is_unpaid_stays_too(life: Life) -> None:
    """The clerk chooses whether an unpaid registration goes along; by default it does not."""
    person = life.person(life.cast.dong, "medical")
    _accept(life, _transfer(life, person))
    assert life.registration(person).unit_id == life.cast.dong.pk


def test_both_townships_see_what_they_must_and_no_more(life: Life) -> None:
    """Before: the receiving side sees the transfer alone. After: the old side reads the person and keeps his season, the
    new one has the person and none of the old one's money."""
    person = life.person(life.cast.dong, "medical", name="边界人")
    life.pay(person)
    transfer = _transfer(life, person)
    with scope(life.other_clerk):
        assert not Resident.objects.filter(pk=person.pk).exists()
        assert Transfer.objects.visible_to(life.other_clerk).get().name == "边界人"
    _accept(life, transfer)
    with scope(life.other_clerk):
        assert Resident.objects.held_by(life.other_clerk).filter(pk=person.pk).exists()
        assert not Registration.objects.exists()
        assert not Charge.objects.exists()
        assert not PaymentLine.objects.exists()
        told = ResidentEvent.objects.visible_to(life.other_clerk).get(kind=EventKind.MOVED)
        assert told.detail["before"]["place"] == "甲镇东村"
    with scope(life.clerk):
        assert Resident.objects.visible_to(life.clerk).filter(pk=person.pk).exists()
        assert not Resident.objects.held_by(life.clerk).filter(pk=person.pk).exists()
        assert Registration.objects.get().unit_id == life.cast.dong.pk
        with pytest.raises(Resident.DoesNotExist):
            moves.offer(
                by=life.clerk, residents=[person.pk], to_unit=life.cast.nan, on=TODAY, evidence="证明"
            )


def test_the_old_village_goes_on_collecting_at_the_old_house(life: Life) -> None:
    """Unpaid and moved: he stands on the old round in the house he registered from, and is paid there."""
    person = life.person(life.cast.dong, "medical", name="未缴人")
    house = life.household(person)
    _accept(life, _transfer(life, person))
    agent = life.cast.user("village_agent")
    with scope(agent):
        owed = unit_round(agent, life.cast.dong).unpaid
        assert [(home.id, home.open) for home in owed] == [(house.pk, Decimal("350.00"))]
        assert unit_round(agent, life.cast.dong, search="未缴").total == 1
        [member] = household_members(agent, house.pk, life.plan)
        assert member.lives == "乙镇南村"
        charge = Charge.objects.get(current=True)
    life.pay_charge(charge, agent)
    with scope(agent):
        assert unit_round(agent, life.cast.dong).unpaid == []
    with scope(life.other_clerk):
        home = Household.objects.get(residents=person)
        [here] = household_members(life.other_clerk, home.pk, life.plan)
        assert (here.items, here.registered) == ([], "甲镇东村")


def test_the_price_is_the_same_whoever_assesses(life: Life) -> None:
    """Groups follow the person, and both sides read them: the old clerk, the new one and the county give one answer."""
    person = life.person(life.cast.dong, "medical")
    group, _made = Category.objects.get_or_create(code="dibao", defaults={"name": "低保"})
    with life.county():
        Membership.objects.create(
            resident=person, category=group, valid_from=date(2022, 1, 1), township=life.cast.jia, unit=life.cast.dong
        )  # fmt: skip
    life.assess(person)
    _accept(life, _transfer(life, person))
    for user in (life.clerk, life.other_clerk, life.bureau):
        with scope(user):
            result = assess(by=user, plan=life.plan, townships=sorted(user.scope_places().townships))
        charge = life.charge(person)
        assert charge is not None
        assert (charge.personal_amount, charge.unit_id) == (Decimal("0.00"), life.cast.dong.pk)
        assert result.changed == 0, user
    with scope(life.clerk):
        told = [e for e in explain(plan=life.plan, resident=person) if e.insurance == "medical"]
        assert told[0].decision == "accept"
        assert Membership.objects.get().unit_id == life.cast.nan.pk


def test_a_roster_of_the_old_village_is_whole_for_its_own_clerk(life: Life) -> None:
    """Who moved away is listed where he registered, under the house he registered from, with the same hash for all."""
    person = life.person(life.cast.dong, "medical", name="入册人")
    house = life.household(person)
    _accept(life, _transfer(life, person))
    digests = set()
    for user in (life.clerk, life.bureau):
        with scope(user):
            sealed = seal_units(
                by=user, plan=life.plan, kind=RosterKind.LEVY, units=[life.cast.dong.pk], as_of=TODAY
            )
            digests |= set(sealed.digests.values())
    assert len(digests) == 1
    with life.county():
        from rosters.models import RosterLine

        line = RosterLine.objects.get()
        assert (line.name, line.household_number) == ("入册人", house.number)


def test_moving_within_a_township_needs_nobody_else(life: Life) -> None:
    """One clerk keeps both ends: he moves at once, into a house that is there or a new one."""
    person = life.person(life.cast.dong, "medical")
    neighbour = life.person(life.cast.xi, name="邻居")
    number = life.household(neighbour).number
    with scope(life.clerk):
        [moved] = move_people(
            by=life.clerk, residents=[person.pk], to_unit=life.cast.xi, home=NewHome(number, new=False), on=MOVED,
            evidence="村委会证明",
        )  # fmt: skip
    assert moved.unit == life.cast.xi
    assert not moved.is_head
    assert moved.household_id == neighbour.household_id
    assert life.registration(person).unit_id == life.cast.dong.pk
    assert moved.also_units == [life.cast.dong.pk]
    assert moved.also_townships is None, "the township is the same"


def test_there_and_back_again_leaves_no_trace_in_the_season(life: Life) -> None:
    """Back in the old village he lives where he registered: nobody else reads him any more."""
    person = life.person(life.cast.dong, "medical")
    _accept(life, _transfer(life, person))
    with scope(life.other_clerk):
        [back] = moves.offer(
            by=life.other_clerk, residents=[person.pk], to_unit=life.cast.dong, on=TODAY, evidence="迁回"
        )
    with scope(life.clerk):
        [row] = accept_transfer(by=life.clerk, party=back.party, home=NewHome())
    assert (row.unit, row.also_units) == (life.cast.dong, None)
    assert life.registration(person).household_id is None
    with life.county():
        kinds = list(ResidentEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == [EventKind.OFFERED, EventKind.MOVED, EventKind.OFFERED, EventKind.MOVED]


def test_an_offer_is_answered_once(life: Life) -> None:
    """Declined with a reason, withdrawn, or accepted: then nothing more; two open offers for one person are refused."""
    person = life.person(life.cast.dong, "medical")
    transfer = _transfer(life, person)
    with pytest.raises(ValidationError, match="没答复的转移单"):
        _transfer(life, person)
    with scope(life.other_clerk):
        with pytest.raises(ValidationError, match="请写明依据"):
            moves.decline(by=life.other_clerk, party=transfer.party, answer="")
        moves.decline(by=life.other_clerk, party=transfer.party, answer="本人没有来过")
        with pytest.raises(ValidationError, match="已经答复过"):
            accept_transfer(by=life.other_clerk, party=transfer.party, home=NewHome())
    second = _transfer(life, person)
    with scope(life.clerk):
        moves.withdraw(by=life.clerk, party=second.party)
    with scope(life.other_clerk), pytest.raises(ValidationError, match="已经答复过"):
        accept_transfer(by=life.other_clerk, party=second.party, home=NewHome())
    with life.county():
        assert set(Transfer.objects.values_list("state", flat=True)) == {"declined", "withdrawn"}


def test_nobody_accepts_what_was_not_offered_to_her(life: Life) -> None:
    """The offering clerk, an agent and a bystander accept nothing; the answer is as for one that never was."""
    person = life.person(life.cast.dong, "medical")
    transfer = _transfer(life, person)
    with scope(life.clerk), pytest.raises(Transfer.DoesNotExist):
        accept_transfer(by=life.clerk, party=transfer.party, home=NewHome())
    agent = life.cast.user("village_agent")
    with scope(agent), pytest.raises(PermissionDenied):
        accept_transfer(by=agent, party=transfer.party, home=NewHome())
    with scope(life.other_clerk), pytest.raises(Transfer.DoesNotExist):
        moves.withdraw(by=life.other_clerk, party=transfer.party)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"on": date(2022, 12, 1)}, "晚于今天"),
        ({"evidence": " "}, "请写明依据"),
        ({"residents": []}, "请勾选要转出的人"),
    ],
)
def test_a_bad_offer_is_refused_in_words(life: Life, values: dict[str, object], said: str) -> None:
    """Each with what to do; nothing changed."""
    person = life.person(life.cast.dong, "medical")
    order = {
        "residents": [person.pk], "to_unit": life.cast.nan, "on": MOVED, "evidence": "证明", **values
    }  # fmt: skip
    with scope(life.clerk), pytest.raises(ValidationError, match=said):
        moves.offer(by=life.clerk, **order)  # type: ignore[arg-type]
    with life.county():
        assert not Transfer.objects.exists()
