"""Write the posted payment list of a unit as PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from enrollment.models import Insurance
from enrollment.queries import find_plan
from foundation.clock.services import business_date
from foundation.commands import PortalCommand, Unusable
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from notices.models import Posting
from notices.queries import posted_households
from notices.services.postings import posted_list_pdf, posting_days
from rosters.models import Roster, RosterKind
from rosters.queries import latest_of
from townships.queries import find_unit


class Command(PortalCommand):
    """``posted_list --plan CODE --unit CODE --out FILE.pdf [--insurance medical|pension]``."""

    help = "Write the posted payment list of a unit's latest payment roster as PDF."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--plan", required=True, help="code of the plan")
        parser.add_argument("--unit", required=True, help="code of the collecting unit")
        parser.add_argument("--out", required=True, type=Path, help="PDF to write")
        parser.add_argument("--insurance", choices=Insurance.values, default=Insurance.MEDICAL.value)

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        """Draw the posting of the latest payment roster, or a proof of it where none is planned yet."""
        plan = find_plan(options["plan"])
        if plan is None:
            raise Unusable(f"no plan {options['plan']} is loaded; load_plan loads it")
        unit = find_unit(plan.county, options["unit"])
        if unit is None:
            raise Unusable(f"no collecting unit {options['unit']} in {plan.county.name}")
        insurance, out = options["insurance"], options["out"]
        if insurance not in plan.insurances:
            raise Unusable(f"{plan.code} does not collect {insurance}")
        with places_scope(Places(units=frozenset({unit.pk}))):
            rosters = latest_of(Roster.objects.filter(unit=unit), plan, RosterKind.PAYMENT)
            roster = rosters.select_related("plan__county", "township", "unit__village").first()
            if roster is None:
                raise Unusable(
                    f"no payment roster of {unit.name} is sealed; generate_rosters --kind payment makes it"
                )
            posting = Posting.objects.filter(roster=roster).first()
            if posting is None:
                first, last = posting_days(plan, business_date(plan.county.code))
                posting = Posting(roster=roster, opens_on=first, closes_on=last)
            posting.roster = roster
            households = len(posted_households(roster, insurance))
            content = posted_list_pdf(posting, insurance=insurance)
        try:
            out.write_bytes(content)
        except OSError as error:
            raise Unusable(f"cannot write {out}: {error.strerror}") from None
        answer = {"roster": roster.number, "households": households, "bytes": len(content)}
        return f"{households} households of {unit.name} in {out}", answer, True
