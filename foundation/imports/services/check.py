"""Check a batch: read its files, stage what is sound, send back what is not, count what would happen.

1. Open each file's table with the confirmed mapping; a missing column stops here, by name.
2. Row by row: the kind's reader checks, normalises, indexes and encrypts; sound rows stream into COPY, others
   become returned rows.
3. Across rows and against the register: set-based.
4. Count new, changed and unchanged. Nothing of the register is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from foundation.bulk import bulk_settings, refresh_statistics
from foundation.imports.engine import vault
from foundation.imports.engine.context import Context, Progress, Sent, line_number, row_number
from foundation.imports.engine.copying import copy_lines, line_of
from foundation.imports.engine.tables import OpenFile, describe, look_at, noticed, open_batch
from foundation.imports.kinds import (
    Counts,
    Identify,
    ImportKind,
    ImportRefused,
    Refused,
    RowReader,
    StagedRow,
    import_kind,
)
from foundation.imports.models import BatchState, ImportBatch, ReturnedRow
from foundation.imports.services.findings import find
from foundation.imports.services.receive import clear_staging
from foundation.scope.places import Places
from foundation.sheets import Misread, SheetError

_SEGMENT: Final = 50_000

Row = tuple[int, dict[str, str] | Misread]
"""Row number, and what its cells say by field."""


@transaction.atomic
def check(
    *,
    by: Any,
    batch: ImportBatch,
    places: Places,
    paths: Sequence[Path] | None = None,
    progress: Progress | None = None,
    show: bool = True,
) -> ImportBatch:
    """Stage and check a batch under the running scope; its counts and reasons are saved on it.

    ``paths`` are the same files in the clear, where the caller has them; else they are opened from storage. ``show``
    keeps what a person should see before applying; a caller that applies at once leaves it out.
    Raises ImportRefused when a file cannot be used at all; then nothing is staged.
    """
    held = ImportBatch.objects.select_for_update().get(pk=batch.pk)
    if not held.is_open:
        raise ImportRefused(_("这一批已经入库或结束，不能再检查"))
    ctx = Context(held, places, by, timezone.localdate())
    if progress is not None:
        ctx.progress = progress
    earlier = _same_already_applied(held)
    if earlier is not None:
        _copy_outcome(held, earlier)
    else:
        with bulk_settings():
            counts = _check(ctx, paths)
            if show:
                ctx.progress("find", 0, 1)
                find(ctx, counts)
    held.state = BatchState.CHECKED
    try:
        held.save()
    except BaseException:
        vault.remove(held.findings_stored_as)
        raise
    _copy(batch, held)
    return batch


@transaction.atomic
def look(*, batch: ImportBatch) -> None:
    """Find the columns of a batch's files for the page, before anything is asked of them.

    Raises ImportRefused for a file that is no table.
    """
    with vault.opened(list(batch.files.order_by("position").values_list("stored_as", flat=True))) as own:
        for file in look_at(batch, import_kind(batch.kind), own):
            with _readable(file):
                found = describe(file)
            batch.files.filter(position=file.position).update(table=found)
            file.found.close()


@contextmanager
def _readable(file: OpenFile) -> Iterator[None]:
    """A file whose head was sound and that fails further down is refused as if it could not have been opened."""
    try:
        yield
    except SheetError as error:
        raise ImportRefused(f"{file.name}：{error.message}", code=error.code) from None


def _check(ctx: Context, paths: Sequence[Path] | None) -> Counts:
    batch = ctx.batch
    kind = import_kind(batch.kind)
    clear_staging(batch)
    ReturnedRow.objects.filter(batch=batch).delete()
    if paths is not None:
        read = _stage(ctx, kind, open_batch(batch, kind, paths))
    else:
        with vault.opened(list(batch.files.order_by("position").values_list("stored_as", flat=True))) as own:
            read = _stage(ctx, kind, open_batch(batch, kind, own))
    ctx.progress("check", read, read)
    kind.check(ctx)
    ctx.flush_returned()
    counts = kind.preview(ctx)
    set_counts(batch, read - ctx.beside, ctx, counts)
    return counts


def set_counts(batch: ImportBatch, read: int, ctx: Context, counts: Counts) -> None:
    """Write a run's outcome on the batch (unsaved)."""
    batch.read_count = read
    batch.rejected_count = sum(ctx.reasons.values())
    batch.accepted_count = read - batch.rejected_count
    set_changes(batch, counts)
    batch.reasons = dict(ctx.reasons.most_common())
    batch.summary = {**ctx.summary, "warnings": dict(ctx.warnings), "closed": counts.closed}
    if batch.full_list and batch.rejected_count:
        batch.summary["blocked"] = True


