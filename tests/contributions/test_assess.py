"""From facts to charges: the evaluator's answer for real people, kept up to date set-based."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from contributions.models import Assessment, Charge, ChargeShare, FigureRebuild
from contributions.services.assess import assess
from contributions.services.explain import explain
from contributions.services.ledger import verify_ledger
from contributions.services.payments import LineOrder, PaymentOrder, record_payment
from enrollment.models import Category, CollectionPlan, Membership, Resident
from foundation.clock.services import set_business_date
from foundation.scope.context import places_scope
from subsidies.services.plans import load_plan
from tests.factories import Cast, make_cast, make_registration, make_resident
from townships.services.divisions import load_county

TODAY = date(2022, 11, 30)


@dataclass
class County:
    """The cast under the real plan of 山亭区 2023."""

    cast: Cast
    plan: CollectionPlan

    def member(
        self, resident: Resident, category: str, grade: int | None = None, since: date = date(2022, 1, 1)
    ) -> None:
        """Put a resident into a special group, from 2022 on unless said otherwise."""
        group, _made = Category.objects.get_or_create(code=category, defaults={"name": category})
        Membership.objects.create(
            resident=resident, category=group, grade=grade, valid_from=since,
            township_id=resident.township_id, unit_id=resident.unit_id,
        )  # fmt: skip


@pytest.fixture
def county(db: None) -> Iterator[County]:
    """A county with its plan loaded, on its day."""
    cast = make_cast()
    load_county(by=None, code="370406")  # the plan's task table names the real townships
    load_plan(by=None, path_or_code="shanting-2023")
    set_business_date(county_code=cast.county.code, day=TODAY)
    with places_scope(cast.places):
        yield County(cast, CollectionPlan.objects.get(code="shanting-2023"))


def test_age_and_group_decide_what_is_due(county: County) -> None:
    """350 for an adult, half at 65, nothing at 75 and for dibao; the payer is the plan's."""
    cast = county.cast
    people = {
        "adult": make_resident(cast, cast.dong, birth_date=date(1985, 5, 5)),
        "65": make_resident(cast, cast.dong, birth_date=date(1957, 5, 5)),
        "75": make_resident(cast, cast.dong, birth_date=date(1947, 5, 5)),
        "dibao": make_resident(cast, cast.dong, birth_date=date(1990, 5, 5)),
    }
    county.member(people["dibao"], "dibao")
    for person in people.values():
        make_registration(cast, person, county.plan)
    result = assess(by=None, plan=county.plan)
    due = {name: Charge.objects.get(resident=p, insurance="medical") for name, p in people.items()}
    assert {name: c.personal_amount for name, c in due.items()} == {
        "adult": Decimal("350.00"), "65": Decimal("175.00"), "75": Decimal("0.00"), "dibao": Decimal("0.00"),
    }  # fmt: skip
    assert {c.total_amount for c in due.values()} == {Decimal("960.00")}
    shares = ChargeShare.objects.filter(charge=due["65"])
    assert [(s.payer, s.amount) for s in shares] == [("government_or_department", Decimal("175.00"))]
    assert result.charges == 4
    assert result.shares["personal"] == Decimal("525.00")
    assert verify_ledger().ok
    assert FigureRebuild.objects.filter(plan=county.plan).exists()


def test_unregistered_people_are_assessed_but_owe_nothing(county: County) -> None:
    """应参保 counts everybody in scope; only a registration is charged."""
    person = make_resident(county.cast, county.cast.dong)
    assess(by=None, plan=county.plan)
    assert Assessment.objects.get(resident=person, insurance="medical").decision == "accept"
    assert not Charge.objects.exists()


def test_second_run_changes_nothing(county: County) -> None:
    """Assess is idempotent, and another date inside the same window is no new charge."""
    make_registration(county.cast, make_resident(county.cast, county.cast.dong), county.plan)
    assess(by=None, plan=county.plan)
    again = assess(by=None, plan=county.plan, on=date(2022, 12, 1))
    assert (again.changed, again.charges) == (0, 0)
    assert Charge.objects.count() == 1


def test_changed_fact_gives_a_new_version(county: County) -> None:
    """A charge is never edited: the new group supersedes it, and the old version stays readable."""
    person = make_resident(county.cast, county.cast.dong)
    make_registration(county.cast, person, county.plan)
    assess(by=None, plan=county.plan)
    county.member(person, "tekun")
    result = assess(by=None, plan=county.plan)
    versions = Charge.objects.order_by("version").values_list("version", "current", "personal_amount")
    assert list(versions) == [(1, False, Decimal("350.00")), (2, True, Decimal("0.00"))]
    assert (result.changed, result.charges) == (1, 1)


