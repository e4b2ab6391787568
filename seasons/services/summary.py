"""The year in figures, as it stood when it was closed: by township and insurance, by payer, by tier, and what is open.

Every figure is the one of ``contributions.figures`` (SCREENS' definitions), counted from the tables, not from what pages
keep. Amounts are text with two places, so that what was frozen reads the same for ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from contributions.figures import COUNTED, parameters, query
from contributions.models import CaseKind
from contributions.words import payer as payer_word
from enrollment.models import CollectionPlan, Insurance, Target
from progress import rules
from townships.models import Township

HEADS: Final = ("in_scope", "registered", "due", "exempt", "paid", "confirmed", "unpaid", "settled_aside")
AMOUNTS: Final = (
    "due_amount",
    "exempt_amount",
    "paid_amount",
    "confirmed_amount",
    "settled_amount",
    "unpaid_amount",
)
ZERO: Final = Decimal("0.00")

# Who owes and has not paid it all: without a closing reason unpaid (未缴), with one settled aside (销号).
_UNPAID: Final = """
SELECT g.township_id, g.insurance, count(*) FILTER (WHERE g.closing_reason = ''),
       coalesce(sum(o.due - coalesce(p.paid, 0)) FILTER (WHERE g.closing_reason = ''), 0),
       count(*) FILTER (WHERE g.closing_reason <> '')
FROM enrollment_registration g
JOIN (SELECT registration_id, sum(personal_amount) AS due FROM contributions_charge
      WHERE plan_id = %(plan)s AND current AND for_year = %(year)s GROUP BY registration_id) o
    ON o.registration_id = g.id
LEFT JOIN (SELECT registration_id, sum(amount) AS paid FROM contributions_paymentline
           WHERE part <> 'government' GROUP BY registration_id) p ON p.registration_id = g.id
WHERE g.plan_id = %(plan)s AND o.due > coalesce(p.paid, 0) GROUP BY 1, 2
"""
_PAYERS: Final = """
SELECT c.insurance, s.payer, count(*), sum(s.amount) FROM contributions_chargeshare s
JOIN contributions_charge c ON c.id = s.charge_id
WHERE c.plan_id = %(plan)s AND c.current AND c.for_year = %(year)s GROUP BY 1, 2
UNION ALL
SELECT c.insurance, v.payer, count(*), sum(v.amount) FROM contributions_charge c
CROSS JOIN LATERAL (VALUES ('fiscal_subsidy', c.fiscal_subsidy_amount),
    ('pension_subsidy', c.pension_government_subsidy),
    ('family_planning_subsidy', c.family_planning_subsidy)) v (payer, amount)
WHERE c.plan_id = %(plan)s AND c.current AND c.for_year = %(year)s AND v.amount > 0 GROUP BY 1, 2
"""
# What each payer was asked for and has paid out.
_ASKED: Final = """
SELECT insurance, payer, sum(amount) FILTER (WHERE state <> 'withdrawn'),
       sum(amount) FILTER (WHERE state IN ('disbursed', 'billed', 'settled'))
FROM contributions_fundingrequest WHERE plan_id = %(plan)s GROUP BY 1, 2
"""
_TIERS: Final = """
SELECT c.tier, count(*), count(*) FILTER (WHERE c.personal_amount <= coalesce(p.paid, 0)), coalesce(sum(p.paid), 0)
FROM contributions_charge c
LEFT JOIN (SELECT registration_id, sum(amount) AS paid FROM contributions_paymentline
           WHERE part <> 'government' GROUP BY registration_id) p ON p.registration_id = c.registration_id
WHERE c.plan_id = %(plan)s AND c.current AND c.for_year = %(year)s AND c.insurance = 'pension' AND c.kind = 'ordinary'
GROUP BY 1 ORDER BY 1
"""
_CASES: Final = """
SELECT c.kind, count(*) FILTER (WHERE c.state = 'open'), coalesce(sum(c.amount) FILTER (WHERE c.state = 'open'), 0),
       count(*) FILTER (WHERE c.state <> 'open')
