"""The tables in a batch's files: opened with the mapping that was confirmed, described for the page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, Final

from django.utils.translation import gettext as _

from foundation.identity import read_number
from foundation.imports.kinds import ImportKind, ImportRefused
from foundation.imports.models import ImportBatch, ImportMapping
from foundation.imports.senders import sender_of
from foundation.masking import Audience, mask_name, mask_number, mask_phone
from foundation.sheets import SYNONYMS, SheetError, Table, Tables, open_tables
from foundation.sheets.headers import UNUSED, column_keys, column_letters

_SAMPLES: Final = 3
_SAMPLED: Final = 40
_RECALLED: Final = 50
_KEPT_OPEN: Final = 4
"""Files whose parsers stay at work at the same time; a further one starts again when its rows are asked for."""
_UNREAD: Final = ""
IGNORE: Final = UNUSED
"""The field of a column that is not to be read though its header is known."""
MOST_FILES: Final = 250
MOST_SHEETS: Final = 120
"""Files of a batch and sheets of a file that are read: rows know theirs by a number that fits in two bytes."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file of the batch with its tables, one for each sheet that fits; ``rows`` is about how many rows they have."""

    position: int
    name: str
    found: Tables
    rows: int

    @property
    def table(self) -> Table:
        """The first table, after whose headers the columns are shown."""
        return self.found.tables[0]

    def tables(self) -> Iterator[tuple[int, Table]]:
        """The tables under the numbers that staged and returned rows have for ``file``."""
        for place, table in enumerate(self.found.tables):
            yield table_number(self.position, place), table


def table_number(position: int, place: int) -> int:
    """One number for a table: which file of the batch, and which of its sheets."""
    return position + place * MOST_FILES


def position_of(number: int) -> tuple[int, int]:
    """File and sheet of a ``table_number``."""
    return number % MOST_FILES, number // MOST_FILES


def sheet_named(batch: ImportBatch) -> Callable[[int], str]:
    """What to call the table of a row beside its row number: nothing where one table was read."""
    files = {file.position: file for file in batch.files.all()}

    def name(number: int) -> str:
        position, place = position_of(number)
        file = files.get(position)
        sheets = [each["name"] for each in file.table.get("sheets", ())] if file is not None else []
        sheet = sheets[place] if len(sheets) > 1 and place < len(sheets) else ""
        return " ".join(part for part in (file.name if file and len(files) > 1 else "", sheet) if part)

    return name


def field_label(field: str) -> str:
    """What the screen calls a field: its first header name."""
    return SYNONYMS[field][0] if field in SYNONYMS else field


def headers_digest(headers: Sequence[str]) -> str:
    """The same for the same header row."""
    return hashlib.sha256(json.dumps(headers, ensure_ascii=False).encode()).hexdigest()


def open_batch(
    batch: ImportBatch, kind: ImportKind, paths: Sequence[Path], *, as_checked: bool = False
) -> list[OpenFile]:
    """Open the tables of every file. Raises ImportRefused, naming the file, when one cannot be used.

    ``as_checked`` reads the columns as the check did, whatever their sender has said of such headers since.
    """
    return _open_all(batch, kind, paths, strict=True, as_checked=as_checked)


def look_at(batch: ImportBatch, kind: ImportKind, paths: Sequence[Path]) -> list[OpenFile]:
    """``open_batch`` for looking alone: a missing column is no reason to show nothing."""
    return _open_all(batch, kind, paths, strict=False)


def _open_all(
    batch: ImportBatch, kind: ImportKind, paths: Sequence[Path], *, strict: bool, as_checked: bool = False
) -> list[OpenFile]:
    fields: Mapping[str, Sequence[str]] = {
        name: SYNONYMS.get(name, (name,)) for name in (*kind.required, *kind.optional)
    }
    opened: list[OpenFile] = []
    for file, path in zip(batch.files.order_by("position"), paths, strict=True):
        try:
            found = open_tables(
                path,
                required=kind.required,
                any_of=kind.any_of,
                fields=fields,
                mapping=(file.table.get("mapping") if as_checked else None)
                or batch.mapping
                or _remembered(batch),
                unwanted=file.left_out,
                strict=strict,
            )
            rows = sum(table.estimate() for table in found.tables)
        except SheetError as error:
            raise ImportRefused(f"{file.name}：{error.message}", code=error.code) from None
        if len(found.tables) > MOST_SHEETS:
            raise ImportRefused(
                _("%(name)s：有 %(n)s 个工作表要读，太多了，请分成几个文件")
                % {"name": file.name, "n": len(found.tables)},
                code="too_big",
            )
        for table in found.tables:
            if strict and (why := kind.objection(batch, table.mapping)):
                raise ImportRefused(f"{file.name}：{why}")
        if len(opened) >= _KEPT_OPEN:
            found.close()
        opened.append(OpenFile(file.position, file.name, found, rows))
    return opened


