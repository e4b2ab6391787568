"""The evaluator's answers for many people at once, in temporary tables of the running transaction.

``ANSWERS``: everybody of the run, priced for its day, registered or not.
``PAYMENTS`` and ``PAID_ANSWERS``: whoever has paid, priced for the day, route and tier of the payment; ``then`` with the
groups of that day, ``now`` with today's where they are others.

With ``before``, the plan as it was, only those are kept whom the two plans answer otherwise: the people an amendment
touches. It is the same evaluator on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.db import connection

from contributions.models import OWN_PARTS, Decision
from contributions.queries import facts_parameters, facts_sql, needs_households
from contributions.services.quotes import entitlement_day
from enrollment.models import CollectionPlan
from subsidies.queries import rule_book_of
from subsidies.rules.evaluator import evaluation_sql
from subsidies.rules.facts import RESULT_COLUMNS
from subsidies.rules.plan import Plan

ANSWERS: Final = "answers_of_assess"
PAYMENTS: Final = "payments_of_assess"
PAID_ANSWERS: Final = "paid_answers"

# The columns an assessment and a charge take from an answer, in one place.
COPIED: Final = (
    "decision", "reason", "timing", "personal_amount", "government_paid_amount", "fiscal_subsidy_amount",
    "pension_government_subsidy", "family_planning_subsidy", "total_amount", "standard_code", "waiver_code",
    "subsidy_code", "family_code", "decision_code", "benefit_start", "benefit_end", "warnings",
)  # fmt: skip
AMOUNTS: Final = frozenset(
    {
        "personal_amount", "government_paid_amount", "fiscal_subsidy_amount", "pension_government_subsidy",
        "family_planning_subsidy", "total_amount",
    }
)  # fmt: skip
NULLABLE: Final = frozenset({"benefit_start", "benefit_end"})
# What makes another charge of it; a new date of pricing alone does not.
CHARGED: Final = (
    "decision", "timing", "personal_amount", "government_paid_amount", "fiscal_subsidy_amount",
    "pension_government_subsidy", "family_planning_subsidy", "total_amount", "waiver_code", "benefit_start",
    "benefit_end",
)  # fmt: skip
# What of a paid charge is held against an answer. Who pays the government's part and when it was paid stay as they were.
PAID_COMPARED: Final = (
    "decision", "personal_amount", "government_paid_amount", "fiscal_subsidy_amount", "pension_government_subsidy",
    "family_planning_subsidy", "benefit_start", "benefit_end",
)  # fmt: skip
# A difference in any of these between two plans makes another charge.
COMPARED: Final = (
    "decision", "timing", "personal_amount", "government_paid_amount", "fiscal_subsidy_amount",
    "pension_government_subsidy", "family_planning_subsidy", "payer_1", "amount_1", "payer_2", "amount_2",
    "benefit_start", "benefit_end",
)  # fmt: skip
# Facts of the one person x beside whom an evaluation stands.
ONE: Final = "(SELECT x.*)"

_OWN: Final = ", ".join(f"'{part.value}'" for part in OWN_PARTS)


def value(column: str, alias: str = "a") -> str:
    """The column of an answer as the tables keep it: nothing is 0.00, an empty word, an empty list."""
    if column in AMOUNTS:
        return f"coalesce({alias}.{column}, 0)"
    if column in NULLABLE:
        return f"{alias}.{column}"
    if column == "warnings":
        return f"{alias}.warnings::varchar[]"
    return f"coalesce({alias}.{column}, '')"


def chargeable(alias: str = "a") -> str:
    """Whether an answer makes a charge."""
    return f"({alias}.decision IN ('{Decision.ACCEPT}', '{Decision.HOLD}') AND {alias}.personal_amount IS NOT NULL)"


def payers(alias: str = "a") -> str:
    """SQL of who pays the government's part of an answer, as text to be compared."""
    return (
        "(SELECT string_agg(h.payer || ' ' || h.amount, ',' ORDER BY h.payer) FROM"
        f" (VALUES ({alias}.payer_1, {alias}.amount_1), ({alias}.payer_2, {alias}.amount_2)) h (payer, amount)"
        " WHERE h.payer IS NOT NULL AND h.amount > 0)"
    )


def other_payers(charge: str, answer: str) -> str:
    """Whether the shares of a charge are others than the answer's: what no column of the charge shows."""
    kept = (
        "(SELECT string_agg(h.payer || ' ' || h.amount, ',' ORDER BY h.payer) FROM contributions_chargeshare h"
        f" WHERE h.charge_id = {charge}.id)"
    )
    return f"{kept} IS DISTINCT FROM {payers(answer)}"


