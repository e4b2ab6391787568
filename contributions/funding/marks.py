"""标识同步: how far each listed person's mark has travelled, who is stuck, and who was charged too much meanwhile.

A mark is needed where a department's list says who somebody is: 名单 → 镇街验证 → 医保标识 → 税务已同步. Whoever is waived by
age is known to every system by the number itself and needs none. Until a mark is synced, the tax side asks the full
price, and paying by phone charges too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from contributions.models import Charge, DifferenceOutcome
from enrollment.models import CollectionPlan, MarkState, Membership
from foundation.clock.services import business_date
from subsidies.queries import rule_book
from subsidies.rules.claims import categories_of, claims
from subsidies.rules.plan import Plan
from subsidies.rules.source import PlanError
from townships.models import User

ZERO: Final = Decimal("0.00")
# A mark that has not moved for so long is stuck.
STUCK_AFTER: Final = timedelta(days=3)


@dataclass(frozen=True)
class MarksAsked:
    """Whose marks: plan, places, and what of them."""

    plan: CollectionPlan
    book: Plan
    townships: tuple[int, ...]
    on: date
    shift: timedelta = timedelta(0)
    unit: int | None = None
    states: tuple[str, ...] = ()
    department: str = ""


@dataclass
class MarkCount:
    """People by state, of a place or a department."""

    key: str
    name: str
    states: dict[str, int] = field(default_factory=dict)
    oldest: date | None = None

    @property
    def people(self) -> int:
        """All of them."""
        return sum(self.states.values())

    @property
    def waiting(self) -> int:
        """Not synced yet."""
        return self.people - self.states.get(MarkState.SYNCED, 0)

    @property
    def cells(self) -> list[tuple[str, int]]:
        """Counts in the order of the way."""
        return [(state.value, self.states.get(state, 0)) for state in MarkState]

    def add(self, state: str, people: int, since: date) -> None:
        """Take a group of them in."""
        self.states[state] = self.states.get(state, 0) + people
        if state != MarkState.SYNCED and (self.oldest is None or since < self.oldest):
            self.oldest = since


@dataclass(frozen=True)
class MarkRow:
    """A listed person with the mark's state and since when it stands there."""

    membership: int
    resident: int
    name: str
    township: str
    unit: str
    group: str
    certifier: str
    mark: str
    since: date
    days: int
    certified_on: date | None

    @property
    def state(self) -> MarkState:
        """The state with its label."""
        return MarkState(self.mark)

    @property
    def stuck(self) -> bool:
        """Not moved for longer than it should."""
        return self.mark != MarkState.SYNCED and self.days > STUCK_AFTER.days


# Since when a mark stands: its last step, else the import that brought it, else the certification.
_MARKS: Final = """
    SELECT s.id, s.resident_id, r.name, s.township_id, s.unit_id, s.mark, c.name AS group_name, c.agency_kind,
           s.certified_by_id, s.certified_on, r.household_id,
           coalesce(
               (SELECT max(t."on") FROM enrollment_markstep t WHERE t.membership_id = s.id),
               (SELECT ((b.applied_at + %(shift)s) AT TIME ZONE 'Asia/Shanghai')::date FROM imports_importbatch b
                WHERE b.id = s.batch),
               s.certified_on, s.valid_from
           ) AS since
    FROM enrollment_membership s
    JOIN enrollment_category c ON c.id = s.category_id
    JOIN (VALUES {wanted}) w (code, graded, grades) ON w.code = c.code
    JOIN enrollment_resident r ON r.id = s.resident_id AND r.merged_into_id IS NULL
    WHERE s.township_id = ANY (%(townships)s) AND s.valid_from <= %(on)s
      AND (s.valid_to IS NULL OR s.valid_to >= %(on)s) AND (NOT w.graded OR s.grade = ANY (w.grades))
      AND (r.death_date IS NULL OR r.death_date > %(on)s) {where}
"""


def _sql(asked: MarksAsked) -> tuple[str, dict[str, Any]]:
    wanted = ", ".join(
        f"('{code}', {str(bool(grades)).lower()}, '{{{','.join(map(str, grades))}}}'::int[])"
        for code, grades in categories_of(asked.book, asked.plan.insurances).items()
    )
    where = ""
    if asked.unit is not None:
        where += " AND s.unit_id = %(unit)s"
    if asked.states:
        where += " AND s.mark = ANY (%(states)s)"
    if asked.department:
        where += " AND c.agency_kind = %(department)s"
    sql = _MARKS.format(wanted=wanted or "(NULL::text, false, '{}'::int[])", where=where)
    return sql, {
        "townships": sorted(asked.townships), "on": asked.on, "shift": asked.shift, "unit": asked.unit,
        "states": list(asked.states), "department": asked.department,
    }  # fmt: skip