def _remembered(batch: ImportBatch) -> Callable[[Sequence[str]], Mapping[str, str]] | None:
    """What the sender said of the same headers before; of headers in another company, what was said of each last."""
    sender = sender_of(batch.uploaded_by, batch.county_code)
    saved = ImportMapping.objects.filter(kind=batch.kind, sender=sender).order_by("-pk")
    if not sender or not saved.exists():
        return None

    def recall(headers: Sequence[str]) -> Mapping[str, str]:
        same = saved.filter(headers_digest=headers_digest(headers)).first()
        if same is not None:
            return dict(same.mapping)
        keys = set(column_keys(headers))
        recalled: dict[str, str] = {}
        for each in saved[:_RECALLED]:
            for header, field in each.mapping.items():
                taken = not field.startswith(IGNORE) and field in recalled.values()
                if header in keys and header not in recalled and not taken:
                    recalled[header] = field
        return recalled

    return recall


def describe(file: OpenFile) -> dict[str, Any]:
    """Headers, the field each stands for, and masked samples: what the page shows for confirmation.

    Beside them: the sheets read with about how many rows, sheets not read, hidden ones, groups of columns side by side,
    columns between which somebody should choose, and what was noticed about the file.
    """
    table = file.table
    sample = [
        cells
        for _number, cells in islice(table.raw_rows(), table.header_row, table.header_row + _SAMPLED)
        if any(cells)
    ]
    return {
        "header_row": table.header_row,
        "headers": list(table.headers),
        "columns": _columns(table, sample),
        "mapping": _mapping(table),
        "groups": len(table.blocks),
        "doubtful": {field: list(columns) for field, columns in table.doubtful.items()},
        "sheets": [{"name": each.sheet, "rows": each.estimate()} for each in file.found.tables if each.sheet],
        "other_sheets": list(file.found.unread),
        "hidden_sheets": list(file.found.hidden),
        "notes": list(file.found.notes),
        "rows": file.rows,
        "kind": table.source.kind,
    }


def _mapping(table: Table) -> dict[str, str]:
    """What every header was taken for; of groups side by side the first stands for all."""
    fields = {column: field for field, column in table.mapping.items()}
    mapping: dict[str, str] = {}
    for column, (header, key) in enumerate(zip(table.headers, column_keys(table.headers), strict=True)):
        if header and (len(table.blocks) == 1 or key == header):
            mapping[key] = fields.get(column, IGNORE)
    return mapping


def noticed(file: OpenFile) -> dict[str, Any]:
    """What only reading to the end shows: rows with unreadable bytes, rows passed over without name and number."""
    told: dict[str, Any] = {}
    for what in ("broken", "skipped"):
        found = [getattr(table, what) for table in file.found.tables]
        if count := sum(each.count for each in found):
            told[what] = {"count": count, "rows": [row for each in found for row in each.rows][:20]}
    return told


def _columns(table: Table, sample: Sequence[list[str]]) -> list[dict[str, Any]]:
    fields = {column: field for field, column in table.mapping.items()}
    doubted = {column for columns in table.doubtful.values() for column in columns}
    # Of groups side by side the first stands for all.
    end = min(table.blocks[1].values()) if len(table.blocks) > 1 else len(table.headers)
    columns = []
    for index, (header, key) in enumerate(zip(table.headers[:end], column_keys(table.headers), strict=False)):
        if not header:
            continue
        field = fields.get(index, _UNREAD)
        texts = [_masked(field, cells[index]) for cells in sample if index < len(cells) and cells[index]]
        columns.append(
            {
                "header": header,
                "key": key,
                "letter": column_letters(index),
                "field": field,
                "doubtful": index in doubted,
                "samples": list(dict.fromkeys(texts))[:_SAMPLES],
            }
        )
    return columns


# Columns whose long numbers are papers' or accounts' and no person's.
_PAPERS: Final = frozenset(
    {"voucher", "serial", "account", "unit_code", "village_code", "pos_number", "household"}
)
_NAMES: Final = frozenset(
    {
        "name", "head", "nickname", "husband_name", "wife_name", "spouse_name", "counterparty", "agent", "account_name",
    }
)  # fmt: skip
_NUMBERS: Final = frozenset({"id_number", "head_id_number", "husband_number", "wife_number", "spouse_number"})


def _masked(field: str, text: str) -> str:
    if field in _NUMBERS:
        return mask_number(text, Audience.OFFICE)
    if field in _NAMES:
        return mask_name(text)
    if field == "phone":
        return mask_phone(text)
    if read_number(text, date.max).ok:
        return mask_number(text, Audience.OFFICE)
    if field not in _PAPERS and sum(char.isdigit() for char in text) >= (7 if not field else 11):
        # A column nobody recognised, or put under the wrong name, may be anybody's number.
        return mask_number(text, Audience.OFFICE)
    return text[:30]
