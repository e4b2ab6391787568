"""Folded figures plus what is open, in one statement each, so that nothing is seen twice or not at all."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from contributions.figures import UNCONFIRMED, UNSETTLED
from contributions.models import FigureDelta, PaymentCase
from foundation.scope.places import Places
from progress.models import InTransit, UnitDay, UnitFigure

ZERO = Decimal("0.00")


@dataclass
class Counts:
    """Figures of a place, an insurance and a band, or a sum of such. Heads are people, amounts yuan."""

    in_scope: int = 0
    registered: int = 0
    due: int = 0
    exempt: int = 0
    billed: int = 0
    disbursed: int = 0
    paid: int = 0
    confirmed: int = 0
    exempt_amount: Decimal = ZERO
    billed_amount: Decimal = ZERO
    disbursed_amount: Decimal = ZERO
    due_amount: Decimal = ZERO
    paid_amount: Decimal = ZERO
    confirmed_amount: Decimal = ZERO
    settled_amount: Decimal = ZERO

    def add(self, other: Counts) -> None:
        """Add another's figures to these."""
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


COLUMNS = tuple(field.name for field in fields(Counts))
MOVING = (
    "paid", "confirmed", "paid_amount", "confirmed_amount", "settled_amount", "disbursed", "disbursed_amount",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """Counts of one place (township or unit id), insurance and band."""

    place: int
    insurance: str
    band: str
    counts: Counts


@dataclass(frozen=True)
class Day:
    """What a day added; ``place`` is None for days before the asked ones, summed over all places."""

    place: int | None
    insurance: str
    day: date
    paid: int


@dataclass(frozen=True)
class Open:
    """Money on its way: payments no tax result has confirmed, and results not yet in the treasury."""

    late_heads: int = 0
    late_amount: Decimal = ZERO
    unconfirmed_since: date | None = None
    unsettled_since: date | None = None


_WHERE = "plan_id = %(plan)s AND (township_id = ANY(%(townships)s) OR unit_id = ANY(%(units)s))"


def _values(plan: int, places: Places, **more: Any) -> dict[str, Any]:
    return {"plan": plan, "townships": sorted(places.townships), "units": sorted(places.units), **more}


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def cells(plan: int, places: Places, *, by_unit: bool) -> list[Cell]:
    """Standing now, by township (or unit), insurance and band."""
    key = "unit_id" if by_unit else "township_id"
    standing = ", ".join(name if name in MOVING else f"0 AS {name}" for name in COLUMNS)
    rows = _rows(
        f"""
        SELECT {key}, insurance, band, {", ".join(f"sum({name})" for name in COLUMNS)}
        FROM (
            SELECT {key}, insurance, band, {", ".join(COLUMNS)} FROM {UnitFigure._meta.db_table}
            WHERE {_WHERE}
            UNION ALL
            SELECT {key}, insurance, band, {standing} FROM {FigureDelta._meta.db_table} WHERE {_WHERE}
        ) f
        GROUP BY 1, 2, 3
        """,
        _values(plan, places),
    )
    return [Cell(place, insurance, band, _counts(COLUMNS, sums)) for place, insurance, band, *sums in rows]


def _counts(columns: tuple[str, ...], sums: list[Any]) -> Counts:
    counts = Counts()
    for name, value in zip(columns, sums, strict=True):
        setattr(counts, name, value if name.endswith("_amount") else int(value))
    return counts


def cells_until(plan: int, places: Places, day: date, *, by_unit: bool) -> dict[tuple[int, str], Counts]:
    """What had moved by the end of ``day``, by place and insurance (days keep no bands)."""
    key = "unit_id" if by_unit else "township_id"
    rows = _rows(
        f"""
        SELECT {key}, insurance, {", ".join(f"sum({name})" for name in MOVING)}
        FROM (
            SELECT {key}, insurance, day, {", ".join(MOVING)} FROM {UnitDay._meta.db_table} WHERE {_WHERE}
            UNION ALL
            SELECT {key}, insurance, day, {", ".join(MOVING)} FROM {FigureDelta._meta.db_table} WHERE {_WHERE}
        ) f
        WHERE day <= %(day)s GROUP BY 1, 2
        """,
        _values(plan, places, day=day),
    )
    return {(place, insurance): _counts(MOVING, sums) for place, insurance, *sums in rows}


def days(plan: int, places: Places, *, by_unit: bool, since: date) -> list[Day]:
    """What each day added: by place from ``since`` on, over all places before."""
    key = "unit_id" if by_unit else "township_id"
    rows = _rows(
        f"""
        SELECT CASE WHEN day >= %(since)s THEN {key} END, insurance, day, sum(paid)
        FROM (
            SELECT {key}, insurance, day, paid FROM {UnitDay._meta.db_table} WHERE {_WHERE}
            UNION ALL
            SELECT {key}, insurance, day, paid FROM {FigureDelta._meta.db_table} WHERE {_WHERE}
        ) f
        GROUP BY 1, 2, 3
        """,
        _values(plan, places, since=since),
    )
    return [Day(row[0], row[1], row[2], int(row[3])) for row in rows]


def open_money(plan: int, places: Places, *, today: date, late: date) -> Open:
    """What is on its way until today; payments of ``late`` and before count as overdue."""
    rows = _rows(
        f"""
        SELECT stage, min(day), coalesce(sum(heads) FILTER (WHERE day <= %(late)s), 0),
               coalesce(sum(amount) FILTER (WHERE day <= %(late)s), 0)
        FROM {InTransit._meta.db_table} WHERE {_WHERE} AND day <= %(today)s GROUP BY 1
        """,
        _values(plan, places, today=today, late=late),
    )
    found = {stage: rest for stage, *rest in rows}
    unconfirmed, unsettled = found.get(UNCONFIRMED), found.get(UNSETTLED)
    return Open(
        late_heads=int(unconfirmed[1]) if unconfirmed else 0,
        late_amount=unconfirmed[2] if unconfirmed else ZERO,
        unconfirmed_since=unconfirmed[0] if unconfirmed else None,
        unsettled_since=unsettled[0] if unsettled else None,
    )


def stalled_units(plan: int, places: Places, *, since: date) -> int:
    """Units where somebody still owes and nobody has paid since ``since``."""
    rows = _rows(
        f"""
        SELECT count(*) FROM (
            SELECT unit_id FROM {UnitFigure._meta.db_table} WHERE {_WHERE}
            GROUP BY unit_id HAVING sum(due) > sum(paid)
        ) owing
        WHERE NOT EXISTS (SELECT 1 FROM {UnitDay._meta.db_table} d WHERE d.plan_id = %(plan)s
                            AND d.unit_id = owing.unit_id AND d.day >= %(since)s AND d.paid_amount > 0)
          AND NOT EXISTS (SELECT 1 FROM {FigureDelta._meta.db_table} o WHERE o.plan_id = %(plan)s
                            AND o.unit_id = owing.unit_id AND o.day >= %(since)s AND o.paid_amount > 0)
        """,
        _values(plan, places, since=since),
    )
    return int(rows[0][0])


def open_cases(plan: int, places: Places) -> list[tuple[str, int, Decimal]]:
    """Open cases on stored money by kind: how many, yuan."""
    rows = _rows(
        f"""
        SELECT c.kind, count(*), sum(c.amount) FROM {PaymentCase._meta.db_table} c
        LEFT JOIN contributions_payment p ON p.id = c.payment_id
        WHERE c.state = 'open' AND coalesce(p.plan_id, %(plan)s) = %(plan)s
          AND (c.township_id = ANY(%(townships)s) OR c.unit_id = ANY(%(units)s))
        GROUP BY 1 ORDER BY 3 DESC, 1
        """,
        _values(plan, places),
    )
    return [(row[0], int(row[1]), row[2]) for row in rows]
