"""The child's work: measure the file, then answer requests for rows until the pipe closes.

A request is one line of JSON on standard input, an answer one frame on standard output: a letter, the length in four
bytes, the body. The first frame comes by itself. Letters: `S` the sheets (JSON), `R` rows, `Z` the last rows of a
sheet, `J` another answer (JSON), `E` a refusal (its code), after which the child ends.

    {"rows": [sheet, first row from 0, how many]}  →  R or Z
    {"height": sheet}                              →  J, rows down to the last that says anything

Rows are text: cells are parted by U+001F, rows end with U+001E, which no cell may hold. Every row begins in column A,
every sheet in row 1. Three characters that Unicode never gives out say more about a cell: it holds a formula without a
value, a formula that failed, or nothing itself but lies under a merged cell with this text. A fourth begins a row with
such cells.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from foundation.parsing.limits import Limits, Refusal

CELL: Final = "\x1f"
ROW: Final = "\x1e"
UNCACHED: Final = "\ufdd0"
FAILED: Final = "\ufdd1"
MERGED: Final = "\ufdd2"
"""Begins the text of a cell that is covered by a merged one."""
SIGNED: Final = "\ufdd3"
"""Begins a row with such cells."""
_ROW: Final = ROW.encode()
_PARTING: Final = str.maketrans({CELL: " ", ROW: " "})
_STANDING: Final = 4


class Sheet(NamedTuple):
    """A sheet as it is listed; `place` counts all sheets of the file."""

    place: int
    name: str
    visible: bool


class Book(Protocol):
    """An opened file: its sheets, what was noticed about it, and each sheet's rows from the first."""

    sheets: list[Sheet]
    notes: list[str]

    def height(self, sheet: Sheet) -> int:
        """Rows down to the last that says anything."""
        ...

    def lines(self, sheet: Sheet) -> Iterator[bytes]:
        """Yield the rows as `line_of` gives them, beginning in column A of row 1."""
        ...


def line_of(cells: list[str]) -> bytes:
    """A row as it is sent, without the mark at its end."""
    line = CELL.join(cells)
    if ROW in line or line.count(CELL) >= max(len(cells), 1):
        line = CELL.join([cell.translate(_PARTING) for cell in cells])
    if MERGED in line or UNCACHED in line or FAILED in line or SIGNED in line:
        line = SIGNED + line
    return line.encode("utf-8", "replace")


class _Rows:
    """Iterators over a book's sheets that stand where they were left."""

    def __init__(self, book: Book, limits: Limits) -> None:
        self._book, self._limits = book, limits
        self._standing: dict[tuple[int, int], Iterator[bytes]] = {}

    def take(self, index: int, first: int, count: int) -> tuple[list[bytes], bool]:
        """`count` rows of a sheet from `first` on, and whether they are the last."""
        rows = self._standing.pop((index, first), None)
        if rows is None:
            rows = islice(self._book.lines(self._book.sheets[index]), first, None)
        lines = list(islice(rows, count))
        if first + len(lines) > self._limits.rows:
            raise Refusal("too_big")
        if len(lines) == count:
            if len(self._standing) >= _STANDING:
                self._standing.clear()
            self._standing[index, first + count] = rows
        return lines, len(lines) < count


def _send(letter: bytes, body: bytes) -> None:
    out = sys.stdout.buffer
    out.write(letter + len(body).to_bytes(4, "big"))
    out.write(body)
    out.flush()


def _send_json(letter: bytes, value: Any) -> None:
    _send(letter, json.dumps(value, ensure_ascii=False).encode())


def _limit(name: str, value: int) -> None:
    kind = getattr(resource, name, None)
    if kind is not None:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def _confine(limits: Limits) -> None:
    """Give up what this work does not need: memory, time, files to write, a core full of names."""
    with contextlib.suppress(OSError):
        # Where memory runs out altogether, this process goes first.
        Path("/proc/self/oom_score_adj").write_text("1000")
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_FSIZE", 0)
    _limit("RLIMIT_AS", limits.memory_bytes)
    _limit("RLIMIT_CPU", limits.cpu_seconds)


def serve(open_book: Callable[[BinaryIO, Limits], Book], arguments: list[str]) -> None:
    """Serve one file: `arguments` are its descriptor and the limits as JSON."""
    limits = Limits(**json.loads(arguments[1]))
    _confine(limits)
    try:
        with os.fdopen(int(arguments[0]), "rb") as file:
            _answer(open_book(file, limits), limits)
    except BrokenPipeError:
        return
    except Refusal as refusal:
        _send(b"E", refusal.code.encode())
    except MemoryError:
        _send(b"E", b"too_big")
    except BaseException:  # noqa: BLE001 - a panic of the parser is no Exception; the file is to blame
        _send(b"E", b"broken")


def _answer(book: Book, limits: Limits) -> None:
    listed = [{"name": sheet.name, "visible": sheet.visible} for sheet in book.sheets]
    if len(listed) > limits.sheets:
        raise Refusal("too_big")
    rows = _Rows(book, limits)
    _send_json(b"S", {"notes": book.notes, "sheets": listed})
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        if "height" in asked:
            _send_json(b"J", book.height(book.sheets[asked["height"]]))
        else:
            lines, last = rows.take(*asked["rows"])
            lines.append(b"")  # every row ends with the mark
            _send(b"Z" if last else b"R", _ROW.join(lines))
