"""Reads of the year's turn: how far a year has come, whom somebody must look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum

from contributions.models import Payment
from enrollment.models import Category, CollectionPlan, Insurance, Registration, Resident, Stage
from enrollment.queries import search_condition
from foundation.jobs.models import Job
from foundation.scope.models import ScopedQuerySet
from progress.queries import counts
from seasons.models import Confirmation, Reason, SeasonClosing, SeasonOpening
from seasons.rules import CANDIDATES, HELD
from seasons.words import ADVICE
from townships.models import CollectingUnit, Township, User


def plans_of(user: User) -> list[CollectionPlan]:
    """The plans of the user's county in the version in force, newest year first."""
    # a plan holds nobody's data: whoever works for the county reads it
    plans = CollectionPlan.objects.in_force().filter(county_id=user.county_id or 0)
    return list(
        plans.select_related("county", "township").defer("document").order_by("-coverage_year", "code")
    )


@dataclass
class InsuranceFigures:
    """An insurance of a year at the user's places: people and yuan."""

    label: str
    registered: int = 0
    counted: counts.Counts = field(default_factory=counts.Counts)


@dataclass
class YearFigures:
    """What a plan's year shows at a glance."""

    plan: CollectionPlan
    insurances: list[InsuranceFigures]
    collected: Decimal = Decimal("0.00")

    @property
    def registered(self) -> int:
        """Registrations of all insurances."""
        return sum(each.registered for each in self.insurances)

    @property
    def empty(self) -> bool:
        """Nobody registered yet."""
        return not self.registered

    @property
    def unassessed(self) -> bool:
        """Registered, and nobody has said yet what anybody owes."""
        return not self.empty and not any(
            each.counted.in_scope or each.counted.due or each.counted.exempt for each in self.insurances
        )


def year_figures(user: User, plan: CollectionPlan) -> YearFigures:
    """Registered, owing, paid of a plan at the user's places, by insurance. Two queries."""
    registered = dict(
        Registration.objects.visible_to(user)
        .filter(plan=plan)
        .values_list("insurance")
        .annotate(n=Count("pk"))
        .values_list("insurance", "n")
    )
    found = {
        name: InsuranceFigures(str(Insurance(name).label), registered.get(name, 0))
        for name in Insurance.values
        if name in plan.insurances
    }
    collected = Decimal("0.00")
    for cell in counts.cells(plan.pk, user.scope_places(), by_unit=False):
        collected += cell.counts.paid_amount
        if cell.insurance in found:
            found[cell.insurance].counted.add(cell.counts)
    return YearFigures(plan, list(found.values()), collected)


@dataclass(frozen=True)
class ReasonRow:
    """A reason with how many wait and how many have their word."""

    reason: Reason
    advice: str
    waiting: int
    decided: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.decided


@dataclass(frozen=True)
class ReasonGroup:
    """Reasons of one kind: held back, may join, carried over."""

    title: str
    note: str
    rows: list[ReasonRow]

    @property
    def waiting(self) -> int:
        """Lines without a word."""
        return sum(row.waiting for row in self.rows)


def reason_rows(user: User, plan: CollectionPlan) -> dict[Reason, ReasonRow]:
    """Every reason that has lines at the user's places. One query."""
    counted = (
        Confirmation.objects.visible_to(user)
        .filter(plan=plan)
        .values_list("reason")
        .annotate(waiting=Count("pk", filter=Q(decision="")), decided=Count("pk", filter=~Q(decision="")))
    )
    found = {Reason(reason): (waiting, decided) for reason, waiting, decided in counted}
    return {
        reason: ReasonRow(reason, str(ADVICE[reason]), *found[reason]) for reason in Reason if reason in found
    }


def is_held(reason: str) -> bool:
    """Whether people of this reason are not carried over by themselves."""
    return reason in HELD or reason in CANDIDATES


@dataclass(frozen=True)
class Asked:
    """What a list is narrowed to: reason, township, what was decided, a name."""

    reason: str = ""
    township: str = ""
    state: str = "waiting"
    insurance: str = ""
    text: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The address's parameters, those that say something."""
        values = {
            "reason": self.reason, "township": self.township, "state": self.state if self.state != "waiting" else "",
            "insurance": self.insurance, "q": self.text,
        }  # fmt: skip
        return {key: value for key, value in values.items() if value}


STATES = ("waiting", "decided", "all")


