from __future__ import annotations

from django.urls import path

from foundation.imports.views import batch, home, returned

app_name = "imports"
urlpatterns = [
    path("", home.home, name="home"),
    path("returned/", returned.returned, name="returned"),
    path("returned/close/", returned.close, name="close"),
    path("returned/tell/", returned.tell, name="tell"),
    path("<int:pk>/", batch.batch_page, name="batch"),
    path("<int:pk>/columns/", batch.columns, name="columns"),
    path("<int:pk>/check/", batch.check_again, name="check"),
    path("<int:pk>/apply/", batch.apply_batch, name="apply"),
    path("<int:pk>/abandon/", batch.abandon_batch, name="abandon"),
    path("<int:pk>/undo/", batch.undo_batch, name="undo"),
    path("<int:pk>/findings/", batch.findings, name="findings"),
    path("<int:pk>/errors/", batch.errors, name="errors"),
    path("<int:pk>/files/<int:position>/", batch.original, name="original"),
]
