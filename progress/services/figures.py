"""Recount figures from what the owning apps hold, and fold what they appended since.

The rule that keeps figures exact while money comes in: a payment writes its lines and its delta in one
transaction, so any one snapshot holds both or neither. Every statement here therefore takes deltas away and
counts (or adds) in one go. ``rebuild`` deletes exactly the deltas its own count has seen; a payment committed
meanwhile keeps its delta for the next fold. An advisory lock lets one folder work at a time. It is taken in a
statement of its own before the one that counts, so that the count's snapshot is younger than the lock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from contributions.figures import COUNTED, IN_TRANSIT_SQL, parameters, query
from contributions.models import FigureDelta, FigureRebuild
from enrollment.models import CollectionPlan
from foundation.clock.services import now
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from progress.models import InTransit, InTransitCount, UnitDay, UnitFigure
from townships.models import Township

FOLD_LOCK = 0x4A5A_464F
IN_TRANSIT_EVERY = timedelta(minutes=1)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_MOVING = (
    "paid", "paid_amount", "confirmed", "confirmed_amount", "settled_amount", "disbursed", "disbursed_amount",
)  # fmt: skip
_STANDING = (
    "in_scope", "registered", "due", "due_amount", "exempt", "exempt_amount", "billed", "billed_amount",
)  # fmt: skip
# column → figure, and which of its two measures
_SOURCES = {
    "in_scope": ("in_scope", "heads"),
    "registered": ("registered", "heads"),
    "due": ("due", "heads"),
    "due_amount": ("due", "amount"),
    "exempt": ("exempt", "heads"),
    "exempt_amount": ("exempt", "amount"),
    "billed": ("billed", "heads"),
    "billed_amount": ("billed", "amount"),
    "disbursed": ("disbursed", "heads"),
    "disbursed_amount": ("disbursed", "amount"),
    "paid": ("paid", "heads"),
    "paid_amount": ("paid", "amount"),
    "confirmed": ("confirmed", "heads"),
    "confirmed_amount": ("confirmed", "amount"),
    "settled_amount": ("settled_amount", "amount"),
}


def _sums(columns: tuple[str, ...]) -> str:
    parts = []
    for column in columns:
        figure, measure = _SOURCES[column]
        parts.append(f"coalesce(sum({measure}) FILTER (WHERE figure = '{figure}'), 0) AS {column}")
    return ", ".join(parts)


def _differs(columns: tuple[str, ...]) -> str:
    kept = ", ".join(f"kept.{name}" for name in columns)
    new = ", ".join(f"EXCLUDED.{name}" for name in columns)
    return f"({kept}) IS DISTINCT FROM ({new})"


def _takes(columns: tuple[str, ...]) -> str:
    return ", ".join(f"{name} = EXCLUDED.{name}" for name in columns)


_ALL = _STANDING + _MOVING
# Rows that stay as they are are not written again: a recount of a large county leaves no dead rows behind.
_REBUILD = f"""
    WITH asked AS (DELETE FROM {FigureRebuild._meta.db_table} WHERE plan_id = %(plan)s),
    seen AS (DELETE FROM {FigureDelta._meta.db_table} WHERE plan_id = %(plan)s),
    counted AS MATERIALIZED ({query(*COUNTED)}),
    cells AS MATERIALIZED (
        SELECT max(township_id) AS township_id, unit_id, insurance, band, {_sums(_ALL)}
        FROM counted GROUP BY unit_id, insurance, band
    ),
    day_cells AS MATERIALIZED (
        SELECT max(township_id) AS township_id, unit_id, insurance, day, {_sums(_MOVING)}
        FROM counted WHERE day IS NOT NULL GROUP BY unit_id, insurance, day
    ),
    figures AS (
        INSERT INTO {UnitFigure._meta.db_table} AS kept
            (plan_id, township_id, unit_id, insurance, band, {", ".join(_ALL)})
        SELECT %(plan)s, c.* FROM cells c
        ON CONFLICT (plan_id, unit_id, insurance, band) DO UPDATE
        SET township_id = EXCLUDED.township_id, {_takes(_ALL)} WHERE {_differs(("township_id", *_ALL))}
    ),
    days AS (
        INSERT INTO {UnitDay._meta.db_table} AS kept
            (plan_id, township_id, unit_id, insurance, day, {", ".join(_MOVING)})
        SELECT %(plan)s, c.* FROM day_cells c
        ON CONFLICT (plan_id, unit_id, insurance, day) DO UPDATE
        SET township_id = EXCLUDED.township_id, {_takes(_MOVING)} WHERE {_differs(("township_id", *_MOVING))}
    ),
    figures_gone AS (
        DELETE FROM {UnitFigure._meta.db_table} g WHERE g.plan_id = %(plan)s AND NOT EXISTS (
            SELECT 1 FROM cells c
            WHERE c.unit_id = g.unit_id AND c.insurance = g.insurance AND c.band = g.band)
    ),
    days_gone AS (
        DELETE FROM {UnitDay._meta.db_table} g WHERE g.plan_id = %(plan)s AND NOT EXISTS (
            SELECT 1 FROM day_cells c
            WHERE c.unit_id = g.unit_id AND c.insurance = g.insurance AND c.day = g.day)
    )
    SELECT count(*) FROM cells
