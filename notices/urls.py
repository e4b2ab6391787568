from __future__ import annotations

from django.urls import path

from notices import views

app_name = "notices"
urlpatterns = [
    path("", views.postings, name="list"),
    path("create/", views.create, name="create"),
    path("<int:pk>/posted/", views.posted, name="posted"),
    path("<int:pk>/removed/", views.removed, name="removed"),
    path("<int:pk>/<str:insurance>.pdf", views.paper, name="paper"),
]
