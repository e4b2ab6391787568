"""Open a new year: registrations and tiers of last year carried into the new plan, a job cut by units.

Each part is one transaction: last year's registrations of its units, what the new plan says of them by its own reasons
against, the new registrations at the place where each person lives now, and the list of whom somebody must look at.
Running it again carries nobody twice; it completes what has become known since (a late payment, a new death).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Count, Min, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.models import Charge
from enrollment.models import CollectionPlan, PlanStatus, PriorPayment, Registration, Window
from foundation.audit.services import record
from foundation.bulk import bulk_settings, refresh_statistics
from foundation.clock.services import business_date
from foundation.jobs.kinds import Chunk, JobFailed, JobKind
from foundation.jobs.models import Job
from foundation.jobs.services import queue
from rosters.rules import chunks_by_weight
from seasons.models import Confirmation, SeasonOpening
from seasons.rules import SIXTEEN, SIXTY, age_day, turned
from seasons.services import carry_sql
from subsidies.queries import rule_book
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.models import CollectingUnit
from townships.queries import county_places

KIND: Final = "open_season"
# What stands for last year's plan where the portal did not keep last year.
IMPORTED: Final = "last_year_payments"
IMPORTED_WORDS: Final = gettext_lazy("导入的上年缴费记录")
# Registrations of last year a part carries: each part reads the county's tables once, so they are few, of ten to thirty
# seconds, and still show progress and keep a kill cheap.
PARTS: Final = 8
SMALLEST, LARGEST = 150_000, 400_000


class CannotOpen(Exception):
    """Why a year cannot be opened so, in words for whoever asked."""


@dataclass(frozen=True)
class Carried:
    """What a part did: new registrations, those of last year it looked at, people newly listed."""

    registrations: int
    looked_at: int
    listed: int


def request_opening(
    *,
    by: Any,
    plan: CollectionPlan,
    source: CollectionPlan | None,
    part: int = 0,
) -> Job:
    """Queue the opening of ``plan`` from ``source``, or join the open request. ``part`` cuts it otherwise.

    Without a source it is opened from the imported payments of the year before. Raises CannotOpen for a plan of another
    county, of no earlier year, that is closed, whose rules cannot be read, where nothing was imported, and for a year
    opened from another one before.
    """
    _check(plan, source)
    with transaction.atomic():
        opening, made = SeasonOpening.objects.select_for_update().get_or_create(
            plan=plan, defaults={"source": source, "opened_by": by}
        )
        if not made and opening.source_id != (source.pk if source else None):
            name = opening.source.name if opening.source else IMPORTED_WORDS
            raise CannotOpen(_("这个年度已经从“%(name)s”开启过，不能换一个来源。") % {"name": name})
        return queue.submit(
            by=by,
            kind=KIND,
            county_code=plan.county.code,
            params={
                "plan": plan.pk,
                "source": source.pk if source else None,
                "on": first_day(plan).isoformat(),
                "part": part,
            },
            key=str(plan.pk),
            places=county_places(plan.county),
        )


def _check(plan: CollectionPlan, source: CollectionPlan | None) -> None:
    if plan.status == PlanStatus.CLOSED:
        raise CannotOpen(_("“%(name)s”已经结账，不能再开启。") % {"name": plan.name})
    if source is None:
        if not prior_payments(plan).exists():
            raise CannotOpen(
                _("还没有导入 %(year)s 年度的缴费记录，请先导入“上年缴费”。")
                % {"year": plan.coverage_year - 1}
            )
    else:
        _check_source(plan, source)
    try:
        rule_book(plan)
    except PlanError as error:
        raise CannotOpen(_("新方案的规则读不了：%(why)s") % {"why": describe(error)}) from None


def _check_source(plan: CollectionPlan, source: CollectionPlan) -> None:
    if plan.county_id != source.county_id:
        raise CannotOpen(_("两个方案不是同一个县区的。"))
    if source.coverage_year >= plan.coverage_year:
        raise CannotOpen(
            _("上年方案是 %(old)s 年度，新方案是 %(new)s 年度：上年要早于新年度。")
            % {"old": source.coverage_year, "new": plan.coverage_year}
        )
    if not set(plan.insurances) & set(source.insurances):
        raise CannotOpen(_("两个方案没有相同的险种，没有什么可以结转。"))


def prior_payments(plan: CollectionPlan) -> QuerySet[PriorPayment]:
    """What was told of the year before a plan's; all of the running scope."""
    # the caller's scope holds: a job of the county, or a page's own transaction
    found: QuerySet[PriorPayment] = PriorPayment.objects.filter(
        county_id=plan.county_id, coverage_year=plan.coverage_year - 1, insurance__in=plan.insurances
    )
    return found


