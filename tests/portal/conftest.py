"""Two townships with one of everything, so that whatever an office page shows can be told by whose it is."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client

from contributions.models import (
    Amendment,
    AmendmentLine,
    Assessment,
    Charge,
    FundingDifference,
    FundingLine,
    FundingRequest,
    PaidDifference,
    Payment,
    PaymentCase,
    Pledge,
    Sponsor,
    TaxEntry,
)
from contributions.services.payments import record_payment
from enrollment.models import (
    Category,
    FamilyRecord,
    FormerNumber,
    Household,
    MarkStep,
    Membership,
    PendingAssessment,
    PoliceRecord,
    PriorPayment,
    Registration,
    Resident,
    ResidentEvent,
    ResidentPair,
    Transfer,
)
from foundation.scope.context import scope
from notices.models import GrantPosting, Posting
from rosters.models import Roster
from tests.contributions.conftest import TODAY, Season, build_season
from tests.factories import make_resident
from townships.models import CollectingUnit

# Characters that stand in nothing else on any page: whoever shows them shows the other township.
OWN, FOREIGN = "洪甲壬", "鄂乙癸"


@dataclass
class Office:
    """The season, and by model one row of 甲镇 (own) and one of 乙镇 (foreign)."""

    season: Season
    own: dict[type[Model], Any] = field(default_factory=dict)
    foreign: dict[type[Model], Any] = field(default_factory=dict)

    def client(self, role: str) -> Client:
        """A browser where the holder of a post is signed in."""
        client = Client()
        client.force_login(self.season.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
        return client


def _one_of_everything(
    season: Season, unit: CollectingUnit, name: str, category: Category
) -> dict[type[Model], Any]:
    cast, plan = season.cast, season.plan
    place: dict[str, Any] = {"township_id": unit.township_id, "unit": unit}
    charge = season.charge(unit, name=name, address=f"{name}家", phone_tail="4321")
    resident = charge.resident
    answer = record_payment(by=cast.user("tax_bureau"), order=season.order(charge, payer_name=name))
    line = answer.lines[0]
    roster = Roster.objects.create(
        **place, plan=plan, kind="payment", version=1, number=f"P-{name}", as_of=TODAY, digest="0" * 64, line_count=1,
        household_count=1,
        totals={
            "personal": "350.00", "government_paid": "0.00", "paid": "350.00", "medical": {"people": 1},
            "pension": {"people": 0},
        },
    )  # fmt: skip
    membership = Membership.objects.create(
        **place, resident=resident, category=category, valid_from=date(2020, 1, 1), grade=1
    )
    request = FundingRequest.objects.create(
        plan=plan, township_id=unit.township_id, insurance="medical", list_name=name, department="civil_affairs",
        department_name="民政", applicant="civil_affairs", payer="government", serial=unit.pk, heads=1,
        amount=Decimal("1.00"), made_on=TODAY,
        joint="tax", state="settled", disbursed_on=TODAY,
    )  # fmt: skip
    funding_line = FundingLine.objects.create(
        **place, request=request, registration_id=charge.registration_id, charge=charge, payer="government",
        rule="waiver", charge_kind="ordinary", for_year=2023, amount=Decimal("1.00"),
    )  # fmt: skip
    sponsor = Sponsor.objects.create(**place, name=name, kind="collective")
    rows: list[Model] = [
        membership,
        MarkStep.objects.create(**place, membership=membership, to_state="verified", on=TODAY),
        request,
        funding_line,
        FundingDifference.objects.create(
            **place, line=funding_line, cause="died_before_cover", actual=0, difference=Decimal("-1.00")
        ),
        sponsor,
        Pledge.objects.create(
            **place, sponsor=sponsor, registration_id=charge.registration_id, amount=Decimal("1.00"),
            withdrawn_at=datetime(2022, 11, 1, tzinfo=UTC),
        ),
        resident,
        Household.objects.get(residents=resident),
        charge,
        Registration.objects.get(pk=charge.registration_id),
        answer.payment,
        roster,
        FamilyRecord.objects.create(**place, resident=resident, kind="only_child"),
        ResidentEvent.objects.create(
            **place, resident=resident, kind="name_corrected", happened_on=TODAY, detail={"before": {"name": name}}
        ),
        FormerNumber.objects.create(
            **place, resident=resident, id_kind="birth_certificate", number_encrypted=resident.number_encrypted,
            number_index=resident.number_index, until=TODAY,
        ),
        Transfer.objects.create(
            **place, resident=resident, to_unit=unit, name=name, moved_on=TODAY, evidence=name,
            offered_by=cast.user("township_clerk"),
        ),
        ResidentPair.objects.create(
            **place, first=resident, second=make_resident(cast, unit, merged_into=resident), verdict="same", reason=name,
            decided_by=cast.user("township_clerk"),
        ),
        PoliceRecord.objects.create(
            **place, county_id=cast.county.pk, village_id=resident.village_id, name=name, head_name=name,
            number_encrypted=resident.number_encrypted, number_index=resident.number_index,
        ),
        PriorPayment.objects.create(
            **place, county_id=cast.county.pk, name=name, number_encrypted=resident.number_encrypted,
            number_index=resident.number_index, insurance="medical", coverage_year=2022, amount=320, voucher=name,
        ),
        Assessment.objects.create(
            **place, resident=resident, plan=plan, insurance="medical", coverage_year=2023, decision="accept",
            priced_on=TODAY,
        ),
        PaymentCase.objects.create(**place, kind="excess", payment=answer.payment, amount=Decimal("1.00"), outcome=name),
        TaxEntry.objects.create(
            **place, batch=1, plan=plan, registration_id=charge.registration_id, payment_line=line,
            insurance="medical", coverage_year=2023, amount=line.amount, invoiced_on=TODAY, voucher=f"V{uuid.uuid4().hex[:9]}",
            channel=name,
        ),
        AmendmentLine.objects.create(
            **place, amendment=Amendment.objects.get_or_create(
                plan=plan, defaults={"from_version": 1, "to_version": 2, "draft": plan}
            )[0],
            registration_id=charge.registration_id, resident=resident, insurance="medical", outcome="reprice",
            charge=charge, personal_before=350, personal_after=380,
        ),
        PaidDifference.objects.create(
            **place, registration_id=charge.registration_id, resident=resident, plan=plan, plan_version=1,
            insurance="medical", coverage_year=2023, cause="facts", outcome="keep", setting="waiver.lost_after_payment",
            charge_before=charge, payment=answer.payment, paid_on=TODAY, paid=350, personal_before=350,
            personal_after=700, difference=350, government_before=0, government_after=0, found_on=TODAY,
        ),
        PendingAssessment.objects.create(**place, resident=resident, why="list"),
        GrantPosting.objects.create(
            **place, plan=plan, list_code="x", list_name="x", as_of=TODAY, entries=[["1", name, "x"]], heads=1,
            digest="0" * 64, opens_on=TODAY, closes_on=TODAY, created_by=cast.user("township_clerk"),
        ),
        Posting.objects.create(
            **place, roster=roster, opens_on=TODAY, closes_on=TODAY, place=name, created_by=cast.user("township_clerk")
        ),
    ]  # fmt: skip
    return {type(row): row for row in rows}


GUARDED = (
    Resident, Household, Charge, Registration, Payment, Roster, Membership, FamilyRecord, Assessment, PaymentCase,
    TaxEntry, Posting, PriorPayment,
)  # fmt: skip


def build_office() -> Office:
    """One of everything on both sides."""
    season = build_season()
    category = Category.objects.filter(code="disabled").first() or Category.objects.create(
        code="disabled", name="残疾"
    )
    office = Office(season)
    with scope(season.cast.user("tax_bureau")):
        office.own = _one_of_everything(season, season.cast.dong, OWN, category)
        office.foreign = _one_of_everything(season, season.cast.nan, FOREIGN, category)
    return office


@pytest.fixture
def office(db: None) -> Office:
    """The office's data, rolled back after the test."""
    return build_office()
