from __future__ import annotations

from django.apps import AppConfig


class RostersConfig(AppConfig):
    name = "rosters"
