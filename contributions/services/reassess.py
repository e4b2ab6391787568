"""Assess again whose facts changed, and nobody else.

1. Every change of a fact queues its residents in the transaction that makes it (``enrollment.services.pending``).
2. A correction by hand is settled at once, in that transaction.
3. A file's residents are settled by a job, a part a township: asked for on the batch's page, else by the clock.
4. Rows of the queue go in the transaction that assesses their residents; a job killed in the middle leaves the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.services.assess import AssessResult, assess
from enrollment.models import CollectionPlan, PendingAssessment, PlanStatus, Resident
from enrollment.queries import live_plans
from foundation.imports.kinds import NextStep
from foundation.imports.models import BatchState, ImportBatch
from foundation.jobs.kinds import Chunk, JobFailed, JobKind
from foundation.jobs.models import OPEN_STATES, Job, JobState
from foundation.jobs.services import queue
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from subsidies.queries import rule_book
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.models import County, Township, User
from townships.rules import may

KIND: Final = "reassess"
# Who imported a list is shown the button and may follow the job; what nobody asked for is done by itself.
PATIENCE: Final = timedelta(minutes=2)
# Residents looked up one by one in one go; more of a township than half of it are read whole.
AT_ONCE: Final = 5_000
# Work that answers for a whole county from what it read when it began: what changes meanwhile is settled after it.
LONG_WORK: Final = ("assess", "reassess", "amendment")
COUNTS: Final = ("assessed", "charges", "changed", "kept_as_paid")

_QUEUE: Final = PendingAssessment._meta.db_table


def reassess_now(by: Any, residents: Sequence[int]) -> None:
    """Settle a correction of a few people in its own transaction; left to the queue while a long job is at work."""
    # of the running scope: who may correct them holds their places
    counties = set(Resident.objects.filter(pk__in=residents).values_list("county_id", flat=True))
    codes = County.objects.filter(pk__in=counties).values_list("code", flat=True)
    if Job.objects.filter(kind__in=LONG_WORK, county_code__in=codes, state__in=OPEN_STATES).exists():
        return
    for county in counties:
        try:
            plans = readable_plans(county)
        except PlanError:
            plans = []
        if not plans:
            return  # nothing but texts that cannot be read: the people wait in the queue
        for plan in plans:
            assess(by=by, plan=plan, residents=list(residents))
    PendingAssessment.objects.filter(resident__in=residents).delete()  # settled in the running scope


def readable_plans(county: int) -> list[CollectionPlan]:
    """The county's plans under which people are assessed: a draft whose rules do not hold yet is passed over."""
    found = []
    for plan in live_plans(county):
        try:
            rule_book(plan)
        except PlanError:
            if plan.status == PlanStatus.PUBLISHED:
                raise
        else:
            found.append(plan)
    return found


def waiting_for(user: Any, batch: int | None = None) -> int:
    """How many residents of the user's places wait to be assessed again, of a batch or of all."""
    rows = PendingAssessment.objects.visible_to(user)
    if batch is not None:
        rows = rows.filter(batch=batch)
    whole = rows.filter(resident=None).values("unit")
    single = rows.exclude(resident=None).exclude(unit__in=whole).aggregate(n=Count("resident", distinct=True))
    return (
        int(single["n"]) + Resident.objects.visible_to(user).filter(unit__in=whole, merged_into=None).count()
    )


def request_reassessment(*, by: Any, county: County, places: Places) -> Job:
    """Queue the settling of what waits in these places; the open job for the same is joined."""
    digest = hashlib.sha256(f"{sorted(places.townships)}{sorted(places.units)}".encode()).hexdigest()[:32]
    return queue.submit(
        by=by, kind=KIND, county_code=county.code, params={}, key=f"{county.pk}:{digest}", places=places
    )


def sweep_pending() -> int:
    """Ask for the settling of what has waited longer than ``PATIENCE`` under a published plan. Returns how many jobs."""
    asked = 0
    for county in County.objects.order_by("pk"):
        places = Places(frozenset(Township.objects.filter(county=county).values_list("pk", flat=True)))
        if not places or not live_plans(county.pk).filter(status=PlanStatus.PUBLISHED).exists():
            continue
        with places_scope(places):
            waits = PendingAssessment.objects.filter(
                since__lt=timezone.now() - PATIENCE
            ).exists()  # whole county
        if waits:
            request_reassessment(by=None, county=county, places=places)
            asked += 1
    return asked


