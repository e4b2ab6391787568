from __future__ import annotations

from django.apps import AppConfig


class SubsidiesConfig(AppConfig):
    name = "subsidies"
