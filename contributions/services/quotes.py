"""What a registration would owe on a date, by a route, at a tier: the evaluator asked for one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from contributions.queries import facts_parameters, facts_sql, needs_households
from enrollment.models import CollectionPlan, Insurance, Registration, Window
from foundation.http import Problem
from subsidies.queries import rule_book
from subsidies.rules.evaluator import evaluation_sql
from subsidies.rules.facts import FACT_COLUMNS, RESULT_COLUMNS
from subsidies.rules.plan import Plan
from subsidies.rules.source import PlanError


def price_periods(plan: CollectionPlan) -> dict[str, list[tuple[date, date | None]]]:
    """First and last day of each payment period of the plan, by insurance."""
    periods: dict[str, list[tuple[date, date | None]]] = {insurance: [] for insurance in Insurance.values}
    windows = (
        Window.objects.filter(plan=plan).order_by("pk").values_list("insurance", "opens_on", "closes_on")
    )
    for insurance, opens_on, closes_on in windows:
        periods[insurance].append((opens_on, closes_on))
    return periods


def entitlement_day(book: Plan, on: date) -> date:
    """The day on which special groups count for a price of ``on``: the plan's own, once it has come (reading X27)."""
    fixed = book.settings.date("waiver.determined_at")
    return min(on, fixed) if fixed else on


def evaluate_resident(
    *, plan: CollectionPlan, insurance: str, resident: int, on: date, route: str, tier: Decimal | None = None
) -> dict[str, Any]:
    """The evaluator's whole answer for one resident (columns of RESULT_COLUMNS). ``tier`` None reads his own."""
    book = rule_book(plan)
    parameters = facts_parameters(
        insurance=insurance, year=plan.coverage_year, on=on, route=route, entitled=entitlement_day(book, on)
    )
    parameters |= {"resident": resident, "tier": tier}
    facts = facts_sql(
        where="AND r.id = %(resident)s", members="AND s.resident_id = %(resident)s", own_tier=tier is None,
        entitled="%(entitled)s", households=needs_households(book, insurance),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH facts AS ({facts}) {evaluation_sql(book, insurance, facts='facts')}", parameters
        )
        row = cursor.fetchone()
        assert row is not None
        assert cursor.description is not None
        return dict(zip((c.name for c in cursor.description), row, strict=True))


@dataclass(frozen=True)
class Answered:
    """The evaluator's answer about one person (RESULT_COLUMNS) and the facts it rests on (FACT_COLUMNS)."""

    answer: dict[str, Any]
    facts: dict[str, Any]


def evaluate_people(
    *, plan: CollectionPlan, insurance: str, residents: Sequence[int], on: Mapping[int, date], route: str
) -> dict[int, Answered]:
    """Answers for a few people by resident, each for his own day in ``on``; one statement a day that occurs."""
    book = rule_book(plan)
    facts = facts_sql(
        where="AND r.id = ANY(%(residents)s)", members="AND s.resident_id = ANY(%(residents)s)",
        entitled="%(entitled)s", households=needs_households(book, insurance),
    )  # fmt: skip
    statement = (
        f"WITH facts AS MATERIALIZED ({facts}), answers AS ({evaluation_sql(book, insurance, facts='facts')})"
        " SELECT a.*, f.* FROM answers a JOIN facts f ON f.subject = a.subject"
    )
    found: dict[int, Answered] = {}
    width = len(RESULT_COLUMNS)
    for day in dict.fromkeys(on[resident] for resident in residents):
        asked = [resident for resident in residents if on[resident] == day]
        parameters = facts_parameters(
            insurance=insurance, year=plan.coverage_year, on=day, route=route,
            entitled=entitlement_day(book, day),
        )  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters | {"residents": asked})
            for row in cursor.fetchall():
                answer = dict(zip(RESULT_COLUMNS, row[:width], strict=True))
                found[answer["subject"]] = Answered(answer, dict(zip(FACT_COLUMNS, row[width:], strict=True)))
    return found


def unreadable_plan() -> Problem:
    """What to answer where a draft plan holds no rules that compute."""
    return Problem(409, "plan_unreadable", _("这个方案还是草稿，规则读不了，请先把方案载入完整。"))


def quote_charge(
    *, plan: CollectionPlan, registration: Registration, on: date, route: str, tier: Decimal | None
) -> Decimal:
    """Yuan the resident himself owes.

    Raises Problem 400 for a tier that is none of the plan's or not his to use, 409 for a draft without readable rules.
    """
    try:
        answer = evaluate_resident(
            plan=plan, insurance=registration.insurance, resident=registration.resident_id, on=on, route=route,
            tier=tier if registration.insurance == "pension" else None,
        )  # fmt: skip
    except PlanError:
        raise unreadable_plan() from None
    if answer["reason"] in {"unknown_tier", "tier_100_not_allowed"}:
        raise Problem(400, answer["reason"], _("这个档次不在方案里，或者这位居民不能用，请重新选择档次。"))
    amount: Decimal | None = answer["personal_amount"]
    return amount if amount is not None else Decimal("0.00")
