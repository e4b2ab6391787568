from __future__ import annotations

from django.apps import AppConfig


class ScopeConfig(AppConfig):
    name = "foundation.scope"
    label = "scope"
