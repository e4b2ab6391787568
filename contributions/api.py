"""Residents of a unit, what each owes and why, payments, slips and reversals."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from contributions.forms import (
    ExplanationSerializer,
    PaymentAnswerSerializer,
    PaymentSerializer,
    ResidentPageSerializer,
    ReverseSerializer,
    StoredPaymentSerializer,
)
from contributions.queries import stored_payment, unit_residents
from contributions.services.explain import explain_to
from contributions.services.payments import record_payment, reverse_payment
from contributions.services.slips import print_slip
from foundation.http import AnswersAsItIs, Problem, ScopedAPIView
from townships.models import CollectingUnit, User
from townships.rules import may, permits


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def _reads_payments(user: User) -> bool:
    return may(user.role, "collect") or permits(user.role, "contributions.payment")


class VillageResidentsView(ScopedAPIView):
    """Residents of a collecting unit with what each owes and has paid."""

    @extend_schema(
        parameters=[OpenApiParameter("search", str), OpenApiParameter("cursor", str)],
        responses=ResidentPageSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        if not may(_user(request).role, "read_residents"):
            raise Problem(403, "forbidden", _("您的岗位不查看居民名单。"))
        if "\x00" in code:
            raise Http404
        unit = (
            CollectingUnit.objects.visible_to(request.user)
            .select_related("township__county")
            .filter(code__in={code, code.ljust(12, "0")})
            .first()
        )
        if unit is None:
            raise Http404
        page = unit_residents(
            _user(request),
            unit,
            search=request.query_params.get("search", "").replace("\x00", ""),
            cursor=request.query_params.get("cursor", ""),
        )
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


class PaymentView(ScopedAPIView):
    """A payment as it stands now: recorded, confirmed or contradicted by the tax side, reversed."""

    @extend_schema(responses=StoredPaymentSerializer)
    def get(self, request: Request, payment: int) -> Response:
        if not _reads_payments(_user(request)):
            raise Problem(403, "forbidden", _("您的岗位不查看缴费记录。"))
        stored = stored_payment(_user(request), payment)
        if stored is None:
            raise Http404
        return Response(stored.as_json())


class SlipView(ScopedAPIView):
    """The registration slip (缴费登记回执, no proof of payment) as PDF; each printing is in the trail."""

    content_negotiation_class = AnswersAsItIs

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: Request, payment: int) -> HttpResponse:
        if not may(_user(request).role, "read_residents"):
            raise Problem(403, "forbidden", _("您的岗位不打印回执。"))
        slip = print_slip(by=_user(request), payment=payment)
        return HttpResponse(
            slip.pdf,
            content_type="application/pdf",
            headers={"Content-Disposition": f'inline; filename="{slip.file_name}"'},
        )


class ExplanationView(ScopedAPIView):
    """Every yuan of a resident's charges with the clause it stands on; each look is in the trail."""

    @extend_schema(
        parameters=[
            OpenApiParameter("plan", str, description="Plan code; default: the county's newest plan.")
        ],
        responses=ExplanationSerializer,
    )
    def get(self, request: Request, resident: int) -> Response:
        if not may(_user(request).role, "read_residents"):
            raise Problem(403, "forbidden", _("您的岗位不查看居民名单。"))
        answers = explain_to(
            by=_user(request), resident=resident, plan_code=request.query_params.get("plan", "")
        )
        return Response({"charges": [answer.as_json() for answer in answers]})


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
