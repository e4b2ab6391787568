from __future__ import annotations

from django.apps import AppConfig


class TownshipsConfig(AppConfig):
    name = "townships"
