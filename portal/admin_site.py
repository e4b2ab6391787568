"""The office's admin site: our roles, our door, our home."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from townships.rules import OFFICE_ROLES, permits


class OfficeSite(UnfoldAdminSite):
    """Entered by role; what each role sees there is the table of ``townships/rules.py``."""

    def has_permission(self, request: HttpRequest) -> bool:
        """An active account of an office role."""
        user = request.user
        return user.is_authenticated and user.is_active and user.role in OFFICE_ROLES

    def permits(self, user: Any, label: str, action: str) -> bool:
        """Whether a person may ``view`` or ``change`` rows of a model, as far as his scope goes."""
        return bool(user.is_active) and permits(user.role, label, action)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one door. Somebody signed in without an office goes to his own home."""
        if request.user.is_authenticated:
            return HttpResponseRedirect(reverse("portal:home"))
        target = request.GET.get("next") or reverse("admin:index")
        return HttpResponseRedirect(f"{reverse('portal:door')}?{urlencode({'next': target})}")
