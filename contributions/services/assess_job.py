"""Assessing as a job: one part a township, the counts kept with the job, live for whoever asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.services.assess import assess
from enrollment.models import CollectionPlan, Resident
from foundation.clock.services import business_date
from foundation.jobs.kinds import Chunk, JobFailed, JobKind
from foundation.jobs.models import Job
from foundation.jobs.services import queue
from foundation.scope.places import Places
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.models import CollectingUnit, Township, User

KIND: Final = "assess"
COUNTS: Final = ("assessed", "charges", "changed", "kept_as_paid")


def newest_plan(user: User, code: str = "") -> CollectionPlan | None:
    """The plan of the user's county by its code, in the version in force; without a code the newest year's."""
    plans = CollectionPlan.objects.in_force().filter(county_id=user.county_id or 0).select_related("county")
    if code:
        plans = plans.filter(code=code)
    return plans.order_by("-coverage_year", "-version", "code").first()


def request_assessment(*, by: User, plan: CollectionPlan, township: Township | None = None) -> Job:
    """Queue the assessing of the user's places, or of one township of them; the open job for the same is joined.

    The day that prices is fixed here, so that a job resumed after midnight still tells one story.
    """
    seen = _within(by.scope_places(), township)
    places = hashlib.sha256(f"{sorted(seen.townships)}{sorted(seen.units)}".encode()).hexdigest()[:32]
    return queue.submit(
        by=by,
        kind=KIND,
        county_code=plan.county.code,
        params={
            "plan": plan.pk,
            "townships": sorted(seen.townships),
            "on": business_date(plan.county.code).isoformat(),
        },
        key=f"{plan.pk}:{places}",
        places=seen,
    )


def _within(seen: Places, township: Township | None) -> Places:
    if township is None:
        return seen
    if township.pk in seen.townships:
        return Places(townships=frozenset({township.pk}))
    units = CollectingUnit.objects.filter(pk__in=sorted(seen.units), township=township)
    return Places(units=frozenset(units.values_list("pk", flat=True)))


def _plan_of(job: Job) -> CollectionPlan:
    # the page that asked has checked whose plan it is
    found = CollectionPlan.objects.select_related("county").filter(pk=job.params["plan"]).first()
    if found is None:
        raise JobFailed(_("方案已经不在了。"))
    return found


def _plan(job: Job) -> Sequence[Chunk]:
    plan = _plan_of(job)
    residents = Resident.objects.filter(county_id=plan.county_id)
    if plan.township_id is not None:
        residents = residents.filter(township=plan.township_id)
    weights = dict(residents.values_list("township").annotate(n=Count("pk")).values_list("township", "n"))
    if not weights:
        raise JobFailed(_("还没有居民，请先导入参保登记数据。"))
    order = Township.objects.filter(pk__in=weights).order_by("position", "code").values_list("pk", flat=True)
    return [Chunk({"township": pk}, weights[pk]) for pk in order]


def _work(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    try:
        result = assess(
            by=job.requested_by,
            plan=_plan_of(job),
            townships=[spec["township"]],
            on=date.fromisoformat(job.params["on"]),
        )
    except PlanError as error:
        raise JobFailed(describe(error)) from None
    return {name: getattr(result, name) for name in COUNTS} | {"personal": str(result.personal)}


def _finish(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum(result[name] for result in results) for name in COUNTS}


ASSESS: Final = JobKind(KIND, gettext_lazy("核定应缴"), _plan, _work, _finish)  # type: ignore[arg-type]


def last_assessment(user: User, plan: CollectionPlan, township: Township | None = None) -> Job | None:
    """The newest job the user may see that assessed, or is assessing, all her places (or one township)."""
    seen = _within(user.scope_places(), township)
    covers = Q(places__townships__contains=sorted(seen.townships)) & Q(
        places__units__contains=sorted(seen.units)
    )
    jobs = Job.objects.visible_to(user).filter(covers, kind=KIND, params__plan=plan.pk)
    return jobs.order_by("-created_at").first()
