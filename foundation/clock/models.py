"""The county's calendar: an offset that only a demonstration moves."""

from __future__ import annotations

from django.db import models


class CountyClock(models.Model):
    """Days added to the real date to get a county's business date (zero, or no row, outside the demonstration)."""

    county_code = models.CharField(max_length=12, primary_key=True)
    offset_days = models.IntegerField(default=0)
