"""Figures per unit: folded from what the owning apps append, read by every page, report and API."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from contributions.models.dues import yuan_field
from enrollment.models import CollectionPlan, Insurance


class FigureQuerySet(models.QuerySet[Any]):
    """Reads of figures; they name no person, and still each office sees its own places."""

    def visible_to(self, user: Any) -> FigureQuerySet:
        """Figures of the townships seen whole and of single units."""
        places = user.scope_places()
        return self.filter(Q(township_id__in=sorted(places.townships)) | Q(unit_id__in=sorted(places.units)))


class UnitFigure(models.Model):
    """Standing of a unit by insurance and age band. Definitions: ``contributions/figures.py``."""

    row_level_security: ClassVar[bool] = True

    plan = models.ForeignKey(CollectionPlan, on_delete=models.CASCADE, related_name="+", db_index=False)
    township_id = models.IntegerField()
    unit_id = models.IntegerField()
    insurance = models.CharField(max_length=8, choices=Insurance)
    band = models.CharField(max_length=8)
    in_scope = models.IntegerField(default=0)
    registered = models.IntegerField(default=0)
    due = models.IntegerField(default=0)
    due_amount = yuan_field("", default=0)
    exempt = models.IntegerField(default=0)
    exempt_amount = yuan_field("", default=0, db_default=0)
    billed = models.IntegerField(default=0, db_default=0)
    billed_amount = yuan_field("", default=0, db_default=0)
    paid = models.IntegerField(default=0)
    paid_amount = yuan_field("", default=0)
    confirmed = models.IntegerField(default=0)
    confirmed_amount = yuan_field("", default=0)
    settled_amount = yuan_field("", default=0)
    disbursed = models.IntegerField(default=0, db_default=0)
    disbursed_amount = yuan_field("", default=0, db_default=0)

    objects = FigureQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "unit_id", "insurance", "band"], name="unit_figure_once")
        ]
        indexes = [models.Index(fields=["plan", "township_id"], name="unit_figure_township")]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.insurance} {self.band}"


class UnitDay(models.Model):
    """What a day added to a unit, by insurance."""

    row_level_security: ClassVar[bool] = True

    plan = models.ForeignKey(CollectionPlan, on_delete=models.CASCADE, related_name="+", db_index=False)
    township_id = models.IntegerField()
    unit_id = models.IntegerField()
    insurance = models.CharField(max_length=8, choices=Insurance)
    day = models.DateField()
    paid = models.IntegerField(default=0)
    paid_amount = yuan_field("", default=0)
    confirmed = models.IntegerField(default=0)
    confirmed_amount = yuan_field("", default=0)
    settled_amount = yuan_field("", default=0)
    disbursed = models.IntegerField(default=0, db_default=0)
    disbursed_amount = yuan_field("", default=0, db_default=0)

    objects = FigureQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "unit_id", "insurance", "day"], name="unit_day_once")
        ]
        indexes = [models.Index(fields=["plan", "day"], name="unit_day_day")]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.insurance} {self.day}"


class InTransit(models.Model):
    """Money on its way (在途) by unit, insurance and the day it set out; counted anew at most once a minute."""

    row_level_security: ClassVar[bool] = True

    plan = models.ForeignKey(CollectionPlan, on_delete=models.CASCADE, related_name="+")
    township_id = models.IntegerField()
    unit_id = models.IntegerField()
    insurance = models.CharField(max_length=8, choices=Insurance)
    stage = models.CharField(max_length=12)
    day = models.DateField()
    heads = models.IntegerField()
    amount = yuan_field("")

    objects = FigureQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.unit_id} {self.stage} {self.day}"


class InTransitCount(models.Model):
    """When a plan's money on its way was last counted, and whether anything has moved since."""

    plan = models.OneToOneField(CollectionPlan, on_delete=models.CASCADE, primary_key=True, related_name="+")
    counted_at = models.DateTimeField()
    stale = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.plan_id} {self.counted_at}"
