"""The raw rows of a file, whatever kind of table it is. The kind is told by content, never by the name."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from foundation.parsing.limits import Limits
from foundation.parsing.serve import FAILED, MERGED, UNCACHED
from foundation.sheets.child import Child
from foundation.sheets.errors import SheetError, bad_text

_SAMPLE: Final = 1 << 16
_DELIMITERS: Final = ",\t|;，"
_BROKEN: Final = "\ufffd"
_MARKUP: Final = re.compile(
    rb"^\s*(<\?xml[^>]*>)?\s*(<\?mso[^>]*>|<!--.*?-->|\s)*<(!doctype\s|html|table|head|meta|style|body|div"
    rb"|(\w+:)?workbook)",
    re.IGNORECASE | re.DOTALL,
)
# How files that are no table begin. A workbook in a zip or a compound file is looked at by the parser's process.
_OTHERS: Final = (
    (b"%PDF", "document"),
    (b"{\\rtf", "document"),
    (b"\x89PNG", "document"),
    (b"\xff\xd8\xff", "document"),
    (b"GIF8", "document"),
    (b"II*\x00", "document"),
    (b"MM\x00*", "document"),
    (b"Rar!", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"\x1f\x8b", "archive"),
    (b"MIME-Version:", "markup"),
    (b"\x09\x00\x04\x00", "other_workbook"),
    (b"\x09\x02\x06\x00", "other_workbook"),
    (b"\x09\x04\x06\x00", "other_workbook"),
)
_BINARY: Final = (
    (b"PK\x03\x04", "workbook"),
    (b"PK\x05\x06", "workbook"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook"),
)
# A field of the csv module holds 128 KiB at most; a line of that many in every column is none.
_LONGEST_LINE: Final = 32 << 20
# Lines that one row of text may run over: an address with line breaks does, a lone quotation mark does more.
_LONGEST_ROW: Final = 40


@dataclass(slots=True)
class Noted:
    """Rows that something was noticed about: how many, and the first of them."""

    count: int = 0
    rows: list[int] = field(default_factory=list)

    def add(self, row: int) -> None:
        """Note a row."""
        self.count += 1
        if len(self.rows) < 20:
            self.rows.append(row)

    def clear(self) -> None:
        """Forget them, since reading starts again."""
        self.count = 0
        self.rows.clear()


class Source(Protocol):
    """Something with rows. `rows` may be called again and starts from the top each time."""

    @property
    def kind(self) -> str:
        """`text` or `workbook`."""
        ...

    @property
    def sheet(self) -> str:
        """Name of the sheet; empty for text."""
        ...

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (row number as the sender's program shows it, cells as text), blank rows included.

        A row with cells that are merged or hold no value is a `Signed` one.
        """
        ...

    def top(self, count: int) -> list[tuple[int, list[str]]]:
        """The first rows."""
        ...

    def estimate(self) -> int:
        """About how many rows there are."""
        ...

    def close(self) -> None:
        """Let go of the file; reading opens it again."""
        ...


@dataclass(frozen=True, slots=True)
class TextSource:
    """Delimited text in UTF-8, UTF-16 or GB18030.

    `broken` says that some bytes are no character of the encoding; `noted` has the rows where they were met.
    """

    path: Path
    encoding: str
    delimiter: str
    limits: Limits
    broken: bool = False
    width: int = 0
    noted: Noted = field(default_factory=Noted)
    kind: str = "text"
    sheet: str = ""

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows; bytes that are no character come out as U+FFFD, for the row's check to refuse."""
        number, over = 0, 0
        bars = self.delimiter == "|" and self.encoding == "gb18030"
        self.noted.clear()
        most = self.limits.rows
        with self.path.open(encoding=self.encoding, errors="replace", newline="") as file:
            reader = csv.reader(iter(partial(file.readline, _LONGEST_LINE), ""), delimiter=self.delimiter)
            try:
                for number, row in enumerate(reader, start=1):
                    if reader.line_num != number + over:
                        if reader.line_num - number - over > _LONGEST_ROW:
                            raise bad_text(number)
                        over = reader.line_num - number
                    if number > most or len(row) > self.limits.columns:
                        raise SheetError("too_big")
                    if bars and 1 < len(row) < self.width:
                        row = self._mended(row)
                    if (self.broken or bars) and any(_BROKEN in cell for cell in row):
                        self.noted.add(number)
                    yield number, list(map(str.strip, row))
            except csv.Error:
                raise bad_text(number + 1) from None

    def _mended(self, row: list[str]) -> list[str]:
        """A row whose broken character swallowed the mark behind it: | may be the second half of a character.

        What remains of the character comes out as U+FFFD.
        """
        cells = "|".join(row).encode("gb18030", "replace").split(b"|")
        return [cell.decode("gb18030", "replace") for cell in cells] if len(cells) == self.width else row

    def top(self, count: int) -> list[tuple[int, list[str]]]:
        """The first rows."""
        found = []
        for row in self.rows():
            found.append(row)
            if len(found) == count:
                break
        return found

    def estimate(self) -> int:
        """About how many rows there are: as many as lines."""
        with self.path.open("rb") as file:
            return 1 + sum(block.count(b"\n") for block in iter(partial(file.read, 1 << 22), b""))

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True)
class SheetSource:
    """One sheet of a workbook, read by a process of its own."""

    child: Child
    index: int
    sheet: str
    kind: str = "workbook"

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows from the first; numbers, dates and formulas as the text they show."""
        return enumerate(self.child.rows(self.index), start=1)

    def top(self, count: int) -> list[tuple[int, list[str]]]:
        """The first rows."""
        return list(enumerate(self.child.top(self.index, count), start=1))

    def estimate(self) -> int:
        """Rows down to the last that says anything."""
        return self.child.height(self.index)

    def close(self) -> None:
        """End the process; the sheets of one file share it."""
        self.child.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """A file's tables: one for text, one for each visible sheet; names of hidden sheets; what was noticed."""

    sources: list[Source]
    hidden: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plain(cell: str) -> str:
    """A cell's own text, without the sign before it: what is covered by a merged cell or has no value is blank."""
    return "" if cell[:1] in (MERGED, UNCACHED, FAILED) else cell


