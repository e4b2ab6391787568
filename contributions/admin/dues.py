"""Charges and assessments, to read: they come from the plan's rules alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from contributions.models import Assessment, Charge
from contributions.words import reason
from enrollment.admin import OfOnePerson, search_people
from foundation.money import format_yuan
from townships.admin_base import TownshipFilter, UnitFilter


class PricedAdmin(OfOnePerson):
    """Columns of an evaluator's answer."""

    search_fields = ("resident__name",)
    search_help_text = _("姓名、首字母、身份证号或后四位")
    list_select_related = ("resident", "unit")
    ordering = ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search_people(request, queryset, search_term, "resident")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never by hand."""
        return False

    @display(description=_("原因"))
    def why(self, row: Any) -> str:
        """The reason in words."""
        return reason(row.reason) if row.reason else ""

    @display(description=_("个人缴"))
    def personal(self, row: Any) -> str:
        """Yuan."""
        return format_yuan(row.personal_amount)

    @display(description=_("政府代缴"))
    def government(self, row: Any) -> str:
        """Yuan."""
        return format_yuan(row.government_paid_amount)

    @display(description=_("财政补助"))
    def fiscal(self, row: Any) -> str:
        """Yuan."""
        return format_yuan(row.fiscal_subsidy_amount)


@admin.register(Charge)
class ChargeAdmin(PricedAdmin):
    """应缴."""

    list_display = (
        "resident",
        "unit",
        "insurance",
        "decision",
        "personal",
        "government",
        "fiscal",
        "version",
    )
    list_filter = (
        TownshipFilter,
        UnitFilter,
        ("insurance", ChoicesDropdownFilter),
        ("decision", ChoicesDropdownFilter),
        "current",
    )
    fields = (
        "resident", "unit", "plan", "insurance", "coverage_year", "kind", "decision", "why", "tier", "personal",
        "government", "fiscal", "pension_government_subsidy", "family_planning_subsidy", "total_amount",
        "benefit_start", "benefit_end", "priced_on", "version", "current", "created_at",
    )  # fmt: skip
    readonly_fields = fields


@admin.register(Assessment)
class AssessmentAdmin(PricedAdmin):
    """核定."""

    list_display = ("resident", "unit", "insurance", "age", "decision", "why", "personal", "government")
    list_filter = (
        TownshipFilter,
        UnitFilter,
        ("insurance", ChoicesDropdownFilter),
        ("decision", ChoicesDropdownFilter),
    )
    fields = (
        "resident", "unit", "plan", "insurance", "coverage_year", "age", "decision", "why", "personal", "government",
        "fiscal", "benefit_start", "benefit_end", "priced_on",
    )  # fmt: skip
    readonly_fields = fields
