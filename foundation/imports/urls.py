from __future__ import annotations

from django.urls import path

from foundation.imports import views

app_name = "imports"
urlpatterns = [
    path("", views.home, name="home"),
    path("<int:pk>/", views.batch_page, name="batch"),
    path("<int:pk>/columns/", views.columns, name="columns"),
    path("<int:pk>/check/", views.check_again, name="check"),
    path("<int:pk>/apply/", views.apply_batch, name="apply"),
    path("<int:pk>/abandon/", views.abandon_batch, name="abandon"),
    path("<int:pk>/undo/", views.undo_batch, name="undo"),
    path("<int:pk>/errors/", views.errors, name="errors"),
    path("<int:pk>/rows/", views.returned_rows, name="rows"),
    path("<int:pk>/rows/<int:row>/close/", views.close, name="close"),
]