def first_day(plan: CollectionPlan) -> date:
    """The day the new year is judged by: the first of its payment periods, or today where that has passed."""
    opens = Window.objects.filter(plan=plan).aggregate(day=Min("opens_on"))["day"]
    today = business_date(plan.county.code)
    return max(opens, today) if opens else today


def _plans(job: Job) -> tuple[CollectionPlan, CollectionPlan | None]:
    # the command or page that asked has checked whose plans they are
    named = [pk for pk in (job.params["plan"], job.params["source"]) if pk is not None]
    plans = CollectionPlan.objects.select_related("county").in_bulk(named)
    return plans[job.params["plan"]], plans.get(job.params["source"])


def _units(plan: CollectionPlan) -> list[int]:
    """The units the plan governs: its township's, or the county's less those of townships with a plan of their own."""
    units = CollectingUnit.objects.filter(township__county=plan.county)
    if plan.township_id is not None:
        units = units.filter(township=plan.township_id)
    else:
        own = CollectionPlan.objects.filter(
            county=plan.county, coverage_year=plan.coverage_year, township__isnull=False,
            insurances__overlap=plan.insurances,
        )  # fmt: skip
        units = units.exclude(township__in=own.values("township"))
    order = units.order_by("township__position", "township__code", "position", "code")
    return list(order.values_list("pk", flat=True))


