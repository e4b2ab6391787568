"""``undo_import BATCH``: take a whole batch back, unless something depends on it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from foundation.commands import PortalCommand, Unusable
from foundation.imports.kinds import ImportRefused
from foundation.imports.models import ImportBatch
from foundation.imports.services.apply import undo
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from townships.models import Township


class Command(PortalCommand):
    """Undo an applied batch: what it made goes, what it changed is as it was before."""

    help = "Take a whole import batch back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("batch", type=int)

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        batch = ImportBatch.objects.filter(pk=options["batch"]).first()
        if batch is None:
            raise Unusable(f"there is no batch {options['batch']}")
        townships = Township.objects.filter(county__code=batch.county_code).values_list("pk", flat=True)
        places = Places(frozenset(townships))
        try:
            with places_scope(places):
                undo(by=None, batch=batch, places=places)
        except ImportRefused as error:
            raise Unusable(str(error)) from None
        return f"batch {batch.pk} undone", {"batch": batch.pk, "undone": True}, True