def open_sources(path: Path, limits: Limits) -> Opened:
    """Find the tables of a file. Raises SheetError for what is not a table, is too big, damaged or locked."""
    if path.stat().st_size > limits.file_bytes:
        raise SheetError("too_big")
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
    if not head.strip(b"\x00\r\n\t ,\xef\xbb\xbf"):
        raise SheetError("empty")
    if other := next((code for start, code in _OTHERS if head.startswith(start)), ""):
        raise SheetError(other)
    module = next((module for start, module in _BINARY if head.startswith(start)), "")
    if not module and _MARKUP.match(head.removeprefix(codecs.BOM_UTF8)):
        module = "markup"
    if not module:
        return Opened([_text(path, head, limits)])
    if path.stat().st_size > limits.workbook_bytes:
        raise SheetError("too_big")
    child = Child(path, module, limits)
    sources: list[Source] = [
        SheetSource(child, index, sheet.name) for index, sheet in enumerate(child.sheets) if sheet.visible
    ]
    hidden = tuple(sheet.name for sheet in child.sheets if not sheet.visible)
    return Opened(sources, hidden, tuple(child.notes))


def _text(path: Path, head: bytes, limits: Limits) -> TextSource:
    encoding, broken = _encoding(path, head)
    sample = head.decode(encoding, "replace")
    if "\x00" in sample or sum(sample.count(char) for char in "\x01\x02\x03\x04\x05\x06\x0f\x10") > 3:
        raise SheetError("not_a_table")
    delimiter, width = _delimiter(sample)
    return TextSource(path, encoding, delimiter, limits, broken, width)


def _encoding(path: Path, head: bytes) -> tuple[str, bool]:
    """The encoding, and whether some bytes do not belong to it.

    UTF-16 by its mark, UTF-8 or GB18030 when the whole file is. Of a file that is neither, UTF-8 where most of what is
    not ASCII reads so: text in GB18030 hardly ever does by chance.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", True
    wrong_at = _first_wrong(path, "utf-8")
    if wrong_at < 0:
        return "utf-8-sig", False
    with path.open("rb") as file:
        file.seek(max(wrong_at - _SAMPLE, 0))
        around = file.read(2 * _SAMPLE).decode("utf-8", "replace")
    bad = around.count(_BROKEN)
    good = sum(1 for char in around if char > "\x7f") - bad
    if bad * 8 < good:
        return "utf-8-sig", True
    return "gb18030", _first_wrong(path, "gb18030") >= 0


def _first_wrong(path: Path, encoding: str) -> int:
    """About where the first byte stands that is no character; -1 when there is none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    at = 0
    with path.open("rb") as file:
        try:
            while block := file.read(1 << 20):
                decoder.decode(block)
                at += len(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return at + error.start
    return -1


def _delimiter(sample: str) -> tuple[str, int]:
    """The mark that stands equally often in most lines, a comma when none does; and how many cells it makes."""
    lines = [line for line in sample.splitlines()[:60] if line.strip()]
    best, width, best_score = ",", 0, 0
    for mark in _DELIMITERS:
        counts = Counter(line.count(mark) for line in lines)
        counts.pop(0, None)
        if counts:
            times, agreeing = counts.most_common(1)[0]
            score = agreeing * 1000 + times
            if score > best_score:
                best, width, best_score = mark, times + 1, score
    return best, width
