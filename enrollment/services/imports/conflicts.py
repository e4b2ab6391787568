"""Where a list contradicts what another office told of the same people: shown before it is applied, never refused.

Every query starts from ``people.FOUND``: people of the importer's places, found by number.
"""

from __future__ import annotations

from typing import Final

from enrollment.services.imports import people
from foundation.imports.engine.context import Context
from foundation.imports.kinds import Finding
from townships.services.imports.places import county_of

_WHO: Final = "s.file, s.source_row, s.name, s.number_encrypted"
# Groups a resident is in on the day, by other lists than the one of ``besides``: with who certified them.
_GROUPS: Final = """
    SELECT string_agg(c.name || coalesce('（' || a.name || '）', ''), '、' ORDER BY c.position, c.code) AS names
    FROM enrollment_membership m
    JOIN enrollment_category c ON c.id = m.category_id
    LEFT JOIN townships_agency a ON a.id = m.certified_by_id
    WHERE m.resident_id = r.id AND m.valid_from <= %(today)s AND (m.valid_to IS NULL OR m.valid_to >= %(today)s)
"""
# What a resident is registered for in the years that are still collected.
_REGISTERED: Final = """
    SELECT string_agg(g.coverage_year || '年' || CASE g.insurance WHEN 'medical' THEN '居民医保' ELSE '居民养老' END, '、'
                      ORDER BY g.coverage_year, g.insurance) AS names
    FROM enrollment_registration g
    WHERE g.resident_id = r.id AND g.closing_reason = '' AND g.coverage_year IN (
        SELECT p.coverage_year FROM enrollment_collectionplan p
        WHERE p.county_id = %(county)s AND p.status <> 'closed')
"""


def _finding(
    section: str, field: str, before: str, after: str, where: str = "true", join: str = ""
) -> tuple[str, str]:
    return (
        section,
        f"""
        SELECT {_WHO}, '{field}' AS field, {before} AS before, {after} AS after
        FROM {people.FOUND} {join} WHERE s.batch = %(batch)s AND ({where})
    """,
    )


def _listed(section: str, after: str) -> tuple[str, str]:
    return _finding(
        section, "membership", "x.names", after, "x.names IS NOT NULL", f"CROSS JOIN LATERAL ({_GROUPS}) x"
    )


def _registered(section: str, after: str, where: str = "") -> tuple[str, str]:
    return _finding(
        section, "registration", "x.names", after, "x.names IS NOT NULL",
        f"CROSS JOIN LATERAL ({_REGISTERED}{where}) x",
    )  # fmt: skip


_ALIVE_IN_POLICE: Final = """JOIN enrollment_policerecord o ON o.county_id = %(county)s AND o.number_index = s.number_index
    AND o.death_date IS NULL AND o.cancelled_on IS NULL"""
_EMPLOYED: Final = "r.employee_pension OR r.employee_medical"

CONFLICTS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "deaths": (
        _listed("dead_listed", "s.day::text"),
        _finding("dead_employed", "employment", "'employed'", "s.day::text", _EMPLOYED),
        _registered("dead_registered", "s.day::text"),
        _finding("dead_in_police", "police", "'alive'", "s.day::text", join=_ALIVE_IN_POLICE),
    ),
    "employee_insured": (
        _registered(
            "employed_registered", "'employed'", " AND (s.code = 'both' OR s.code = g.insurance)"
        ),
        _listed("employed_listed", "'employed'"),
        _finding("employed_dead", "death", "r.death_date::text", "'employed'", "r.death_date IS NOT NULL"),
    ),
    "students": (
        _registered("student_registered", "s.code", " AND g.insurance = 'pension'"),
        _finding("student_employed", "employment", "'employed'", "s.code", _EMPLOYED),
    ),
    "residence_permits": (
        _finding("permit_local", "registration_area", "r.registration_area", "'permit'", "r.registration_area = 'local'"),
    ),
    "paid_elsewhere": (
        _registered("elsewhere_registered", "s.code", " AND g.insurance = 'medical'"),
        _listed("elsewhere_listed", "s.code"),
    ),
    "category": (
        _finding("listed_employed", "employment", "'employed'", "c.name", _EMPLOYED,
                 "JOIN enrollment_category c ON c.code = s.code"),
        _finding(
            "listed_twice", "membership", "x.names", "n.name", "x.names IS NOT NULL",
            f"""JOIN enrollment_category n ON n.code = s.code CROSS JOIN LATERAL ({_GROUPS} AND c.code <> s.code
                AND m.certified_by_id IS DISTINCT FROM s.certified_by) x""",
        ),
    ),
}  # fmt: skip


def conflicts(ctx: Context, today: object) -> list[Finding]:
    """What the batch's list contradicts; empty for kinds that can contradict nothing."""
    people.find(ctx)
    values = {"county": county_of(ctx).pk, "today": today}
    return [Finding(section, query, values) for section, query in CONFLICTS.get(ctx.batch.kind, ())]
