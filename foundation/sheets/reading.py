"""Any spreadsheet in: find the header below the titles, map columns to fields, stream the rows as text.

What real files do and this copes with: title rows above the header, headers merged over two rows, several
name and number pairs side by side, repeated headers of printed pages, a total row and a signature line at the
end, and an error column that we ourselves added when the file was sent back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Final

from django.utils.translation import gettext as _

from foundation.sheets.errors import SheetError
from foundation.sheets.guards import Limits
from foundation.sheets.sources import Source, open_sources
from foundation.sheets.synonyms import SYNONYMS

_SEARCHED_ROWS: Final = 30
_SPACE: Final = re.compile(r"[\s\u3000*:：]+")
_TRAILING_NOTE: Final = re.compile(r"\([^()]*\)$")
_TOTALS: Final = frozenset({"合计", "总计", "小计", "本页合计", "本页小计", "累计", "共计"})
_HEADS: Final = re.compile(r"共?\d+(人|户|条|名)?")
_SIGNATURES: Final = (
    "制表人",
    "填表人",
    "审核人",
    "复核人",
    "填报人",
    "填报单位",
    "填报日期",
    "报送单位",
    "经办人:",
    "负责人:",
    "注:",
)


def normalise_header(text: str) -> str:
    """Return a header without spaces, line breaks, stars and colons, brackets half-width."""
    return _SPACE.sub("", unicodedata.normalize("NFKC", text))


@dataclass(frozen=True, slots=True)
class Table:
    """A table found in a file.

    `mapping` gives each field its column (0 = first). `headers` are the header cells as shown, `header_row`
    is the 1-based number of the last header row. `blocks` has one mapping for each group of columns
    standing side by side. `other_sheets` names visible sheets that were not read: tell the sender.
    """

    source: Source
    header_row: int
    headers: tuple[str, ...]
    mapping: dict[str, int]
    blocks: tuple[dict[str, int], ...]
    missing: tuple[str, ...]
    limits: Limits
    other_sheets: tuple[str, ...] = ()

    def raw_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield every row of the file as it stands, header and titles included."""
        return self.source.rows()

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield (row number in the file, {field: text}) for each data row.

        Blank rows, totals, signature lines and repeated headers are passed over. A row with several blocks
        comes once for each block that is not blank, under the same number.
        """
        width = 1 + max((column for block in self.blocks for column in block.values()), default=0)
        pickers = [_picker(block) for block in self.blocks]
        # Many lists have no number in every row; the name and the number together tell a total from a person.
        keys = [self.mapping[field] for field in ("id_number", "name") if field in self.mapping]
        number_column = self.mapping.get("id_number", -1)
        header = self.headers
        for number, cells in islice(self.source.rows(), self.header_row, None):
            if not any(cells):
                continue
            if len(cells) < width:
                cells = cells + [""] * (width - len(cells))
            # A row with something as long as an ID number where one belongs is a record; the rest is looked
            # at.
            if (number_column < 0 or len(cells[number_column]) < 15) and (
                _is_furniture(cells, keys) or tuple(cells) == header
            ):
                continue
            if len(pickers) == 1:
                yield number, pickers[0](cells)
                continue
            for pick in pickers:
                record = pick(cells)
                if any(record.values()):
                    yield number, record


def _picker(block: Mapping[str, int]) -> Callable[[list[str]], dict[str, str]]:
    fields = tuple(block)
    if len(fields) == 1:
        only = block[fields[0]]
        return lambda cells: {fields[0]: cells[only]}
    pick = itemgetter(*block.values())
    return lambda cells: dict(zip(fields, pick(cells), strict=True))


def _is_furniture(cells: list[str], keys: list[int]) -> bool:
    """Whether a row without an ID number is a total, a signature line or a note, and not a record."""
    first = next(cell for cell in cells if cell)
    if unicodedata.normalize("NFKC", first).startswith(_SIGNATURES):
        return True
    if any(_SPACE.sub("", cell) in _TOTALS for cell in (first, *cells[:3])):
        # 合计 with 43人 below the names: a count of heads is no name.
        texts = [_SPACE.sub("", cells[key]) for key in keys]
        return all(not text or text in _TOTALS or _HEADS.fullmatch(text) for text in texts)
    return False


class _Headers:
    """Header texts to fields: first as written, then without a note in brackets at the end."""

    def __init__(self, fields: Mapping[str, Sequence[str]], mapping: Mapping[str, str]) -> None:
        self._exact = {normalise_header(header): field for field, names in fields.items() for header in names}
        self._exact.update({normalise_header(header): field for header, field in mapping.items()})

    def field(self, header: str) -> str | None:
        text = normalise_header(header)
        found = self._exact.get(text)
        if found is None and text.endswith(")"):
            found = self._exact.get(_TRAILING_NOTE.sub("", text))
        return found

    def count(self, cells: Sequence[str]) -> int:
        return len({field for cell in cells if cell and (field := self.field(cell))})


def _over_two_rows(upper: list[str], lower: list[str], headers: _Headers) -> list[str]:
    """Join a header of two rows: the lower cell where it says something, else the upper one."""
    width = max(len(upper), len(lower))
    above = upper + [""] * (width - len(upper))
    below = lower + [""] * (width - len(lower))
    return [
        low if low and (headers.field(low) or not headers.field(up)) else up
        for up, low in zip(above, below, strict=True)
    ]


def _find_header(top: list[tuple[int, list[str]]], headers: _Headers) -> tuple[int, int, list[str]]:
    """Return (fields recognised, row number, header cells) of the best header among the first rows."""
    best: tuple[int, int, list[str]] = (0, 0, [])
    for index, (number, cells) in enumerate(top):
        score = headers.count(cells)
        if score > best[0]:
            best = (score, number, cells)
        if score and index + 1 < len(top):
            joined = _over_two_rows(cells, top[index + 1][1], headers)
            if headers.count(joined) > max(score, best[0]):
                best = (headers.count(joined), top[index + 1][0], joined)
    return best


def _blocks(cells: list[str], headers: _Headers) -> tuple[dict[str, int], ...]:
    """Assign columns to fields; a second block begins only where all fields of the first come again."""
    blocks: list[dict[str, int]] = [{}]
    for column, cell in enumerate(cells):
        field = headers.field(cell) if cell else None
        if field is None:
            continue
        if field in blocks[-1] and field == next(iter(blocks[0])):
            blocks.append({})
        blocks[-1].setdefault(field, column)
    if len(blocks) > 1 and len(blocks[0]) > 1 and all(set(block) == set(blocks[0]) for block in blocks):
        return tuple(blocks)
    merged: dict[str, int] = {}
    for block in blocks:
        for field, column in block.items():
            merged.setdefault(field, column)
    return (merged,)


def open_table(
    path: Path | str,
    *,
    required: Collection[str] = (),
    fields: Mapping[str, Sequence[str]] = SYNONYMS,
    mapping: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Table:
    """Find the table in a file and map its columns.

    `required` names the fields without which the file is of no use. `mapping` gives header → field as a
    sender's saved mapping does, and comes before `fields` (field → header names). Of several sheets the
    one with the most known headers is read. Raises SheetError: `no_header` when no row looks like a header,
    `missing_columns` when a required field has no column, and the codes of the file itself (`empty`,
    `not_a_table`, `too_big`, `broken`, `encrypted`, `markup`, `bad_text`).
    """
    limits = limits or Limits()
    headers = _Headers(fields, mapping or {})
    candidates: list[tuple[int, int, list[str], Source]] = []
    others: list[str] = []
    for source in open_sources(Path(path), limits):
        top = list(islice(source.rows(), _SEARCHED_ROWS))
        if any(any(cells) for _number, cells in top):
            candidates.append((*_find_header(top, headers), source))
            others.append(getattr(source, "sheet", ""))
    if not candidates:
        raise SheetError("empty", _("文件是空的"))
    chosen = max(range(len(candidates)), key=lambda index: candidates[index][0])
    score, number, cells, source = candidates[chosen]
    if not score or (score == 1 and len(required) > 1):
        raise SheetError(
            "no_header",
            _("没有找到表头。表头应在前%(rows)d行内，含有“姓名”“身份证号”等列名") % {"rows": _SEARCHED_ROWS},
        )
    blocks = _blocks(cells, headers)
    found = tuple(cell for cell in cells if cell)
    missing = tuple(field for field in required if field not in blocks[0])
    if missing:
        names = "、".join(fields[field][0] if fields.get(field) else field for field in missing)
        raise SheetError(
            "missing_columns",
            _("缺少必需的列：%(missing)s。文件里的列是：%(found)s")
            % {"missing": names, "found": "、".join(found)},
            missing=missing,
            headers=found,
        )
    return Table(
        source=source,
        header_row=number,
        headers=tuple(cells),
        mapping=blocks[0],
        blocks=blocks,
        missing=missing,
        limits=limits,
        other_sheets=tuple(name for index, name in enumerate(others) if index != chosen),
    )