def plan_parts(job: Job) -> Sequence[Chunk]:
    """Cut the units by last year's registrations. Raises JobFailed where last year has none."""
    plan, source = _plans(job)
    if source is None:
        last_year: QuerySet[Any] = prior_payments(plan)
    else:
        last_year = Registration.objects.filter(plan=source, insurance__in=plan.insurances)
    weights = dict(last_year.values_list("unit").annotate(n=Count("pk")).values_list("unit", "n"))
    if not weights:
        name = source.name if source else str(IMPORTED_WORDS)
        raise JobFailed(_("“%(name)s”没有参保登记，没有什么可以结转。") % {"name": name})
    pairs = [(unit, weights.get(unit, 0)) for unit in _units(plan)]
    fitting = min(max(sum(weights.values()) // PARTS, SMALLEST), LARGEST)
    limit = int(job.params["part"]) or fitting
    return [
        Chunk({"units": units}, weight=max(1, sum(weights.get(unit, 0) for unit in units)))
        for units in chunks_by_weight(pairs, limit)
    ]


def carry_part(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    """Carry one part over; again in the same job it changes nothing."""
    plan, source = _plans(job)
    done = carry_units(
        by=job.requested_by,
        plan=plan,
        source=source,
        units=spec["units"],
        on=date.fromisoformat(job.params["on"]),
    )
    return {"registrations": done.registrations, "looked_at": done.looked_at, "listed": done.listed}


@transaction.atomic
def carry_units(
    *, by: Any, plan: CollectionPlan, source: CollectionPlan | None, units: Sequence[int], on: date
) -> Carried:
    """Carry last year's registrations of ``units`` (ids) over, as the register knows people on the day ``on``.

    Runs under the caller's scope, which must show the whole county: people move.
    """
    book = rule_book(plan)
    shared = [each for each in plan.insurances if source is None or each in source.insurances]
    values = _values(plan, source, units, on) | {"insurances": shared}
    with bulk_settings(merge_joins=False), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.season_before, pg_temp.season_verdict")
        cursor.execute(carry_sql.MAKE_BEFORE)
        cursor.execute(carry_sql.MAKE_VERDICT)
        cursor.execute(carry_sql.FROM_PRIOR if source is None else carry_sql.FROM_PLAN, values)
        looked_at = cursor.rowcount
        if "pension" in plan.insurances:
            cursor.execute(carry_sql.CANDIDATES, values)
        cursor.execute("SELECT EXISTS (SELECT FROM season_before WHERE merged_into IS NOT NULL)")
        row = cursor.fetchone()
        if row is not None and row[0]:
            cursor.execute(carry_sql.FOLLOW_MERGED)
            cursor.execute(carry_sql.ONE_EACH)
        for insurance in plan.insurances:
            priced = Charge.objects.filter(plan=source, insurance=insurance, current=True).exists()
            cursor.execute(
                carry_sql.verdict_sql(book, insurance), values | {"insurance": insurance, "priced": priced}
            )
        cursor.execute(carry_sql.COMPLETE, values)
        cursor.execute(carry_sql.CARRY, values)
        registrations = cursor.rowcount
        cursor.execute(carry_sql.PAID_SINCE, values)
        cursor.execute(carry_sql.CONFIRM, values)
        listed = cursor.rowcount
        cursor.execute("DROP TABLE pg_temp.season_before, pg_temp.season_verdict")
    done = Carried(registrations, looked_at, listed)
    record(
        by=by, action="season.carry", target_kind="plan", target=plan.code, county_code=plan.county.code,
        detail={
            "from": source.code if source else IMPORTED, "units": len(units), "registrations": registrations,
            "looked_at": looked_at, "listed": listed,
        },
    )  # fmt: skip
    return done


def _values(
    plan: CollectionPlan, source: CollectionPlan | None, units: Sequence[int], on: date
) -> dict[str, Any]:
    before = source.coverage_year if source else plan.coverage_year - 1
    sixteen = turned(SIXTEEN, before=before, now=plan.coverage_year)
    sixty = turned(SIXTY, before=before, now=plan.coverage_year)
    return {
        "plan": plan.pk,
        "source": source.pk if source else None,
        "units": list(units),
        "county": plan.county_id,
        "township": plan.township_id,
        "year": plan.coverage_year,
        "year_before": before,
        "on": on,
        "day_before": age_day(before),
        "route": "village",
        "tier": None,
        "sixteen_after": sixteen[0],
        "sixteen_until": sixteen[1],
        "sixty_after": sixty[0],
        "sixty_until": sixty[1],
    }


def sum_up(job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The job's result: registrations carried now, all that stand, and what waits by reason."""
    plan, source = _plans(job)
    refresh_statistics("enrollment_registration", "seasons_confirmation")
    result = {
        "registrations": sum(part["registrations"] for part in results),
        "looked_at": sum(part["looked_at"] for part in results),
        "listed": sum(part["listed"] for part in results),
        "to_confirm": to_confirm(plan),
    }
    record(
        by=job.requested_by, action="season.open", target_kind="plan", target=plan.code,
        county_code=plan.county.code, detail={"from": source.code if source else IMPORTED, **result},
    )  # fmt: skip
    return result


def to_confirm(plan: CollectionPlan) -> dict[str, int]:
    """People and insurances that wait for a word, by reason, in the running scope."""
    # the caller's scope holds: a job of the county, or a page's own transaction
    rows = Confirmation.objects.filter(plan=plan, decision="").values_list("reason").annotate(n=Count("pk"))
    return dict(sorted(rows))


OPENING: Final = JobKind(KIND, gettext_lazy("开启年度"), plan_parts, carry_part, sum_up)  # type: ignore[arg-type]
