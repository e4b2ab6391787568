"""What each figure (口径) counts: one query a figure, used by every page, report and API.

A figure's ``sql`` yields rows ``(township_id, unit_id, insurance, band, day, heads, amount)`` of one plan.
``day`` is NULL for a standing figure and the day of the event for a figure that moves: paid by payment date,
confirmed by 开票日, settled by 入库日. ``heads`` counts people, ``amount`` is yuan. Run it through
``query()`` with ``parameters(plan)``; the whole county must be in scope.

The government's money (route 政府代缴) is told apart from residents' own everywhere: ``billed`` and ``disbursed`` count
it, ``paid``, ``confirmed`` and ``settled`` never do.

A payment or a confirmation adds ``FigureDelta`` rows in its own transaction, by the same rules: ``paid`` plus
one on the day a registration's payments reach what it owes, minus one on the day they fall below it;
``confirmed`` likewise for the tax bureau's results; amounts are those of the lines and of the tax entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from contributions.models.dues import IN_SCOPE
from contributions.rules import BAND_SQL

_DECISIONS = ", ".join(f"'{decision.value}'" for decision in IN_SCOPE)

# What a registration owes for the plan's year. A late or corrected charge stands beside the ordinary one.
_OWED = """
    SELECT registration_id, township_id, unit_id, insurance, max(age) AS age, sum(personal_amount) AS due,
           sum(government_paid_amount) AS government_paid
    FROM contributions_charge
    WHERE plan_id = %(plan)s AND current AND for_year = %(year)s
    GROUP BY registration_id, township_id, unit_id, insurance
"""


@dataclass(frozen=True)
class Figure:
    """A figure's label and definition as shown, and the query that counts it (over the relation ``owed``)."""

    name: str
    label: str | Promise
    definition: str | Promise
    sql: str


def _band(age: str) -> str:
    return BAND_SQL.format(age=age)


def _standing(source: str, age: str = "age", place: str = "", amount: str = "0::numeric") -> str:
    """People of ``source`` by unit, insurance and band."""
    return f"""
        SELECT {place}township_id, {place}unit_id, {place}insurance, {_band(age)} AS band, NULL::date AS day,
               count(*)::numeric AS heads, {amount} AS amount
        FROM {source}
        GROUP BY 1, 2, 3, 4
    """


def _reached(moves: str, owed: str = "due") -> str:
    """People for whom what is owed is reached, day by day: the running total per registration tells on which day it
    crossed what is owed, upwards or back down. ``moves``: registration_id, place, insurance, day, amount; ``owed``
    names the column of the relation ``owed``."""
    return f"""
        SELECT township_id, unit_id, insurance, {_band("age")} AS band, day,
               sum(CASE WHEN due > 0 THEN (net >= due)::int - (net - amount >= due)::int ELSE 0 END)::numeric
                   AS heads,
               sum(amount) AS amount
        FROM (
            SELECT coalesce(o.township_id, m.township_id) AS township_id,
                   coalesce(o.unit_id, m.unit_id) AS unit_id,
                   m.insurance, o.age, o.{owed} AS due, m.day, m.amount,
                   sum(m.amount) OVER (PARTITION BY m.registration_id ORDER BY m.day) AS net
            FROM ({moves}) m LEFT JOIN owed o ON o.registration_id = m.registration_id
        ) steps
        GROUP BY 1, 2, 3, 4, 5
    """


_PAID_MOVES = """
    SELECT l.registration_id, l.township_id, l.unit_id, l.insurance, p.paid_on AS day, sum(l.amount) AS amount
    FROM contributions_paymentline l JOIN contributions_payment p ON p.id = l.payment_id
    WHERE p.plan_id = %(plan)s AND l.part <> 'government'
    GROUP BY 1, 2, 3, 4, 5
"""
_CONFIRMED_MOVES = """
    SELECT registration_id, township_id, unit_id, insurance, invoiced_on AS day, sum(amount) AS amount
    FROM contributions_taxentry
    WHERE plan_id = %(plan)s AND NOT of_government
    GROUP BY 1, 2, 3, 4, 5
"""
_DISBURSED_MOVES = """
    SELECT l.registration_id, l.township_id, l.unit_id, l.insurance, p.paid_on AS day, sum(l.amount) AS amount
    FROM contributions_paymentline l JOIN contributions_payment p ON p.id = l.payment_id
    WHERE p.plan_id = %(plan)s AND l.part = 'government'
    GROUP BY 1, 2, 3, 4, 5
"""

