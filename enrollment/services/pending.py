"""Note whose facts changed, in the transaction that changes them, so that only they are assessed again.

Every service that changes a fact of the evaluator (birth date, sex, place, school, employment, death, special group,
family record, registration and its tier) calls ``touch``; files are seen by ``touched_by_batch``. Rooms above say what
is done at once for a correction of a few people (``on_touch``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.db import connection

from enrollment.models import PendingAssessment, TouchedBy
from foundation.imports.engine.context import Context

# From so many people of a unit on, and where they are a third of it, the unit is named instead of each.
MANY: Final = 300

# What an assessment reads, by table: a new telephone, address or last year's tier touches nobody.
_FACTS: Final = {
    "enrollment_resident": (
        "township_id", "unit_id", "birth_date", "sex", "registration_area", "residence_permit", "in_school", "school",
        "employee_pension", "employee_medical", "other_enrolment", "death_date", "merged_into_id", "left_on",
    ),
    "enrollment_registration": ("township_id", "unit_id", "tier", "is_new", "missed_years", "repaired_years"),
    "enrollment_membership": ("valid_from", "valid_to", "grade", "approved"),
    "enrollment_familyrecord": ("kind", "lawful_birth", "wife_birth_date"),
}  # fmt: skip

_LISTENERS: list[Callable[[Any, list[int]], None]] = []


def on_touch(listener: Callable[[Any, list[int]], None]) -> None:
    """Call ``listener(by, residents)`` in the transaction of a correction by hand."""
    _LISTENERS.append(listener)


def touch(*, by: Any, residents: Iterable[int], why: TouchedBy = TouchedBy.CORRECTION) -> None:
    """A correction by hand changed facts of these residents, all of them in the running scope."""
    ids = sorted(set(residents))
    note(ids, why)
    for listener in _LISTENERS:
        listener(by, ids)


def note(residents: list[int], why: TouchedBy) -> None:
    """Queue residents at a place of the running scope where they are registered, else where they live."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {PendingAssessment._meta.db_table} (township_id, unit_id, resident_id, why)"
            " SELECT DISTINCT ON (r.id) coalesce(g.township_id, r.township_id), coalesce(g.unit_id, r.unit_id), r.id, %s"
            " FROM enrollment_resident r LEFT JOIN enrollment_registration g ON g.resident_id = r.id"
            " WHERE r.id = ANY(%s) ORDER BY r.id, g.unit_id IS NOT DISTINCT FROM r.unit_id DESC",
            [why, residents],
        )


def touched_by_batch(ctx: Context, *, undoing: bool) -> dict[str, Any]:
    """Queue whom a batch touched: rows it changed in a fact, and rows it made. Called while both are there.

    Returns ``to_assess``, how many are to be assessed again, for the batch's summary.
    """
    sources, values = _sources(ctx)
    if not sources:
        return {}
    ctx.execute("DROP TABLE IF EXISTS pg_temp.touched")
    ctx.execute(f"CREATE TEMPORARY TABLE touched ON COMMIT DROP AS {' UNION ALL '.join(sources)}", **values)
    if undoing:  # whom the batch brought is about to go
        for first, last in ctx.batch.summary.get("inserted", {}).get("enrollment_resident", []):
            ctx.execute(
                "DELETE FROM touched WHERE resident_id BETWEEN %(first)s AND %(last)s", first=first, last=last
            )
    # A person with two rows counts twice here: enough to tell a county's first file from a list of some.
    whole = ctx.fetch(
        """
        WITH t AS MATERIALIZED (
            SELECT unit_id, min(township_id) AS township_id, count(*) AS n FROM touched
            GROUP BY unit_id HAVING count(*) >= %(many)s
        ), u AS (
            SELECT unit_id, count(*) AS people FROM enrollment_resident WHERE unit_id IN (SELECT unit_id FROM t)
            GROUP BY unit_id
        )
        SELECT t.unit_id, t.township_id, u.people FROM t JOIN u ON u.unit_id = t.unit_id WHERE t.n * 3 >= u.people
        """,
        many=MANY,
    )
    why = TouchedBy.UNDONE if undoing else TouchedBy.LIST
    PendingAssessment.objects.bulk_create(
        PendingAssessment(township_id=township, unit_id=unit, why=why, batch=ctx.batch.pk)
        for unit, township, _people in whole
    )
    single = ctx.execute(
        f"""
        INSERT INTO {PendingAssessment._meta.db_table} (township_id, unit_id, resident_id, why, batch)
        SELECT min(township_id), min(unit_id), resident_id, %(why)s, %(batch)s FROM touched
        WHERE unit_id <> ALL(%(whole)s) GROUP BY resident_id
        """,
        why=why,
        whole=[unit for unit, _township, _people in whole],
    )
    return {"to_assess": single + sum(people for _unit, _township, people in whole)}


def _sources(ctx: Context) -> tuple[list[str], dict[str, Any]]:
    """Selects of (township_id, unit_id, resident_id) for each table the batch changed or filled."""
    values: dict[str, Any] = {}
    changed = {
        relation
        for (relation,) in ctx.fetch(
            "SELECT DISTINCT relation FROM imports_importchange WHERE batch_id = %(batch)s"
        )
    }
    inserted = {**ctx.batch.summary.get("inserted", {}), **ctx.summary.get("inserted", {})}
    parts = []
    for table, facts in _FACTS.items():
        who = "r.id" if table == "enrollment_resident" else "r.resident_id"
        if table in changed:
            differs = " OR ".join(
                f"(c.before ? '{name}' AND b.{name} IS DISTINCT FROM r.{name})" for name in facts
            )
            parts.append(
                f"SELECT c.township_id, c.unit_id, {who} AS resident_id FROM imports_importchange c"
                f" JOIN {table} r ON r.id = c.row_id CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, c.before) b"
                f" WHERE c.batch_id = %(batch)s AND c.relation = '{table}' AND ({differs})"
            )
        # A resident without a registration owes nothing, and is found as not assessed yet.
        for place, (first, last) in enumerate(inserted.get(table, []) if who != "r.id" else []):
            key = f"{table}_{place}"
            values |= {f"{key}_first": first, f"{key}_last": last}
            parts.append(
                f"SELECT r.township_id, r.unit_id, {who} AS resident_id FROM {table} r"
                f" WHERE r.id BETWEEN %({key}_first)s AND %({key}_last)s"
            )
    return parts, values
