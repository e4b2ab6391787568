"""The way of a mark: 名单 → 镇街验证 → 医保标识 → 税务已同步, one person or many at once, each step kept for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction

from enrollment.models import MarkState
from enrollment.rules import mark_before, may_move_mark
from foundation.audit.services import record
from foundation.clock.services import business_date
from townships.models import User

# Only rows at a place of the mover's own: what is merely readable elsewhere is not his to move.
_MOVE: Final = """
    WITH moved AS (
        UPDATE enrollment_membership SET mark = %(to)s
        WHERE id IN (
            SELECT id FROM enrollment_membership
            WHERE id = ANY (%(ids)s) AND mark = %(from)s
              AND (township_id = ANY (%(townships)s) OR unit_id = ANY (%(units)s))
            ORDER BY id FOR UPDATE
        )
        RETURNING id, township_id, unit_id
    ), kept AS (
        INSERT INTO enrollment_markstep (membership_id, township_id, unit_id, to_state, by_id, "on")
        SELECT id, township_id, unit_id, %(to)s, %(by)s, %(on)s FROM moved
    )
    SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM moved
"""


@transaction.atomic
def advance_marks(*, by: User, memberships: Iterable[int], to: str) -> int:
    """Move the marks of these memberships one step, to ``to``; returns how many moved.

    Those that stand elsewhere, or at a place that is not the mover's, stay: two clerks who press at once move each mark
    once. One audit event for all, with a digest of the rows. Raises PermissionDenied for another post's step.
    """
    before = mark_before(to)
    if before is None or not may_move_mark(by.role, to):
        raise PermissionDenied
    places = by.scope_places()
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE,
            {
                "ids": sorted(set(memberships)), "from": before, "to": to, "by": by.pk,
                "on": business_date(by.county_code), "townships": sorted(places.townships),
                "units": sorted(places.units),
            },
        )  # fmt: skip
        row = cursor.fetchone()
    moved: list[int] = row[0] if row else []
    if moved:
        digest = hashlib.sha256(",".join(map(str, moved)).encode()).hexdigest()
        record(
            by=by, action="membership.mark", target_kind="membership", target=moved[0] if len(moved) == 1 else "",
            county_code=by.county_code, detail={"mark": str(MarkState(to)), "rows": len(moved), "digest": digest},
        )  # fmt: skip
    return len(moved)
