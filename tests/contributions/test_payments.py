"""Money handed over is stored once, whatever is wrong with it, and never edited."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, connection, transaction

from contributions.models import CaseKind, Payment, PaymentCase, PaymentLine
from contributions.services.counter import take_from_household
from contributions.services.ledger import verify_ledger
from contributions.services.payments import record_payment, reverse_payment
from enrollment.models import Household
from foundation.http import Problem
from foundation.scope.context import places_scope, scope
from tests.contributions.conftest import Season, build_season


def test_household_is_paid_in_one_payment(season: Season) -> None:
    """One household, one visit: two people, one total, two lines."""
    first, second = (
        season.charge(season.cast.dong),
        season.charge(season.cast.dong, personal="175.00", government="175.00"),
    )
    answer = record_payment(by=season.cast.user("village_agent"), order=season.order(first, second))
    assert answer.first
    assert answer.as_json()["received"] == "525.00"
    assert answer.as_json()["cases"] == []
    assert answer.payment.paid_on == date(2022, 11, 30)
    assert verify_ledger().ok


def test_same_body_again_gets_the_first_answer(season: Season) -> None:
    """One client_uuid is one payment for ever."""
    order = season.order(season.charge(season.cast.dong))
    agent = season.cast.user("village_agent")
    first = record_payment(by=agent, order=order)
    again = record_payment(by=agent, order=order)
    assert not again.first
    assert again.as_json() == first.as_json()
    assert Payment.objects.count() == 1


def test_another_body_under_a_used_uuid_is_a_case(season: Season) -> None:
    """Money may have changed hands twice: refused, and kept as a case."""
    charge = season.charge(season.cast.dong)
    agent = season.cast.user("village_agent")
    order = season.order(charge)
    record_payment(by=agent, order=order)
    with pytest.raises(Problem) as error:
        record_payment(by=agent, order=replace(order, received=Decimal("999.00")))
    assert (error.value.status_code, error.value.code) == (409, "uuid_reused")
    assert PaymentCase.objects.get(pk=error.value.extra["case"]).amount == Decimal("999.00")
    assert Payment.objects.count() == 1


def test_second_payment_is_stored_as_excess(season: Season) -> None:
    """A resident pays twice: the second payment does not disappear, it waits for its refund."""
    charge = season.charge(season.cast.dong)
    agent = season.cast.user("village_agent")
    record_payment(by=agent, order=season.order(charge))
    second = record_payment(by=agent, order=season.order(charge))
    assert second.payment.excess == Decimal("350.00")
    assert [c.kind for c in second.cases] == [CaseKind.ALREADY_PAID]
    assert verify_ledger().ok


@pytest.mark.parametrize(
    ("amount", "received", "stored", "excess"),
    [
        ("350.00", "360.00", "350.00", "10.00"),
        ("400.00", "400.00", "350.00", "50.00"),
        ("300.00", "300.00", "300.00", "0.00"),
    ],
)
def test_another_amount_is_a_case_on_the_stored_payment(
    season: Season, amount: str, received: str, stored: str, excess: str
) -> None:
    """Money taken is never refused: received = lines + excess, the difference is a case."""
    charge = season.charge(season.cast.dong)
    order = season.order(charge, received=received, amounts=[amount])
    answer = record_payment(by=season.cast.user("village_agent"), order=order)
    assert (answer.lines[0].amount, answer.payment.excess) == (Decimal(stored), Decimal(excess))
    assert answer.cases
    assert verify_ledger().ok


def test_payment_for_the_dead_is_stored_and_flagged(season: Season) -> None:
    """Money for someone who died before it was handed over is all to be given back."""
    charge = season.charge(season.cast.dong, death_date=date(2022, 11, 1))
    answer = record_payment(by=season.cast.user("village_agent"), order=season.order(charge))
    assert answer.payment.excess == Decimal("350.00")
    assert [c.kind for c in answer.cases] == [CaseKind.DECEASED]


def test_agent_of_another_village_finds_nobody(season: Season) -> None:
    """A foreign registration answers like an unknown one."""
    charge = season.charge(season.cast.nan)
    agent = season.cast.user("village_agent")
    with scope(agent), pytest.raises(Problem) as error:
        record_payment(by=agent, order=season.order(charge))
    assert error.value.status_code == 404
    assert Payment.objects.count() == 0


def test_reversal_is_a_row_of_its_own_and_once(season: Season) -> None:
    """What was written stays; the balance returns to nothing; a second reversal is refused."""
    charge = season.charge(season.cast.dong)
    agent = season.cast.user("village_agent")
    paid = record_payment(by=agent, order=season.order(charge)).payment
    answer = reverse_payment(by=agent, payment=paid.pk, client_uuid=uuid.uuid4(), reason="收错了人")
    assert answer.payment.received == Decimal("-350.00")
    assert sum(line.amount for line in PaymentLine.objects.all()) == 0
    with pytest.raises(Problem) as error:
        reverse_payment(by=agent, payment=paid.pk, client_uuid=uuid.uuid4(), reason="再来一次")
    assert error.value.code == "already_reversed"
    again = record_payment(by=agent, order=season.order(charge))
    assert again.cases == []
    assert verify_ledger().ok


@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("table", ["contributions_payment", "contributions_paymentline", "audit_auditevent"])
def test_database_refuses_to_edit_money(season: Season, statement: str, table: str) -> None:
    """Insert-only is held by the database against the application's own role."""
    with (
        pytest.raises(DatabaseError, match=r"permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(table))


def test_twenty_parallel_posts_make_one_payment(stack: str) -> None:
    """One tap becomes one payment, never two, never none."""
    season = build_season()
    charge = season.charge(season.cast.dong)
    order, agent = season.order(charge), season.cast.user("village_agent")
    answers: list[dict[str, object]] = []
    barrier = threading.Barrier(20)

    def post() -> None:
        barrier.wait()
        try:
            with scope(agent):
                answers.append(record_payment(by=agent, order=order).as_json())
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20
    assert all(answer == answers[0] for answer in answers)
    with places_scope(season.cast.places):
        assert Payment.objects.count() == 1
        assert PaymentLine.objects.count() == 1


def test_two_devices_paying_one_resident_wait_for_one_another(stack: str) -> None:
    """Two tablets, one resident: one payment is his, the other is excess."""
    season = build_season()
    charge, agent = season.charge(season.cast.dong), season.cast.user("village_agent")
    barrier = threading.Barrier(2)

    def post() -> None:
        order = season.order(charge)
        barrier.wait()
        try:
            with scope(agent):
                record_payment(by=agent, order=order)
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with places_scope(season.cast.places):
        assert sorted(Payment.objects.values_list("excess", flat=True)) == [
            Decimal("0.00"),
            Decimal("350.00"),
        ]
        assert verify_ledger().ok


def test_cash_under_a_direct_plan_is_kept_and_asked_about(season: Season) -> None:
    """Nobody holds cash where money goes straight to the tax side: stored, with a case."""
    charge = season.charge(season.cast.dong)
    answer = record_payment(by=season.cast.user("village_agent"), order=season.order(charge, means="cash"))
    assert answer.payment.excess == 0
    assert [c.kind for c in answer.cases] == [CaseKind.MEANS_NOT_ALLOWED]


def test_a_moment_by_the_business_calendar_is_that_day(season: Season) -> None:
    """In a demonstration a caller may date money by the business date he was told."""
    charge = season.charge(season.cast.dong)
    told = datetime(2022, 11, 28, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    answer = record_payment(by=season.cast.user("village_agent"), order=season.order(charge, at=told))
    assert (answer.payment.paid_on, answer.cases) == (date(2022, 11, 28), [])


def test_a_page_shown_before_a_neighbour_paid_keeps_the_second_money(season: Season) -> None:
    """The agent's stale page takes the money again: all of it is stored as excess with a case, none as nothing."""
    charge, agent = season.charge(season.cast.dong), season.cast.user("village_agent")
    assert charge.household_id is not None
    household = Household.objects.get(pk=charge.household_id)
    record_payment(by=agent, order=season.order(charge))
    second = take_from_household(
        by=agent,
        household=household,
        client_uuid=uuid.uuid4(),
        ticked=[(charge.pk, charge.version)],
        means="qr",
    )
    assert (second.received, second.excess) == (Decimal("350.00"), Decimal("350.00"))
    assert [c.kind for c in second.cases.all()] == [CaseKind.ALREADY_PAID]
