"""Who stands on which department's list, and how: one query over the facts, the claims, and what is charged.

Per person of a list, in this order: died; no longer in any of the groups; not assessed; refused or referred by the
plan; not registered; charged before the list came; without a charge; certified by nobody; taken. Whoever has several
claims is waived once, by the rule that leaves the least to pay, ties in the plan's order; the other departments that
name him read which one was taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from contributions.queries import facts_parameters, facts_sql
from enrollment.models import CollectionPlan
from subsidies.rules.claims import ELDERLY_LISTED, Claim, categories_of, claims, claims_sql
from subsidies.rules.conditions import text_array
from subsidies.rules.plan import PersonList, Plan, Supplier


class Standing(models.TextChoices):
    """How a person stands on a department's list; what somebody must look at comes first."""

    NOT_REGISTERED = "not_registered", _("没有参保登记")
    CHARGED_BEFORE = "charged_before", _("名单前已按原价收")
    UNCERTIFIED = "uncertified", _("没有部门认定")
    NOT_ASSESSED = "not_assessed", _("没有核定")
    REFERRED = "referred", _("转部门核定")
    DEAD = "dead", _("已死亡")
    REFUSED = "refused", _("不应参保")
    LAPSED = "lapsed", _("身份已到期")
    UNCHARGED = "uncharged", _("没有应缴")
    ELSEWHERE = "elsewhere", _("按别的名单代缴")
    TAKEN = "taken", _("在代缴")


# In scope of a waiver, and still the government would not pay for them: nobody may be missed (E055).
MISSED: Final = (
    Standing.NOT_REGISTERED, Standing.CHARGED_BEFORE, Standing.UNCERTIFIED, Standing.NOT_ASSESSED, Standing.REFERRED,
)  # fmt: skip
# On a list, and rightly not paid for.
NOT_PAYABLE: Final = (Standing.DEAD, Standing.REFUSED, Standing.LAPSED, Standing.UNCHARGED)


@dataclass(frozen=True)
class Office:
    """A department of a list; without a list, rules the plan puts on none."""

    index: int
    list: PersonList | None
    supplier: Supplier | None

    @property
    def key(self) -> str:
        """In addresses: list and office."""
        return f"{self.list.code}.{self.supplier.agency}" if self.list and self.supplier else "none"

    @property
    def agency(self) -> str:
        """Kind of the office, empty where the plan names none."""
        return self.supplier.agency if self.supplier else ""


def offices_of(book: Plan) -> list[Office]:
    """Departments of all lists in the plan's order, from 1; the last stands for rules on no list."""
    found = [
        Office(index, each, supplier)
        for index, (each, supplier) in enumerate(
            ((each, supplier) for each in book.lists for supplier in each.suppliers), start=1
        )
    ]
    return [*found, Office(len(found) + 1, None, None)]


def office_of_claim(offices: Sequence[Office], claim: Claim) -> Office:
    """The department that certifies a claim."""
    for office in offices:
        if office.list is claim.list and office.supplier is claim.supplier:
            return office
    return offices[-1]


@dataclass(frozen=True)
class Asked:
    """Which people are asked about: plan, insurance, places, and the day on which groups count."""

    plan: CollectionPlan
    book: Plan
    insurance: str
    townships: tuple[int, ...]
    on: date
    unit: int | None = None
    residents: tuple[int, ...] | None = None
    """Only these (a search); None for everybody."""

    offices: list[Office] = field(default_factory=list)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims of the insurance in the order they are tried."""
        return claims(self.book, self.insurance)


@dataclass(frozen=True)
class Person:
    """A person as one department's list shows him."""

    resident: int
    office: int
    standing: str
    claims: list[int]
    taken: int | None
    township: int
    unit: int
    registration: int | None
    charge: int | None
    rule: str
    assessed_rule: str
    reason: str
    personal: Decimal | None
    government: Decimal | None


