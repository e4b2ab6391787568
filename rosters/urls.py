from __future__ import annotations

from django.urls import path

from rosters import compare_views, views

app_name = "rosters"
urlpatterns = [
    path("", views.board, name="board"),
    path("compare/", compare_views.compare, name="compare"),
    path("compare.xlsx", compare_views.compare_workbook, name="compare-workbook"),
    path("generate/", views.generate, name="generate"),
    path("township/<str:code>.zip", views.township_zip, name="township-zip"),
    path("<int:pk>/", views.roster_page, name="roster"),
    path("<int:pk>/workbook.xlsx", views.workbook, name="workbook"),
]
