"""Places change under people: a village merges into another, a collecting unit hands people to another. Set-based."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from enrollment.models import EventKind, Household, Resident, TouchedBy
from enrollment.services.life.common import check_day, check_evidence, keep_seen
from enrollment.services.pending import note
from foundation.audit.services import record
from foundation.scope.context import with_units
from townships.models import CollectingUnit, User, Village
from townships.rules import may


@dataclass(frozen=True)
class Moved:
    """How much a change of places moved."""

    households: int
    residents: int
    units: int = 0


# One line of history a person, by the statement that moves them.
_TELL: Final = """
INSERT INTO enrollment_residentevent (township_id, unit_id, also_townships, also_units, resident_id, kind, happened_on,
    source, evidence, detail, recorded_by_id)
SELECT r.township_id, r.unit_id, %(also_townships)s, %(also_units)s, r.id, %(kind)s, %(on)s, '', %(evidence)s,
       %(detail)s::jsonb, %(by)s
FROM enrollment_resident r WHERE r.id = ANY (%(residents)s) AND r.merged_into_id IS NULL
"""


def _check_village(by: User, village: Village, into: Village) -> None:
    if not may(by.role, "merge_places"):
        raise PermissionDenied
    if by.county_id is None or {village.township.county_id, into.township.county_id} != {by.county_id}:
        raise PermissionDenied
    if village.pk == into.pk:
        raise ValidationError({"into": _("请选另一个村。")})
    if village.successor_id is not None:
        raise ValidationError({"village": _("这个村已经并入别的村。")})
    if into.successor_id is not None or into.valid_to is not None:
        raise ValidationError({"into": _("要并入的村已经撤销，请选现在还在的村。")})
    if village.township_id != into.township_id:
        raise ValidationError(
            {"into": _("两个村不在同一个镇街。跨镇街的，先用“变更代收单位”把人迁过去，再撤并。")}
        )


@transaction.atomic
def merge_villages(*, by: User, village: int, into: int, on: date, evidence: str) -> Moved:
    """Merge a village into another of its township (撤并村居): its households, people and units belong there.

    The units go on collecting: rosters, charges and payments of the season stay where they were. Both codes and names
    find the people, for the old village names its successor and its name becomes one of the successor's aliases.
    Raises ValidationError, PermissionDenied.
    """
    rows = {
        v.pk: v
        for v in Village.objects.filter(pk__in=[village, into])
        .select_related("township")
        .order_by("pk")
        .select_for_update(of=("self",))
    }
    if village not in rows or into not in rows:
        raise ValidationError({"into": _("请选两个村。")})
    old, new = rows[village], rows[into]
    _check_village(by, old, new)
    check_day(by, on, "on")
    words = check_evidence(evidence)
    old.successor, old.valid_to = new, on
    old.save(update_fields=["successor", "valid_to"])
    new.aliases = list(dict.fromkeys([*new.aliases, old.name, old.short_name, *old.aliases]))
    new.save(update_fields=["aliases"])
    # Villages merged into this one before follow it, so that every code leads to a village that is.
    Village.objects.filter(successor=old).exclude(pk=old.pk).update(successor=new)
    units = CollectingUnit.objects.filter(village=old).update(village=new)
    people = list(Resident.objects.filter(village=old).order_by("pk").values_list("pk", flat=True))
    households = Household.objects.filter(village=old).update(village=new)
    with connection.cursor() as cursor:
        for table in ("enrollment_resident", "enrollment_policerecord"):
            cursor.execute(f"UPDATE {table} SET village_id = %s WHERE village_id = %s", [new.pk, old.pk])
        _tell(
            cursor, by, EventKind.VILLAGE_MERGED, people, on, words,
            {"before": {"village": old.name, "code": old.code}, "after": {"village": new.name, "code": new.code}},
        )  # fmt: skip
    record(
        by=by, action="village.merge", target_kind="village", target=old.pk, county_code=by.county_code,
        township_code=old.township.code,
        detail={
            "before": old.code, "after": new.code, "on": on, "households": households, "residents": len(people),
            "units": units,
        },
    )  # fmt: skip
    return Moved(households, len(people), units)


def _tell(
    cursor: Any,
    by: User,
    kind: EventKind,
    residents: Sequence[int],
    on: date,
    evidence: str,
    detail: dict[str, Any],
    also: CollectingUnit | None = None,
) -> None:
    cursor.execute(
        _TELL,
        {
            "residents": list(residents), "kind": kind.value, "on": on, "evidence": evidence, "by": by.pk,
            "detail": json.dumps(detail, ensure_ascii=False), "also_units": [also.pk] if also else None,
            "also_townships": [also.township_id] if also else None,
        },
    )  # fmt: skip


@transaction.atomic
def change_unit(
    *, by: User, unit: int, to_unit: int, on: date, evidence: str, households: Sequence[int] | None = None
) -> Moved:
    """Let another unit collect from a unit's households (变更代收单位), all of them or those chosen.

    People and households belong to the new unit from now on; registrations, and with them charges, rosters and figures
    of the season, stay where they were begun. Raises ValidationError; PermissionDenied for who does not keep both ends.
    """
    if not (may(by.role, "merge_places") or may(by.role, "keep_register")):
        raise PermissionDenied
    seen = CollectingUnit.objects.visible_to(by).select_related("township").in_bulk([unit, to_unit])
    if len(seen) < 2:
        raise ValidationError({"to_unit": _("请选两个都归您管的代收单位。")})
    old, new = seen[unit], seen[to_unit]
    check_day(by, on, "on")
    words = check_evidence(evidence)
    homes = Household.objects.filter(unit=old).order_by("pk")
    chosen = homes if households is None else homes.filter(pk__in=list(households))
    house_ids = list(chosen.select_for_update(of=("self",)).values_list("pk", flat=True))
    people = Resident.objects.filter(unit=old).order_by("pk")
    if households is not None:
        people = people.filter(household__in=house_ids)
    ids = list(people.select_for_update(of=("self",)).values_list("pk", flat=True))
    if not ids:
        raise ValidationError({"households": _("没有要变更的户。")})
    others = {
        u for units in people.exclude(also_units=None).values_list("also_units", flat=True) for u in units
    }
    with with_units({old.pk, new.pk} | others), connection.cursor() as cursor:
        _carry(cursor, old, new, house_ids, ids)
        keep_seen(ids, house_ids)
        _tell(
            cursor, by, EventKind.UNIT_CHANGED, ids, on, words,
            {"before": {"unit": old.name, "code": old.code}, "after": {"unit": new.name, "code": new.code}}, also=old,
        )  # fmt: skip
        note(ids, TouchedBy.CORRECTION)  # their assessments stand where they live; a job moves them
    record(
        by=by, action="unit.change", target_kind="unit", target=old.pk, county_code=by.county_code,
        township_code=old.township.code,
        detail={
            "before": old.code, "after": new.code, "on": on, "households": len(house_ids), "residents": len(ids),
        },
    )  # fmt: skip
    return Moved(len(house_ids), len(ids))


def _carry(
    cursor: Any, old: CollectingUnit, new: CollectingUnit, households: Sequence[int], residents: Sequence[int]
) -> None:
    values = {
        "old": old.pk, "unit": new.pk, "township": new.township_id, "village": new.village_id,
        "households": list(households), "residents": list(residents), "mark": f"{old.code[-3:]}-",
    }  # fmt: skip
    # Registrations remember the house they were collected in; coming back to a unit, they live at home again.
    cursor.execute(
        "UPDATE enrollment_registration g SET household_id = r.household_id FROM enrollment_resident r"
        " WHERE r.id = g.resident_id AND r.id = ANY (%(residents)s) AND g.unit_id = %(old)s AND g.household_id IS NULL",
        values,
    )
    # Two units may both have a household 00012: the one that comes is marked with the end of its old unit's code, and
    # with its own key where even that number was given already.
    cursor.execute(
        "WITH taken AS (SELECT number FROM enrollment_household"
        "   WHERE unit_id = %(unit)s OR (unit_id = %(old)s AND number LIKE %(mark)s || '%%'))"
        " UPDATE enrollment_household h SET township_id = %(township)s, unit_id = %(unit)s,"
        " village_id = coalesce(%(village)s, h.village_id), number = CASE"
        " WHEN NOT EXISTS (SELECT FROM enrollment_household o WHERE o.unit_id = %(unit)s AND o.number = h.number)"
        "   THEN h.number"
        " WHEN NOT EXISTS (SELECT FROM taken t WHERE t.number = left(%(mark)s || h.number, 40))"
        "   THEN left(%(mark)s || h.number, 40)"
        " ELSE left(%(mark)s || h.id || '-' || h.number, 40) END"
        " WHERE h.id = ANY (%(households)s)",
        values,
    )
    cursor.execute(
        "UPDATE enrollment_resident SET township_id = %(township)s, unit_id = %(unit)s,"
        " village_id = coalesce(%(village)s, village_id), changed_at = now() WHERE id = ANY (%(residents)s)",
        values,
    )
    cursor.execute(
        "UPDATE enrollment_registration g SET household_id = NULL WHERE g.resident_id = ANY (%(residents)s)"
        " AND g.unit_id = %(unit)s",
        values,
    )
    cursor.execute(
        "UPDATE enrollment_policerecord p SET township_id = r.township_id, unit_id = r.unit_id, village_id = r.village_id"
        " FROM enrollment_resident r WHERE r.number_index = p.number_index AND r.county_id = p.county_id"
        " AND r.id = ANY (%(residents)s) AND p.unit_id = %(old)s",
        values,
    )
