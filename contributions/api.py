"""Residents of a unit, payments, reversals over JSON."""

from __future__ import annotations

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from contributions.forms import (
    PaymentAnswerSerializer,
    PaymentSerializer,
    ResidentPageSerializer,
    ReverseSerializer,
)
from contributions.queries import unit_residents
from contributions.services.payments import record_payment, reverse_payment
from foundation.http import Problem, ScopedAPIView
from townships.models import CollectingUnit, User
from townships.rules import may


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


class VillageResidentsView(ScopedAPIView):
    """Residents of a collecting unit with what each owes and has paid."""

    @extend_schema(
        parameters=[OpenApiParameter("search", str), OpenApiParameter("cursor", str)],
        responses=ResidentPageSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        if not may(_user(request).role, "read_residents"):
            raise Problem(403, "forbidden", _("您的岗位不查看居民名单。"))
        unit = (
            CollectingUnit.objects.visible_to(request.user)
            .select_related("township__county")
            .filter(code__in={code, code.ljust(12, "0")})
            .first()
        )
        if unit is None:
            raise Http404
        page = unit_residents(
            _user(request), unit,
            search=request.query_params.get("search", ""), cursor=request.query_params.get("cursor", ""),
        )  # fmt: skip
        return Response(page)


class PaymentsView(ScopedAPIView):
    """Record money handed over, once for a ``client_uuid``."""

    @extend_schema(
        request=PaymentSerializer, responses={201: PaymentAnswerSerializer, 200: PaymentAnswerSerializer}
    )
    def post(self, request: Request) -> Response:
        if not may(_user(request).role, "collect"):
            raise Problem(403, "forbidden", _("您的岗位不收款。"))
        form = PaymentSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        answer = record_payment(by=_user(request), order=form.order())
        return Response(answer.as_json(), status=201 if answer.first else 200)


class ReverseView(ScopedAPIView):
    """Take a payment back by a row of its own."""

    @extend_schema(
        request=ReverseSerializer, responses={201: PaymentAnswerSerializer, 200: PaymentAnswerSerializer}
    )
    def post(self, request: Request, payment: int) -> Response:
        if not may(_user(request).role, "collect"):
            raise Problem(403, "forbidden", _("您的岗位不收款。"))
        form = ReverseSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        answer = reverse_payment(by=_user(request), payment=payment, **form.validated_data)
        return Response(answer.as_json(), status=201 if answer.first else 200)
