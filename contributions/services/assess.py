"""Bring assessments and charges up to date, set-based.

Steps for each insurance, in one transaction under the given places:
1. The evaluator answers for every resident of the places, registered or not, into a temporary table.
2. Assessments that are new or differ are written; equal ones are left alone.
3. Registered people the plan prices get a charge. A charge that differs in amount, tier or cover is superseded by a
   new version; one that no longer stands loses ``current``. What is paid stays as it was determined (reading X27).
4. Payers of the government-paid part get their shares.
5. The figures are asked to be counted anew.

A person who moved is assessed whole: by the facts of where he lives, written where he registered for the season.
Both townships' runs give the same answer, whichever comes first.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from contributions.models import FigureRebuild
from contributions.services.differences import end_differences, find_differences, write_differences
from contributions.services.pricing import (
    ANSWERS,
    COPIED,
    Run,
    chargeable,
    differs,
    other_payers,
    priced,
    value,
)
from enrollment.models import CollectionPlan
from enrollment.queries import governed_elsewhere, live_plans
from foundation.audit.services import record
from foundation.bulk import bulk_settings, refresh_statistics
from foundation.clock.services import business_date
from foundation.scope.context import with_units
from subsidies.queries import rule_book
from subsidies.rules.source import PlanError

# Rows from which on a run changes what the planner should expect.
LARGE = 1000
CHARGES = "charges_to_write"


@dataclass
class AssessResult:
    """Counts and sums of one run, over both insurances; money in yuan."""

    assessed: int = 0
    charges: int = 0
    changed: int = 0
    kept_as_paid: int = 0
    corrected: int = 0
    to_review: int = 0
    decisions: dict[str, int] = field(default_factory=dict)
    personal: Decimal = Decimal("0.00")
    shares: dict[str, Decimal] = field(default_factory=dict)
    seconds: float = 0.0


def assess(
    *,
    by: Any,
    plan: CollectionPlan,
    townships: list[int] | None = None,
    unit: int | None = None,
    residents: list[int] | None = None,
    on: date | None = None,
    recount: bool = True,
) -> AssessResult:
    """Assess the running scope, narrowed to townships, a unit or residents; priced for ``on`` (default: today).

    ``recount`` asks for the plan's figures to be counted anew; a payment that carries its own delta leaves it out.

    Raises subsidies' PlanError for a plan whose document does not compute and for a closed one. Running again changes
    nothing.
    """
    if not plan.takes_charges:
        raise PlanError("closed", plan=plan.code)
    started = time.perf_counter()
    day = on or business_date(plan.county.code)
    result = AssessResult()
    # A unit or a few residents are found by their indexes; townships and counties are read whole.
    bulk = bulk_settings() if unit is None and residents is None else nullcontext()
    elsewhere = units_elsewhere(plan, townships, unit, residents)
    with transaction.atomic(), with_units(elsewhere), bulk:
        _settle(plan, townships, unit, residents)
        for insurance in plan.insurances:
            _assess_insurance(plan, insurance, day, townships, unit, residents, result)
        if result.changed >= LARGE:
            refresh_statistics(
                "contributions_assessment", "contributions_charge", "contributions_chargeshare"
            )
        if recount:
            FigureRebuild.objects.create(plan=plan)
        record(
            by=by, action="assess", target_kind="plan", target=plan.code, county_code=plan.county.code,
            detail={
                "assessed": result.assessed, "charges": result.charges, "changed": result.changed,
                "personal": result.personal, "on": day, "townships": townships, "unit": unit,
            },
        )  # fmt: skip
    result.seconds = time.perf_counter() - started
    return result


def _settle(
    plan: CollectionPlan, townships: list[int] | None, unit: int | None, residents: list[int] | None
) -> None:
    """Take those about to be assessed out of the queue, unless another plan of the county waits for them too."""
    if live_plans(plan.county_id).exclude(pk=plan.pk).exists():
        return
    where, parameters = narrow(plan, "", townships, unit, residents)
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM enrollment_pendingassessment p USING enrollment_resident r"
            f" WHERE p.resident_id = r.id {where}",
            parameters,
        )
        if residents is None:  # whole units
            cursor.execute(
                "DELETE FROM enrollment_pendingassessment p USING townships_township t WHERE p.resident_id IS NULL"
                " AND t.id = p.township_id AND t.county_id = %(county)s"
                " AND (%(townships)s::int[] IS NULL OR p.township_id = ANY(%(townships)s))"
                " AND (%(unit)s::int IS NULL OR p.unit_id = %(unit)s)"
                " AND (%(governed)s::int IS NULL OR p.township_id = %(governed)s)",
                {
                    "townships": townships,
                    "unit": unit,
                    "governed": plan.township_id,
                    "county": plan.county_id,
                },
            )


def narrow(
    plan: CollectionPlan,
    insurance: str,
    townships: list[int] | None,
    unit: int | None,
    residents: list[int] | None,
) -> tuple[str, dict[str, Any]]:
    """Whom a run is about: people of the plan's county where no other plan governs, narrowed as asked."""
    where = "AND r.county_id = %(county)s"
    parameters: dict[str, Any] = {"county": plan.county_id}
    if plan.township_id is not None:
        where += " AND r.township_id = %(governed)s"
        parameters["governed"] = plan.township_id
    elif insurance and (elsewhere := governed_elsewhere(plan, insurance)):
        where += " AND r.township_id <> ALL(%(elsewhere)s)"
        parameters["elsewhere"] = elsewhere
    if townships is not None:
        where += " AND (r.township_id = ANY(%(townships)s) OR r.also_townships && %(townships)s)"
        parameters["townships"] = townships
    if unit is not None:
        where += " AND (r.unit_id = %(unit)s OR r.also_units @> ARRAY[%(unit)s])"
        parameters["unit"] = unit
    if residents is not None:
        where += " AND r.id = ANY(%(residents)s)"
        parameters["residents"] = residents
    return where, parameters


