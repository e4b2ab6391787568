"""What a sender's columns mean: confirmed once, remembered for the same headers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from foundation.audit.services import record
from foundation.imports.engine.tables import IGNORE, field_label, headers_digest
from foundation.imports.kinds import ImportKind, ImportRefused, import_kind
from foundation.imports.models import ImportBatch, ImportFile, ImportMapping
from foundation.imports.senders import sender_of


@transaction.atomic
def change_mapping(
    *,
    by: Any,
    batch: ImportBatch,
    position: int,
    mapping: dict[str, str],
    sheets: Collection[str] | None = None,
) -> None:
    """Say what the columns of a file mean and which of its sheets to read; remember the columns for the sender.

    ``mapping`` gives each column's key (``sheets.column_keys``) its field, or the empty text. ``sheets`` None leaves
    the choice of sheets as it is. Raises ImportRefused when a field is named twice, unknown, or needed and missing,
    and when no sheet is left.
    """
    kind = import_kind(batch.kind)
    if not batch.is_open:
        raise ImportRefused(_("这一批已经入库或结束，不能再改列"))
    file = batch.files.filter(position=position).first()
    if file is None:
        raise ImportRefused(_("没有这个文件"))
    fields = [field for field in mapping.values() if field]
    _check(kind, fields)
    # A column left out would be found again by its header: it is said that it is not to be read.
    full = {key: field or IGNORE for key, field in mapping.items() if key}
    batch.mapping = {**batch.mapping, **full}
    batch.save(update_fields=["mapping"])
    if sheets is not None:
        _choose_sheets(file, sheets)
    if headers := file.table.get("headers"):
        ImportMapping.objects.update_or_create(
            kind=batch.kind,
            sender=sender_of(by, batch.county_code),
            headers_digest=headers_digest(headers),
            defaults={"mapping": full},
        )
    record(
        by=by,
        action="import.mapping",
        target_kind="import",
        target=batch.pk,
        county_code=batch.county_code,
        detail={"columns": len(fields), "file": position, "left_out": len(file.left_out)},
    )


def _check(kind: ImportKind, fields: list[str]) -> None:
    if not set(fields) <= {*kind.required, *kind.optional}:
        raise ImportRefused(_("有的列选了不认识的项，请重新选择"))
    twice = sorted({field for field in fields if fields.count(field) > 1})
    if twice:
        names = "、".join(field_label(field) for field in twice)
        raise ImportRefused(_("有两列都当作了%(names)s，请只留一列") % {"names": names})
    missing = [field_label(field) for field in kind.required if field not in fields]
    missing += [
        _("或").join(field_label(field) for field in group)
        for group in kind.any_of
        if not set(group) & set(fields)
    ]
    if missing:
        raise ImportRefused(_("还没有指定：%(names)s") % {"names": "、".join(missing)})


def _choose_sheets(file: ImportFile, sheets: Collection[str]) -> None:
    known = [each["name"] for each in file.table.get("sheets", ())] + file.table.get("other_sheets", [])
    left_out = [name for name in known if name not in sheets]
    if known and len(left_out) == len(known):
        raise ImportRefused(_("请至少留下一个要读的工作表"))
    file.left_out = left_out
    file.save(update_fields=["left_out"])
