"""Who lives where, in which groups, under which plan."""

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
    FamilyRecord,
    Household,
    IdKind,
    MarkState,
    Membership,
    Registration,
    RegistrationArea,
    Resident,
    Sex,
)

__all__ = [
    "Category",
    "CollectionMode",
    "CollectionPlan",
    "FamilyRecord",
    "Household",
    "IdKind",
    "Insurance",
    "MarkState",
    "Membership",
    "PlanStatus",
    "PoliceRecord",
    "Registration",
    "RegistrationArea",
    "Resident",
    "Sex",
    "Stage",
    "Target",
    "Tier",
    "Window",
]
