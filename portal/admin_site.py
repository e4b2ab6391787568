"""The office's admin site: our roles, our door, our home."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite

from enrollment.models import Resident
from foundation.clock.services import business_date
from foundation.masking import Audience, mask_number
from foundation.names import normalise_division
from foundation.office import panels_for, waiting_for
from portal.context import office
from townships.models import CollectingUnit, Township, User
from townships.rules import OFFICE_ROLES, permits


def place_name(user: User) -> str:
    """The county, or the townships of a clerk."""
    if user.sees_county and user.county is not None:
        return user.county.name
    names = Township.objects.filter(pk__in=user.scope_places().townships).order_by("position", "code")
    return "、".join(names.values_list("name", flat=True)) or str(user)


def _shown(text: str) -> str:
    """What somebody typed, back on the screen: a number only masked."""
    return mask_number(text, Audience.OFFICE) if sum(char.isdigit() for char in text) > 8 else text


class OfficeSite(UnfoldAdminSite):
    """Entered by role; what each role sees there is the table of ``townships/rules.py``."""

    def has_permission(self, request: HttpRequest) -> bool:
        """An active account of an office role."""
        user = request.user
        return user.is_authenticated and user.is_active and user.role in OFFICE_ROLES

    def permits(self, user: Any, label: str, action: str) -> bool:
        """Whether a person may ``view`` or ``change`` rows of a model, as far as his scope goes."""
        return bool(user.is_active) and permits(user.role, label, action)

    def get_urls(self) -> list[Any]:
        return [path("find/", self.admin_view(self.find), name="find"), *super().get_urls()]

    def find(self, request: HttpRequest) -> HttpResponse:
        """Look for a person: one hit opens the page, several the list, and a full number never stands in an address."""
        people, user = self._registry[Resident], request.user
        if request.method != "POST" or not people.has_view_permission(request):
            raise Http404
        text = request.POST.get("q", "").strip()[:60]
        listed = reverse("admin:enrollment_resident_changelist")
        if not text:
            return HttpResponseRedirect(listed)
        found, _distinct = people.get_search_results(request, people.get_queryset(request), text)
        first = list(found.values_list("pk", flat=True)[:2])
        if len(first) == 1:
            return HttpResponseRedirect(reverse("admin:enrollment_resident_change", args=first))
        if not first and (unit := self._unit_named(user, text)) is not None:
            place = {"township": unit.township.code, "unit": unit.code}
            return HttpResponseRedirect(f"{listed}?{urlencode(place)}")
        if not first:
            messages.warning(
                request, _("没有找到“%(text)s”这样的人，或者不在您的管辖范围内。") % {"text": _shown(text)}
            )
            return HttpResponseRedirect(listed)
        return HttpResponseRedirect(f"{listed}?{urlencode({'q': text})}")

    @staticmethod
    def _unit_named(user: Any, text: str) -> CollectingUnit | None:
        """The unit of the person's places that people call so."""
        named = Q(name=text) | Q(village__name=text) | Q(village__short_name=normalise_division(text))
        units = CollectingUnit.objects.visible_to(user).select_related("township").filter(named)
        return units.order_by("township__position", "position").first()

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """What waits for this person, oldest first; today's figures of the area; the last jobs."""
        user = request.user
        assert isinstance(user, User)
        today = business_date(user.county_code)
        panels = panels_for(user, today)
        context = {
            "place": place_name(user),
            "waiting": waiting_for(user, today),
            "wide_panels": [panel for panel in panels if panel.wide],
            "side_panels": [panel for panel in panels if not panel.wide],
            "first_steps": [
                item for item in office(request).navigation if item.icon in ("users", "doc", "chart")
            ],
            **(extra_context or {}),
        }
        response = TemplateResponse(request, "office/home.html", context)
        response.own_page = True  # type: ignore[attr-defined]
        return response

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one door. Somebody signed in without an office goes to his own home."""
        if request.user.is_authenticated:
            return HttpResponseRedirect(reverse("portal:home"))
        target = request.GET.get("next") or reverse("admin:index")
        return HttpResponseRedirect(f"{reverse('portal:door')}?{urlencode({'next': target})}")
