"""What the pages of households and newcomers show: members with what is due, what may be done."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from contributions.admin.resident_page import age_on, standings
from contributions.register.acts import acts_of_home
from contributions.village import registered_elsewhere
from enrollment.models import Household, Registration, Resident, ResidentEvent
from foundation.clock.services import business_date
from townships.models import User
from townships.rules import may


def household_page(user: User, home: Household) -> dict[str, Any]:
    """A household: who lives there, who left, who registered from here and lives elsewhere, and what happened lately."""
    today = business_date(user.county_code)
    everybody = list(
        Resident.objects.visible_to(user)
        .filter(household=home, merged_into=None)
        .order_by("-is_head", "birth_date", "pk")
    )
    found = standings([person.pk for person in everybody])
    rows = [
        {
            "person": person,
            "age": age_on(person.birth_date, today),
            "medical": found.get((person.pk, "medical")),
            "pension": found.get((person.pk, "pension")),
            "registered": registered_elsewhere(person),
        }
        for person in everybody
    ]
    here = [row for row in rows if row["person"].left_on is None]
    away = (
        Resident.objects.visible_to(user)
        .filter(
            pk__in=Registration.objects.visible_to(user).filter(household=home).values("resident"),
            merged_into=None,
        )
        .exclude(household=home)
        .select_related("unit__township")
    )
    events = (
        ResidentEvent.objects.visible_to(user)
        .filter(resident__in=[person.pk for person in everybody])
        .select_related("resident", "recorded_by")
        .order_by("-recorded_at", "-pk")[:8]
    )
    return {
        "home": home,
        "members": here,
        "left": [row for row in rows if row["person"].left_on is not None],
        "away": list(away),
        "headless": bool(here)
        and not any(row["person"].is_head and not row["person"].death_date for row in here),
        "acts": acts_of_home(user, home, len(here)),
        "may_keep": may(user.role, "keep_register") and home.merged_into_id is None,
        "events": events,
        "title": home.head_name or _("没有户主"),
    }
