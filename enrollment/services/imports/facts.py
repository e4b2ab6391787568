"""Kinds of lists that state a fact of residents: what the list says, what it takes back, one change a person.

A list says what is. An incremental one does not say what is not: who is missing from it keeps what the register knows. A
full list (全量) also takes the fact from residents of the sender's places whom it no longer names. Lists name many who are
in no register of ours (most employees, most of the dead): they are passed over and counted, not sent back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from enrollment.services.imports import people
from enrollment.services.imports.common import ReadPerson
from enrollment.services.imports.conflicts import conflicts
from enrollment.services.imports.holders import held
from foundation.clock.services import business_date
from foundation.imports.engine.changes import changed_fields, differs, logged_update, restore
from foundation.imports.engine.context import Context
from foundation.imports.kinds import Counts, Finding, ImportKind, RowIdentity, RowReader, StagedRow
from foundation.pinyin import initials
from townships.services.imports.places import county_of, township_named

PERSON: Final = RowIdentity()


@dataclass(frozen=True, slots=True)
class Said:
    """What a list says: a query over ``people.FOUND`` that gives ``file, source_row, id`` and a value for each of ``columns``.

    ``unlisted`` gives the residents a full list takes the fact from, with the values they are left with; empty where
    there is no full list of the kind.
    """

    query: str
    columns: tuple[str, ...]
    unlisted: str = ""


def unlisted(values: str, where: str) -> str:
    """``Said.unlisted`` for residents ``k`` of whom ``where`` holds and whom the list does not name."""
    return f"""
        SELECT k.id, {values} FROM enrollment_resident k
        WHERE k.county_id = %(county)s AND k.merged_into_id IS NULL AND {held("k")} AND ({where})
            AND NOT EXISTS (SELECT FROM {people.FOUND} WHERE s.batch = %(batch)s AND r.id = k.id)
    """


def staged(person: ReadPerson, *, code: str = "", day: date | None = None) -> StagedRow:
    """A row of a list in the order of ``people.COLUMNS``."""
    return (
        person.number_index, person.number_encrypted, person.name, initials(person.name)[:20], code, "",
        str(day or ""), "", "",
    )  # fmt: skip


def people_once(ctx: Context) -> None:
    """The checks of a list where a person stands once."""
    people.check_people(ctx, unknown_go_back=False)


def people_once_each(ctx: Context) -> None:
    """The checks of a list where a person may stand once under each code."""
    people.check_people(ctx, by_code=True, unknown_go_back=False)


def fact_kind(
    said: Said,
    *,
    name: str,
    label: Any,
    says: Any,
    required: tuple[str, ...],
    optional: tuple[str, ...],
    reader: Callable[[Context], RowReader],
    check: Callable[[Context], None] = people_once,
    any_of: tuple[tuple[str, ...], ...] = (),
    identity: RowIdentity = PERSON,
    **more: Any,
) -> ImportKind:
    """A kind of list that states a fact of residents."""
    return ImportKind(
        name=name,
        label=label,
        help=says,
        required=required,
        optional=optional,
        staging=people.STAGING,
        columns=people.COLUMNS,
        reader=reader,
        check=check,
        preview=_preview(said),
        apply=_apply(said),
        findings=_findings(said),
        undo=_undo,
        roles=people.ROLES,
        any_of=any_of,
        identity=identity,
        township=township_named,
        can_be_full=bool(said.unlisted),
        writes=("enrollment_resident",),
        **more,
    )


def _preview(said: Said) -> Callable[[Context], Counts]:
    moved, first = differs("f", "t", said.columns), f"t.{said.columns[0]}::text"

    def preview(ctx: Context) -> Counts:
        people.find(ctx)
        # A fact the register did not have is new; one it had differently is a change.
        new, changed, total = ctx.one(
            f"""
            SELECT count(*) FILTER (WHERE ({moved}) AND coalesce({first}, '') IN ('', 'false')),
                   count(*) FILTER (WHERE ({moved}) AND coalesce({first}, '') NOT IN ('', 'false')),
                   (SELECT count(*) FROM {people.STAGING} WHERE batch = %(batch)s)
            FROM ({said.query}) f JOIN enrollment_resident t ON t.id = f.id
            """
        )
        return Counts(new, changed, total - new - changed, _closing(ctx, said))

    return preview


def _closing(ctx: Context, said: Said) -> int:
    if not ctx.batch.full_list:
        return 0
    return int(
        ctx.one(
            f"SELECT count(*) FROM ({said.unlisted}) f JOIN enrollment_resident t ON t.id = f.id"
            f" WHERE {differs('f', 't', said.columns)}",
            county=county_of(ctx).pk,
        )[0]
    )


def _findings(said: Said) -> Callable[[Context, Counts], Sequence[Finding]]:
    changed = changed_fields(said.query, "enrollment_resident", said.columns, staging=people.STAGING)
    fields = ", ".join(f"('{c}', t.{c}::text, f.{c}::text)" for c in said.columns)
    closing = f"""
        SELECT NULL::int AS file, NULL::int AS source_row, t.name, t.number_encrypted, d.field, d.before, d.after
        FROM ({said.unlisted}) f JOIN enrollment_resident t ON t.id = f.id
        CROSS JOIN LATERAL (VALUES {fields}) AS d (field, before, after)
        WHERE d.after IS NOT NULL AND d.after IS DISTINCT FROM d.before
    """

    def findings(ctx: Context, counts: Counts) -> Sequence[Finding]:
        found = [Finding("changed", changed)] if counts.changed else []
        if counts.closed:
            found.append(Finding("closing", closing, {"county": county_of(ctx).pk}))
        return [*found, *conflicts(ctx, business_date(ctx.batch.county_code))]

    return findings


def _apply(said: Said) -> Callable[[Context], Counts]:
    # Two rows of one person (two insurances) become one change.
    merged = ", ".join(f"(array_agg({c} ORDER BY {c} DESC NULLS LAST))[1] AS {c}" for c in said.columns)

    def apply(ctx: Context) -> Counts:
        changed = logged_update(
            ctx,
            table="enrollment_resident",
            found=f"SELECT id, {merged} FROM ({said.query}) one GROUP BY id",
            columns=said.columns,
        )
        closed = 0
        if ctx.batch.full_list:
            closed = logged_update(
                ctx,
                table="enrollment_resident",
                found=said.unlisted,
                columns=said.columns,
                county=county_of(ctx).pk,
            )
        return Counts(0, changed, 0, closed)

    return apply


def _undo(ctx: Context) -> None:
    restore(ctx, "enrollment_resident")
