"""A price is quoted, then paid: money that comes in another price period is priced by its own day before it is spread.

The charge that carries the payment is then the one of that day: what it costs, who pays, when cover begins. Later money
on the same charge determines nothing any more (reading X27).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from contributions.models import Charge, ChargeShare, Decision
from contributions.services.pricing import (
    CHARGED,
    COPIED,
    NULLABLE,
    PAID_ANSWERS,
    PAYMENTS,
    Run,
    answer_payments,
    chargeable,
    differs,
    drop,
    value,
)
from contributions.services.quotes import evaluate_resident, price_periods, unreadable_plan
from enrollment.models import CollectionPlan, Registration
from foundation.clock.services import business_date
from subsidies.queries import rule_book
from subsidies.rules.source import PlanError


def determine(
    *, plan: CollectionPlan, registration: Registration, charge: Charge, on: date, route: str
) -> tuple[Charge, Decimal]:
    """The charge of a registration with nothing paid on it as of a payment, and what the resident owes by it.

    A new version where the answer of that day and route is another one; where there is no charge by it (refused,
    referred without an amount) the charge stays and the amount is the answer's. Raises Problem 409 for a draft without
    readable rules.
    """
    try:
        answer = evaluate_resident(
            plan=plan, insurance=registration.insurance, resident=registration.resident_id, on=on, route=route,
            tier=charge.tier if registration.insurance == "pension" else None,
        )  # fmt: skip
    except PlanError:
        raise unreadable_plan() from None
    due: Decimal = answer["personal_amount"] if answer["personal_amount"] is not None else Decimal("0.00")
    if answer["decision"] not in (Decision.ACCEPT, Decision.HOLD) or answer["personal_amount"] is None:
        return charge, due
    if charge.current and all(_kept(answer, name) == getattr(charge, name) for name in CHARGED):
        return charge, due
    return _next_version(plan, charge, answer, on), due


def _kept(answer: dict[str, Any], column: str) -> Any:
    """A column of an answer as the table keeps it."""
    found = answer[column]
    if found is not None:
        return found
    if column in NULLABLE:
        return None
    return [] if column == "warnings" else Decimal("0.00") if column.endswith(("amount", "subsidy")) else ""


def _next_version(plan: CollectionPlan, charge: Charge, answer: dict[str, Any], on: date) -> Charge:
    Charge.objects.filter(registration_id=charge.registration_id, kind=charge.kind, current=True).update(
        current=False
    )
    newest = Charge.objects.filter(registration_id=charge.registration_id).order_by("-version").first()
    old: Charge = newest if newest is not None else charge
    made: Charge = Charge.objects.create(
        township_id=old.township_id, unit_id=old.unit_id, registration_id=old.registration_id,
        resident_id=old.resident_id, household_id=old.household_id, plan=plan, plan_version=plan.version,
        insurance=old.insurance, coverage_year=old.coverage_year, for_year=old.for_year, kind=old.kind,
        version=old.version + 1, tier=old.tier, age=old.age, priced_on=on,
        **{name: _kept(answer, name) for name in COPIED},
    )  # fmt: skip
    ChargeShare.objects.bulk_create(
        ChargeShare(
            township_id=made.township_id, unit_id=made.unit_id, charge=made, rule=made.waiver_code,
            payer=answer[f"payer_{place}"], amount=answer[f"amount_{place}"],
        )
        for place in (1, 2)
        if answer[f"payer_{place}"] and answer[f"amount_{place}"]
    )  # fmt: skip
    return made


def determine_many(plan: CollectionPlan, insurance: str, payments: str, parameters: dict[str, Any]) -> int:
    """``determine`` for a file: ``payments`` is a query of (registration_id, paid_on, route), one row a registration.

    Registrations that have paid before, and payments of the period in which the charge was priced, are passed over.
    Returns how many charges got a new version; nothing for a plan whose rules cannot be read.
    """
    try:
        book = rule_book(plan)
    except PlanError:
        return 0
    run = Run(plan, book, insurance, business_date(plan.county.code), "", parameters, few=False)
    edges = [
        edge
        for first, last in price_periods(plan)[insurance]
        for edge in (first, last and date.fromordinal(last.toordinal() + 1))
        if edge
    ]
    with connection.cursor() as cursor:
        drop(cursor)
        found = run.execute(
            cursor,
            f"""
            CREATE TEMPORARY TABLE {PAYMENTS} ON COMMIT DROP AS
            SELECT g.id AS registration_id, g.resident_id, c.id AS charge_id, c.tier, k.paid_on, k.route,
                   %(version)s::smallint AS priced_by,
                   coalesce(%(fixed)s::date, k.paid_on) AS entitled_on, false AS later
            FROM ({payments}) k
            JOIN enrollment_registration g ON g.id = k.registration_id AND g.insurance = %(insurance)s
            JOIN contributions_charge c ON c.registration_id = g.id AND c.current AND c.kind = 'ordinary'
                AND c.for_year = %(year)s
            WHERE width_bucket(k.paid_on, %(edges)s::date[]) <> width_bucket(c.priced_on, %(edges)s::date[])
                AND NOT EXISTS (SELECT FROM contributions_paymentline l WHERE l.registration_id = g.id)
            """,
            edges=sorted(set(edges)),
        )
        made = 0
        if found and edges:
            answer_payments(cursor, run, now=False)
            made = _write(cursor, run)
        drop(cursor)
    return made


def _write(cursor: Any, run: Run) -> int:
    """The next version of each charge whose answer is another one."""
    columns = ", ".join(COPIED)
    values = ", ".join(value(column, "p") for column in COPIED)
    run.execute(
        cursor,
        f"CREATE TEMPORARY TABLE determined ON COMMIT DROP AS SELECT d.charge_id AS replaced, d.paid_on,"
        f" nextval(pg_get_serial_sequence('contributions_charge', 'id')) AS new_charge, p.*"
        f" FROM {PAYMENTS} d JOIN {PAID_ANSWERS} p ON p.subject = d.resident_id"
        f" JOIN contributions_charge c ON c.id = d.charge_id"
        f" WHERE {chargeable('p')} AND ({differs('c', 'p')})",
    )
    made = run.execute(
        cursor, "UPDATE contributions_charge c SET current = false FROM determined p WHERE c.id = p.replaced"
    )
    run.execute(
        cursor,
        f"INSERT INTO contributions_charge (id, registration_id, resident_id, household_id, plan_id, plan_version,"
        f" insurance, coverage_year, for_year, kind, version, current, township_id, unit_id, tier, age, priced_on,"
        f" {columns})"
        f" SELECT p.new_charge, c.registration_id, c.resident_id, c.household_id, %(plan)s, %(version)s, c.insurance,"
        f" c.coverage_year, c.for_year, c.kind, c.version + 1, true, c.township_id, c.unit_id, c.tier, c.age,"
        f" p.paid_on, {values} FROM determined p JOIN contributions_charge c ON c.id = p.replaced",
    )
    run.execute(
        cursor,
        "INSERT INTO contributions_chargeshare (charge_id, payer, amount, rule, township_id, unit_id)"
        " SELECT p.new_charge, s.payer, s.amount, p.waiver_code, c.township_id, c.unit_id FROM determined p"
        " JOIN contributions_charge c ON c.id = p.replaced"
        " CROSS JOIN LATERAL (VALUES (p.payer_1, p.amount_1), (p.payer_2, p.amount_2)) s (payer, amount)"
        " WHERE s.payer IS NOT NULL AND s.amount > 0",
    )
    cursor.execute("DROP TABLE determined")
    return made
