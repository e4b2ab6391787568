"""Each figure against people counted by hand (口径 of the plan)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from contributions.models import Assessment
from contributions.services.payments import reverse_payment
from foundation.scope.context import places_scope
from progress.models import InTransit, UnitDay
from progress.services.figures import rebuild
from tests.contributions.conftest import TODAY
from tests.progress.conftest import Count, days_ago


def test_in_scope_counts_the_unregistered_too(county: Count) -> None:
    """应参保: accept, hold and amount_not_configured, registered or not; refer and refuse are out."""
    for decision in ("accept", "hold", "amount_not_configured", "refer", "refuse"):
        county.person(county.cast.dong, decision=decision, personal=None)
    county.person(county.cast.dong)
    rebuild(county.plan)
    assert county.sums(insurance="medical")["in_scope"] == 4
    assert county.sums(insurance="medical")["registered"] == 1


def test_registered_means_registered_and_in_scope(county: Count) -> None:
    """参保登记: a registration whose resident is refused is none."""
    county.person(county.cast.dong)
    county.person(county.cast.dong, decision="refuse", personal="0.00")
    rebuild(county.plan)
    assert county.sums()["registered"] == 1


def test_exempt_is_paid_in_full_by_the_government(county: Count) -> None:
    """政府代缴: personal part 0 by certification; a half payer owes, an amount not printed is nobody's."""
    county.person(county.cast.dong, personal="0.00", government="350.00")
    county.person(county.cast.dong, personal="175.00", government="175.00")
    county.person(county.cast.dong, decision="amount_not_configured", personal="0.00")
    rebuild(county.plan)
    found = county.sums()
    assert (found["exempt"], found["due"], found["due_amount"]) == (1, 1, Decimal("175.00"))


def test_paid_is_paid_in_full(county: Count) -> None:
    """已缴: a part is money, and not yet a person."""
    whole, part = county.person(county.cast.dong), county.person(county.cast.dong)
    county.pay(whole)
    county.pay(part, amounts=["100.00"])
    rebuild(county.plan)
    assert (county.sums()["paid"], county.sums()["paid_amount"]) == (1, Decimal("450.00"))
    county.pay(part, amounts=["250.00"])
    rebuild(county.plan)
    assert (county.sums()["paid"], county.sums()["paid_amount"]) == (2, Decimal("700.00"))


def test_reversal_takes_the_person_off_on_its_own_day(county: Count) -> None:
    """Net of reversals: yesterday's figure stays, the day of the reversal bears the minus."""
    charge = county.person(county.cast.dong)
    payment = county.pay(charge, at=datetime.now(tz=UTC) - timedelta(days=2))
    reverse_payment(
        by=county.cast.user("tax_bureau"), payment=payment, client_uuid=uuid.uuid4(), reason="录错了人"
    )
    rebuild(county.plan)
    assert (county.sums()["paid"], county.sums()["paid_amount"]) == (0, Decimal("0.00"))
    days = dict(UnitDay.objects.values_list("day", "paid"))
    assert days == {days_ago(2): 1, TODAY: -1}


def test_confirmed_and_settled_follow_the_tax_side(county: Count) -> None:
    """税务口径: confirmed by 开票日 when the results reach what is owed, settled by 入库日."""
    first, second, third = (county.person(county.cast.dong) for _ in range(3))
    county.confirm(county.pay(first), settled_on=TODAY)
    county.confirm(county.pay(second))
    county.pay(third)
    rebuild(county.plan)
    found = county.sums()
    assert (found["paid"], found["confirmed"]) == (3, 2)
    assert (found["confirmed_amount"], found["settled_amount"]) == (Decimal("700.00"), Decimal("350.00"))


def test_a_result_below_what_is_owed_confirms_nobody(county: Count) -> None:
    """Half the amount in the tax bureau's file is money there, not a confirmed person."""
    county.confirm(county.pay(county.person(county.cast.dong)), amount="175.00")
    rebuild(county.plan)
    assert (county.sums()["confirmed"], county.sums()["confirmed_amount"]) == (0, Decimal("175.00"))


