"""What a page about government-paid people is asked: plan, insurance, department, place. Reads start at the scope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.http import Http404, HttpRequest

from contributions.funding.standing import Asked, Office, offices_of
from contributions.services.assess_job import newest_plan
from enrollment.models import CollectionPlan, Insurance, Registration, Resident
from enrollment.queries import search_condition
from foundation.clock.services import business_date
from subsidies.queries import rule_book
from subsidies.rules.claims import claims
from subsidies.rules.plan import Plan
from townships.models import CollectingUnit, Role, Township, User

# People of one township are read at a time where a county is larger than this: a page answers within two seconds.
WHOLE_COUNTY: Final = 60_000
FOUND: Final = 500


@dataclass(frozen=True)
class Ground:
    """The plan and the places a page shows, and what may be chosen instead."""

    user: User
    plan: CollectionPlan
    book: Plan
    insurance: str
    insurances: list[Insurance]
    townships: list[Township]
    township: Township | None
    unit: CollectingUnit | None
    units: list[CollectingUnit]
    search: str
    must_choose: bool
    """The county is too large for one page: a township has to be chosen."""

    offices: list[Office]

    def asked(self) -> Asked:
        """The people the page is about."""
        chosen = [self.township] if self.township is not None else self.townships
        residents = None
        if self.search:
            found = Resident.objects.visible_to(self.user).filter(
                search_condition(self.search, self.plan.county.code), merged_into=None
            )
            residents = tuple(found.values_list("pk", flat=True)[:FOUND])
        return Asked(
            plan=self.plan,
            book=self.book,
            insurance=self.insurance,
            townships=tuple(township.pk for township in chosen),
            on=business_date(self.plan.county.code),
            unit=self.unit.pk if self.unit is not None else None,
            residents=residents,
            offices=self.offices,
        )

    def own_offices(self) -> list[Office]:
        """Departments whose people the user reads: a department its own, everybody else all."""
        if self.user.role != Role.DEPARTMENT:
            return self.offices
        kind = self.user.agency.kind if self.user.agency is not None else ""
        return [office for office in self.offices if office.agency == kind and kind]

    @property
    def query(self) -> dict[str, str]:
        """The same ground in an address."""
        found = {"plan": self.plan.code, "insurance": self.insurance}
        if self.township is not None:
            found["township"] = self.township.code
        if self.unit is not None:
            found["unit"] = self.unit.code
        if self.search:
            found["q"] = self.search
        return found


def chosen_plan(user: User, code: str) -> CollectionPlan | None:
    """The plan named, else the newest; 404 for a code that is not the county's."""
    plan = newest_plan(user, code)
    if plan is None and code:
        raise Http404
    return plan


def seen_townships(user: User, plan: CollectionPlan) -> list[Township]:
    """Townships seen whole, in order."""
    ids = sorted(user.scope_places().townships)
    return list(Township.objects.filter(pk__in=ids, county_id=plan.county_id).order_by("position", "code"))


def ground_of(request: HttpRequest, user: User) -> Ground | None:
    """Read an address; None where the county has no plan. Raises Http404 for a foreign place, PlanError for a draft
    without rules."""
    sent = request.POST if request.method == "POST" else request.GET
    plan = chosen_plan(user, sent.get("plan", ""))
    if plan is None:
        return None
    book = rule_book(plan)
    offered = set(plan.insurances)
    insurances = [each for each in Insurance if each in offered and claims(book, each)]
    wanted = sent.get("insurance", "")
    insurance = wanted if wanted in insurances else (insurances[0].value if insurances else "")
    townships = seen_townships(user, plan)
    township = _chosen_township(townships, sent.get("township", ""))
    must_choose = False
    if township is None and len(townships) > 1:
        must_choose = Registration.objects.filter(plan=plan)[: WHOLE_COUNTY + 1].count() > WHOLE_COUNTY
        if must_choose:
            township = townships[0]
    units = list(
        CollectingUnit.objects.visible_to(user)
        .filter(township=township or townships[0])
        .order_by("position", "code")
        if townships and (township is not None or len(townships) == 1)
        else ()
    )
    unit = None
    if code := sent.get("unit", ""):
        unit = next((each for each in units if each.code == code), None)
        if unit is None:
            raise Http404
    return Ground(
        user=user,
        plan=plan,
        book=book,
        insurance=insurance,
        insurances=insurances,
        townships=townships,
        township=township,
        unit=unit,
        units=units,
        search=sent.get("q", "").replace("\x00", "").strip()[:60],
        must_choose=must_choose,
        offices=offices_of(book),
    )


def _chosen_township(townships: list[Township], code: str) -> Township | None:
    if not code:
        return None
    found = next((each for each in townships if each.code == code), None)
    if found is None:
        raise Http404
    return found
