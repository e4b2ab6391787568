"""Errors back: the rejected rows in the sender's own layout with 错误原因, and the list of rows still open."""

from __future__ import annotations

import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from foundation.audit.services import record
from foundation.encryption import DecryptionError, get_keyring
from foundation.imports.engine import vault
from foundation.imports.engine.context import Sent, unsealed
from foundation.imports.engine.tables import open_batch
from foundation.imports.kinds import ImportRefused, import_kind
from foundation.imports.models import ImportBatch, ReturnedRow
from foundation.masking import Audience, mask_name, mask_number
from foundation.sheets import write_errors


class Returned(NamedTuple):
    """A returned row as its sender's page shows it: masked."""

    pk: int
    file: int
    source_row: int
    code: str
    message: str
    name: str
    number: str


def write_error_book(
    batch: ImportBatch, target: BinaryIO | Path, *, paths: Sequence[Path] | None = None
) -> int:
    """Write the rows still open as a workbook in the sender's layout; several files become a zip of workbooks.

    Returns how many rows. ``paths`` are the files in the clear where the caller has them. Raises ImportRefused when
    nothing is open or the files are gone.
    """
    rows = batch.returned_rows.filter(closed_at=None).order_by("file", "source_row", "pk")
    messages: dict[int, dict[int, str]] = defaultdict(dict)
    for file, source_row, message in rows.values_list("file", "source_row", "message").iterator(
        chunk_size=5000
    ):
        before = messages[file].get(source_row)
        messages[file][source_row] = f"{before}；{message}" if before else message
    if not messages:
        raise ImportRefused(_("没有退回的行"))
    if paths is not None:
        return _write(batch, paths, messages, target)
    names = list(batch.files.order_by("position").values_list("stored_as", flat=True))
    if not all(names):
        raise ImportRefused(_("原文件已经清除，不能再生成退回表"))
    with vault.opened(names) as own:
        return _write(batch, own, messages, target)


def _write(
    batch: ImportBatch, paths: Sequence[Path], messages: dict[int, dict[int, str]], target: BinaryIO | Path
) -> int:
    files = open_batch(batch, import_kind(batch.kind), paths)
    faulty = [file for file in files if file.position in messages]
    if len(files) == 1:
        return write_errors(files[0].table, target, messages[files[0].position])
    if isinstance(target, Path) and target.suffix.lower() == ".xlsx" and len(faulty) == 1:
        return write_errors(faulty[0].table, target, messages[faulty[0].position])
    written = 0
    with (
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
        tempfile.TemporaryDirectory() as folder,
    ):
        for file in faulty:
            book = Path(folder) / "errors.xlsx"
            written += write_errors(file.table, book, messages[file.position])
            archive.write(book, f"{file.position + 1}-{Path(file.name).stem}-{_('退回')}.xlsx")
    return written


def samples(batch: ImportBatch, *, each: int = 1, limit: int = 60) -> list[Returned]:
    """Some open rows of every reason, masked, for the page."""
    found: list[Returned] = []
    for code, _count in sorted(batch.reasons.items(), key=lambda item: (-item[1], item[0])):
        rows = batch.returned_rows.filter(code=code, closed_at=None).order_by("file", "source_row")[:each]
        found.extend(_masked(row) for row in rows)
    return found[:limit]


def open_rows(batch: ImportBatch, code: str, *, start: int = 0, count: int = 100) -> list[Returned]:
    """Open rows of one reason in the file's order, masked."""
    rows = batch.returned_rows.filter(code=code, closed_at=None).order_by("file", "source_row")
    return [_masked(row) for row in rows[start : start + count]]


def _masked(row: ReturnedRow) -> Returned:
    try:
        sent = unsealed(get_keyring(), row.row_encrypted)
    except DecryptionError:
        sent = Sent("?", "")
    return Returned(
        row.pk,
        row.file,
        row.source_row,
        row.code,
        row.message,
        mask_name(sent.name),
        mask_number(sent.number, Audience.OFFICE),
    )


@transaction.atomic
def close_row(*, by: Any, row: ReturnedRow, reason: str) -> None:
    """Close a returned row with what came of it. Raises ImportRefused without a reason, or for a closed row."""
    reason = reason.strip()[:120]
    if not reason:
        raise ImportRefused(_("请写明处理结果"))
    closed = ReturnedRow.objects.filter(pk=row.pk, closed_at=None).update(
        closed_at=timezone.now(), closed_reason=reason
    )
    if not closed:
        raise ImportRefused(_("这一行已经处理过了"))
    record(
        by=by,
        action="import.row.close",
        target_kind="import",
        target=row.batch_id,
        county_code=row.batch.county_code,
        detail={"row": row.source_row, "code": row.code},
    )
