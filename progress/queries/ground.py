"""Where a board stands: the plan and the places of a user, narrowed to a county, a township or a unit."""

from __future__ import annotations

from dataclasses import dataclass

from enrollment.models import CollectionPlan
from foundation.scope.places import Places
from townships.models import CollectingUnit, Township, User


@dataclass(frozen=True)
class Ground:
    """Where the board stands: its places, and the rows below it (townships, or units)."""

    level: str  # county, township, unit
    code: str
    name: str
    places: Places
    children: tuple[tuple[int, str, str], ...]  # id, code, name
    parent_code: str = ""
    parent_name: str = ""

    @property
    def by_unit(self) -> bool:
        """Whether the rows are units."""
        return self.level != "county"


def plans_of(user: User) -> list[CollectionPlan]:
    """Plans of the user's county, the one to show first: published before drafts, newest year and version."""
    if user.county_id is None:
        return []
    plans = (
        CollectionPlan.objects.in_force()
        .filter(county_id=user.county_id)
        .select_related("county")
        .defer("document")
    )
    settled = {"published": 0, "closed": 0}
    return sorted(plans, key=lambda p: (settled.get(p.status, 1), -p.coverage_year, -p.version, p.code))


def county_ground(user: User, plan: CollectionPlan) -> Ground:
    """The user's townships of the plan's county. Townships whose places are single units are not listed."""
    places = user.scope_places()
    townships = Township.objects.filter(pk__in=places.townships, county_id=plan.county_id).order_by(
        "position", "code"
    )
    return Ground(
        "county", plan.county.code, plan.county.name, places, tuple((t.pk, t.code, t.name) for t in townships)
    )


def township_ground(user: User, plan: CollectionPlan, code: str) -> Ground | None:
    """A township of the user's: whole, or the units of it that are hers. None where nothing is."""
    township = Township.objects.filter(code=code.ljust(12, "0"), county_id=plan.county_id).first()
    if township is None:
        return None
    units = CollectingUnit.objects.visible_to(user).filter(township=township).order_by("position", "code")
    listed = tuple((u.pk, u.code, u.name) for u in units)
    whole = township.pk in user.scope_places().townships
    if not whole and not listed:
        return None
    places = Places(frozenset({township.pk})) if whole else Places(units=frozenset(u[0] for u in listed))
    return Ground("township", township.code, township.name, places, listed)


def unit_ground(user: User, plan: CollectionPlan, code: str) -> Ground | None:
    """A collecting unit of the user's; None for any other."""
    unit = (
        CollectingUnit.objects.visible_to(user).filter(code=code, township__county_id=plan.county_id).first()
    )
    if unit is None:
        return None
    return Ground(
        "unit",
        unit.code,
        unit.name,
        Places(units=frozenset({unit.pk})),
        (),
        unit.township.code,
        unit.township.name,
    )
