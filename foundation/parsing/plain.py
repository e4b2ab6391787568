"""Worksheets as ordinary programs write them, read as a stream.

Nearly every sheet is written one way: rows in order, cells in order, each `<c r="B7" s="3" t="s"><v>12</v></c>`, with
an optional formula before the value. Such text is cut into rows and cells by two regular expressions, in memory that
does not grow with the sheet and with the first rows at once. The grammar is strict: whatever is written differently by
a single character raises `NotPlain`, and the general parser reads the sheet instead. Both give the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from foundation.parsing.limits import Refusal
from foundation.parsing.texts import SPACES, cell_text

UNCACHED: Final = "\ufdd0".encode()
FAILED: Final = "\ufdd1".encode()
_YES, _NO = "是".encode(), "否".encode()

# A cell with a value or none (column, attributes, value), or the beginning of a row.
_PIECE: Final = re.compile(
    rb'<c r="([A-Z]+)[^"]*"([^/>]*)(?:/>|>(?:<v>|<is><t>|<is><t xml:space="preserve">)([^<]*)<)|<row r="(\d+)"'
)
# What is brought into that form first: formulas, and cells that are opened and hold nothing.
_UNCACHED: Final = re.compile(
    rb'(<c r="[A-Z]+\d+"(?: s="\d+")?)(?: t="(?!str")\w+")?><f(?: [^>]*)?(?:/>|>[^<]*</f>)(?:<v/>|<v></v>)?</c>'
)
_FORMULA: Final = re.compile(rb"<f(?: [^>]*)?(?:/>|>[^<]*</f>)")
_OPENED: Final = re.compile(rb'(<c r="[A-Z]+\d+"[^/>]*)>(?:<v/>|<v></v>|<is/>)?</c>')
_Piece = tuple[bytes, bytes, bytes, bytes]
"""Column, attributes and value of a cell, or the number of a row."""
_ATTRIBUTES: Final = re.compile(rb'(?: s="(\d+)")?(?: t="(\w+)")? ?')
_TEXT: Final = re.compile(rb'<si><t(?: xml:space="preserve")?>([^<]*)</t></si>')
_ANY_TEXT: Final = re.compile(
    rb'<si><t(?: xml:space="preserve")?>([^<]*)</t></si>|<si>(.*?)</si>|<si\s*/>', re.DOTALL
)
_RUN: Final = re.compile(rb"<t(?: [^>]*)?>([^<]*)</t>")
_PHONETIC: Final = re.compile(rb"<rPh\b.*?</rPh>", re.DOTALL)
_ENTITY: Final = re.compile(rb"&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|(amp|lt|gt|quot|apos));")
_ESCAPED: Final = re.compile(rb"_x([0-9A-Fa-f]{4})_")
_NAMED: Final = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
_SPACES: Final = tuple(space.encode() for space in SPACES)
_SPACE_FIRST: Final = frozenset(space[:1] for space in _SPACES)
_SPACE_LAST: Final = frozenset(space[-1:] for space in _SPACES)
_MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
# Built-in formats of days; 27 to 36 and 50 to 58 are those of Chinese programs.
_DAYS: Final = frozenset({*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)})
_DURATION: Final = 46
_LITERAL: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h|m|s)[^\]]*\]', re.IGNORECASE)
_EPOCH: Final = date(1899, 12, 30)
_FIRST_DAY, _LAST_DAY = 61, 2_000_000  # before, the calendar of spreadsheets has a day too many
_ROW_END: Final = b"</row>"
_LONGEST_ROW: Final = 32 << 20


class NotPlain(Exception):
    """The sheet is written in a way that is read by the general parser only."""


def shared_texts(blocks: Iterable[bytes]) -> list[bytes]:
    """The texts that cells point at, in their order, each as it is shown."""
    texts: list[bytes] = []
    rest = b""
    for block in blocks:
        rest += block
        end = rest.rfind(b"</si>") + 5
        if end < 5:
            if len(rest) > _LONGEST_ROW:
                raise Refusal("too_big")
            continue
        texts.extend(_texts(rest[:end]))
        rest = rest[end:]
    texts.extend(_texts(rest))
    return texts


def _texts(part: bytes) -> list[bytes]:
    count = part.count(b"<si")
    texts = _TEXT.findall(part)
    if len(texts) != count:
        found = _ANY_TEXT.findall(part)
        if len(found) != count:
            raise NotPlain
        texts = [b"".join(_RUN.findall(_PHONETIC.sub(b"", rich))) if rich else text for text, rich in found]
    if _is_literal(part):
        first, last = _SPACE_FIRST, _SPACE_LAST
        return [shown(text) if text[:1] in first or text[-1:] in last else text for text in texts]
    return [shown(text) for text in texts]


def _is_literal(part: bytes) -> bool:
    """Whether no entity and no escape stands in it."""
    return b"&" not in part and b"_x" not in part


def shown(text: bytes) -> bytes:
    """A text without entities, escapes and outer spaces."""
    if b"&" in text:
        text = _ENTITY.sub(_character, text)
    if b"_x" in text:
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)).encode("utf-8", "replace"), text)
    if text.startswith(_SPACES) or text.endswith(_SPACES):
        return text.decode("utf-8", "replace").strip(SPACES).encode()
    return text


def _character(found: re.Match[bytes]) -> bytes:
    if found[3]:
        return _NAMED[found[3]]
    code = int(found[1]) if found[1] else int(found[2], 16)
    if code > 0x10FFFF:
        raise NotPlain
    return chr(code).encode("utf-8", "replace")


def day_styles(styles: bytes) -> list[bool]:
    """For each cell format whether it shows a day. Raises NotPlain for what shows a duration, and what nobody knows."""
    if not styles:
        return []
    try:
        root = fromstring(styles, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        raise NotPlain from None
    custom = {each.get("numFmtId"): each.get("formatCode") or "" for each in root.iter(f"{_MAIN}numFmt")}
    formats = root.find(f"{_MAIN}cellXfs")
    if formats is None:
        raise NotPlain
    return [_is_day(each.get("numFmtId") or "0", custom) for each in formats]


def _is_day(number: str, custom: dict[str | None, str]) -> bool:
    if number in custom:
        code = _LITERAL.sub("", custom[number]).lower()
        if "[" in code:
            raise NotPlain
        return "general" not in code and any(char in code for char in "dmyhs")
    if not number.isdigit() or int(number) == _DURATION:
        raise NotPlain
    return int(number) in _DAYS


def _number(text: bytes) -> bytes:
    """A number as it is shown."""
    if len(text) < 16 and text.isdigit() and (text[0] != 48 or len(text) == 1):
        return text
    return cell_text(float(text)).encode()


def _day(value: float) -> bytes:
    """A day, with its time where it has one."""
    if not _FIRST_DAY <= value < _LAST_DAY:
        raise NotPlain
    whole, thousandths = divmod(round(value * 86_400_000), 86_400_000)
    day = str(_EPOCH + timedelta(days=whole))
    if not thousandths:
        return day.encode()
    seconds = thousandths // 1000
    return f"{day} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}".encode()


def rows(
    blocks: Iterable[bytes], texts: Sequence[bytes], days: Sequence[bool], columns: int
) -> Iterator[tuple[list[bytes], bool]]:
    """Yield each row's cells as they are shown, and whether one holds a formula without a value or that failed.

    Rows begin in column A, the first is row 1; rows that are not written are empty lists. Raises NotPlain where the
    sheet is not written strictly, also after rows were yielded; Refusal where it is wider than `columns`.
    """
    number, kinds = 0, _Kinds(days)
    try:
        for part in _parts(blocks):
            for row, cells, signed in _rows(_pieces(part), texts, kinds, columns, literal=_is_literal(part)):
                if row <= number:
                    raise NotPlain
                for _missing in range(row - number - 1):
                    yield [], False
                number = row
                yield cells, signed
    except (ValueError, IndexError, OverflowError):
        raise NotPlain from None


def _rows(
    pieces: list[_Piece], texts: Sequence[bytes], kinds: _Kinds, columns: int, *, literal: bool
) -> Iterator[tuple[int, list[bytes], bool]]:
    """Put cells together to rows: number, cells, whether one holds no value though it should.

    Called for every cell of a county's file, so it says twice what could be said once.
    """
    if not pieces or not pieces[0][3]:
        if pieces:
            raise NotPlain
        return
    number, width, signed = 0, 0, False
    cells: list[bytes] = []
    add, places, first, last = cells.append, _COLUMNS, _SPACE_FIRST, _SPACE_LAST
    for name, attributes, value, row in pieces:
        if row:
            if number:
                yield number, cells, signed
            number, cells, width, signed = int(row), [], 0, False
            add = cells.append
            continue
        column = places[name]
        if column != width:
            _leave_out(cells, column, columns)
            width = column
        width += 1
        kind = kinds[attributes]
        if value and kind == 0:
            add(texts[int(value)])
        elif value and kind == 1:
            add(value if literal and value[:1] not in first and value[-1:] not in last else shown(value))
        else:
            add(_other(kind, value))
            signed = signed or kind >= _FAILED_CELL
    if width > columns:
        raise Refusal("too_big")
    yield number, cells, signed


def _leave_out(cells: list[bytes], column: int, columns: int) -> None:
    """Make room for the cells that are not written before this one."""
    if column < len(cells):
        raise NotPlain
    if column >= columns:
        raise Refusal("too_big")
    cells.extend([b""] * (column - len(cells)))


def _pieces(part: bytes) -> list[_Piece]:
    count = part.count(b"<c") + part.count(b"<row")
    pieces = _PIECE.findall(part)
    if len(pieces) != count:
        part = _UNCACHED.sub(rb'\1 t="uncached"/>', part)
        pieces = _PIECE.findall(_OPENED.sub(rb"\1/>", _FORMULA.sub(b"", part)))
        if len(pieces) != count:
            raise NotPlain
    return pieces


_SHARED, _TEXT_CELL, _NUMBER_CELL, _DAY, _TRUTH, _FAILED_CELL, _UNCACHED_CELL = range(7)
_KINDS: Final = {
    b"": _NUMBER_CELL, b"n": _NUMBER_CELL, b"s": _SHARED, b"str": _TEXT_CELL, b"inlineStr": _TEXT_CELL, b"b": _TRUTH,
    b"e": _FAILED_CELL, b"uncached": _UNCACHED_CELL,
}  # fmt: skip


class _Kinds(dict[bytes, int]):
    """Attributes of a cell to what its value is."""

    def __init__(self, days: Sequence[bool]) -> None:
        super().__init__()
        self._days = days

    def __missing__(self, attributes: bytes) -> int:
        found = _ATTRIBUTES.fullmatch(attributes)
        if found is None or (found[2] or b"") not in _KINDS or len(self) > 100_000:
            raise NotPlain
        kind = _KINDS[found[2] or b""]
        if kind == _NUMBER_CELL and found[1] and self._days and self._days[int(found[1])]:
            kind = _DAY
        self[attributes] = kind
        return kind


def _other(kind: int, value: bytes) -> bytes:
    """A cell that is no text and no number, or blank."""
    if kind == _FAILED_CELL:
        return FAILED
    if kind == _UNCACHED_CELL:
        return UNCACHED
    if kind == _NUMBER_CELL and value:
        return _number(value)
    if kind == _DAY and value:
        return _day(float(value))
    if kind == _TRUTH and value:
        return _YES if value == b"1" else _NO
    return b""


def _parts(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what stands between the tags of the sheet's data, cut between rows."""
    rest, begun = b"", False
    for block in blocks:
        rest += block
        if not begun:
            at = rest.find(b"<sheetData>")
            if at < 0:
                if len(rest) > _LONGEST_ROW:
                    raise NotPlain
                continue
            rest, begun = rest[at + len(b"<sheetData>") :], True
        end = rest.find(b"</sheetData>")
        if end >= 0:
            yield rest[:end]
            return
        end = rest.rfind(_ROW_END) + len(_ROW_END)
        if end >= len(_ROW_END):
            yield rest[:end]
            rest = rest[end:]
        if len(rest) > _LONGEST_ROW:
            raise Refusal("too_big")
    if begun or b"<sheetData/>" not in rest:
        raise NotPlain


class _Columns(dict[bytes, int]):
    """Letters to columns, 0 for A."""

    def __missing__(self, name: bytes) -> int:
        number = 0
        for char in name:
            number = number * 26 + char - 64
        self[name] = number - 1
        return number - 1


_COLUMNS: Final = _Columns()
