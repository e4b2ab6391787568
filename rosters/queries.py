"""Reads of rosters: the plan and places asked for, the latest version per unit, the proof of a version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery

from contributions.models import Assessment, Charge, Decision
from enrollment.models import CollectionPlan, Registration
from foundation.jobs.models import Job, JobState
from foundation.scope.models import ScopedQuerySet
from rosters.models import Roster, RosterKind, RosterLine
from rosters.rules import DIGEST, digest_head
from townships.models import CollectingUnit, Township, User


def plans_of(county_id: int) -> QuerySet[CollectionPlan]:
    """Plans of a county, the newest year first."""
    return (
        CollectionPlan.objects.in_force()
        .filter(county_id=county_id)
        .select_related("county")
        .order_by("-coverage_year", "code")
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


def latest_of(
    rosters: ScopedQuerySet, plan: CollectionPlan, kind: str, insurance: str = ""
) -> ScopedQuerySet:
    """The latest version per unit among ``rosters`` (from ``visible_to``, or in a command's scope).

    Of both insurances, unless one is named.
    """
    newest = (
        Roster.objects.filter(plan=plan, kind=kind, insurance=insurance, unit=OuterRef("unit"))
        .values("unit")
        .annotate(newest=Max("version"))
        .values("newest")
    )
    return rosters.filter(plan=plan, kind=kind, insurance=insurance, version=Subquery(newest)).order_by(
        "township__position", "township__code", "unit__position", "unit__code"
    )


def lines_of(roster: Roster) -> ScopedQuerySet:
    """A roster's lines in their order."""
    lines: ScopedQuerySet = RosterLine.objects.filter(roster=roster).order_by("position")
    return lines


def recompute_digest(roster: Roster) -> str:
    """SHA-256 over the stored lines; equals ``roster.digest`` while nothing was altered."""
    head = digest_head(roster.plan.code, roster.kind, roster.insurance) + roster.unit.code
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {DIGEST.format(head='%s')} FROM rosters_rosterline WHERE roster_id = %s",
            [head, roster.pk],
        )
        return str(cursor.fetchall()[0][0])


@dataclass
class UnitRow:
    """A unit on the board: who is registered, its latest rosters, and what to do next."""

    unit: CollectingUnit
    registered: int = 0
    reference: Roster | None = None
    levy: Roster | None = None
    payment: Roster | None = None
    changed: bool = False
    unassessed: int = 0

    @property
    def stuck(self) -> str:
        """Why somebody should look: ``unassessed``, ``no_levy`` or ``changed``; empty when it is fine."""
        if self.unassessed:
            return "unassessed"
        if self.registered and self.levy is None:
            return "no_levy"
        if self.changed:
            return "changed"
        return ""


def board_rows(user: User, plan: CollectionPlan, township: Township, insurance: str = "") -> list[UnitRow]:
    """Units of a township that the user sees, in order, with the latest version of each kind, of one insurance or both.

    Six queries whatever the number of units.
    """
    units = CollectingUnit.objects.visible_to(user).filter(township=township).order_by("position", "code")
    rows = {unit.pk: UnitRow(unit) for unit in units}
    of_it = {"insurance": insurance} if insurance else {}
    registered = (
        Registration.objects.visible_to(user)
        .filter(plan=plan, township=township, **of_it)
        .values("unit")
        .annotate(n=Count("resident", distinct=True))
    )
    for found in registered:
        if found["unit"] in rows:
            rows[found["unit"]].registered = found["n"]
    for found in _unassessed(user, plan, township).filter(**of_it):
        if found["unit"] in rows:
            rows[found["unit"]].unassessed = found["n"]
    latest = (
        Roster.objects.visible_to(user)
        .filter(plan=plan, township=township, insurance=insurance)
        .order_by("unit", "kind", "-version")
        .distinct("unit", "kind")
    )
    for roster in latest:
        row = rows.get(roster.unit_id)
        if row is not None:
            setattr(row, roster.kind, roster)
    checked = last_check(plan, RosterKind.LEVY, township, insurance)
    for unit in _changed_units(plan, [row.levy.pk for row in rows.values() if row.levy is not None], checked):
        if unit in rows:
            rows[unit].changed = True
    return list(rows.values())


# Answers that leave a registration without a charge, and stand until something else changes.
_ANSWERED = (Decision.REFUSE, Decision.REFER, Decision.AMOUNT_NOT_CONFIGURED)


def _unassessed(
    user: User, plan: CollectionPlan, township: Township
) -> QuerySet[Registration, dict[str, int]]:
    """Per unit, people registered of whom nobody has yet said what they owe, or that they owe nothing."""
    charged = Charge.objects.filter(registration=OuterRef("pk"), current=True)
    answered = Assessment.objects.filter(
        Q(decision__in=_ANSWERED) | Q(decision=Decision.HOLD, reason__gt=""),  # held: no tier chosen yet
        resident=OuterRef("resident"),
        insurance=OuterRef("insurance"),
        coverage_year=OuterRef("coverage_year"),
    )
    found: QuerySet[Registration, dict[str, int]] = (
        Registration.objects.visible_to(user)
        .filter(~Exists(charged), ~Exists(answered), plan=plan, township=township)
        .values("unit")
        .annotate(n=Count("resident", distinct=True))
    )
    return found


def last_check(plan: CollectionPlan, kind: str, township: Township, insurance: str) -> datetime | None:
    """When a job last looked at all units of a township: what changed before it is in the versions that stand."""
    jobs = Job.objects.filter(
        kind="rosters",
        state=JobState.SUCCEEDED,
        params__plan=plan.pk,
        params__kind=kind,
        params__insurance=insurance,
        params__township__in=["", township.code],
        places__townships__contains=township.pk,
    )
    found: datetime | None = jobs.aggregate(at=Max("started_at"))["at"]
    return found


def _changed_units(plan: CollectionPlan, rosters: list[int], checked: datetime | None) -> set[int]:
    """Units whose charges changed after these levy rosters were sealed and after the last look at all of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT r.unit_id FROM rosters_roster r
               JOIN contributions_charge c ON c.unit_id = r.unit_id AND c.plan_id = %(plan)s
               WHERE r.id = ANY (%(rosters)s) AND c.created_at > greatest(r.sealed_at, %(checked)s)
               GROUP BY r.unit_id""",
            {"plan": plan.pk, "rosters": rosters, "checked": checked},
        )
        return {row[0] for row in cursor.fetchall()}


@dataclass
class TownshipRow:
    """A township in the county's overview: units, and how many have each roster."""

    township: Township
    units: int = 0
    reference: int = 0
    levy: int = 0
    payment: int = 0
    people: int = 0


def township_rows(user: User, plan: CollectionPlan) -> list[TownshipRow]:
    """Townships the user sees, in order, with counts of their latest rosters. Three queries."""
    units = CollectingUnit.objects.visible_to(user).filter(township__county=plan.county)
    counted = dict(units.values_list("township").annotate(n=Count("pk")).values_list("township", "n"))
    townships = Township.objects.filter(pk__in=counted).order_by("position", "code")
    rows = {t.pk: TownshipRow(t, units=counted[t.pk]) for t in townships}
    latest = (
        Roster.objects.visible_to(user)
        .filter(plan=plan, insurance="")
        .order_by("unit", "kind", "-version")
        .distinct("unit", "kind")
        .values_list("township", "kind", "line_count")
    )
    for township, kind, lines in latest:
        row = rows.get(township)
        if row is not None and kind == RosterKind.LEVY:
            row.levy += 1
            row.people += lines
        elif row is not None:
            setattr(row, kind, getattr(row, kind) + 1)
    return list(rows.values())
