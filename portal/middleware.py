"""What stands before every page: unreadable requests, the admin theme's content policy, the chosen language."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotFound
from django.middleware.locale import LocaleMiddleware
from django.urls import reverse
from django.utils.translation import gettext as _


class AdminPolicyMiddleware:
    """Replace directives for pages below /admin/ alone; stands inside django-csp's middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(reverse("admin:index")) and not getattr(response, "own_page", False):
            response._csp_replace = settings.ADMIN_CONTENT_SECURITY_POLICY  # type: ignore[attr-defined]
        return response


class UnreadableRequestMiddleware:
    """A NUL character is no text, and the database refuses it: such a request is answered here, plainly.

    404 for an address, 400 for a query or a form. The API checks its own words and answers in its own shape.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/"):
            return self.get_response(request)
        if "\x00" in request.path:
            return HttpResponseNotFound(_("没有这个地址。"), content_type="text/plain; charset=utf-8")
        form = request.content_type == "application/x-www-form-urlencoded"
        if "%00" in request.META.get("QUERY_STRING", "") or (form and b"%00" in request.body):
            return HttpResponseBadRequest(
                _("里面有读不了的字符，请去掉后再试。"), content_type="text/plain; charset=utf-8"
            )
        return self.get_response(request)


class ChosenLanguageMiddleware(LocaleMiddleware):
    """Pages speak Chinese until somebody chooses otherwise at the door; the API follows the request's header.

    Office machines run browsers in any language: their preference says nothing about who sits there.
    """

    def process_request(self, request: HttpRequest) -> None:
        if not request.path.startswith("/api/"):
            request.META.pop("HTTP_ACCEPT_LANGUAGE", None)
        super().process_request(request)