_BASE: Final = """
    candidate AS MATERIALIZED (
        SELECT s.resident_id FROM enrollment_membership s JOIN enrollment_category c ON c.id = s.category_id
        JOIN ({wanted}) w ON {fits}
        WHERE (s.valid_to IS NULL OR s.valid_to >= %(since)s) AND s.township_id = ANY (%(townships)s) {members}
        UNION
        SELECT a.resident_id FROM contributions_assessment a
        WHERE a.plan_id = %(plan)s AND a.insurance = %(insurance)s AND a.coverage_year = %(year)s
          AND a.waiver_code <> '' AND a.township_id = ANY (%(townships)s) {assessed}
        UNION
        SELECT c.resident_id FROM contributions_charge c
        WHERE c.plan_id = %(plan)s AND c.insurance = %(insurance)s AND c.current AND c.waiver_code <> ''
          AND c.township_id = ANY (%(townships)s) {charged}
    ),
    facts AS ({facts}),
    claimed AS MATERIALIZED ({claims}),
    member AS MATERIALIZED (
        SELECT s.resident_id, array_agg(DISTINCT c.code::text) FILTER (WHERE NOT live) AS ended,
               array_agg(DISTINCT c.code::text) FILTER (WHERE live AND w.graded AND s.grade IS NULL) AS ungraded,
               bool_or(s.certified_by_id IS NOT NULL OR s.batch IS NOT NULL) FILTER (WHERE live) AS certified,
               bool_or(c.code = '{elderly}') FILTER (WHERE live) AS elderly_listed
        FROM enrollment_membership s JOIN enrollment_category c ON c.id = s.category_id
        JOIN ({wanted}) w ON {fits}
        CROSS JOIN LATERAL (SELECT s.valid_from <= %(on)s AND (s.valid_to IS NULL OR s.valid_to >= %(on)s) AS live) l
        WHERE s.resident_id IN (SELECT resident_id FROM candidate)
          AND (s.valid_to IS NULL OR s.valid_to >= %(since)s)
        GROUP BY s.resident_id
    ),
    person AS MATERIALIZED (
        SELECT r.id AS resident_id, coalesce(g.township_id, r.township_id) AS township_id,
               coalesce(g.unit_id, r.unit_id) AS unit_id, r.household_id, r.is_head, r.death_date,
               coalesce(k.claims, '{{}}') AS claims, m.ended, m.ungraded, coalesce(m.certified, false) AS certified,
               coalesce(m.elderly_listed, false) AS elderly_listed,
               a.id AS assessment_id, a.decision, coalesce(a.reason, '') AS reason,
               coalesce(a.waiver_code, '') AS assessed_rule, a.government_paid_amount AS assessed_government,
               g.id AS registration_id, c.id AS charge_id, coalesce(c.waiver_code, '') AS rule,
               c.personal_amount, c.government_paid_amount,
               coalesce(nullif(c.waiver_code, ''), a.waiver_code, '') AS shown_rule
        FROM candidate p
        JOIN enrollment_resident r ON r.id = p.resident_id AND r.merged_into_id IS NULL
        LEFT JOIN claimed k ON k.subject = r.id
        LEFT JOIN member m ON m.resident_id = r.id
        LEFT JOIN contributions_assessment a ON a.resident_id = r.id AND a.insurance = %(insurance)s
            AND a.coverage_year = %(year)s
        LEFT JOIN enrollment_registration g ON g.resident_id = r.id AND g.insurance = %(insurance)s
            AND g.coverage_year = %(year)s
        LEFT JOIN contributions_charge c ON c.registration_id = g.id AND c.current AND c.kind = 'ordinary'
            AND c.for_year = %(year)s
        WHERE {only}
    ),
    judged AS MATERIALIZED (
        SELECT p.*, t.taken,
            CASE WHEN p.death_date IS NOT NULL AND p.death_date <= %(on)s THEN 'dead'
                 WHEN cardinality(p.claims) = 0 AND p.rule = '' AND p.ungraded IS NOT NULL THEN 'uncertified'
                 WHEN cardinality(p.claims) = 0 AND p.rule = '' THEN 'lapsed'
                 WHEN p.assessment_id IS NULL THEN 'not_assessed'
                 WHEN p.decision = 'refuse' THEN 'refused'
                 WHEN p.decision = 'refer' THEN 'referred'
                 WHEN p.registration_id IS NULL THEN 'not_registered'
                 WHEN p.charge_id IS NULL THEN 'uncharged'
                 WHEN p.government_paid_amount < p.assessed_government THEN 'charged_before'
                 WHEN p.rule = '' THEN 'uncharged'
                 WHEN (t.taken IS NULL OR NOT (%(computed)s::boolean[])[t.taken]) AND NOT p.certified
                     THEN 'uncertified'
                 WHEN %(elderly_needs_list)s AND (%(computed)s::boolean[])[t.taken] AND NOT p.elderly_listed
                     THEN 'uncertified'
                 ELSE 'taken' END AS how
        FROM person p
        CROSS JOIN LATERAL (
            SELECT coalesce(
                (SELECT min(x) FROM unnest(p.claims) x WHERE x = ANY ({places_of_rule})),
                (SELECT min(x) FROM unnest({places_of_rule}) x)
            ) AS taken
        ) t
    ),
    listed AS (
        SELECT j.*, o.office,
            CASE WHEN j.how = 'taken' AND o.office <> (%(office_of)s::int[])[j.taken] THEN 'elsewhere' ELSE j.how END
                AS standing
        FROM judged j
        CROSS JOIN LATERAL (
            SELECT DISTINCT (%(office_of)s::int[])[x] AS office
            FROM unnest(CASE WHEN cardinality(j.claims) > 0 THEN j.claims
                             WHEN j.taken IS NOT NULL THEN ARRAY[j.taken]
                             ELSE array_remove(ARRAY[{lapsed}]::int[], NULL) END) x
        ) o
    )
"""


