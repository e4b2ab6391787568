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

from contributions.models import Decision, FigureRebuild
from contributions.queries import facts_parameters, facts_sql
from enrollment.models import CollectionPlan
from enrollment.queries import governed_elsewhere, live_plans
from foundation.audit.services import record
from foundation.bulk import bulk_settings, refresh_statistics
from foundation.clock.services import business_date
from foundation.scope.context import with_units
from subsidies.queries import rule_book
from subsidies.rules.evaluator import evaluation_sql
from subsidies.rules.source import PlanError

# Rows from which on a run changes what the planner should expect.
LARGE = 1000
ANSWERS = "answers_of_assess"

# The columns an assessment and a charge take from an answer, in one place.
COPIED = (
    "decision", "reason", "timing", "personal_amount", "government_paid_amount", "fiscal_subsidy_amount",
    "pension_government_subsidy", "family_planning_subsidy", "total_amount", "standard_code", "waiver_code",
    "subsidy_code", "family_code", "decision_code", "benefit_start", "benefit_end", "warnings",
)  # fmt: skip
AMOUNTS = {
    "personal_amount", "government_paid_amount", "fiscal_subsidy_amount", "pension_government_subsidy",
    "family_planning_subsidy", "total_amount",
}  # fmt: skip
NULLABLE = {"benefit_start", "benefit_end"}
# What makes another charge of it; a new date of pricing alone does not.
CHARGED = (
    "decision", "timing", "personal_amount", "government_paid_amount", "fiscal_subsidy_amount",
    "pension_government_subsidy", "family_planning_subsidy", "total_amount", "waiver_code", "benefit_start",
    "benefit_end",
)  # fmt: skip


@dataclass
class AssessResult:
    """Counts and sums of one run, over both insurances; money in yuan."""

    assessed: int = 0
    charges: int = 0
    changed: int = 0
    kept_as_paid: int = 0
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
    elsewhere = _elsewhere(plan, townships, unit, residents)
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
    where, parameters = _narrow(plan, "", townships, unit, residents)
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


def _narrow(
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


def _elsewhere(
    plan: CollectionPlan, townships: list[int] | None, unit: int | None, residents: list[int] | None
) -> list[int]:
    """Units where those assessed live or are registered beyond the places that were asked for."""
    where, parameters = _narrow(plan, "", townships, unit, residents)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT u FROM enrollment_resident r, unnest(r.also_units || r.unit_id) u"
            f" WHERE r.also_units IS NOT NULL AND r.merged_into_id IS NULL {where}",
            parameters,
        )
        return [row[0] for row in cursor.fetchall()]


def _value(column: str) -> str:
    """The column of an answer as the tables keep it: nothing is 0.00, an empty word, an empty list."""
    if column in AMOUNTS:
        return f"coalesce(a.{column}, 0)"
    if column in NULLABLE:
        return f"a.{column}"
    if column == "warnings":
        return "a.warnings::varchar[]"
    return f"coalesce(a.{column}, '')"


def _assess_insurance(
    plan: CollectionPlan,
    insurance: str,
    day: date,
    townships: list[int] | None,
    unit: int | None,
    residents: list[int] | None,
    result: AssessResult,
) -> None:
    where, parameters = _narrow(plan, insurance, townships, unit, residents)
    parameters |= facts_parameters(insurance=insurance, year=plan.coverage_year, on=day)
    parameters |= {"plan": plan.pk, "age_day": date(plan.coverage_year - 1, 12, 31)}
    answers = evaluation_sql(rule_book(plan), insurance, facts="facts")
    members = "AND s.resident_id = ANY(%(residents)s)" if residents is not None else ""
    few = unit is not None or residents is not None
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {ANSWERS}")
        cursor.execute(
            f"CREATE TEMPORARY TABLE {ANSWERS} ON COMMIT DROP AS"
            f" WITH facts AS ({facts_sql(where=where, members=members, whole=not few)})"
            f" SELECT a.*, r.township_id, r.unit_id, r.household_id,"
            f" extract(year FROM age(%(age_day)s::date, r.birth_date))::smallint AS age"
            f" FROM ({answers}) a JOIN enrollment_resident r ON r.id = a.subject",
            parameters,
        )
        # What a season has begun stays at its place and house, wherever the person lives now.
        cursor.execute(
            f"UPDATE {ANSWERS} a SET township_id = g.township_id, unit_id = g.unit_id,"
            " household_id = coalesce(g.household_id, a.household_id)"
            " FROM enrollment_resident r JOIN enrollment_registration g ON g.resident_id = r.id"
            " AND g.insurance = %(insurance)s AND g.coverage_year = %(year)s"
            f" WHERE r.id = a.subject AND r.also_units IS NOT NULL {where}",
            parameters,
        )
        if few:
            cursor.execute(f"ANALYZE {ANSWERS}")  # a few: the planner must know to use indexes
        _write_assessments(cursor, parameters, result)
        _write_charges(cursor, parameters, day, result)
        _count(cursor, parameters, result)


