from __future__ import annotations

from django.urls import path

from seasons import views

app_name = "seasons"
urlpatterns = [
    path("", views.season, name="season"),
    path("<slug:code>/open/", views.open_year, name="open"),
    path("<slug:code>/confirm/", views.confirm, name="confirm"),
    path("<slug:code>/confirm/decide/", views.decide_many, name="decide"),
    path("<slug:code>/confirm.xlsx", views.confirm_workbook, name="confirm-workbook"),
]