def differs(left: str, right: str, columns: tuple[str, ...] = CHARGED) -> str:
    """Whether the charge ``left`` says otherwise than the answer ``right``."""
    return " OR ".join(f"{left}.{column} IS DISTINCT FROM {value(column, right)}" for column in columns)


@dataclass
class Run:
    """One insurance of one run: which plan, which day, which people (``where`` over residents r), and how many.

    ``few`` are found by their indexes; townships and counties are read whole.
    """

    plan: CollectionPlan
    book: Plan
    insurance: str
    day: date
    where: str
    parameters: dict[str, Any]
    few: bool
    members: str = ""
    before: Plan | None = None
    only: int | None = None
    """The township whose registrations are written, where a run must not touch those of people who moved."""
    said: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.said = {
            **self.parameters,
            **facts_parameters(
                insurance=self.insurance, year=self.plan.coverage_year, on=self.day,
                entitled=entitlement_day(self.book, self.day),
            ),
            "plan": self.plan.pk,
            "version": self.book.version,
            "fixed": self.book.settings.date("waiver.determined_at"),
            "age_day": date(self.plan.coverage_year - 1, 12, 31),
        }  # fmt: skip

    def execute(self, cursor: Any, statement: str, **values: Any) -> int:
        """Run a statement with the parameters of the run; returns how many rows it touched."""
        cursor.execute(statement, {**self.said, **values})
        return int(cursor.rowcount)

    def evaluate(self, facts: str, book: Plan | None = None) -> str:
        """SQL of the answers over a query of facts; with ``before`` only of those whom it answers otherwise."""
        if self.before is None or self.insurance not in self.before.insurances:
            answers = evaluation_sql(book or self.book, self.insurance, facts="facts")
            return f"WITH facts AS ({facts}) {answers}"
        was = evaluation_sql(self.before, self.insurance, facts=ONE)
        now = evaluation_sql(self.book, self.insurance, facts=ONE)
        left, right = (", ".join(f"{side}.{column}" for column in COMPARED) for side in "ba")
        return (
            f"SELECT a.* FROM ({facts}) x CROSS JOIN LATERAL ({was}) b CROSS JOIN LATERAL ({now}) a"
            f" WHERE ({left}) IS DISTINCT FROM ({right})"
        )


@contextmanager
def priced(run: Run) -> Iterator[Any]:
    """A cursor with ``ANSWERS`` filled for the run; the tables go when it is done."""
    with connection.cursor() as cursor:
        drop(cursor)
        _answer(cursor, run)
        yield cursor
        drop(cursor)


def drop(cursor: Any) -> None:
    """Take the temporary tables of an earlier run away."""
    cursor.execute(f"DROP TABLE IF EXISTS {ANSWERS}, {PAYMENTS}, {PAID_ANSWERS}")


def _answer(cursor: Any, run: Run) -> None:
    facts = facts_sql(
        where=run.where, members=run.members, whole=not run.few, entitled="%(entitled)s",
        households=needs_households(run.book, run.insurance),
    )  # fmt: skip
    run.execute(
        cursor,
        f"CREATE TEMPORARY TABLE {ANSWERS} ON COMMIT DROP AS"
        f" SELECT a.*, r.township_id, r.unit_id, r.household_id,"
        f" extract(year FROM age(%(age_day)s::date, r.birth_date))::smallint AS age"
        f" FROM ({run.evaluate(facts)}) a JOIN enrollment_resident r ON r.id = a.subject",
    )
    # What a season has begun stays at its place and house, wherever the person lives now.
    run.execute(
        cursor,
        f"UPDATE {ANSWERS} a SET township_id = g.township_id, unit_id = g.unit_id,"
        " household_id = coalesce(g.household_id, a.household_id)"
        " FROM enrollment_resident r JOIN enrollment_registration g ON g.resident_id = r.id"
        " AND g.insurance = %(insurance)s AND g.coverage_year = %(year)s"
        f" WHERE r.id = a.subject AND r.also_units IS NOT NULL {run.where}",
    )
    if run.few:
        cursor.execute(f"ANALYZE {ANSWERS}")  # a few: the planner must know to use indexes


