"""The question to the evaluator: what does somebody owe under this plan?"""

from __future__ import annotations

from typing import Any

from demonstration.synthetic.payments import Pricer
from subsidies.queries import fixture_path, plan_from_file, price


def pricer(plan_code: str) -> Pricer:
    """Prices by the plan's file, over the database connection; no table is read or written.

    A plan that has no file yet prices nobody, so that its county has people and lists but no payments. Raises
    PlanError for a file that is not a plan.
    """
    path = fixture_path(plan_code)
    if not path.is_file():
        return lambda _insurance, _rows: []
    plan = plan_from_file(path)

    def ask(insurance: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return price(plan, insurance, rows)

    return ask
