"""Budget under changed settings."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from contributions.services.what_if import what_if
from contributions.words import payer
from enrollment.queries import find_plan
from foundation.commands import PortalCommand, Unusable
from foundation.money import format_yuan
from foundation.scope.context import places_scope
from subsidies.queries import rule_book
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.queries import county_places


class Command(PortalCommand):
    """``what_if PLAN --set KEY=VALUE …``: writes nothing. The keys are those of ``docs/policy.md``, What-if."""

    help = "Budget of a plan under changed settings, amounts, waivers and shares; writes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", metavar="PLAN")
        parser.add_argument("--set", action="append", default=[], dest="changes", metavar="KEY=VALUE")
        parser.add_argument("--date", type=date.fromisoformat, help="priced for this day (default today)")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        plan = find_plan(options["plan"])
        if plan is None:
            raise Unusable(_("没有载入方案 {plan}，请先运行 load_plan").format(plan=options["plan"]))
        try:
            changes = self._changes(options["changes"])
            with places_scope(county_places(plan.county)):
                found = what_if(plan=plan, changes=changes, on=options["date"])
        except PlanError as error:
            raise Unusable(f"{plan.code}: {describe(error)}") from None
        lines = [
            _("{plan}：登记 {registered} 人次，受影响 {affected} 人").format(
                plan=plan.code, registered=found.registered, affected=found.affected
            )
        ]
        difference, printed = found.difference.total, rule_book(plan).payers
        for code, amount in difference.shares.items():
            before = found.before.total.shares.get(code)
            after = found.after.total.shares.get(code)
            figures = " → ".join(
                format_yuan(each) if each is not None else "0.00" for each in (before, after)
            )
            lines.append(
                f"  {payer(code, dict(printed))}: {figures} ({'+' if amount > 0 else ''}{amount:,.2f})"
            )
        return "\n".join(lines), found.as_json(), True

    @staticmethod
    def _changes(written: list[str]) -> dict[str, str]:
        changes: dict[str, str] = {}
        for text in written:
            key, equals, value = text.partition("=")
            if not equals or not key.strip():
                raise PlanError("not_a_change", value=text)
            if key.strip() in changes:
                raise PlanError("key_twice", place=key.strip(), key=key.strip())
            changes[key.strip()] = value
        return changes
