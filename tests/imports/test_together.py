"""Two applies on one county wait for one another; everything else goes on meanwhile."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.db import connection, connections

from enrollment.models import Resident
from foundation.identity import make_number
from foundation.imports.kinds import Counts, ImportRefused, import_kind, register
from foundation.imports.models import BatchState, ImportBatch
from foundation.imports.services.apply import apply, undo
from foundation.imports.services.check import check
from foundation.imports.services.receive import Terms, Upload, receive
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from tests.imports.office import Desk, as_csv, make_desk, number_of, registration_row
from townships.models import CollectingUnit, County, Township, Village

_PATIENCE = 20.0


@pytest.fixture
def desk(stack: str) -> Desk:
    """A desk with commits, for threads."""
    return make_desk()


def _checked(desk: Desk, rows: list[dict[str, str]], county: County, places: Places) -> ImportBatch:
    terms = Terms("registration", county.code, plan_code=desk.plan.code)
    with places_scope(places):
        batch = receive(by=None, terms=terms, uploads=[Upload("登记.csv", io.BytesIO(as_csv(rows)))])
        return check(by=None, batch=batch, places=places)


class _Slow:
    """A kind's apply that stops in the middle until it is told to go on."""

    def __init__(self, inner: Callable[[Any], Counts]) -> None:
        self.inner = inner
        self.inside, self.go_on = threading.Event(), threading.Event()
        self.first = True

    def __call__(self, ctx: Any) -> Counts:
        if self.first:
            self.first = False
            self.inside.set()
            assert self.go_on.wait(_PATIENCE)
        return self.inner(ctx)


@pytest.fixture
def slow() -> Iterator[_Slow]:
    """Registration data whose first apply waits."""
    kind = import_kind("registration")
    made = _Slow(kind.apply)
    register(replace(kind, apply=made))
    yield made
    register(kind)


def _in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, dict[str, Any]]:
    told: dict[str, Any] = {}

    def run() -> None:
        try:
            told["answer"] = work()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            told["error"] = error
        finally:
            told["done"] = True
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, told


def _apply(desk: Desk, batch: ImportBatch, places: Places) -> Callable[[], ImportBatch]:
    def work() -> ImportBatch:
        with places_scope(places):
            return apply(by=None, batch=ImportBatch.objects.get(pk=batch.pk), places=places)

    return work


def _waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def _until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _n in range(int(_PATIENCE * 20)):
        if holds():
            return
        pause.wait(0.05)
    pytest.fail("it did not come to that in time")


def test_two_applies_on_one_county_wait_for_one_another(desk: Desk, slow: _Slow) -> None:
    """The second counts what the first wrote: one resident, one registration an insurance, no error."""
    places = desk.cast.places
    row = registration_row()
    first = _checked(desk, [row], desk.cast.county, places)
    second = _checked(desk, [row, row | {"险种": "养老", "缴费档次": "300"}], desk.cast.county, places)
    assert (first.new_count, second.new_count) == (1, 2)
    one, told_one = _in_thread(_apply(desk, first, places))
    assert slow.inside.wait(_PATIENCE)
    two, told_two = _in_thread(_apply(desk, second, places))
    _until(_waits_for_a_lock)
    assert not told_two
    # Meanwhile reading, receiving and checking go on.
    third = _checked(
        desk, [registration_row(姓名="李晓", 身份证号=number_of(sequence=4))], desk.cast.county, places
    )
    assert third.state == BatchState.CHECKED
    with places_scope(places):
        assert Resident.objects.count() == 0
    slow.go_on.set()
    one.join(_PATIENCE)
    two.join(_PATIENCE)
    assert "error" not in told_one | told_two
    second.refresh_from_db()
    assert (second.new_count, second.unchanged_count) == (1, 1)
    with places_scope(places):
        assert Resident.objects.count() == 1


def test_another_county_does_not_wait(desk: Desk, slow: _Slow) -> None:
    """Its batch is applied while the first county's hangs in the middle."""
    other = make_other_county()
    places = Places(frozenset(Township.objects.filter(county=other).values_list("pk", flat=True)))
    desk.plan.pk, desk.plan.code, desk.plan.county = None, "other-2023", other
    desk.plan.save()
    number = make_number("370404", date(1980, 1, 1), 5)
    row = registration_row(**{"镇街": "丙镇", "村(居)": "北村", "身份证号": number})
    elsewhere = _checked(desk, [row], other, places)
    desk.plan = type(desk.plan).objects.get(code="test-2023")
    here = _checked(desk, [registration_row()], desk.cast.county, desk.cast.places)
    one, told = _in_thread(_apply(desk, here, desk.cast.places))
    assert slow.inside.wait(_PATIENCE)
    with places_scope(places):
        apply(by=None, batch=elsewhere, places=places)
    assert elsewhere.state == BatchState.APPLIED
    assert not told
    slow.go_on.set()
    one.join(_PATIENCE)
    assert "error" not in told


def test_undo_waits_too_and_then_sees_what_stands_on_the_batch(desk: Desk, slow: _Slow) -> None:
    """Taken back while another file on the same people goes in: it waits, and then says what depends on it."""
    places = desk.cast.places
    slow.first = False
    first = _checked(desk, [registration_row()], desk.cast.county, places)
    with places_scope(places):
        apply(by=None, batch=first, places=places)
    slow.first = True
    second = _checked(desk, [registration_row(联系电话="13900008888")], desk.cast.county, places)
    one, _told = _in_thread(_apply(desk, second, places))
    assert slow.inside.wait(_PATIENCE)

    def take_back() -> None:
        with places_scope(places):
            undo(by=None, batch=first, places=places)

    two, told = _in_thread(take_back)
    _until(_waits_for_a_lock)
    slow.go_on.set()
    one.join(_PATIENCE)
    two.join(_PATIENCE)
    assert isinstance(told["error"], ImportRefused)
    assert f"批次 {second.pk}" in str(told["error"])


def make_other_county() -> County:
    """A county beside the desk's, with one village."""
    county = County.objects.create(
        code="370404000000", name="峄城区", short_name="峄城", kind=County.DISTRICT
    )
    township = Township.objects.create(
        county=county, code="370404901000", name="丙镇", short_name="丙", position=1
    )
    village = Village.objects.create(
        township=township, code="370404901201", name="北村村委会", short_name="北村", position=1
    )
    CollectingUnit.objects.create(
        code=village.code, name="北村", township=township, village=village, position=1
    )
    return county