def _sql(asked: Asked) -> str:
    own = asked.claims
    by_rule: dict[str, list[int]] = {}
    for place, claim in enumerate(own, start=1):
        by_rule.setdefault(claim.rule, []).append(place)
    whens = " ".join(
        f"WHEN '{rule}' THEN '{{{','.join(map(str, places))}}}'::int[]" for rule, places in by_rule.items()
    )
    lapsed = ", ".join(
        f"CASE WHEN coalesce(j.ended, j.ungraded) && {text_array(claim.group.categories)} THEN {place} END"
        for place, claim in enumerate(own, start=1)
        if claim.group is not None
    )
    wanted = ", ".join(
        f"('{code}', {str(bool(grades)).lower()}, '{{{','.join(map(str, grades))}}}'::int[])"
        for code, grades in _wanted(asked).items()
    )
    unit = "AND {}.unit_id = %(unit)s" if asked.unit is not None else ""
    return _BASE.format(
        wanted=f"SELECT * FROM (VALUES {wanted or _NOBODY}) v (code, graded, grades)",
        fits="w.code = c.code AND (NOT w.graded OR s.grade IS NULL OR s.grade = ANY (w.grades))",
        members=unit.format("s"),
        assessed=unit.format("a"),
        charged=unit.format("c"),
        facts=facts_sql(
            where="AND r.id IN (SELECT resident_id FROM candidate)",
            members="AND s.resident_id IN (SELECT resident_id FROM candidate)",
        ),
        claims=claims_sql(asked.book, asked.insurance),
        elderly=ELDERLY_LISTED,
        only="r.id = ANY (%(residents)s)" if asked.residents is not None else "true",
        places_of_rule=f"CASE p.shown_rule {whens} ELSE '{{}}'::int[] END" if whens else "'{}'::int[]",
        lapsed=lapsed or "NULL",
    )


_NOBODY: Final = "(NULL::text, false, '{}'::int[])"


def _wanted(asked: Asked) -> dict[str, tuple[int, ...]]:
    """Category codes that give a claim, with the grades that count."""
    found = categories_of(asked.book, (asked.insurance,))
    return found | ({ELDERLY_LISTED: ()} if any(claim.computed for claim in asked.claims) else {})


def _parameters(asked: Asked) -> dict[str, Any]:
    own, plan = asked.claims, asked.plan
    return facts_parameters(insurance=asked.insurance, year=plan.coverage_year, on=asked.on) | {
        "plan": plan.pk,
        "townships": sorted(asked.townships),
        "unit": asked.unit,
        "residents": list(asked.residents or ()),
        # Whoever was in a group within the year before is looked for: lapsed since, or not named again.
        "since": asked.on - timedelta(days=366),
        "office_of": [office_of_claim(asked.offices, claim).index for claim in own],
        "computed": [claim.computed for claim in own],
        "elderly_needs_list": asked.book.settings.choice("lists.elderly_source") == "department_list",
    }


@dataclass(frozen=True)
class Count:
    """People of a department's list who stand alike, those of them with several identities, and what is paid."""

    office: int
    standing: str
    people: int
    twice: int
    amount: Decimal


def count_people(asked: Asked) -> list[Count]:
    """Counts by department and standing; ``amount`` is the government-paid part of those taken. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {_sql(asked)} SELECT office, standing, count(*), count(*) FILTER (WHERE cardinality(claims) > 1),"
            " coalesce(sum(government_paid_amount) FILTER (WHERE standing = 'taken'), 0)"
            " FROM listed GROUP BY office, standing",
            _parameters(asked),
        )
        return [Count(*row) for row in cursor.fetchall()]


_ORDER: Final = "array_position(%(order)s, standing), township_id, unit_id, household_id NULLS LAST, NOT is_head, resident_id"


def find_people(
    asked: Asked,
    *,
    office: int | None = None,
    standings: Sequence[str] = (),
    twice: bool = False,
    offset: int = 0,
    limit: int | None = None,
) -> list[Person]:
    """People of a department's list (of every list without one), what needs a look first, then in walking order."""
    where = ["true"]
    values = _parameters(asked) | {
        "order": list(Standing.values), "office": office, "standings": list(standings), "offset": offset,
        "limit": limit,
    }  # fmt: skip
    if office is not None:
        where.append("office = %(office)s")
    if standings:
        where.append("standing = ANY (%(standings)s)")
    if twice:
        where.append("cardinality(claims) > 1")
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {_sql(asked)} SELECT resident_id, office, standing, claims, taken, township_id, unit_id,"
            " registration_id, charge_id, rule, assessed_rule, reason, personal_amount, government_paid_amount"
            f" FROM listed WHERE {' AND '.join(where)} ORDER BY {_ORDER} OFFSET %(offset)s LIMIT %(limit)s",
            values,
        )
        rows = cursor.fetchall()
    names = [each.name for each in fields(Person)]
    return [Person(**dict(zip(names, row, strict=True))) for row in rows]


def taken_sql(asked: Asked) -> tuple[str, dict[str, Any]]:
    """The common table expressions ending in ``judged`` (one row a person with ``taken``), for set-based work."""
    return _sql(asked), _parameters(asked)
