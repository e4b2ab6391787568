"""Places, agencies, accounts and devices in the office."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from import_export import fields, resources
from import_export.admin import ImportExportModelAdmin
from import_export.widgets import ForeignKeyWidget, SimpleArrayWidget
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.widgets import UnfoldAdminPasswordWidget

from foundation.audit.services import record
from foundation.office import ScopedModelAdmin
from townships.admin_base import TownshipFilter, signed_in
from townships.models import Agency, CollectingUnit, County, Device, Township, User, Village
from townships.services.accounts import change_account, check_scope, create_account
from townships.services.reference import save_reference

if TYPE_CHECKING:
    _UserForm = forms.ModelForm[User]
else:  # the framework's class takes no parameters at run time
    _UserForm = forms.ModelForm


def own_townships(user: Any) -> QuerySet[Township]:
    """Townships a person sees whole, and those of his single units."""
    places = user.scope_places()
    return Township.objects.filter(Q(pk__in=places.townships) | Q(units__in=places.units)).distinct()


class ReferenceResource(resources.ModelResource):
    """A sheet of reference data by code; every row is saved by the service, in one transaction with its trail."""

    class Meta:
        skip_unchanged = True
        report_skipped = True
        clean_model_instances = True
        use_transactions = True

    def save_instance(self, instance: Any, is_create: bool, row: Any, **kwargs: Any) -> None:
        """By the service; a dry run saves too and is rolled back."""
        self.before_save_instance(instance, row, **kwargs)
        save_reference(by=kwargs["user"], row=instance)
        self.after_save_instance(instance, row, **kwargs)


class ReferenceAdmin(ImportExportModelAdmin, ScopedModelAdmin):
    """Reference data: sheets in and out for the administrator alone."""

    import_form_class = ImportForm
    export_form_class = ExportForm

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def get_export_queryset(self, request: HttpRequest) -> Any:
        """What the list shows, which is the person's own places; the export is in the trail."""
        rows = super().get_export_queryset(request)
        record(
            by=request.user, action="reference.export", target_kind=self.opts.model_name,
            county_code=signed_in(request).county_code,
        )  # fmt: skip
        return rows

    def get_import_data_kwargs(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_import_data_kwargs(request, *args, **kwargs), "user": request.user}

    def generate_log_entries(self, result: Any, request: HttpRequest) -> None:
        """The service has written the trail."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_reference(by=request.user, row=obj)


def _place_fields() -> dict[str, Any]:
    return {
        "aliases": fields.Field(attribute="aliases", column_name="别名", widget=SimpleArrayWidget("、")),
        "code": fields.Field(attribute="code", column_name="代码"),
        "name": fields.Field(attribute="name", column_name="名称"),
        "position": fields.Field(attribute="position", column_name="顺序"),
    }


class VillageResource(ReferenceResource):
    """Villages: code, name, short name, township, aliases, order."""

    code = _place_fields()["code"]
    name = _place_fields()["name"]
    short_name = fields.Field(attribute="short_name", column_name="简称")
    township = fields.Field(
        attribute="township", column_name="镇街代码", widget=ForeignKeyWidget(Township, "code")
    )
    aliases = _place_fields()["aliases"]
    position = _place_fields()["position"]

    class Meta(ReferenceResource.Meta):
        model = Village
        import_id_fields = ("code",)
        fields = ("code", "name", "short_name", "township", "aliases", "position")


class UnitResource(ReferenceResource):
    """Collecting units without their accounts and terminals."""

    code = _place_fields()["code"]
    name = _place_fields()["name"]
    kind = fields.Field(attribute="kind", column_name="类型")
    township = fields.Field(
        attribute="township", column_name="镇街代码", widget=ForeignKeyWidget(Township, "code")
    )
    village = fields.Field(
        attribute="village", column_name="村居代码", widget=ForeignKeyWidget(Village, "code")
    )
    position = _place_fields()["position"]

    class Meta(ReferenceResource.Meta):
        model = CollectingUnit
        import_id_fields = ("code",)
        fields = ("code", "name", "kind", "township", "village", "position")


class AgencyResource(ReferenceResource):
    """Agencies by name."""

    name = _place_fields()["name"]
    kind = fields.Field(attribute="kind", column_name="类型")
    township = fields.Field(
        attribute="township", column_name="镇街代码", widget=ForeignKeyWidget(Township, "code")
    )
    phone = fields.Field(attribute="phone", column_name="电话")

    class Meta(ReferenceResource.Meta):
        model = Agency
        import_id_fields = ("name",)
        fields = ("name", "kind", "township", "phone")

    def before_save_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        instance.county_id = kwargs["user"].county_id

    def init_instance(self, row: Any = None) -> Any:
        return Agency()


@admin.register(Township)
class TownshipAdmin(ScopedModelAdmin):
    """镇街."""

    list_display = ("name", "code", "short_name", "position")
    fields = ("code", "name", "short_name", "aliases", "position")
    readonly_fields = ("code",)
    search_fields = ("name", "code")
    ordering = ("position", "code")

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return queryset.filter(pk__in=own_townships(user))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_reference(by=request.user, row=obj)


@admin.register(Village)
class VillageAdmin(ReferenceAdmin):
    """村居."""

    resource_classes: ClassVar[Any] = [VillageResource]
    list_display = ("name", "township", "code", "position")
    list_filter = (TownshipFilter,)
    list_select_related = ("township",)
    fields = ("code", "name", "short_name", "township", "aliases", "position", "successor")
    autocomplete_fields = ("township", "successor")
    search_fields = ("name", "code", "short_name")
    search_help_text = _("村名或代码")
    ordering = ("township__position", "position", "code")

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        places = user.scope_places()
        return queryset.filter(Q(township_id__in=places.townships) | Q(units__in=places.units)).distinct()


@admin.register(CollectingUnit)
class CollectingUnitAdmin(ReferenceAdmin):
    """代收单位."""

    resource_classes: ClassVar[Any] = [UnitResource]
    list_display = ("name", "township", "kind", "code", "position")
    list_filter = (TownshipFilter, ("kind", ChoicesDropdownFilter))
    list_select_related = ("township",)
    fields = (
        "code", "name", "kind", "township", "village", "position", "agent_name", "account_name", "account", "pos_number",
    )  # fmt: skip
    autocomplete_fields = ("township", "village")
    search_fields = ("name", "code")
    search_help_text = _("单位名或代码")
    ordering = ("township__position", "position", "code")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Account and terminal numbers only for who keeps them."""
        shown = super().get_fields(request, obj)
        return shown if self.has_change_permission(request) else shown[:-3]


