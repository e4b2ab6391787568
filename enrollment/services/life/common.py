"""What every service of the register's life shares: whose row it is, which day it was, and the line of the history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.utils.translation import gettext as _

from enrollment.models import (
    EventKind,
    FamilyRecord,
    FormerNumber,
    Household,
    Membership,
    Resident,
    ResidentEvent,
)
from enrollment.services.pending import touch
from foundation.audit.services import record
from foundation.clock.services import business_date
from townships.models import CollectingUnit, User
from townships.rules import may

EARLIEST: Final = date(1900, 1, 1)
EVIDENCE_AT_LEAST: Final = 2

# What changes facts that an assessment reads.
_FACTS_CHANGE: Final = frozenset(
    {
        EventKind.BORN, EventKind.ENROLLED, EventKind.NUMBER_GIVEN, EventKind.NUMBER_CORRECTED, EventKind.DIED,
        EventKind.DEATH_WITHDRAWN, EventKind.LEFT, EventKind.RETURNED, EventKind.MOVED, EventKind.REGISTRATION_MOVED,
        EventKind.TIER, EventKind.MERGED, EventKind.MERGE_UNDONE,
    }
)  # fmt: skip


def check_post(by: User) -> None:
    """Raises PermissionDenied for a post that does not keep the register."""
    if not may(by.role, "keep_register"):
        raise PermissionDenied


def held_resident(by: User, resident: int) -> Resident:
    """The living record, locked. Raises Resident.DoesNotExist for one that is not in the user's own places."""
    check_post(by)
    row: Resident = (
        Resident.objects.held_by(by).filter(merged_into=None).select_for_update(of=("self",)).get(pk=resident)
    )
    return row


def held_residents(by: User, residents: Sequence[int]) -> list[Resident]:
    """Living records in key order, locked. Raises Resident.DoesNotExist when one is not the user's."""
    check_post(by)
    wanted = sorted(set(residents))
    rows = list(
        Resident.objects.held_by(by)
        .filter(pk__in=wanted, merged_into=None)
        .order_by("pk")
        .select_for_update(of=("self",))
    )
    if len(rows) != len(wanted):
        raise Resident.DoesNotExist
    return rows


def held_household(by: User, household: int) -> Household:
    """A household of the user's own places, locked. Raises Household.DoesNotExist."""
    check_post(by)
    row: Household = (
        Household.objects.held_by(by)
        .filter(merged_into=None)
        .select_for_update(of=("self",))
        .get(pk=household)
    )
    return row


def members_of(household: Household) -> list[Resident]:
    """Living members in key order, locked."""
    rows = Resident.objects.filter(household=household, merged_into=None).order_by("pk")
    return list(rows.select_for_update(of=("self",)))


def check_day(by: User, day: date, field: str, *, not_before: date | None = None) -> None:
    """A day in the county's own time. Raises ValidationError for the future, and for before ``not_before``."""
    if day > business_date(by.county_code):
        raise ValidationError({field: _("日期晚于今天，请核对。")})
    if day < max(not_before or EARLIEST, EARLIEST):
        raise ValidationError({field: _("日期早于出生日期或 1900 年，请核对。")})


def check_evidence(evidence: str, field: str = "evidence") -> str:
    """What the change rests on, in a few words. Raises ValidationError without."""
    words = evidence.strip()[:200]
    if len(words) < EVIDENCE_AT_LEAST:
        raise ValidationError({field: _("请写明依据，例如：户口簿、死亡证明、村委会证明。")})
    return words


