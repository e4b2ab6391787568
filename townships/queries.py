"""Places by code, as commands and services need them."""

from __future__ import annotations

from foundation.scope.places import Places
from townships.models import CollectingUnit, County, Township


def county_places(county: County) -> Places:
    """The whole county, for commands and jobs that work for no single person."""
    return Places(townships=frozenset(Township.objects.filter(county=county).values_list("pk", flat=True)))


def find_township(county: County, code: str) -> Township | None:
    """A township of the county by its 6-, 9- or 12-digit code."""
    return Township.objects.filter(county=county, code=code.ljust(12, "0")).first()


def find_unit(county: County, code: str) -> CollectingUnit | None:
    """A collecting unit of the county by its code (a village's code finds its unit)."""
    return CollectingUnit.objects.filter(township__county=county, code=code).first()


def all_places() -> Places:
    """Every township of every county: for proofs over the whole database."""
    return Places(townships=frozenset(Township.objects.values_list("pk", flat=True)))
