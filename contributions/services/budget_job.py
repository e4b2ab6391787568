"""Budgets of a large county as a job: one part a scenario, the answers kept with the job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.plans.budget import as_result
from contributions.services.what_if import registered_count, what_if
from enrollment.models import CollectionPlan
from foundation.jobs.kinds import Chunk, JobFailed, JobKind
from foundation.jobs.models import Job
from foundation.jobs.services import queue
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.models import User

KIND: Final = "what_if"
# Registrations that a page prices while somebody waits; measured at about 150,000 a second on one busy core.
AT_ONCE: Final = 200_000


def needs_job(plan: CollectionPlan, scenarios: int) -> bool:
    """Whether the answer would take longer than somebody should look at a white page."""
    return scenarios * registered_count(plan) > AT_ONCE


def parameters(plan: CollectionPlan, on: date, scenarios: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """What a job is asked, and how an answer is found again."""
    asked = {letter: dict(changes) for letter, changes in scenarios.items() if changes}
    return {"plan": plan.pk, "text": plan.source_sha256, "on": on.isoformat(), "scenarios": asked}


def request_budget(
    *, by: User, plan: CollectionPlan, on: date, scenarios: Mapping[str, Mapping[str, str]]
) -> Job:
    """Ask for a budget; the open job with the same question is joined."""
    params = parameters(plan, on, scenarios)
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
    return queue.submit(
        by=by, kind=KIND, county_code=plan.county.code, params=params, key=f"{by.pk}:{digest[:40]}"
    )


def budget_job(user: User, params: Mapping[str, Any]) -> Job | None:
    """The user's newest job with this question."""
    jobs = Job.objects.visible_to(user).filter(kind=KIND, requested_by=user, params=params)
    return jobs.order_by("-created_at").first()


def _plan(job: Job) -> list[Chunk]:
    weight = registered_count(_plan_of(job))
    return [Chunk({"letter": letter}, weight) for letter in job.params["scenarios"]]


def _plan_of(job: Job) -> CollectionPlan:
    # the page that asked has checked whose plan it is
    found = CollectionPlan.objects.select_related("county").filter(pk=job.params["plan"]).first()
    if found is None:
        raise JobFailed(_("方案已经不在了。"))
    return found


def _work(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    letter = spec["letter"]
    try:
        answer = what_if(
            plan=_plan_of(job),
            changes=job.params["scenarios"][letter],
            on=date.fromisoformat(job.params["on"]),
        )
    except PlanError as error:
        raise JobFailed(describe(error)) from None
    return {letter: as_result(answer)}


def _finish(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {letter: answer for result in results for letter, answer in result.items()}


WHAT_IF: Final = JobKind(KIND, gettext_lazy("测算"), _plan, _work, _finish)  # type: ignore[arg-type]
