"""The first wall: every read of residents' data starts from ``visible_to(user)``."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models

from foundation.scope.places import HasPlaces


class ScopedQuerySet(models.QuerySet[Any]):
    """Row filter by place. A model that keeps its place elsewhere names the paths in ``scope_paths``."""

    def visible_to(self, user: HasPlaces) -> Self:
        """Rows of the townships seen whole and of the single units seen beside them; nobody else's."""
        places = user.scope_places()
        township, unit = getattr(self.model, "scope_paths", ("township_id", "unit_id"))
        condition = models.Q(**{f"{township}__in": sorted(places.townships)})
        if places.units:
            condition |= models.Q(**{f"{unit}__in": sorted(places.units)})
        return self.filter(condition)


ScopedManager = models.Manager.from_queryset(ScopedQuerySet)


class ScopedModel(models.Model):
    """A table with residents' data: it carries township and unit, and row-level security holds it."""

    row_level_security: ClassVar[bool] = True

    objects = ScopedManager()

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
