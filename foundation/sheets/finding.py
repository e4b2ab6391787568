"""Find the tables of a file: which sheets, where the header stands, which column is which field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from django.utils.translation import gettext as _

from foundation.parsing.limits import Limits
from foundation.parsing.serve import MERGED
from foundation.sheets.errors import SheetError
from foundation.sheets.headers import (
    Assigned,
    Header,
    Words,
    assign,
    column_letters,
    find_header,
    guess_header,
)
from foundation.sheets.reading import Table
from foundation.sheets.sources import Opened, Source, open_sources, plain
from foundation.sheets.synonyms import SYNONYMS

_SEARCHED_ROWS: Final = 30
_SAMPLE_ROWS: Final = 60


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
