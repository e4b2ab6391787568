"""What every list and form of the office shares: scope first, permission by table, writes through services.

The office's site (``portal.admin_site``) answers who may do what; nothing here knows a role.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, ClassVar

from django.contrib.admin import ShowFacets
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.forms import ModelChoiceField, ModelMultipleChoiceField
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from foundation.audit.models import AuditEvent


@dataclass(frozen=True)
class Waiting:
    """Something that waits for somebody: what, since when, how much, and the page that settles it."""

    title: str
    since: datetime | date
    count: int
    unit: str
    url: str
    button: str
    note: str = ""
    urgent_after_days: int = 3
    days: int = 0
    """How long it waits, filled in when everything is gathered."""

    @property
    def urgent(self) -> bool:
        """Longer than it should."""
        return self.days > self.urgent_after_days


@dataclass(frozen=True)
class Panel:
    """A card of the office's home that an app draws: its template and what it needs."""

    template: str
    context: dict[str, Any]
    wide: bool = False
    """Above everything, over the whole width; else in the column at the side."""


PanelSource = Callable[[Any, date], Iterable[Panel]]
_PANELS: list[PanelSource] = []


def office_panel(source: PanelSource) -> PanelSource:
    """Register ``source(user, today) -> Panel…`` for the office's home."""
    _PANELS.append(source)
    return source


def panels_for(user: Any, today: date) -> list[Panel]:
    """The cards of a person's home, in the order they were registered."""
    return [panel for source in _PANELS for panel in source(user, today)]


WaitingSource = Callable[[Any, date], Iterable[Waiting]]
_WAITING: list[WaitingSource] = []


def waits_in_office(source: WaitingSource) -> WaitingSource:
    """Register ``source(user, today) -> Waiting…`` for the office's home; it asks for its own rights."""
    _WAITING.append(source)
    return source


def waiting_for(user: Any, today: date) -> list[Waiting]:
    """Everything that waits for a person, oldest first."""
    found = [
        replace(item, days=_days(item.since, today))
        for source in _WAITING
        for item in source(user, today)
        if item.count
    ]
    return sorted(found, key=lambda item: -item.days)


def _days(since: datetime | date, today: date) -> int:
    """A moment is real time, a day is the county's own (business date)."""
    if isinstance(since, datetime):
        return max((timezone.localdate() - timezone.localtime(since).date()).days, 0)
    return max((today - since).days, 0)


class ScopedModelAdmin(ModelAdmin):
    """Rows of the person's places only, everywhere: list, search, filter, form, choices, history, export.

    A model without ``visible_to`` says how it is scoped in ``narrow``. Nothing is added or deleted here unless a
    subclass offers a service for it, and ``save_model`` must call one.
    """

    actions: ClassVar[Any] = ()
    list_per_page = 50
    list_max_show_all = 200
    list_disable_select_all = True
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    # Counting a county's rows for a page number nobody reads costs more than the page.
    paginator = InfinitePaginator
    list_filter_submit = True
    warn_unsaved_form = True
    audit_kind = ""
    """``target_kind`` of this model's audit events, shown as its history."""

    def narrow(self, queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
        """The rows a person may see."""
        visible = getattr(queryset, "visible_to", None)
        if visible is None:
            raise ImproperlyConfigured(f"{type(self).__name__} must say how {self.opts.label} is scoped.")
        narrowed: QuerySet[Any] = visible(user)
        return narrowed

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return self.narrow(rows, request.user)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list under its own name."""
        context = {"title": self.opts.verbose_name_plural, "subtitle": None, **(extra_context or {})}
        found: HttpResponse = super().changelist_view(request, context)
        return found

    def title_of(self, obj: Any) -> str:
        """What a form is headed: the row's own name, else the model's and its number."""
        named = str(obj) != models.Model.__str__(obj)
        return str(obj) if named else f"{self.opts.verbose_name} {obj.pk}"

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """The form under the row's name."""
        context["subtitle"] = self.title_of(obj) if obj is not None else None
        found: HttpResponse = super().render_change_form(request, context, add, change, form_url, obj)
        return found

    # --- permission ---------------------------------------------------------------------------------------------

    def _permits(self, request: HttpRequest, action: str) -> bool:
        permitted: bool = self.admin_site.permits(request.user, self.opts.label_lower, action)
        return permitted

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._permits(request, "view")

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self._permits(request, "view")

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self._permits(request, "change")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    # --- what could reach beyond the rows -----------------------------------------------------------------------

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only the filters on the page: a look-up across relations could tell about rows out of scope."""
        if self.date_hierarchy and lookup.startswith(f"{self.date_hierarchy}__"):
            return True
        for item in self.get_list_filter(request) if request is not None else self.list_filter:
            field = item[0] if isinstance(item, list | tuple) else item
            if not isinstance(field, str):
                if lookup == field.parameter_name:
                    return True
            # A field's own filter asks exact, in, isnull, isempty, pk; the theme's ranges end in _from and _to.
            elif re.fullmatch(rf"{field}(__(id__)?(exact|in|isnull|isempty|gte|lte|lt)|_from|_to)?", lookup):
                return True
        return False

    def _choices(self, db_field: Any, request: HttpRequest) -> QuerySet[Any]:
        related = db_field.remote_field.model
        known = self.admin_site._registry.get(related)
        rows: QuerySet[Any] = (
            known.get_queryset(request) if known is not None else related._default_manager.none()
        )
        return rows

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        kwargs.setdefault("queryset", self._choices(db_field, request))
        found: ModelChoiceField[Any] | None = super().formfield_for_foreignkey(db_field, request, **kwargs)
        return found

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField[Any] | None:
        kwargs.setdefault("queryset", self._choices(db_field, request))
        found: ModelMultipleChoiceField[Any] | None = super().formfield_for_manytomany(
            db_field, request, **kwargs
        )
        return found

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        """A foreign row and a row that never was answer alike."""
        raise Http404

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """A row by its key alone, within the scope."""
        return super().get_object(request, object_id)

    # --- writes and their trail ---------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Refused: a form that writes calls its service here."""
        raise PermissionDenied

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        raise PermissionDenied

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry | None:
        """The services write the trail; the framework's own log would repeat it with names in plain text."""
        return None

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry | None:
        return None

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The audit trail of one row of the scope."""
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        events = AuditEvent.objects.filter(
            target_kind=self.audit_kind or self.opts.model_name, target=str(obj.pk)
        )
        context = {
            **self.admin_site.each_context(request),
            "title": self.title_of(obj),
            "opts": self.opts,
            "object": obj,
            "events": events.select_related("actor").order_by("-id")[:200],
            **(extra_context or {}),
        }
        return TemplateResponse(request, "office/history.html", context)
