"""Take files in: sealed into storage, one batch for the files of one upload."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext as _

from foundation.audit.services import record
from foundation.imports.engine import vault
from foundation.imports.kinds import ImportRefused, import_kind
from foundation.imports.models import BatchState, ImportBatch, ImportFile, ReturnedRow
from foundation.imports.senders import sender_of
from foundation.imports.services.findings import forget

_LOCK_SPACE: Final = 0x494E


_LONG_NUMBER: Final = re.compile(r"\d{11,}[Xx]?")


@dataclass(frozen=True)
class Upload:
    """A file as it arrives: the sender's name for it, and its bytes."""

    name: str
    content: IO[bytes]


@dataclass(frozen=True)
class Terms:
    """What is said beside the files: what they are, for which plan or group, whether the list is complete."""

    kind: str
    county_code: str
    plan_code: str = ""
    category_code: str = ""
    full_list: bool = False


@transaction.atomic
def receive(*, by: Any, terms: Terms, uploads: Sequence[Upload]) -> ImportBatch:
    """Store the files encrypted and open a batch for them. Raises ImportRefused for terms that cannot be."""
    kind = import_kind(terms.kind)
    if not uploads:
        raise ImportRefused(_("没有文件。请选择要导入的文件"))
    if terms.full_list and not kind.can_be_full:
        raise ImportRefused(_("“%(kind)s”没有全量清单的做法，请去掉全量再导入") % {"kind": kind.label})
    if by is not None and kind.roles and by.role not in kind.roles:
        raise ImportRefused(_("您的岗位不能导入“%(kind)s”") % {"kind": kind.label})
    names = [_plain_name(upload.name) for upload in uploads]
    batch = ImportBatch.objects.create(
        kind=terms.kind,
        county_code=terms.county_code,
        plan_code=terms.plan_code,
        category_code=terms.category_code,
        full_list=terms.full_list,
        file_name="、".join(names)[:120],
        sha256="",
        sender=sender_of(by, terms.county_code),
        uploaded_by=by,
    )
    _store(batch, names, uploads)
    record(
        by=by,
        action="import.receive",
        target_kind="import",
        target=batch.pk,
        county_code=terms.county_code,
        detail={
            "kind": terms.kind,
            "files": len(names),
            "sha256": batch.sha256,
            "full_list": terms.full_list,
        },
    )
    return batch


class _Twin(Exception):
    """The same file is open already; everything written for the second one is taken back."""

    def __init__(self, batch: ImportBatch, stored: list[str]) -> None:
        super().__init__()
        self.batch, self.stored = batch, stored


@transaction.atomic
def receive_once(*, by: Any, terms: Terms, uploads: Sequence[Upload]) -> tuple[ImportBatch, bool]:
    """``receive``, but the same files on the same terms that the person has open already are that batch.

    A form sent twice, by a double click or from a page gone back to, is one batch. Returns it and whether it is new.
    """
    with connection.cursor() as cursor:
        # Whoever presses twice at once waits here for herself.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, by.pk])
    try:
        with transaction.atomic():
            batch = receive(by=by, terms=terms, uploads=uploads)
            twin = _open_twin(batch)
            if twin is not None:
                raise _Twin(twin, list(batch.files.values_list("stored_as", flat=True)))
    except _Twin as found:
        for stored_as in found.stored:
            vault.remove(stored_as)
        return found.batch, False
    return batch, True


def _open_twin(batch: ImportBatch) -> ImportBatch | None:
    same = ImportBatch.objects.filter(
        uploaded_by=batch.uploaded_by_id,
        sha256=batch.sha256,
        kind=batch.kind,
        plan_code=batch.plan_code,
        category_code=batch.category_code,
        full_list=batch.full_list,
        state__in=(BatchState.RECEIVED, BatchState.CHECKED),
    )
    return same.exclude(pk=batch.pk).order_by("-pk").first()


def _plain_name(name: str) -> str:
    """A file's own name without folders; numbers as long as a phone's or a person's are starred, since it is kept readable."""
    plain = PurePath(name.replace("\\", "/")).name[-120:]
    return _LONG_NUMBER.sub(lambda found: "*" * len(found[0]), plain)


def _store(batch: ImportBatch, names: list[str], uploads: Sequence[Upload]) -> None:
    digest = hashlib.sha256()
    kept: list[str] = []
    try:
        for position, (name, upload) in enumerate(zip(names, uploads, strict=True)):
            stored = vault.store(upload.content, folder=f"imports/{batch.county_code}")
            kept.append(stored.name)
            digest.update(stored.sha256.encode())
            ImportFile.objects.create(
                batch=batch,
                position=position,
                name=name,
                size=stored.size,
                sha256=stored.sha256,
                stored_as=stored.name,
            )
    except BaseException:
        # The rows go with the transaction; the storage knows of none.
        for stored_as in kept:
            vault.remove(stored_as)
        raise
    batch.sha256 = digest.hexdigest()
    batch.save(update_fields=["sha256"])


def receive_paths(*, by: Any, terms: Terms, paths: Sequence[Path]) -> ImportBatch:
    """``receive`` for files on this machine. Raises ImportRefused for a path that cannot be read."""
    opened: list[IO[bytes]] = []
    try:
        for path in paths:
            try:
                opened.append(path.open("rb"))
            except OSError:
                raise ImportRefused(_("打不开文件：%(name)s") % {"name": path.name}) from None
        uploads = [Upload(path.name, content) for path, content in zip(paths, opened, strict=True)]
        return receive(by=by, terms=terms, uploads=uploads)
    finally:
        for content in opened:
            content.close()


@transaction.atomic
def abandon(*, by: Any, batch: ImportBatch) -> None:
    """Drop a batch that was not applied: its files and staged rows go, its line in the history stays."""
    held = ImportBatch.objects.select_for_update().get(pk=batch.pk)
    if not held.is_open:
        raise ImportRefused(_("这一批已经入库或结束，不能放弃"))
    clear_staging(held)
    ReturnedRow.objects.filter(batch=held).delete()
    for file in held.files.all():
        vault.remove(file.stored_as)
    held.files.update(stored_as="", table={})
    forget(held)
    held.state = BatchState.ABANDONED
    held.save(update_fields=["state", "findings_stored_as"])
    record(by=by, action="import.abandon", target_kind="import", target=held.pk, county_code=held.county_code)
    batch.state = held.state


def clear_staging(batch: ImportBatch) -> None:
    """Remove a batch's staged rows."""
    with transaction.get_connection().cursor() as cursor:
        cursor.execute(f"DELETE FROM {import_kind(batch.kind).staging} WHERE batch = %s", [batch.pk])