IN_SCOPE_FIGURE = Figure(
    "in_scope",
    _("应参保"),
    _("核定结论为应参保、未到缴费期或待录入标准的人，不论是否已登记。"),
    _standing(f"contributions_assessment WHERE plan_id = %(plan)s AND decision IN ({_DECISIONS})"),
)
REGISTERED = Figure(
    "registered",
    _("参保登记"),
    _("本方案的参保登记中属于应参保的人。"),
    _standing(
        "enrollment_registration r JOIN contributions_assessment a ON a.resident_id = r.resident_id"
        " AND a.insurance = r.insurance AND a.coverage_year = r.coverage_year"
        f" WHERE r.plan_id = %(plan)s AND a.plan_id = %(plan)s AND a.decision IN ({_DECISIONS})",
        age="a.age",
        place="r.",
    ),
)
DUE = Figure(
    "due",
    _("应缴人数"),
    _("参保登记中个人要缴费的人；应缴额是他们个人缴费的合计。"),
    _standing("owed WHERE due > 0", amount="sum(due)"),
)
EXEMPT = Figure(
    "exempt",
    _("政府代缴"),
    _("按认定由政府全额代缴、个人不缴费的人。资金的请拨另列。"),
    _standing("owed WHERE due = 0 AND government_paid > 0", amount="sum(government_paid)"),
)
PAID = Figure(
    "paid",
    _("已缴"),
    _("个人要缴费并且已经缴足的人，冲正已扣（台账口径）。"),
    _reached(_PAID_MOVES),
)
CONFIRMED = Figure(
    "confirmed",
    _("税务已确认"),
    _("税务回传的金额达到应缴的人，按开票日（税务口径）。"),
    _reached(_CONFIRMED_MOVES),
)
SETTLED = Figure(
    "settled_amount",
    _("入库额"),
    _("税务回传中已经入库的金额，按入库日（税务口径）。"),
    f"""
        SELECT coalesce(o.township_id, t.township_id) AS township_id,
               coalesce(o.unit_id, t.unit_id) AS unit_id, t.insurance, {_band("o.age")} AS band,
               t.settled_on AS day, 0::numeric AS heads, sum(t.amount) AS amount
        FROM contributions_taxentry t LEFT JOIN owed o ON o.registration_id = t.registration_id
        WHERE t.plan_id = %(plan)s AND t.settled_on IS NOT NULL AND NOT t.of_government
        GROUP BY 1, 2, 3, 4, 5
    """,
)
BILLED = Figure(
    "billed",
    _("代缴已开单"),
    _("政府代缴的人中，特殊缴费单据已经推送给税务的人和金额。"),
    f"""
        SELECT f.township_id, f.unit_id, q.insurance, {_band("o.age")} AS band, NULL::date AS day,
               count(DISTINCT f.registration_id)::numeric AS heads, sum(f.amount) AS amount
        FROM contributions_fundingline f JOIN contributions_fundingrequest q ON q.id = f.request_id
        LEFT JOIN owed o ON o.registration_id = f.registration_id
        WHERE q.plan_id = %(plan)s AND q.billed_on IS NOT NULL AND f.live
        GROUP BY 1, 2, 3, 4, 5
    """,
)
DISBURSED = Figure(
    "disbursed",
    _("代缴已拨付"),
    _("政府承担的部分已由财政拨足的人，按拨付日；金额是拨付的合计。与个人已缴分开。"),
    _reached(_DISBURSED_MOVES, "government_paid"),
)

# Counted per unit, insurance and band, in the order of the page.
COUNTED: tuple[Figure, ...] = (
    IN_SCOPE_FIGURE, REGISTERED, DUE, EXEMPT, BILLED, DISBURSED, PAID, CONFIRMED, SETTLED,
)  # fmt: skip

# Money on its way (在途): payments that stand and that no tax result has confirmed, by payment day, and tax results
# not yet in the treasury, by 开票日. Rows: stage, township_id, unit_id, insurance, day, heads, amount.
UNCONFIRMED, UNSETTLED = "unconfirmed", "unsettled"
IN_TRANSIT_SQL = f"""
    SELECT '{UNCONFIRMED}' AS stage, l.township_id, l.unit_id, l.insurance, p.paid_on AS day,
           count(*) AS heads, sum(l.amount) AS amount
    FROM contributions_payment p JOIN contributions_paymentline l ON l.payment_id = p.id
    WHERE p.plan_id = %(plan)s AND p.reverses_id IS NULL AND l.amount > 0 AND l.part <> 'government'
      AND NOT EXISTS (SELECT 1 FROM contributions_taxentry t WHERE t.payment_line_id = l.id)
      AND NOT EXISTS (SELECT 1 FROM contributions_payment r WHERE r.reverses_id = p.id)
    GROUP BY 2, 3, 4, 5
    UNION ALL
    SELECT '{UNSETTLED}', township_id, unit_id, insurance, invoiced_on, count(*), sum(amount)
    FROM contributions_taxentry
    WHERE plan_id = %(plan)s AND settled_on IS NULL AND NOT of_government
    GROUP BY 2, 3, 4, 5
"""


def query(*figures: Figure) -> str:
    """One query for several figures; ``figure``, its name, stands before the columns of ``sql``."""
    parts = " UNION ALL ".join(
        f"SELECT '{figure.name}' AS figure, f.* FROM ({figure.sql}) f" for figure in figures
    )
    return f"WITH owed AS MATERIALIZED ({_OWED}) {parts}"


def parameters(plan: Any) -> dict[str, int]:
    """The parameters of every figure's query."""
    return {"plan": plan.pk, "year": plan.coverage_year}
