"""Who lives where, in which groups, under which plan."""

from enrollment.models.plans import CollectionPlan, Insurance, PlanStatus, Stage, Target, Tier, Window
from enrollment.models.register import (
    Category,
    FamilyRecord,
    Household,
    Membership,
    Registration,
    Resident,
)

__all__ = [
    "Category",
    "CollectionPlan",
    "FamilyRecord",
    "Household",
    "Insurance",
    "Membership",
    "PlanStatus",
    "Registration",
    "Resident",
    "Stage",
    "Target",
    "Tier",
    "Window",
]
