"""Rows into a table by COPY, streaming.

COPY FROM fails under row-level security, so it fills only tables that are outside it: staging, keyed by batch, and
returned rows. The text format is CSV with control characters for delimiter and quote, which no cell may hold:
nothing needs escaping, and an empty value is NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import psycopg2
from django.db import connection

_DELIMITER: Final = "\x01"
_QUOTE: Final = "\x02"
_FORBIDDEN: Final = str.maketrans({"\x00": "", "\x01": "", "\x02": "", "\n": " ", "\r": " "})
_BLOCK: Final = 1 << 18


class _Lines:
    """A file for COPY over an iterator of lines."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._rest = b""
        self.count = 0
        self.failed: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        if self._rest:
            block, self._rest = self._rest[:size], self._rest[size:]
            return block
        parts: list[str] = []
        length = 0
        try:
            for line in self._lines:
                parts.append(line)
                length += len(line)
                if length >= size // 3:
                    break
        except Exception as error:
            self.failed = error  # the driver would tell of a failed COPY alone
            raise
        self.count += len(parts)
        block = "".join(parts).encode("utf-8", "replace")
        self._rest = block[size:]
        return block[:size]


def line_of(values: Sequence[str | None]) -> str:
    """One row as COPY reads it; ``None`` and the empty text are NULL."""
    line = _DELIMITER.join([value or "" for value in values])
    # One look at the whole line instead of one at each value: control characters are rare.
    if (
        "\n" in line
        or "\r" in line
        or "\x00" in line
        or _QUOTE in line
        or line.count(_DELIMITER) != len(values) - 1
    ):
        line = _DELIMITER.join([(value or "").translate(_FORBIDDEN) for value in values])
    return line + "\n"


def copy_lines(table: str, columns: Sequence[str], lines: Iterator[str]) -> int:
    """COPY ready-made lines into a table on Django's connection; returns how many.

    What goes wrong in making the lines is raised as it is.
    """
    feed = _Lines(lines)
    names = ", ".join(f'"{column}"' for column in columns)
    statement = (
        f"COPY {table} ({names}) FROM STDIN"
        f" (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02', ESCAPE E'\\x02', NULL '', ENCODING 'UTF8')"
    )
    with connection.cursor() as cursor:
        raw: Any = cursor
        try:
            raw.copy_expert(statement, feed, _BLOCK)
        except psycopg2.Error:
            if feed.failed is not None:
                raise feed.failed from None
            raise
    return feed.count


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> int:
    """COPY rows of text values into a table; returns how many."""
    return copy_lines(table, columns, map(line_of, rows))
