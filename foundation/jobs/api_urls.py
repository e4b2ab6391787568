from __future__ import annotations

from django.urls import path

from foundation.jobs import api

urlpatterns = [path("jobs/<str:job>", api.JobView.as_view(), name="job-state")]