FROM contributions_paymentcase c
LEFT JOIN contributions_payment p ON p.id = c.payment_id
LEFT JOIN enrollment_registration g ON g.id = c.registration_id
WHERE coalesce(p.plan_id, g.plan_id) = %(plan)s GROUP BY 1 ORDER BY 2 DESC, 1
"""
# Money held beside what is due (to be given back or accounted for), and payments taken back.
_MONEY: Final = """
SELECT coalesce(sum(excess), 0), count(*) FILTER (WHERE excess > 0 AND reverses_id IS NULL),
       count(*) FILTER (WHERE reverses_id IS NOT NULL), coalesce(-sum(received) FILTER (WHERE reverses_id IS NOT NULL), 0),
       coalesce(sum(received), 0)
FROM contributions_payment WHERE plan_id = %(plan)s
"""
_UNCONFIRMED: Final = """
SELECT count(*), coalesce(sum(l.amount), 0)
FROM contributions_payment p JOIN contributions_paymentline l ON l.payment_id = p.id
WHERE p.plan_id = %(plan)s AND p.reverses_id IS NULL AND l.amount > 0
  AND NOT EXISTS (SELECT FROM contributions_taxentry t WHERE t.payment_line_id = l.id)
  AND NOT EXISTS (SELECT FROM contributions_payment r WHERE r.reverses_id = p.id)
"""
_ROSTERS: Final = """
SELECT count(DISTINCT g.unit_id),
       (SELECT count(DISTINCT unit_id) FROM rosters_roster WHERE plan_id = %(plan)s AND kind = 'payment'),
       (SELECT count(*) FROM notices_posting n JOIN rosters_roster r ON r.id = n.roster_id
        WHERE r.plan_id = %(plan)s AND n.posted_on IS NOT NULL)
