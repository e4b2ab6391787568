from __future__ import annotations

from django.apps import AppConfig


class RostersConfig(AppConfig):
    name = "rosters"

    def ready(self) -> None:
        # Models are there only now, and the kind's functions read them.
        from foundation.imports.kinds import on_undo
        from foundation.jobs.kinds import register
        from rosters.services.generate import ROSTERS
        from rosters.services.undoing import sealed_rosters

        register(ROSTERS)
        on_undo(("registration",), sealed_rosters)