@admin.register(Agency)
class AgencyAdmin(ReferenceAdmin):
    """机构."""

    resource_classes: ClassVar[Any] = [AgencyResource]
    list_display = ("name", "kind", "township", "phone")
    list_filter = (("kind", ChoicesDropdownFilter),)
    list_select_related = ("township",)
    fields = ("name", "kind", "township", "phone")
    autocomplete_fields = ("township",)
    search_fields = ("name",)
    ordering = ("kind", "name")

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return queryset.filter(county_id=user.county_id)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.county_id = signed_in(request).county_id
        super().save_model(request, obj, form, change)


class AccountForm(_UserForm):
    """A post's account; the service checks that role and scope fit."""

    password = forms.CharField(
        label=_("密码"), required=False, strip=False, widget=UnfoldAdminPasswordWidget(),
        help_text=_("新账号必填；改账号时留空表示不变。改动角色、范围或密码后，这个账号会在各处退出登录。"),
    )  # fmt: skip

    county: ClassVar[County | None] = None
    """The administrator's, set by the admin for each request's form."""

    class Meta:
        model = User
        fields = ("username", "display_name", "role", "agency", "townships", "units", "is_active")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.instance.pk and not data.get("password"):
            self.add_error("password", _("请给新账号设一个密码。"))
        if data.get("password"):
            try:
                validate_password(data["password"], self.instance)
            except ValidationError as error:
                self.add_error("password", error)
        if not self.errors and self.county is not None:
            check_scope(data["role"], self.county, list(data["townships"]), list(data["units"]))
        return data


@admin.register(User)
class UserAdmin(ScopedModelAdmin):
    """用户."""

    form = AccountForm
    list_display = ("username", "display_name", "role", "agency", "is_active", "last_login")
    list_filter = (("role", ChoicesDropdownFilter), "is_active")
    list_select_related = ("agency",)
    fields = ("username", "display_name", "role", "agency", "townships", "units", "is_active", "password")
    autocomplete_fields = ("agency", "townships", "units")
    search_fields = ("username", "display_name")
    search_help_text = _("用户名或显示名")
    ordering = ("role", "username")

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return queryset.filter(county_id=user.county_id)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("username",) if obj is not None else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = super().get_fields(request, obj)
        return shown if self.has_change_permission(request) else shown[:-1]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """A form that knows the administrator's county."""
        form = super().get_form(request, obj, change=change, **kwargs)
        return type("AccountForm", (form,), {"county": signed_in(request).county})

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """The service saves; the framework's two-step save would write the row first."""
        return form.instance

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        data = dict(form.cleaned_data)
        password = data.pop("password", "")
        by = signed_in(request)
        assert by.county is not None
        if change:
            if password:
                data["password"] = password
            change_account(by=by, user=obj, **data)
        else:
            data.pop("is_active")  # a new account is for use
            obj.pk = create_account(by=by, county=by.county, password=password, **data).pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The service has set townships and units."""


@admin.register(Device)
class DeviceAdmin(ScopedModelAdmin):
    """设备."""

    list_display = ("name", "kind", "user", "bound_at", "revoked_at")
    list_filter = (("kind", ChoicesDropdownFilter),)
    list_select_related = ("user",)
    fields = ("name", "kind", "user", "bound_at", "revoked_at")
    readonly_fields = fields
    search_fields = ("name", "user__username")
    ordering = ("kind", "name")

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        return queryset.filter(county_id=user.county_id)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Binding and revoking come with the tablet."""
        return False
