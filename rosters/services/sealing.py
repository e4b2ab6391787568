"""Seal rosters of some units: draft the lines, hash them, write a new version only where they changed.

1. Lock the units, so that two requests for the same unit follow one another.
2. Draft: one statement (one snapshot) reads registrations, charges, payments, groups into a temporary table,
   one line a person and unit, numbered in the order of the round: group, household number, head first.
3. Hash each unit's lines. The canonical form (``rules.CANONICAL``) holds codes, names, the blind index,
   amounts and dates; never row ids or ciphertext, so that another database gives the same
   hash for the same people.
4. A unit whose latest version has that hash keeps it: asking twice changes nothing.
5. Insert the roster rows and their lines; both tables take no later change.

All of it is one transaction, so that a killed worker leaves either a sealed roster or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _
from psycopg2.extras import Json

from contributions.models.dues import IN_SCOPE
from enrollment.models import CollectionPlan
from foundation.audit.services import record
from foundation.bulk import bulk_settings
from foundation.jobs.kinds import JobFailed
from rosters.models import RosterKind
from rosters.rules import DIGEST, REASON_WORDS, digest_head, letters

# What each kind lists: the amount a registration stands for, by registration.
OWED = {
    RosterKind.LEVY: """
        SELECT c.registration_id, sum(c.personal_amount) AS personal,
               sum(c.government_paid_amount) AS government, max(c.tier) AS tier,
               max(c.household_id) AS household_id, max(c.age) AS age,
               bool_or(c.decision = 'amount_not_configured') AS unpriced
        FROM contributions_charge c JOIN registered g ON g.id = c.registration_id
        WHERE c.current AND c.decision = ANY (%(in_scope)s) AND c.unit_id = ANY (%(units)s)
        GROUP BY c.registration_id""",
    RosterKind.REFERENCE: """
        SELECT g.id AS registration_id, g.amount AS personal, g.by_others AS government, NULL::numeric(12,2) AS tier,
               NULL::bigint AS household_id, NULL::smallint AS age, false AS unpriced
        FROM registered g WHERE g.amount IS NOT NULL""",
}
OWED[RosterKind.PAYMENT] = OWED[RosterKind.LEVY]

# Why a registration is not on the list. Looked up only for those that are not.
WHY_NOT = {
    RosterKind.LEVY: """coalesce(nullif(g.closing_reason, ''), (
            SELECT coalesce(nullif(a.reason, ''), a.decision) FROM contributions_assessment a
            WHERE a.resident_id = g.resident_id AND a.insurance = g.insurance
              AND a.coverage_year = g.coverage_year), 'not_assessed')""",
    RosterKind.REFERENCE: "'not_paid_last_year'",
}
WHY_NOT[RosterKind.PAYMENT] = WHY_NOT[RosterKind.LEVY]

# Whom a list is about: the season's registrations of the units, or (reference) whoever paid for last year and belongs to
# them: by this season's registration where there is one, else where the person lives. Last year is what the portal keeps
# of it (paid by the resident, or wholly by others), else what the tax side told, else the tier carried over.
REGISTERED = {
    RosterKind.LEVY: """
    SELECT id, township_id, unit_id, resident_id, insurance, coverage_year, last_tier, is_new, closing_reason,
           household_id AS season_home
    FROM enrollment_registration
    WHERE plan_id = %(plan)s AND unit_id = ANY (%(units)s) AND insurance = ANY (%(insurances)s)""",
    RosterKind.REFERENCE: """
    SELECT row_number() OVER () AS id, coalesce(g.township_id, r.township_id) AS township_id,
           coalesce(g.unit_id, r.unit_id) AS unit_id, r.id AS resident_id, w.insurance, %(year)s::int AS coverage_year,
           coalesce(CASE WHEN w.insurance = 'pension' THEN w.amount END, g.last_tier) AS last_tier,
           coalesce(g.is_new, false) AS is_new, ''::varchar AS closing_reason, g.household_id AS season_home,
           coalesce(w.amount, CASE WHEN g.last_tier > 0 THEN g.last_tier END) AS amount, coalesce(w.government, 0) AS by_others
    FROM (
        SELECT coalesce(own.resident_id, told.resident_id, now.resident_id) AS resident_id,
               coalesce(own.insurance, told.insurance, now.insurance) AS insurance,
               coalesce(own.amount, told.amount) AS amount, own.government
        FROM (
            SELECT b.resident_id, b.insurance, sum(coalesce(p.paid, 0)) AS amount, sum(c.government) AS government
            FROM enrollment_registration b
            LEFT JOIN (SELECT registration_id, sum(personal_amount) AS personal, sum(government_paid_amount) AS government
                       FROM contributions_charge WHERE current AND for_year = %(year)s - 1 GROUP BY 1) c
                ON c.registration_id = b.id
            LEFT JOIN (SELECT registration_id, sum(amount) AS paid FROM contributions_paymentline
                       WHERE part <> 'government' GROUP BY 1) p ON p.registration_id = b.id
            WHERE b.coverage_year = %(year)s - 1 AND b.insurance = ANY (%(insurances)s)
              AND b.resident_id IN (SELECT id FROM belonging)
              AND (p.paid > 0 OR (c.personal = 0 AND c.government > 0))
            GROUP BY 1, 2
        ) own
        FULL JOIN (
            SELECT r.id AS resident_id, p.insurance, sum(p.amount) AS amount
            FROM enrollment_priorpayment p
            JOIN enrollment_resident r ON r.county_id = p.county_id AND r.number_index = p.number_index
                AND r.merged_into_id IS NULL
            WHERE p.county_id = %(county_id)s AND p.coverage_year = %(year)s - 1 AND p.insurance = ANY (%(insurances)s)
              AND r.id IN (SELECT id FROM belonging)
            GROUP BY 1, 2
        ) told ON told.resident_id = own.resident_id AND told.insurance = own.insurance
        FULL JOIN (
            SELECT resident_id, insurance FROM enrollment_registration
            WHERE plan_id = %(plan)s AND unit_id = ANY (%(units)s) AND insurance = ANY (%(insurances)s)
        ) now ON now.resident_id = coalesce(own.resident_id, told.resident_id)
            AND now.insurance = coalesce(own.insurance, told.insurance)
    ) w
    JOIN enrollment_resident r ON r.id = w.resident_id
    LEFT JOIN enrollment_registration g ON g.resident_id = w.resident_id AND g.insurance = w.insurance
        AND g.coverage_year = %(year)s
    WHERE coalesce(g.unit_id, r.unit_id) = ANY (%(units)s)""",
}
REGISTERED[RosterKind.PAYMENT] = REGISTERED[RosterKind.LEVY]
# Who lives in the units or is registered there this season; read by the reference alone.
BELONGING = {
    RosterKind.LEVY: "",
    RosterKind.PAYMENT: "",
    RosterKind.REFERENCE: """belonging AS MATERIALIZED (
    SELECT id FROM enrollment_resident WHERE unit_id = ANY (%(units)s) AND merged_into_id IS NULL
    UNION SELECT resident_id FROM enrollment_registration WHERE plan_id = %(plan)s AND unit_id = ANY (%(units)s)
), """,
}

DRAFT = """
CREATE TEMPORARY TABLE roster_draft ON COMMIT DROP AS
WITH {belonging}registered AS MATERIALIZED ({registered}
), owed AS ({owed}
), money AS (
    SELECT l.registration_id, sum(l.amount) AS paid,
           max(p.paid_on) FILTER (WHERE p.reverses_id IS NULL AND back.id IS NULL) AS paid_on,
           (array_agg(p.means ORDER BY p.paid_on DESC, l.amount DESC, p.means COLLATE "C")
              FILTER (WHERE p.reverses_id IS NULL AND back.id IS NULL))[1] AS means
    FROM contributions_paymentline l
    JOIN registered g ON g.id = l.registration_id
    JOIN contributions_payment p ON p.id = l.payment_id
    LEFT JOIN contributions_payment back ON back.reverses_id = p.id
    WHERE %(with_money)s AND l.part <> 'government' GROUP BY l.registration_id
), ticket AS (
    SELECT t.registration_id, max(t.voucher COLLATE "C") AS voucher
    FROM contributions_taxentry t JOIN registered g ON g.id = t.registration_id
    WHERE %(with_money)s AND t.plan_id = %(plan)s AND NOT t.of_government GROUP BY t.registration_id
), member AS (
    SELECT m.resident_id,
           left(string_agg(k.name || coalesce(m.grade || '级', ''), '、'
                           ORDER BY k.position, k.code COLLATE "C"), 120) AS categories
    FROM enrollment_membership m JOIN enrollment_category k ON k.id = m.category_id
    WHERE m.resident_id IN (SELECT resident_id FROM registered) AND m.approved
      AND m.valid_from <= %(as_of)s AND (m.valid_to IS NULL OR m.valid_to >= %(as_of)s)
    GROUP BY m.resident_id
), part AS (
    SELECT g.*, o.personal, o.government, o.tier, coalesce(g.season_home, o.household_id) AS household_id, o.age,
           o.unpriced,
           m.paid, m.paid_on, m.means, t.voucher,
           o.registration_id IS NOT NULL AND g.closing_reason = '' AS listed,
           CASE WHEN o.registration_id IS NULL OR g.closing_reason <> '' THEN {why_not} END AS why_not
    FROM registered g
    LEFT JOIN owed o ON o.registration_id = g.id
    LEFT JOIN money m ON m.registration_id = g.id
    LEFT JOIN ticket t ON t.registration_id = g.id
), person AS (
    SELECT township_id, unit_id, resident_id,
           max(household_id) AS household_id, max(age) AS age,
           max(tier) FILTER (WHERE insurance = 'pension' AND listed) AS tier,
           max(last_tier) FILTER (WHERE insurance = 'pension') AS last_tier,
           sum(personal) FILTER (WHERE insurance = 'pension' AND listed) AS pension_personal,
           sum(personal) FILTER (WHERE insurance = 'medical' AND listed) AS medical_personal,
           coalesce(sum(government) FILTER (WHERE listed), 0.00) AS government_paid,
           coalesce(sum(personal) FILTER (WHERE listed), 0.00) AS personal,
           sum(paid) FILTER (WHERE insurance = 'pension') AS pension_paid,
           sum(paid) FILTER (WHERE insurance = 'medical') AS medical_paid,
           coalesce(sum(paid), 0.00) AS paid,
           max(paid_on) AS paid_on, coalesce(max(means COLLATE "C"), '') AS means,
           coalesce(max(voucher) FILTER (WHERE insurance = 'medical'), '') AS medical_voucher,
           coalesce(max(voucher) FILTER (WHERE insurance = 'pension'), '') AS pension_voucher,
           bool_or(is_new AND listed) IS TRUE AS is_new,
           bool_or(unpriced AND listed) IS TRUE AS unpriced,
           bool_or(listed) AS listed,
           max(why_not) FILTER (WHERE insurance = 'pension') AS pension_why_not,
           max(why_not) FILTER (WHERE insurance = 'medical') AS medical_why_not
    FROM part GROUP BY township_id, unit_id, resident_id
), line AS (
    SELECT p.*, p.listed OR p.paid <> 0 AS kept, r.id IS NULL AS unseen,
           coalesce(p.household_id, r.household_id) AS home, r.name,
           CASE WHEN r.relation = '' AND r.is_head THEN '户主' ELSE r.relation END AS relation,
           r.is_head, r.number_index, r.number_encrypted, r.phone_encrypted,
           coalesce(m.categories, '') AS categories, r.birth_date
    FROM person p
    LEFT JOIN enrollment_resident r ON r.id = p.resident_id
    LEFT JOIN member m ON m.resident_id = p.resident_id
)
SELECT l.township_id, l.unit_id, l.resident_id, l.kept, l.unseen, l.home,
       row_number() OVER (PARTITION BY l.unit_id, l.kept ORDER BY
           substring(h.group_name FROM '[0-9]{{1,6}}')::int NULLS LAST, h.group_name COLLATE "C",
           h.number COLLATE "C", l.is_head DESC, l.birth_date, l.name COLLATE "C",
           l.number_index) AS position,
       coalesce(h.number, '') AS household_number, coalesce(nullif(h.head_name, ''), '') AS head_name,
       l.name, l.relation, l.number_index, l.number_encrypted, l.phone_encrypted,
       coalesce(h.group_name, '') AS group_name, coalesce(h.house_number, '') AS house_number,
       l.categories, l.age,
       l.last_tier, l.tier, l.pension_personal, l.medical_personal, l.government_paid, l.personal,
       l.pension_paid, l.medical_paid, l.paid, l.paid_on, l.means,
       l.medical_voucher, l.pension_voucher, l.is_new,
       left(concat_ws('；',
           CASE WHEN l.listed AND l.unpriced THEN '待录入标准'
                WHEN l.government_paid > 0 AND l.personal = 0 THEN '政府代缴'
                WHEN l.government_paid > 0 THEN concat('政府承担', l.government_paid, '元') END,
           '养老未列入：' || coalesce(%(words)s::jsonb ->> l.pension_why_not, l.pension_why_not),
           '医疗未列入：' || coalesce(%(words)s::jsonb ->> l.medical_why_not, l.medical_why_not)),
       120) AS note,
       l.pension_why_not, l.medical_why_not