def find_payments(cursor: Any, run: Run) -> int:
    """Fill ``PAYMENTS``: whoever has paid on a charge that stands, with the payment that determined it.

    The first payment that stands determines: its day, its route, the tier of the charge. Where only the government
    has paid, the day the charge was priced does, for cover follows certification, not money (reading X26). Special
    groups count on that day, or on the plan's own (``waiver.determined_at``). Returns how many have paid.
    """
    found = run.execute(
        cursor,
        f"""
        CREATE TEMPORARY TABLE {PAYMENTS} ON COMMIT DROP AS
        SELECT k.*, coalesce(%(fixed)s::date, k.paid_on) AS entitled_on, false AS later
        FROM (
            SELECT g.id AS registration_id, g.resident_id, c.id AS charge_id, c.tier,
                   c.plan_version AS priced_by,
                   coalesce(min(p.paid_on) FILTER (WHERE p.stands AND l.part IN ({_OWN})), c.priced_on) AS paid_on,
                   coalesce((array_agg(p.route ORDER BY p.paid_on, l.id)
                       FILTER (WHERE p.stands AND l.part IN ({_OWN})))[1], 'village') AS route,
                   (array_agg(p.id ORDER BY p.paid_on, l.id) FILTER (WHERE p.stands AND l.part IN ({_OWN})))[1]
                       AS payment_id,
                   coalesce(sum(l.amount) FILTER (WHERE l.part IN ({_OWN})), 0) AS paid
            FROM enrollment_registration g
            JOIN enrollment_resident r ON r.id = g.resident_id
            JOIN contributions_paymentline l ON l.registration_id = g.id
            JOIN (
                SELECT p.id, p.paid_on, p.route, p.reverses_id IS NULL AND b.id IS NULL AS stands
                FROM contributions_payment p LEFT JOIN contributions_payment b ON b.reverses_id = p.id
            ) p ON p.id = l.payment_id
            JOIN contributions_charge c ON c.registration_id = g.id AND c.current AND c.kind = 'ordinary'
                AND c.for_year = %(year)s
            WHERE g.insurance = %(insurance)s AND g.coverage_year = %(year)s AND g.plan_id = %(plan)s {run.where}
            GROUP BY g.id, g.resident_id, c.id, c.tier, c.plan_version, c.priced_on HAVING sum(l.amount) > 0
        ) k
        """,
    )
    run.execute(
        cursor,
        f"""
        UPDATE {PAYMENTS} d SET later = true WHERE EXISTS (
            SELECT 1 FROM enrollment_membership s WHERE s.resident_id = d.resident_id
                AND ((s.valid_from > d.entitled_on AND s.valid_from <= %(on)s)
                     OR (s.valid_to >= d.entitled_on AND s.valid_to < %(on)s)))
        """,
    )
    cursor.execute(f"ANALYZE {PAYMENTS}")
    return found


def answer_payments(cursor: Any, run: Run, *, now: bool) -> None:
    """Fill ``PAID_ANSWERS`` for ``PAYMENTS``; ``now`` asks again with today's groups where they are others.

    Each by the version of the plan his charge was priced by: an amendment that kept him as paid holds him to it.
    """
    columns = ", ".join(f"NULL::{kind} AS {name}" for name, kind in RESULT_COLUMNS.items())
    cursor.execute(
        f"CREATE TEMPORARY TABLE {PAID_ANSWERS} ON COMMIT DROP AS SELECT ''::text AS moment, {columns} LIMIT 0"
    )
    names = ", ".join(RESULT_COLUMNS)
    for version, book in _books(cursor, run).items():
        mine = f"{run.where} AND d.priced_by = {version}" if run.before is None else run.where
        moments = [("then", "d.entitled_on", mine)]
        if now:
            moments.append(("now", "%(on)s::date", f"{mine} AND d.later"))
        for moment, entitled, where in moments:
            facts = facts_sql(where=where, whole=not run.few, entitled=entitled, paid=PAYMENTS)
            run.execute(
                cursor,
                f"INSERT INTO {PAID_ANSWERS} (moment, {names})"
                f" SELECT '{moment}', {names} FROM ({run.evaluate(facts, book)}) a",
            )
    cursor.execute(f"ANALYZE {PAID_ANSWERS}")


def _books(cursor: Any, run: Run) -> dict[int, Plan]:
    """The rules by version of those the paid charges were priced by; an amendment asks its own two."""
    if run.before is not None:
        return {run.book.version: run.book}
    cursor.execute(f"SELECT DISTINCT priced_by FROM {PAYMENTS} ORDER BY 1")
    versions = [row[0] for row in cursor.fetchall()]
    return {v: run.book if v == run.book.version else rule_book_of(run.plan, v) for v in versions}
