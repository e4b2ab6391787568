from __future__ import annotations

from django.urls import path

from contributions import mark_views

app_name = "marks"
urlpatterns = [
    path("", mark_views.marks, name="board"),
    path("move/", mark_views.move, name="move"),
]
