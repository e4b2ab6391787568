"""Registration data taken back after the machine has assessed it: charges go with it; what people did keeps it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from contributions.models import Assessment, Charge, ChargeShare
from contributions.services.assess import assess
from contributions.services.payments import record_payment
from enrollment.models import Category, CollectionPlan, Membership, PendingAssessment, Registration, Resident
from foundation.clock.services import set_business_date
from foundation.imports.kinds import ImportRefused
from foundation.imports.models import ImportBatch
from foundation.imports.services.apply import undo
from foundation.scope.context import places_scope
from rosters.models import RosterKind
from rosters.services.sealing import seal_units
from subsidies.services.plans import load_plan
from tests.contributions.conftest import Season
from tests.imports.office import Desk, number_of, registration_row
from townships.services.divisions import load_county

TODAY = date(2022, 11, 30)
CHILD = number_of(date(2015, 5, 5), 8)


@pytest.fixture
def season(desk: Desk) -> Season:
    """The desk under the plan of 山亭区, in its season."""
    set_business_date(county_code=desk.cast.county.code, day=TODAY)
    load_county(by=None, code="370406")
    load_plan(by=None, path_or_code="shanting-2023")
    desk.plan = CollectionPlan.objects.get(code="shanting-2023")
    return Season(desk.cast, desk.plan)


def _assess(desk: Desk) -> None:
    with places_scope(desk.cast.places):
        assess(by=None, plan=desk.plan, on=TODAY)


def _undo(desk: Desk, batch: ImportBatch) -> None:
    with places_scope(desk.cast.places):
        undo(by=None, batch=batch, places=desk.cast.places)


def _counts(desk: Desk) -> tuple[int, ...]:
    models: Any = (Resident, Registration, Assessment, Charge, ChargeShare)
    with places_scope(desk.cast.places):
        return tuple(model.objects.count() for model in models)


def test_charges_go_with_the_registrations_they_were_computed_for(desk: Desk, season: Season) -> None:
    """A second batch, assessed with the first, is taken back whole; the first stays, and who stays is assessed again."""
    first = registration_row()
    desk.take("registration", [first])
    _assess(desk)
    before = _counts(desk)
    rows = [
        first | {"联系电话": "13900007777", "险种": "养老", "缴费档次": "300"},
        registration_row(姓名="张小山", 身份证号=CHILD, 与户主关系="子"),
    ]
    second = desk.take("registration", rows)
    _assess(desk)
    assert _counts(desk)[3] > before[3]
    with places_scope(desk.cast.places):
        PendingAssessment.objects.all().delete()
    _undo(desk, second)
    assert _counts(desk)[:2] == before[:2]
    with places_scope(desk.cast.places):
        kept = Resident.objects.get()
        assert set(PendingAssessment.objects.values_list("resident", flat=True)) == {kept.pk}
        charges = Charge.objects.filter(current=True)
        assert [(charge.insurance, charge.personal_amount) for charge in charges] == [
            ("medical", Decimal("350.00"))
        ]
    _assess(desk)
    assert _counts(desk)[2:] == before[2:]


def test_money_keeps_a_batch(desk: Desk, season: Season) -> None:
    """One payment on one of its registrations, and the whole batch stays, in words."""
    batch = desk.take("registration", [registration_row()])
    _assess(desk)
    with places_scope(desk.cast.places):
        charge = Charge.objects.select_related("registration").get(insurance="medical")
        record_payment(by=desk.cast.user("township_clerk"), order=season.order(charge))
    with pytest.raises(ImportRefused, match="已缴 1 笔"):
        _undo(desk, batch)
    assert _counts(desk)[:2] == (1, 1)


def test_a_sealed_roster_keeps_a_batch(desk: Desk, season: Season) -> None:
    """The paper names its people."""
    batch = desk.take("registration", [registration_row()])
    _assess(desk)
    with places_scope(desk.cast.places):
        seal_units(
            by=desk.cast.user("tax_bureau"), plan=desk.plan, kind=RosterKind.LEVY, units=[desk.cast.dong.pk],
            as_of=TODAY,
        )  # fmt: skip
    with pytest.raises(ImportRefused, match="1 份清册"):
        _undo(desk, batch)


def test_another_offices_list_keeps_a_batch(desk: Desk, season: Season) -> None:
    """A resident it made is in a special group by now."""
    batch = desk.take("registration", [registration_row()])
    with places_scope(desk.cast.places):
        person = Resident.objects.get()
        Membership.objects.create(
            township_id=person.township_id, unit_id=person.unit_id, resident=person, valid_from=TODAY,
            category=Category.objects.get(code="dibao"),
        )  # fmt: skip
    with pytest.raises(ImportRefused, match="1 条特殊群体"):
        _undo(desk, batch)


def test_a_list_taken_back_is_assessed_again(desk: Desk, season: Season) -> None:
    """A special group is no obstacle to undo: its people are priced anew without it."""
    desk.take("registration", [registration_row()])
    person = {"姓名": "张大山", "身份证号": number_of(), "认定时间": "2022-01-01"}
    listed = desk.take("category", [person], category_code="dibao")
    _assess(desk)
    with places_scope(desk.cast.places):
        assert Charge.objects.get(insurance="medical", current=True).personal_amount == 0
    _undo(desk, listed)
    with places_scope(desk.cast.places):
        assert PendingAssessment.objects.exists()
    _assess(desk)
    with places_scope(desk.cast.places):
        assert Charge.objects.get(insurance="medical", current=True).personal_amount == Decimal("350.00")
