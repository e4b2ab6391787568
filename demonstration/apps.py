"""Django app of the demonstration: the synthetic county and what runs on it."""

from django.apps import AppConfig


class DemonstrationConfig(AppConfig):
    name = "demonstration"
    label = "demonstration"
    verbose_name = "演示"
