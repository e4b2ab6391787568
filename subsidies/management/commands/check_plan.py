"""Run worked examples through the evaluator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from enrollment.queries import find_plan
from foundation.commands import PortalCommand, Unusable
from subsidies.queries import check_examples, examples_of, find_rule_book, plan_examples, read_examples
from subsidies.rules.plan import Plan
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe


class Command(PortalCommand):
    """``check_plan CODE [--examples FILE]``: the plan's own examples, or those of a file. Writes nothing."""

    help = "Run worked examples through the evaluator; exit 1 when one differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", metavar="CODE")
        parser.add_argument("--examples", type=Path, metavar="FILE")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        code = options["plan"]
        try:
            plan = find_rule_book(code)
            examples = _own(plan) if options["examples"] is None else read_examples(options["examples"], code)
            checked = check_examples(plan, examples)
        except PlanError as error:
            raise Unusable(f"{code}: {describe(error)}") from None
        failed = [
            {"id": name, "differences": {key: list(pair) for key, pair in differences.items()}}
            for name, differences in checked.failed.items()
        ]
        answer = {"plan": code, "total": checked.total, "passed": checked.passed, "failed": failed}
        lines = [_("{plan}：{total} 个算例，{passed} 个通过").format(**answer)]
        for name, differences in checked.failed.items():
            for key, (expected, actual) in differences.items():
                lines.append(
                    _("  {id}：{key} 应为 {expected}，算得 {actual}").format(
                        id=name, key=key, expected=expected, actual=actual
                    )
                )
        return "\n".join(lines), answer, not checked.failed


def _own(plan: Plan) -> list[dict[str, Any]]:
    """The plan's own examples: of the version in force once it is loaded, else of its files."""
    loaded = find_plan(plan.code)
    return plan_examples(plan.code, plan.version) if loaded is None else examples_of(loaded)
