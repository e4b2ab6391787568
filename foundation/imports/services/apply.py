"""Apply a checked batch in one transaction, or take it back whole.

Two applies on one county wait for one another (an advisory lock that ends with the transaction); everything else goes
on. A batch applies once.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from foundation.audit.services import record
from foundation.bulk import bulk_settings, refresh_statistics
from foundation.imports.engine.context import Context, Progress
from foundation.imports.kinds import Counts, ImportRefused, effects_of, import_kind, see_rows, undo_checks_of
from foundation.imports.models import BatchState, ImportBatch, ImportChange
from foundation.imports.services.check import check, set_changes
from foundation.imports.services.corrected import close_corrected, reopen
from foundation.imports.services.receive import clear_staging
from foundation.scope.places import Places

_LOCK_SPACE = 0x494D


# Rows from which on a batch changes what the planner should expect.
LARGE: Final = 1000


def _wait_for_county(county_code: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, int(county_code[:6] or 0)])


@transaction.atomic
def apply(
    *, by: Any, batch: ImportBatch, places: Places, progress: Progress | None = None, recount: bool = True
) -> ImportBatch:
    """Put a checked batch's rows into the register under the running scope, and let its effects follow.

    ``recount`` counts new, changed and unchanged again under the lock, since the register may have moved on since the
    check; a caller that has just checked in the same transaction leaves it out. Staged rows lost with a crash of the
    server are staged again. Raises ImportRefused when the batch cannot be applied; then nothing has changed.
    """
    _wait_for_county(batch.county_code)
    held = ImportBatch.objects.select_for_update().get(pk=batch.pk)
    if held.state != BatchState.CHECKED:
        raise ImportRefused(_("这一批还没有检查，或者已经入库、放弃"))
    if held.summary.get("blocked"):
        raise ImportRefused(
            _("全量清单里有 %(n)s 行要退回，整批不能入库：改正后重新上传，否则会误停未列出的人")
            % {"n": held.rejected_count}
        )
    kind = import_kind(held.kind)
    ctx = Context(held, places, by, timezone.localdate())
    if progress is not None:
        ctx.progress = progress
    if "same_as" in held.summary:
        counts = Counts(unchanged=held.accepted_count)
    else:
        if _lost(held, kind.staging):
            check(by=by, batch=held, places=places, progress=progress, show=False)
        ctx.progress("apply", 0, held.accepted_count)
        with bulk_settings():
            if recount:
                set_changes(held, kind.preview(ctx))
            if kind.counts_all and not (held.new_count or held.changed_count):
                counts = Counts(unchanged=held.accepted_count)
            else:
                counts = kind.apply(ctx)
            if kind.writes and counts.new + counts.changed + counts.closed >= LARGE:
                refresh_statistics(*kind.writes)
            if counts.new or counts.changed or counts.closed:
                see_rows(ctx, undoing=False)
                for effect in effects_of(held.kind):
                    ctx.summary.update(effect(ctx))
        if corrected := close_corrected(ctx):
            ctx.summary["corrected"] = corrected
        clear_staging(held)
    held.summary = {**held.summary, **ctx.summary}
    held.state = BatchState.APPLIED
    held.applied_at = timezone.now()
    held.save()
    record(
        by=by,
        action="import.apply",
        target_kind="import",
        target=held.pk,
        county_code=held.county_code,
        detail={
            "kind": held.kind,
            "read": held.read_count,
            "new": held.new_count,
            "changed": held.changed_count,
            "rejected": held.rejected_count,
            "written": counts._asdict(),
            "digest": _digest(held, ctx),
        },
    )
    for field in ImportBatch._meta.concrete_fields:
        setattr(batch, field.attname, getattr(held, field.attname))
    return batch


def _lost(batch: ImportBatch, staging: str) -> bool:
    """Whether staged rows are gone: unlogged tables are emptied when the server restarts after a crash."""
    if not batch.accepted_count:
        return False
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM {staging} WHERE batch = %s)", [batch.pk])
        row = cursor.fetchone()
    return not (row and row[0])


def _digest(batch: ImportBatch, ctx: Context) -> str:
    """What the batch changed, in one value: file, rows made, rows changed."""
    changed = ctx.one(
        "SELECT coalesce(md5(string_agg(relation || row_id::text, ',' ORDER BY relation, row_id)), '')"
        " FROM imports_importchange WHERE batch_id = %(batch)s"
    )[0]
    made = str(ctx.summary.get("inserted", {}))
    return hashlib.sha256(f"{batch.sha256}|{made}|{changed}".encode()).hexdigest()


@transaction.atomic
def undo(*, by: Any, batch: ImportBatch, places: Places) -> ImportBatch:
    """Take a whole batch back: rows it made go, rows it changed are as they were before.

    Raises ImportRefused, saying what, when something later depends on it.
    """
    _wait_for_county(batch.county_code)
    held = ImportBatch.objects.select_for_update().get(pk=batch.pk)
    if held.state != BatchState.APPLIED:
        raise ImportRefused(_("只有已入库的批次才能撤销"))
    kind = import_kind(held.kind)
    ctx = Context(held, places, by, timezone.localdate())
    if reasons := _blockers(ctx):
        raise ImportRefused(_("不能整批撤销：%(why)s") % {"why": "；".join(reasons)})
    with bulk_settings():
        see_rows(ctx, undoing=True)
        kind.undo(ctx)
        for effect in effects_of(held.kind):
            effect(ctx)
    ImportChange.objects.filter(batch=held).delete()
    reopen(ctx)
    held.state = BatchState.UNDONE
    held.applied_at = timezone.now()
    held.save(update_fields=["state", "applied_at"])
    record(by=by, action="import.undo", target_kind="import", target=held.pk, county_code=held.county_code)
    batch.state = held.state
    return batch


def undo_blockers(*, by: Any, batch: ImportBatch, places: Places) -> list[str]:
    """What stands against taking the batch back, in sentences; nothing is changed."""
    return _blockers(Context(batch, places, by, timezone.localdate()))


def _blockers(ctx: Context) -> list[str]:
    reasons = [*_later_changes(ctx), *ctx.kind.blockers(ctx)]
    for blockers in undo_checks_of(ctx.batch.kind):
        reasons.extend(blockers(ctx))
    return reasons


def _later_changes(ctx: Context) -> list[str]:
    """Batches that afterwards changed what this one changed, or the rows it made."""
    made = [
        (relation, first, last)
        for relation, ranges in ctx.batch.summary.get("inserted", {}).items()
        for first, last in ranges
    ]
    later = ctx.fetch(
        """
        SELECT l.batch_id FROM imports_importchange mine
        JOIN imports_importchange l ON l.relation = mine.relation AND l.row_id = mine.row_id
        WHERE mine.batch_id = %(batch)s AND l.batch_id <> %(batch)s AND l.id > mine.id
            AND l.before ?| ARRAY(SELECT jsonb_object_keys(mine.before))
        UNION
        SELECT l.batch_id FROM unnest(%(relations)s::text[], %(firsts)s::bigint[], %(lasts)s::bigint[])
            AS made (relation, first, last)
        JOIN imports_importchange l ON l.relation = made.relation AND l.row_id BETWEEN made.first AND made.last
        WHERE l.batch_id <> %(batch)s
        ORDER BY 1 LIMIT 5
        """,
        relations=[relation for relation, _first, _last in made],
        firsts=[first for _relation, first, _last in made],
        lasts=[last for _relation, _first, last in made],
    )
    return [_("之后的批次 %(n)s 改过同样的记录") % {"n": row[0]} for row in later]