def set_changes(batch: ImportBatch, counts: Counts) -> None:
    """Write what a batch does, or did, to the register (unsaved)."""
    batch.new_count = counts.new
    batch.changed_count = counts.changed + counts.closed
    batch.unchanged_count = counts.unchanged


def _stage(ctx: Context, kind: ImportKind, files: list[OpenFile]) -> int:
    described = {}
    for file in files:
        with _readable(file):
            described[file.position] = describe(file)
    # Both may ask the register: while COPY runs, the connection is busy.
    readers = _Readers(kind.reader(ctx), kind.identity.of(ctx), kind.township(ctx))
    total = sum(file.rows for file in files)
    read = 0
    columns = ("batch", "file", "source_row", *kind.columns)
    for file in files:
        for number, table in file.tables():
            source = _lined(table.rows(totals=kind.totals))
            prefix = (str(ctx.batch.pk), str(number))
            while True:
                counted = _Counted(islice(source, _SEGMENT))
                with _readable(file):
                    copy_lines(kind.staging, columns, _lines(ctx, counted, number, prefix, readers))
                ctx.flush_returned()
                read += counted.count
                ctx.progress("read", read, max(total, read))
                if counted.count < _SEGMENT:
                    break
        # What the page shows is found anew each time a file is read: the mapping may be another.
        ctx.batch.files.filter(position=file.position).update(table=described[file.position] | noticed(file))
        file.found.close()
    refresh_statistics(kind.staging)
    return read


def _lined(rows: Iterator[Row]) -> Iterator[Row]:
    """Rows under line numbers: several people side by side in one row of the sheet come with one row number."""
    before, block = 0, 0
    for number, cells in rows:
        before, block = number, block + 1 if number == before else 0
        yield line_number(number, block), cells


class _Readers(NamedTuple):
    """What a kind reads of a row; the last two only of one that goes back."""

    row: RowReader
    identify: Identify
    township: Callable[[dict[str, str]], int | None]


class _Counted:
    """Counts what passes through it."""

    def __init__(self, source: Iterator[Row]) -> None:
        self._source = source
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for item in self._source:
            self.count += 1
            yield item


def _lines(
    ctx: Context,
    rows: _Counted,
    position: int,
    prefix: tuple[str, str],
    readers: _Readers,
) -> Iterator[str]:
    values: StagedRow | Refused
    for line, read in rows:
        if isinstance(read, dict):
            cells = read
            values = readers.row(cells)
        else:
            cells = read.cells
            values = Refused(read.code, read.message, read.field)
        if type(values) is Refused:
            # Collected now, written between two COPYs: the connection is busy with this one.
            sent = Sent(*ctx.kind.identity.who(cells))
            ctx.refuse_later(
                position, row_number(line), values, sent, *readers.identify(cells), readers.township(cells)
            )
        else:
            yield line_of((*prefix, str(line), *values))


def _same_already_applied(batch: ImportBatch) -> ImportBatch | None:
    """The batch that applied these very files on these very terms, if every row went in and nothing was imported
    since: then there is nothing to do and nothing to read."""
    county = ImportBatch.objects.filter(
        county_code=batch.county_code, state__in=[BatchState.APPLIED, BatchState.UNDONE]
    )
    last = county.order_by("-applied_at", "-pk").first()
    if last is None or last.state != BatchState.APPLIED or last.rejected_count:
        return None
    same = (
        last.sha256 == batch.sha256
        and last.kind == batch.kind
        and last.plan_code == batch.plan_code
        and last.category_code == batch.category_code
        and last.full_list == batch.full_list
        and last.uploaded_by_id == batch.uploaded_by_id
    )
    return last if same else None


def _copy_outcome(batch: ImportBatch, earlier: ImportBatch) -> None:
    batch.read_count = batch.accepted_count = batch.unchanged_count = earlier.read_count
    batch.new_count = batch.changed_count = batch.rejected_count = 0
    batch.reasons = {}
    batch.summary = {"same_as": earlier.pk}


def _copy(batch: ImportBatch, held: ImportBatch) -> None:
    for field in ImportBatch._meta.concrete_fields:
        setattr(batch, field.attname, getattr(held, field.attname))
