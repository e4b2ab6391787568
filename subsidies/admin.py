"""A plan's rules with their clauses, to read."""

from __future__ import annotations

import json

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from enrollment.admin import PlanScoped
from subsidies.models import Rule


@admin.register(Rule)
class RuleAdmin(PlanScoped):
    """规则."""

    list_display = ("shown_name", "insurance", "clause", "lines")
    list_filter = (("plan", RelatedDropdownFilter), ("insurance", ChoicesDropdownFilter))
    fields = ("plan", "name", "code", "insurance", "kind", "clause", "lines", "condition_text", "effect_text")
    readonly_fields = fields
    search_fields = ("name", "code", "clause")
    search_help_text = _("规则名或条文里的字")
    ordering = ("plan", "position", "pk")

    @display(description=_("规则"))
    def shown_name(self, rule: Rule) -> str:
        """Its name, else its code."""
        return str(rule)

    @display(description=_("条件"))
    def condition_text(self, rule: Rule) -> SafeString:
        """The condition as data."""
        return _as_text(rule.condition)

    @display(description=_("结果"))
    def effect_text(self, rule: Rule) -> SafeString:
        """Effect and shares as data."""
        return _as_text({"effect": rule.effect, "shares": rule.shares})


def _as_text(value: object) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, ensure_ascii=False, indent=2))
