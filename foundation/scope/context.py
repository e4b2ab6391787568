"""The second wall's key: a transaction that carries the scope of one user, and ends with it.

Rule (DESIGN.md decision 7): ``with scope(user):`` opens a transaction and sets ``portal.townships`` and
``portal.units`` for that transaction alone (``SET LOCAL``). No scope, no rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from foundation.scope.places import NOWHERE, HasPlaces, Places


def set_places(places: Places) -> None:
    """Set the scope of the running transaction. Raises outside one, since it would reach nobody or everybody."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("A scope lives in a transaction: use scope(user).")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('portal.townships', %s, true), set_config('portal.units', %s, true)",
            [_array(places.townships), _array(places.units)],
        )


def _array(ids: frozenset[int]) -> str:
    return "{" + ",".join(str(i) for i in sorted(ids)) + "}"


@contextmanager
def scope(holder: HasPlaces) -> Iterator[Places]:
    """Open a transaction that sees what ``holder`` may see; nested scopes restore the outer one."""
    with places_scope(holder.scope_places()) as places:
        yield places


@contextmanager
def places_scope(places: Places) -> Iterator[Places]:
    """``scope`` for places already known (commands and jobs of a whole county)."""
    nested = connection.in_atomic_block
    before = _current() if nested else NOWHERE
    with transaction.atomic():
        set_places(places)
        yield places
        if nested:
            set_places(before)


@contextmanager
def with_units(units: Iterable[int]) -> Iterator[None]:
    """The running scope with single units beside it, for a service that has made sure of its right to them.

    A person who moved has rows in two places; what concerns the whole of him is done under both.
    """
    now = _current()
    with places_scope(Places(now.townships, now.units | frozenset(units))):
        yield


def _current() -> Places:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(nullif(current_setting('portal.townships', true), ''), '{}')::int[],"
            " coalesce(nullif(current_setting('portal.units', true), ''), '{}')::int[]"
        )
        row = cursor.fetchone()
    assert row is not None
    return Places(frozenset(row[0]), frozenset(row[1]))
