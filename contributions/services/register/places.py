"""Places change under people (``enrollment.services.life.places``): what is assessed where somebody lives follows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from django.db import connection, transaction

from contributions.models import FigureRebuild
from enrollment.queries import live_plans
from enrollment.services.life import places
from enrollment.services.life.places import Moved
from foundation.scope.context import with_units
from townships.models import User

# An assessment stands where the season is registered, else where the person lives.
_FOLLOW: Final = """
UPDATE contributions_assessment a SET township_id = r.township_id, unit_id = r.unit_id
FROM enrollment_resident r
WHERE r.id = a.resident_id AND r.unit_id = %(unit)s AND a.unit_id = %(old)s AND NOT EXISTS (
    SELECT FROM enrollment_registration g
    WHERE g.resident_id = a.resident_id AND g.insurance = a.insurance AND g.coverage_year = a.coverage_year)
"""


@transaction.atomic
def change_unit(
    *, by: User, unit: int, to_unit: int, on: date, evidence: str, households: Sequence[int] | None = None
) -> Moved:
    """Let another unit collect from a unit's households from the next season on. Raises as the register's service."""
    moved = places.change_unit(
        by=by, unit=unit, to_unit=to_unit, on=on, evidence=evidence, households=households
    )
    with with_units({unit, to_unit}), connection.cursor() as cursor:
        cursor.execute(_FOLLOW, {"old": unit, "unit": to_unit})
    FigureRebuild.objects.bulk_create(FigureRebuild(plan=plan) for plan in live_plans(by.county_id or 0))
    return moved
