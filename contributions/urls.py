from __future__ import annotations

from django.urls import path

from contributions import views

app_name = "village"
urlpatterns = [
    path("<str:code>/", views.round_page, name="round"),
    path("<str:code>/<int:pk>/", views.household_page, name="household"),
]
