from __future__ import annotations

from django.urls import path

from contributions import amendment_views, assess_views, difference_views, life_views, plan_views

app_name = "plans"
urlpatterns = [
    path("", plan_views.plan_list, name="list"),
    path("what-if/", plan_views.budgets, name="budgets"),
    path("assess/", assess_views.assess, name="assess"),
    path("differences/", difference_views.differences, name="differences"),
    path("differences/workbook.xlsx", difference_views.workbook, name="differences-workbook"),
    path("<slug:code>/", plan_views.plan_page, name="plan"),
    path("<slug:code>/publish/", life_views.publish, name="publish"),
    path("<slug:code>/close/", life_views.close, name="close"),
    path("<slug:code>/amend/", amendment_views.amend, name="amend"),
    path("<slug:code>/amendment/", amendment_views.amendment_page, name="amendment"),
    path("<slug:code>/amendment/examples/", amendment_views.accept, name="amendment-examples"),
    path("<slug:code>/amendment/preview/", amendment_views.preview, name="amendment-preview"),
    path("<slug:code>/amendment/effect/", amendment_views.effect, name="amendment-effect"),
    path("<slug:code>/amendment/withdraw/", amendment_views.withdraw_draft, name="amendment-withdraw"),
    path("<slug:code>/amendment/people/", amendment_views.touched_people, name="amendment-people"),
    path(
        "<slug:code>/amendment/people/workbook.xlsx",
        amendment_views.people_workbook,
        name="amendment-workbook",
    ),
    path("<slug:code>/compare/", plan_views.compare_versions, name="compare"),
    path("<slug:code>/what-if/", plan_views.budget, name="budget"),
    path("<slug:code>/what-if/workbook.xlsx", plan_views.budget_workbook, name="budget-workbook"),
]
