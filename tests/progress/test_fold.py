"""Folding: what a payment appends is counted once, whoever recounts at that moment."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from contributions.models import Charge, FigureDelta, FigureRebuild
from contributions.services.payments import reverse_payment
from foundation.scope.context import places_scope
from portal.celery import app
from progress.models import InTransit, InTransitCount
from progress.services import figures
from progress.services.figures import fold, rebuild
from tests.progress.conftest import Count


def _elsewhere(work: Callable[[], object]) -> None:
    """Run in another thread, on a connection of its own, and wait."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  handed to the test below
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    if failed:
        raise failed[0]


def test_folded_deltas_equal_a_recount(county: Count) -> None:
    """The same rows, cell for cell and day for day, whether added up or counted anew."""
    charges = [
        county.person(unit, age=age) for unit in (county.cast.dong, county.cast.nan) for age in (20, 50)
    ]
    rebuild(county.plan)
    first = county.pay(charges[0], charges[1], at=datetime.now(tz=UTC) - timedelta(days=3))
    county.pay(charges[2], amounts=["100.00"])
    county.pay(charges[3])
    county.pay(charges[2], amounts=["250.00"])
    reverse_payment(by=county.cast.user("tax_bureau"), payment=first, client_uuid=uuid.uuid4(), reason="录错")
    appended = FigureDelta.objects.count()
    assert appended == 7
    assert fold() == appended
    folded = county.rows()
    rebuild(county.plan)
    assert county.rows() == folded
    assert county.sums()["paid"] == 2


def test_folding_again_adds_nothing(county: Count) -> None:
    """A delta is taken away by the statement that adds it."""
    charge = county.person(county.cast.dong)
    rebuild(county.plan)
    county.pay(charge)
    assert (fold(), fold()) == (1, 0)
    assert county.sums()["paid"] == 1


def test_a_request_is_settled_by_the_next_fold(county: Count) -> None:
    """After an assessment the county is counted anew, once for any number of requests."""
    county.person(county.cast.dong)
    for _ in range(3):
        FigureRebuild.objects.create(plan=county.plan)
    assert county.sums()["in_scope"] == 0
    fold()
    assert county.sums()["in_scope"] == 1
    assert not FigureRebuild.objects.exists()


def test_beat_carries_the_fold_every_two_seconds() -> None:
    """The schedule names a task that exists, and a fold that came late is dropped."""
    entry = app.conf.beat_schedule["fold-figures"]
    app.loader.import_default_modules()
    assert entry["schedule"] == 2.0
    assert app.tasks[entry["task"]].expires == 10


def test_payment_before_the_recount_is_counted_once(committed: Count) -> None:
    """Its delta goes with the count that saw its lines."""
    charge = committed.person(committed.cast.dong)
    with places_scope(committed.cast.places):
        committed.pay(charge)
    rebuild(committed.plan)
    fold()
    assert (committed.sums()["paid"], committed.sums()["paid_amount"]) == (1, Decimal("350.00"))


def test_payment_committed_during_the_recount_is_kept(committed: Count) -> None:
    """It was not in the count's snapshot: its delta survives the recount and the next fold adds it."""
    charge = committed.person(committed.cast.dong)

    def pay() -> None:
        with places_scope(committed.cast.places):
            committed.pay(charge)

    with places_scope(committed.cast.places):
        figures._rebuild(committed.plan)
        _elsewhere(pay)
    assert committed.sums()["paid"] == 0
    assert FigureDelta.objects.count() == 1
    assert fold() == 1
    assert (committed.sums()["paid"], committed.sums()["paid_amount"]) == (1, Decimal("350.00"))


def test_payment_open_across_the_recount_is_counted_once(committed: Count) -> None:
    """Written before the recount and committed after it: neither lost nor doubled."""
    charge = committed.person(committed.cast.dong)
    with places_scope(committed.cast.places):
        committed.pay(charge)
        _elsewhere(lambda: rebuild(committed.plan))
    assert committed.sums()["paid"] == 0
    fold()
    assert committed.sums()["paid"] == 1


def test_two_folders_do_not_count_twice(committed: Count) -> None:
    """While one folder is at work the other leaves everything where it is."""
    charge = committed.person(committed.cast.dong)
    with places_scope(committed.cast.places):
        committed.pay(charge)
    counts: list[int] = []
    with transaction.atomic():
        figures._run("SELECT pg_advisory_xact_lock(%s)", [figures.FOLD_LOCK])
        _elsewhere(lambda: counts.append(fold()))
    assert counts == [0]
    assert FigureDelta.objects.count() == 1
    assert fold() == 1
    assert committed.sums()["paid"] == 1


def test_payments_stream_in_while_folders_and_recounts_race(committed: Count) -> None:
    """Forty payments, two folders and recounts at once: at the end every payment is there once."""
    people = 40
    charges: list[Charge | None] = [committed.person(committed.cast.dong) for _ in range(people)]
    done = threading.Event()

    def pay(part: list[Charge | None]) -> None:
        for charge in part:
            with places_scope(committed.cast.places):
                committed.pay(charge)
        connection.close()

    def work(step: Callable[[], object]) -> None:
        while not done.is_set():
            step()
            done.wait(0.01)
        connection.close()

    payers = [threading.Thread(target=pay, args=(charges[i::2],)) for i in range(2)]
    folders = [
        threading.Thread(target=work, args=(step,)) for step in (fold, fold, lambda: rebuild(committed.plan))
    ]
    for thread in folders + payers:
        thread.start()
    for thread in payers:
        thread.join(120)
    done.set()
    for thread in folders:
        thread.join(60)
    fold()
    assert (committed.sums()["paid"], committed.sums()["paid_amount"]) == (people, Decimal(350 * people))
    folded = committed.rows()
    rebuild(committed.plan)
    assert committed.rows() == folded


def test_money_on_its_way_is_counted_again_after_a_minute(county: Count) -> None:
    """A fold marks it stale; it is counted anew at most once a minute, and surely then."""
    charge = county.person(county.cast.dong)
    rebuild(county.plan)
    county.pay(charge)
    fold()
    assert InTransit.objects.count() == 0
    InTransitCount.objects.update(counted_at=figures.NEVER)
    fold()
    assert InTransit.objects.get().heads == 1
    assert not InTransitCount.objects.get().stale