def _write_assessments(cursor: Any, parameters: dict[str, Any], result: AssessResult) -> None:
    differ = " OR ".join(f"s.{c} IS DISTINCT FROM {_value(c)}" for c in COPIED)
    sets = ", ".join(f"{c} = {_value(c)}" for c in COPIED)
    cursor.execute(
        f"UPDATE contributions_assessment s SET plan_id = %(plan)s, township_id = a.township_id, unit_id = a.unit_id,"
        f" age = a.age, priced_on = %(on)s, {sets}"
        f" FROM {ANSWERS} a WHERE s.resident_id = a.subject AND s.insurance = %(insurance)s"
        f" AND s.coverage_year = %(year)s"
        f" AND (s.plan_id <> %(plan)s OR s.unit_id <> a.unit_id OR s.age IS DISTINCT FROM a.age OR {differ})",
        parameters,
    )
    result.changed += cursor.rowcount
    columns = ", ".join(COPIED)
    values = ", ".join(_value(c) for c in COPIED)
    cursor.execute(
        f"INSERT INTO contributions_assessment (resident_id, plan_id, insurance, coverage_year, township_id, unit_id,"
        f" age, priced_on, {columns})"
        f" SELECT a.subject, %(plan)s, %(insurance)s, %(year)s, a.township_id, a.unit_id, a.age, %(on)s, {values}"
        f" FROM {ANSWERS} a LEFT JOIN contributions_assessment s ON s.resident_id = a.subject"
        f" AND s.insurance = %(insurance)s AND s.coverage_year = %(year)s WHERE s.id IS NULL",
        parameters,
    )
    result.changed += cursor.rowcount


def _write_charges(cursor: Any, parameters: dict[str, Any], day: date, result: AssessResult) -> None:
    differ = " OR ".join(f"c.{column} IS DISTINCT FROM {_value(column)}" for column in CHARGED)
    chargeable = f"a.decision IN ('{Decision.ACCEPT}', '{Decision.HOLD}') AND a.personal_amount IS NOT NULL"
    cursor.execute("DROP TABLE IF EXISTS charges_to_write")
    cursor.execute(
        f"CREATE TEMPORARY TABLE charges_to_write ON COMMIT DROP AS"
        f" SELECT g.id AS registration_id, g.township_id AS at_township, g.unit_id AS at_unit, g.tier,"
        f" c.id AS replaced, coalesce(c.version, o.version, 0) + 1 AS version,"
        f" coalesce(p.paid, 0) AS paid, ({chargeable}) AS chargeable, a.*"
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
        f" WHERE ({chargeable} AND (c.id IS NULL OR c.tier IS DISTINCT FROM g.tier OR {differ}))"
        f" OR (NOT ({chargeable}) AND c.id IS NOT NULL)",
        parameters,
    )
    cursor.execute("SELECT count(*) FROM charges_to_write WHERE paid > 0 AND replaced IS NOT NULL")
    result.kept_as_paid += cursor.fetchone()[0]
    cursor.execute("DELETE FROM charges_to_write WHERE paid > 0 AND replaced IS NOT NULL")
    cursor.execute(
        "UPDATE contributions_charge c SET current = false FROM charges_to_write w WHERE c.id = w.replaced"
    )
    columns = ", ".join(COPIED)
    values = ", ".join(_value(c) for c in COPIED)
    cursor.execute(
        f"WITH made AS (INSERT INTO contributions_charge (registration_id, resident_id, household_id, plan_id, insurance,"
        f" coverage_year, for_year, kind, version, current, township_id, unit_id, tier, age, priced_on, {columns})"
        f" SELECT a.registration_id, a.subject, a.household_id, %(plan)s, %(insurance)s, %(year)s, %(year)s, 'ordinary',"
        f" a.version, true, a.at_township, a.at_unit, a.tier, a.age, %(on)s, {values}"
        f" FROM charges_to_write a WHERE a.chargeable RETURNING id, registration_id),"
        f" shared AS (INSERT INTO contributions_chargeshare (charge_id, payer, amount, rule, township_id, unit_id)"
        f" SELECT made.id, p.payer, p.amount, a.waiver_code, a.at_township, a.at_unit"
        f" FROM made JOIN charges_to_write a ON a.registration_id = made.registration_id"
        f" CROSS JOIN LATERAL (VALUES (a.payer_1, a.amount_1), (a.payer_2, a.amount_2)) p (payer, amount)"
        f" WHERE p.payer IS NOT NULL AND p.amount > 0)"
        f" SELECT count(*) FROM made",
        parameters,
    )
    result.charges += cursor.fetchone()[0]
    cursor.execute("DROP TABLE charges_to_write")


def _count(cursor: Any, parameters: dict[str, Any], result: AssessResult) -> None:
    cursor.execute(f"SELECT decision, count(*) FROM {ANSWERS} GROUP BY decision")
    for decision, count in cursor.fetchall():
        result.assessed += count
        result.decisions[decision] = result.decisions.get(decision, 0) + count
    cursor.execute(
        "WITH mine AS MATERIALIZED (SELECT id, registration_id, personal_amount, fiscal_subsidy_amount,"
        " pension_government_subsidy, family_planning_subsidy FROM contributions_charge c"
        " WHERE c.current AND c.plan_id = %(plan)s"
        f" AND c.insurance = %(insurance)s AND EXISTS (SELECT 1 FROM {ANSWERS} a WHERE a.subject = c.resident_id)),"
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
        parameters,
    )
    named = cursor.fetchall()
    result.personal += named[0][1] or 0
    for payer, amount in named:
        if amount:
            result.shares[payer] = result.shares.get(payer, Decimal("0.00")) + amount
