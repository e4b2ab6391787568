"""The statements that carry a part of last year into the new one.

They work on two temporary tables of the running transaction:

``season_before`` has a row for each person and insurance of the part: last year's registration (``before_id``, none
for somebody who may join now), how it ended, and the place where the person lives today.
``season_verdict`` adds what the new plan says of them: ``held`` the reason against carrying over, ``tier`` what may be
carried, ``missed`` the years without payment.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from contributions.queries import facts_sql
from enrollment.services.imports.holders import holders
from seasons.rules import CLOSED_AS, GAPS, HELD, SAME_PERSON
from subsidies.rules.evaluator import resolve
from subsidies.rules.facts import FACT_COLUMNS
from subsidies.rules.plan import Plan
from subsidies.rules.reasons import Against, reasons_against

BEFORE_COLUMNS: Final = (
    "before_id, resident_id, insurance, unit_before, tier_before, closing_reason, missed_years, repaired_years,"
    " settled, refused, candidate, merged_into, township_id, unit_id, village_id, birth_date, left_on"
)

MAKE_BEFORE: Final = """
CREATE TEMPORARY TABLE season_before (
    before_id bigint, resident_id bigint, insurance text, unit_before int, tier_before numeric(12, 2),
    closing_reason text, missed_years int, repaired_years int, settled boolean, refused boolean, candidate text,
    merged_into bigint, township_id int, unit_id int, village_id int, birth_date date, left_on date
) ON COMMIT DROP
"""

# Last year's registrations of some units. Settled: everything the person owed is paid, or nothing was owed.
FROM_PLAN: Final = f"""
INSERT INTO season_before ({BEFORE_COLUMNS})
WITH owed AS (
    SELECT registration_id, sum(personal_amount) AS due FROM contributions_charge
    WHERE plan_id = %(source)s AND unit_id = ANY (%(units)s) AND current AND for_year = %(year_before)s
    GROUP BY registration_id
), paid AS (
    SELECT registration_id, sum(amount) AS paid FROM contributions_paymentline
    WHERE unit_id = ANY (%(units)s) AND part <> 'government' GROUP BY registration_id
)
SELECT g.id, r.id, g.insurance, g.unit_id, g.tier, g.closing_reason, g.missed_years, g.repaired_years,
       o.due IS NOT NULL AND coalesce(p.paid, 0) >= o.due,
       o.due IS NULL AND coalesce((
           SELECT a.decision = 'refuse' FROM contributions_assessment a
           WHERE a.resident_id = g.resident_id AND a.insurance = g.insurance
             AND a.coverage_year = %(year_before)s), false),
       NULL, r.merged_into_id, r.township_id, r.unit_id, r.village_id, r.birth_date, r.left_on
FROM enrollment_registration g
JOIN enrollment_resident r ON r.id = g.resident_id
LEFT JOIN owed o ON o.registration_id = g.id
LEFT JOIN paid p ON p.registration_id = g.id
WHERE g.plan_id = %(source)s AND g.unit_id = ANY (%(units)s) AND g.insurance = ANY (%(insurances)s)
  AND g.closing_reason <> '{SAME_PERSON}'
"""

# Where last year was not kept here: who paid for it, as the tax side told it. What was paid for pension was the tier.
FROM_PRIOR: Final = f"""
INSERT INTO season_before ({BEFORE_COLUMNS})
SELECT NULL, r.id, p.insurance, min(p.unit_id), CASE WHEN p.insurance = 'pension' THEN sum(p.amount) END, '', 0, 0,
       true, false, NULL, NULL, r.township_id, r.unit_id, r.village_id, r.birth_date, r.left_on
FROM enrollment_priorpayment p
JOIN {holders("r.id, r.township_id, r.unit_id, r.village_id, r.birth_date, r.left_on")} r ON r.by_number = p.number_index
WHERE p.county_id = %(county)s AND p.coverage_year = %(year_before)s AND p.unit_id = ANY (%(units)s)
  AND p.insurance = ANY (%(insurances)s)