def count_marks(asked: MarksAsked) -> tuple[MarkCount, list[MarkCount], list[MarkCount], list[MarkCount]]:
    """All together, by department, by township and by unit, each with the longest wait first. One query."""
    sql, values = _sql(asked)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.agency_kind, m.township_id, t.code, t.name, m.unit_id, u.code, u.name, m.mark, count(*),"
            f" min(m.since) FROM ({sql}) m JOIN townships_township t ON t.id = m.township_id"
            " JOIN townships_collectingunit u ON u.id = m.unit_id GROUP BY 1, 2, 3, 4, 5, 6, 7, 8",
            values,
        )
        rows = cursor.fetchall()
    whole = MarkCount("", "")
    departments: dict[str, MarkCount] = {}
    townships: dict[int, MarkCount] = {}
    units: dict[int, MarkCount] = {}
    for agency, township, t_code, t_name, unit, u_code, u_name, mark, people, since in rows:
        whole.add(mark, people, since)
        departments.setdefault(agency, MarkCount(agency, agency)).add(mark, people, since)
        townships.setdefault(township, MarkCount(t_code, t_name)).add(mark, people, since)
        units.setdefault(unit, MarkCount(u_code, u_name)).add(mark, people, since)

    def ordered(found: Iterable[MarkCount]) -> list[MarkCount]:
        return sorted(found, key=lambda each: (not each.waiting, each.oldest or asked.on, each.key))

    return whole, ordered(departments.values()), ordered(townships.values()), ordered(units.values())


def mark_rows(asked: MarksAsked, *, offset: int, limit: int) -> list[MarkRow]:
    """People, the longest stuck first, those that are synced last."""
    sql, values = _sql(asked)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.id, m.resident_id, m.name, t.name, u.name, m.group_name, coalesce(a.name, ''), m.mark, m.since,"
            f" m.certified_on FROM ({sql}) m JOIN townships_township t ON t.id = m.township_id"
            " JOIN townships_collectingunit u ON u.id = m.unit_id LEFT JOIN townships_agency a"
            " ON a.id = m.certified_by_id ORDER BY m.mark = 'synced', m.since, t.position, u.position, m.household_id,"
            " m.id OFFSET %(offset)s LIMIT %(limit)s",
            values | {"offset": offset, "limit": limit},
        )
        rows = cursor.fetchall()
    names = ("membership", "resident", "name", "township", "unit", "group", "certifier", "mark", "since")
    return [
        MarkRow(
            **dict(zip(names, row[:9], strict=True)),
            days=max((asked.on - row[8]).days, 0),
            certified_on=row[9],
        )
        for row in rows
    ]


def mark_ids(asked: MarksAsked) -> list[int]:
    """Memberships asked about, for moving all of them at once."""
    sql, values = _sql(asked)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT m.id FROM ({sql}) m ORDER BY m.id", values)
        return [pk for (pk,) in cursor.fetchall()]


# overcharged people


@dataclass(frozen=True)
class Overcharged:
    """Somebody who paid more than the waiver leaves to pay, with what is to be given back."""

    resident: int
    registration: int
    insurance: str
    name: str
    township: str
    unit: str
    due: Decimal
    paid: Decimal
    excess: Decimal
    paid_on: date | None
    certified_on: date | None
    rule: str
    outcome: str
    """What became of it by the plan's settings where it is a difference already (``PaidDifference``)."""

    @property
    def refund(self) -> Decimal:
        """Yuan too much: paid beyond what is due, and money that was kept aside with an open case."""
        return max(self.paid - self.due, ZERO) + self.excess

    @property
    def certified_first(self) -> bool:
        """Whether the group held already when he paid; else he is a late entrant (X27)."""
        return self.certified_on is None or self.paid_on is None or self.certified_on <= self.paid_on


