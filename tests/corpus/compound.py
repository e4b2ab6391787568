"""Old workbooks made by hand: a compound file of sectors, and in it the records of an xls. Just enough to be read."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

SECTOR: Final = 512
_FREE, _END, _TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_SMALL: Final = 4096


def compound(streams: Mapping[str, bytes], *, loop: bool = False) -> bytes:
    """A compound file with these streams; with ``loop`` the first one's chain of sectors never ends."""
    data: list[bytes] = []
    table: list[int] = []
    entries = [_entry("Root Entry", 5, _END, 0, child=1 if streams else _FREE)]
    for number, (name, content) in enumerate(streams.items(), start=1):
        content = content.ljust(_SMALL, b"\0")  # what is smaller would lie in sectors of another size
        start, count = len(data), -(-len(content) // SECTOR)
        padded = content.ljust(count * SECTOR, b"\0")
        data.extend(padded[at : at + SECTOR] for at in range(0, len(padded), SECTOR))
        table.extend([*range(start + 1, start + count), start if loop and number == 1 else _END])
        right = number + 1 if number < len(streams) else _FREE
        entries.append(_entry(name, 2, start, len(content), right=right))
    directory = b"".join(entries).ljust(-(-len(entries) // 4) * SECTOR, b"\0")
    directory_start = len(data)
    count = len(directory) // SECTOR
    data.extend(directory[at : at + SECTOR] for at in range(0, len(directory), SECTOR))
    table.extend([*range(directory_start + 1, directory_start + count), _END])
    table_count = -(-(len(table) + 1) // (SECTOR // 4 - 1))
    places = list(range(len(data), len(data) + table_count))
    table.extend([_TABLE] * table_count)
    table.extend([_FREE] * (table_count * SECTOR // 4 - len(table)))
    packed = struct.pack(f"<{len(table)}I", *table)
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    head += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, table_count, directory_start, 0, _SMALL, _END, 0, _END, 0)
    head += struct.pack("<109I", *places, *[_FREE] * (109 - len(places)))
    return head + b"".join(data) + packed


def _entry(name: str, kind: int, start: int, size: int, *, right: int = _FREE, child: int = _FREE) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(text), kind, 1, _FREE, right, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


class Day(float):
    """A day as a number with the format of a date."""


class Failed:
    """A cell whose formula failed."""


class Computed(str):
    """A text that a formula gave."""


def records(sheets: Mapping[str, Sequence[Sequence[Any]]], *, locked: bool = False) -> bytes:
    """The workbook stream of an xls in the format of 1997. Cells: text, numbers, ``Day``, ``Failed``, ``Computed``."""
    bodies = [_sheet(rows) for rows in sheets.values()]
    globals_ = _record(0x0809, struct.pack("<HHHHII", 0x0600, 5, 0x0DBB, 0x07CC, 0, 6))
    if locked:
        globals_ += _record(0x002F, struct.pack("<HHH", 1, 1, 1) + bytes(48))
    globals_ += _record(0x0042, struct.pack("<H", 1200))
    for number_format in (0, 14):
        globals_ += _record(0x00E0, struct.pack("<HH", 0, number_format) + bytes(16))
    names = [name.encode("utf-16-le") for name in sheets]
    listed = sum(len(_record(0x0085, bytes(8) + name)) for name in names)
    at = len(globals_) + listed + 4
    for name, body in zip(names, bodies, strict=True):
        globals_ += _record(0x0085, struct.pack("<IBBBB", at, 0, 0, len(name) // 2, 1) + name)
        at += len(body)
    return globals_ + _record(0x000A, b"") + b"".join(bodies)


def _sheet(rows: Sequence[Sequence[Any]]) -> bytes:
    out = [_record(0x0809, struct.pack("<HHHHII", 0x0600, 0x10, 0x0DBB, 0x07CC, 0, 6))]
    width = max((len(row) for row in rows), default=0)
    out.append(_record(0x0200, struct.pack("<IIHHH", 0, len(rows), 0, width, 0)))
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            out.append(_cell(y, x, value))
    out.append(_record(0x000A, b""))
    return b"".join(out)


def _cell(y: int, x: int, value: Any) -> bytes:
    place = struct.pack("<HHH", y, x, 1 if isinstance(value, Day) else 0)
    if isinstance(value, Failed):
        return _record(0x0205, place + b"\x2a\x01")
    if isinstance(value, Computed):
        formula = place + b"\0\0\0\0\0\0\xff\xff" + bytes(6) + struct.pack("<H", 1) + b"\x16"
        text = value.encode("utf-16-le")
        return _record(0x0006, formula) + _record(0x0207, struct.pack("<HB", len(value), 1) + text)
    if isinstance(value, int | float):
        return _record(0x0203, place + struct.pack("<d", value))
    if value in (None, ""):
        return b""
    text = str(value).encode("utf-16-le")
    return _record(0x0204, place + struct.pack("<HB", len(text) // 2, 1) + text)


def xls(sheets: Mapping[str, Sequence[Sequence[Any]]], *, locked: bool = False, loop: bool = False) -> bytes:
    """An xls file, which an et file of WPS is too."""
    return compound({"Workbook": records(sheets, locked=locked)}, loop=loop)
