from __future__ import annotations

from django.urls import path

from contributions import api

urlpatterns = [
    path("villages/<str:code>/residents", api.VillageResidentsView.as_view(), name="village-residents"),
    path("residents/<int:resident>/explanation", api.ExplanationView.as_view(), name="resident-explanation"),
    path("payments", api.PaymentsView.as_view(), name="payments"),
    path("payments/<int:payment>", api.PaymentView.as_view(), name="payment"),
    path("payments/<int:payment>/slip", api.SlipView.as_view(), name="payment-slip"),
    path("payments/<int:payment>/reverse", api.ReverseView.as_view(), name="payment-reverse"),
]
