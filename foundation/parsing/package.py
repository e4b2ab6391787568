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
_MOST_KEPT: Final = 32 << 20
_ROW_NUMBER: Final = re.compile(rb'<row r="(\d{1,7})"')
_MERGED: Final = re.compile(rb'<(?:\w+:)?mergeCell ref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')
_DIRECTORIES: Final = ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
_KEPT: Final = frozenset({*_DIRECTORIES, "xl/styles.xml"})
_RELATIONS: Final = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"

UNCACHED: Final = "uncached"
FAILED: Final = "failed"

Marks = dict[int, dict[int, str]]
"""Row (from 1) and column (from 0) of cells that hold no value, and why: `UNCACHED` or `FAILED`."""
Area = tuple[int, int, int, int]
"""Merged cells: first row and column, last row and column, from 0."""


def _unpack(
    file: BinaryIO, info: zipfile.ZipInfo, limits: Limits, budget: int, *, seen: bool = False
) -> Iterator[bytes]:
    """Yield the part's bytes as they really are, refusing what is larger or denser than allowed.

    Whether it came over whole need not be asked of a part that was `seen` before. Each reader keeps its own place in the
    file: several stand in it at once.
    """
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise Refusal("broken")
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
    left, size, check = info.compress_size, 0, 0
    inflate = zlib.decompressobj(-15) if info.compress_type == zipfile.ZIP_DEFLATED else None
    if inflate is None and info.compress_type != zipfile.ZIP_STORED:
        raise Refusal("broken")
    place = file.tell()
    while left > 0:
        file.seek(place)
        packed = file.read(min(left, 1 << 16))
        if not packed:
            break
        left, place = left - len(packed), place + len(packed)
        while packed:
            try:
                block = inflate.decompress(packed, _BLOCK) if inflate else packed
            except zlib.error:
                raise Refusal("broken") from None
            packed = inflate.unconsumed_tail if inflate else b""
            size += len(block)
            check = check if seen else zlib.crc32(block, check)
            dense = size > limits.ratio_free_bytes and size > limits.ratio * max(info.compress_size, 1)
            if size > budget or dense:
                raise Refusal("too_big")
            yield block
            if not block:
                break
    if left > 0 or (inflate is not None and not inflate.eof) or (not seen and check != info.CRC):
        raise Refusal("broken")


