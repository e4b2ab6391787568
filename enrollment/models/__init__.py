"""Who lives where, in which groups, under which plan."""

from enrollment.models.earlier import PriorPayment
from enrollment.models.life import (
    EventKind,
    FormerNumber,
    PairVerdict,
    ResidentEvent,
    ResidentPair,
    Transfer,
    TransferState,
)
from enrollment.models.pending import PendingAssessment, TouchedBy
from enrollment.models.plans import (
    CollectionMode,
    CollectionPlan,
    Insurance,
    PlanStatus,
    Stage,
    Target,
    Tier,
    Window,
)
from enrollment.models.police import PoliceRecord
from enrollment.models.register import (
    Category,
    ClosingReason,
    FamilyRecord,
    Household,
    IdKind,
    LeaveReason,
    MarkState,
    MarkStep,
    Membership,
    Registration,
    RegistrationArea,
    Resident,
    Sex,
)

__all__ = [
    "Category",
    "ClosingReason",
    "CollectionMode",
    "CollectionPlan",
    "EventKind",
    "FamilyRecord",
    "FormerNumber",
    "Household",
    "IdKind",
    "Insurance",
    "LeaveReason",
    "MarkState",
    "MarkStep",
    "Membership",
    "PairVerdict",
    "PendingAssessment",
    "PlanStatus",
    "PoliceRecord",
    "PriorPayment",
    "Registration",
    "RegistrationArea",
    "Resident",
    "ResidentEvent",
    "ResidentPair",
    "Sex",
    "Stage",
    "Target",
    "Tier",
    "TouchedBy",
    "Transfer",
    "TransferState",
    "Window",
]
