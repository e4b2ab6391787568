from __future__ import annotations

from django.urls import path

from foundation.jobs import views

app_name = "jobs"
urlpatterns = [
    path("<uuid:pk>/", views.job_page, name="page"),
    path("<uuid:pk>/progress/", views.job_progress, name="progress"),
    path("<uuid:pk>/cancel/", views.job_cancel, name="cancel"),
]