GROUP BY r.id, p.insurance, r.township_id, r.unit_id, r.village_id, r.birth_date, r.left_on
"""

# Who may join pension now: sixteen since, or refused as a pupil last year and out of school today.
CANDIDATES: Final = f"""
INSERT INTO season_before ({BEFORE_COLUMNS})
SELECT NULL, r.id, 'pension', NULL, NULL, '', 0, 0, true, false, found.reason, NULL, r.township_id, r.unit_id,
       r.village_id, r.birth_date, r.left_on
FROM (
    SELECT id AS resident_id, 'new_sixteen' AS reason FROM enrollment_resident
    WHERE unit_id = ANY (%(units)s) AND birth_date > %(sixteen_after)s AND birth_date <= %(sixteen_until)s
    UNION ALL
    SELECT a.resident_id, 'left_school' FROM contributions_assessment a
    WHERE a.plan_id = %(source)s::int AND a.insurance = 'pension' AND a.unit_id = ANY (%(units)s)
      AND a.reason = 'in_school'
) found
JOIN enrollment_resident r ON r.id = found.resident_id
WHERE r.county_id = %(county)s AND r.merged_into_id IS NULL AND r.death_date IS NULL AND r.left_on IS NULL AND NOT r.in_school
  AND (found.reason = 'new_sixteen' OR r.birth_date <= %(sixteen_after)s)
  AND NOT EXISTS (
    SELECT FROM enrollment_registration g WHERE g.resident_id = r.id AND g.insurance = 'pension'
      AND (g.coverage_year = %(year)s OR g.plan_id = %(source)s::int))
  AND NOT EXISTS (
    SELECT FROM season_before b WHERE b.resident_id = r.id AND b.insurance = 'pension')
"""

# Somebody merged into another record goes on as that one.
FOLLOW_MERGED: Final = """
UPDATE season_before b
SET resident_id = r.id, township_id = r.township_id, unit_id = r.unit_id, village_id = r.village_id,
    birth_date = r.birth_date, left_on = r.left_on
FROM enrollment_resident r WHERE b.merged_into IS NOT NULL AND r.id = b.merged_into
"""

# Two records of one person: the one that was settled speaks.
ONE_EACH: Final = """
DELETE FROM season_before b USING season_before o
WHERE o.resident_id = b.resident_id AND o.insurance = b.insurance AND o.candidate IS NULL
  AND (o.settled, -o.before_id) > (b.settled, -b.before_id)
"""

MAKE_VERDICT: Final = """
CREATE TEMPORARY TABLE season_verdict (
    before_id bigint, resident_id bigint, insurance text, unit_before int, tier_before numeric(12, 2),
    closing_reason text, settled boolean, candidate text, township_id int, unit_id int, village_id int,
    birth_date date, death_date date, left_on date, elsewhere boolean, held text, tier_problem text, missed int, repaired int,
    missed_now boolean
) ON COMMIT DROP
"""


def verdict_sql(book: Plan, insurance: str) -> str:
    """What the new plan says of everybody in ``season_before`` for one insurance, by its own reasons against."""
    against = list(reasons_against(book, insurance, resolve(book, insurance)))
    facts = facts_sql(
        where="AND r.id IN (SELECT resident_id FROM season_before WHERE insurance = %(insurance)s)",
        own_tier=False,
        whole=True,
    )
    known = ", ".join(_fact(name) for name in FACT_COLUMNS if name not in _OWN_COLUMNS)
    return f"""
INSERT INTO season_verdict
WITH facts AS ({facts})
SELECT f.before_id, f.resident_id, f.insurance, f.unit_before, f.tier_before, f.closing_reason, f.settled, f.candidate,
       f.township_id, f.unit_id, f.village_id, f.birth_date, f.death_date, f.left_on, f.other_enrolment IS NOT NULL,
       {_held(against, insurance)}, {_tier_problem(against)},
       CASE WHEN f.settled THEN 0 ELSE f.missed_before + f.gap::int END,
       CASE WHEN f.settled THEN 0 ELSE f.repaired_before END, f.gap AND f.closing_reason = ''
