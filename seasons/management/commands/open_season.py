"""Carry last year's registrations and tiers into a new plan, and list whom somebody must look at."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from enrollment.models import CollectionPlan
from enrollment.queries import find_plan
from foundation.commands import PortalCommand, Unusable
from foundation.jobs.models import Job, JobState
from foundation.jobs.services.queue import follow
from foundation.scope.context import places_scope
from seasons.services.opening import IMPORTED, CannotOpen, request_opening
from townships.queries import county_places


class Command(PortalCommand):
    """``open_season PLAN --from OLD|last_year_payments``: again, it carries nobody twice."""

    help = "Carry registrations and tiers from last year's plan into a new year's."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("plan", help="code of the new year's plan")
        parser.add_argument(
            "--from", dest="source", required=True, help=f"code of last year's plan, or {IMPORTED}"
        )

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        """Ask for the opening and follow it to its end; holds while the job did not fail."""
        plan = self._plan(options["plan"])
        source = None if options["source"] == IMPORTED else self._plan(options["source"])
        try:
            with places_scope(county_places(plan.county)):
                job = request_opening(by=None, plan=plan, source=source)
        except CannotOpen as error:
            raise Unusable(str(error)) from None
        job = follow(job, report=self._report, own_hands_after=1.0)
        if job.error:
            self.stderr.write(job.error)
        answer = {
            "registrations": job.result.get("registrations", 0),
            "to_confirm": job.result.get("to_confirm", {}),
            "job": str(job.pk),
            "state": job.state,
            "seconds": round((job.finished_at - job.created_at).total_seconds(), 2)
            if job.finished_at
            else 0.0,
        }
        return self._summary(answer), answer, job.state == JobState.SUCCEEDED

    def _plan(self, code: str) -> CollectionPlan:
        found = find_plan(code)
        if found is None:
            raise Unusable(f"no plan {code} is loaded; load_plan loads it")
        return found

    def _report(self, job: Job) -> None:
        self.progress(job.done, job.total, "registrations")

    def _summary(self, answer: dict[str, Any]) -> str:
        if answer["state"] != JobState.SUCCEEDED:
            return f"job {answer['job']}: {answer['state']}"
        waiting = "\n".join(f"  {reason}: {count}" for reason, count in answer["to_confirm"].items())
        carried = f"{answer['registrations']} registrations carried over, {answer['seconds']} s"
        return f"{carried}\nto confirm:\n{waiting}" if waiting else carried
