"""People of one list who are not in another, with the reason: two lists, one query over the places asked for.

A list gives people by the number they hold (``number_index``) or, without one, by their record. Whoever has a record is
then looked for in the other list by that record, wherever in the user's places it stands, so that somebody who moved is
not taken for missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.register.kinds import REASONS
from contributions.words import reason as reason_of_rule
from enrollment.models import Category, CollectionPlan, Insurance
from foundation.encryption import get_keyring
from foundation.masking import Audience, mask_number
from townships.models import CollectingUnit, User

Word = str | Promise
ALIVE: Final = "x.merged_into_id IS NULL AND x.death_date IS NULL AND x.left_on IS NULL"


@dataclass(frozen=True)
class Named:
    """A list that can be chosen: its code, what it is called, whom it holds, and how one is looked for in it."""

    code: str
    title: Word
    people: str
    """SELECT number_index, number_encrypted, name, township_id, unit_id, resident_id of the places asked for."""
    holds: str
    """A condition over ``r`` (the record) and ``a.number_index``: whether the list holds the person."""
    why: str
    """Why it does not, as a code; NULL leaves it to what is common to all lists."""


_REGISTER: Final = Named(
    "register", gettext_lazy("居民档案（在册）"),
    f"""SELECT x.number_index, x.number_encrypted, x.name, x.township_id, x.unit_id, x.id AS resident_id
        FROM enrollment_resident x WHERE x.county_id = %(county)s AND x.township_id = ANY (%(townships)s) AND {ALIVE}""",
    "r.id IS NOT NULL AND r.death_date IS NULL AND r.left_on IS NULL",
    "NULL::text",
)  # fmt: skip
_POLICE: Final = Named(
    "police", gettext_lazy("公安户籍"),
    """SELECT x.number_index, x.number_encrypted, x.name, x.township_id, x.unit_id, NULL::bigint AS resident_id
       FROM enrollment_policerecord x WHERE x.county_id = %(county)s AND x.township_id = ANY (%(townships)s)
         AND x.death_date IS NULL AND x.cancelled_on IS NULL AND x.cancelled_why = ''""",
    """EXISTS (SELECT FROM enrollment_policerecord y WHERE y.county_id = %(county)s AND y.number_index = a.number_index
               AND y.death_date IS NULL AND y.cancelled_on IS NULL AND y.cancelled_why = '')""",
    """CASE WHEN a.number_index IS NULL OR r.id_kind <> 'resident_id' THEN 'no_number'
            WHEN EXISTS (SELECT FROM enrollment_policerecord y WHERE y.county_id = %(county)s
                         AND y.number_index = a.number_index) THEN 'cancelled_there'
            WHEN r.registration_area <> 'local' THEN 'outsider' ELSE 'not_with_police' END""",
)  # fmt: skip


def _registered(insurance: Insurance) -> Named:
    answer = f"""(SELECT coalesce(nullif(s.reason, ''), s.decision) FROM contributions_assessment s
        WHERE s.resident_id = r.id AND s.insurance = '{insurance.value}' AND s.coverage_year = %(year)s
          AND s.decision NOT IN ('accept', 'hold', 'amount_not_configured'))"""
    return Named(
        f"registered_{insurance.value}",
        _("本年度%(insurance)s参保登记") % {"insurance": insurance.label},
        f"""SELECT x.number_index, x.number_encrypted, x.name, g.township_id, g.unit_id, x.id AS resident_id
            FROM enrollment_registration g JOIN enrollment_resident x ON x.id = g.resident_id
            WHERE g.plan_id = %(plan)s AND g.insurance = '{insurance.value}' AND g.closing_reason = ''
              AND g.township_id = ANY (%(townships)s) AND x.merged_into_id IS NULL""",
        f"""EXISTS (SELECT FROM enrollment_registration y WHERE y.resident_id = r.id
               AND y.insurance = '{insurance.value}' AND y.coverage_year = %(year)s AND y.closing_reason = '')""",
        f"""CASE WHEN EXISTS (SELECT FROM enrollment_registration y WHERE y.resident_id = r.id
                 AND y.insurance = '{insurance.value}' AND y.coverage_year = %(year)s) THEN 'closed'
            ELSE coalesce({answer}, 'can_register') END""",
    )  # fmt: skip


def _paid(insurance: Insurance) -> Named:
    paid = f"""EXISTS (
        SELECT FROM contributions_charge y WHERE y.resident_id = {{who}} AND y.current AND y.for_year = %(year)s
          AND y.insurance = '{insurance.value}' AND y.personal_amount > 0 AND y.personal_amount <= (
            SELECT coalesce(sum(l.amount), 0) FROM contributions_paymentline l
            WHERE l.registration_id = y.registration_id AND l.part IN ('personal', 'sponsor')))"""
    return Named(
        f"paid_{insurance.value}",
        _("本年度%(insurance)s已缴") % {"insurance": insurance.label},
        f"""SELECT x.number_index, x.number_encrypted, x.name, g.township_id, g.unit_id, x.id AS resident_id
            FROM enrollment_registration g JOIN enrollment_resident x ON x.id = g.resident_id
            WHERE g.plan_id = %(plan)s AND g.insurance = '{insurance.value}' AND g.township_id = ANY (%(townships)s)
              AND x.merged_into_id IS NULL AND {paid.format(who="x.id")}""",
        paid.format(who="r.id"),
        f"""CASE WHEN EXISTS (SELECT FROM enrollment_registration y WHERE y.resident_id = r.id AND y.closing_reason <> ''
                 AND y.insurance = '{insurance.value}' AND y.coverage_year = %(year)s) THEN 'closed'
            WHEN EXISTS (SELECT FROM contributions_charge y WHERE y.resident_id = r.id AND y.current
                 AND y.insurance = '{insurance.value}' AND y.for_year = %(year)s AND y.personal_amount = 0) THEN 'government'
            WHEN EXISTS (SELECT FROM enrollment_registration y WHERE y.resident_id = r.id
                 AND y.insurance = '{insurance.value}' AND y.coverage_year = %(year)s) THEN 'unpaid'
            ELSE 'not_registered' END""",
    )  # fmt: skip


def _last_year(insurance: Insurance) -> Named:
    by_number = f"""SELECT FROM enrollment_priorpayment y WHERE y.county_id = %(county)s
        AND y.insurance = '{insurance.value}' AND y.coverage_year = %(year)s - 1 AND y.amount > 0"""
    by_record = f"""SELECT FROM enrollment_registration y JOIN contributions_paymentline l ON l.registration_id = y.id
        WHERE y.resident_id = r.id AND y.insurance = '{insurance.value}' AND y.coverage_year = %(year)s - 1"""
    return Named(
        f"last_{insurance.value}",
        _("上年%(insurance)s缴费") % {"insurance": insurance.label},
        f"""SELECT DISTINCT ON (x.number_index) x.number_index, x.number_encrypted, x.name, x.township_id, x.unit_id,
                   NULL::bigint AS resident_id
            FROM enrollment_priorpayment x WHERE x.county_id = %(county)s AND x.township_id = ANY (%(townships)s)
              AND x.insurance = '{insurance.value}' AND x.coverage_year = %(year)s - 1 AND x.amount > 0
            UNION
            SELECT x.number_index, x.number_encrypted, x.name, y.township_id, y.unit_id, x.id
            FROM enrollment_registration y JOIN enrollment_resident x ON x.id = y.resident_id
            WHERE y.township_id = ANY (%(townships)s) AND y.insurance = '{insurance.value}'
              AND y.coverage_year = %(year)s - 1 AND x.merged_into_id IS NULL
              AND EXISTS (SELECT FROM contributions_paymentline l WHERE l.registration_id = y.id)""",
        f"(EXISTS ({by_number} AND y.number_index = a.number_index) OR EXISTS ({by_record}))",
        f"""CASE WHEN EXISTS (SELECT FROM enrollment_registration y WHERE y.resident_id = r.id AND y.is_new
                 AND y.insurance = '{insurance.value}' AND y.coverage_year = %(year)s) THEN 'new_this_year'
            ELSE 'did_not_pay' END""",
    )  # fmt: skip


def _category(category: Category) -> Named:
    return Named(
        f"group_{category.code}",
        _("%(name)s名单") % {"name": category.name},
        f"""SELECT DISTINCT x.number_index, x.number_encrypted, x.name, m.township_id, m.unit_id, x.id AS resident_id
            FROM enrollment_membership m JOIN enrollment_resident x ON x.id = m.resident_id
            WHERE m.category_id = {category.pk} AND m.township_id = ANY (%(townships)s) AND x.merged_into_id IS NULL
              AND m.valid_from <= %(today)s AND (m.valid_to IS NULL OR m.valid_to >= %(today)s)""",
        f"""EXISTS (SELECT FROM enrollment_membership y WHERE y.resident_id = r.id AND y.category_id = {category.pk}
               AND y.valid_from <= %(today)s AND (y.valid_to IS NULL OR y.valid_to >= %(today)s))""",
        f"""CASE WHEN EXISTS (SELECT FROM enrollment_membership y WHERE y.resident_id = r.id
                 AND y.category_id = {category.pk}) THEN 'lapsed' ELSE 'not_listed' END""",
    )  # fmt: skip


def lists_of(plan: CollectionPlan | None) -> dict[str, Named]:
    """The lists that can be chosen, by code, in the order of the page."""
    insurances = [Insurance(i) for i in plan.insurances] if plan is not None else []
    found = [_REGISTER, _POLICE]
    for make in (_registered, _paid, _last_year):
        found += [make(insurance) for insurance in insurances]
    found += [_category(category) for category in Category.objects.order_by("position", "code")]
    return {each.code: each for each in found}


@dataclass(frozen=True)
class Question:
    """Who is in ``first`` and not in ``second``, among people whose place is in these townships."""

    plan: CollectionPlan
    first: Named
    second: Named
    townships: Collection[int]
    today: date

    @property
    def values(self) -> dict[str, Any]:
        """Parameters of the query."""
        return {
            "plan": self.plan.pk, "year": self.plan.coverage_year, "county": self.plan.county_id,
            "townships": sorted(self.townships), "today": self.today,
        }  # fmt: skip

    def sql(self) -> str:
        """WITH … missing(reason, number_encrypted, name, unit_id, resident_id)."""
        return f"""
            WITH asked AS MATERIALIZED ({self.first.people}),
            missing AS MATERIALIZED (
                SELECT a.name, a.number_encrypted, a.unit_id, r.id AS resident_id,
                       CASE WHEN r.death_date IS NOT NULL THEN 'dead' WHEN r.left_on IS NOT NULL THEN 'left'
                            ELSE coalesce({self.second.why}, CASE WHEN r.id IS NULL THEN 'unknown' ELSE 'elsewhere' END)
                       END AS found_reason
                FROM asked a
                LEFT JOIN enrollment_resident r ON r.merged_into_id IS NULL AND r.county_id = %(county)s
                    AND (r.id = a.resident_id OR (a.resident_id IS NULL AND r.number_index = a.number_index))
                WHERE NOT ({self.second.holds})
            ), reasoned AS (
                SELECT m.*, CASE WHEN m.resident_id IS NULL AND %(needs_record)s THEN 'unknown' ELSE m.found_reason END
                       AS reason FROM missing m
            )"""


def _run(question: Question, tail: str, **values: Any) -> list[tuple[Any, ...]]:
    needs = question.second.code != "police"
    with connection.cursor() as cursor:
        cursor.execute(question.sql() + tail, {**question.values, "needs_record": needs, **values})
        return list(cursor.fetchall())


def count_reasons(question: Question) -> list[tuple[str, str, int]]:
    """(code, words, how many), the most frequent first. One query."""
    rows = _run(question, "SELECT reason, count(*) FROM reasoned GROUP BY reason ORDER BY 2 DESC, 1")
    return [(code, words_of(code), n) for code, n in rows]


def words_of(code: str) -> str:
    """A reason in words."""
    return str(REASONS[code]) if code in REASONS else reason_of_rule(code)


@dataclass(frozen=True)
class Missing:
    """A person of the first list who is not in the second."""

    name: str
    number: str
    township: str
    unit: str
    reason: str
    resident: int | None


def missing_people(
    user: User,
    question: Question,
    *,
    reason: str = "",
    offset: int = 0,
    limit: int = 100,
    whole: bool = False,
) -> list[Missing]:
    """A page of them, village by village. ``whole`` shows the number whole: for a workbook of an entitled post."""
    del user  # the running scope narrows; the question's townships are the user's own
    rows = _run(
        question,
        "SELECT name, number_encrypted, unit_id, resident_id, reason FROM reasoned"
        " WHERE %(reason)s = '' OR reason = %(reason)s"
        " ORDER BY unit_id, name, resident_id OFFSET %(offset)s LIMIT %(limit)s",
        reason=reason, offset=offset, limit=limit,
    )  # fmt: skip
    return list(_shown(rows, whole))


def _shown(rows: list[tuple[Any, ...]], whole: bool) -> Iterator[Missing]:
    units = CollectingUnit.objects.select_related("township").in_bulk({row[2] for row in rows})
    keys = get_keyring()
    for name, sealed, unit_id, resident, code in rows:
        number = keys.decrypt(sealed) if sealed else ""
        unit = units.get(unit_id)
        yield Missing(
            name, number if whole else mask_number(number, Audience.OFFICE),
            unit.township.name if unit else "", unit.name if unit else "", words_of(code), resident,
        )  # fmt: skip