def after_import(user: Any, batch: ImportBatch) -> NextStep | None:
    """What a batch that moved people's dues asks for: assessing them, or the job that has done it since."""
    if batch.state not in {BatchState.APPLIED, BatchState.UNDONE} or batch.applied_at is None:
        return None
    if not isinstance(user, User) or not may(user.role, "assess") or not batch.summary.get("to_assess"):
        return None
    jobs = Job.objects.visible_to(user).filter(
        kind__in=("assess", KIND), county_code=batch.county_code, created_at__gte=batch.applied_at
    )
    job = jobs.filter(state__in=OPEN_STATES).order_by("created_at").last()
    if waiting_for(user, batch.pk) == 0 and job is None:
        job = jobs.filter(state=JobState.SUCCEEDED).order_by("created_at").last()
        if job is None:
            return None  # a correction, an assessment by command, or the undoing left nobody to assess
    return NextStep(label=_("核定应缴"), url="plans:assess", fields={"touched": "1"}, job=job)


def _plans(job: Job) -> list[CollectionPlan]:
    county = County.objects.get(code=job.county_code)
    try:
        plans = readable_plans(county.pk)
    except PlanError as error:
        raise JobFailed(describe(error)) from None
    if not plans:
        raise JobFailed(_("没有可以核定的方案：还没有载入、规则读不了，或者已经结束。"))
    return plans


def _plan(job: Job) -> Sequence[Chunk]:
    """A part a township, up to the newest row of now: what is queued meanwhile waits for the next job."""
    _plans(job)
    rows = PendingAssessment.objects.values("township").annotate(
        n=Count("pk"), last=Max("pk")
    )  # the job's places
    weights = {row["township"]: (row["n"], row["last"]) for row in rows}
    order = Township.objects.filter(pk__in=weights).order_by("position", "code").values_list("pk", flat=True)
    return [Chunk({"township": pk, "last": weights[pk][1]}, weights[pk][0]) for pk in order]


def _work(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    total = AssessResult()
    people, units = _take(spec["township"], spec["last"])
    found = Resident.objects.filter(
        Q(unit__in=units) | Q(pk__in=people), merged_into=None
    )  # of the job's places
    everybody = Resident.objects.filter(township=spec["township"], merged_into=None).count()
    plans = _plans(job)
    if len(people) + found.filter(unit__in=units).count() > max(everybody // 2, AT_ONCE):
        _add(total, job, plans, {"townships": [spec["township"]]})
        ids = list(found.exclude(township=spec["township"]).values_list("pk", flat=True))
    else:
        ids = list(found.values_list("pk", flat=True))
    for start in range(0, len(ids), AT_ONCE):
        _add(total, job, plans, {"residents": ids[start : start + AT_ONCE]})
    return {name: getattr(total, name) for name in COUNTS}


def _take(township: int, last: int) -> tuple[list[int], list[int]]:
    """Residents and whole units of a township's rows, taken out of the queue with this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {_QUEUE} q WHERE q.id IN (SELECT p.id FROM {_QUEUE} p WHERE p.township_id = %(township)s"
            " AND p.id <= %(last)s FOR UPDATE SKIP LOCKED) RETURNING q.resident_id, q.unit_id",
            {"township": township, "last": last},
        )
        rows = cursor.fetchall()
    return sorted({r for r, _u in rows if r is not None}), sorted({u for r, u in rows if r is None})


def _add(total: AssessResult, job: Job, plans: Sequence[CollectionPlan], where: dict[str, Any]) -> None:
    for plan in plans:
        found = assess(by=job.requested_by, plan=plan, **where)
        for name in COUNTS:
            setattr(total, name, getattr(total, name) + getattr(found, name))


def _finish(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum(result[name] for result in results) for name in COUNTS}


REASSESS: Final = JobKind(KIND, gettext_lazy("重新核定有变化的人"), _plan, _work, _finish)  # type: ignore[arg-type]
