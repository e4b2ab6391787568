"""One transaction a request, under the signed-in user's scope."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from foundation.scope.context import set_places
from foundation.scope.places import NOWHERE


class ScopeMiddleware:
    """Open the request's transaction and set its scope; an answer of 500 or more rolls back.

    A token is read later, in the API's own authentication: ``foundation.http.ScopedAPIView`` sets the scope then.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/static/"):
            return self.get_response(request)
        with transaction.atomic():
            user = request.user
            set_places(user.scope_places() if user.is_authenticated else NOWHERE)
            response = self.get_response(request)
            if response.status_code >= 500:
                transaction.set_rollback(True)
        return response
