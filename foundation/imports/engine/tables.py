"""The tables in a batch's files: opened with the mapping that was confirmed, described for the page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from foundation.imports.kinds import ImportKind, ImportRefused
from foundation.imports.models import ImportBatch, ImportMapping
from foundation.masking import Audience, mask_name, mask_number, mask_phone
from foundation.sheets import SYNONYMS, SheetError, Table, Tables, column_keys, open_tables

_SAMPLES: Final = 3
_RECALLED: Final = 50
_KEPT_OPEN: Final = 4
"""Files whose parsers stay at work at the same time; a further one starts again when its rows are asked for."""
_LONGEST_PART: Final = 60
_UNREAD: Final = ""
IGNORE: Final = "-"
"""Begins the field of a column that is not to be read though its header is known; each has one of its own."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file of the batch with its table; ``rows`` is about how many rows it has."""

    position: int
    name: str
    found: Tables
    table: Table
    rows: int


def field_label(field: str) -> str:
    """What the screen calls a field: its first header name."""
    return SYNONYMS[field][0] if field in SYNONYMS else field


def headers_digest(headers: Sequence[str]) -> str:
    """The same for the same header row."""
    return hashlib.sha256(json.dumps(headers, ensure_ascii=False).encode()).hexdigest()


def sender_of(user: Any, county_code: str = "") -> str:
    """Whose habits a mapping belongs to, and whose rows a correction closes: the agency, else the post, of a county.

    A post that sees part of the county is one sender for each part: what comes of a row tells nobody of another's people.
    Files brought in by a command are the county's own.
    """
    if user is None:
        return f"{county_code}/" if county_code else ""
    if getattr(user, "agency_id", None):
        return f"{user.county_code}/agency:{user.agency_id}"
    if getattr(user, "sees_county", False):
        return f"{user.county_code}/role:{user.role}"
    places = user.scope_places()
    part = f"{sorted(places.townships)}{sorted(places.units)}".replace(" ", "")
    if len(part) > _LONGEST_PART:
        part = hashlib.sha256(part.encode()).hexdigest()[:_LONGEST_PART]
    return f"{user.county_code}/role:{user.role}{part}"


def open_batch(batch: ImportBatch, kind: ImportKind, paths: Sequence[Path]) -> list[OpenFile]:
    """Open the table of every file. Raises ImportRefused, naming the file, when one cannot be used."""
    return _open_all(batch, kind, paths, strict=True)


def look_at(batch: ImportBatch, kind: ImportKind, paths: Sequence[Path]) -> list[OpenFile]:
    """``open_batch`` for looking alone: a missing column is no reason to show nothing."""
    return _open_all(batch, kind, paths, strict=False)


def _open_all(batch: ImportBatch, kind: ImportKind, paths: Sequence[Path], *, strict: bool) -> list[OpenFile]:
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
                mapping=batch.mapping or _remembered(batch),
                strict=strict,
            )
            table = found.tables[0]
            rows = table.estimate()
        except SheetError as error:
            raise ImportRefused(f"{file.name}：{error.message}", code=error.code) from None
        if strict and (why := kind.objection(batch, table.mapping)):
            raise ImportRefused(f"{file.name}：{why}")
        if len(opened) >= _KEPT_OPEN:
            found.close()
        opened.append(OpenFile(file.position, file.name, found, table, rows))
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
    """Headers, the field each stands for, and masked samples: what the page shows for confirmation."""
    fields = {column: field for field, column in file.table.mapping.items() if not field.startswith(IGNORE)}
    rows = [
        cells
        for _number, cells in islice(file.table.raw_rows(), file.table.header_row, file.table.header_row + 40)
        if any(cells)
    ]
    columns = []
    for index, header in enumerate(file.table.headers):
        if not header:
            continue
        field = fields.get(index, _UNREAD)
        texts = [_masked(field, cells[index]) for cells in rows if index < len(cells) and cells[index]]
        columns.append({"header": header, "field": field, "samples": list(dict.fromkeys(texts))[:_SAMPLES]})
    return {
        "header_row": file.table.header_row,
        "headers": list(file.table.headers),
        "columns": columns,
        "other_sheets": [*(table.sheet for table in file.found.tables[1:]), *file.found.unread],
        "hidden_sheets": list(file.found.hidden),
        "notes": list(file.found.notes),
        "rows": file.rows,
        "kind": file.table.source.kind,
    }


def _masked(field: str, text: str) -> str:
    if field in {"id_number", "head_id_number"}:
        return mask_number(text, Audience.OFFICE)
    if field in {"name", "head", "nickname"}:
        return mask_name(text)
    if field == "phone":
        return mask_phone(text)
    if not field and sum(char.isdigit() for char in text) >= 7:
        # A column nobody recognised may be anybody's number.
        return mask_number(text, Audience.OFFICE)
    return text[:30]
