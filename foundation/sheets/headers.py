"""Header texts to fields: which row is the header, which column stands for what, and where that is in doubt."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from typing import Final

from foundation.sheets.synonyms import ASKED, ERROR_HEADER, SYNONYMS, WEAK

UNUSED: Final = "-"
"""Begins the field of a column that is not to be read though its header is known."""

_SPACE: Final = re.compile(r"[\s\u3000*:：]+")
_TRAILING_NOTE: Final = re.compile(r"\([^()]*\)$")
_HEADER_ROWS: Final = 3
_LONGEST_HEADER: Final = 30
_A_NUMBER: Final = re.compile(r"\d{9}")
_MANY_DIGITS: Final = re.compile(r"\d{5}")

Row = tuple[int, list[str]]
Block = dict[str, int]
"""Field to column, 0 for A."""


def normalise_header(text: str) -> str:
    """Return a header without spaces, line breaks, stars and colons, brackets half-width."""
    return _SPACE.sub("", unicodedata.normalize("NFKC", text))


def column_keys(headers: Sequence[str]) -> list[str]:
    """A name for every column that no other has: the header, from its second time on with #2, #3."""
    seen: Counter[str] = Counter()
    keys = []
    for header in headers:
        seen[header] += 1
        keys.append(header if seen[header] == 1 else f"{header}#{seen[header]}")
    return keys


def column_letters(column: int) -> str:
    """What a spreadsheet program calls a column: 0 is A."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


_ALL: Final = frozenset(normalise_header(name) for names in SYNONYMS.values() for name in names)


class Words:
    """What headers mean: what the sender said of them before, then the table of synonyms."""

    def __init__(self, fields: Mapping[str, Sequence[str]], mapping: Mapping[str, str]) -> None:
        self._known = {normalise_header(name): field for field, names in fields.items() for name in names}
        self._said = {normalise_header(header): field for header, field in mapping.items()}
        self._said.setdefault(normalise_header(ERROR_HEADER), UNUSED)

    def field(self, header: str) -> str | None:
        """The field of a header as written, else without a note in brackets at its end; None when nobody knows it."""
        text = normalise_header(header)
        found = self._said.get(text) or self._known.get(text)
        if found is None and text.endswith(")"):
            short = _TRAILING_NOTE.sub("", text)
            found = self._said.get(short) or self._known.get(short)
        return None if found is None or found.startswith(UNUSED) else found

    def means_something(self, header: str) -> bool:
        """Whether a header is known at all, be it for a field that is not wanted here."""
        return self.field(header) is not None or normalise_header(header) in _ALL

    def said(self, key: str) -> str | None:
        """The field that the sender gave this very column; `UNUSED` for none, None when nothing was said."""
        return self._said.get(normalise_header(key))

    def count(self, cells: Sequence[str]) -> int:
        """How many fields the cells name."""
        return len({field for cell in cells if cell and (field := self.field(cell))})


@dataclass(frozen=True, slots=True)
class Header:
    """A header found: its last row (from 1), how many rows it has, its cells, how many fields they name."""

    row: int = 0
    height: int = 1
    cells: list[str] = default(default_factory=list)
    score: int = 0


def find_header(top: Sequence[Row], words: Words) -> Header:
    """The best header among the first rows: the one that names most fields, over as few rows as it takes."""
    best = Header()
    for index, (number, cells) in enumerate(top):
        if _is_somebody(cells):
            continue
        score = words.count(cells)
        if score > best.score:
            best = Header(number, 1, cells, score)
        joined = cells
        for height in range(2, _HEADER_ROWS + 1):
            if index + height > len(top) or not any(joined):
                break
            below_number, below = top[index + height - 1]
            if _is_somebody(below):
                break
            joined = _joined(joined, below, words)
            count = words.count(joined)
            if count > max(score, best.score):
                best = Header(below_number, height, joined, count)
    return best


def _is_somebody(cells: Sequence[str]) -> bool:
    """Whether a row is a person's and no header: in it 户主 says who she is."""
    return any(_A_NUMBER.search(cell) for cell in cells)


