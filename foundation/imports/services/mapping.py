"""What a sender's columns mean: confirmed once, remembered for the same headers."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from foundation.audit.services import record
from foundation.imports.engine.tables import IGNORE, field_label, headers_digest, sender_of
from foundation.imports.kinds import ImportRefused, import_kind
from foundation.imports.models import ImportBatch, ImportMapping


@transaction.atomic
def change_mapping(*, by: Any, batch: ImportBatch, mapping: dict[str, str]) -> None:
    """Set header → field for a batch and remember it for the sender. Raises ImportRefused when a field is named twice,
    unknown, or required and missing."""
    kind = import_kind(batch.kind)
    if not batch.is_open:
        raise ImportRefused(_("这一批已经入库或结束，不能再改列"))
    known = {*kind.required, *kind.optional}
    chosen = {header: field for header, field in mapping.items() if header and field}
    fields = [field for field in chosen.values() if not field.startswith(IGNORE)]
    if not set(fields) <= known:
        raise ImportRefused(_("有的列选了不认识的项，请重新选择"))
    twice = sorted({field for field in fields if fields.count(field) > 1})
    if twice:
        names = "、".join(field_label(field) for field in twice)
        raise ImportRefused(_("有两列都当作了%(names)s，请只留一列") % {"names": names})
    missing = [field for field in kind.required if field not in fields]
    if missing:
        names = "、".join(field_label(field) for field in missing)
        raise ImportRefused(_("还没有指定：%(names)s") % {"names": names})
    # A header left out would be found again by its name: say that it is not to be read.
    full = {header: chosen.get(header, f"{IGNORE}{place}") for place, header in enumerate(mapping) if header}
    batch.mapping = full
    batch.save(update_fields=["mapping"])
    for file in batch.files.all():
        headers = file.table.get("headers")
        if headers:
            ImportMapping.objects.update_or_create(
                kind=batch.kind,
                sender=sender_of(by),
                headers_digest=headers_digest(headers),
                defaults={"mapping": full},
            )
    record(
        by=by,
        action="import.mapping",
        target_kind="import",
        target=batch.pk,
        county_code=batch.county_code,
        detail={"columns": len(fields)},
    )
