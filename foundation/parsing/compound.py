"""A workbook in a compound file (xls, and et of WPS): what streams it has, whether it is locked, which cells failed.

The container is a small file system of sectors (MS-CFB), the workbook a run of records (MS-XLS). Only what the parser
does not tell is read here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from foundation.parsing.limits import Limits, Refusal
from foundation.parsing.package import FAILED, Marks

_END: Final = 0xFFFFFFF0  # markers of the allocation table begin here
_SMALL: Final = 4096
_MOST_RECORDS: Final = 40_000_000
_BOF: Final = frozenset({0x0009, 0x0209, 0x0409, 0x0809})
_FORMULA, _EOF, _FILEPASS, _BOUNDSHEET, _BOOLERR = 0x0006, 0x000A, 0x002F, 0x0085, 0x0205


@dataclass(slots=True)
class Compound:
    """What was seen: cells that failed, by the sheet's place; macros."""

    marks: dict[int, Marks] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class _Container:
    """The streams of a compound file. Raises Refusal where a chain of sectors leads nowhere."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 512:
            raise Refusal("broken")
        self._data = data
        self._shift = struct.unpack_from("<H", data, 30)[0]
        if self._shift not in (9, 12):
            raise Refusal("broken")
        (first_directory,) = struct.unpack_from("<I", data, 48)
        first_small, count_small = struct.unpack_from("<II", data, 60)
        self._table = self._allocation()
        directory = self._chain(first_directory)
        self.entries: dict[str, tuple[int, int, int]] = {}
        for at in range(0, len(directory) - 127, 128):
            length, kind = struct.unpack_from("<HB", directory, at + 64)
            if kind in (1, 2, 5) and 2 <= length <= 64:
                name = directory[at : at + length - 2].decode("utf-16-le", "replace")
                start, size = struct.unpack_from("<II", directory, at + 116)
                self.entries.setdefault(name, (kind, start, size))
        self._small_table = _numbers(self._chain(first_small)) if count_small else ()
        root = next((entry for entry in self.entries.values() if entry[0] == 5), None)
        self._small = self._chain(root[1]) if root and count_small else b""

    def _sector(self, number: int) -> bytes:
        start = (number + 1) << self._shift
        return self._data[start : start + (1 << self._shift)]

    def _allocation(self) -> tuple[int, ...]:
        data = self._data
        sectors = [number for number in struct.unpack_from("<109I", data, 76) if number < _END]
        more, _count = struct.unpack_from("<II", data, 68)
        seen = 0
        while more < _END and seen <= len(data) >> self._shift:
            numbers = _numbers(self._sector(more))
            if not numbers:
                break
            sectors.extend(number for number in numbers[:-1] if number < _END)
            more, seen = numbers[-1], seen + 1
        if len(sectors) > len(data) >> self._shift:
            raise Refusal("broken")
        return _numbers(b"".join(map(self._sector, sectors)))

    def _chain(self, start: int) -> bytes:
        parts: list[bytes] = []
        most = len(self._data) >> self._shift
        while start < _END:
            if start >= len(self._table) or len(parts) > most:
                raise Refusal("broken")
            parts.append(self._sector(start))
            start = self._table[start]
        return b"".join(parts)

    def read(self, name: str) -> bytes:
        """A stream's bytes."""
        _kind, start, size = self.entries[name]
        if size >= _SMALL:
            return self._chain(start)[:size]
        parts: list[bytes] = []
        while start < _END and len(parts) <= _SMALL // 64:
            if start >= len(self._small_table):
                raise Refusal("broken")
            parts.append(self._small[start * 64 : start * 64 + 64])
            start = self._small_table[start]
        return b"".join(parts)[:size]


def _numbers(data: bytes) -> tuple[int, ...]:
    count = len(data) // 4
    return struct.unpack_from(f"<{count}I", data)


def measure(file: BinaryIO, limits: Limits) -> Compound:
    """Raise Refusal unless the compound file holds a readable workbook; return what else was seen."""
    file.seek(0)
    container = _Container(file.read(limits.workbook_bytes + 1))
    names = container.entries
    if "EncryptedPackage" in names or "EncryptionInfo" in names:
        raise Refusal("encrypted")
    stream = next((name for name in ("Workbook", "WORKBOOK", "Book", "BOOK") if name in names), "")
    if not stream:
        documents = {"WordDocument", "PowerPoint Document", "Pictures"}
        raise Refusal("document" if documents & set(names) else "not_a_table")
    found = Compound(_walk(container.read(stream)))
    if "_VBA_PROJECT_CUR" in names or "VBA" in names:
        found.notes.append("macros")
    return found


def _walk(book: bytes) -> dict[int, Marks]:
    """Go through the records once: a lock is refused, failed formulas are noted by the sheet's place."""
    marks: dict[int, Marks] = {}
    starts: dict[int, int] = {}
    place, depth, at = -1, 0, 0
    for _step in range(_MOST_RECORDS):
        if at + 4 > len(book):
            break
        kind, length = struct.unpack_from("<HH", book, at)
        body = at + 4
        if kind in _BOF:
            if depth == 0:
                place = starts.get(at, -1)
            depth += 1
        elif kind == _EOF:
            depth = max(depth - 1, 0)
        elif kind == _FILEPASS:
            raise Refusal("encrypted")
        elif kind == _BOUNDSHEET and length >= 6:
            starts[struct.unpack_from("<I", book, body)[0]] = len(starts)
        elif kind == _FORMULA and length >= 14:
            if book[body + 6] == 2 and book[body + 12 : body + 14] == b"\xff\xff":
                _mark(marks, place, book, body)
        elif kind == _BOOLERR and length >= 8 and book[body + 7]:
            _mark(marks, place, book, body)
        at = body + length
    return marks


def _mark(marks: dict[int, Marks], place: int, book: bytes, body: int) -> None:
    row, column = struct.unpack_from("<HH", book, body)
    marks.setdefault(place, {}).setdefault(row + 1, {})[column] = FAILED
