"""Errors back: the sender's own file with 错误原因 and the faulty cells marked, ready to correct and upload again."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from django.utils.translation import gettext as _

from foundation.encryption import DecryptionError, get_keyring
from foundation.identity import normalise_number
from foundation.imports.engine import vault
from foundation.imports.engine.context import Sent, unsealed
from foundation.imports.engine.tables import OpenFile, open_batch
from foundation.imports.kinds import ImportRefused, import_kind
from foundation.imports.models import ImportBatch
from foundation.imports.words import advice, fields_of, reason
from foundation.names import normalise_name
from foundation.sheets import Fault, Table, write_errors_of

_AT_ONCE: Final = 5_000

Faults = tuple[tuple[str, str], ...]


class _Open(NamedTuple):
    """An open row: where it stands, what is wrong, and whom it names (encrypted)."""

    source_row: int
    message: str
    faults: Faults
    sealed: bytes | memoryview | None


def write_error_book(
    batch: ImportBatch, target: BinaryIO | Path, *, paths: Sequence[Path] | None = None
) -> int:
    """Write the file with the rows still open marked; several files become a zip of workbooks.

    Returns how many rows. ``paths`` are the files in the clear where the caller has them. Raises ImportRefused when
    nothing is open or the files are gone.
    """
    if not batch.returned_rows.filter(closed_at=None).exists():
        raise ImportRefused(_("没有退回的行"))
    names = list(batch.files.order_by("position").values_list("stored_as", flat=True))
    if paths is None and not all(names):
        raise ImportRefused(_("原文件已经清除，不能再生成退回表"))
    with vault.opened(names if paths is None else []) as own:
        return _write(batch, own if paths is None else paths, target)


def _write(batch: ImportBatch, paths: Sequence[Path], target: BinaryIO | Path) -> int:
    files = open_batch(batch, import_kind(batch.kind), paths, as_checked=True)
    try:
        return _write_files(batch, files, paths, target)
    finally:
        for file in files:
            file.found.close()


def _write_files(
    batch: ImportBatch, files: list[OpenFile], paths: Sequence[Path], target: BinaryIO | Path
) -> int:
    open_tables = set(batch.returned_rows.filter(closed_at=None).values_list("file", flat=True).distinct())
    faulty = [file for file in files if any(number in open_tables for number, _table in file.tables())]
    if not faulty:
        raise ImportRefused(_("没有退回的行"))
    alone = isinstance(target, Path) and target.suffix.lower() == ".xlsx" and len(faulty) == 1
    if len(files) == 1 or alone:
        return _write_one(batch, faulty[0], paths[faulty[0].position], target)
    written = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive, vault.folder() as folder:
        for file in faulty:
            book = folder / "errors.xlsx"
            written += _write_one(batch, file, paths[file.position], book)
            archive.write(book, f"{file.position + 1}-{Path(file.name).stem}-{_('退回')}.xlsx")
    return written


def _write_one(batch: ImportBatch, file: OpenFile, path: Path, target: BinaryIO | Path) -> int:
    found = [(table, faults_of(table, _rows(batch, number))) for number, table in file.tables()]
    with vault.folder() as work:
        # A complete list goes in only complete: it comes back with its sound rows.
        return write_errors_of(
            [(table, faults) for table, faults in found if faults or batch.full_list],
            target,
            path=path,
            whole=batch.full_list,
            work=work,
        )


def _rows(batch: ImportBatch, number: int) -> Iterator[_Open]:
    rows = batch.returned_rows.filter(closed_at=None, file=number).order_by("source_row", "pk")
    for row in rows.only("source_row", "message", "faults", "row_encrypted").iterator(chunk_size=_AT_ONCE):
        yield _Open(
            row.source_row,
            row.message,
            tuple((code, field) for code, field in row.faults) or ((row.code, ""),),
            row.row_encrypted,
        )


def faults_of(table: Table, rows: Iterable[_Open]) -> dict[int, Fault]:
    """What is wrong by row of the table, and in which of its cells.

    Rows with the same trouble share one answer, so that a file which is wrong throughout takes little memory.
    """

    @cache
    def fault(message: str, faults: Faults, block: int) -> Fault:
        columns = table.blocks[block]
        notes: dict[int, list[str]] = defaultdict(list)
        for code, named in faults:
            for field in fields_of(code, named):
                if field in columns:
                    notes[columns[field]].append(f"{reason(code)}：{advice(code)}")
        return Fault(message, {column: "\n".join(texts) for column, texts in notes.items()})

    if len(table.blocks) == 1:
        found: dict[int, Fault] = {}
        for row in rows:
            said = fault(row.message, row.faults, 0)
            before = found.get(row.source_row)
            found[row.source_row] = _joined(before, said) if before else said
        return found
    return _side_by_side(table, list(rows), fault)


def _joined(one: Fault, other: Fault) -> Fault:
    return Fault(f"{one.reason}；{other.reason}", {**one.cells, **other.cells})


def _side_by_side(
    table: Table, rows: list[_Open], fault: Callable[[str, Faults, int], Fault]
) -> dict[int, Fault]:
    """Several persons stand in one row: each is told by name, and the cells are those of her own group of columns."""
    waiting: dict[int, list[_Open]] = defaultdict(list)
    for row in rows:
        waiting[row.source_row].append(row)
    found: dict[int, Fault] = {}
    for number, cells in table.raw_rows():
        for row in waiting.get(number, ()):
            sent = _sent(row.sealed)
            block = _block_of(table, cells, sent)
            said = fault(f"{sent.name}：{row.message}" if sent.name else row.message, row.faults, block)
            found[number] = _joined(found[number], said) if number in found else said
    return found


def _block_of(table: Table, cells: list[str], sent: Sent) -> int:
    wanted = (normalise_name(sent.name), normalise_number(sent.number))
    for index, block in enumerate(table.blocks):
        texts = [
            cells[block[field]] if field in block and block[field] < len(cells) else ""
            for field in ("name", "id_number")
        ]
        if (normalise_name(texts[0]), normalise_number(texts[1])) == wanted:
            return index
    return 0


def _sent(sealed: bytes | memoryview | None) -> Sent:
    try:
        return unsealed(get_keyring(), sealed)
    except DecryptionError:
        return Sent("", "")
