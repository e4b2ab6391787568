"""What a batch changes in the register, kept so that it can be taken back: rows it changed, rows it made.

Set-based: a statement changes, and in the same breath writes down what was there before (``ImportChange``) or the ids it
made (ranges in the batch's summary).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from foundation.imports.engine.context import Context


def differs(said: str, kept: str, columns: tuple[str, ...], exact: tuple[str, ...] = ()) -> str:
    """A condition: what is said (NULL says nothing, except in ``exact`` columns) is not what is kept."""
    return " OR ".join(
        [
            *(f"({said}.{c} IS NOT NULL AND {said}.{c} IS DISTINCT FROM {kept}.{c})" for c in columns),
            *(f"{said}.{c} IS DISTINCT FROM {kept}.{c}" for c in exact),
        ]
    )


def changed_fields(
    said: str,
    table: str,
    columns: tuple[str, ...],
    exact: tuple[str, ...] = (),
    *,
    staging: str,
    shown: Mapping[str, str] | None = None,
) -> str:
    """A ``Finding`` query of what ``logged_update`` would change: a row a column, before and after.

    ``said`` is its ``found``, with ``file, source_row`` beside. ``shown`` gives, for columns that are no words (keys of
    other rows), an expression with ``{row}`` for the row it is of.
    """
    words = shown or {}

    def text(column: str, row: str) -> str:
        return words[column].format(row=row) if column in words else f"{row}.{column}::text"

    fields = ", ".join(
        f"('{c}', {text(c, 't')}, {text(c, 'f')}, {differs('f', 't', () if c in exact else (c,), (c,) if c in exact else ())})"
        for c in (*columns, *exact)
    )
    return f"""
        SELECT f.file, f.source_row, s.name, s.number_encrypted, d.field, d.before, d.after
        FROM ({said}) f JOIN {table} t ON t.id = f.id
        JOIN {staging} s ON s.batch = %(batch)s AND s.file = f.file AND s.source_row = f.source_row
        CROSS JOIN LATERAL (VALUES {fields}) AS d (field, before, after, differs)
        WHERE ({differs("f", "t", columns, exact)}) AND d.differs
    """


def logged_update(
    ctx: Context,
    *,
    table: str,
    found: str,
    columns: tuple[str, ...],
    always: tuple[str, ...] = (),
    exact: tuple[str, ...] = (),
    place: tuple[str, str] = ("township_id", "unit_id"),
    **values: Any,
) -> int:
    """Change rows that differ, keeping what they held before; returns how many changed.

    ``found`` is a query that gives ``id`` and a column of each name in ``columns`` with the value wanted, NULL where
    the file says nothing. ``always`` names columns of ``found`` that follow when another one changes (a ciphertext
    differs each time it is written, so it is no reason by itself). ``exact`` columns are taken as ``found`` gives them,
    NULL too: the file is all there is to know. ``place`` names the columns of a row's place.
    """
    changed = differs("f", "t", columns, exact)
    written = (*columns, *always, *exact)
    before = ", ".join(f"'{name}', t.{name}" for name in written)
    wanted = ", ".join(
        f"f.{name}" if name in exact else f"coalesce(f.{name}, t.{name}) AS {name}" for name in written
    )
    assigned = ", ".join(f"{name} = c.{name}" for name in written)
    return ctx.execute(
        f"""
        WITH found AS MATERIALIZED ({found}),
        changes AS MATERIALIZED (
            SELECT t.id, t.{place[0]} AS was_township, t.{place[1]} AS was_unit, {wanted},
                   jsonb_build_object({before}) AS was
            FROM {table} t JOIN found f ON f.id = t.id WHERE {changed}
        ),
        kept AS (
            INSERT INTO imports_importchange (batch_id, relation, row_id, township_id, unit_id, before)
            SELECT %(batch)s, '{table}', id, was_township, was_unit, was FROM changes
        )
        UPDATE {table} t SET {assigned} FROM changes c WHERE t.id = c.id
        """,
        **values,
    )


def restore(ctx: Context, *tables: str) -> int:
    """Give the rows of tables back what they held before the batch; returns how many.

    A row the batch changed twice gets back what it held first; columns the batch left alone stay as they are now.
    """
    restored = 0
    for table in tables:
        names = ctx.fetch(
            "SELECT DISTINCT k FROM imports_importchange c, jsonb_object_keys(c.before) k"
            " WHERE c.batch_id = %(batch)s AND c.relation = %(table)s ORDER BY k",
            table=table,
        )
        if not names:
            continue
        assigned = ", ".join(
            f'"{name}" = CASE WHEN b.was ? \'{name}\' THEN (b.old)."{name}" ELSE t."{name}" END'
            for (name,) in names
        )
        restored += ctx.execute(
            f"""
            UPDATE {table} t SET {assigned}
            FROM (
                SELECT k.row_id, k.was, jsonb_populate_record(NULL::{table}, k.was) AS old
                FROM (
                    SELECT c.row_id, jsonb_object_agg(e.key, e.value ORDER BY c.id DESC) AS was
                    FROM imports_importchange c, jsonb_each(c.before) e
                    WHERE c.batch_id = %(batch)s AND c.relation = '{table}' GROUP BY c.row_id
                ) k
            ) b WHERE t.id = b.row_id
            """
        )
    return restored


def undo_inserted(ctx: Context, *tables: str, unless: str = "false") -> None:
    """Remove the rows a batch made, table by table; a row ``t`` of which ``unless`` holds stays."""
    for table in tables:
        for first, last in ctx.batch.summary.get("inserted", {}).get(table, []):
            ctx.execute(
                f"DELETE FROM {table} t WHERE t.id BETWEEN %(first)s AND %(last)s AND NOT ({unless})",
                first=first,
                last=last,
            )


def made_by(ctx: Context, table: str, column: str = "id") -> Q:
    """A condition for the rows of a table that the batch made."""
    ranges = ctx.batch.summary.get("inserted", {}).get(table, [])
    condition = Q(pk__in=[])
    for first, last in ranges:
        condition |= Q(**{f"{column}__gte": first, f"{column}__lte": last})
    return condition


def insert_returning(ctx: Context, table: str, statement: str, **values: Any) -> int:
    """Run ``INSERT …`` and remember the rows it made for undo; returns how many."""
    count, first, last, ids = ctx.one(
        f"WITH made AS ({statement} RETURNING id)"
        " SELECT count(*), min(id), max(id), CASE WHEN max(id) - min(id) + 1 > count(*) THEN array_agg(id) END"
        " FROM made",
        **values,
    )
    if count:
        # Rows made at once usually have ids in one run; others made beside them leave gaps.
        ctx.inserted_range(table, first, last) if ids is None else ctx.inserted(table, ids)
    return int(count)
