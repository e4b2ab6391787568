from __future__ import annotations

from django.urls import path

from progress import api

urlpatterns = [path("progress", api.ProgressView.as_view(), name="progress")]
