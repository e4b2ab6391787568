"""What a kind's functions work with: the batch, who imports and what she may see, SQL, and the way back for rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.db import connection

from foundation.encryption import Keyring, get_keyring
from foundation.imports.engine.copying import copy_rows
from foundation.imports.kinds import ImportKind, Refused, import_kind
from foundation.imports.models import ImportBatch, ReturnedRow
from foundation.scope.places import Places

Progress = Callable[[str, int, int], None]
"""(what is being done, rows done, rows in all or 0 when unknown); raises to stop."""

_RETURNED_AT_ONCE: Final = 5_000
_BETWEEN: Final = "\t"


def _silent(what: str, done: int, total: int) -> None:
    return None


@dataclass
class Context:
    """One run over one batch."""

    batch: ImportBatch
    places: Places
    by: Any
    today: date
    keyring: Keyring = field(default_factory=get_keyring)
    progress: Progress = _silent
    reasons: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    summary: dict[str, Any] = field(default_factory=dict)
    _returned: list[tuple[int, int, str, str, bytes]] = field(default_factory=list)

    @property
    def kind(self) -> ImportKind:
        """The batch's kind."""
        return import_kind(self.batch.kind)

    # -- SQL; every statement may use %(batch)s

    def execute(self, query: str, **values: Any) -> int:
        """Run one statement and return how many rows it touched."""
        with connection.cursor() as cursor:
            cursor.execute(query, {"batch": self.batch.pk, **values})
            return int(cursor.rowcount)

    def fetch(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""
        with connection.cursor() as cursor:
            cursor.execute(query, {"batch": self.batch.pk, **values})
            return list(cursor.fetchall())

    def one(self, query: str, **values: Any) -> tuple[Any, ...]:
        """Run a query that gives exactly one row."""
        rows = self.fetch(query, **values)
        assert len(rows) == 1
        return rows[0]

    # -- rows that go back

    def refuse_later(self, file: int, source_row: int, refused: Refused, name: str, number: str) -> None:
        """Note that a row goes back; ``flush_returned`` writes it. Who it names is kept encrypted for the sender."""
        self.reasons[refused.code] += 1
        identity = self.keyring.encrypt(f"{name}{_BETWEEN}{number}")
        self._returned.append((file, source_row, refused.code, refused.message[:200], identity))

    def refuse_staged(self, code: str, message: str, found: str, **values: Any) -> int:
        """Take staged rows out and send them back.

        ``found`` is a query that gives ``file, source_row`` and, when ``message`` has places to fill, a column
        ``said`` that fills ``%s``. The staging table must have ``name`` and ``number_encrypted``.
        """
        rows = self.fetch(
            f"WITH found AS MATERIALIZED ({found})"
            f" DELETE FROM {self.kind.staging} s USING found f"
            " WHERE s.batch = %(batch)s AND s.file = f.file AND s.source_row = f.source_row"
            " RETURNING s.file, s.source_row, s.name, s.number_encrypted, to_jsonb(f) ->> 'said'",
            **values,
        )
        for file, source_row, name, sealed, said in sorted(rows, key=lambda row: row[:2]):
            number = self.keyring.decrypt(sealed) if sealed else ""
            text = message % said if "%s" in message else message
            self.refuse_later(file, source_row, Refused(code, text), name or "", number)
            if len(self._returned) >= _RETURNED_AT_ONCE:
                self.flush_returned()
        self.flush_returned()
        return len(rows)

    def flush_returned(self) -> None:
        """Write the rows collected by ``refuse_later``."""
        rows, self._returned = self._returned, []
        copy_rows(
            ReturnedRow._meta.db_table,
            ("batch_id", "file", "source_row", "code", "message", "row_encrypted"),
            (
                (str(self.batch.pk), str(file), str(row), code, message, "\\x" + sealed.hex())
                for file, row, code, message, sealed in rows
            ),
        )

    def inserted(self, relation: str, ids: Iterable[int]) -> None:
        """Remember the rows a batch made, as ranges, so that it can be undone."""
        ranges: list[list[int]] = self.summary.setdefault("inserted", {}).setdefault(relation, [])
        for pk in sorted(ids):
            if ranges and ranges[-1][1] == pk - 1:
                ranges[-1][1] = pk
            else:
                ranges.append([pk, pk])

    def inserted_range(self, relation: str, first: int, last: int) -> None:
        """``inserted`` for ids without gaps."""
        self.summary.setdefault("inserted", {}).setdefault(relation, []).append([first, last])
