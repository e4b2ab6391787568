"""A county small enough to count by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum

from contributions.models import Assessment, Charge, PaymentLine, TaxEntry
from contributions.services.payments import record_payment
from enrollment.models import CollectionPlan, Stage, Target
from foundation.scope.context import places_scope
from progress.models import UnitDay, UnitFigure
from progress.queries.counts import MOVING
from tests.contributions.conftest import TODAY, Season, build_season
from tests.factories import Cast, make_registration, make_resident
from townships.models import CollectingUnit

RATES = [
    {"code": "all", "insurance": "medical", "denominator": "in_scope"},
    {"code": "a", "insurance": "pension", "ages": [45, 59], "rate": "95%", "denominator": "residents"},
    {"code": "b", "insurance": "pension", "ages": [16, 44], "rate": "60%", "denominator": "enrolled"},
]


@dataclass
class Count:
    """The season, its task table and people made one by one."""

    season: Season

    @property
    def cast(self) -> Cast:
        """County, townships, units, users."""
        return self.season.cast

    @property
    def plan(self) -> CollectionPlan:
        """The plan."""
        return self.season.plan

    def person(
        self,
        unit: CollectingUnit,
        *,
        insurance: str = "medical",
        age: int = 37,
        decision: str = "accept",
        personal: str | None = "350.00",
        government: str = "0.00",
    ) -> Charge | None:
        """Somebody assessed; registered and charged unless ``personal`` is None."""
        where = {"township_id": unit.township_id, "unit": unit}
        what = {
            "plan": self.plan,
            "insurance": insurance,
            "coverage_year": 2023,
            "age": age,
            "priced_on": TODAY,
        }
        with places_scope(self.cast.places):
            resident = make_resident(self.cast, unit)
            Assessment.objects.create(resident=resident, decision=decision, **where, **what)
            if personal is None:
                return None
            own, paid_for = Decimal(personal), Decimal(government)
            charge: Charge = Charge.objects.create(
                registration=make_registration(self.cast, resident, self.plan, insurance), resident=resident,
                household_id=resident.household_id, for_year=2023, decision=decision, personal_amount=own,
                government_paid_amount=paid_for, total_amount=own + paid_for, **where, **what,
            )  # fmt: skip
            return charge

    def pay(self, *charges: Charge | None, **values: Any) -> int:
        """Pay through the service as the unit's township would; returns the payment's id."""
        order = self.season.order(*[c for c in charges if c is not None], **values)
        return record_payment(by=self.cast.user("tax_bureau"), order=order).payment.pk

    def confirm(self, payment: int, *, settled_on: date | None = None, amount: str | None = None) -> None:
        """The tax bureau's result for every line of a payment, of its day."""
        with places_scope(self.cast.places):
            for line in PaymentLine.objects.filter(payment_id=payment).select_related("payment"):
                TaxEntry.objects.create(
                    township_id=line.township_id, unit_id=line.unit_id, batch=1, plan=self.plan,
                    registration_id=line.registration_id, payment_line=line, insurance=line.insurance,
                    coverage_year=2023, amount=Decimal(amount) if amount else line.amount,
                    invoiced_on=line.payment.paid_on, settled_on=settled_on, voucher=f"V{line.pk}",
                )  # fmt: skip

    def targets(self, insurance: str, jia: int, yi: int, printed: int | None = None) -> None:
        """Rows of the task table, and the printed total."""
        rows = [(self.cast.jia, jia), (self.cast.yi, yi)]
        for township, headcount in rows:
            Target.objects.create(plan=self.plan, township=township, insurance=insurance, headcount=headcount)
        if printed is not None:
            Target.objects.create(plan=self.plan, township=None, insurance=insurance, headcount=printed)

    def sums(self, **of: Any) -> dict[str, Any]:
        """Folded figures added up."""
        names = ["in_scope", "registered", "due", "due_amount", "exempt", *MOVING]
        with places_scope(self.cast.places):
            return UnitFigure.objects.filter(plan=self.plan, **of).aggregate(
                **{n: Sum(n, default=0) for n in names}
            )

    def rows(self) -> tuple[list[Any], list[Any]]:
        """All cells and days as stored, without ids; cells and days that hold nothing but zeros left out."""
        with places_scope(self.cast.places):
            cells = UnitFigure.objects.order_by("unit_id", "insurance", "band").values()
            days = UnitDay.objects.order_by("unit_id", "insurance", "day").values()
            return [_plain(row) for row in cells], [
                _plain(row) for row in days if row["paid_amount"] or row["paid"]
            ]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}


def dress(season: Season) -> Count:
    """Stages and printed rates on a season's plan."""
    CollectionPlan.objects.filter(pk=season.plan.pk).update(document={"rates": RATES})
    Stage.objects.create(
        plan=season.plan,
        kind="collection",
        name="集中缴费阶段",
        starts_on=date(2022, 10, 16),
        ends_on=date(2022, 12, 31),
    )
    season.plan.refresh_from_db()
    return Count(season)


@pytest.fixture
def county(db: None) -> Iterator[Count]:
    """A season inside a transaction that sees the county, rolled back after the test."""
    made = dress(build_season())
    with places_scope(made.cast.places):
        yield made


@pytest.fixture
def committed(stack: str) -> Count:
    """The same, committed, in a database of this test's own."""
    del stack
    return dress(build_season())


def days_ago(days: int) -> date:
    """A day before the county's today."""
    return TODAY - timedelta(days=days)