def units_elsewhere(
    plan: CollectionPlan, townships: list[int] | None, unit: int | None, residents: list[int] | None
) -> list[int]:
    """Units where those assessed live or are registered beyond the places that were asked for."""
    where, parameters = narrow(plan, "", townships, unit, residents)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT u FROM enrollment_resident r, unnest(r.also_units || r.unit_id) u"
            f" WHERE r.also_units IS NOT NULL AND r.merged_into_id IS NULL {where}",
            parameters,
        )
        return [row[0] for row in cursor.fetchall()]


def _assess_insurance(
    plan: CollectionPlan,
    insurance: str,
    day: date,
    townships: list[int] | None,
    unit: int | None,
    residents: list[int] | None,
    result: AssessResult,
) -> None:
    where, parameters = narrow(plan, insurance, townships, unit, residents)
    run = Run(
        plan=plan,
        book=rule_book(plan),
        insurance=insurance,
        day=day,
        where=where,
        parameters=parameters,
        few=unit is not None or residents is not None,
        members="AND s.resident_id = ANY(%(residents)s)" if residents is not None else "",
    )
    with priced(run) as cursor:
        write_answers(cursor, run, result)
        _count(cursor, run, result)


def write_answers(cursor: Any, run: Run, result: AssessResult, amendment: int | None = None) -> None:
    """Bring assessments, charges and what was paid up to the answers of a run."""
    write_changes(cursor, run, result, paid=find_changes(cursor, run), amendment=amendment)


def find_changes(cursor: Any, run: Run) -> bool:
    """What would be written of charges and of what is paid, in temporary tables. Whether anybody has paid."""
    paid = find_differences(cursor, run)
    find_charges(cursor, run)
    return paid


def write_changes(
    cursor: Any, run: Run, result: AssessResult, *, paid: bool, amendment: int | None = None
) -> None:
    """Write what was found, and the assessments."""
    _write_assessments(cursor, run, result)
    _write_charges(cursor, run, result)
    if paid:
        found = write_differences(cursor, run, run.day, amendment)
        result.kept_as_paid += found.kept
        result.corrected += found.corrected
        result.to_review += found.to_review
        result.charges += found.corrected
    elif run.before is None:
        end_differences(cursor, run)


