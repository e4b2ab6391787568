from __future__ import annotations

import contextlib
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig

# Every Django process has the Celery application, so that a task is sent to our broker. Imported here and not
# in the package's __init__, which the keepers of the embedded servers import too.
from portal import checks
from portal.celery import app as celery_app

__all__ = ["OfficeAdminConfig", "PortalConfig", "celery_app", "checks"]


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "集征"

    def ready(self) -> None:
        """The static server warns at every start about a folder that nobody has collected into yet."""
        with contextlib.suppress(OSError):
            Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


class OfficeAdminConfig(AdminConfig):
    """Django's admin with the office's site."""

    default_site = "portal.admin_site.OfficeSite"
