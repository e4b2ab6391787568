"""The police's household register beside ours: in theirs and not in ours, the other way round, and where both differ.

Nothing is changed here. Each difference says which side the ID number agrees with where the number can tell, and leads
to the act that would correct ours. One query over the places asked for, whatever their size.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext as _

from contributions.register.kinds import BY_CODE, KINDS, Kind
from enrollment.models import PoliceRecord, Resident
from enrollment.models.register import Sex
from foundation.clock.services import business_date
from foundation.encryption import get_keyring
from foundation.identity import read_number
from foundation.masking import Audience, mask_number
from townships.models import CollectingUnit, User

# ``r`` is the living record that holds the number now or held it before, wherever it stands in the running scope.
_DIFFERENCES: Final = """
WITH theirs AS MATERIALIZED (
    SELECT p.id AS police_id, p.unit_id, p.household_number, p.relation, p.name, p.birth_date, p.sex, p.death_date,
           p.death_date IS NULL AND p.cancelled_on IS NULL AND p.cancelled_why = '' AS active,
           coalesce(r.id, f.resident_id) AS resident_id
    FROM enrollment_policerecord p
    LEFT JOIN enrollment_resident r
        ON r.county_id = p.county_id AND r.number_index = p.number_index AND r.merged_into_id IS NULL
    LEFT JOIN LATERAL (
        SELECT n.resident_id FROM enrollment_formernumber n JOIN enrollment_resident o ON o.id = n.resident_id
        WHERE n.number_index = p.number_index AND o.merged_into_id IS NULL AND r.id IS NULL LIMIT 1
    ) f ON true
    WHERE p.county_id = %(county)s AND p.township_id = ANY (%(townships)s)
), pairs AS MATERIALIZED (
    SELECT t.police_id, t.unit_id AS their_unit, t.household_number, t.relation, t.name AS their_name,
           t.birth_date AS their_birth, t.sex AS their_sex, t.death_date AS their_death, t.active AS their_active,
           r.id AS resident_id, r.unit_id, r.household_id, r.name, r.birth_date, r.sex, r.death_date, r.left_on,
           r.death_date IS NULL AND r.left_on IS NULL AS active
    FROM theirs t JOIN enrollment_resident r ON r.id = t.resident_id
), heads AS (
    SELECT DISTINCT ON (their_unit, household_number) their_unit, household_number, household_id
    FROM pairs
    WHERE relation IN ('户主', '本人') AND household_number <> '' AND household_id IS NOT NULL AND active AND their_active
    ORDER BY their_unit, household_number, resident_id
), differences AS (
    SELECT 'dead_there' AS kind, resident_id, police_id, NULL::text AS ours, their_death::text AS theirs FROM pairs
    WHERE their_death IS NOT NULL AND death_date IS NULL
    UNION ALL
    SELECT 'cancelled_there', p.resident_id, p.police_id, NULL,
           concat_ws(' ', k.cancelled_why, k.cancelled_on::text)
    FROM pairs p JOIN enrollment_policerecord k ON k.id = p.police_id
    WHERE NOT p.their_active AND p.their_death IS NULL AND p.active
    UNION ALL
    SELECT 'only_theirs', NULL, police_id, NULL, household_number FROM theirs WHERE active AND resident_id IS NULL
    UNION ALL
    SELECT 'only_ours', r.id, NULL, NULL, NULL FROM enrollment_resident r
    WHERE r.county_id = %(county)s AND r.township_id = ANY (%(townships)s) AND r.merged_into_id IS NULL
      AND r.death_date IS NULL AND r.left_on IS NULL AND r.registration_area = 'local'
      AND r.id_kind = 'resident_id' AND r.number_index IS NOT NULL
      AND r.unit_id IN (SELECT DISTINCT unit_id FROM theirs)
      AND NOT EXISTS (SELECT FROM enrollment_policerecord p
                      WHERE p.county_id = r.county_id AND p.number_index = r.number_index)
      AND NOT EXISTS (SELECT FROM theirs t WHERE t.resident_id = r.id)
    UNION ALL
    SELECT 'place', resident_id, police_id, unit_id::text, their_unit::text FROM pairs
    WHERE active AND their_active AND unit_id <> their_unit
    UNION ALL
    SELECT 'household', p.resident_id, p.police_id, p.household_id::text, h.household_id::text
    FROM pairs p JOIN heads h ON h.their_unit = p.their_unit AND h.household_number = p.household_number
    WHERE p.active AND p.their_active AND p.unit_id = p.their_unit AND p.household_id IS DISTINCT FROM h.household_id
    UNION ALL
    SELECT 'birth_date', resident_id, police_id, birth_date::text, their_birth::text FROM pairs
    WHERE active AND their_active AND birth_date <> their_birth
    UNION ALL
    SELECT 'sex', resident_id, police_id, sex, their_sex FROM pairs
    WHERE active AND their_active AND sex <> '' AND their_sex <> '' AND sex <> their_sex
    UNION ALL
    SELECT 'name', resident_id, police_id, name, their_name FROM pairs
    WHERE active AND their_active AND name <> their_name
    UNION ALL
    SELECT 'dead_here', resident_id, police_id, death_date::text, NULL FROM pairs
    WHERE their_active AND death_date IS NOT NULL
)
"""


@dataclass(frozen=True)
class Difference:
    """One difference as the page shows it."""

    kind: Kind
    name: str
    number: str
    place: str
    household: str
    ours: str
    theirs: str
    verdict: str
    resident: int | None
    police: int | None
    prefill: dict[str, str]


def count_differences(county: int, townships: Collection[int]) -> dict[str, int]:
    """How many of each kind, in the order of ``KINDS``. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            _DIFFERENCES + "SELECT kind, count(*) FROM differences GROUP BY kind",
            {"county": county, "townships": sorted(townships)},
        )
        found = dict(cursor.fetchall())
    return {kind.code: found.get(kind.code, 0) for kind in KINDS}