def _write_assessments(cursor: Any, run: Run, result: AssessResult) -> None:
    differ = " OR ".join(f"s.{c} IS DISTINCT FROM {value(c)}" for c in COPIED)
    sets = ", ".join(f"{c} = {value(c)}" for c in COPIED)
    result.changed += run.execute(
        cursor,
        f"UPDATE contributions_assessment s SET plan_id = %(plan)s, plan_version = %(version)s,"
        f" township_id = a.township_id, unit_id = a.unit_id, age = a.age, priced_on = %(on)s,"
        f" {sets}"
        f" FROM {ANSWERS} a WHERE s.resident_id = a.subject AND s.insurance = %(insurance)s"
        f" AND s.coverage_year = %(year)s"
        f" AND (s.plan_id <> %(plan)s OR s.unit_id <> a.unit_id OR s.age IS DISTINCT FROM a.age OR {differ})",
    )
    columns = ", ".join(COPIED)
    values = ", ".join(value(c) for c in COPIED)
    result.changed += run.execute(
        cursor,
        f"INSERT INTO contributions_assessment (resident_id, plan_id, plan_version, insurance, coverage_year,"
        f" township_id, unit_id, age, priced_on, {columns})"
        f" SELECT a.subject, %(plan)s, %(version)s, %(insurance)s, %(year)s, a.township_id, a.unit_id, a.age, %(on)s,"
        f" {values}"
        f" FROM {ANSWERS} a LEFT JOIN contributions_assessment s ON s.resident_id = a.subject"
        f" AND s.insurance = %(insurance)s AND s.coverage_year = %(year)s WHERE s.id IS NULL",
    )


def find_charges(cursor: Any, run: Run) -> None:
    """Fill ``charges_to_write``: registrations with nothing paid whose charge would be another, end, or begin."""
    amended = f" OR {other_payers('c', 'a')}" if run.before is not None else ""
    cursor.execute(f"DROP TABLE IF EXISTS {CHARGES}")
    run.execute(
        cursor,
        f"CREATE TEMPORARY TABLE {CHARGES} ON COMMIT DROP AS"
        f" SELECT g.id AS registration_id, g.township_id AS at_township, g.unit_id AS at_unit, g.tier,"
        f" c.id AS replaced, coalesce(c.version, o.version, 0) + 1 AS version,"
        f" coalesce(p.paid, 0) AS paid, {chargeable()} AS chargeable, a.*"
        f" FROM {ANSWERS} a JOIN enrollment_registration g ON g.resident_id = a.subject"
        f" AND g.insurance = %(insurance)s AND g.coverage_year = %(year)s AND g.plan_id = %(plan)s"
        f" LEFT JOIN contributions_charge c ON c.registration_id = g.id AND c.current"
        f" AND c.kind = 'ordinary' AND c.for_year = %(year)s"
        # Each of these is read once for everybody assessed, and by index for a few: both start at the answers.
        f" LEFT JOIN (SELECT o.registration_id, max(o.version) AS version FROM {ANSWERS} a"
        f"   JOIN contributions_charge o ON o.resident_id = a.subject AND NOT o.current"
        f"   GROUP BY o.registration_id) o ON o.registration_id = g.id"
        f" LEFT JOIN (SELECT l.registration_id, sum(l.amount) AS paid FROM {ANSWERS} a"
        f"   JOIN enrollment_registration g ON g.resident_id = a.subject AND g.insurance = %(insurance)s"
        f"   AND g.coverage_year = %(year)s JOIN contributions_paymentline l ON l.registration_id = g.id"
        f"   GROUP BY l.registration_id HAVING sum(l.amount) > 0) p ON p.registration_id = g.id"
        f" WHERE ({chargeable()} AND (c.id IS NULL OR c.tier IS DISTINCT FROM g.tier OR {differs('c', 'a')}{amended}))"
        f" OR (NOT {chargeable()} AND c.id IS NOT NULL)",
    )
    # What is paid is no charge to write anew: it stays, or becomes a difference.
    cursor.execute(f"DELETE FROM {CHARGES} WHERE paid > 0 AND replaced IS NOT NULL")
    if run.only is not None:
        run.execute(cursor, f"DELETE FROM {CHARGES} WHERE at_township <> %(only)s", only=run.only)


