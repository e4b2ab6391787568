from __future__ import annotations

from django.apps import AppConfig


class EnrollmentConfig(AppConfig):
    name = "enrollment"

    def ready(self) -> None:
        """Declare the kinds of files this app takes in."""
        # Models are loaded only now, and the kinds stand on them.
        from enrollment.services.imports import declare

        declare()
