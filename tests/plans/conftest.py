"""A county under the real plan of 山亭区 2023, with a handful of people whose amounts are known by heart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from enrollment.models import Category, CollectionPlan, Membership, Resident
from foundation.clock.services import set_business_date
from foundation.scope.context import places_scope
from subsidies.services.plans import load_plan
from tests.factories import Cast, make_cast, make_registration, make_resident
from townships.models import CollectingUnit
from townships.services.divisions import load_county

TODAY = date(2022, 11, 30)


@dataclass
class County:
    """The cast, its plan, and the people by what they are."""

    cast: Cast
    plan: CollectionPlan
    people: dict[str, Resident] = field(default_factory=dict)

    def join(
        self,
        name: str,
        unit: CollectingUnit,
        birth: date,
        *,
        category: str = "",
        tier: str = "",
        **values: Any,
    ) -> None:
        """Somebody registered for medical insurance, and for pension where a tier is given."""
        person = make_resident(self.cast, unit, birth_date=birth, **values)
        make_registration(self.cast, person, self.plan)
        if tier:
            make_registration(self.cast, person, self.plan, "pension", tier=Decimal(tier))
        if category:
            group, _made = Category.objects.get_or_create(code=category, defaults={"name": category})
            with places_scope(self.cast.places):
                Membership.objects.create(
                    resident=person, category=group, valid_from=date(2022, 1, 1), township_id=person.township_id,
                    unit_id=person.unit_id, grade=1 if category == "disabled" else None,
                )  # fmt: skip
        self.people[name] = person

    def client(self, role: str) -> Client:
        """Somebody at his post, signed in."""
        client = Client()
        client.force_login(self.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
        return client


def build_county() -> County:
    """甲镇: an adult with 300 a year for pension, somebody of 65, one of dibao. 乙镇: an adult and somebody of 75."""
    cast = make_cast()
    load_county(by=None, code="370406")  # the plan's task table names the real townships
    load_plan(by=None, path_or_code="shanting-2023")
    set_business_date(county_code=cast.county.code, day=TODAY)
    county = County(cast, CollectionPlan.objects.get(code="shanting-2023"))
    county.join("adult", cast.dong, date(1985, 5, 5), tier="300")
    county.join("65", cast.dong, date(1957, 5, 5))
    county.join("dibao", cast.xi, date(1990, 5, 5), category="dibao")
    county.join("adult of 乙", cast.nan, date(1980, 5, 5))
    county.join("75", cast.nan, date(1947, 5, 5))
    return county


@pytest.fixture
def county(db: None) -> County:
    """The county, rolled back after the test."""
    return build_county()
