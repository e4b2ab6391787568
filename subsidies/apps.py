from __future__ import annotations

from django.apps import AppConfig


class SubsidiesConfig(AppConfig):
    name = "subsidies"

    def ready(self) -> None:
        """Plans say until when lists have to be right."""
        # Models are loaded only now, and the reads stand on them.
        from foundation.imports.kinds import on_deadline
        from subsidies.lists import list_deadline

        on_deadline(list_deadline)
