"""Who stands in one roster and not in another, and why (reading B-000-09): read from the latest sealed versions.

A person counts by insurance. In the reference: paid for last year. In the levy roster: due this year, whoever pays. Paid:
on the payment roster with everything paid, wholly paid for by others, or with money beside what is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from enrollment.models import CollectionPlan
from rosters.rules import REASON_WORDS


class Pair(StrEnum):
    """Which roster a person stands in, and which not."""

    GONE = "gone"
    NEW = "new"
    UNPAID = "unpaid"
    PAID_ONLY = "paid_only"


PAIRS: Final[dict[Pair, tuple[str | Promise, str | Promise]]] = {
    Pair.GONE: (_("上年缴了，今年不在征收清册"), _("缴费信息清册有、征收清册没有")),
    Pair.NEW: (_("今年应缴，上年没有缴"), _("征收清册有、缴费信息清册没有")),
    Pair.UNPAID: (_("应缴没有缴"), _("征收清册有、缴费清册上没有缴足")),
    Pair.PAID_ONLY: (_("缴了却不在征收清册"), _("缴费清册有、征收清册没有")),
}
_HELD_BY: Final = {
    Pair.GONE: "e.reference AND NOT e.levy",
    Pair.NEW: "e.levy AND NOT e.reference",
    Pair.UNPAID: "e.levy AND NOT e.payment",
    Pair.PAID_ONLY: "e.payment AND NOT e.levy",
}
# The two kinds a pair compares: only units that have both are compared.
KINDS: Final = {
    Pair.GONE: ("reference", "levy"),
    Pair.NEW: ("reference", "levy"),
    Pair.UNPAID: ("levy", "payment"),
    Pair.PAID_ONLY: ("levy", "payment"),
}
# Words beside those of the rosters themselves.
WORDS: Final[dict[str, str | Promise]] = {
    "elsewhere": _("在别的村的清册"),
    "left": _("已迁出或注销"),
    "not_registered": _("今年没有登记"),
    "not_sealed": _("清册生成以后才变的，重新生成即可"),
    "newborn": _("新生儿"),
    "new_sixteen": _("新满16周岁"),
    "new_enrolment": _("新参保"),
    "missed_last_year": _("上年登记了没有缴"),
    "no_record": _("没有上年缴费记录"),
    "part": _("缴了一部分"),
    "unpaid": _("还没有缴"),
    "not_in_register": _("登记库里没有这个人"),
}


def reason_word(code: str) -> str:
    """A reason as it is said: the rosters' own words first; a closing reason is its own word."""
    return str(REASON_WORDS.get(code) or WORDS.get(code, code))


