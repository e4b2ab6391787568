"""山亭 2023 with people whose next year is known by heart, and a made-up plan for 2024."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from contributions.models import Charge
from contributions.services.assess import assess
from contributions.services.payments import LineOrder, PaymentOrder, record_payment
from demonstration.synthetic.next_year import next_year
from enrollment.models import Category, CollectionPlan, Membership, Registration, Resident
from foundation.clock.services import set_business_date
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from seasons.models import Confirmation
from subsidies.queries import PLANS
from subsidies.services.plans import load_plan
from tests.factories import Cast, make_cast, make_registration, make_resident
from townships.models import CollectingUnit
from townships.queries import county_places
from townships.services.divisions import load_county

LAST_YEAR, NEXT_YEAR = date(2022, 11, 30), date(2023, 10, 8)


def plan_of_2024(folder: Path) -> Path:
    """The paper of 2023 a year later: no tier of 600 any more, and 优抚 may no longer choose 100."""
    text = (PLANS / "shanting-2023.yaml").read_text(encoding="utf-8")
    text = next_year(text, 2023)
    for old, new in (
        ("amounts: [100, 300, 500, 600, 800", "amounts: [100, 300, 500, 800"),
        ("count: 12", "count: 11"),
        ("tiers: [500, 600]", "tiers: [500]"),
        ("groups: [残疾, 五保, 低保, 优抚, 扶贫户]", "groups: [残疾, 五保, 低保, 扶贫户]"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = folder / "shanting-2024.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@dataclass
class Year:
    """Two plans of one county, and people by what they are."""

    cast: Cast
    old: CollectionPlan
    new: CollectionPlan
    people: dict[str, Resident] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        """The whole county, the real townships included."""
        return county_places(self.cast.county)

    def join(
        self,
        name: str,
        *,
        unit: CollectingUnit | None = None,
        birth: date = date(1985, 5, 5),
        tier: str = "",
        medical: bool = True,
        category: str = "",
        until: date | None = None,
        registration: dict[str, Any] | None = None,
        **values: Any,
    ) -> Resident:
        """Somebody registered in 2023 for medical insurance, and for pension where a tier is given."""
        person = make_resident(self.cast, unit or self.cast.dong, birth_date=birth, name=name, **values)
        made = [make_registration(self.cast, person, self.old)] if medical else []
        if tier:
            made.append(make_registration(self.cast, person, self.old, "pension", tier=Decimal(tier)))
        with places_scope(self.places):
            if registration:
                Registration.objects.filter(pk__in=[each.pk for each in made]).update(**registration)
            if category:
                group, _made = Category.objects.get_or_create(code=category, defaults={"name": category})
                Membership.objects.create(
                    resident=person, category=group, valid_from=date(2022, 1, 1), valid_to=until,
                    township_id=person.township_id, unit_id=person.unit_id,
                    grade=1 if category == "disabled" else None,
                )  # fmt: skip
        self.people[name] = person
        return person

    def assess(self, plan: CollectionPlan | None = None) -> None:
        """What everybody owes for 2023, or for another plan."""
        with places_scope(self.places):
            assess(by=None, plan=plan or self.old)

    def pay(self, *names: str) -> None:
        """These people pay everything they owe for 2023."""
        with places_scope(self.places):
            for name in names:
                charges = Charge.objects.filter(
                    resident=self.people[name], plan=self.old, current=True, personal_amount__gt=0
                )
                lines = tuple(
                    LineOrder(c.registration_id, c.pk, c.version, c.personal_amount) for c in charges
                )
                if lines:
                    record_payment(by=self.cast.user("tax_bureau"), order=self.order(lines))

    def order(self, lines: tuple[LineOrder, ...]) -> PaymentOrder:
        """Money for these lines, handed over now."""
        return PaymentOrder(
            client_uuid=uuid.uuid4(), handed_over_at=datetime.now(tz=UTC), route="village", means="qr", lines=lines,
            received=sum((line.amount for line in lines), Decimal(0)),
        )  # fmt: skip

    def turn(self, day: date = NEXT_YEAR) -> None:
        """The calendar of the county goes on."""
        set_business_date(county_code=self.cast.county.code, day=day)

    def registered(self, name: str, insurance: str = "medical") -> Registration | None:
        """The registration of 2024."""
        with places_scope(self.places):
            found: Registration | None = Registration.objects.filter(
                resident=self.people[name], insurance=insurance, coverage_year=2024
            ).first()
        return found

    def listed(self, name: str) -> dict[tuple[str, str], Confirmation]:
        """What waits about somebody, by insurance and reason."""
        with places_scope(self.places):
            rows = Confirmation.objects.filter(resident=self.people[name], plan=self.new)
            return {(row.insurance, row.reason): row for row in rows}

    def client(self, role: str) -> Client:
        """Somebody at his post, signed in."""
        client = Client()
        client.force_login(self.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
        return client


def build_year(folder: Path) -> Year:
    """The cast, both plans loaded, the calendar in the season of 2023."""
    cast = make_cast()
    load_county(by=None, code="370406")  # the plan's task table names the real townships
    load_plan(by=None, path_or_code="shanting-2023")
    load_plan(by=None, path_or_code=str(plan_of_2024(folder)))
    set_business_date(county_code=cast.county.code, day=LAST_YEAR)
    plans = {plan.code: plan for plan in CollectionPlan.objects.select_related("county")}
    return Year(cast, plans["shanting-2023"], plans["shanting-2024"])


@pytest.fixture
def year(db: None, tmp_path: Path) -> Year:
    """The two years, rolled back after the test."""
    return build_year(tmp_path)
