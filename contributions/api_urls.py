from __future__ import annotations

from django.urls import path

from contributions import api

urlpatterns = [
    path("villages/<str:code>/residents", api.VillageResidentsView.as_view(), name="village-residents"),
    path("payments", api.PaymentsView.as_view(), name="payments"),
    path("payments/<int:payment>/reverse", api.ReverseView.as_view(), name="payment-reverse"),
]
