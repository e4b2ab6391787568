"""Callers of the API, each under no scope but their own, and units filled with residents."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from contributions.models import Charge
from enrollment.models import Household, Registration, Resident
from foundation.encryption import get_keyring
from foundation.identity import make_number
from foundation.pinyin import initials
from foundation.scope.context import places_scope
from foundation.scope.places import NOWHERE
from tests.contributions.conftest import TODAY, Season, build_season
from townships.models import CollectingUnit, User

__all__ = ["TODAY", "Caller", "Season", "a_moment_ago", "body_for", "fill_unit", "session_of", "token_of"]


@pytest.fixture
def season(db: None) -> Iterator[Season]:
    """A season inside a transaction that sees the county, rolled back after the test."""
    made = build_season()
    with places_scope(made.cast.places):
        yield made


@dataclass
class Caller:
    """Sends requests as one person. Around each the transaction sees nothing: the request must find its own scope."""

    client: Client
    headers: dict[str, str]

    def get(self, path: str, **query: Any) -> Any:
        """GET below /api/v1/."""
        with places_scope(NOWHERE):
            return self.client.get(f"/api/v1/{path}", query, headers=self.headers)

    def post(self, path: str, body: Any) -> Any:
        """POST JSON (or bytes as they are) below /api/v1/."""
        data = body if isinstance(body, bytes) else json.dumps(body)
        with places_scope(NOWHERE):
            return self.client.post(
                f"/api/v1/{path}", data, content_type="application/json", headers=self.headers
            )


def token_of(user: User, *, language: str = "zh-hans") -> Caller:
    """Signs in by token, like a script or a tablet."""
    token, _made = Token.objects.get_or_create(user=user)
    return Caller(Client(), {"Authorization": f"Token {token.key}", "Accept-Language": language})


def session_of(user: User, *, language: str = "zh-hans") -> Caller:
    """Signed in at the door, like a page's script. Cross-site checks are on."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    client.cookies[settings.CSRF_COOKIE_NAME] = "c" * 32
    return Caller(client, {"X-CSRFToken": "c" * 32, "Accept-Language": language})


def a_moment_ago() -> str:
    """Real time, as a device would write it."""
    moment: datetime = timezone.localtime(timezone.now() - timedelta(minutes=1))
    return moment.isoformat(timespec="seconds")


def body_for(*charges: Charge, **changes: Any) -> dict[str, Any]:
    """The body of a payment of these charges as they were shown."""
    amounts = changes.pop("amounts", [f"{c.personal_amount:.2f}" for c in charges])
    lines = [
        {"registration": c.registration_id, "charge": c.pk, "version": c.version, "amount": amount}
        for c, amount in zip(charges, amounts, strict=True)
    ]
    return {
        "client_uuid": str(uuid.uuid4()),
        "handed_over_at": a_moment_ago(),
        "payer_name": "张三",
        "route": "village",
        "means": "qr",
        "received": f"{sum(Decimal(a) for a in amounts):.2f}",
        "lines": lines,
        **changes,
    }


def fill_unit(season: Season, unit: CollectingUnit, count: int) -> list[Resident]:
    """``count`` residents in households of three, registered and charged, written at once."""
    keys, place = get_keyring(), {"township_id": unit.township_id, "unit": unit}
    with places_scope(season.cast.places):
        households = Household.objects.bulk_create(
            Household(
                **place, village=unit.village, number=f"F{n:05d}", group_name=f"{n % 7 + 1}组",
                house_number=str(n), head_name=f"户主{n}", walk=n // 2,
            )
            for n in range((count + 2) // 3)
        )  # fmt: skip
        residents = []
        for n in range(count):
            birth = date(1940, 1, 1) + timedelta(days=n * 17)
            number, household = make_number(f"37040{unit.position}", birth, n % 998 + 1), households[n // 3]
            name = household.head_name if n % 3 == 0 else f"李四{n}"
            residents.append(
                Resident(
                    **place, county_id=season.cast.county.pk, village=unit.village, household=household,
                    name=name, initials=initials(name), is_head=n % 3 == 0, birth_date=birth,
                    number_encrypted=keys.encrypt(number), number_index=keys.blind_index(number),
                    tail_index=keys.tail_index(season.cast.county.code, number[-4:]),
                )
            )  # fmt: skip
        residents = Resident.objects.bulk_create(residents)
        registrations = Registration.objects.bulk_create(
            Registration(
                **place, village=unit.village, resident=r, plan=season.plan, insurance="medical",
                coverage_year=2023,
            )
            for r in residents
        )  # fmt: skip
        Charge.objects.bulk_create(
            Charge(
                **place, plan=season.plan, insurance="medical", coverage_year=2023, for_year=2023, registration=g,
                resident_id=g.resident_id, age=40, decision="accept", personal_amount=Decimal("350.00"),
                fiscal_subsidy_amount=Decimal("610.00"), total_amount=Decimal("960.00"), priced_on=TODAY,
            )
            for g in registrations
        )  # fmt: skip
    return residents