def test_what_is_paid_stays_as_determined(county: County) -> None:
    """X27: a group gained after payment changes the assessment, never the paid charge."""
    person = make_resident(county.cast, county.cast.dong)
    registration = make_registration(county.cast, person, county.plan)
    assess(by=None, plan=county.plan)
    charge = Charge.objects.get()
    line = LineOrder(registration.pk, charge.pk, 1, Decimal("350.00"))
    record_payment(
        by=county.cast.user("village_agent"),
        order=PaymentOrder(
            client_uuid=uuid.uuid4(), handed_over_at=timezone.now(), route="village", means="qr",
            received=Decimal("350.00"), lines=(line,),
        ),
    )  # fmt: skip
    county.member(person, "tekun", since=date(2022, 12, 5))
    result = assess(by=None, plan=county.plan, on=date(2022, 12, 6))
    assert result.kept_as_paid == 1
    assert Charge.objects.get(current=True).personal_amount == Decimal("350.00")


def test_refused_registration_owes_nothing(county: County) -> None:
    """A pupil of 17 registered for pension is refused, and has no charge."""
    pupil = make_resident(county.cast, county.cast.dong, birth_date=date(2005, 5, 5), in_school=True)
    make_registration(county.cast, pupil, county.plan, "pension", Decimal("300"))
    result = assess(by=None, plan=county.plan)
    assert Assessment.objects.get(resident=pupil, insurance="pension").reason == "in_school"
    assert result.charges == 0


def test_township_alone(county: County) -> None:
    """A township's run touches nobody else."""
    cast = county.cast
    for unit in (cast.dong, cast.nan):
        make_registration(cast, make_resident(cast, unit), county.plan)
    assess(by=None, plan=county.plan, townships=[cast.jia.pk])
    assert list(Charge.objects.values_list("unit_id", flat=True)) == [cast.dong.pk]


def test_every_yuan_is_explained_with_its_clause(county: County) -> None:
    """The phone call “why is it this amount?” ends with the paper's own words."""
    person = make_resident(county.cast, county.cast.dong, birth_date=date(1957, 5, 5))
    make_registration(county.cast, person, county.plan)
    assess(by=None, plan=county.plan)
    (medical,) = explain(plan=county.plan, resident=person)
    assert (medical.decision, medical.benefit_start) == ("accept", date(2023, 1, 1))
    assert {p.payer: p.amount for p in medical.parts} == {
        "personal": Decimal("175.00"), "government_or_department": Decimal("175.00"),
        "fiscal_subsidy": Decimal("610.00"),
    }  # fmt: skip
    assert all(p.clause and p.lines for p in medical.parts)
    assert any("60-69岁" in p.clause for p in medical.parts)


def test_another_tier_at_the_till_becomes_what_he_owes(county: County) -> None:
    """A payer of 300 takes 500: the charge gets a new version, is paid by it, and a later run keeps it."""
    person = make_resident(county.cast, county.cast.dong, birth_date=date(1975, 5, 5))
    registration = make_registration(county.cast, person, county.plan, "pension", Decimal("300"))
    assess(by=None, plan=county.plan)
    shown = Charge.objects.get(insurance="pension")
    line = LineOrder(registration.pk, shown.pk, shown.version, Decimal("500.00"), tier=Decimal("500"))
    answer = record_payment(
        by=county.cast.user("village_agent"),
        order=PaymentOrder(
            client_uuid=uuid.uuid4(), handed_over_at=timezone.now(), route="village", means="qr",
            received=Decimal("500.00"), lines=(line,),
        ),
    )  # fmt: skip
    assert (answer.cases, answer.payment.excess) == ([], Decimal("0.00"))
    assess(by=None, plan=county.plan)
    now = Charge.objects.get(current=True, insurance="pension")
    assert (now.version, now.tier, now.personal_amount) == (2, Decimal("500.00"), Decimal("500.00"))
    assert now.pension_government_subsidy == Decimal("60.00")


def test_money_before_the_season_is_kept_and_asked_about(county: County) -> None:
    """A hand-over dated before the first payment period has a case on the stored payment."""
    registration = make_registration(county.cast, make_resident(county.cast, county.cast.dong), county.plan)
    assess(by=None, plan=county.plan)
    charge = Charge.objects.get()
    answer = record_payment(
        by=county.cast.user("village_agent"),
        order=PaymentOrder(
            client_uuid=uuid.uuid4(), handed_over_at=timezone.now() - timedelta(days=120), route="village",
            means="qr", received=Decimal("350.00"),
            lines=(LineOrder(registration.pk, charge.pk, 1, Decimal("350.00")),),
        ),
    )  # fmt: skip
    assert [c.kind for c in answer.cases] == ["outside_window"]
