from __future__ import annotations

from django.urls import path

from subsidies import views

app_name = "lists"
urlpatterns = [
    path("", views.board, name="board"),
    path("received/", views.received, name="received"),
    path("<int:pk>/withdraw/", views.withdraw, name="withdraw"),
]
