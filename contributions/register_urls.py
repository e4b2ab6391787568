from __future__ import annotations

from django.urls import path

from contributions import compare_views
from contributions import register_views as views

app_name = "register"
urlpatterns = [
    path("new/", views.newcomer, name="newcomer"),
    path("residents/<int:pk>/<slug:slug>/", views.act_on_resident, name="act"),
    path("households/<int:pk>/", views.household, name="household"),
    path("households/<int:pk>/<slug:slug>/", views.act_on_household, name="household-act"),
    path("transfers/", views.transfers, name="transfers"),
    path("transfers/<uuid:party>/", views.accept, name="accept"),
    path("transfers/<uuid:party>/answer/", views.answer, name="answer"),
    path("doubles/", compare_views.doubles, name="doubles"),
    path("doubles/<int:one>/<int:other>/", compare_views.pair, name="pair"),
    path("merges/<int:pk>/undo/", compare_views.undo, name="undo-merge"),
    path("police/", compare_views.police, name="police"),
    path("compare/", compare_views.compare, name="compare"),
    path("compare/workbook.xlsx", compare_views.compare_workbook, name="compare-workbook"),
    path("places/", views.places, name="places"),
]
