"""The job that seals rosters: asked for once, cut by weight, resumed after any death."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext as _

from contributions.models import Charge, PaymentLine
from contributions.models.dues import IN_SCOPE
from enrollment.models import CollectionPlan, PriorPayment, Registration, Resident
from foundation.clock.services import business_date
from foundation.jobs.kinds import Chunk, JobFailed, JobKind
from foundation.jobs.models import Job
from foundation.jobs.services import queue
from foundation.scope.places import Places
from rosters.models import Roster, RosterKind
from rosters.rules import chunks_by_weight
from rosters.services.sealing import seal_units
from townships.models import CollectingUnit, Township

KIND = "rosters"
# Registrations a chunk seals in one transaction. A dozen chunks show progress and keep a kill cheap; each reads the
# county's tables once, so a large county gets larger chunks rather than more of them.
CHUNKS = 12
SMALLEST, LARGEST = 10_000, 250_000


def request_rosters(
    *,
    by: Any,
    plan: CollectionPlan,
    kind: RosterKind,
    township: Township | None = None,
    places: Places | None = None,
    chunk_registrations: int = 0,
    insurance: str = "",
) -> Job:
    """Queue the sealing of a plan's rosters, or join the open request for the same thing.

    ``insurance`` makes rosters of one alone, ``township`` narrows it to one, ``places`` default to the requester's;
    ``chunk_registrations`` cuts the work otherwise than by its size. The day the rosters stand for is fixed here, so
    that a job resumed after midnight still tells one story.
    """
    seen = _within(places if places is not None else by.scope_places(), township)
    return queue.submit(
        by=by,
        kind=KIND,
        county_code=plan.county.code,
        params={
            "plan": plan.pk,
            "kind": kind.value,
            "insurance": insurance,
            "township": township.code if township else "",
            "as_of": business_date(plan.county.code).isoformat(),
            "chunk_registrations": chunk_registrations,
        },
        key=f"{plan.pk}:{kind.value}:{insurance}:{_key(seen)}",
        places=seen,
    )


def _within(seen: Places, township: Township | None) -> Places:
    if township is None:
        return seen
    if township.pk in seen.townships:
        return Places(townships=frozenset({township.pk}))
    units = CollectingUnit.objects.filter(pk__in=sorted(seen.units), township=township)
    return Places(units=frozenset(units.values_list("pk", flat=True)))


def _key(places: Places) -> str:
    text = f"{sorted(places.townships)}{sorted(places.units)}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plan_of(job: Job) -> CollectionPlan:
    return CollectionPlan.objects.select_related("county").get(pk=job.params["plan"])


def _knows_last_year(plan: CollectionPlan) -> bool:
    last = plan.coverage_year - 1
    return (
        PriorPayment.objects.filter(county_id=plan.county_id, coverage_year=last).exists()
        or PaymentLine.objects.filter(registration__coverage_year=last).exists()
        or Registration.objects.filter(plan=plan, last_tier__gt=0).exists()
    )


def plan_chunks(job: Job) -> Sequence[Chunk]:
    """Cut the units of the job's places, in order, by registrations. Raises JobFailed when nothing is due."""
    plan, kind = _plan_of(job), RosterKind(job.params["kind"])
    insurance = job.params.get("insurance", "")
    registered = Registration.objects.filter(plan=plan)
    if insurance:
        registered = registered.filter(insurance=insurance)
    weights = dict(registered.values_list("unit").annotate(n=Count("pk")).values_list("unit", "n"))
    if kind == RosterKind.REFERENCE:
        if not _knows_last_year(plan):
            raise JobFailed(_("还没有上年缴费记录，生成不了缴费信息清册；请先导入上年缴费数据。"))
        # Last year is known before anybody is registered for this one: whoever lives somewhere may have paid.
        living = Resident.objects.filter(county_id=plan.county_id, merged_into=None)
        weights |= dict(living.values_list("unit").annotate(n=Count("pk")).values_list("unit", "n"))
    if not weights:
        raise JobFailed(_("方案里还没有参保登记，请先导入参保登记数据。"))
    charges = Charge.objects.filter(plan=plan, current=True, decision__in=IN_SCOPE)
    if kind != RosterKind.REFERENCE and not charges.exists():
        raise JobFailed(_("还没有核定应缴，请先核定，再生成清册。"))
    # A unit that lost its last registration still gets the version that says so.
    made = Roster.objects.filter(plan=plan, kind=kind, insurance=insurance)
    for unit in made.values_list("unit", flat=True).distinct():
        weights.setdefault(unit, 0)
    order = CollectingUnit.objects.filter(pk__in=weights).order_by(
        "township__position", "township__code", "position", "code"
    )
    pairs = [(pk, weights[pk]) for pk in order.values_list("pk", flat=True)]
    fitting = min(max(sum(weights.values()) // CHUNKS, SMALLEST), LARGEST)
    limit = int(job.params["chunk_registrations"]) or fitting
    return [
        Chunk({"units": units}, weight=max(1, sum(weights[pk] for pk in units)))
        for units in chunks_by_weight(pairs, limit)
    ]


def seal_chunk(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    """Seal one chunk's units; run again in the same job it changes nothing."""
    sealed = seal_units(
        by=job.requested_by,
        plan=_plan_of(job),
        kind=RosterKind(job.params["kind"]),
        units=spec["units"],
        as_of=date.fromisoformat(job.params["as_of"]),
        job=job.pk,
        insurance=job.params.get("insurance", ""),
    )
    return {"rosters": sealed.rosters, "new": sealed.new, "lines": sealed.lines}


def sum_up(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The job's result: rosters that stand, those new among them, and their lines."""
    total = {key: sum(r[key] for r in results) for key in ("rosters", "new", "lines")}
    return total | {"unchanged": total["rosters"] - total["new"]}


ROSTERS = JobKind(name=KIND, label="生成清册", plan=plan_chunks, work=seal_chunk, finish=sum_up)
