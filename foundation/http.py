"""What every endpoint shares: errors in one shape, and the scope of whoever signed in by token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.scope.context import set_places


class Problem(Exception):
    """An error a caller can act on: HTTP status, stable code, message in the request's language."""

    def __init__(self, status_code: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status_code, self.code, self.message, self.extra = status_code, code, message, extra


class AnswersAsItIs(DefaultContentNegotiation):
    """For an endpoint whose answer is a file: whatever was asked for, errors are JSON and the file is the file."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, str(first.media_type)


class BoundedJSONParser(JSONParser):
    """JSON no deeper than it can be read."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise exceptions.ParseError(_("内容嵌套太深，读不了。")) from None


class ScopedAPIView(APIView):
    """An endpoint under the scope of the user its own authentication found (a token is read late). Bodies are JSON."""

    parser_classes = (BoundedJSONParser,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.user.is_authenticated:
            set_places(request.user.scope_places())

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        """Personal data stays in no cache on the way."""
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(answer, private=True, no_store=True)
        return answer


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
    if isinstance(error, RequestDataTooBig):
        return Response({"code": "too_large", "message": _("内容太大，请分几次提交。")}, status=413)
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return Response({"code": "forbidden", "message": _("您的岗位不能做这项操作。")}, status=403)
    if isinstance(error, exceptions.APIException):
        codes = error.get_codes()
        challenge = getattr(error, "auth_header", None)
        return Response(
            {"code": codes if isinstance(codes, str) else "invalid", "message": str(error.detail)},
            status=error.status_code,
            headers={"WWW-Authenticate": str(challenge)} if challenge else None,
        )
    return None