FROM (
    SELECT b.before_id, b.resident_id, b.insurance, b.unit_before, b.tier_before, b.tier_before AS tier,
           b.closing_reason, b.settled, b.candidate, b.township_id, b.unit_id, b.village_id, b.left_on,
           b.missed_years AS missed_before, b.repaired_years AS repaired_before,
           %(priced)s AND NOT b.settled AND NOT b.refused AND b.closing_reason IN ({_GAPS}) AS gap, {known}
    FROM season_before b JOIN facts x ON x.subject = b.resident_id
    WHERE b.insurance = %(insurance)s
) f
"""


# Not paid for one of these closing reasons (or for none) is a year missed; employed, in school or paid elsewhere is not.
_GAPS: Final = ", ".join(f"'{word}'" for word in GAPS)
# Facts that come from last year's row, not from the register.
_OWN_COLUMNS: Final = frozenset({"subject", "tier", "missed_years", "repaired_years", "first_enrolment"})


def _fact(name: str) -> str:
    """A fact as the evaluator knows it: what nobody states is false, no group is an empty list."""
    if name == "categories":
        return "coalesce(x.categories, '{}'::text[]) AS categories"
    if name in {"in_school", "employee_pension", "employee_medical"}:
        return f"coalesce(x.{name}, false) AS {name}"
    return f"x.{name}"


def _case(tests: Iterable[tuple[str, str]]) -> str:
    """The word of the first test that holds; NULL where none does."""
    parts = " ".join(f"WHEN {test} THEN '{word}'" for word, test in tests)
    return f"CASE {parts} END" if parts else "NULL"


def _held(against: Iterable[Against], insurance: str) -> str:
    """The first reason that keeps somebody from being carried over; last year's closing reason says it too."""
    closed = {
        word: f"employee_{insurance}" if reason == "employee" else reason
        for word, reason in CLOSED_AS.items()
    }
    return _case(
        [
            ("deceased", "f.death_date IS NOT NULL"),
            *((reason, f"f.closing_reason = '{word}'") for word, reason in closed.items()),
            ("left", "f.left_on IS NOT NULL"),
            ("left", "%(township)s::int IS NOT NULL AND f.township_id <> %(township)s"),
            *((each.reason, each.test) for each in against if each.reason in HELD),
        ]
    )


def _tier_problem(against: Iterable[Against]) -> str:
    words = {"unknown_tier": "tier_gone", "tier_100_not_allowed": "tier_100_not_allowed"}
    return _case((words[each.reason], each.test) for each in against if each.reason in words)


_LEFT_OUT: Final = """EXISTS (
    SELECT FROM seasons_confirmation c WHERE c.plan_id = %(plan)s AND c.resident_id = v.resident_id
      AND c.insurance = v.insurance AND c.decision = 'leave_out')"""

CARRY: Final = f"""
INSERT INTO enrollment_registration (township_id, unit_id, village_id, resident_id, plan_id, insurance, coverage_year,
    tier, last_tier, is_new, missed_years, repaired_years, closing_reason, registered_on)
SELECT v.township_id, v.unit_id, v.village_id, v.resident_id, %(plan)s, v.insurance, %(year)s,
       CASE WHEN v.tier_problem IS NULL THEN v.tier_before END, CASE WHEN v.settled THEN v.tier_before END, false,
       v.missed, v.repaired, '', %(on)s
FROM season_verdict v
WHERE v.held IS NULL AND v.candidate IS NULL AND NOT {_LEFT_OUT}
ON CONFLICT (resident_id, insurance, coverage_year) DO NOTHING
"""

# What is known of last year is added where the new registration came first, or where somebody paid late.
COMPLETE: Final = """
UPDATE enrollment_registration g
SET last_tier = coalesce(v.last_tier, g.last_tier), missed_years = v.missed, repaired_years = v.repaired
FROM (
    SELECT resident_id, insurance, missed, repaired, CASE WHEN settled THEN tier_before END AS last_tier
    FROM season_verdict WHERE candidate IS NULL
) v
WHERE g.plan_id = %(plan)s AND g.resident_id = v.resident_id AND g.insurance = v.insurance
  AND g.coverage_year = %(year)s
  AND (g.missed_years <> v.missed OR g.repaired_years <> v.repaired
       OR (v.last_tier IS NOT NULL AND g.last_tier IS DISTINCT FROM v.last_tier))
"""

# Somebody who paid since is no longer among those who missed last year.
PAID_SINCE: Final = """
UPDATE seasons_confirmation c SET decision = 'done', decided_at = now()
FROM season_verdict v
WHERE c.plan_id = %(plan)s AND c.reason = 'missed_last_year' AND c.decision = '' AND NOT v.missed_now
  AND c.resident_id = v.resident_id AND c.insurance = v.insurance
"""

