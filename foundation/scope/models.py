"""The first wall: every read of residents' data starts from ``visible_to(user)``."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from foundation.scope.places import HasPlaces, Places


class ScopedQuerySet(models.QuerySet[Any]):
    """Row filter by place. A model that keeps its place elsewhere names the paths in ``scope_paths``."""

    def visible_to(self, user: HasPlaces) -> Self:
        """Rows of the townships seen whole and of the single units seen beside them; nobody else's.

        A model that other places read as well (``AlsoSeenModel``) shows them its rows too.
        """
        places = user.scope_places()
        condition = self._placed(places)
        if getattr(self.model, "also_seen", False):
            if places.townships:
                condition |= models.Q(also_townships__overlap=sorted(places.townships))
            if places.units:
                condition |= models.Q(also_units__overlap=sorted(places.units))
        return self.filter(condition)

    def held_by(self, user: HasPlaces) -> Self:
        """Rows whose own place is the user's: what she may change. Equal to ``visible_to`` for most models."""
        return self.filter(self._placed(user.scope_places()))

    def _placed(self, places: Places) -> models.Q:
        township, unit = getattr(self.model, "scope_paths", ("township_id", "unit_id"))
        condition = models.Q(**{f"{township}__in": sorted(places.townships)})
        if places.units:
            condition |= models.Q(**{f"{unit}__in": sorted(places.units)})
        return condition


ScopedManager = models.Manager.from_queryset(ScopedQuerySet)


class ScopedModel(models.Model):
    """A table with residents' data: it carries township and unit, and row-level security holds it."""

    row_level_security: ClassVar[bool] = True

    objects = ScopedManager()

    class Meta:
        abstract = True


class AlsoSeenModel(models.Model):
    """A row that other places read as well as its own: who moved away stays readable where he registered and paid.

    NULL means nobody else, which is nearly every row. Reading alone: what is written stays with the row's own place.
    """

    also_seen: ClassVar[bool] = True

    also_townships = ArrayField(models.IntegerField(), null=True, blank=True, editable=False)
    also_units = ArrayField(models.IntegerField(), null=True, blank=True, editable=False)

    class Meta:
        abstract = True


class AppendOnlyModel(models.Model):
    """A table the application may only add to: UPDATE, DELETE and TRUNCATE are taken from its role."""

    append_only: ClassVar[bool] = True

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert. Raises TypeError for a row that exists: what is written here is never changed."""
        if not self._state.adding:
            raise TypeError(f"{type(self).__name__} rows are never changed; write a new row.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refused: nothing here is ever deleted."""
        raise TypeError(f"{type(self).__name__} rows are never deleted.")