def _joined(upper: list[str], lower: list[str], words: Words) -> list[str]:
    """Join a header of two rows.

    Both together where that is a known name (户主 over 姓名 is 户主姓名), else the lower cell where it says
    something, else the upper one. A blank cell beside a filled upper one belongs to it, as after a merge.
    """
    width = max(len(upper), len(lower))
    above = upper + [""] * (width - len(upper))
    below = lower + [""] * (width - len(lower))
    cells, group = [], ""
    for up, low in zip(above, below, strict=True):
        group = up or group
        if low and group and group != low and words.means_something(group + low):
            cells.append(group + low)
        elif low and (words.field(low) or not words.field(up)):
            cells.append(low)
        else:
            cells.append(up)
    return cells


def guess_header(top: Sequence[Row]) -> Header:
    """The first row that looks like headers nobody knows: short words side by side with rows below; else none.

    A row with anything like a number is never one: headers are kept and shown, residents' data is not.
    """
    for index, (number, cells) in enumerate(top):
        filled = [cell for cell in cells if cell]
        if len(filled) < 2:
            continue
        words = all(len(cell) <= _LONGEST_HEADER and not _MANY_DIGITS.search(cell) for cell in filled)
        mostly_text = sum(1 for cell in filled if any(char.isalpha() for char in cell)) == len(filled)
        if words and mostly_text and len(set(filled)) == len(filled) and index + 1 < len(top):
            return Header(number, 1, cells, 0)
        return Header()
    return Header()


@dataclass(frozen=True, slots=True)
class Assigned:
    """Columns to fields: `blocks` has one mapping for each group of columns standing side by side.

    `doubtful` names fields for which several columns stand that say different things; the leftmost counts meanwhile.
    """

    blocks: tuple[Block, ...]
    doubtful: dict[str, tuple[int, ...]]

    def to_ask(self, required: Collection[str]) -> dict[str, tuple[int, ...]]:
        """The doubtful fields that a person must decide: those needed, and those that money or identity hang on."""
        return {name: columns for name, columns in self.doubtful.items() if name in required or name in ASKED}


def assign(header: Header, words: Words, sample: Sequence[list[str]]) -> Assigned:
    """Give every field its column. `sample` are rows below the header, to tell columns that say the same."""
    found: list[tuple[int, str, bool]] = []
    for column, (cell, key) in enumerate(zip(header.cells, column_keys(header.cells), strict=True)):
        if not cell:
            continue
        said = words.said(key)
        field = said if said is not None else words.field(cell)
        if field and not field.startswith(UNUSED):
            found.append((column, field, said is not None))
    blocks = _side_by_side(found)
    if len(blocks) > 1:
        return Assigned(blocks, {})
    rivals: dict[str, list[int]] = {}
    for column, field, own in found:
        if own:
            rivals[field] = [column, *rivals.get(field, [])]
        else:
            rivals.setdefault(field, []).append(column)
    decided = {field for _column, field, own in found if own}
    block: Block = {}
    doubtful: dict[str, tuple[int, ...]] = {}
    for field, columns in rivals.items():
        best = columns if field in decided else _worth_asking(columns, header.cells, sample)
        block[field] = best[0]
        if len(best) > 1 and field not in decided:
            doubtful[field] = tuple(best)
    order = sorted(block, key=block.__getitem__)
    return Assigned(({field: block[field] for field in order},), doubtful)


def _side_by_side(found: list[tuple[int, str, bool]]) -> tuple[Block, ...]:
    """The groups of columns, where all fields of the first group come again in each; else one empty block."""
    blocks: list[Block] = [{}]
    for column, field, _said in found:
        if field in blocks[-1] and field == next(iter(blocks[0])):
            blocks.append({})
        blocks[-1].setdefault(field, column)
    if len(blocks) > 1 and len(blocks[0]) > 1 and all(set(block) == set(blocks[0]) for block in blocks):
        return tuple(blocks)
    return ({},)


def _worth_asking(columns: list[int], headers: list[str], sample: Sequence[list[str]]) -> list[int]:
    """The columns of one field between which a person must choose, the likeliest first; often only one is left.

    A header that may mean many things gives way to one that means this; a blank column to one with content; and of
    columns that say the same in every row the leftmost counts.
    """
    if len(columns) == 1:
        return columns
    strong = [column for column in columns if normalise_header(headers[column]) not in WEAK]
    columns = strong or columns
    texts = {column: tuple(_cells(sample, column)) for column in columns}
    filled = [column for column in columns if any(texts[column])]
    columns = filled or columns[:1]
    different = {texts[column]: column for column in reversed(columns)}
    return sorted(different.values())


def _cells(sample: Sequence[list[str]], column: int) -> Iterator[str]:
    for cells in sample:
        yield cells[column] if column < len(cells) else ""
