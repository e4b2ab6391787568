"""Tables in markup that calls itself xls: web pages as bureau systems export them, and the XML workbooks of 2003."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from lxml import etree

from foundation.parsing.limits import Limits, Refusal
from foundation.parsing.serve import MERGED, Sheet, line_of

_CHARSET: Final = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_SPREADSHEET: Final = "{urn:schemas-microsoft-com:office:spreadsheet}"
_SPACE: Final = re.compile(r"[ \t\r\n\xa0]+")
_PIECE: Final = 1 << 16
_HEAD: Final = 4096
_CHINESE: Final = frozenset({"gb2312", "gbk", "gb18030", "x-gbk", "cp936"})


@dataclass(slots=True)
class _Table:
    """One table, whole: such files hold one screen of a system, or a sheet of the old size."""

    name: str
    visible: bool = True
    rows: list[list[str]] = field(default_factory=list)


class Markup:
    """The tables of a web page or an XML workbook. Raises Refusal when there are none, or too much of them."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        head = file.read(_HEAD)
        file.seek(0)
        self.notes: list[str] = []
        reader = _XmlWorkbook(limits) if _is_xml_workbook(head) else _WebPage(limits)
        self._tables = [table for table in reader.read(file) if table.rows]
        if not self._tables:
            raise Refusal("markup")
        self.sheets = [Sheet(place, table.name, table.visible) for place, table in enumerate(self._tables)]

    def height(self, sheet: Sheet) -> int:
        """How many rows a table has."""
        return len(self._tables[sheet.place].rows)

    def lines(self, sheet: Sheet) -> Iterator[bytes]:
        """Yield a table's rows."""
        return map(line_of, self._tables[sheet.place].rows)


def open_book(file: BinaryIO, limits: Limits) -> Markup:
    """Read the tables of a file in markup. Raises Refusal."""
    return Markup(file, limits)


def _is_xml_workbook(head: bytes) -> bool:
    return b"urn:schemas-microsoft-com:office:spreadsheet" in head and b"<Workbook" in head


class _Bounded:
    """Counts cells, so that spans and indexes cannot make many out of few."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._cells = 0

    def check(self, rows: int, columns: int) -> None:
        self._cells += columns
        if rows > self._limits.rows or columns > self._limits.columns or self._cells > self._limits.cells:
            raise Refusal("too_big")


class _WebPage(_Bounded):
    """Every table of a page. Cells that span rows or columns are written into each."""

    def read(self, file: BinaryIO) -> list[_Table]:
        parser = etree.HTMLPullParser(
            events=("start", "end"), tag=("table", "tr"), encoding=_encoding(file), no_network=True
        )
        sheets: list[_Table] = []
        open_tables: list[tuple[_Table, dict[int, tuple[int, str]]]] = []
        while piece := file.read(_PIECE):
            parser.feed(piece)
            self._take(parser.read_events(), sheets, open_tables)
        try:
            parser.close()
        except etree.XMLSyntaxError:
            raise Refusal("markup") from None
        self._take(parser.read_events(), sheets, open_tables)
        return sheets

    def _take(self, events: Any, sheets: list[_Table], open_tables: list[Any]) -> None:
        for event, element in events:
            if element.tag == "table":
                if event == "start":
                    sheets.append(_Table(f"表{len(sheets) + 1}"))
                    open_tables.append((sheets[-1], {}))
                elif open_tables:
                    open_tables.pop()
            elif event == "end" and open_tables:
                sheet, spans = open_tables[-1]
                sheet.rows.append(self._row(element, spans))
                self.check(len(sheet.rows), len(sheet.rows[-1]))
                element.clear()

    def _row(self, element: Any, spans: dict[int, tuple[int, str]]) -> list[str]:
        cells: list[str] = []

        def fill() -> None:
            while (left := spans.get(len(cells))) is not None:
                count, text = left
                if count > 1:
                    spans[len(cells)] = (count - 1, text)
                else:
                    del spans[len(cells)]
                cells.append(text)

        for cell in element:
            if cell.tag not in ("td", "th"):
                continue
            fill()
            text = _SPACE.sub(" ", "".join(cell.itertext())).strip()
            covered = MERGED + text if text else ""
            down = _span(cell.get("rowspan"), self._limits.rows)
            for column in range(_span(cell.get("colspan"), self._limits.columns)):
                if down > 1:
                    spans[len(cells)] = (down - 1, covered)
                cells.append(covered if column else text)
            if len(cells) > self._limits.columns:
                raise Refusal("too_big")
        fill()
        return cells


def _span(text: str | None, most: int) -> int:
    return min(int(text), most) if text and text.isdigit() and len(text) < 8 and int(text) else 1


def _encoding(file: BinaryIO) -> str:
    """What the page says of itself, unless its bytes say otherwise."""
    head = file.read(_HEAD)
    said = _CHARSET.search(head)
    name = said[1].decode("ascii").lower() if said else ""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
        while block := file.read(1 << 20):
            decoder.decode(block)
    except UnicodeDecodeError:
        name = name if name not in ("", "utf-8", "utf8") else "gb18030"
    else:
        name = "utf-8"
    file.seek(0)
    name = "gb18030" if name in _CHINESE else name
    try:
        codecs.lookup(name)
    except LookupError:
        return "gb18030"
    return name


class _XmlWorkbook(_Bounded):
    """The sheets of an XML workbook; an index may leave rows and cells out."""

    def read(self, file: BinaryIO) -> list[_Table]:
        sheets: list[_Table] = []
        try:
            for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
                name = element.tag.removeprefix(_SPREADSHEET)
                if name == "Worksheet":
                    if event == "start":
                        sheets.append(_Table(element.get(f"{_SPREADSHEET}Name") or f"表{len(sheets) + 1}"))
                    else:
                        sheets[-1].visible = not any(
                            child.text and child.text.startswith("Sheet")
                            for child in element.iter()
                            if child.tag.endswith("}Visible")
                        )
                        element.clear()
                elif name == "Row" and event == "end" and sheets:
                    self._row(element, sheets[-1].rows)
                    element.clear()
        except (ParseError, DefusedXmlException):
            raise Refusal("broken") from None
        return sheets

    def _row(self, element: Element, rows: list[list[str]]) -> None:
        place = _number(element.get(f"{_SPREADSHEET}Index"), len(rows) + 1)
        self.check(max(place, len(rows) + 1), 0)
        rows.extend([] for _missing in range(place - 1 - len(rows)))
        cells: list[str] = []
        for cell in element:
            if cell.tag != f"{_SPREADSHEET}Cell":
                continue
            column = _number(cell.get(f"{_SPREADSHEET}Index"), len(cells) + 1)
            across = _number(cell.get(f"{_SPREADSHEET}MergeAcross"), 0)
            if max(column, len(cells)) + across > self._limits.columns:
                raise Refusal("too_big")
            cells.extend("" for _missing in range(column - 1 - len(cells)))
            text = _data(cell)
            cells.append(text)
            cells.extend([MERGED + text if text else ""] * across)
        rows.append(cells)
        self.check(len(rows), len(cells))


def _data(cell: Element) -> str:
    data = cell.find(f"{_SPREADSHEET}Data")
    if data is None:
        return ""
    text = "".join(data.itertext()).strip()
    if data.get(f"{_SPREADSHEET}Type") == "DateTime":
        return text.removesuffix(".000").removesuffix("T00:00:00").replace("T", " ")
    return text


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdigit() and len(text) < 9 else otherwise
