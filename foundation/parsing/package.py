"""A workbook in a zip (xlsx), measured before a parser sees it.

A few kilobytes can hold a sheet that a parser expands to gigabytes: one cell in the last column of the last
row, one text of hundreds of megabytes, a part that unpacks a thousandfold. The sizes a zip directory states
are not believed: every part a parser would read is unpacked here as a stream and counted. On the way the cells are
found that would come out blank though they are not: formulas never calculated, and formulas that failed.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from foundation.parsing.limits import Limits, Refusal

# A reference in two letters or more or beyond row 999,999, or an attribute written as no spreadsheet program
# does. A sheet without one spans at most 26 million cells.
_FAR: Final = re.compile(rb"""r(?:="(?:[A-Za-z]{2,}[0-9&]|[A-Za-z][0-9]{7})|\s+=|=[\s'])""")
_CELL: Final = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{1,9})(\d{1,9})""")
_ROW: Final = re.compile(rb"""<(?:\w+:)?row[^>]*?\sr\s*=\s*["'](\d{1,9})""")
_CELL_TAGS: Final = (b"<c ", b"<c>", b":c ", b":c>")
# A text result (t="str") may be empty; any other formula without a value was never calculated.
_UNCACHED: Final = re.compile(
    rb'<(?:\w+:)?c\s(?![^>]*\bt="str")[^>]*?\br="([A-Z]{1,3})(\d{1,7})"[^>]*>\s*'
    rb"<(?:\w+:)?f\b[^>]*(?:/>|>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_FAILED: Final = re.compile(rb'<(?:\w+:)?c\s(?=[^>]*\bt="e")[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')
_LAST_COLUMN: Final = 16_384
_LAST_ROW: Final = 1_048_576
_BLOCK: Final = 1 << 20
_OVERLAP: Final = 1 << 14
_MOST_MARKS: Final = 1_000_000
_DIRECTORIES: Final = ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
_RELATIONS: Final = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"

UNCACHED: Final = "uncached"
FAILED: Final = "failed"

Marks = dict[int, dict[int, str]]
"""Row (from 1) and column (from 0) of cells that hold no value, and why: `UNCACHED` or `FAILED`."""


@dataclass(slots=True)
class Package:
    """What the measuring found beside its limits: blank cells that are not, by the sheet's place; macros, links."""

    marks: dict[int, Marks] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _unpack(file: BinaryIO, info: zipfile.ZipInfo, limits: Limits, budget: int) -> Iterator[bytes]:
    """Yield the part's bytes as they really are, refusing what is larger or denser than allowed."""
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise Refusal("broken")
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
    left, size = info.compress_size, 0
    inflate = zlib.decompressobj(-15) if info.compress_type == zipfile.ZIP_DEFLATED else None
    if inflate is None and info.compress_type != zipfile.ZIP_STORED:
        raise Refusal("broken")
    while left > 0 and (packed := file.read(min(left, 1 << 16))):
        left -= len(packed)
        while packed:
            try:
                block = inflate.decompress(packed, _BLOCK) if inflate else packed
            except zlib.error:
                raise Refusal("broken") from None
            packed = inflate.unconsumed_tail if inflate else b""
            size += len(block)
            dense = size > limits.ratio_free_bytes and size > limits.ratio * max(info.compress_size, 1)
            if size > budget or dense:
                raise Refusal("too_big")
            yield block
            if not block:
                break
    if left > 0 or (inflate is not None and not inflate.eof):
        raise Refusal("broken")


def _overlapping(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the blocks with the end of the one before, so that nothing hides on a seam."""
    tail = b""
    for block in blocks:
        joined = tail + block
        tail = joined[-_OVERLAP:]
        yield joined


class _Sheet:
    """One look at a worksheet's text: how far it may reach, how many cells, which of them are blank and why."""

    def __init__(self, packed_bytes: int, limits: Limits) -> None:
        self._most_cells = min(limits.cells, max(limits.cells_free, limits.cells_per_byte * packed_bytes))
        self._cells = 0
        self._count = 0
        self.compact = True
        self.marks: Marks = {}

    def look(self, block: bytes, joined: bytes) -> None:
        """Take the next block; `joined` begins with the end of the one before."""
        self._cells += sum(map(block.count, _CELL_TAGS))
        if self._cells > self._most_cells:
            raise Refusal("too_big")
        self.compact = self.compact and not _FAR.search(joined)
        if b"<f" in joined or b":f" in joined:
            self._mark(_UNCACHED, joined, UNCACHED)
        if b't="e"' in joined:
            self._mark(_FAILED, joined, FAILED)

    def _mark(self, pattern: re.Pattern[bytes], joined: bytes, why: str) -> None:
        for name, row in pattern.findall(joined):
            self._count += 1
            if self._count > _MOST_MARKS:
                raise Refusal("formulas")
            self.marks.setdefault(int(row), {})[_column_number(name) - 1] = why


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
        raise Refusal("too_big")
    if last_row * last_column > limits.cells:
        raise Refusal("too_big")


def _column_number(name: bytes) -> int:
    number = 0
    for char in name.upper():
        number = number * 26 + char - 64
    return number


def _directory(file: BinaryIO, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """The parts by name, once it is sure that they are a workbook's."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise Refusal("broken") from None
    if len(parts) > limits.parts:
        raise Refusal("too_big")
    named = {part.filename.lower().replace("\\", "/"): part for part in parts}
    if "xl/workbook.xml" not in named:
        raise Refusal(_other_package(named))
    if len(named) != len(parts):
        raise Refusal("broken")
    if any(part.flag_bits & 1 for part in parts):
        raise Refusal("encrypted")
    return named


def _other_package(named: dict[str, zipfile.ZipInfo]) -> str:
    if "xl/workbook.bin" in named or "content.xml" in named or any(name.endswith(".iwa") for name in named):
        return "other_workbook"
    if any(name.startswith(("word/", "ppt/", "doc_0/")) for name in named):
        return "document"
    if any(part.flag_bits & 1 for part in named.values()):
        return "encrypted"
    return "archive"


def measure(file: BinaryIO, limits: Limits) -> Package:
    """Raise Refusal unless the zip is a workbook within `limits`; return what else was seen."""
    named = _directory(file, limits)
    package = Package()
    if any(name.endswith("vbaproject.bin") for name in named):
        package.notes.append("macros")
    if any(name.startswith("xl/externallinks/") for name in named):
        package.notes.append("links")
    budget = limits.unpacked_bytes
    found: dict[str, Marks] = {}
    small: dict[str, bytes] = {}
    for name, part in named.items():
        if not name.endswith((".xml", ".rels", ".bin")):
            continue
        size = _look_through(file, name, part, limits, budget, found, small)
        budget -= size
    if any(found.values()):
        package.marks = _by_place(small, found)
    return package


def _look_through(
    file: BinaryIO,
    name: str,
    part: zipfile.ZipInfo,
    limits: Limits,
    budget: int,
    found: dict[str, Marks],
    small: dict[str, bytes],
) -> int:
    """Unpack one part, check what it holds, note what is to be remembered; return its bytes."""
    worksheet = name.startswith("xl/worksheets/") and name.endswith(".xml")
    sheet = _Sheet(part.compress_size, limits) if worksheet else None
    kept: list[bytes] = []
    size, run, tail = 0, 0, b""
    for block in _unpack(file, part, limits, budget):
        size += len(block)
        last = block.rfind(b"<")
        run = run + len(block) if last < 0 else len(block) - last
        if run > limits.text_bytes and not name.endswith(".bin"):
            raise Refusal("too_big")
        joined = tail + block
        tail = joined[-_OVERLAP:]
        if b"<!DOCTYPE" in joined or b"<!ENTITY" in joined:
            raise Refusal("broken")
        if sheet is not None:
            sheet.look(block, joined)
        elif name in _DIRECTORIES and size <= _BLOCK:
            kept.append(block)
    if kept:
        small[name] = b"".join(kept)
    if sheet is not None:
        found[name] = sheet.marks
        if not sheet.compact:
            _check_rectangle(_overlapping(_unpack(file, part, limits, size)), limits)
    return size


def _by_place(small: dict[str, bytes], found: dict[str, Marks]) -> dict[int, Marks]:
    """The marks by the places of the sheets, which the workbook's directory keeps."""
    try:
        workbook, relations = (fromstring(small.get(name, b""), forbid_dtd=True) for name in _DIRECTORIES)
    except (ParseError, DefusedXmlException):
        raise Refusal("broken") from None
    targets = {}
    for relation in relations.iter(_RELATIONS):
        target = relation.get("Target", "")
        path = target.lstrip("/") if target.startswith("/") else posixpath.join("xl", target)
        targets[relation.get("Id", "")] = posixpath.normpath(path).lower()
    sheets = [element for element in workbook.iter() if element.tag.rpartition("}")[2] == "sheet"]
    marks = {}
    for place, sheet in enumerate(sheets):
        identity = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
        if mine := found.get(targets.get(identity, "")):
            marks[place] = mine
    return marks
