from __future__ import annotations

from django.urls import path

from notices import grant_views, views

app_name = "notices"
urlpatterns = [
    path("", views.postings, name="list"),
    path("create/", views.create, name="create"),
    path("<int:pk>/posted/", views.posted, name="posted"),
    path("<int:pk>/removed/", views.removed, name="removed"),
    path("<int:pk>/<str:insurance>.pdf", views.paper, name="paper"),
    path("grants/", grant_views.grants, name="grants"),
    path("grants/create/", grant_views.create, name="grant_create"),
    path("grants/<int:pk>/posted/", grant_views.posted, name="grant_posted"),
    path("grants/<int:pk>/removed/", grant_views.removed, name="grant_removed"),
    path("grants/<int:pk>/paper.pdf", grant_views.paper, name="grant_paper"),
]
