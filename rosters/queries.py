"""Reads of rosters: the plan and places asked for, the latest version per unit, the proof of a version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Max, OuterRef, QuerySet, Subquery

from enrollment.models import CollectionPlan
from foundation.scope.models import ScopedQuerySet
from rosters.models import Roster, RosterKind, RosterLine
from rosters.rules import DIGEST
from townships.models import Township


def find_plan(code: str) -> CollectionPlan | None:
    """The latest version of a plan by its code."""
    return CollectionPlan.objects.filter(code=code).select_related("county").order_by("-version").first()


def plans_of(county_id: int) -> QuerySet[CollectionPlan]:
    """Plans of a county, the newest year first."""
    return (
        CollectionPlan.objects.filter(county_id=county_id)
        .select_related("county")
        .order_by("-coverage_year", "code", "-version")
    )


def townships_of(plan: CollectionPlan, code: str = "") -> list[Township] | None:
    """The county's townships in order, or the one with this 9- or 12-digit code; None for an unknown code.

    The county's own six digits mean all of it.
    """
    townships = Township.objects.filter(county=plan.county).order_by("position", "code")
    if plan.township_id is not None:
        townships = townships.filter(pk=plan.township_id)
    if code and code.ljust(12, "0") != plan.county.code:
        townships = townships.filter(code=code.ljust(12, "0"))
    found = list(townships)
    return found or None


def latest_of(rosters: ScopedQuerySet, plan: CollectionPlan, kind: str) -> ScopedQuerySet:
    """The latest version per unit among ``rosters`` (from ``visible_to``, or in a command's scope)."""
    newest = (
        Roster.objects.filter(plan=plan, kind=kind, unit=OuterRef("unit"))
        .values("unit")
        .annotate(newest=Max("version"))
        .values("newest")
    )
    return rosters.filter(plan=plan, kind=kind, version=Subquery(newest)).order_by(
        "township__position", "township__code", "unit__position", "unit__code"
    )


def lines_of(roster: Roster) -> ScopedQuerySet:
    """A roster's lines in their order."""
    lines: ScopedQuerySet = RosterLine.objects.filter(roster=roster).order_by("position")
    return lines


def recompute_digest(roster: Roster) -> str:
    """SHA-256 over the stored lines; equals ``roster.digest`` while nothing was altered."""
    head = f"{roster.plan.code}|{roster.kind}|{roster.unit.code}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {DIGEST.format(head='%s')} FROM rosters_rosterline WHERE roster_id = %s",
            [head, roster.pk],
        )
        return str(cursor.fetchall()[0][0])


@dataclass(frozen=True)
class Standing:
    """How a unit's roster of one kind stands."""

    roster: Roster | None
    outdated: bool = False


def outdated_units(plan: CollectionPlan, user: Any, township: Township) -> set[int]:
    """Units whose charges changed after their levy roster was sealed."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT r.unit_id FROM (
                 SELECT DISTINCT ON (unit_id) unit_id, sealed_at FROM rosters_roster
                 WHERE plan_id = %(plan)s AND kind = %(kind)s AND township_id = %(township)s
                 ORDER BY unit_id, version DESC) r
               JOIN contributions_charge c ON c.unit_id = r.unit_id AND c.plan_id = %(plan)s
               WHERE c.created_at > r.sealed_at GROUP BY r.unit_id""",
            {"plan": plan.pk, "kind": RosterKind.LEVY.value, "township": township.pk},
        )
        changed = {row[0] for row in cursor.fetchall()}
    places = user.scope_places()
    return changed if township.pk in places.townships else changed & set(places.units)
