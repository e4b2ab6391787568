"""Any spreadsheet in: find the header below the titles, map columns to fields, stream the rows as text.

What real files do and this copes with: title rows above the header, headers merged over two rows, several
name and number pairs side by side, repeated headers of printed pages, a total row and a signature line at the
end, rows numbered beforehand and never filled, cells merged over a household, one sheet for each village, and an
error column that we ourselves added when the file was sent back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import field as default
from itertools import islice
from operator import itemgetter
from typing import Final, NamedTuple

from django.utils.translation import gettext as _

from foundation.parsing.limits import Limits
from foundation.parsing.serve import FAILED, MERGED, UNCACHED
from foundation.sheets.child import Signed
from foundation.sheets.headers import Block
from foundation.sheets.sources import Noted, Source, TextSource, plain
from foundation.sheets.synonyms import NOTHING_HANGS_ON, OWN_CELL

_SPACE: Final = re.compile(r"[\s\u3000]+")
_TOTALS: Final = frozenset(
    {"合计", "总计", "小计", "本页合计", "本页小计", "累计", "共计", "合计:", "总计:", "小计:"}
)
_HEADS: Final = re.compile(r"共?\d+(人|户|条|名)?")
_SIGNATURES: Final = (
    "制表人", "填表人", "审核人", "复核人", "填报人", "制表时间", "填报单位", "填报日期", "报送单位", "经办人:",
    "负责人:", "单位负责人", "填表说明", "注:", "注意:", "备注:", "说明:",
)  # fmt: skip


class Misread(NamedTuple):
    """A row whose cells cannot be told for sure: why, in a sentence, and what was read of it."""

    code: str
    message: str
    field: str
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table found in a file.

    `mapping` gives each field its column (0 = A). `headers` are the header cells as shown, `header_row`
    is the 1-based number of the last header row. `blocks` has one mapping for each group of columns
    standing side by side. `doubtful` gives for a field the columns between which somebody should choose.
    `skipped` notes rows passed over though something stood in them: neither a name nor a number.
    """

    source: Source
    header_row: int
    headers: tuple[str, ...]
    mapping: Block
    blocks: tuple[Block, ...]
    limits: Limits
    doubtful: dict[str, tuple[int, ...]] = default(default_factory=dict)
    skipped: Noted = default(default_factory=Noted)

    @property
    def sheet(self) -> str:
        """Name of its sheet; empty for text."""
        return self.source.sheet

    @property
    def broken(self) -> Noted:
        """Rows with bytes that are no character, met so far."""
        return self.source.noted if isinstance(self.source, TextSource) else Noted()

    def estimate(self) -> int:
        """About how many data rows there are."""
        return max(self.source.estimate() - self.header_row, 0)

    def raw_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield every row of the file as it stands, header and titles included."""
        for number, cells in self.source.rows():
            yield number, list(map(plain, cells)) if type(cells) is Signed else cells

    def rows(self, *, totals: bool = False) -> Iterator[tuple[int, dict[str, str] | Misread]]:
        """Yield (row number in the file, {field: text}) for each data row.

        Blank rows, totals (unless `totals` wants them), signature lines and repeated headers are passed over. A row
        with several blocks comes once for each block that is not blank, under the same number. A row that cannot be
        read for sure comes as `Misread`.
        """
        self.skipped.clear()
        width = 1 + max((column for block in self.blocks for column in block.values()), default=0)
        pickers = [_picker(block) for block in self.blocks]
        # Many lists have no number in every row; the name and the number together tell a total from a person.
        keys = [self.mapping[field] for field in ("id_number", "name") if field in self.mapping]
        number_column = self.mapping.get("id_number", -1)
        header, text = self.headers, self.source.kind == "text"
        widest, narrowest = max(len(header), width), len(header) if self.broken_text else 0
        usual = self.source.width if isinstance(self.source, TextSource) else 0
        for number, cells in islice(self.source.rows(), self.header_row, None):
            if not any(cells):
                continue
            if type(cells) is Signed:
                yield from self._signed(number, cells, totals)
                continue
            length = len(cells)
            if length < width:
                cells = cells + [""] * (width - length)
            # A row with something as long as an ID number where one belongs is a record; the rest is looked
            # at.
            if totals and is_total(next(cell for cell in cells if cell)):
                yield number, pickers[0](cells)
                continue
            if (number_column < 0 or len(cells[number_column]) < 15) and self._is_no_record(
                number, cells, keys
            ):
                continue
            if text and (length > widest or length < narrowest) and self._is_shifted(cells, length, usual):
                yield number, Misread("shifted_cells", _shifted(length, len(header)), "", pickers[0](cells))
                continue
            if len(pickers) == 1:
                yield number, pickers[0](cells)
                continue
            for pick in pickers:
                record = pick(cells)
                if any(record.values()):
                    yield number, record

    @property
    def broken_text(self) -> bool:
        """Whether it is text with bytes that are no character, which may have swallowed a separator."""
        return isinstance(self.source, TextSource) and self.source.broken

    def _is_no_record(self, number: int, cells: list[str], keys: list[int]) -> bool:
        if _is_furniture(cells, keys) or tuple(cells[: len(self.headers)]) == self.headers:
            return True
        if not any(cells[column] for block in self.blocks for column in block.values()):
            return True
        if len(self.blocks) > 1 or len(keys) < 2 or any(cells[key] for key in keys):
            return False
        self.skipped.add(number)
        return True

    def _is_shifted(self, cells: list[str], length: int, usual: int) -> bool:
        """Whether cells stand under other headers than their own: a separator too many, or one swallowed.

        Blank cells behind the last header are no sign of it where most rows have as many.
        """
        if length < len(self.headers):
            return any("\ufffd" in cell for cell in cells)
        return length != usual or any(cells[len(self.headers) :])

    def _signed(
        self, number: int, cells: Signed, totals: bool
    ) -> Iterator[tuple[int, dict[str, str] | Misread]]:
        """The records of a row with cells that are merged or hold no value."""
        own = list(map(plain, cells))
        shown = [cell[1:] if cell[:1] == MERGED else plain(cell) for cell in cells]
        width = 1 + max((column for block in self.blocks for column in block.values()), default=0)
        for row in (own, shown):
            row.extend([""] * (width - len(row)))
        keys = [self.mapping[field] for field in ("id_number", "name") if field in self.mapping]
        signs = {column: cell[0] for column, cell in enumerate(cells) if cell[:1] in (UNCACHED, FAILED)}
        if not any(own) and not signs:  # nothing of its own: the rest of a cell merged downwards
            return
        wanted = totals and is_total(next((cell for cell in own if cell), ""))
        if not wanted and (self._is_no_record(number, shown, keys) or _is_furniture(own, keys)):
            return
        for block in self.blocks:
            record = {
                field: own[column] if wanted or field in OWN_CELL else shown[column]
                for field, column in block.items()
            }
            wrong = next(
                (
                    (field, signs[column])
                    for field, column in block.items()
                    if column in signs and field not in NOTHING_HANGS_ON
                ),
                None,
            )
            if wrong is not None:
                field, sign = wrong
                yield number, _without_value(sign, field, self.headers[block[field]], record)
            elif any(record.values()):
                yield number, record


def _picker(block: Block) -> Callable[[list[str]], dict[str, str]]:
    fields = tuple(block)
    if not fields:
        return lambda cells: {}
    if len(fields) == 1:
        only = block[fields[0]]
        return lambda cells: {fields[0]: cells[only]}
    pick = itemgetter(*block.values())
    return lambda cells: dict(zip(fields, pick(cells), strict=True))


def _shifted(length: int, columns: int) -> str:
    if length > columns:
        return _("这一行有%(n)d格，表头只有%(m)d列，内容可能错位。请检查是否多了分隔符") % {
            "n": length, "m": columns,
        }  # fmt: skip
    return _("这一行只有%(n)d格，表头有%(m)d列，乱码可能吞掉了分隔符。请改正后再传") % {
        "n": length, "m": columns,
    }  # fmt: skip


def _without_value(sign: str, field: str, header: str, record: dict[str, str]) -> Misread:
    if sign == UNCACHED:
        message = _("“%(header)s”是公式，没有算出结果。请在表格软件里打开保存一次，或粘贴为数值") % {
            "header": header
        }
        return Misread("uncached_formula", message, field, record)
    message = _("“%(header)s”的公式出错了（如 #N/A），请改成应有的内容") % {"header": header}
    return Misread("failed_formula", message, field, record)


def is_total(cell: str) -> bool:
    """Whether a cell heads a row of totals."""
    return _SPACE.sub("", cell) in _TOTALS


def _is_furniture(cells: list[str], keys: list[int]) -> bool:
    """Whether a row without an ID number is a total, a signature line or a note, and not a record."""
    first = next((cell for cell in cells if cell), "")
    if _SPACE.sub("", unicodedata.normalize("NFKC", first)).startswith(_SIGNATURES):
        return True
    if any(is_total(cell) for cell in (first, *cells[:3])):
        # 合计 with 43人 below the names: a count of heads is no name.
        texts = [_SPACE.sub("", cells[key]) for key in keys]
        return all(not text or text in _TOTALS or _HEADS.fullmatch(text) for text in texts)
    return False