"""

_ADDED = ", ".join(f"sum({name})" for name in _MOVING)
_UPSERT = ", ".join(f"{name} = kept.{name} + EXCLUDED.{name}" for name in _MOVING)
_FOLD = f"""
    WITH taken AS (DELETE FROM {FigureDelta._meta.db_table} RETURNING *),
    figures AS (
        INSERT INTO {UnitFigure._meta.db_table} AS kept
            (plan_id, township_id, unit_id, insurance, band, {", ".join(_STANDING + _MOVING)})
        SELECT plan_id, max(township_id), unit_id, insurance, band,
               {", ".join("0" for _ in _STANDING)}, {_ADDED}
        FROM taken GROUP BY plan_id, unit_id, insurance, band
        ON CONFLICT (plan_id, unit_id, insurance, band) DO UPDATE SET {_UPSERT}
    ),
    days AS (
        INSERT INTO {UnitDay._meta.db_table} AS kept
            (plan_id, township_id, unit_id, insurance, day, {", ".join(_MOVING)})
        SELECT plan_id, max(township_id), unit_id, insurance, day, {_ADDED}
        FROM taken GROUP BY plan_id, unit_id, insurance, day
        ON CONFLICT (plan_id, unit_id, insurance, day) DO UPDATE SET {_UPSERT}
    )
    SELECT count(*), coalesce(array_agg(DISTINCT plan_id), '{{}}') FROM taken
"""


_IN_TRANSIT = f"""
    INSERT INTO {InTransit._meta.db_table} (plan_id, stage, township_id, unit_id, insurance, day, heads, amount)
    SELECT %(plan)s, w.* FROM ({IN_TRANSIT_SQL}) w
"""


def rebuild(plan: CollectionPlan) -> int:
    """Count a plan's figures anew for the whole county; waits for a fold that is under way.

    Returns the number of cells (unit × insurance × band) written. Requests that asked for it are settled.
    """
    with places_scope(_county(plan)):
        _run("SELECT pg_advisory_xact_lock(%s)", [FOLD_LOCK])
        return _rebuild(plan)


def fold() -> int:
    """Settle requests for a recount, then add the open deltas. Returns how many deltas it added.

    Does nothing where another folder is at work: what is open waits for the next call.
    """
    asked = FigureRebuild.objects.values_list("plan_id", flat=True).distinct()
    for plan in CollectionPlan.objects.filter(pk__in=asked).order_by("pk"):
        with places_scope(_county(plan)):
            if not _run("SELECT pg_try_advisory_xact_lock(%s)", [FOLD_LOCK])[0]:
                return 0
            _rebuild(plan)
    added = _fold() if FigureDelta.objects.exists() else 0
    _recount_in_transit()
    return added


def _fold() -> int:
    with places_scope(Places(frozenset(Township.objects.values_list("pk", flat=True)))):
        if not _run("SELECT pg_try_advisory_xact_lock(%s)", [FOLD_LOCK])[0]:
            return 0
        added, plans = _run(_FOLD)
        moved = CollectionPlan.objects.filter(pk__in=plans)
        InTransitCount.objects.filter(plan__in=moved).update(stale=True)
        known = InTransitCount.objects.values_list("plan_id", flat=True)
        for plan in moved.exclude(pk__in=known):
            InTransitCount.objects.create(plan=plan, counted_at=NEVER, stale=True)
        return int(added)


def _recount_in_transit() -> None:
    """Count money on its way again for plans where something moved, at most once a minute."""
    due = InTransitCount.objects.filter(stale=True, counted_at__lte=now() - IN_TRANSIT_EVERY)
    for count in due.select_related("plan").order_by("pk"):
        with places_scope(_county(count.plan)):
            if _run("SELECT pg_try_advisory_xact_lock(%s)", [FOLD_LOCK])[0]:
                _count_in_transit(count.plan)


def _count_in_transit(plan: CollectionPlan) -> None:
    # Marked before it is counted: what moves meanwhile marks it stale again.
    InTransitCount.objects.update_or_create(plan=plan, defaults={"counted_at": now(), "stale": False})
    InTransit.objects.filter(plan=plan).delete()
    with connection.cursor() as cursor:
        cursor.execute(_IN_TRANSIT, {"plan": plan.pk})


def _rebuild(plan: CollectionPlan) -> int:
    # A county's rows are sorted and hashed once; compiling the statement would cost more than running it.
    _run("SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true)")
    (cells,) = _run(_REBUILD, parameters(plan))
    _count_in_transit(plan)
    return int(cells)


def _county(plan: CollectionPlan) -> Places:
    ids = Township.objects.filter(county_id=plan.county_id).values_list("pk", flat=True)
    return Places(frozenset(ids))


def _run(statement: str, values: Any = None) -> tuple[Any, ...]:
    """The first row."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] = cursor.fetchall()[0]
        return row
