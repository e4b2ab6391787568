"""A county under its real plan, with the clerks of two townships and a bureau that sees both."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from contributions.models import Charge, Payment
from contributions.services.assess import assess
from contributions.services.payments import LineOrder, PaymentOrder, record_payment
from enrollment.models import CollectionPlan, Household, Registration, Resident
from foundation.clock.services import set_business_date
from foundation.scope.context import places_scope, scope
from foundation.scope.places import NOWHERE
from subsidies.services.plans import load_plan
from tests.factories import Cast, make_cast, make_registration, make_resident
from townships.models import CollectingUnit, User
from townships.services.divisions import load_county

TODAY = date(2022, 11, 30)


@dataclass
class Life:
    """The cast under the plan of 山亭区 2023, on a day of its season."""

    cast: Cast
    plan: CollectionPlan

    @property
    def clerk(self) -> User:
        """Of 甲镇: 东村 and 西村."""
        return self.cast.user("township_clerk")

    @property
    def other_clerk(self) -> User:
        """Of 乙镇: 南村."""
        return self.cast.user("clerk_yi")

    @property
    def bureau(self) -> User:
        """The medical bureau, for the whole county."""
        return self.cast.user("medical_bureau")

    def person(self, unit: CollectingUnit, *insurances: str, tier: str = "300", **values: Any) -> Resident:
        """A resident registered for these and assessed."""
        row = make_resident(self.cast, unit, **values)
        for insurance in insurances:
            make_registration(
                self.cast, row, self.plan, insurance, Decimal(tier) if insurance == "pension" else None
            )
        if insurances:
            self.assess(row)
        return row

    def assess(self, *people: Resident) -> None:
        """Bring these people's charges up to date."""
        with self.county():
            assess(by=None, plan=self.plan, residents=[p.pk for p in people])

    def registration(self, person: Resident, insurance: str = "medical") -> Registration:
        """The registration of the plan's year."""
        with self.county():
            return Registration.objects.get(
                resident=person, insurance=insurance, coverage_year=self.plan.coverage_year
            )

    def charge(self, person: Resident, insurance: str = "medical") -> Charge | None:
        """The current charge."""
        with self.county():
            return Charge.objects.filter(
                resident=person, insurance=insurance, current=True, coverage_year=self.plan.coverage_year
            ).first()

    def pay(self, person: Resident, insurance: str = "medical", days_ago: int = 0) -> Payment:
        """Pay what is due, at the counter of whoever collects there."""
        charge = self.charge(person, insurance)
        assert charge is not None
        return self.pay_charge(charge, self.bureau_collecting, days_ago)

    @property
    def bureau_collecting(self) -> User:
        """A post of the county that may take money anywhere."""
        return self.cast.user("tax_bureau")

    def pay_charge(self, charge: Charge, by: User, days_ago: int = 0) -> Payment:
        """Pay one charge as quoted."""
        order = PaymentOrder(
            client_uuid=uuid.uuid4(), handed_over_at=timezone.now() - timedelta(days=days_ago, minutes=1),
            route="village", means="qr",
            lines=(LineOrder(charge.registration_id, charge.pk, charge.version, charge.personal_amount),),
            received=charge.personal_amount,
        )  # fmt: skip
        with scope(by):
            return record_payment(by=by, order=order).payment

    def household(self, person: Resident) -> Household:
        """Where somebody lives."""
        with self.county():
            return Household.objects.get(residents=person)

    @contextmanager
    def county(self) -> Iterator[None]:
        """Everything of the county in scope."""
        with places_scope(self.cast.places):
            yield

    def client(self, role: str) -> Client:
        """A browser where the holder of a post is signed in."""
        client = Client()
        client.force_login(self.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
        return client


def build_life() -> Life:
    """The county of the tests under its plan."""
    cast = make_cast()
    load_county(by=None, code="370406")  # the plan's task table names the real townships
    load_plan(by=None, path_or_code="shanting-2023")
    set_business_date(county_code=cast.county.code, day=TODAY)
    return Life(cast, CollectionPlan.objects.get(code="shanting-2023"))


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction, or a savepoint in one, that leaves nothing behind."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def loaded(django_db_setup: None, django_db_blocker: Any) -> Iterator[Life]:
    """Loading a plan takes longer than the tests: once a module, in a transaction around them."""
    with django_db_blocker.unblock(), rolled_back(), places_scope(NOWHERE):
        yield build_life()


@pytest.fixture
def life(loaded: Life) -> Iterator[Life]:
    """The county, rolled back after the test; nothing is in scope but what a test opens."""
    with rolled_back():
        yield loaded
