"""Change a plan's values one at a time and see whether its examples notice."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from foundation.commands import PortalCommand, Unusable
from subsidies.mutants import Score, score
from subsidies.queries import PLANS
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe


class Command(PortalCommand):
    """``mutants [--plan CODE]…``: every plan file, or those named. Exit 1 where a mistake would go unnoticed.

    JSON: score (per cent), mutants, killed, seconds, plans: {code: {examples, mutants, killed, refused,
    without_effect, survivors: [{line, place, change}]}}.
    """

    help = "Change each amount, bound, category, payer and date of the plan files and run their examples."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--plan", action="append", metavar="CODE")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        started = time.monotonic()
        codes = options["plan"] or sorted(path.stem for path in PLANS.glob("*.yaml"))
        scores = [self._score(code) for code in codes]
        total = sum(each.mutants for each in scores)
        killed = sum(each.killed for each in scores)
        percent = round(100 * killed / total, 2) if total else 0.0
        lines = []
        for each in scores:
            lines.append(
                _("{plan}：{mutants} 处改动，{killed} 处被算例或校验发现（{examples} 个算例）").format(
                    plan=each.plan, mutants=each.mutants, killed=each.killed, examples=each.examples
                )
            )
            lines += [
                _("  第 {line} 行 {place}：{change} 未被发现").format(
                    line=mutant.line, place=mutant.place, change=mutant.change
                )
                for mutant in each.survivors
            ]
        seconds = round(time.monotonic() - started, 1)
        lines.append(
            _(
                "得分 {percent}%，用时 {seconds} 秒；职责、时限、流程、公示、任务数等不参与计算的内容不在其内"
            ).format(percent=percent, seconds=seconds)
        )
        answer = {
            "score": percent,
            "mutants": total,
            "killed": killed,
            "seconds": seconds,
            "plans": {each.plan: _told(each) for each in scores},
        }
        return "\n".join(lines), answer, killed == total

    def _score(self, code: str) -> Score:
        try:
            return score(code)
        except PlanError as error:
            raise Unusable(f"{code}: {describe(error)}") from None


def _told(result: Score) -> dict[str, Any]:
    return {
        "examples": result.examples,
        "mutants": result.mutants,
        "killed": result.killed,
        "refused": result.refused,
        "without_effect": result.without_effect,
        "survivors": [
            {"line": mutant.line, "place": mutant.place, "change": mutant.change}
            for mutant in result.survivors
        ],
    }
