"""Every yuan of a resident's charges with its clause."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from contributions.models import Decision
from contributions.plans.because import Said
from contributions.services.explain import explain
from contributions.words import payer
from enrollment.models import Insurance, Resident
from enrollment.queries import find_plan
from foundation.audit.services import record
from foundation.commands import PortalCommand, Unusable
from foundation.encryption import get_keyring
from foundation.identity import read_number
from foundation.scope.context import places_scope
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.queries import county_places


class Command(PortalCommand):
    """``explain --plan CODE --resident ID_NUMBER``."""

    help = "Explain every yuan of a resident's charges."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--plan", required=True)
        parser.add_argument("--resident", required=True, help="full ID number")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        plan = find_plan(options["plan"])
        if plan is None:
            raise Unusable(_("没有载入方案 {plan}，请先运行 load_plan").format(plan=options["plan"]))
        number = read_number(options["resident"], date.max)
        if not number.ok:
            raise Unusable(number.message)
        with places_scope(county_places(plan.county)):
            resident = Resident.objects.filter(
                county_id=plan.county_id,
                number_index=get_keyring().blind_index(number.number),
                merged_into=None,
            ).first()
            if resident is None:
                raise Unusable(_("{county}没有这个身份证号的居民").format(county=plan.county.name))
            try:
                answers = explain(plan=plan, resident=resident)
            except PlanError as error:
                raise Unusable(f"{plan.code}: {describe(error)}") from None
            record(
                by=None,
                action="explain",
                target_kind="resident",
                target=resident.pk,
                county_code=plan.county.code,
            )
        lines = []
        for answer in answers:
            lines.append(f"{Insurance(answer.insurance).label}：{Decision(answer.decision).label}")
            lines += [f"  {p.amount:>9} {payer(p.payer, plan.document.get('payers'))}" for p in answer.parts]
            lines += [f"  {s.text} {_quoted(s)}".rstrip() for s in answer.why]
        return "\n".join(lines), {"charges": [a.as_json() for a in answers]}, True


def _quoted(said: Said) -> str:
    """The clause of a sentence as a paper would cite it."""
    return f"「{said.clause}」[{said.lines}]" if said.clause else ""
