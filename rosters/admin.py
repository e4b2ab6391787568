"""Sealed rosters, to read."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from foundation.office import ScopedModelAdmin
from rosters.models import Roster
from townships.admin_base import TownshipFilter, UnitFilter


@admin.register(Roster)
class RosterAdmin(ScopedModelAdmin):
    """清册."""

    list_display = (
        "number", "kind", "township", "unit", "version", "line_count", "household_count", "as_of", "sealed_at",
    )  # fmt: skip
    list_filter = (TownshipFilter, UnitFilter, ("kind", ChoicesDropdownFilter))
    list_select_related = ("township", "unit")
    fields = (
        "number", "plan", "kind", "township", "unit", "version", "as_of", "line_count", "household_count",
        "sealed_by", "sealed_at", "fingerprint",
    )  # fmt: skip
    readonly_fields = fields
    search_fields = ("number",)
    search_help_text = _("清册编号")
    ordering = ("-pk",)
    audit_kind = "roster"

    @display(description=_("校验码（SHA-256）"))
    def fingerprint(self, roster: Roster) -> str:
        """The digest in groups, as it is printed on the paper."""
        return " ".join(roster.digest[i : i + 8] for i in range(0, 64, 8))