def differences(
    user: User, county: int, townships: Collection[int], kind: str, *, offset: int = 0, limit: int = 50
) -> list[Difference]:
    """A page of one kind, with names, places and what the number says. Five queries."""
    with connection.cursor() as cursor:
        cursor.execute(
            _DIFFERENCES
            + "SELECT resident_id, police_id, ours, theirs FROM differences WHERE kind = %(kind)s"
            " ORDER BY coalesce(resident_id, 0), police_id OFFSET %(offset)s LIMIT %(limit)s",
            {
                "county": county,
                "townships": sorted(townships),
                "kind": kind,
                "offset": offset,
                "limit": limit,
            },
        )
        rows = cursor.fetchall()
    people = (
        Resident.objects.visible_to(user)
        .select_related("unit", "household")
        .in_bulk([r[0] for r in rows if r[0]])
    )
    records = (
        PoliceRecord.objects.visible_to(user).select_related("unit").in_bulk([r[1] for r in rows if r[1]])
    )
    units = CollectingUnit.objects.select_related("township").in_bulk(
        [int(v) for r in rows for v in r[2:] if kind == "place" and v]
    )
    today = business_date(user.county_code)
    return [
        _difference(BY_CODE[kind], people.get(resident), records.get(police), ours, theirs, units, today)
        for resident, police, ours, theirs in rows
    ]


def _difference(
    kind: Kind,
    person: Any,
    record: Any,
    ours: str | None,
    theirs: str | None,
    units: dict[int, CollectingUnit],
    today: date,
) -> Difference:
    sealed = (person.number_encrypted if person is not None else None) or (
        record.number_encrypted if record is not None else None
    )
    number = get_keyring().decrypt(sealed) if sealed else ""
    home = person.household if person is not None else None
    one = person if person is not None else record
    prefill: dict[str, str] = {}
    verdict = ""
    if kind.code == "dead_there":
        prefill = {"died_on": theirs or "", "source": _("公安户籍"), "evidence": _("公安户籍登记死亡")}
    elif kind.code in {"cancelled_there", "only_ours"}:
        prefill = {"evidence": _("公安户籍核对")}
    elif kind.code == "name":
        prefill = {"name": theirs or "", "evidence": _("公安户籍核对")}
    elif kind.code == "place":
        prefill = {"to_unit": theirs or "", "evidence": _("公安户籍核对")}
        ours, theirs = _unit(units, ours), _unit(units, theirs)
    elif kind.code == "household":
        prefill = {"to_unit": str(person.unit_id), "home": "join", "evidence": _("公安户籍核对")}
        ours = home.number if home is not None else "—"
        theirs = _("公安户号 %(n)s") % {"n": record.household_number}
    elif kind.code in {"birth_date", "sex"}:
        verdict = _by_number(kind.code, number, person, record, today)
        prefill = {"evidence": _("按身份证号更正")}
        if kind.code == "sex":
            ours, theirs = (str(dict(Sex.choices).get(v or "", "")) for v in (ours, theirs))
    elif kind.code == "only_theirs":
        theirs = record.address or (_("公安户号 %(n)s") % {"n": theirs} if theirs else "")
    return Difference(
        kind, one.name, mask_number(number, Audience.OFFICE), one.unit.name, home.number if home is not None else "",
        ours or "—", theirs or "—", verdict, person.pk if person is not None else None,
        record.pk if record is not None else None, prefill,
    )  # fmt: skip


def _unit(units: dict[int, CollectingUnit], pk: str | None) -> str:
    unit = units.get(int(pk or 0))
    return f"{unit.township.name}{unit.name}" if unit is not None else "—"


def _by_number(what: str, number: str, person: Any, record: Any, today: date) -> str:
    """Which side the number agrees with, in words."""
    parsed = read_number(number, today)
    if not parsed.ok:
        return _("号码本身不对，先更正号码")
    said = parsed.birth_date if what == "birth_date" else parsed.sex
    if getattr(person, what) == said:
        return _("号码和我们一致，请告诉派出所")
    if getattr(record, what) == said:
        return _("号码和公安一致，我们要更正")
    return _("号码和两边都不一致，请核对证件")
