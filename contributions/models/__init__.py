"""What is due, what was paid, what the tax side says."""

from contributions.models.bank import BankEntry
from contributions.models.dues import Assessment, Charge, ChargeShare, Decision, FigureRebuild
from contributions.models.funding import (
    PAID_OUT,
    FundingDifference,
    FundingLine,
    FundingRequest,
    FundingState,
    FundingStep,
    PayerLevel,
    PayerResolution,
    Pledge,
    Sponsor,
    SponsorKind,
)
from contributions.models.money import (
    OWN_PARTS,
    CaseKind,
    FigureDelta,
    LinePart,
    Means,
    Payment,
    PaymentCase,
    PaymentLine,
    Route,
    TaxEntry,
)

__all__ = [
    "OWN_PARTS",
    "PAID_OUT",
    "Assessment",
    "BankEntry",
    "CaseKind",
    "Charge",
    "ChargeShare",
    "Decision",
    "FigureDelta",
    "FigureRebuild",
    "FundingDifference",
    "FundingLine",
    "FundingRequest",
    "FundingState",
    "FundingStep",
    "LinePart",
    "Means",
    "PayerLevel",
    "PayerResolution",
    "Payment",
    "PaymentCase",
    "PaymentLine",
    "Pledge",
    "Route",
    "Sponsor",
    "SponsorKind",
    "TaxEntry",
]