# Groups whose last day has come between the two years, with none of the same group after it.
_LAPSED: Final = """
    SELECT m.resident_id,
           jsonb_agg(jsonb_build_object('category', k.code, 'until', m.valid_to) ORDER BY k.position, k.code) AS ended
    FROM enrollment_membership m JOIN enrollment_category k ON k.id = m.category_id
    WHERE m.valid_to >= %(day_before)s AND m.valid_to < %(on)s
      AND NOT EXISTS (
        SELECT FROM enrollment_membership n WHERE n.resident_id = m.resident_id AND n.category_id = m.category_id
          AND n.valid_from <= %(on)s AND (n.valid_to IS NULL OR n.valid_to >= %(on)s))
    GROUP BY m.resident_id
"""

# What a registration made later, by a decision, takes from last year.
_LAST_YEAR: Final = """jsonb_build_object(
        'tier', CASE WHEN v.tier_problem IS NULL THEN v.tier_before::text END,
        'last_tier', CASE WHEN v.settled THEN v.tier_before::text END,
        'missed', nullif(v.missed, 0), 'repaired', nullif(v.repaired, 0))"""

CONFIRM: Final = f"""
INSERT INTO seasons_confirmation (township_id, unit_id, plan_id, resident_id, insurance, reason, carried,
    registration_before_id, detail, decision)
WITH carried AS MATERIALIZED (SELECT * FROM season_verdict WHERE held IS NULL AND candidate IS NULL)
SELECT f.township_id, f.unit_id, %(plan)s, f.resident_id, f.insurance, f.reason, g.id IS NOT NULL, f.before_id,
       jsonb_strip_nulls(f.detail), ''
FROM (
    SELECT v.*, v.held AS reason, {_LAST_YEAR} || jsonb_build_object('closed', nullif(v.closing_reason, ''),
        'on', CASE v.held WHEN 'deceased' THEN v.death_date WHEN 'left' THEN v.left_on END) AS detail
    FROM season_verdict v WHERE v.held IS NOT NULL AND v.candidate IS NULL
      AND NOT (v.held = 'age_60_or_more' AND v.birth_date > %(sixty_after)s)
    UNION ALL
    SELECT v.*, 'new_sixty', CASE WHEN v.held IS NULL THEN '{{}}'::jsonb ELSE {_LAST_YEAR} END FROM season_verdict v
    WHERE v.candidate IS NULL AND (v.held IS NULL OR v.held = 'age_60_or_more')
      AND v.birth_date > %(sixty_after)s AND v.birth_date <= %(sixty_until)s
    UNION ALL
    SELECT v.*, v.candidate, '{{}}' FROM season_verdict v WHERE v.candidate IS NOT NULL AND v.held IS NULL
    UNION ALL
    SELECT v.*, 'moved', jsonb_build_object('from', v.unit_before) FROM carried v
    WHERE v.unit_before IS NOT NULL AND v.unit_before <> v.unit_id
    UNION ALL
    SELECT v.*, 'closed_last_year', jsonb_build_object('closed', v.closing_reason) FROM carried v
    WHERE v.closing_reason <> ''
    UNION ALL
    SELECT v.*, 'missed_last_year', jsonb_build_object('years', v.missed) FROM carried v WHERE v.missed_now
    UNION ALL
    SELECT v.*, 'enrolled_elsewhere', '{{}}' FROM carried v WHERE v.elsewhere
    UNION ALL
    SELECT v.*, v.tier_problem, jsonb_build_object('tier', v.tier_before::text) FROM carried v
    WHERE v.tier_problem IS NOT NULL
    UNION ALL
    SELECT v.*, 'lapsed_category', jsonb_build_object('ended', l.ended)
    FROM carried v JOIN ({_LAPSED}) l ON l.resident_id = v.resident_id
) f
LEFT JOIN enrollment_registration g ON g.resident_id = f.resident_id AND g.insurance = f.insurance
    AND g.coverage_year = %(year)s
ON CONFLICT (plan_id, resident_id, insurance, reason) DO NOTHING
"""
