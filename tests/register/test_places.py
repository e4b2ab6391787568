"""Villages merge and units hand people over: codes of both find them, the season stays where it was."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from contributions.models import Assessment
from contributions.services.assess import assess
from contributions.services.ledger import verify_ledger
from contributions.services.register.places import change_unit
from contributions.village import unit_round
from enrollment.models import Household, Resident, ResidentEvent
from enrollment.services.life.places import merge_villages
from foundation.scope.context import scope
from tests.factories import make_household
from tests.register.conftest import Life
from townships.unit_names import Units

MERGED = date(2022, 11, 1)


def test_a_village_merges_into_another(life: Life) -> None:
    """People and households belong to the successor; unit, registration, charge and money stay; both names find them."""
    person = life.person(life.cast.xi, "medical")
    payment = life.pay(person)
    old, new = life.cast.xi.village, life.cast.dong.village
    assert old is not None
    assert new is not None
    with scope(life.bureau):
        moved = merge_villages(
            by=life.bureau, village=old.pk, into=new.pk, on=MERGED, evidence="枣政复〔2022〕1号"
        )
        assert (moved.households, moved.residents, moved.units) == (1, 1, 1)
        row = Resident.objects.get(pk=person.pk)
        assert (row.village_id, row.unit_id) == (new.pk, life.cast.xi.pk)
        assert ResidentEvent.objects.get().detail["before"]["village"] == "西村村委会"
    old.refresh_from_db()
    assert (old.successor_id, old.valid_to) == (new.pk, MERGED)
    assert life.registration(person).unit_id == payment.unit_id == life.cast.xi.pk
    units = Units(life.cast.county, life.cast.places)
    found = {name: units["甲镇", name] for name in ("西村", old.code, "东村", new.code)}
    assert {name: place.unit for name, place in found.items() if place} == {
        "西村": str(life.cast.xi.pk), old.code: str(life.cast.xi.pk), "东村": str(life.cast.dong.pk),
        new.code: str(life.cast.dong.pk),
    }  # fmt: skip
    alone = {name: units["", name] for name in ("西村", "东村")}
    assert {name: place.unit for name, place in alone.items() if place} == {
        "西村": str(life.cast.xi.pk), "东村": str(life.cast.dong.pk),
    }  # fmt: skip
    with scope(life.bureau), pytest.raises(ValidationError, match="已经并入"):
        merge_villages(by=life.bureau, village=old.pk, into=new.pk, on=MERGED, evidence="再来一次")


def test_villages_of_two_townships_are_not_merged_in_one_step(life: Life) -> None:
    """The answer says what to do first; a clerk merges no villages at all."""
    old, new = life.cast.nan.village, life.cast.dong.village
    assert old is not None
    assert new is not None
    with scope(life.bureau), pytest.raises(ValidationError, match="变更代收单位"):
        merge_villages(by=life.bureau, village=old.pk, into=new.pk, on=MERGED, evidence="批复")
    with scope(life.clerk), pytest.raises(PermissionDenied):
        merge_villages(by=life.clerk, village=old.pk, into=new.pk, on=MERGED, evidence="批复")


def test_a_unit_hands_its_people_to_another_of_another_township(life: Life) -> None:
    """Households keep their members and get a free number; the season goes on where it was; nobody is assessed twice."""
    registered = life.person(life.cast.nan, "medical", name="在册人")
    stranger = life.person(life.cast.nan, name="未登记人")
    life.assess(registered, stranger)
    house = life.household(registered)
    make_household(life.cast, life.cast.dong, number=house.number)
    with scope(life.bureau):
        moved = change_unit(
            by=life.bureau,
            unit=life.cast.nan.pk,
            to_unit=life.cast.dong.pk,
            on=MERGED,
            evidence="区划调整批复",
        )
    assert (moved.households, moved.residents) == (2, 2)
    with life.county():
        row = Resident.objects.get(pk=registered.pk)
        assert (row.unit_id, row.also_units) == (life.cast.dong.pk, [life.cast.nan.pk])
        home = Household.objects.get(pk=house.pk)
        assert home.number == f"203-{house.number}"
        assert home.also_units == [life.cast.nan.pk]
        assert life.registration(registered).unit_id == life.cast.nan.pk
        where = dict(Assessment.objects.filter(insurance="medical").values_list("resident_id", "unit_id"))
        assert where == {registered.pk: life.cast.nan.pk, stranger.pk: life.cast.dong.pk}
        assert verify_ledger().ok
    for user in (life.clerk, life.other_clerk):
        with scope(user):
            result = assess(by=user, plan=life.plan, townships=sorted(user.scope_places().townships))
        assert result.changed == 0
    with scope(life.other_clerk):
        owed = unit_round(life.other_clerk, life.cast.nan).unpaid
        assert [home.id for home in owed] == [house.pk]
