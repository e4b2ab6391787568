"""The tables in a batch's files: opened with the mapping that was confirmed, described for the page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from django.utils.translation import gettext as _

from foundation.imports.kinds import ImportKind, ImportRefused
from foundation.imports.models import ImportBatch, ImportMapping
from foundation.masking import Audience, mask_name, mask_number, mask_phone
from foundation.sheets import SYNONYMS, SheetError, Table, open_table

_SAMPLES: Final = 3
_LONGEST_PART: Final = 60
_UNREAD: Final = ""
IGNORE: Final = "-"
"""Begins the field of a column that is not to be read though its header is known; each has one of its own."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file of the batch with its table; ``rows`` is about how many rows it has."""

    position: int
    name: str
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
    opened = []
    for file, path in zip(batch.files.order_by("position"), paths, strict=True):
        try:
            table = _open(batch, kind, path, required=kind.required)
            for group in kind.any_of:
                if not any(field in table.mapping for field in group):
                    raise SheetError(
                        "missing_columns",
                        _("缺少必需的列：%(missing)s。文件里的列是：%(found)s")
                        % {
                            "missing": _("或").join(field_label(field) for field in group),
                            "found": "、".join(header for header in table.headers if header),
                        },
                    )
        except SheetError as error:
            raise ImportRefused(f"{file.name}：{error.message}") from None
        if why := kind.objection(batch, table.mapping):
            raise ImportRefused(f"{file.name}：{why}")
        opened.append(OpenFile(file.position, file.name, table, _estimate(path, table)))
    return opened


def look_at(batch: ImportBatch, kind: ImportKind, paths: Sequence[Path]) -> list[OpenFile]:
    """``open_batch`` for looking alone: a missing column is no reason to show nothing."""
    opened = []
    for file, path in zip(batch.files.order_by("position"), paths, strict=True):
        try:
            table = _open(batch, kind, path, required=())
        except SheetError as error:
            raise ImportRefused(f"{file.name}：{error.message}") from None
        opened.append(OpenFile(file.position, file.name, table, _estimate(path, table)))
    return opened


def _open(batch: ImportBatch, kind: ImportKind, path: Path, *, required: Sequence[str]) -> Table:
    fields: Mapping[str, Sequence[str]] = {
        name: SYNONYMS.get(name, (name,)) for name in (*kind.required, *kind.optional)
    }
    mapping: dict[str, str] = batch.mapping or _remembered(batch, path, fields)
    return open_table(path, required=required, fields=fields, mapping=mapping)


def _remembered(batch: ImportBatch, path: Path, fields: Mapping[str, Sequence[str]]) -> dict[str, str]:
    sender = sender_of(batch.uploaded_by)
    saved = ImportMapping.objects.filter(kind=batch.kind, sender=sender)
    if not sender or not saved.exists():
        return {}
    table = open_table(path, fields=fields)
    found = saved.filter(headers_digest=headers_digest(table.headers)).first()
    return found.mapping if found is not None else {}


def _estimate(path: Path, table: Table) -> int:
    if table.source.kind == "text":
        lines = 0
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                lines += block.count(b"\n")
        return max(lines - table.header_row + 1, 0)
    height = getattr(getattr(table.source, "table", None), "height", 0)
    return max(int(height) - table.header_row, 0)


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
        "other_sheets": list(file.table.other_sheets),
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
