"""What is due, what was paid, what the tax side says."""

from contributions.models.dues import Assessment, Charge, ChargeShare, Decision, FigureRebuild
from contributions.models.money import (
    CaseKind,
    FigureDelta,
    Means,
    Payment,
    PaymentCase,
    PaymentLine,
    Route,
    TaxEntry,
)

__all__ = [
    "Assessment",
    "CaseKind",
    "Charge",
    "ChargeShare",
    "Decision",
    "FigureDelta",
    "FigureRebuild",
    "Means",
    "Payment",
    "PaymentCase",
    "PaymentLine",
    "Route",
    "TaxEntry",
]
