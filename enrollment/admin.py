"""Plans, households, special groups and registrations in the office. Residents have their page in contributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from import_export import fields as sheet
from import_export.admin import ExportMixin
from import_export.widgets import SimpleArrayWidget
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.contrib.import_export.forms import ExportForm
from unfold.decorators import display

from enrollment.models import (
    Category,
    CollectionPlan,
    FamilyRecord,
    Household,
    Membership,
    PriorPayment,
    Registration,
    Resident,
    Target,
    Tier,
)
from enrollment.models.register import MarkState
from enrollment.queries import search_condition
from enrollment.services.register import change_membership, correct_household
from foundation.office import ScopedModelAdmin
from townships.admin import ReferenceAdmin, ReferenceResource
from townships.admin_base import TownshipFilter, UnitFilter, signed_in

if TYPE_CHECKING:
    _HouseholdForm = forms.ModelForm[Household]
    _MembershipForm = forms.ModelForm[Membership]
else:  # the framework's class takes no parameters at run time
    _HouseholdForm = _MembershipForm = forms.ModelForm


class PlanScoped(ScopedModelAdmin):
    """Plans are public papers of a county: everybody in its offices reads them."""

    plan_path: ClassVar[str] = "plan__"

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return queryset.filter(Q(**{f"{self.plan_path}county_id": user.county_id}))


@admin.register(CollectionPlan)
class CollectionPlanAdmin(PlanScoped):
    """征缴方案."""

    plan_path = ""
    list_display = ("name", "document_number", "coverage_year", "collection_mode", "status", "version")
    list_filter = (("status", ChoicesDropdownFilter),)
    fields = (
        "name", "document_number", "issuer", "issued_on", "coverage_year", "insurances", "collection_mode",
        "status", "code", "version", "published_at",
    )  # fmt: skip
    readonly_fields = fields
    search_fields = ("name", "code", "document_number")
    ordering = ("-coverage_year", "code", "-version")


@admin.register(Target)
class TargetAdmin(PlanScoped):
    """任务数; the row without a township is the printed total."""

    list_display = ("where", "insurance", "headcount", "villages", "note", "plan")
    list_filter = (("insurance", ChoicesDropdownFilter), ("plan", RelatedDropdownFilter))
    list_select_related = ("township", "plan")
    fields = ("plan", "township", "insurance", "headcount", "villages", "note", "clause", "lines")
    readonly_fields = fields
    ordering = ("plan", "insurance", "township__position")

    @display(description=_("镇街"))
    def where(self, target: Target) -> str:
        """The township, or the total."""
        return target.township.name if target.township is not None else str(_("合计"))


@admin.register(Tier)
class TierAdmin(ExportMixin, PlanScoped):
    """缴费档次: of the plan, read only; the administrator may take them out as a sheet."""

    export_form_class = ExportForm
    list_display = ("amount", "subsidy", "restricted_to", "plan")
    list_select_related = ("plan",)
    fields = ("plan", "amount", "subsidy", "restricted_to", "clause", "lines")
    readonly_fields = fields
    ordering = ("plan", "amount")

    def has_export_permission(self, request: HttpRequest) -> bool:
        return signed_in(request).role == "admin"


class CategoryResource(ReferenceResource):
    """Special groups by code."""

    code = sheet.Field(attribute="code", column_name="代码")
    name = sheet.Field(attribute="name", column_name="名称")
    aliases = sheet.Field(attribute="aliases", column_name="别名", widget=SimpleArrayWidget("、"))
    agency_kind = sheet.Field(attribute="agency_kind", column_name="认定部门")
    position = sheet.Field(attribute="position", column_name="顺序")

    class Meta(ReferenceResource.Meta):
        model = Category
        import_id_fields = ("code",)
        fields = ("code", "name", "aliases", "agency_kind", "position")


@admin.register(Category)
class CategoryAdmin(ReferenceAdmin):
    """特殊群体的类别: names nobody's, so everybody in the offices reads them."""

    resource_classes: ClassVar[Any] = [CategoryResource]
    list_display = ("name", "code", "agency_kind", "position")
    fields = ("code", "name", "aliases", "agency_kind", "position")
    search_fields = ("name", "code")
    ordering = ("position", "code")

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return queryset


class HouseholdForm(_HouseholdForm):
    """Where a household is found on the round."""

    class Meta:
        model = Household
        fields = ("group_name", "house_number", "walk")


