"""Bring assessments and charges up to date."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import CommandParser

from contributions.services.assess import assess
from enrollment.queries import find_plan
from foundation.commands import PortalCommand, Unusable
from foundation.scope.context import places_scope
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.queries import county_places, find_township, find_unit


class Command(PortalCommand):
    """``assess --plan CODE [--township CODE | --village CODE] [--date D]``."""

    help = "Bring assessments and charges up to date, priced for a date (default today)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--plan", required=True)
        place = parser.add_mutually_exclusive_group()
        place.add_argument("--township")
        place.add_argument("--village")
        parser.add_argument("--date", type=date.fromisoformat)

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        plan = find_plan(options["plan"])
        if plan is None:
            raise Unusable(f"no plan {options['plan']!r} is loaded; run load_plan first")
        townships, unit = None, None
        if options["township"]:
            township = find_township(plan.county, options["township"])
            if township is None:
                raise Unusable(f"no township {options['township']!r} in {plan.county.name}")
            townships = [township.pk]
        if options["village"]:
            found = find_unit(plan.county, options["village"])
            if found is None:
                raise Unusable(f"no village {options['village']!r} in {plan.county.name}")
            unit = found.pk
        try:
            with places_scope(county_places(plan.county)):
                result = assess(by=None, plan=plan, townships=townships, unit=unit, on=options["date"])
        except PlanError as error:
            raise Unusable(f"{plan.code}: {describe(error)}") from None
        answer = {
            "assessed": result.assessed, "charges": result.charges, "changed": result.changed,
            "decisions": result.decisions, "personal": f"{result.personal:.2f}",
            "shares": {payer: f"{amount:.2f}" for payer, amount in result.shares.items()},
            "seconds": round(result.seconds, 3),
        }  # fmt: skip
        summary = (
            f"{result.assessed} assessed, {result.changed} changed, {result.charges} new charges,"
            f" personal {result.personal:.2f} yuan, {result.seconds:.1f} s"
        )
        return summary, answer, True
