"""Who stands behind a request: a user of ours whose post allows the act."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from townships.models import User
from townships.rules import may


def user_who_may(request: HttpRequest, act: str) -> User:
    """The signed-in user, if the post may do ``act`` (``townships.rules.ACTS``). Raises PermissionDenied."""
    user = request.user
    if not isinstance(user, User) or not may(user.role, act):
        raise PermissionDenied
    return user
