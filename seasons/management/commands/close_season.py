"""Lock a finished year, archive it and write its summary."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from enrollment.queries import find_plan
from foundation.commands import PortalCommand, Unusable
from foundation.jobs.models import Job, JobState
from foundation.jobs.services.queue import follow
from foundation.scope.context import places_scope
from seasons.models import SeasonClosing
from seasons.services.closing import NotReady, request_closing
from seasons.services.readiness import Readiness
from townships.queries import county_places


class Command(PortalCommand):
    """``close_season PLAN [--force REASON]``: warnings need a reason, what must be settled first stops it."""

    help = "Lock a finished year's plan, archive it, write the summary."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("plan", help="code of the plan")
        parser.add_argument(
            "--force", default="", metavar="REASON", help="why it is closed though something is open"
        )

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        """Ask for the closing and follow it to its end; holds when the year is archived."""
        plan = find_plan(options["plan"])
        if plan is None:
            raise Unusable(f"no plan {options['plan']} is loaded; load_plan loads it")
        places = county_places(plan.county)
        try:
            with places_scope(places):
                job = request_closing(by=None, plan=plan, reason=options["force"])
        except NotReady as error:
            return self._not_ready(plan.code, error.found)
        job = follow(job, report=self._report, own_hands_after=1.0)
        if job.error:
            self.stderr.write(job.error)
        closing = SeasonClosing.objects.get(pk=job.params["closing"])
        answer = {
            "archived": job.result.get("archived", 0),
            "summary": closing.summary,
            "digest": closing.digest,
            "files": list(closing.files.order_by("kind", "name").values("name", "sha256", "size")),
            "job": str(job.pk),
            "state": job.state,
        }
        done = job.state == JobState.SUCCEEDED
        said = f"{plan.code} closed: {answer['archived']} files archived, SHA-256 {closing.digest}"
        return said if done else f"job {job.pk}: {job.state}", answer, done

    def _not_ready(self, code: str, found: Readiness) -> tuple[str, dict[str, Any], bool]:
        answer = {
            "archived": 0,
            "summary": {},
            "blockers": [matter.as_json() for matter in found.blockers],
            "warnings": [matter.as_json() for matter in found.warnings],
        }
        lines = [f"{code} is not closed:"]
        lines += [f"  first: {matter.text}" for matter in found.blockers]
        lines += [f"  open: {matter.text}" for matter in found.warnings]
        if not found.blockers:
            lines.append("  --force REASON closes it nevertheless")
        self.stderr.write("\n".join(lines))
        return lines[0], answer, False

    def _report(self, job: Job) -> None:
        self.progress(job.done, job.total, "archived")
