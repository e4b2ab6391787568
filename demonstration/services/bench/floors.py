"""Run the fixed SQL of ``bench/floors/``: the same rows into tables of the same make, without the portal.

A file has sections, each begun by a line ``-- section: NAME``:
``tables`` names the portal's tables whose copies it fills; ``rows`` is the query of what it starts from, and
``staged`` makes the table those rows come into; ``copy`` brings them in; ``work`` does the rest. ``same`` counts what
differs from the portal's rows. Timed are ``copy`` and ``work`` with their commit.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from demonstration.services.bench.stage import as_owner
from foundation.bulk import SETTINGS

FLOORS: Final = Path(settings.BASE_DIR, "bench", "floors")
_SECTION: Final = re.compile(r"^-- section: (\w+)\s*$", re.MULTILINE)


def sections(name: str) -> dict[str, str]:
    """The sections of ``bench/floors/<name>.sql``."""
    text = (FLOORS / f"{name}.sql").read_text(encoding="utf-8")
    parts = _SECTION.split(text)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def exists(name: str) -> bool:
    """Whether there is such a floor: a plan nobody wrote one for has none."""
    return (FLOORS / f"{name}.sql").is_file()


def run_floor(name: str, values: Mapping[str, Any]) -> tuple[float, bool]:
    """Seconds of a floor, and whether its rows are the portal's."""
    parts = sections(name)
    with tempfile.TemporaryFile() as staged, as_owner() as connection, connection.cursor() as cursor:
        if "rows" in parts:
            cursor.copy_expert(f"COPY ({cursor.mogrify(parts['rows'], values).decode()}) TO STDOUT", staged)
        make_tables(connection, parts["tables"])
        if "staged" in parts:
            cursor.execute(parts["staged"])
        connection.commit()
        staged.seek(0)
        started = time.perf_counter()
        for setting, value in SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [setting, value])
        if "copy" in parts:
            cursor.copy_expert(parts["copy"], staged)
        cursor.execute(parts["work"], values)
        connection.commit()
        seconds = time.perf_counter() - started
        cursor.execute(parts["same"], values)
        differing = int(cursor.fetchone()[0])
        connection.rollback()
        return seconds, differing == 0


def make_tables(connection: Any, names: str) -> None:
    """Copies of the named tables in the schema ``floor``: columns, defaults, constraints, indexes, foreign keys."""
    with connection.cursor() as cursor:
        cursor.execute(sections("tables")["schema"])
        tables = [name for line in names.splitlines() for name in line.removeprefix("--").split()]
        for table in tables:
            cursor.execute(f"CREATE TABLE floor.{table} (LIKE public.{table} INCLUDING ALL)")
        # Foreign keys point at the copy where there is one, else at the portal's own table.
        cursor.execute("SET LOCAL search_path = public")
        cursor.execute(sections("tables")["foreign_keys"], {"tables": tables})
        keys = cursor.fetchall()
        cursor.execute("SET LOCAL search_path = floor, public")
        for table, name, definition in keys:
            cursor.execute(f'ALTER TABLE floor.{table} ADD CONSTRAINT "{name}" {definition}')
    connection.commit()
