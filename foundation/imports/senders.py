"""Whose file it is: the desk a file comes from, and its name."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from django.utils.translation import gettext as _

_LONGEST_PART: Final = 60


def sender_of(user: Any, county_code: str = "") -> str:
    """Whose habits a mapping belongs to, and whose rows a correction closes: the agency, else the post, of a county.

    A post that sees part of the county is one sender for each part: what comes of a row tells nobody of another's people.
    Files brought in by a command are the county's own.
    """
    if user is None:
        return f"{county_code}/" if county_code else ""
    if getattr(user, "agency_id", None):
        return f"{user.county_code}/agency:{user.agency_id}"
    if getattr(user, "sees_county", False):
        return f"{user.county_code}/role:{user.role}"
    places = user.scope_places()
    part = f"{sorted(places.townships)}{sorted(places.units)}".replace(" ", "")
    if len(part) > _LONGEST_PART:
        part = hashlib.sha256(part.encode()).hexdigest()[:_LONGEST_PART]
    return f"{user.county_code}/role:{user.role}{part}"


def desk_of(user: Any) -> str:
    """The sender whose files she and her colleagues share; empty where hers are her own alone."""
    return sender_of(user) if getattr(user, "shares_desk", False) else ""


def sender_name(user: Any) -> str:
    """What a page calls the sender: the agency, else the person, else the system."""
    agency = getattr(user, "agency", None)
    return str(agency or user or _("系统"))
