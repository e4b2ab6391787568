"""Every yuan of a resident's charges with its clause."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import CommandParser

from contributions.services.explain import explain
from enrollment.models import Resident
from enrollment.queries import find_plan
from foundation.audit.services import record
from foundation.commands import PortalCommand, Unusable
from foundation.encryption import get_keyring
from foundation.identity import read_number
from foundation.scope.context import places_scope
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
            raise Unusable(f"no plan {options['plan']!r} is loaded; run load_plan first")
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
                raise Unusable(f"nobody with this number is registered in {plan.county.name}")
            answers = explain(plan=plan, resident=resident)
            record(
                by=None,
                action="explain",
                target_kind="resident",
                target=resident.pk,
                county_code=plan.county.code,
            )
        lines = []
        for answer in answers:
            lines.append(
                f"{answer.insurance}: {answer.decision} {answer.reason} cover from {answer.benefit_start}"
            )
            lines += [f"  {p.amount:>9} {p.payer:<26} {p.rule}  {p.clause} [{p.lines}]" for p in answer.parts]
        return "\n".join(lines), {"charges": [a.as_json() for a in answers]}, True