def tell(
    *,
    by: User,
    kind: EventKind,
    residents: Iterable[Resident],
    on: date,
    source: str = "",
    evidence: str = "",
    detail: dict[str, Any] | None = None,
    also: Iterable[CollectingUnit] = (),
) -> None:
    """Add a line to the history of each, at the place where each stands now, and one event each to the trail.

    Called when everything else is written: where what an assessment reads has changed, people are assessed again.

    ``also`` are units that read the line as well: the other end of a move. ``detail`` holds before and after; of it only
    the names of the facts go into the trail.
    """
    others = list(also)
    people = list(residents)
    told = json.loads(json.dumps(detail or {}, cls=DjangoJSONEncoder))
    ResidentEvent.objects.bulk_create(
        ResidentEvent(
            township_id=person.township_id, unit_id=person.unit_id, resident=person, kind=kind, happened_on=on,
            source=source[:60], evidence=evidence, detail=told, recorded_by=by,
            also_units=sorted({u.pk for u in others} - {person.unit_id}) or None,
            also_townships=sorted({u.township_id for u in others} - {person.township_id}) or None,
        )
        for person in people
    )  # fmt: skip
    for person in people:
        record(
            by=by, action=f"resident.{kind.value}", target_kind="resident", target=person.pk,
            county_code=by.county_code, township_code=person.township.code,
            detail={"on": on, "facts": sorted(told)},
        )  # fmt: skip
    if kind in _FACTS_CHANGE:
        touch(by=by, residents=[person.pk for person in people])


_SEEN = """
UPDATE enrollment_resident r SET also_units = s.units, also_townships = s.townships
FROM (
    SELECT r.id, array_agg(DISTINCT g.unit_id) FILTER (WHERE g.unit_id <> r.unit_id) AS units,
           array_agg(DISTINCT g.township_id) FILTER (WHERE g.township_id <> r.township_id) AS townships
    FROM enrollment_resident r LEFT JOIN enrollment_registration g ON g.resident_id = r.id
    WHERE r.id = ANY (%(residents)s) GROUP BY r.id
) s
WHERE s.id = r.id AND (r.also_units IS DISTINCT FROM s.units OR r.also_townships IS DISTINCT FROM s.townships)
"""
_FOLLOW = """
UPDATE {table} t SET township_id = r.township_id, unit_id = r.unit_id, also_units = r.also_units,
       also_townships = r.also_townships
FROM enrollment_resident r
WHERE r.id = t.resident_id AND r.id = ANY (%(residents)s)
  AND (t.unit_id <> r.unit_id OR t.township_id <> r.township_id OR t.also_units IS DISTINCT FROM r.also_units
       OR t.also_townships IS DISTINCT FROM r.also_townships)
"""
_HOMES = """
UPDATE enrollment_household h SET also_units = s.units, also_townships = s.townships
FROM (
    SELECT h.id, array_agg(DISTINCT g.unit_id) FILTER (WHERE g.unit_id <> h.unit_id) AS units,
           array_agg(DISTINCT g.township_id) FILTER (WHERE g.township_id <> h.township_id) AS townships
    FROM enrollment_household h LEFT JOIN enrollment_registration g ON g.household_id = h.id
    WHERE h.id = ANY (%(households)s)
       OR h.id IN (SELECT household_id FROM enrollment_registration WHERE resident_id = ANY (%(residents)s))
    GROUP BY h.id
) s
WHERE s.id = h.id AND (h.also_units IS DISTINCT FROM s.units OR h.also_townships IS DISTINCT FROM s.townships)
"""


def keep_seen(residents: Sequence[int], households: Sequence[int] = ()) -> None:
    """Let every place where these people are registered read them, and let their groups stand where they live.

    ``households`` are looked at too: houses a season may have been collected in. Derived from the registrations, so it
    can run again. The running scope must hold all their places.
    """
    with connection.cursor() as cursor:
        values = {"residents": list(residents), "households": list(households)}
        cursor.execute(_SEEN, values)
        for model in (Membership, FamilyRecord, FormerNumber):
            cursor.execute(_FOLLOW.format(table=model._meta.db_table), values)
        cursor.execute(_HOMES, values)


def free_number(unit: CollectingUnit, wanted: str = "") -> str:
    """A household number nobody of the unit has: the wanted one, else the one after the highest.

    Raises ValidationError when the wanted one is taken.
    """
    number = wanted.strip()[:40]
    if number:
        if Household.objects.filter(unit=unit, number=number).exists():
            raise ValidationError({"household_number": _("本村已经有户编号 %(n)s。") % {"n": number}})
        return number
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number FROM enrollment_household WHERE unit_id = %s AND number ~ '^[0-9]{1,15}$'"
            " ORDER BY number::bigint DESC LIMIT 1",
            [unit.pk],
        )
        row = cursor.fetchone()
    last = row[0] if row else "00000"
    return str(int(last) + 1).zfill(len(last))