FROM line l LEFT JOIN enrollment_household h ON h.id = l.home
"""

SEAL = """
WITH why AS (
    SELECT unit_id, jsonb_object_agg(reason, n) AS excluded FROM (
        SELECT unit_id, reason, count(*) AS n FROM (
            SELECT unit_id, 'pension:' || pension_why_not AS reason FROM roster_draft
            UNION ALL SELECT unit_id, 'medical:' || medical_why_not FROM roster_draft) r
        WHERE reason IS NOT NULL GROUP BY unit_id, reason) n GROUP BY unit_id
), tally AS (
    SELECT u.id AS unit_id, u.township_id, u.unit_code, count(d.resident_id) AS lines,
           count(DISTINCT coalesce(d.home, -d.resident_id)) AS households,
           {digest} AS digest,
           jsonb_build_object(
               'personal', coalesce(sum(personal), 0.00)::text,
               'government_paid', coalesce(sum(government_paid), 0.00)::text,
               'paid', coalesce(sum(paid), 0.00)::text,
               'pension', jsonb_build_object('people', count(pension_personal),
                   'personal', coalesce(sum(pension_personal), 0.00)::text,
                   'paid', coalesce(sum(pension_paid), 0.00)::text),
               'medical', jsonb_build_object('people', count(medical_personal),
                   'personal', coalesce(sum(medical_personal), 0.00)::text,
                   'paid', coalesce(sum(medical_paid), 0.00)::text)) AS totals
    FROM (SELECT id, township_id, code AS unit_code FROM townships_collectingunit
          WHERE id = ANY (%(units)s)) u
    LEFT JOIN roster_draft d ON d.unit_id = u.id AND d.kept
    GROUP BY u.id, u.township_id, u.unit_code
), latest AS (
    SELECT DISTINCT ON (unit_id) unit_id, digest, job_id FROM rosters_roster
    WHERE plan_id = %(plan)s AND kind = %(kind)s AND insurance = %(insurance)s AND unit_id = ANY (%(units)s)
    ORDER BY unit_id, version DESC
), counted AS (
    -- Numbers run on over all plans of the year, so that two plans of a county never print the same number.
    SELECT r.unit_id, max(r.version) AS version FROM rosters_roster r
    JOIN enrollment_collectionplan p ON p.id = r.plan_id
    WHERE p.coverage_year = %(year)s AND r.kind = %(kind)s AND r.insurance = %(insurance)s
      AND r.unit_id = ANY (%(units)s) GROUP BY r.unit_id
), sealed AS (
    INSERT INTO rosters_roster (township_id, unit_id, plan_id, kind, insurance, version, number, as_of, digest,
                                line_count, household_count, totals, job_id, sealed_by_id)
    SELECT t.township_id, t.unit_id, %(plan)s, %(kind)s, %(insurance)s, coalesce(c.version, 0) + 1,
           concat_ws('-', %(county)s, %(year)s, %(letter)s, t.unit_code,
                     lpad((coalesce(c.version, 0) + 1)::text, 3, '0')),
           %(as_of)s, t.digest, t.lines, t.households,
           t.totals || jsonb_build_object('excluded', coalesce(w.excluded, '{{}}'::jsonb)), %(job)s, %(by)s
    FROM tally t
    LEFT JOIN latest l ON l.unit_id = t.unit_id
    LEFT JOIN counted c ON c.unit_id = t.unit_id
    LEFT JOIN why w ON w.unit_id = t.unit_id
    WHERE l.digest IS DISTINCT FROM t.digest AND (%(job)s::uuid IS NULL OR l.job_id IS DISTINCT FROM %(job)s)
      AND (t.lines > 0 OR l.digest IS NOT NULL)
    ORDER BY t.unit_id
    RETURNING id, unit_id, digest
)
SELECT t.unit_id, s.id, t.lines, coalesce(s.digest, l.digest) AS digest
FROM tally t LEFT JOIN sealed s ON s.unit_id = t.unit_id LEFT JOIN latest l ON l.unit_id = t.unit_id
WHERE s.id IS NOT NULL OR l.digest IS NOT NULL
ORDER BY t.unit_code COLLATE "C"
"""

LINE_COLUMNS = (
    "township_id, unit_id, position, resident_id, household_number, head_name, name, relation, number_index,"
    " number_encrypted, phone_encrypted, group_name, house_number, categories, age, last_tier, tier,"
    " pension_personal, medical_personal, government_paid, personal, pension_paid, medical_paid, paid,"
    " paid_on, means, medical_voucher, pension_voucher, is_new, note"
)
LINES = f"""
INSERT INTO rosters_rosterline (roster_id, {LINE_COLUMNS})
SELECT s.id, {", ".join("d." + name.strip() for name in LINE_COLUMNS.split(","))}
FROM roster_draft d
JOIN unnest(%(rosters)s::bigint[], %(sealed_units)s::int[]) AS s (id, unit) ON s.unit = d.unit_id
WHERE d.kept ORDER BY s.id, d.position
"""


@dataclass(frozen=True)
class Sealed:
    """What a call left: rosters that stand, how many are new, their lines, the digest by unit code."""

    rosters: int
    new: int
    lines: int
    digests: dict[str, str]

    @property
    def unchanged(self) -> int:
        """Units whose latest version already says this."""
        return self.rosters - self.new


@transaction.atomic
def seal_units(
    *,
    by: Any,
    plan: CollectionPlan,
    kind: RosterKind,
    units: Sequence[int],
    as_of: date,
    job: UUID | None = None,
    insurance: str = "",
) -> Sealed:
    """Seal the rosters of ``units`` (ids) as known now; a unit whose lines did not change keeps its version.

    Of both insurances, or of the one named. Runs under the caller's scope. Raises JobFailed when somebody on a list
    moved to a place the scope does not show: a roster is whole or it is not made.
    """
    head = digest_head(plan.code, kind.value, insurance)
    values = {
        "insurance": insurance, "insurances": [insurance] if insurance else list(plan.insurances),
        "county_id": plan.county_id,
        "plan": plan.pk, "units": sorted(units), "kind": kind.value, "in_scope": [d.value for d in IN_SCOPE],
        "with_money": kind == RosterKind.PAYMENT, "as_of": as_of, "words": Json(REASON_WORDS), "job": job,
        "by": getattr(by, "pk", None), "year": plan.coverage_year, "county": plan.county.short_code,
        "letter": letters(kind.value, insurance), "head": head,
    }  # fmt: skip
    with bulk_settings(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, code FROM townships_collectingunit WHERE id = ANY (%(units)s)"
            " ORDER BY id FOR NO KEY UPDATE",
            values,
        )
        codes = dict(cursor.fetchall())
        cursor.execute("DROP TABLE IF EXISTS pg_temp.roster_draft")
        draft = DRAFT.format(
            belonging=BELONGING[kind], registered=REGISTERED[kind], owed=OWED[kind], why_not=WHY_NOT[kind]
        )
        cursor.execute(draft, values)
        cursor.execute("SELECT count(*) FROM roster_draft WHERE kept AND unseen")
        row = cursor.fetchone()
        if row is not None and row[0]:
            raise JobFailed(
                _("有 %(n)s 人的档案已迁到别的镇街，您看不到全户，请由区级生成这份清册。") % {"n": row[0]}
            )
        cursor.execute(SEAL.format(digest=DIGEST.format(head="%(head)s, u.unit_code")), values)
        stands = cursor.fetchall()
        new = [(roster, unit) for unit, roster, _lines, _digest in stands if roster is not None]
        if new:
            cursor.execute(LINES, {"rosters": [r for r, _u in new], "sealed_units": [u for _r, u in new]})
        cursor.execute("DROP TABLE pg_temp.roster_draft")
    sealed = Sealed(
        rosters=len(stands),
        new=len(new),
        lines=sum(lines for _u, _r, lines, _d in stands),
        digests={codes[unit]: digest for unit, _r, _l, digest in stands},
    )
    if new:
        record(
            by=by, action="roster.seal", target_kind="job", target=job or "", county_code=plan.county.code,
            detail={
                "plan": plan.code, "kind": kind.value, "insurance": insurance,
                "digests": {codes[unit]: digest for unit, roster, _l, digest in stands if roster is not None},
            },
        )  # fmt: skip
    return sealed