FROM enrollment_registration g WHERE g.plan_id = %(plan)s
"""


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _yuan(amount: Any) -> str:
    return f"{Decimal(amount or 0):.2f}"


def summarise(plan: CollectionPlan, *, today: date) -> dict[str, Any]:
    """Everything the summary page, workbook and paper show, as JSON. Runs under the scope of the whole county."""
    values = parameters(plan)
    figures = _figures(plan, values)
    targets = _targets(plan)
    order = list(Township.objects.filter(county=plan.county_id).order_by("position", "code"))
    townships = [
        {
            "code": township.code,
            "name": township.name,
            "insurances": _insurances(plan, [figures[township.pk]], targets, [township.pk]),
        }
        for township in order
        if township.pk in figures or any((township.pk, name) in targets for name in plan.insurances)
    ]
    return {
        "on": today.isoformat(),
        "year": plan.coverage_year,
        # In the plan's order: what is kept as JSON forgets it.
        "order": list(plan.insurances),
        "insurances": _insurances(plan, figures.values(), targets, [each.pk for each in order]),
        "printed_targets": {name: targets[None, name] for name in plan.insurances if (None, name) in targets},
        "townships": townships,
        "payers": _payers(plan, values),
        "tiers": [
            {"tier": _yuan(tier), "heads": heads, "paid": paid, "paid_amount": _yuan(amount)}
            for tier, heads, paid, amount in _rows(_TIERS, values)
            if tier is not None
        ],
        "cases": [
            {
                "kind": kind, "label": str(CaseKind(kind).label), "open": open_, "open_amount": _yuan(amount),
                "closed": closed,
            }
            for kind, open_, amount, closed in _rows(_CASES, values)
        ],
        **_money(values),
    }  # fmt: skip


def _figures(plan: CollectionPlan, values: dict[str, Any]) -> dict[int, dict[str, dict[str, Any]]]:
    """Counts by township and insurance: people by figure name, yuan by name and ``_amount``."""
    found: dict[int, dict[str, dict[str, Any]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(Decimal))
    )
    counted = query(*COUNTED)
    rows = _rows(
        f"SELECT figure, township_id, insurance, sum(heads), sum(amount) FROM ({counted}) f GROUP BY 1, 2, 3",
        values,
    )
    for figure, township, insurance, heads, amount in rows:
        cell = found[township][insurance]
        if figure.endswith("_amount"):
            cell[figure] += amount or 0
        else:
            cell[figure] += heads or 0
            cell[f"{figure}_amount"] += amount or 0
    for township, insurance, unpaid, amount, aside in _rows(_UNPAID, values):
        cell = found[township][insurance]
        cell["unpaid"], cell["unpaid_amount"], cell["settled_aside"] = unpaid, amount, aside
    return found


def _targets(plan: CollectionPlan) -> dict[tuple[int | None, str], int]:
    rows = Target.objects.filter(plan=plan).values_list("township_id", "insurance", "headcount")
    return {(township, insurance): heads for township, insurance, heads in rows}


def _insurances(
    plan: CollectionPlan,
    cells: Iterable[dict[str, dict[str, Any]]],
    targets: dict[tuple[int | None, str], int],
    townships: list[int],
) -> dict[str, dict[str, Any]]:
    """Figures of some townships together, by insurance, with target and rates."""
    cells, with_exempt = list(cells), rules.includes_exempt(plan.settings)
    found = {}
    for name in plan.insurances:
        heads = {key: int(sum(cell[name][key] for cell in cells if name in cell)) for key in HEADS}
        amounts = {key: sum((cell[name][key] for cell in cells if name in cell), ZERO) for key in AMOUNTS}
        rows = [targets[key, name] for key in townships if (key, name) in targets]
        target = sum(rows) if rows else None
        completion = rules.completion(
            paid=heads["paid"], exempt=heads["exempt"], in_scope=heads["in_scope"], target=target,
            includes_exempt=with_exempt,
        )  # fmt: skip
        found[name] = {
            "label": str(Insurance(name).label),
            **heads,
            **{key: _yuan(amount) for key, amount in amounts.items()},
            "target": target,
            "completion_rate": completion,
            "due_paid_rate": rules.rate(heads["paid"] + heads["exempt"], heads["in_scope"]),
        }
    return found


def _payers(plan: CollectionPlan, values: dict[str, Any]) -> list[dict[str, Any]]:
    printed = plan.document.get("payers") if isinstance(plan.document, dict) else None
    asked = {(insurance, payer): (total, out) for insurance, payer, total, out in _rows(_ASKED, values)}
    rows = [
        {
            "payer": payer,
            "label": payer_word(payer, printed if isinstance(printed, dict) else None),
            "insurance": insurance,
            "heads": heads,
            "amount": _yuan(amount),
            "asked": _yuan(asked.get((insurance, payer), (0, 0))[0]),
            "disbursed": _yuan(asked.get((insurance, payer), (0, 0))[1]),
        }
        for insurance, payer, heads, amount in _rows(_PAYERS, values)
    ]
    place = list(plan.insurances).index
    return sorted(
        rows, key=lambda row: (place(row["insurance"]), row["payer"].endswith("subsidy"), row["payer"])
    )


def _money(values: dict[str, Any]) -> dict[str, Any]:
    excess, excess_count, reversals, reversed_amount, received = _rows(_MONEY, values)[0]
    unconfirmed, unconfirmed_amount = _rows(_UNCONFIRMED, values)[0]
    units, with_roster, posted = _rows(_ROSTERS, values)[0]
    return {
        "money": {
            "received": _yuan(received),
            "excess": _yuan(excess),
            "excess_payments": excess_count,
            "reversals": reversals,
            "reversed": _yuan(reversed_amount),
            "unconfirmed": unconfirmed,
            "unconfirmed_amount": _yuan(unconfirmed_amount),
        },
        "papers": {"units": units, "payment_rosters": with_roster, "posted": posted},
    }
