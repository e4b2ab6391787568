from __future__ import annotations

from django.urls import path

from contributions import assess_views, plan_views

app_name = "plans"
urlpatterns = [
    path("", plan_views.plan_list, name="list"),
    path("what-if/", plan_views.budgets, name="budgets"),
    path("assess/", assess_views.assess, name="assess"),
    path("<slug:code>/", plan_views.plan_page, name="plan"),
    path("<slug:code>/compare/", plan_views.compare_versions, name="compare"),
    path("<slug:code>/what-if/", plan_views.budget, name="budget"),
    path("<slug:code>/what-if/workbook.xlsx", plan_views.budget_workbook, name="budget-workbook"),
]
