"""Queue the roster job; with ``--wait`` follow it to its end."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from enrollment.models import CollectionPlan, Insurance
from enrollment.queries import find_plan
from foundation.commands import PortalCommand, Unusable
from foundation.jobs.models import Job, JobState
from foundation.jobs.services.queue import follow
from foundation.scope.places import Places
from rosters.models import RosterKind
from rosters.queries import townships_of
from rosters.services.generate import request_rosters


def _insurance(plan: CollectionPlan, name: str) -> str:
    """One insurance of the plan, empty for both. Raises Unusable for one the plan does not have."""
    if name == "both":
        return ""
    if name not in plan.insurances:
        raise Unusable(f"{plan.code} does not collect {name}")
    return name


class Command(PortalCommand):
    """``generate_rosters --plan CODE --kind reference|levy|payment [--insurance …] [--township CODE] [--wait]``."""

    help = "Queue the roster job of a plan; --wait follows it to its end."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--plan", required=True, help="code of the plan")
        parser.add_argument("--kind", required=True, choices=RosterKind.values)
        parser.add_argument("--insurance", default="both", choices=["both", *Insurance.values])
        parser.add_argument("--township", default="", help="one township, by its 6-, 9- or 12-digit code")
        parser.add_argument("--wait", action="store_true", help="follow the job to its end")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        """Ask for the rosters; holds while the job did not fail."""
        plan = find_plan(options["plan"])
        if plan is None:
            raise Unusable(f"no plan {options['plan']} is loaded; load_plan loads it")
        townships = townships_of(plan, options["township"])
        if townships is None:
            raise Unusable(f"no township {options['township']} in {plan.county.name}")
        job = request_rosters(
            by=None,
            plan=plan,
            kind=RosterKind(options["kind"]),
            insurance=_insurance(plan, options["insurance"]),
            places=Places(townships=frozenset(t.pk for t in townships)),
        )
        if options["wait"]:
            job = follow(job, report=self._report, own_hands_after=1.0)
        answer = {
            "job": str(job.pk),
            "state": job.state,
            "rosters": job.result.get("rosters", 0),
            "lines": job.result.get("lines", 0),
            "seconds": round((job.finished_at - job.created_at).total_seconds(), 2)
            if job.finished_at
            else 0.0,
        }
        if job.error:
            self.stderr.write(job.error)
        return self._summary(job, answer), answer, job.state not in {JobState.FAILED, JobState.CANCELLED}

    def _report(self, job: Job) -> None:
        self.progress(job.done, job.total, "rosters")

    def _summary(self, job: Job, answer: dict[str, Any]) -> str:
        if job.state != JobState.SUCCEEDED:
            return f"job {job.pk}: {job.state}"
        return (
            f"{answer['rosters']} rosters with {answer['lines']} lines stand"
            f" ({job.result.get('unchanged', 0)} of them unchanged), {answer['seconds']} s"
        )
