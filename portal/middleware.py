"""Content policy of the admin theme, which needs more than our own pages."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware
from django.urls import reverse


class AdminPolicyMiddleware:
    """Replace directives for pages below /admin/ alone; stands inside django-csp's middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(reverse("admin:index")) and not getattr(response, "own_page", False):
            response._csp_replace = settings.ADMIN_CONTENT_SECURITY_POLICY  # type: ignore[attr-defined]
        return response


class ChosenLanguageMiddleware(LocaleMiddleware):
    """Pages speak Chinese until somebody chooses otherwise at the door; the API follows the request's header.

    Office machines run browsers in any language: their preference says nothing about who sits there.
    """

    def process_request(self, request: HttpRequest) -> None:
        if not request.path.startswith("/api/"):
            request.META.pop("HTTP_ACCEPT_LANGUAGE", None)
        super().process_request(request)
