"""The raw rows of a file, whatever kind of table it is. The kind is told by content, never by the name."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from django.utils.translation import gettext as _
from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from foundation.sheets.errors import SheetError
from foundation.sheets.guards import Limits, broken, check_workbook, too_big
from foundation.sheets.values import cell_text

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DELIMITERS: Final = ",\t|;，"
_MARKUP: Final = re.compile(rb"^\s*(<\?xml[^>]*>)?\s*<(!doctype|html|table|head|meta|style)", re.IGNORECASE)
_SAMPLE: Final = 1 << 16


class Source(Protocol):
    """Something with rows. `rows` may be called again and starts from the top each time."""

    @property
    def kind(self) -> str:
        """`text` or `workbook`."""
        ...

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (row number as the sender's program shows it, cells as text), blank rows included."""
        ...


@dataclass(frozen=True, slots=True)
class TextSource:
    """Delimited text in UTF-8, UTF-16 or GB18030."""

    path: Path
    encoding: str
    delimiter: str
    limits: Limits
    kind: str = "text"

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows; bytes that are no character come out as U+FFFD, for the row's check to refuse."""
        number = 0
        with self.path.open(encoding=self.encoding, errors="replace", newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter)
            while True:
                number += 1
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    raise SheetError(
                        "bad_text",
                        _("第%(row)d行起读不下去，可能少了一个引号。请改正或另存为 xlsx 再传")
                        % {"row": number},
                    ) from None
                if number > self.limits.rows:
                    raise too_big()
                yield number, list(map(str.strip, row))


@dataclass(frozen=True, slots=True)
class WorkbookSource:
    """One sheet of a workbook."""

    table: CalamineSheet
    sheet: str
    limits: Limits
    kind: str = "workbook"

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows from the first; numbers, dates and formulas as the text they show."""
        try:
            for number, row in enumerate(self.table.iter_rows(), start=1):
                if number > self.limits.rows:
                    raise too_big()
                yield number, [cell.strip() if type(cell) is str else cell_text(cell) for cell in row]
        except CalamineError:
            raise broken() from None


def open_sources(path: Path, limits: Limits) -> list[Source]:
    """Return the tables of a file: one for text, one for each visible sheet of a workbook, in order.

    Raises SheetError for what is not a table, is too big, damaged or locked.
    """
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise too_big()
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
    if not head.strip(b"\x00\r\n\t ,\xef\xbb\xbf"):
        raise SheetError("empty", _("文件是空的"))
    if head.startswith(_ZIP):
        check_workbook(path, limits)
        return list(_workbook(path, limits))
    if head.startswith(_OLE):
        if size > limits.workbook_bytes:
            raise too_big()
        return list(_workbook(path, limits))
    if _MARKUP.match(head):
        raise SheetError("markup", _("这个文件其实是网页，不是表格。请在表格软件里打开后另存为 xlsx 再传"))
    return [_text(path, head, limits)]


def _workbook(path: Path, limits: Limits) -> Iterator[Source]:
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        sheets = workbook.sheets_metadata
    except PasswordError:
        raise SheetError("encrypted", _("文件设了密码，打不开。请取消密码后再传")) from None
    except (CalamineError, OSError, ValueError):
        raise broken() from None
    for sheet in sheets:
        if sheet.typ is SheetTypeEnum.WorkSheet and sheet.visible is SheetVisibleEnum.Visible:
            try:
                table = workbook.get_sheet_by_name(sheet.name)
            except (CalamineError, ValueError):
                raise broken() from None
            yield WorkbookSource(table, sheet.name, limits)


def _text(path: Path, head: bytes, limits: Limits) -> TextSource:
    encoding = _encoding(path, head)
    sample = head.decode(encoding, "replace")
    if "\x00" in sample or sum(sample.count(char) for char in "\x01\x02\x03\x04\x05\x06") > 3:
        raise SheetError("not_a_table", _("这不是表格文件。请传 xlsx、csv 或 txt"))
    return TextSource(path, encoding, _delimiter(sample), limits)


def _encoding(path: Path, head: bytes) -> str:
    """UTF-16 by its mark, UTF-8 when the whole file is, else whichever breaks fewer bytes where it is not."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                around = block[max(error.start - 2, 0) : error.start + _SAMPLE]
                bad = {name: around.decode(name, "replace").count("\ufffd") for name in ("gb18030", "utf-8")}
                return "utf-8-sig" if bad["utf-8"] < bad["gb18030"] else "gb18030"
    return "utf-8-sig"


def _delimiter(sample: str) -> str:
    """The mark that stands equally often in most lines; a comma when none does."""
    lines = [line for line in sample.splitlines()[:60] if line.strip()]
    best, best_score = ",", 0
    for mark in _DELIMITERS:
        counts = Counter(line.count(mark) for line in lines)
        counts.pop(0, None)
        if counts:
            times, agreeing = counts.most_common(1)[0]
            score = agreeing * 1000 + times
            if score > best_score:
                best, best_score = mark, score
    return best