# Each person and insurance of the places with the rosters it stands in. The version compared is the newest of each kind.
_ENTRIES: Final = """
WITH latest AS (
    SELECT DISTINCT ON (unit_id, kind) id, kind FROM rosters_roster
    WHERE plan_id = %(plan)s AND insurance = '' AND unit_id = ANY (%(units)s) AND kind = ANY (%(kinds)s)
    ORDER BY unit_id, kind, version DESC
), said AS (
    SELECT r.kind, l.resident_id, l.unit_id, l.township_id, l.name, l.head_name, l.household_number, l.group_name,
           l.number_encrypted, v.insurance, v.personal, v.paid
    FROM latest r JOIN rosters_rosterline l ON l.roster_id = r.id
    CROSS JOIN LATERAL (VALUES ('medical', l.medical_personal, l.medical_paid),
                               ('pension', l.pension_personal, l.pension_paid)) v (insurance, personal, paid)
    WHERE v.personal IS NOT NULL OR v.paid > 0
), e AS (
    SELECT resident_id, insurance, min(unit_id) AS unit_id, min(township_id) AS township_id,
           min(name) AS name, min(head_name) AS head_name, min(household_number) AS household_number,
           min(group_name) AS group_name, max(personal) FILTER (WHERE kind = 'reference') AS paid_before,
           max(personal) FILTER (WHERE kind = 'levy') AS due, max(paid) FILTER (WHERE kind = 'payment') AS paid,
           coalesce(bool_or(kind = 'reference' AND personal IS NOT NULL), false) AS reference,
           coalesce(bool_or(kind = 'levy' AND personal IS NOT NULL), false) AS levy,
           coalesce(bool_or(kind = 'payment' AND (paid >= personal OR (personal IS NULL AND paid > 0)
                            OR (personal = 0 AND paid IS NULL))), false) AS payment
    FROM said WHERE insurance = ANY (%(insurances)s) GROUP BY resident_id, insurance
)
"""
_WHY: Final = {
    Pair.GONE: """CASE
        WHEN r.id IS NULL THEN 'elsewhere'
        WHEN r.death_date IS NOT NULL THEN 'deceased'
        WHEN r.left_on IS NOT NULL THEN 'left'
        WHEN g.id IS NOT NULL AND NOT (g.unit_id = ANY (%(seen)s)) THEN 'elsewhere'
        WHEN g.closing_reason <> '' THEN g.closing_reason
        WHEN e.insurance = 'medical' AND r.employee_medical THEN 'employee_medical'
        WHEN e.insurance = 'pension' AND r.employee_pension THEN 'employee_pension'
        WHEN e.insurance = 'pension' AND r.in_school THEN 'in_school'
        WHEN a.decision IN ('refuse', 'refer') OR (a.decision = 'hold' AND a.reason <> '')
            THEN coalesce(nullif(a.reason, ''), a.decision)
        WHEN e.insurance = 'pension' AND r.birth_date <= make_date(%(year)s - 61, 12, 31) THEN 'age_60_or_more'
        WHEN g.id IS NULL THEN 'not_registered'
        WHEN a.id IS NULL THEN 'not_assessed'
        ELSE 'not_sealed' END""",
    Pair.NEW: """CASE
        WHEN b.id IS NOT NULL THEN 'missed_last_year'
        WHEN r.birth_date >= make_date(%(year)s - 1, 1, 1) THEN 'newborn'
        WHEN e.insurance = 'pension' AND r.birth_date > make_date(%(year)s - 18, 12, 31) THEN 'new_sixteen'
        WHEN g.is_new THEN 'new_enrolment'
        ELSE 'no_record' END""",
    Pair.UNPAID: """CASE
        WHEN g.closing_reason <> '' THEN g.closing_reason
        WHEN r.death_date IS NOT NULL THEN 'deceased'
        WHEN e.paid > 0 THEN 'part'
        ELSE 'unpaid' END""",
    Pair.PAID_ONLY: """CASE
        WHEN r.death_date IS NOT NULL THEN 'deceased'
        WHEN g.id IS NULL THEN 'not_registered'
        WHEN g.closing_reason <> '' THEN g.closing_reason
        WHEN a.decision IN ('refuse', 'refer') OR (a.decision = 'hold' AND a.reason <> '')
            THEN coalesce(nullif(a.reason, ''), a.decision)
        WHEN a.id IS NULL THEN 'not_assessed'
        ELSE 'not_sealed' END""",
}
_ASKED: Final = """
, asked AS (
    SELECT e.*, r.number_encrypted, {why} AS why
    FROM e
    LEFT JOIN enrollment_resident r ON r.id = e.resident_id
    LEFT JOIN enrollment_registration g ON g.resident_id = e.resident_id AND g.insurance = e.insurance
        AND g.coverage_year = %(year)s
    LEFT JOIN enrollment_registration b ON b.resident_id = e.resident_id AND b.insurance = e.insurance
        AND b.coverage_year = %(year)s - 1
    LEFT JOIN contributions_assessment a ON a.resident_id = e.resident_id AND a.insurance = e.insurance
        AND a.coverage_year = %(year)s
    WHERE {held}
)
"""
# Somebody of the tax side's file whom nobody has registered: paid last year, in no roster of ours.
_STRANGERS: Final = """
SELECT p.name, p.number_encrypted, p.insurance, u.name AS unit, sum(p.amount) AS paid_before
FROM enrollment_priorpayment p JOIN townships_collectingunit u ON u.id = p.unit_id
WHERE p.county_id = %(county)s AND p.coverage_year = %(year)s - 1 AND p.unit_id = ANY (%(units)s)
  AND p.insurance = ANY (%(insurances)s)
  AND NOT EXISTS (SELECT FROM enrollment_resident r WHERE r.county_id = p.county_id AND r.number_index = p.number_index)
GROUP BY p.name, p.number_encrypted, p.number_index, p.insurance, u.name, u.position, u.code
ORDER BY u.position, u.code, p.insurance, p.name
"""


