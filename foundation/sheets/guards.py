"""Limits that a workbook must keep before a parser sees it.

A few kilobytes can hold a sheet that a parser expands to gigabytes: one cell in the last column of the last
row, one text of hundreds of megabytes, a part that unpacks a thousandfold. The sizes a zip directory states
are not believed: every part a parser would read is unpacked here as a stream and counted.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from django.utils.translation import gettext as _

from foundation.sheets.errors import SheetError

# A reference in two letters or more or beyond row 999,999, or an attribute written as no spreadsheet program
# does. A sheet without one spans at most 26 million cells.
_FAR: Final = re.compile(rb"""r(?:="(?:[A-Za-z]{2,}[0-9&]|[A-Za-z][0-9]{7})|\s+=|=[\s'])""")
_CELL: Final = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{1,9})(\d{1,9})""")
_ROW: Final = re.compile(rb"""<(?:\w+:)?row[^>]*?\sr\s*=\s*["'](\d{1,9})""")
_LAST_COLUMN: Final = 16_384
_LAST_ROW: Final = 1_048_576
_OVERLAP: Final = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost. The defaults fit a county's registration of 1.3 million residents as CSV and
    200,000 rows of 60 columns as a workbook."""

    file_bytes: int = 1 << 30
    workbook_bytes: int = 100 << 20
    parts: int = 2_000
    unpacked_bytes: int = 2 << 30
    ratio: int = 200
    ratio_free_bytes: int = 8 << 20
    cells: int = 26_000_000
    columns: int = 400
    rows: int = 3_000_000


def too_big() -> SheetError:
    """The refusal for every limit of size; the sender need not know which."""
    return SheetError("too_big", _("文件太大或内容异常，没有读取。请删去空白行列和图片，或分成几个文件再传"))


def broken() -> SheetError:
    """The refusal for a damaged workbook."""
    return SheetError("broken", _("文件已损坏，打不开。请在表格软件里打开后另存为 xlsx 再传"))


def _unpack(file: BinaryIO, info: zipfile.ZipInfo, limits: Limits, budget: int) -> Iterator[bytes]:
    """Yield the part's bytes as they really are, refusing what is larger or denser than allowed."""
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise broken()
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
    left, size = info.compress_size, 0
    inflate = zlib.decompressobj(-15) if info.compress_type == zipfile.ZIP_DEFLATED else None
    if inflate is None and info.compress_type != zipfile.ZIP_STORED:
        raise broken()
    while left > 0 and (packed := file.read(min(left, 1 << 16))):
        left -= len(packed)
        while packed:
            try:
                block = inflate.decompress(packed, 1 << 20) if inflate else packed
            except zlib.error:
                raise broken() from None
            packed = inflate.unconsumed_tail if inflate else b""
            size += len(block)
            dense = size > limits.ratio_free_bytes and size > limits.ratio * max(info.compress_size, 1)
            if size > budget or dense:
                raise too_big()
            yield block
            if not block:
                break


def _overlapping(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the blocks with the end of the one before, so that nothing hides on a seam."""
    tail = b""
    for block in blocks:
        if not tail and b"<!DOCTYPE" in block:  # it can only stand before the first element
            raise broken()
        joined = tail + block
        tail = joined[-_OVERLAP:]
        yield joined


def _is_compact(blocks: Iterator[bytes]) -> bool:
    """Whether a sheet surely ends by column Z and row 999,999; true of nearly every real file, and quick."""
    return not any(_FAR.search(block) for block in blocks)


def _check_rectangle(blocks: Iterator[bytes], limits: Limits) -> None:
    """Check the rectangle that all cells of a sheet span, since parsers allot the whole of it."""
    last_row = 1
    columns: set[bytes] = set()
    for block in blocks:
        cells = _CELL.findall(block)
        columns.update([cell[0] for cell in cells])
        numbers = {cell[1] for cell in cells}
        numbers.update(_ROW.findall(block))
        last_row = max(last_row, *map(int, numbers)) if numbers else last_row
    last_column = max((_column_number(name) for name in columns), default=1)
    if last_row > min(_LAST_ROW, limits.rows) or last_column > min(_LAST_COLUMN, limits.columns):
        raise too_big()
    if last_row * last_column > limits.cells:
        raise too_big()


def _column_number(name: bytes) -> int:
    number = 0
    for char in name.upper():
        number = number * 26 + char - 64
    return number


def check_workbook(path: Path, limits: Limits) -> None:
    """Raise SheetError unless the zip at `path` is a workbook within `limits`."""
    if path.stat().st_size > limits.workbook_bytes:
        raise too_big()
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise broken() from None
    names = [part.filename.lower().replace("\\", "/") for part in parts]
    if len(parts) > limits.parts:
        raise too_big()
    if len(set(names)) != len(names):
        raise broken()
    if "xl/workbook.xml" not in names:
        raise SheetError("not_a_table", _("这不是表格文件。请传 xlsx、csv 或 txt"))
    if any(part.flag_bits & 1 for part in parts):
        raise SheetError("encrypted", _("文件设了密码，打不开。请取消密码后再传"))
    budget = limits.unpacked_bytes
    with path.open("rb") as file:
        for part, name in zip(parts, names, strict=True):
            if not name.endswith((".xml", ".rels", ".bin")):
                continue
            size = sum(len(block) for block in _unpack(file, part, limits, budget))
            budget -= size
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):

                def again(part: zipfile.ZipInfo = part, size: int = size) -> Iterator[bytes]:
                    return _overlapping(_unpack(file, part, limits, size))

                if not _is_compact(again()):
                    _check_rectangle(again(), limits)
