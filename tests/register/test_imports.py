"""Files of registrations and people who moved: the season is about where they registered, not about where they live."""

from __future__ import annotations

import pytest

from contributions.services.register.moves import NewHome, accept_transfer
from enrollment.models import Resident
from enrollment.services.life import moves
from foundation.encryption import get_keyring
from foundation.imports.services.apply import undo
from foundation.scope.context import places_scope, scope
from tests.imports.office import Desk, registration_row
from tests.register.conftest import TODAY, Life


def _moved(life: Life) -> Resident:
    """Registered in 东村, living in 南村 since."""
    person = life.person(life.cast.dong, "medical", name="张大山")
    with scope(life.clerk):
        [offered] = moves.offer(
            by=life.clerk, residents=[person.pk], to_unit=life.cast.nan, on=TODAY, evidence="证明"
        )
    with scope(life.other_clerk):
        accept_transfer(by=life.other_clerk, party=offered.party, home=NewHome())
    return person


def _row(person: Resident, **values: str) -> dict[str, str]:
    number = get_keyring().decrypt(person.number_encrypted or b"")
    return registration_row(**{"姓名": person.name, "身份证号": number, "户主姓名": "", **values})


def _lives(life: Life, person: Resident) -> tuple[int, list[int] | None]:
    with life.county():
        row = Resident.objects.get(pk=person.pk)
    return row.unit_id, row.also_units


@pytest.fixture
def desk(life: Life) -> Desk:
    """Files for the plan of these tests."""
    return Desk(life.cast, life.plan)


def test_a_county_file_of_the_season_moves_nobody_back(life: Life, desk: Desk) -> None:
    """The bureau's file names her at the place where she is registered: she goes on living where she moved."""
    person = _moved(life)
    batch = desk.take("registration", [_row(person, 联系电话="13900008888")])
    assert desk.messages(batch) == []
    assert _lives(life, person) == (life.cast.nan.pk, [life.cast.dong.pk])
    with life.county():
        assert Resident.objects.get(pk=person.pk).phone_tail == "8888", (
            "how she is reached is news all the same"
        )


def test_nobody_is_registered_twice_by_a_file(life: Life, desk: Desk) -> None:
    """The new township's clerk registers her by a file: sent back in words, and the file's other rows go in."""
    person = _moved(life)
    other = {"村(居)": "南村", "镇街": "乙镇"}
    stranger = registration_row(姓名="李新人", 身份证号="37040619850505003X", **other)
    number = get_keyring().decrypt(life.person(life.cast.nan, name="李新人").number_encrypted or b"")
    stranger["身份证号"] = number
    batch = desk.take("registration", [_row(person, **other), stranger], by=life.other_clerk)
    assert [(row, code) for row, code, _text in desk.messages(batch)] == [(2, "registered_elsewhere")]
    assert batch.new_count == 1


def test_whom_a_file_moves_keeps_her_season_and_the_undo_brings_her_back(life: Life, desk: Desk) -> None:
    """A file of the county moves her within it: read from where she registered, and back as if nothing had been."""
    person = life.person(life.cast.dong, "medical", name="张大山")
    house = life.household(person)
    batch = desk.take(
        "registration", [_row(person, 险种="城乡居民基本养老保险", 缴费档次="300", **{"村(居)": "西村"})]
    )
    assert desk.messages(batch) == []
    assert _lives(life, person) == (life.cast.xi.pk, [life.cast.dong.pk])
    assert life.registration(person).household_id == house.pk
    with places_scope(life.cast.places):
        undo(by=None, batch=batch, places=life.cast.places)
    assert _lives(life, person) == (life.cast.dong.pk, None)
    assert life.registration(person).household_id is None


def test_one_file_with_two_places_for_one_person(life: Life, desk: Desk) -> None:
    """Medical in one village, pension in another: she lives where the medical row says and both read her."""
    from tests.imports.office import number_of

    row = registration_row(姓名="王两地", 身份证号=number_of(sequence=77))
    other = row | {"村(居)": "西村", "险种": "城乡居民基本养老保险", "缴费档次": "300"}
    batch = desk.take("registration", [row, other])
    assert desk.messages(batch) == []
    with life.county():
        person = Resident.objects.get(name="王两地")
    assert (person.unit_id, person.also_units) == (life.cast.dong.pk, [life.cast.xi.pk])
