from __future__ import annotations

from django.urls import path

from seasons import closing_views, views

app_name = "seasons"
urlpatterns = [
    path("", views.season, name="season"),
    path("<slug:code>/open/", views.open_year, name="open"),
    path("<slug:code>/confirm/", views.confirm, name="confirm"),
    path("<slug:code>/confirm/decide/", views.decide_many, name="decide"),
    path("<slug:code>/confirm.xlsx", views.confirm_workbook, name="confirm-workbook"),
    path("<slug:code>/close/", closing_views.close, name="close"),
    path("<slug:code>/reopen/", closing_views.reopen, name="reopen"),
    path("<slug:code>/summary/", closing_views.summary, name="summary"),
    path("<slug:code>/summary.xlsx", closing_views.summary_workbook, name="summary-workbook"),
    path("<slug:code>/summary.pdf", closing_views.summary_paper, name="summary-paper"),
    path("archive/<int:pk>/", closing_views.archived_file, name="file"),
]
