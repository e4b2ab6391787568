from __future__ import annotations

from django.apps import AppConfig


class SeasonsConfig(AppConfig):
    name = "seasons"

    def ready(self) -> None:
        """Declare the jobs of the year's turn."""
        # Models are there only now, and the kinds' functions read them.
        from foundation.jobs.kinds import register
        from seasons.services.closing import CLOSING
        from seasons.services.opening import OPENING

        register(OPENING)
        register(CLOSING)
