from __future__ import annotations

from django.apps import AppConfig


class TownshipsConfig(AppConfig):
    name = "townships"

    def ready(self) -> None:
        """Declare the list of collecting units as a kind of file."""
        # Models are loaded only now, and the kind stands on them.
        from foundation.imports.kinds import register
        from townships.services.imports.units import KIND

        register(KIND)
