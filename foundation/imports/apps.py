from __future__ import annotations

from django.apps import AppConfig


class ImportsConfig(AppConfig):
    name = "foundation.imports"
    label = "imports"

    def ready(self) -> None:
        """Imports are background work."""
        # Models are loaded only now, and the job stands on them.
        from foundation.imports.jobs import ERRORS_KIND, JOB_KIND
        from foundation.jobs.kinds import register

        register(JOB_KIND)
        register(ERRORS_KIND)
