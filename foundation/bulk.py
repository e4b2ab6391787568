"""Settings of PostgreSQL for set-based work over a county."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection

# A statement over tables filled in the same transaction may find no statistics, and the planner, expecting a handful
# of rows, would visit a million rows one by one: nested loops are off. Compiling a statement that runs once costs more
# than it saves.
SETTINGS: Final = {"enable_nestloop": "off", "work_mem": "192MB", "jit": "off"}

# Sample rows of ANALYZE are 300 times this.
_SAMPLE: Final = "default_statistics_target"


@contextmanager
def bulk_settings(*, merge_joins: bool = True) -> Iterator[None]:
    """Settings for set-based work within the running transaction.

    ``merge_joins`` off where a table of this transaction is joined by several columns: expecting one row, the planner
    sorts by the column that tells least and compares everybody with everybody. Restored afterwards, since a test or a
    request may go on.
    """
    with connection.cursor() as cursor:
        before = {}
        for name, value in (SETTINGS | ({} if merge_joins else {"enable_mergejoin": "off"})).items():
            cursor.execute("SELECT current_setting(%s), set_config(%s, %s, true)", [name, name, value])
            row = cursor.fetchone()
            assert row is not None
            before[name] = row[0]
        yield
        for name, value in before.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def refresh_statistics(*tables: str) -> None:
    """Renew the planner's statistics of tables that just changed in bulk.

    Without them it takes a filled table for an empty one and joins on whatever column comes first. A sample of six
    thousand rows tells one join from another; autovacuum takes a larger one later.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s), set_config(%s, %s, true)", [_SAMPLE, _SAMPLE, "20"])
        row = cursor.fetchone()
        assert row is not None
        cursor.execute(f"SELECT portal_analyze({', '.join(['%s'] * len(tables))})", tables)
        cursor.execute("SELECT set_config(%s, %s, true)", [_SAMPLE, row[0]])


def next_id(table: str) -> str:
    """SQL of the next key of a table, for statements that give rows their keys before they are written.

    The sequence is looked up once: ``pg_get_serial_sequence`` in the statement itself would look it up for every row.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
        row = cursor.fetchone()
    assert row is not None
    return f"nextval('{row[0]}')"
