"""A job's state over JSON."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.http import Http404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.http import ScopedAPIView
from foundation.jobs.models import Job


class JobView(ScopedAPIView):
    """State, progress and result of a background job one may see."""

    @extend_schema(
        responses=inline_serializer(
            name="JobState",
            fields={
                "id": serializers.UUIDField(), "kind": serializers.CharField(), "state": serializers.CharField(),
                "done": serializers.IntegerField(), "total": serializers.IntegerField(),
                "percent": serializers.IntegerField(), "result": serializers.DictField(),
                "error": serializers.CharField(),
            },
        )
    )  # fmt: skip
    def get(self, request: Request, job: str) -> Response:
        try:
            found = Job.objects.visible_to(request.user).filter(pk=job).first()
        except (ValidationError, ValueError):
            found = None
        if found is None:
            raise Http404
        fields = ("id", "kind", "state", "done", "total", "percent", "result", "error")
        return Response({name: getattr(found, name) for name in fields})
