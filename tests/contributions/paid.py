"""People who have paid, under the real plan of 山亭, and what happens to them afterwards."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.utils import timezone

from contributions.models import Charge, PaidDifference, PaymentCase
from contributions.services.assess import AssessResult, assess
from contributions.services.payments import LineOrder, PaymentAnswer, PaymentOrder, record_payment
from enrollment.models import Category, CollectionPlan, Membership, Resident
from foundation.clock.services import set_business_date
from subsidies.queries import fixture_path, known_categories
from subsidies.rules.parse import load_plan_text
from subsidies.services.plans import store_plan
from tests.factories import Cast, make_cast, make_registration, make_resident
from townships.services.divisions import load_county

TODAY = date(2022, 11, 30)
CODE = "shanting-2023"


def plan_text(*changes: tuple[str, str], **settings: str) -> str:
    """The file of 山亭's plan with words replaced and settings added (dots as double underscores)."""
    text = fixture_path(CODE).read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    added = "".join(f"  {name.replace('__', '.')}: {value}\n" for name, value in settings.items())
    return text.replace("settings:\n", f"settings:\n{added}", 1)


_read = lru_cache(lambda text: load_plan_text(text, known_categories()))


def store(text: str) -> CollectionPlan:
    """Load a text as ``load_plan`` does a file."""
    return store_plan(by=None, book=_read(text)).plan


@dataclass
class Paid:
    """The cast under the plan, on its day."""

    cast: Cast
    plan: CollectionPlan

    def resident(self, birth: date = date(1985, 5, 5), unit: Any = None, **values: Any) -> Resident:
        """Somebody registered for medical insurance."""
        person = make_resident(self.cast, unit or self.cast.dong, birth_date=birth, **values)
        make_registration(self.cast, person, self.plan)
        return person

    def member(self, person: Resident, category: str, since: date, until: date | None = None) -> Membership:
        """Somebody in a special group."""
        group, _made = Category.objects.get_or_create(code=category, defaults={"name": category})
        made: Membership = Membership.objects.create(
            resident=person, category=group, valid_from=since, valid_to=until, township_id=person.township_id,
            unit_id=person.unit_id,
        )  # fmt: skip
        return made

    def assess(self, on: date = TODAY) -> AssessResult:
        """Bring everything up to date as of a day, which is then the county's."""
        set_business_date(county_code=self.cast.county.code, day=on)
        return assess(by=None, plan=CollectionPlan.objects.get(pk=self.plan.pk), on=on)

    def pay(self, person: Resident, on: date = TODAY, route: str = "village") -> PaymentAnswer:
        """The open amount of the medical charge is handed over on a day."""
        set_business_date(county_code=self.cast.county.code, day=TODAY)
        charge = self.charge(person)
        paid = sum((line.amount for line in charge.registration.payment_lines.all()), Decimal(0))
        amount = charge.personal_amount - paid
        line = LineOrder(charge.registration_id, charge.pk, charge.version, amount)
        order = PaymentOrder(
            client_uuid=uuid.uuid4(), handed_over_at=timezone.now() + timedelta(days=(on - TODAY).days),
            route=route, means="qr", received=amount, lines=(line,),
        )  # fmt: skip
        return record_payment(by=self.cast.user("tax_bureau"), order=order)

    def charge(self, person: Resident) -> Charge:
        """The medical charge that stands."""
        return Charge.objects.get(resident=person, insurance="medical", current=True)

    def difference(self, person: Resident) -> PaidDifference:
        """The difference that stands."""
        return PaidDifference.objects.get(resident=person, standing=True)


def told(found: PaidDifference) -> tuple[str, str, str, str, str]:
    """Cause, outcome, before, after, and what is to be settled (refund negative)."""
    return (
        found.cause, found.outcome, str(found.personal_before), str(found.personal_after),
        str(found.owed - found.refund),
    )  # fmt: skip


def build_paid(text: str = "") -> Paid:
    """The county with the plan (another text if given), on 30 November."""
    cast = make_cast()
    load_county(by=None, code="370406")
    plan = store(text or plan_text())
    set_business_date(county_code=cast.county.code, day=TODAY)
    return Paid(cast, plan)


def open_cases(person: Resident) -> list[tuple[str, str]]:
    """Kind and amount of what is open about somebody's money."""
    rows = PaymentCase.objects.filter(registration__resident=person, state="open").order_by("pk")
    return [(row.kind, str(row.amount)) for row in rows]
