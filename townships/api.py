"""Who am I, and the token to say so."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.authtoken.models import Token
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.clock.services import business_date
from foundation.http import Problem, ScopedAPIView
from townships.models import CollectingUnit, Township, User


class TokenRequestSerializer(serializers.Serializer[Any]):
    """Who asks for a token."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=128, trim_whitespace=False)


_PLACE = {"code": serializers.CharField(), "name": serializers.CharField()}


class MeView(ScopedAPIView):
    """The signed-in person, role and places."""

    @extend_schema(
        responses=inline_serializer(
            name="Me",
            fields={
                "username": serializers.CharField(),
                "role": serializers.CharField(),
                "county": inline_serializer(name="MyCounty", fields=dict(_PLACE)),
                "townships": inline_serializer(name="MyTownship", fields=dict(_PLACE), many=True),
                "units": inline_serializer(name="MyUnit", fields=dict(_PLACE), many=True),
                "business_date": serializers.DateField(),
            },
        )
    )
    def get(self, request: Request) -> Response:
        user = request.user
        assert isinstance(user, User)
        places = user.scope_places()
        county = user.county
        return Response(
            {
                "username": user.username,
                "role": user.role,
                "county": {"code": county.code, "name": county.name} if county else None,
                "townships": list(
                    Township.objects.filter(pk__in=places.townships)
                    .order_by("position")
                    .values("code", "name")
                ),
                "units": list(
                    CollectingUnit.objects.filter(pk__in=places.units)
                    .order_by("position")
                    .values("code", "name")
                ),
                "business_date": business_date(user.county_code),
            }
        )


class TokenView(ScopedAPIView):
    """A token for a user name and password. Locked after repeated wrong passwords, like the sign-in page."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        request=TokenRequestSerializer,
        responses=inline_serializer(name="TokenAnswer", fields={"token": serializers.CharField()}),
    )
    def post(self, request: Request) -> Response:
        form = TokenRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = request._request
        user = authenticate(asked, **form.validated_data)
        if asked.__dict__.pop("axes_locked_out", False):
            # Taken away from the lock-out middleware, which would answer with the sign-in page's own page.
            raise Problem(
                429, "locked", _("连续输错太多次，账号已锁定，请过一会儿再试，或联系本单位管理员。")
            )
        if user is None:
            raise Problem(
                400, "wrong_credentials", _("用户名或密码不对。连续输错会锁定，请联系本单位管理员。")
            )
        token, _created = Token.objects.get_or_create(user=user)
        return Response({"token": token.key})