def _write_charges(cursor: Any, run: Run, result: AssessResult) -> None:
    cursor.execute(
        f"UPDATE contributions_charge c SET current = false FROM {CHARGES} w WHERE c.id = w.replaced"
    )
    columns = ", ".join(COPIED)
    values = ", ".join(value(c) for c in COPIED)
    run.execute(
        cursor,
        f"WITH made AS (INSERT INTO contributions_charge (registration_id, resident_id, household_id, plan_id,"
        f" plan_version, insurance, coverage_year, for_year, kind, version, current, township_id, unit_id, tier, age,"
        f" priced_on, {columns})"
        f" SELECT a.registration_id, a.subject, a.household_id, %(plan)s, %(version)s, %(insurance)s, %(year)s,"
        f" %(year)s, 'ordinary', a.version, true, a.at_township, a.at_unit, a.tier, a.age, %(on)s, {values}"
        f" FROM {CHARGES} a WHERE a.chargeable RETURNING id, registration_id),"
        f" shared AS (INSERT INTO contributions_chargeshare (charge_id, payer, amount, rule, township_id, unit_id)"
        f" SELECT made.id, p.payer, p.amount, a.waiver_code, a.at_township, a.at_unit"
        f" FROM made JOIN {CHARGES} a ON a.registration_id = made.registration_id"
        f" CROSS JOIN LATERAL (VALUES (a.payer_1, a.amount_1), (a.payer_2, a.amount_2)) p (payer, amount)"
        f" WHERE p.payer IS NOT NULL AND p.amount > 0)"
        f" SELECT count(*) FROM made",
    )
    result.charges += cursor.fetchone()[0]
    cursor.execute(f"DROP TABLE {CHARGES}")


def _count(cursor: Any, run: Run, result: AssessResult) -> None:
    cursor.execute(f"SELECT decision, count(*) FROM {ANSWERS} GROUP BY decision")
    for decision, count in cursor.fetchall():
        result.assessed += count
        result.decisions[decision] = result.decisions.get(decision, 0) + count
    if run.few:
        kept, mine = "MATERIALIZED", f"AND EXISTS (SELECT 1 FROM {ANSWERS} a WHERE a.subject = c.resident_id)"
    else:
        # Whole townships: their charges, read by as many hands as the server has.
        kept, mine = "NOT MATERIALIZED", ""
        if run.parameters.get("townships") is not None:
            mine = "AND c.township_id = ANY(%(townships)s)"
    run.execute(
        cursor,
        f"WITH mine AS {kept} (SELECT id, registration_id, personal_amount, fiscal_subsidy_amount,"
        " pension_government_subsidy, family_planning_subsidy FROM contributions_charge c"
        f" WHERE c.current AND c.plan_id = %(plan)s AND c.insurance = %(insurance)s {mine}),"
        " parts AS (SELECT sum(personal_amount) AS personal, sum(fiscal_subsidy_amount) AS fiscal_subsidy,"
        " sum(pension_government_subsidy) AS pension_subsidy, sum(family_planning_subsidy) AS family_planning_subsidy"
        " FROM mine),"
        # A sponsor takes over what he promised, never more than the resident owes.
        " pledged AS (SELECT least(sum(g.amount), max(mine.personal_amount)) AS amount FROM contributions_pledge g"
        " JOIN mine ON mine.registration_id = g.registration_id WHERE g.withdrawn_at IS NULL GROUP BY mine.id),"
        " sponsors AS (SELECT coalesce(sum(amount), 0) AS amount FROM pledged)"
        " SELECT p.name, p.amount FROM parts CROSS JOIN sponsors CROSS JOIN LATERAL"
        " (VALUES ('personal', personal - sponsors.amount), ('sponsor', sponsors.amount),"
        " ('fiscal_subsidy', fiscal_subsidy), ('pension_subsidy', pension_subsidy),"
        " ('family_planning_subsidy', family_planning_subsidy)) p (name, amount)"
        " UNION ALL (SELECT s.payer, sum(s.amount) FROM contributions_chargeshare s JOIN mine ON mine.id = s.charge_id"
        " GROUP BY s.payer ORDER BY s.payer)",
    )
    named = cursor.fetchall()
    result.personal += named[0][1] or 0
    for payer, amount in named:
        if amount:
            result.shares[payer] = result.shares.get(payer, Decimal("0.00")) + amount
