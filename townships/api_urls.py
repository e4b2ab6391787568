from __future__ import annotations

from django.urls import path

from townships import api

urlpatterns = [
    path("me", api.MeView.as_view(), name="me"),
    path("auth/token", api.TokenView.as_view(), name="token"),
]
