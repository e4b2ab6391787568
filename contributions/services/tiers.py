"""Take another pension tier: the registration carries it, and its charge becomes a new version."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from contributions.models import Charge
from contributions.services.assess import assess
from contributions.services.quotes import quote_charge
from enrollment.models import CollectionPlan, Registration
from foundation.audit.services import record


def choose_tier(
    *, by: Any, plan: CollectionPlan, registration: Registration, tier: Decimal, route: str, on: date
) -> Charge | None:
    """The current charge at ``tier``, as of ``on``; None where the plan refers the person at that tier.

    For a locked registration with nothing paid on it yet. The figures need no recount: paid counts follow the payment.
    Raises Problem 400 for a tier that is none of the plan's or not his to use.
    """
    quote_charge(plan=plan, registration=registration, on=on, route=route, tier=tier)
    before = registration.tier
    Registration.objects.filter(pk=registration.pk).update(tier=tier)
    registration.tier = tier
    assess(by=by, plan=plan, residents=[registration.resident_id], on=on, recount=False)
    record(
        by=by, action="registration.tier", target_kind="registration", target=registration.pk,
        county_code=plan.county.code, detail={"from": before, "to": tier},
    )  # fmt: skip
    charge: Charge | None = Charge.objects.filter(
        registration=registration, current=True, kind="ordinary"
    ).first()
    return charge
