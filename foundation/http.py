"""What every endpoint shares: errors in one shape, and the scope of whoever signed in by token."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.scope.context import set_places


class Problem(Exception):
    """An error a caller can act on: HTTP status, stable code, message in the request's language."""

    def __init__(self, status_code: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status_code, self.code, self.message, self.extra = status_code, code, message, extra


class ScopedAPIView(APIView):
    """An endpoint under the scope of the user its own authentication found (a token is read late)."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.user.is_authenticated:
            set_places(request.user.scope_places())


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """``{"code", "message", "fields"?}`` for every expected error; an unexpected one stays unexpected."""
    if isinstance(error, Problem):
        return Response(
            {"code": error.code, "message": error.message, **error.extra}, status=error.status_code
        )
    if isinstance(error, Http404 | exceptions.NotFound):
        return Response(
            {"code": "not_found", "message": _("没有找到，或者不在您的管辖范围内。")},
            status=status.HTTP_404_NOT_FOUND,
        )
    if isinstance(error, exceptions.ValidationError):
        detail = error.detail
        fields = detail if isinstance(detail, dict) else {"": detail}
        return Response(
            {"code": "invalid", "message": _("有几项填得不对，请改正后再提交。"), "fields": fields},
            status=400,
        )
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return Response({"code": "forbidden", "message": _("您的岗位不能做这项操作。")}, status=403)
    if isinstance(error, exceptions.APIException):
        codes = error.get_codes()
        return Response(
            {"code": codes if isinstance(codes, str) else "invalid", "message": str(error.detail)},
            status=error.status_code,
            headers={"WWW-Authenticate": error.auth_header} if getattr(error, "auth_header", None) else None,
        )
    return None
