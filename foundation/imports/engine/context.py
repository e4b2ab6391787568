"""What a kind's functions work with: the batch, who imports and what she may see, SQL, and the way back for rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

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
_LONGEST: Final = 1_000


# Several people side by side in one row of a sheet have one row number: above its bits stands which of them.
_ROW_BITS: Final = 24


def row_sql(alias: str) -> str:
    """The row in the file of a staged row, for messages."""
    return f"({alias}.source_row & {(1 << _ROW_BITS) - 1})"


ROW: Final = row_sql("s")


def line_number(row: int, block: int) -> int:
    """What a staging table has for ``source_row``: unique within a file."""
    return row | block << _ROW_BITS


def row_number(line: int) -> int:
    """The row in the file of a ``line_number``."""
    return line & (1 << _ROW_BITS) - 1


class Sent(NamedTuple):
    """Whom a row names, as its sender wrote it."""

    name: str
    number: str


def sealed(keyring: Keyring, sent: Sent) -> bytes:
    """A sender's words for a returned row, encrypted."""
    return keyring.encrypt(_BETWEEN.join(sent))


def unsealed(keyring: Keyring, row: bytes | memoryview | None) -> Sent:
    """The words again. Raises DecryptionError for a foreign key or a changed byte."""
    if row is None:
        return Sent("", "")
    name, _between, number = keyring.decrypt(row).partition(_BETWEEN)
    return Sent(name, number)


class _Returned(NamedTuple):
    """A row on its way back."""

    file: int
    source_row: int
    refused: Refused
    row: bytes
    person: bytes | None
    part: str
    township: int | None

    def columns(self, batch: int) -> tuple[str, ...]:
        """As COPY takes it, in the order of ``_COLUMNS``."""
        problems = self.refused.problems
        message = "；".join(dict.fromkeys(problem.message for problem in problems))
        return (
            str(batch), str(self.file), str(self.source_row), self.refused.code, message[:_LONGEST],
            json.dumps([[problem.code, problem.field] for problem in problems]), "\\x" + self.row.hex(),
            "\\x" + self.person.hex() if self.person else "", self.part, str(self.township or ""),
        )  # fmt: skip


_COLUMNS: Final = (
    "batch_id", "file", "source_row", "code", "message", "faults", "row_encrypted", "person_index", "part",
    "township_id",
)  # fmt: skip


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
    beside: int = 0
    """Staged rows that are no records: totals, where a kind keeps them."""
    done: set[str] = field(default_factory=set)
    """What a kind has prepared in this run, in tables of the transaction."""
    _returned: list[_Returned] = field(default_factory=list)

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

    def refuse_later(
        self,
        file: int,
        source_row: int,
        refused: Refused,
        sent: Sent,
        index: bytes | None,
        part: str,
        township: int | None = None,
    ) -> None:
        """Note that a row goes back; ``flush_returned`` writes it.

        Whom it names is kept encrypted for the sender, and as a blind index, so that a corrected row finds it. It is
        counted under the first thing that is wrong with it.
        """
        self.reasons[refused.code] += 1
        row = sealed(self.keyring, sent)
        self._returned.append(_Returned(file, source_row, refused, row, index, part[:40], township))

    def refuse_staged(self, code: str, message: str, found: str, *, field: str = "", **values: Any) -> int:
        """Take staged rows out and send them back.

        ``found`` is a query that gives ``file, source_row`` and, when ``message`` has places to fill, a column
        ``said`` that fills ``%s``. The staging table must have ``name`` and ``number_encrypted``. ``field`` is the cell
        at fault where the code does not say it.
        """
        kind, identity = self.kind, self.kind.identity
        part = f"coalesce(s.{identity.part}::text, '')" if identity.part else "''"
        rows = self.fetch(
            f"WITH found AS MATERIALIZED ({found})"
            f" DELETE FROM {kind.staging} s USING found f"
            " WHERE s.batch = %(batch)s AND s.file = f.file AND s.source_row = f.source_row"
            f" RETURNING s.file, s.source_row, s.name, s.number_encrypted, s.{identity.index}, {part},"
            " (to_jsonb(s) ->> 'township_id')::int, to_jsonb(f) ->> 'said'",
            **values,
        )
        for file, source_row, name, number, index, which, township, said in sorted(
            rows, key=lambda row: row[:2]
        ):
            sent = Sent(name or "", self.keyring.decrypt(number) if number else "")
            text = message % said if "%s" in message else message
            refused = Refused(code, text, field)
            self.refuse_later(
                file, row_number(source_row), refused, sent, bytes(index) if index else None, which, township
            )
            if len(self._returned) >= _RETURNED_AT_ONCE:
                self.flush_returned()
        self.flush_returned()
        return len(rows)

    def flush_returned(self) -> None:
        """Write the rows collected so far."""
        rows, self._returned = self._returned, []
        copy_rows(ReturnedRow._meta.db_table, _COLUMNS, (row.columns(self.batch.pk) for row in rows))

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
