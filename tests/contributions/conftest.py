"""A small season with prices set by hand: who owes what is the evaluator's business, tested elsewhere."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contributions.models import Charge, ChargeShare
from contributions.services.payments import LineOrder, PaymentOrder
from enrollment.models import CollectionPlan, Registration, Window
from foundation.clock.services import set_business_date
from foundation.scope.context import places_scope
from tests.factories import Cast, make_cast, make_registration, make_resident
from townships.models import CollectingUnit

TODAY = date(2022, 11, 30)


@dataclass
class Season:
    """The cast with a plan and its day."""

    cast: Cast
    plan: CollectionPlan

    def charge(
        self, unit: CollectingUnit, *, personal: str = "350.00", government: str = "0.00", **resident: Any
    ) -> Charge:
        """A resident of a unit registered for medical insurance, and what he owes."""
        person = make_resident(self.cast, unit, **resident)
        registration = make_registration(self.cast, person, self.plan)
        with places_scope(self.cast.places):
            charge = Charge.objects.create(
                township_id=unit.township_id, unit=unit, plan=self.plan, insurance="medical", coverage_year=2023,
                for_year=2023, registration=registration, resident=person, household_id=person.household_id, age=37,
                decision="accept", personal_amount=Decimal(personal), government_paid_amount=Decimal(government),
                fiscal_subsidy_amount=Decimal("610.00"),
                total_amount=Decimal(personal) + Decimal(government) + Decimal("610.00"), priced_on=TODAY,
            )  # fmt: skip
            if charge.government_paid_amount:
                ChargeShare.objects.create(
                    township_id=unit.township_id, unit=unit, charge=charge, payer="government",
                    amount=charge.government_paid_amount, rule="waiver",
                )  # fmt: skip
        return charge

    def order(self, *charges: Charge, received: str | None = None, **values: Any) -> PaymentOrder:
        """An order for these charges as quoted, unless said otherwise."""
        amounts = values.pop("amounts", [c.personal_amount for c in charges])
        lines = tuple(
            LineOrder(registration=c.registration_id, charge=c.pk, version=c.version, amount=Decimal(a))
            for c, a in zip(charges, amounts, strict=True)
        )
        handed_over = datetime.now(tz=UTC) - timedelta(minutes=1)
        return PaymentOrder(
            client_uuid=values.pop("client_uuid", uuid.uuid4()), handed_over_at=values.pop("at", handed_over),
            route=values.pop("route", "village"), means=values.pop("means", "qr"), lines=lines,
            received=Decimal(received) if received is not None else sum((ln.amount for ln in lines), Decimal(0)),
            **values,
        )  # fmt: skip

    def registrations(self) -> list[Registration]:
        """All of them."""
        with places_scope(self.cast.places):
            return list(Registration.objects.order_by("pk"))


def build_season() -> Season:
    """Plan 2023 of 山亭区, medical window October to December."""
    cast = make_cast()
    plan = CollectionPlan.objects.create(
        code="shanting-2023", version=1, county=cast.county, name="山亭区2023年度方案", coverage_year=2023,
        insurances=["medical", "pension"], collection_mode="direct",
    )  # fmt: skip
    Window.objects.create(
        plan=plan,
        insurance="medical",
        kind="collection",
        opens_on=date(2022, 10, 1),
        closes_on=date(2022, 12, 31),
    )
    set_business_date(county_code=cast.county.code, day=TODAY)
    return Season(cast, plan)


@pytest.fixture
def season(db: None) -> Iterator[Season]:
    """A season inside a transaction that sees the county, rolled back after the test."""
    made = build_season()
    with places_scope(made.cast.places):
        yield made