_OVER: Final = """
    SELECT r.id, g.id, g.insurance, r.name, t.name, u.name, a.personal_amount, coalesce(p.paid, 0),
           coalesce(x.excess, 0), p.paid_on, m.certified_on, a.waiver_code, coalesce(d.outcome, '')
    FROM contributions_assessment a
    JOIN enrollment_registration g ON g.resident_id = a.resident_id AND g.insurance = a.insurance
        AND g.coverage_year = a.coverage_year
    JOIN enrollment_resident r ON r.id = a.resident_id AND r.merged_into_id IS NULL
    JOIN townships_township t ON t.id = g.township_id
    JOIN townships_collectingunit u ON u.id = g.unit_id
    LEFT JOIN LATERAL (
        SELECT sum(l.amount) AS paid, min(y.paid_on) AS paid_on
        FROM contributions_paymentline l JOIN contributions_payment y ON y.id = l.payment_id
        WHERE l.registration_id = g.id AND l.part <> 'government'
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT sum(c.amount) AS excess FROM contributions_paymentcase c JOIN contributions_payment y ON y.id = c.payment_id
        WHERE c.registration_id = g.id AND c.state = 'open' AND c.amount > 0 AND y.excess > 0
    ) x ON true
    LEFT JOIN LATERAL (
        SELECT min(coalesce(s.certified_on, s.valid_from)) AS certified_on
        FROM enrollment_membership s JOIN enrollment_category k ON k.id = s.category_id
        WHERE s.resident_id = r.id AND k.code = ANY (%(codes)s)
    ) m ON true
    LEFT JOIN contributions_paiddifference d ON d.registration_id = g.id AND d.standing
    WHERE a.plan_id = %(plan)s AND a.waiver_code <> '' AND a.decision = 'accept'
      AND g.township_id = ANY (%(townships)s) {unit}
      AND (coalesce(p.paid, 0) > a.personal_amount OR coalesce(x.excess, 0) > 0)
    ORDER BY p.paid_on NULLS LAST, r.id
"""


def overcharged(asked: MarksAsked) -> list[Overcharged]:
    """People charged before their mark was synced, the earliest payment first. One query."""
    unit = "AND g.unit_id = %(unit)s" if asked.unit is not None else ""
    codes = sorted(categories_of(asked.book, asked.plan.insurances))
    with connection.cursor() as cursor:
        cursor.execute(
            _OVER.format(unit=unit),
            {
                "plan": asked.plan.pk, "townships": sorted(asked.townships), "unit": asked.unit, "codes": codes,
            },
        )  # fmt: skip
        return [Overcharged(*row) for row in cursor.fetchall()]


def verdict(book: Plan, row: Overcharged) -> str:
    """What the plan's settings say of the money: give back, look at it, or keep."""
    if row.outcome == DifferenceOutcome.KEEP:
        return _("缴费后才认定，不退")
    if row.outcome in (DifferenceOutcome.REFUND, DifferenceOutcome.REVIEW):
        return _("退给本人") if row.outcome == DifferenceOutcome.REFUND else _("核实后再定")
    if row.certified_first:
        refunds = book.settings.choice("refund.charged_before_list") == "refund"
        return _("退给本人") if refunds else _("核实后再定")
    refunds = book.settings.choice("waiver.late_entrants") == "refund"
    return _("退给本人") if refunds else _("缴费后才认定，不退")


# what the household is told


def not_synced(user: User, plan: CollectionPlan, residents: Sequence[int]) -> dict[int, Decimal]:
    """Residents who must not pay by phone yet, with what it would charge them too much.

    The government pays for them by a list, and no mark of the group that was taken has reached the tax side. Three
    queries.
    """
    try:
        book = rule_book(plan)
    except PlanError:
        return {}
    charges = list(
        Charge.objects.visible_to(user).filter(
            plan=plan, current=True, resident_id__in=residents, government_paid_amount__gt=0
        )
    )
    marks: dict[int, list[tuple[str, str]]] = {}
    today = business_date(plan.county.code)
    rows = Membership.objects.visible_to(user).filter(
        Q(valid_to=None) | Q(valid_to__gte=today),
        resident_id__in=[charge.resident_id for charge in charges],
        valid_from__lte=today,
    )
    for resident, code, mark in rows.values_list("resident_id", "category__code", "mark"):
        marks.setdefault(resident, []).append((code, mark))
    found: dict[int, Decimal] = {}
    for charge in charges:
        groups = [
            set(claim.group.categories)
            for claim in claims(book, charge.insurance)
            if claim.rule == charge.waiver_code and claim.group is not None
        ]
        codes = set().union(*groups) if groups else set()
        own = [mark for code, mark in marks.get(charge.resident_id, []) if code in codes]
        if own and MarkState.SYNCED not in own:
            found[charge.resident_id] = found.get(charge.resident_id, ZERO) + charge.government_paid_amount
    return found
