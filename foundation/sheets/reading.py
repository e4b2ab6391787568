"""Any spreadsheet in: find the header below the titles, map columns to fields, stream the rows as text.

What real files do and this copes with: title rows above the header, headers merged over two rows, several
name and number pairs side by side, repeated headers of printed pages, a total row and a signature line at the
end, rows numbered beforehand and never filled, cells merged over a household, one sheet for each village, and an
error column that we ourselves added when the file was sent back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from django.utils.translation import gettext as _

from foundation.parsing.limits import Limits
from foundation.parsing.serve import FAILED, MERGED, UNCACHED
from foundation.sheets.child import Signed
from foundation.sheets.errors import SheetError
from foundation.sheets.headers import (
    Assigned,
    Block,
    Header,
    Words,
    assign,
    column_letters,
    find_header,
    guess_header,
)
from foundation.sheets.sources import Noted, Opened, Source, TextSource, open_sources, plain
from foundation.sheets.synonyms import NOTHING_HANGS_ON, OWN_CELL, SYNONYMS

_SEARCHED_ROWS: Final = 30
_SAMPLE_ROWS: Final = 60
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


@dataclass(frozen=True, slots=True)
class Tables:
    """What a file holds: the tables that fit, each on its sheet, and what was left aside.

    `unread` names visible sheets with content that do not fit or were not wanted, `hidden` those nobody sees.
    `notes`: `macros` (they never run), `links` (values as last saved).
    """

    tables: tuple[Table, ...]
    unread: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def close(self) -> None:
        """Let go of the file."""
        for table in self.tables:
            table.source.close()


class _Candidate(NamedTuple):
    """A sheet with content, its header, and what its columns stand for."""

    source: Source
    header: Header
    assigned: Assigned

    @property
    def fields(self) -> set[str]:
        return set(self.assigned.blocks[0])


def open_tables(
    path: Path | str,
    *,
    required: Collection[str] = (),
    any_of: Collection[Collection[str]] = (),
    fields: Mapping[str, Sequence[str]] = SYNONYMS,
    mapping: Mapping[str, str] | Callable[[Sequence[str]], Mapping[str, str]] | None = None,
    unwanted: Collection[str] = (),
    strict: bool = True,
    limits: Limits | None = None,
) -> Tables:
    """Find the tables in a file and map their columns.

    `required` names the fields without which the file is of no use, `any_of` groups of which it needs one each.
    `mapping` gives header → field as a sender's saved mapping does, and comes before `fields` (field → header names);
    it may be a function of the headers found. `unwanted` names sheets to leave out. Every visible sheet that has what
    is needed is read. Not `strict`, it describes what is there: a missing or doubtful column is no reason to stop, and
    headers that nobody knows are still headers.

    Raises SheetError: `no_header` when no row looks like a header, `missing_columns` when a needed field has no
    column, `ambiguous` when it has several that differ, and the codes of the file itself (`errors.REFUSALS`).
    """
    limits = limits or Limits()
    opened = open_sources(Path(path), limits)
    try:
        return _find_tables(opened, required, any_of, fields, mapping, frozenset(unwanted), strict, limits)
    except BaseException:
        for source in opened.sources:
            source.close()
        raise


def open_table(
    path: Path | str,
    *,
    required: Collection[str] = (),
    fields: Mapping[str, Sequence[str]] = SYNONYMS,
    mapping: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Table:
    """The first table of `open_tables`."""
    return open_tables(path, required=required, fields=fields, mapping=mapping, limits=limits).tables[0]


def _find_tables(
    opened: Opened,
    required: Collection[str],
    any_of: Collection[Collection[str]],
    fields: Mapping[str, Sequence[str]],
    mapping: Mapping[str, str] | Callable[[Sequence[str]], Mapping[str, str]] | None,
    unwanted: frozenset[str],
    strict: bool,
    limits: Limits,
) -> Tables:
    found: list[_Candidate] = []
    blank, deep = True, False
    for source in opened.sources:
        top = source.top(_SAMPLE_ROWS)
        if any(any(cells) for _number, cells in top):
            blank = False
            if source.sheet not in unwanted:
                found.append(_candidate(source, top, fields, mapping, guess=not strict))
        elif blank:
            deep = deep or source.estimate() > _SAMPLE_ROWS
    if blank:
        raise _no_header() if deep else SheetError("hidden_only" if opened.hidden else "empty")
    if not found:
        raise SheetError("no_sheet", _("没有要读的工作表。请至少留下一个"))

    def fits(candidate: _Candidate) -> bool:
        has = candidate.fields
        return has >= set(required) and all(has & set(group) for group in any_of)

    best = max(found, key=lambda each: (fits(each), each.header.score))
    known = best.header.score
    if not best.header.cells or (strict and (not known or (known == 1 and len(required) > 1))):
        raise _no_header()
    chosen = [best]
    if fits(best):
        asked = bool(required or any_of)
        chosen = [each for each in found if (fits(each) if asked else each.fields == best.fields)]
    if strict:
        _refuse_missing(best, required, any_of, fields)
        for each in chosen:
            _refuse_doubtful(each, {*required, *(name for group in any_of for name in group)}, fields)
    read = {each.source.sheet for each in chosen}
    names = [each.source.sheet for each in found] + [
        source.sheet for source in opened.sources if source.sheet in unwanted
    ]
    return Tables(
        tuple(_table(each, limits) for each in chosen),
        tuple(name for name in dict.fromkeys(names) if name and name not in read),
        opened.hidden,
        opened.notes,
    )


def _no_header() -> SheetError:
    return SheetError(
        "no_header",
        _("没有找到表头。表头应在前%(rows)d行内，含有“姓名”“身份证号”等列名") % {"rows": _SEARCHED_ROWS},
    )


def _candidate(
    source: Source,
    top: list[tuple[int, list[str]]],
    fields: Mapping[str, Sequence[str]],
    mapping: Mapping[str, str] | Callable[[Sequence[str]], Mapping[str, str]] | None,
    *,
    guess: bool,
) -> _Candidate:
    # A merged header's text stands over all the columns it covers.
    shown = [
        (number, [cell[1:] if cell[:1] == MERGED else plain(cell) for cell in cells]) for number, cells in top
    ]
    words = Words(fields, mapping if isinstance(mapping, Mapping) else {})
    header = find_header(shown[:_SEARCHED_ROWS], words)
    if mapping is not None and not isinstance(mapping, Mapping):
        guessed = header if header.cells else guess_header(shown[:_SEARCHED_ROWS])
        if said := mapping(guessed.cells):
            words = Words(fields, said)
            header = find_header(shown[:_SEARCHED_ROWS], words)
    if guess and not header.cells:
        header = guess_header(shown[:_SEARCHED_ROWS])
    sample = [list(map(plain, cells)) for _number, cells in top[header.row :]]
    return _Candidate(source, header, assign(header, words, sample))


def _table(candidate: _Candidate, limits: Limits) -> Table:
    header, assigned = candidate.header, candidate.assigned
    return Table(
        source=candidate.source,
        header_row=header.row,
        headers=tuple(header.cells),
        mapping=assigned.blocks[0],
        blocks=assigned.blocks,
        limits=limits,
        doubtful=assigned.doubtful,
    )


def _label(field: str, fields: Mapping[str, Sequence[str]]) -> str:
    return fields[field][0] if fields.get(field) else field


def _refuse_missing(
    best: _Candidate,
    required: Collection[str],
    any_of: Collection[Collection[str]],
    fields: Mapping[str, Sequence[str]],
) -> None:
    """Name the columns that are not there beside those that are."""
    has = best.fields
    missing = tuple(field for field in required if field not in has)
    names = [_label(field, fields) for field in missing]
    names += [
        _("或").join(_label(field, fields) for field in group) for group in any_of if not has & set(group)
    ]
    if not names:
        return
    found = tuple(cell for cell in best.header.cells if cell)
    raise SheetError(
        "missing_columns",
        _("缺少必需的列：%(missing)s。文件里的列是：%(found)s")
        % {"missing": "、".join(names), "found": "、".join(found)},
        missing=missing,
        headers=found,
    )


def _refuse_doubtful(
    candidate: _Candidate, needed: Collection[str], fields: Mapping[str, Sequence[str]]
) -> None:
    """Ask which of several columns is meant."""
    for field, columns in candidate.assigned.to_ask(needed).items():
        headers = candidate.header.cells
        raise SheetError(
            "ambiguous",
            _("有%(n)d列都像“%(field)s”，内容又不同：%(columns)s。请指定用哪一列，或删去其余再传")
            % {
                "n": len(columns),
                "field": _label(field, fields),
                "columns": "、".join(f"{column_letters(column)}列“{headers[column]}”" for column in columns),
            },
            headers=tuple(headers[column] for column in columns),
        )
