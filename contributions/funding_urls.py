from __future__ import annotations

from django.urls import path

from contributions import funding_views, list_views, sponsor_views

app_name = "funding"
urlpatterns = [
    path("", funding_views.requests, name="requests"),
    path("make/", funding_views.make, name="make"),
    path("lists/", list_views.lists, name="lists"),
    path("lists/list.xlsx", list_views.list_workbook, name="list-workbook"),
    path("lists/list.pdf", list_views.list_paper, name="list-paper"),
    path("budget/", funding_views.budget, name="budget"),
    path("budget/budget.xlsx", funding_views.budget_workbook, name="budget-workbook"),
    path("payers/", funding_views.payers, name="payers"),
    path("sponsors/", sponsor_views.sponsors, name="sponsors"),
    path("sponsors/<int:pk>/", sponsor_views.sponsor, name="sponsor"),
    path("<int:pk>/", funding_views.request_page, name="request"),
    path("<int:pk>/step/", funding_views.step, name="step"),
    path("<int:pk>/letter.pdf", funding_views.letter_pdf, name="letter"),
    path("<int:pk>/bill.pdf", funding_views.bill_paper, name="bill"),
    path("<int:pk>/names.xlsx", funding_views.names_workbook, name="names-workbook"),
    path("<int:pk>/names.pdf", funding_views.names_paper, name="names-paper"),
    path("<int:pk>/settlement.xlsx", funding_views.settlement_workbook, name="settlement-workbook"),
]
