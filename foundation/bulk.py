"""Settings of PostgreSQL for set-based work over a county."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection

# Tables just filled have no statistics (only their owner may ANALYZE them), and the planner, expecting a handful of
# rows, would visit a million rows one by one: nested loops are off. Compiling a statement that runs once costs more
# than it saves.
_SETTINGS: Final = {"enable_nestloop": "off", "work_mem": "192MB", "jit": "off"}


@contextmanager
def bulk_settings() -> Iterator[None]:
    """Settings for set-based work within the running transaction.

    Restored afterwards, since a test or a request may go on.
    """
    with connection.cursor() as cursor:
        before = {}
        for name, value in _SETTINGS.items():
            cursor.execute("SELECT current_setting(%s), set_config(%s, %s, true)", [name, name, value])
            row = cursor.fetchone()
            assert row is not None
            before[name] = row[0]
        yield
        for name, value in before.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
