"""A season whose people owe both insurances, pay part of it, and stand on rosters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from contributions.models import Charge, Payment, TaxEntry
from contributions.services.payments import record_payment
from enrollment.models import Household, Registration, Resident, Stage
from foundation.encryption import get_keyring
from foundation.scope.context import places_scope
from rosters.models import Roster, RosterKind, RosterLine
from rosters.services.sealing import Sealed, seal_units
from tests.contributions.conftest import TODAY, Season, build_season
from tests.factories import make_household, make_registration, make_resident
from townships.models import CollectingUnit


@dataclass
class Village:
    """A season with the shorthands of a roster's tests."""

    season: Season

    @property
    def cast(self) -> Any:
        """Who is there."""
        return self.season.cast

    @property
    def plan(self) -> Any:
        """The plan of the season."""
        return self.season.plan

    def household(self, unit: CollectingUnit, number: str, group: str = "1组", head: str = "") -> Household:
        """A household with a chosen number and group."""
        return make_household(self.cast, unit, number=number, group=group, head=head)

    def person(
        self,
        household: Household | None,
        name: str,
        *,
        relation: str = "",
        is_head: bool = False,
        **values: Any,
    ) -> Resident:
        """A member of a household."""
        assert household is not None
        return make_resident(
            self.cast, household.unit, household=household, name=name, relation=relation, is_head=is_head, **values
        )  # fmt: skip

    def owes(
        self,
        person: Resident,
        insurance: str = "medical",
        *,
        personal: str = "350.00",
        government: str = "0.00",
        age: int = 37,
        **registration: Any,
    ) -> Charge:
        """Register a person and price it by hand: pricing is the evaluator's business, tested elsewhere."""
        tier = Decimal(personal) if insurance == "pension" else None
        registered = make_registration(self.cast, person, self.plan, insurance, tier=tier)
        with places_scope(self.cast.places):
            if registration:
                Registration.objects.filter(pk=registered.pk).update(**registration)
            charge: Charge = Charge.objects.create(
                township_id=person.township_id, unit_id=person.unit_id, plan=self.plan, insurance=insurance,
                coverage_year=2023, for_year=2023, registration=registered, resident=person,
                household_id=person.household_id, age=age, decision="accept", tier=tier,
                personal_amount=Decimal(personal), government_paid_amount=Decimal(government),
                total_amount=Decimal(personal) + Decimal(government), priced_on=TODAY,
            )  # fmt: skip
        return charge

    def family(
        self, unit: CollectingUnit, number: str, names: Sequence[str], *, group: str = "1组", **values: Any
    ) -> list[Charge]:
        """A household whose members all owe for medical insurance; the first is its head."""
        home = self.household(unit, number, group, head=names[0])
        return [
            self.owes(self.person(home, name, relation="户主" if i == 0 else "子", is_head=i == 0), **values)
            for i, name in enumerate(names)
        ]

    def pay(self, *charges: Charge, voucher: str = "") -> Payment:
        """Record a payment of these charges; with a voucher the tax side has confirmed its lines."""
        with places_scope(self.cast.places):
            payment = record_payment(
                by=self.cast.user("township_clerk"), order=self.season.order(*charges)
            ).payment
            if voucher:
                for i, line in enumerate(payment.lines.order_by("pk")):
                    TaxEntry.objects.create(
                        township_id=line.township_id, unit_id=line.unit_id, batch=1, plan=self.plan,
                        registration_id=line.registration_id, payment_line=line, insurance=line.insurance,
                        coverage_year=2023, amount=line.amount, invoiced_on=TODAY, voucher=f"{voucher}{i}",
                    )  # fmt: skip
        return payment

    def seal(
        self, *units: CollectingUnit, kind: RosterKind = RosterKind.LEVY, on: date = TODAY, job: Any = None
    ) -> Sealed:
        """Seal the rosters of units (default 东村) as the tax bureau."""
        chosen = units or (self.cast.dong,)
        with places_scope(self.cast.places):
            return seal_units(
                by=self.cast.user("tax_bureau"), plan=self.plan, kind=kind, units=[u.pk for u in chosen],
                as_of=on, job=job,
            )  # fmt: skip

    def roster(self, unit: CollectingUnit | None = None, kind: RosterKind = RosterKind.LEVY) -> Roster:
        """The latest version of a unit."""
        with places_scope(self.cast.places):
            rosters = Roster.objects.filter(unit=unit or self.cast.dong, kind=kind).order_by("-version")
            latest: Roster = rosters.select_related("plan__county", "township", "unit__village")[0]
        return latest

    def lines(self, roster: Roster) -> list[RosterLine]:
        """Its lines in order."""
        with places_scope(self.cast.places):
            return list(RosterLine.objects.filter(roster=roster).order_by("position"))


def build_village() -> Village:
    """The season with the publicity stage of the real plan."""
    season = build_season()
    Stage.objects.create(
        plan=season.plan, kind="collection", name="集中缴费阶段", starts_on=date(2022, 10, 16), ends_on=date(2022, 12, 31)
    )  # fmt: skip
    Stage.objects.create(
        plan=season.plan, kind="publicity", name="公示阶段", starts_on=date(2023, 1, 1), ends_on=date(2023, 1, 31)
    )  # fmt: skip
    return Village(season)


@pytest.fixture
def village(db: None) -> Iterator[Village]:
    """A season inside a transaction that sees the county, rolled back after the test."""
    made = build_village()
    with places_scope(made.cast.places):
        yield made


def number_of(line: RosterLine) -> str:
    """The ID number of a line, opened."""
    return get_keyring().decrypt(line.number_encrypted or b"")