@admin.register(Household)
class HouseholdAdmin(ScopedModelAdmin):
    """户."""

    form = HouseholdForm
    list_display = ("head_name", "number", "place", "group_name", "house_number")
    list_filter = (TownshipFilter, UnitFilter)
    list_select_related = ("township", "unit")
    fields = ("head_name", "number", "place", "members", "acts", "group_name", "house_number", "walk")
    readonly_fields = ("head_name", "number", "place", "members", "acts")
    search_fields = ("head_name", "number")
    search_help_text = _("户主姓名或户编号")
    ordering = ("unit_id", "walk")

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return super().narrow(queryset, user).filter(merged_into=None)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(Q(head_name__startswith=term) | Q(number=term)), False

    @display(description=_("村居"))
    def place(self, household: Household) -> str:
        """Township and unit."""
        return f"{household.township.name} {household.unit.name}"

    @display(description=_("分户、并户、新生儿"))
    def acts(self, household: Household) -> SafeString:
        """The household's own page, where it is changed."""
        return format_html(
            '<a href="{}">{}</a>', reverse("register:household", args=[household.pk]), _("去这一户的页面办")
        )

    @display(description=_("家庭成员"))
    def members(self, household: Household) -> str:
        """Names, head first."""
        people = household.residents.filter(merged_into=None).order_by("-is_head", "pk")
        return "、".join(person.name for person in people)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        data = form.cleaned_data
        correct_household(
            by=signed_in(request), household=obj.pk, group_name=data["group_name"],
            house_number=data["house_number"], walk=data["walk"],
        )  # fmt: skip


class MembershipForm(_MembershipForm):
    """The last day and the grade; the rest is the department's list."""

    class Meta:
        model = Membership
        fields = ("valid_to", "grade")


_MARK_STATE = {
    MarkState.LISTED: "state--wait",
    MarkState.VERIFIED: "state--go",
    MarkState.MARKED: "state--go",
    MarkState.SYNCED: "state--done",
}


@admin.register(Membership)
class MembershipAdmin(ScopedModelAdmin):
    """特殊群体成员."""

    form = MembershipForm
    list_display = ("resident", "category", "place", "grade", "valid_from", "valid_to", "travelled")
    list_filter = (
        TownshipFilter,
        UnitFilter,
        ("category", RelatedDropdownFilter),
        ("mark", ChoicesDropdownFilter),
    )
    list_select_related = ("resident", "category", "township", "unit")
    fields = (
        "resident", "category", "place", "valid_from", "certified_by", "certified_on", "travelled", "valid_to",
        "grade",
    )  # fmt: skip
    readonly_fields = fields[:-2]
    search_fields = ("resident__name",)
    search_help_text = _("姓名、首字母、身份证号或后四位")
    ordering = ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search_people(request, queryset, search_term, "resident")

    @display(description=_("村居"))
    def place(self, membership: Membership) -> str:
        """Township and unit."""
        return f"{membership.township.name} {membership.unit.name}"

    def title_of(self, obj: Any) -> str:
        return f"{obj.resident.name}，{obj.category.name}"

    @display(description=_("标识"))
    def travelled(self, membership: Membership) -> SafeString:
        """How far the mark has travelled."""
        mark = MarkState(membership.mark)
        return format_html('<span class="state {}">{}</span>', _MARK_STATE[mark], mark.label)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        change_membership(by=signed_in(request), membership=obj.pk, **form.cleaned_data)


class OfOnePerson(ScopedModelAdmin):
    """Rows headed by the person they are about."""

    def title_of(self, obj: Any) -> str:
        return f"{obj.resident.name}，{self.opts.verbose_name}"


@admin.register(FamilyRecord)
class FamilyRecordAdmin(OfOnePerson):
    """计生家庭."""

    list_display = ("resident", "kind", "lawful_birth", "unit")
    list_filter = (TownshipFilter, UnitFilter)
    list_select_related = ("resident", "unit")
    fields = ("resident", "kind", "lawful_birth", "wife_birth_date", "spouse")
    readonly_fields = fields
    ordering = ("-pk",)


@admin.register(Registration)
class RegistrationAdmin(OfOnePerson):
    """参保登记."""

    list_display = ("resident", "insurance", "coverage_year", "tier", "is_new", "unit", "closing_reason")
    list_filter = (TownshipFilter, UnitFilter, ("insurance", ChoicesDropdownFilter))
    list_select_related = ("resident", "unit")
    fields = (
        "resident", "insurance", "coverage_year", "unit", "tier", "last_tier", "is_new", "missed_years",
        "repaired_years", "closing_reason",
    )  # fmt: skip
    readonly_fields = fields
    search_fields = ("resident__name",)
    ordering = ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search_people(request, queryset, search_term, "resident")


@admin.register(PriorPayment)
class PriorPaymentAdmin(ScopedModelAdmin):
    """上年缴费: as the tax side told it, registered this year or not."""

    list_display = ("name", "insurance", "coverage_year", "amount", "paid_on", "unit")
    list_filter = (TownshipFilter, UnitFilter, ("insurance", ChoicesDropdownFilter))
    list_select_related = ("unit",)
    fields = (*list_display, "voucher")
    readonly_fields = fields
    search_fields = ("name",)
    ordering = ("-pk",)


def search_people(
    request: HttpRequest, queryset: QuerySet[Any], text: str, path: str = ""
) -> tuple[QuerySet[Any], bool]:
    """Rows of people found by name, initials, nickname, last four, phone tail or full number.

    ``path`` names the foreign key to the resident, empty for residents themselves. People are searched within the
    scope.
    """
    if not text.strip():
        return queryset, False
    condition = search_condition(text, signed_in(request).county_code)
    if not path:
        return queryset.filter(condition), False
    found = Resident.objects.visible_to(signed_in(request)).filter(condition).values("pk")
    return queryset.filter(**{f"{path}_id__in": found}), False
