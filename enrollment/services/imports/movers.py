"""People a file of registrations finds in two places: where they live, and where they are registered.

1. Who moved and is named at the place where she is registered stays where she lives: the row is about the season.
2. Who is registered for the same insurance and year in a place the importer does not see is not registered twice.
3. Whom the file moves keeps her season, its house and its readers, as by ``enrollment.services.life.moves``.
Hardly anybody: each step starts at those few.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext as _

from enrollment.services.life.common import keep_seen
from foundation.imports.engine.context import Context
from foundation.scope.context import with_units

# Residents of the running scope who are registered elsewhere than they live.
MOVERS: Final = "(SELECT id, also_units FROM enrollment_resident WHERE also_units IS NOT NULL)"


def refuse_registered_elsewhere(ctx: Context, *, county: int, year: int) -> None:
    """Send back rows that would register somebody again who is registered where the importer does not see."""
    units = {u for (found,) in ctx.fetch(f"SELECT also_units FROM {MOVERS} m") for u in found}
    if not units - ctx.places.units:
        return
    with with_units(units):
        ctx.refuse_staged(
            "registered_elsewhere",
            _("这个人本年度已经在别的村居登记了这个险种，钱在那边收，不能重复登记"),
            """
            SELECT s.file, s.source_row FROM enrollment_resident r
            JOIN enrollment_registration g ON g.resident_id = r.id AND g.coverage_year = %(year)s
            JOIN import_staging_registration s ON s.batch = %(batch)s AND s.number_index = r.number_index
                AND s.insurance = g.insurance
            WHERE r.also_units IS NOT NULL AND r.county_id = %(county)s AND r.merged_into_id IS NULL
              AND g.township_id <> ALL (%(townships)s) AND g.unit_id <> ALL (%(own_units)s)
            """,
            county=county,
            year=year,
            townships=sorted(ctx.places.townships),
            own_units=sorted(ctx.places.units),
        )


_MOVED: Final = """
SELECT r.id, (c.before ->> 'unit_id')::int AS unit_before, (c.before ->> 'household_id')::bigint AS house_before
FROM imports_importchange c JOIN enrollment_resident r ON r.id = c.row_id
WHERE c.batch_id = %(batch)s AND c.relation = 'enrollment_resident'
  AND c.before ? 'unit_id' AND (c.before ->> 'unit_id')::int <> r.unit_id
"""


MOVED_IDS: Final = f"SELECT m.id FROM ({_MOVED}) m"


def moved_by(ctx: Context) -> list[int]:
    """Whom the batch moved to another unit, or registers in a unit where they do not live."""
    rows = ctx.fetch(MOVED_IDS)
    rows += ctx.fetch(
        f"""
        SELECT p.resident_id FROM {MOVERS} m JOIN import_people p ON p.resident_id = m.id
        JOIN enrollment_registration g ON g.resident_id = m.id AND g.batch = %(batch)s
        """
    )
    if ctx.batch.summary.get("apart"):
        rows += ctx.fetch(
            """
            SELECT p.resident_id FROM import_people p JOIN (
                SELECT person FROM import_staging_registration WHERE batch = %(batch)s
                GROUP BY person HAVING min(unit_id) <> max(unit_id)
            ) s ON s.person = p.person
            """
        )
    return sorted({row[0] for row in rows})


def settle_moved(ctx: Context, people: list[int]) -> None:
    """Let seasons keep the house they were begun in, and be read from where they are."""
    if not people:
        return
    units = ctx.fetch(
        "SELECT DISTINCT u FROM enrollment_resident r, unnest(coalesce(r.also_units, '{}') || r.unit_id) u"
        " WHERE r.id = ANY (%(people)s)",
        people=people,
    )
    with with_units({u for (u,) in units}), connection.cursor() as cursor:
        values: dict[str, Any] = {"batch": ctx.batch.pk, "people": people}
        cursor.execute(
            f"UPDATE enrollment_registration g SET household_id = m.house_before FROM ({_MOVED}) m"
            " WHERE g.resident_id = m.id AND g.unit_id = m.unit_before AND g.household_id IS NULL",
            values,
        )
        cursor.execute(
            "UPDATE enrollment_registration g SET household_id = NULL FROM enrollment_resident r"
            " WHERE r.id = g.resident_id AND r.id = ANY (%(people)s) AND g.unit_id = r.unit_id"
            " AND g.household_id IS NOT NULL",
            values,
        )
        keep_seen(people)