@pytest.mark.parametrize(
    ("age", "band"),
    [(15, "0-15"), (16, "16-44"), (44, "16-44"), (45, "45-59"), (59, "45-59"), (60, "60-69"), (70, "70+")],
)
def test_bands_have_no_gap_and_45_counts_above(county: Count, age: int, band: str) -> None:
    """Age 45 belongs to 45–59 (reading B-000-01)."""
    county.person(county.cast.dong, insurance="pension", age=age, personal="300.00")
    rebuild(county.plan)
    assert county.sums(band=band)["registered"] == 1
    assert county.sums()["registered"] == 1


def test_a_superseded_charge_counts_no_more(county: Count) -> None:
    """What is owed is the current version: the old price does not make somebody paid twice or owing twice."""
    charge = county.person(county.cast.dong)
    assert charge is not None
    with places_scope(county.cast.places):
        type(charge).objects.filter(pk=charge.pk).update(current=False)
        charge.pk, charge.version, charge.personal_amount, charge.total_amount = (
            None,
            2,
            Decimal(175),
            Decimal(175),
        )
        charge._state.adding = True
        charge.save()
    county.pay(charge)
    rebuild(county.plan)
    found = county.sums()
    assert (found["due"], found["due_amount"], found["paid"]) == (1, Decimal("175.00"), 1)


def test_money_on_its_way_names_its_day(county: Count) -> None:
    """在途: what stands unconfirmed by payment day, what is not in the treasury by 开票日; reversed money is neither."""
    old = county.pay(county.person(county.cast.dong), at=datetime.now(tz=UTC) - timedelta(days=5))
    del old
    county.confirm(county.pay(county.person(county.cast.dong)))
    undone = county.pay(county.person(county.cast.dong))
    reverse_payment(
        by=county.cast.user("tax_bureau"), payment=undone, client_uuid=uuid.uuid4(), reason="录错"
    )
    rebuild(county.plan)
    rows = set(InTransit.objects.values_list("stage", "day", "heads", "amount"))
    assert rows == {
        ("unconfirmed", days_ago(5), 1, Decimal("350.00")),
        ("unsettled", TODAY, 1, Decimal("350.00")),
    }


def test_figures_of_one_plan_leave_another_alone(county: Count) -> None:
    """A recount of this year's plan never touches last year's figures."""
    county.person(county.cast.dong)
    rebuild(county.plan)
    before = county.rows()
    other = type(county.plan).objects.create(
        code="shanting-2022", county=county.cast.county, name="上年", coverage_year=2022, insurances=["medical"],
        collection_mode="direct",
    )  # fmt: skip
    assert rebuild(other) == 0
    assert county.rows() == before


def test_a_recount_forgets_cells_that_are_empty_now(county: Count) -> None:
    """Somebody who moved out of scope leaves no figure behind, and nobody's day stays."""
    charge = county.person(county.cast.dong)
    rebuild(county.plan)
    assert charge is not None
    with places_scope(county.cast.places):
        UnitDay.objects.create(
            plan=county.plan, township_id=county.cast.jia.pk, unit_id=county.cast.dong.pk, insurance="pension",
            day=TODAY, paid=5,
        )  # fmt: skip
        type(charge).objects.filter(pk=charge.pk).delete()
        Assessment.objects.update(decision="refuse")
    assert rebuild(county.plan) == 0
    assert county.rows() == ([], [])


def test_a_recount_that_finds_the_same_writes_nothing(county: Count) -> None:
    """A county counted twice a day keeps its rows where they are."""
    county.pay(county.person(county.cast.dong))
    rebuild(county.plan)
    with places_scope(county.cast.places), connection.cursor() as cursor:
        cursor.execute(
            "SELECT ctid::text FROM progress_unitfigure UNION ALL SELECT ctid::text FROM progress_unitday"
        )
        before = cursor.fetchall()
        rebuild(county.plan)
        cursor.execute(
            "SELECT ctid::text FROM progress_unitfigure UNION ALL SELECT ctid::text FROM progress_unitday"
        )
        assert cursor.fetchall() == before
