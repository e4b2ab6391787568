from __future__ import annotations

from django.apps import AppConfig


class EnrollmentConfig(AppConfig):
    name = "enrollment"

    def ready(self) -> None:
        """Declare the kinds of files this app takes in, and note whom every batch touches."""
        # Models are loaded only now, and the kinds stand on them.
        from enrollment.services.imports import declare
        from enrollment.services.imports.common import people_in_units
        from enrollment.services.pending import touched_by_batch
        from foundation.imports.kinds import on_rows, on_undo

        declare()
        on_rows(touched_by_batch)
        on_undo(("collecting_units",), people_in_units)