def asked_from(data: Any) -> Asked:
    """Read the parameters of an address or a form; what is none of ours says nothing."""
    reason, state, insurance = data.get("reason", ""), data.get("state", ""), data.get("insurance", "")
    return Asked(
        reason=reason if reason in Reason.values else "",
        township=data.get("township", "")[:12],
        state=state if state in STATES else "waiting",
        insurance=insurance if insurance in Insurance.values else "",
        # A whole number has no business in an address: the bar above finds it.
        text=data.get("q", "").strip()[:12],
    )


def confirmations(user: User, plan: CollectionPlan, asked: Asked) -> ScopedQuerySet:
    """The lines of a plan that the user sees, narrowed, in the order of the round."""
    rows: ScopedQuerySet = Confirmation.objects.visible_to(user).filter(plan=plan)
    if asked.reason:
        rows = rows.filter(reason=asked.reason)
    if asked.township:
        rows = rows.filter(township__code=asked.township)
    if asked.insurance:
        rows = rows.filter(insurance=asked.insurance)
    if asked.state != "all":
        rows = rows.filter(decision="") if asked.state == "waiting" else rows.exclude(decision="")
    if asked.text:
        people = Resident.objects.visible_to(user).filter(search_condition(asked.text, user.county_code))
        rows = rows.filter(resident__in=people.values("pk"))
    return rows


def in_order(rows: ScopedQuerySet) -> ScopedQuerySet:
    """Township, unit, person, insurance; with what a line shows of each."""
    ordered: ScopedQuerySet = rows.select_related(
        "resident__household", "registration_before", "township", "unit", "decided_by"
    ).order_by(
        "township__position", "township__code", "unit__position", "unit__code", "resident_id", "insurance", "reason",
    )  # fmt: skip
    return ordered


def names_for(rows: list[Confirmation]) -> tuple[dict[int, str], dict[str, str]]:
    """Names of units and special groups that the evidence of these lines mentions. Two queries."""
    ids = {row.detail["from"] for row in rows if "from" in row.detail}
    # the name of a village is public; who lives there is not read here
    units = dict(CollectingUnit.objects.filter(pk__in=ids).values_list("pk", "name"))
    return units, dict(Category.objects.values_list("code", "name"))


def townships_of(user: User, plan: CollectionPlan) -> list[Township]:
    """Townships where the user sees a unit, in order."""
    seen = CollectingUnit.objects.visible_to(user).filter(township__county=plan.county_id).values("township")
    return list(Township.objects.filter(pk__in=seen).order_by("position", "code"))


def opening_of(plan: CollectionPlan) -> SeasonOpening | None:
    """How the plan's year was opened; None while it was not."""
    return (
        SeasonOpening.objects.select_related("source", "opened_by")
        .defer("source__document")
        .filter(plan=plan)
        .first()
    )


def years_before(plans: list[CollectionPlan], plan: CollectionPlan) -> list[CollectionPlan]:
    """Plans the year can be opened from, the latest first."""
    return [
        each
        for each in plans
        if each.coverage_year < plan.coverage_year
        and set(each.insurances) & set(plan.insurances)
        and each.township_id in (plan.township_id, None)
    ]


def last_job(user: User, plan: CollectionPlan, kind: str) -> Job | None:
    """The newest job of a kind for the plan that the user may see."""
    return (
        Job.objects.visible_to(user).filter(kind=kind, params__plan=plan.pk).order_by("-created_at").first()
    )


def last_closing(plan: CollectionPlan) -> SeasonClosing | None:
    """The newest closing of a plan's year."""
    return closings(plan)[0] if closings(plan) else None


def closings(plan: CollectionPlan) -> list[SeasonClosing]:
    """Every closing of a plan's year, the newest first."""
    found = SeasonClosing.objects.filter(plan=plan).select_related("asked_by", "reopened_by").defer("summary")
    return list(found.order_by("-number"))


def stages_of(plan: CollectionPlan) -> list[Stage]:
    """The paper's stages in their order."""
    return list(Stage.objects.filter(plan=plan).order_by("starts_on", "pk"))


def stage_on(stages: list[Stage], day: date) -> Stage | None:
    """The stage of the work on a day."""
    for stage in stages:
        if (stage.starts_on is None or stage.starts_on <= day) and (
            stage.ends_on is None or day <= stage.ends_on
        ):
            return stage
    return None


def late_money(user: User, closing: SeasonClosing) -> tuple[int, Decimal]:
    """Payments recorded since a closing locked its plan, and their yuan: kept beside its sums."""
    if closing.locked_at is None or closing.reopened_at is not None:
        return 0, Decimal("0.00")
    rows = Payment.objects.visible_to(user).filter(plan=closing.plan_id, recorded_at__gt=closing.locked_at)
    found = rows.aggregate(n=Count("pk"), amount=Sum("received"))
    return found["n"], found["amount"] or Decimal("0.00")
