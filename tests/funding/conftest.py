"""A small county under the rules of 003 (资助 and 代缴 apart) or of 000 (payers unnamed), and people of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from django.test import Client

from contributions.models import Charge, FundingRequest
from contributions.services.assess import assess
from contributions.services.funding import make_requests, take_step
from enrollment.models import Category, CollectionPlan, Membership, Registration, Resident
from foundation.clock.services import set_business_date
from foundation.encryption import get_keyring
from foundation.scope.context import places_scope, scope
from foundation.scope.places import NOWHERE
from subsidies.queries import fixture_path, known_categories
from subsidies.rules.parse import load_plan_text
from subsidies.services.plans import store_plan
from tests.factories import Cast, make_cast, make_registration, make_resident, password_hash
from townships.models import Agency, AgencyKind, CollectingUnit, Role, Township, User

TODAY = date(2022, 11, 30)
MADE_ON = date(2022, 11, 10)


@dataclass
class Town:
    """The cast, its plan, and the departments' accounts."""

    cast: Cast
    plan: CollectionPlan
    departments: dict[str, User] = field(default_factory=dict)

    def person(
        self,
        unit: CollectingUnit,
        *,
        categories: dict[str, dict[str, Any]] | None = None,
        registered: bool = True,
        insurance: str = "medical",
        tier: str = "",
        **values: Any,
    ) -> Resident:
        """A resident, registered unless said otherwise, in these groups (code → values of the membership)."""
        values.setdefault("birth_date", date(1985, 5, 5))
        person = make_resident(self.cast, unit, **values)
        if registered:
            row = make_registration(self.cast, person, self.plan, insurance, tier=tier or None)
            with places_scope(self.cast.places):
                Registration.objects.filter(pk=row.pk).update(registered_on=date(2022, 10, 8))
        for code, said in (categories or {}).items():
            self.member(person, code, **said)
        return person

    def member(self, person: Resident, code: str, **said: Any) -> Membership:
        """A membership, certified by civil affairs in January unless said otherwise."""
        group = Category.objects.get(code=code)
        said = {
            "valid_from": date(2022, 1, 1),
            "certified_on": date(2022, 1, 5),
            "grade": None,
            "batch": 1,
        } | said
        with places_scope(self.cast.places):
            made: Membership = Membership.objects.create(
                resident=person,
                category=group,
                township_id=person.township_id,
                unit_id=person.unit_id,
                **said,
            )
        return made

    def assess(self, on: date = TODAY) -> None:
        """What everybody owes as of a day."""
        with places_scope(self.cast.places):
            assess(by=self.cast.user("tax_bureau"), plan=self.plan, on=on)

    def charge(self, person: Resident, insurance: str = "medical") -> Charge:
        """What somebody owes now."""
        with places_scope(self.cast.places):
            found: Charge = Charge.objects.get(resident=person, insurance=insurance, current=True)
        return found

    def user(self, role: str) -> User:
        """The holder of a post."""
        return self.cast.user(role)

    def client(self, user: User | str) -> Visitor:
        """Somebody at his desk; around each request the transaction sees nothing."""
        client = Client()
        person = self.cast.user(user) if isinstance(user, str) else user
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return Visitor(client)

    def make(self, user: User, township: Township | None = None) -> list[FundingRequest]:
        """Draft requests of a department for a township."""
        with scope(user):
            return make_requests(by=user, plan=self.plan, township=township or self.cast.jia, on=MADE_ON)

    def step(self, user: User | str, request: FundingRequest, act: str, **values: Any) -> FundingRequest:
        """Take one step of a request."""
        person = self.cast.user(user) if isinstance(user, str) else user
        with scope(person):
            return take_step(by=person, request=request.pk, act=act, **values)

    def number(self, person: Resident) -> str:
        """Somebody's ID number."""
        assert person.number_encrypted is not None
        return get_keyring().decrypt(person.number_encrypted)


@dataclass
class Visitor:
    """A browser that finds its own scope."""

    client: Client

    def get(self, path: str, **query: Any) -> Any:
        """GET a page."""
        with places_scope(NOWHERE):
            return self.client.get(path, query)

    def file(self, path: str, **query: Any) -> bytes:
        """GET a file, read to its end."""
        response: Any = self.get(path, **query)
        assert response.status_code == 200, response.status_code
        return b"".join(response.streaming_content) if response.streaming else bytes(response.content)

    def post(self, path: str, **body: Any) -> Any:
        """POST a form and follow where it leads."""
        with places_scope(NOWHERE):
            return self.client.post(path, body, follow=True)


def build_town(code: str = "tengzhou-2023", *, posts: str = "", **settings: str) -> Town:
    """The cast under a real plan's rules, as that of our county and without its task table."""
    cast = make_cast()
    text = fixture_path(code).read_text(encoding="utf-8")
    start, end = text.index("\ntargets:"), text.index("\nreadings:")
    text = text[:start] + text[end:]
    text = text.replace('county: "370481"', 'county: "370406"')
    if posts:
        text = text.replace("\npublicity:\n", f"\npublicity:\n{posts}", 1)
    if settings:
        lines = "".join(f"  {name}: {value}\n" for name, value in settings.items())
        text = text.replace("\nsettings:\n", f"\nsettings:\n{lines}", 1)
    store_plan(by=None, book=load_plan_text(text, known_categories()))
    set_business_date(county_code=cast.county.code, day=TODAY)
    town = Town(cast, CollectionPlan.objects.select_related("county").get(code=code))
    civil = cast.user("department")
    town.departments["civil_affairs"] = civil
    for kind, name in (
        (AgencyKind.DISABLED_FEDERATION, "残联"), (AgencyKind.HEALTH, "卫健局"),
        (AgencyKind.RURAL_REVIVAL, "乡村振兴局"), (AgencyKind.VETERANS, "退役军人事务局"),
    ):  # fmt: skip
        agency = Agency.objects.create(county=cast.county, kind=kind, name=f"山亭区{name}")
        town.departments[kind.value] = User.objects.create(
            username=f"department_{kind.value}", password=password_hash(), role=Role.DEPARTMENT,
            county=cast.county, agency=agency, display_name=agency.name,
        )  # fmt: skip
    return town


@pytest.fixture
def town(db: None) -> Iterator[Town]:
    """Under 003, inside a transaction that sees the county."""
    made = build_town()
    with places_scope(made.cast.places):
        yield made


@pytest.fixture
def unnamed(db: None) -> Iterator[Town]:
    """Under 000, whose payers have no names."""
    made = build_town("shanting-2023")
    with places_scope(made.cast.places):
        yield made
