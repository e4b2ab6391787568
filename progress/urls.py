from __future__ import annotations

from django.urls import path

from progress import views

app_name = "progress"

urlpatterns = [
    path("", views.county, name="county"),
    path("<slug:code>/", views.township, name="township"),
    path("<slug:code>/<slug:unit_code>/", views.unit, name="unit"),
]
