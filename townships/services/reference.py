"""Reference data changed by hand or by a sheet: checked whole, saved, and in the trail."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction

from foundation.audit.services import record


@transaction.atomic
def save_reference(*, by: Any, row: models.Model) -> None:
    """Save a place, an agency or a category with its audit row. Raises ValidationError for what does not hold."""
    created = row.pk is None
    row.full_clean()
    changed = [] if created else _changed(row)
    row.save()
    record(
        by=by, action="reference.create" if created else "reference.change", target_kind=str(row._meta.model_name),
        target=row.pk, county_code=getattr(by, "county_code", ""), detail={"fields": changed},
    )  # fmt: skip


def _changed(row: models.Model) -> list[str]:
    stored = type(row)._default_manager.get(pk=row.pk)
    return [f.name for f in row._meta.fields if getattr(stored, f.attname) != getattr(row, f.attname)]
