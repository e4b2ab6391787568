"""Filters by place that offer only the person's own places."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from townships.models import CollectingUnit, Township, User


def signed_in(request: HttpRequest) -> User:
    """The person behind a request of the office."""
    assert isinstance(request.user, User)
    return request.user


class TownshipFilter(DropdownFilter):
    """镇街, of the person's scope; nothing to choose for a clerk of one township."""

    title = _("镇街")
    parameter_name = "township"
    path = "township_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        ids = signed_in(request).scope_places().townships
        rows = Township.objects.filter(pk__in=ids).order_by("position", "code")
        return [(row.code, row.name) for row in rows] if len(ids) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        ids = signed_in(request).scope_places().townships
        chosen = Township.objects.filter(pk__in=ids, code=self.value()).values_list("pk", flat=True)
        return queryset.filter(**{f"{self.path}__in": list(chosen)})


class UnitFilter(DropdownFilter):
    """代收单位 of the person's scope; for a county, of the township chosen beside it."""

    title = _("代收单位")
    parameter_name = "unit"
    path = "unit_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        user = signed_in(request)
        rows = CollectingUnit.objects.visible_to(user)
        if len(user.scope_places().townships) > 1:
            rows = rows.filter(township__code=request.GET.get("township", ""))
        return [(row.code, row.name) for row in rows.order_by("position", "code")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        units = CollectingUnit.objects.visible_to(signed_in(request)).filter(code=self.value())
        return queryset.filter(**{f"{self.path}__in": list(units.values_list("pk", flat=True))})
