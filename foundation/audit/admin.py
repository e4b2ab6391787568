"""The trail, to read."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from foundation.audit.models import AuditEvent
from foundation.office import ScopedModelAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ScopedModelAdmin):
    """留痕: who did what to what, of the county. Codes and counts, no names and no numbers."""

    list_display = ("at", "actor", "action", "target_kind", "target", "short_detail")
    list_select_related = ("actor",)
    fields = ("at", "actor", "action", "target_kind", "target", "township_code", "short_detail")
    readonly_fields = fields
    search_fields = ("action", "target")
    search_help_text = _("事情或对象的编号")
    ordering = ("-pk",)

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return queryset.filter(county_code=user.county_code)

    @display(description=_("内容"))
    def short_detail(self, event: AuditEvent) -> str:
        """What was noted beside it."""
        return json.dumps(event.detail, ensure_ascii=False) if event.detail else ""