@dataclass(frozen=True)
class Comparison:
    """What is compared: a plan, units of one township, one insurance or both."""

    plan: CollectionPlan
    units: Sequence[int]
    insurance: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of every statement."""
        return {
            "plan": self.plan.pk,
            "county": self.plan.county_id,
            "year": self.plan.coverage_year,
            "units": list(self.units),
            "seen": list(self.units),
            "insurances": [self.insurance] if self.insurance else list(self.plan.insurances),
        }


def _rows(statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def both_sealed(asked: Comparison, pair: Pair) -> list[int]:
    """Units that have a sealed roster of both kinds a pair compares."""
    rows = _rows(
        "SELECT unit_id FROM rosters_roster WHERE plan_id = %(plan)s AND insurance = '' AND unit_id = ANY (%(units)s)"
        " AND kind = ANY (%(kinds)s) GROUP BY unit_id HAVING count(DISTINCT kind) = 2",
        asked.values | {"kinds": list(KINDS[pair])},
    )
    return [row["unit_id"] for row in rows]


def _of(asked: Comparison, pair: Pair) -> dict[str, Any]:
    return asked.values | {"kinds": list(KINDS[pair]), "units": both_sealed(asked, pair)}


def counts(asked: Comparison) -> dict[Pair, int]:
    """How many stand in one and not in the other, by pair."""
    found: dict[Pair, int] = {}
    for first, second in ((Pair.GONE, Pair.NEW), (Pair.UNPAID, Pair.PAID_ONLY)):
        row = _rows(
            _ENTRIES
            + f"SELECT count(*) FILTER (WHERE {_HELD_BY[first]}) AS a, count(*) FILTER (WHERE {_HELD_BY[second]}) AS b FROM e",
            _of(asked, first),
        )[0]
        found |= {first: row["a"], second: row["b"]}
    return found


def reasons(asked: Comparison, pair: Pair) -> list[tuple[str, int]]:
    """Reasons of a pair with their counts, the most frequent first."""
    rows = _rows(
        _ENTRIES + _ASKED.format(why=_WHY[pair], held=_HELD_BY[pair])
        + "SELECT why, count(*) AS n FROM asked GROUP BY why ORDER BY n DESC, why",
        _of(asked, pair),
    )  # fmt: skip
    return [(row["why"], row["n"]) for row in rows]


def people(
    asked: Comparison, pair: Pair, *, why: str = "", limit: int | None = None, offset: int = 0
) -> list[dict[str, Any]]:
    """The people of a pair in the order of the round: name, unit, insurance, amounts, ``why`` by its code."""
    statement = (
        _ENTRIES
        + _ASKED.format(why=_WHY[pair], held=_HELD_BY[pair])
        + """SELECT k.*, u.name AS unit FROM asked k JOIN townships_collectingunit u ON u.id = k.unit_id
        WHERE %(why)s = '' OR k.why = %(why)s
        ORDER BY u.position, u.code COLLATE "C", k.household_number COLLATE "C", k.resident_id, k.insurance
        LIMIT %(limit)s OFFSET %(offset)s"""
    )
    return _rows(statement, _of(asked, pair) | {"why": why, "limit": limit, "offset": offset})


def strangers(asked: Comparison) -> list[dict[str, Any]]:
    """Who paid last year by the tax side's file and stands in no register of ours."""
    return _rows(_STRANGERS, asked.values)
