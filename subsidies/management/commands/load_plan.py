"""Load or update a draft plan from YAML."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from foundation.commands import PortalCommand, Unusable
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from subsidies.services.plans import load_plan


class Command(PortalCommand):
    """``load_plan FILE_OR_CODE``."""

    help = "Load or update a draft plan from a YAML file, or from the portal's own plans by code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", metavar="FILE_OR_CODE")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        try:
            loaded = load_plan(by=None, path_or_code=options["plan"])
        except PlanError as error:
            raise Unusable(f"{options['plan']}: {describe(error)}") from None
        plan = loaded.plan
        answer = {"plan": plan.code, "version": plan.version, "rules": loaded.rules, "tiers": loaded.tiers}
        state = _("已载入") if loaded.changed else _("没有变化")
        summary = _("{plan} 第 {version} 版：{rules} 条规则，{tiers} 个档次，{state}").format(
            **answer, state=state
        )
        return summary, answer, True
