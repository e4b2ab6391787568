"""Write the latest rosters of a plan as official workbooks, one a unit, in one zip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from enrollment.models import Insurance
from enrollment.queries import find_plan
from foundation.commands import PortalCommand, Unusable
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from rosters.models import Roster, RosterKind
from rosters.queries import latest_of, townships_of
from rosters.services.export import WHOLE, export_zip


class Command(PortalCommand):
    """``export_rosters --plan CODE --kind … --out FILE.zip [--township CODE]``."""

    help = "Write the latest sealed rosters of a plan as official workbooks in one zip."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--plan", required=True, help="code of the plan")
        parser.add_argument("--kind", required=True, choices=RosterKind.values)
        parser.add_argument("--insurance", default="both", choices=["both", *Insurance.values])
        parser.add_argument("--out", required=True, type=Path, help="zip file to write")
        parser.add_argument("--township", default="", help="one township, by its 6-, 9- or 12-digit code")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        """Export under the scope of the whole county or of one township."""
        plan = find_plan(options["plan"])
        if plan is None:
            raise Unusable(f"no plan {options['plan']} is loaded; load_plan loads it")
        townships = townships_of(plan, options["township"])
        if townships is None:
            raise Unusable(f"no township {options['township']} in {plan.county.name}")
        out: Path = options["out"]
        if out.is_dir() or not out.resolve().parent.is_dir():
            raise Unusable(f"cannot write {out}: name a file in a directory that exists")
        places = Places(townships=frozenset(t.pk for t in townships))
        with places_scope(places):
            insurance = "" if options["insurance"] == "both" else options["insurance"]
            rosters = list(
                latest_of(
                    Roster.objects.filter(township__in=townships), plan, options["kind"], insurance
                ).select_related("plan__county", "township", "unit")
            )
            if not rosters:
                raise Unusable(
                    f"no {options['kind']} rosters of {plan.code} are sealed there; generate_rosters makes them"
                )
            try:
                done = export_zip(
                    by=None,
                    plan=plan,
                    kind=options["kind"],
                    rosters=rosters,
                    out=out,
                    detail=WHOLE,
                    report=lambda n, of: self.progress(n, of, "workbooks"),
                )
            except OSError as error:
                raise Unusable(f"cannot write {out}: {error.strerror}") from None
        answer = {
            "workbooks": done.workbooks,
            "lines": done.lines,
            "bytes": done.bytes,
            "seconds": done.seconds,
            "peak_mb": done.peak_mb,
        }
        rate = done.lines / done.seconds if done.seconds else 0
        summary = f"{done.workbooks} workbooks with {done.lines} lines in {out} ({rate:.0f} lines/s)"
        return summary, answer, True