def _overlapping(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the blocks with the end of the one before, so that nothing hides on a seam."""
    tail = b""
    for block in blocks:
        joined = tail + block
        tail = joined[-_OVERLAP:]
        yield joined


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


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A sheet as the workbook lists it; `path` is empty where its part is not found, or is no worksheet."""

    name: str
    visible: bool
    path: str


@dataclass(slots=True)
class Seen:
    """What one look through a worksheet shows: the last row, merged cells, whether it may be plain."""

    rows: int = 0
    merged: list[Area] = field(default_factory=list)
    plain: bool = True


class Package:
    """The zip of a workbook that keeps the limits. Raises Refusal otherwise."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self._parts = _directory(file, limits)
        self._budget = limits.unpacked_bytes
        self._small: dict[str, bytes] = {}
        self.notes: list[str] = []
        if any(name.endswith("vbaproject.bin") for name in self._parts):
            self.notes.append("macros")
        if any(name.startswith("xl/externallinks/") for name in self._parts):
            self.notes.append("links")
        for name in self._parts:
            if name.endswith((".xml", ".rels")) and not name.startswith("xl/worksheets/"):
                self._look_through(name)
        self.sheets = self._listed()

    def _look_through(self, name: str) -> None:
        """Unpack a part beside the sheets, and keep what says how to read them."""
        kept: list[bytes] = []
        for block in self._checked(name):
            if name in _KEPT and sum(map(len, kept)) < _MOST_KEPT:
                kept.append(block)
        if kept:
            self._small[name] = b"".join(kept)

    def _checked(self, name: str) -> Iterator[bytes]:
        """Yield a part's bytes, refusing document types and texts that no cell holds."""
        run, tail = 0, b""
        for block in _unpack(self._file, self._parts[name], self._limits, self._budget):
            last = block.rfind(b"<")
            run = run + len(block) if last < 0 else len(block) - last
            if run > self._limits.text_bytes:
                raise Refusal("too_big")
            if b"<!" in block or b"<" in tail:
                joined = tail + (block if b"<!" in block else block[:9])
                if b"<!DOCTYPE" in joined or b"<!ENTITY" in joined:
                    raise Refusal("broken")
            tail = block[-9:]
            yield block

    def part(self, name: str) -> bytes:
        """A small part that was kept: styles, the list of sheets; empty where there is none."""
        return self._small.get(name, b"")

    def texts(self) -> Iterator[bytes]:
        """The part with the shared texts, unpacked."""
        name = "xl/sharedstrings.xml"
        return self._checked(name) if name in self._parts else iter(())

    def blocks(self, path: str) -> Iterator[bytes]:
        """A worksheet that was looked at, unpacked again."""
        return _unpack(self._file, self._parts[path], self._limits, self._budget, seen=True)

    def _listed(self) -> list[SheetPart]:
        """The sheets by the workbook's directory."""
        try:
            workbook, relations = (fromstring(self.part(name), forbid_dtd=True) for name in _DIRECTORIES)
        except (ParseError, DefusedXmlException):
            raise Refusal("broken") from None
        targets = {}
        for relation in relations.iter(_RELATIONS):
            if relation.get("Type", "").endswith("/worksheet"):
                target = relation.get("Target", "")
                path = target.lstrip("/") if target.startswith("/") else posixpath.join("xl", target)
                targets[relation.get("Id", "")] = posixpath.normpath(path).lower()
        sheets = []
        for sheet in workbook.iter():
            if sheet.tag.rpartition("}")[2] == "sheet":
                identity = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
                path = targets.get(identity, "")
                shown = sheet.get("state", "visible") == "visible"
                sheets.append(SheetPart(sheet.get("name", ""), shown, path if path in self._parts else ""))
        return sheets

    def look(self, path: str) -> Seen:
        """Unpack a worksheet once: where it ends, which cells are merged, whether it may be plain."""
        seen, after, last, first = Seen(), b"", b"", True
        for block in self._checked(path):
            if first:
                seen.plain, first = b"<sheetData" in block, False
            seen.plain = seen.plain and b"<!" not in block
            if after or b"</sheetData>" in block:
                after += block if after else block[block.rfind(b"</sheetData>") :]
                if len(after) > _MOST_KEPT:
                    raise Refusal("too_big")
            if (at := block.rfind(b'<row r="')) >= 0 and (row := _ROW_NUMBER.match(block, at)):
                seen.rows, last = int(row[1]), block[at:]
        # What stands far out in the last row would be met only after a million rows.
        widest = max((_column_number(name) for name, _row in _CELL.findall(last)), default=0)
        if seen.rows > _LAST_ROW or widest > self._limits.columns:
            raise Refusal("too_big")
        seen.merged = [
            (int(top) - 1, _column_number(left) - 1, int(bottom) - 1, _column_number(right) - 1)
            for left, top, right, bottom in _MERGED.findall(after)
        ]
        return seen

    def marks(self, path: str) -> Marks:
        """Look through a worksheet for the general parser, which allots the whole rectangle its cells span and leaves
        cells without a value blank. Raises Refusal for one that spans too much."""
        compact, marks, tail, cells = True, _Marks(), b"", 0
        most = min(
            self._limits.cells,
            max(self._limits.cells_free, self._limits.cells_per_byte * self._parts[path].compress_size),
        )
        for block in self._checked(path):
            cells += sum(map(block.count, _CELL_TAGS))
            if cells > most:
                raise Refusal("too_big")
            joined = tail + block
            tail = joined[-_OVERLAP:]
            compact = compact and not _FAR.search(joined)
            marks.look(joined)
        if not compact:
            _check_rectangle(_overlapping(self._checked(path)), self._limits)
        return marks.found


class _Marks:
    """Collects the cells that hold no value."""

    def __init__(self) -> None:
        self.found: Marks = {}
        self._count = 0

    def look(self, block: bytes) -> None:
        """Take the next block."""
        if b"<f" in block or b":f" in block:
            self._mark(_UNCACHED, block, UNCACHED)
        if b't="e"' in block:
            self._mark(_FAILED, block, FAILED)

    def _mark(self, pattern: re.Pattern[bytes], block: bytes, why: str) -> None:
        for name, row in pattern.findall(block):
            self._count += 1
            if self._count > _MOST_MARKS:
                raise Refusal("formulas")
            self.found.setdefault(int(row), {})[_column_number(name) - 1] = why
