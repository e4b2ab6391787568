"""The year's end by actual heads, sponsors beside the policy, cover by certification."""

from __future__ import annotations

import io
import uuid
from datetime import date
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from contributions.models import (
    Charge,
    FundingDifference,
    FundingLine,
    FundingRequest,
    PaymentLine,
    Pledge,
    Sponsor,
)
from contributions.queries import paid_by_registration, unit_residents
from contributions.services.disbursement import pay_lines
from contributions.services.explain import explain
from contributions.services.funding import finish_step
from contributions.services.ledger import verify_ledger
from contributions.services.payments import record_payment
from contributions.services.sponsors import add_sponsor, pay_pledges, pledge, withdraw_pledge
from enrollment.models import Membership, Registration, Resident
from foundation.clock.services import set_business_date
from foundation.http import Problem
from progress.services.figures import rebuild
from tests.contributions.conftest import Season
from tests.funding.conftest import Town
from townships.models import CollectingUnit

ZERO = Decimal("0.00")


def _disburse(town: Town, request: FundingRequest) -> None:
    """Pay a request out within the test's transaction."""
    FundingRequest.objects.filter(pk=request.pk).update(
        disbursed_on=date(2022, 11, 20), payer_name="市财政", state="approved"
    )
    row = FundingRequest.objects.select_related("plan__county", "township").get(pk=request.pk)
    lines = list(FundingLine.objects.filter(request=row).values_list("pk", flat=True))
    pay_lines(request=row, lines=lines, by=town.user("finance_bureau"))
    finish_step(by=town.user("finance_bureau"), request=row, act="disburse", on=date(2022, 11, 20))


def test_settlement_by_who_was_actually_covered(town: Town) -> None:
    """Died before cover, became an employee, closed, never paid his own half: to return; the rest stands."""
    dong = town.cast.dong
    names = ("在保", "先死了", "后死了", "有了工作", "销号了")
    people = {name: town.person(dong, name=name, birth_date=date(1950, 5, 5)) for name in names}
    half = {
        name: town.person(dong, name=name, birth_date=date(1957, 5, 5)) for name in ("缴了一半", "没缴一半")
    }
    town.assess()
    season = Season(town.cast, town.plan)
    record_payment(by=town.user("tax_bureau"), order=season.order(town.charge(half["缴了一半"])))
    health = town.departments["health"]
    request = town.make(health)[0]
    assert (request.heads, request.amount) == (7, Decimal("2100.00"))
    _disburse(town, request)
    Resident.objects.filter(pk=people["先死了"].pk).update(death_date=date(2022, 12, 20))
    Resident.objects.filter(pk=people["后死了"].pk).update(death_date=date(2023, 3, 1))
    Resident.objects.filter(pk=people["有了工作"].pk).update(employee_medical=True)
    Registration.objects.filter(resident=people["销号了"]).update(closing_reason="户口迁出")
    end = date(2023, 12, 20)
    set_business_date(county_code=town.cast.county.code, day=end)
    town.assess(on=end)
    finance = town.client("finance_bureau")
    assert "结算并关闭" in finance.get(f"/funding/{request.pk}/").content.decode()
    page = finance.post(f"/funding/{request.pk}/step/", act="settle").content.decode()
    assert "已按实际人数结算" in page
    assert "应退回" in page
    found = {
        d.line.registration.resident.name: (d.cause, d.difference)
        for d in FundingDifference.objects.select_related("line__registration__resident")
    }
    assert found == {
        "先死了": ("died_before_cover", Decimal("-350.00")), "有了工作": ("refused", Decimal("-350.00")),
        "销号了": ("closed", Decimal("-350.00")), "没缴一半": ("own_part_unpaid", Decimal("-175.00")),
    }  # fmt: skip
    sheet = load_workbook(io.BytesIO(finance.file(f"/funding/{request.pk}/settlement.xlsx"))).worksheets[0]
    text = [[cell.value for cell in row] for row in sheet.iter_rows()]
    total = next(row for row in text if row[0] == "合计")
    assert -1225 in total
    proof = verify_ledger()
    assert proof.broken["settlements_add_up"] == 0
    assert proof.broken["paid_out_requests_are_paid"] == 0
    again = finance.post(f"/funding/{request.pk}/step/", act="settle").content.decode()
    assert "不能这样办" in again


# sponsors


@pytest.fixture
def helped(unnamed: Town) -> Town:
    """000 lets an employer, a village or a person take over somebody's own part."""
    return unnamed


def _sponsor(town: Town) -> Sponsor:
    return add_sponsor(
        by=town.user("township_clerk"), unit=town.cast.dong, name="东村合作社", kind="collective"
    )


@pytest.mark.covers("E053")
def test_a_sponsor_takes_part_of_what_the_resident_owes(helped: Town) -> None:
    """A pledge of 100: the till asks 250, the API says so, and the amount stands under the sponsor's own name."""
    town = helped
    person = town.person(town.cast.dong, name="受助人")
    town.assess()
    charge = town.charge(person)
    made = _sponsor(town)
    pledge(
        by=town.user("township_clerk"), sponsor=made.pk, wanted=[(charge.registration_id, Decimal("100.00"))]
    )
    unit = CollectingUnit.objects.select_related("township__county").get(pk=town.cast.dong.pk)
    told = unit_residents(town.user("tax_bureau"), unit)["results"][0]["charges"][0]
    assert (told["due"], told["paid"]) == ("250.00", "0.00")
    text = town.client("village_agent").get(
        f"/village/{town.cast.dong.code}/{person.household_id}/"
    ).content.decode()  # fmt: skip
    assert "资助人替缴 100.00 元" in text
    assert 'data-yuan="250.00"' in text
    shares = {part.payer: part.amount for part in explain(plan=town.plan, resident=person)[0].parts}
    assert shares["sponsor"] == Decimal("100.00")
    assert shares["personal"] == Decimal("250.00")
    assert town.charge(person).waiver_code == ""  # never a category


@pytest.mark.covers("E053")
def test_the_sponsors_money_and_the_residents_add_up(helped: Town) -> None:
    """Neither alone makes the part paid; both do, on the day the last of it comes."""
    town = helped
    person = town.person(town.cast.dong)
    town.assess()
    charge = town.charge(person)
    clerk, made = town.user("township_clerk"), _sponsor(town)
    pledge(by=clerk, sponsor=made.pk, wanted=[(charge.registration_id, Decimal("100.00"))])
    season = Season(town.cast, town.plan)
    answer = record_payment(by=town.user("tax_bureau"), order=season.order(charge, amounts=["250.00"]))
    assert [case.kind for case in answer.cases] == []
    rebuild(town.plan)
    assert _figure(town, "paid") == 0
    key = uuid.uuid4()
    first = pay_pledges(by=clerk, sponsor=made.pk, client_uuid=key)
    assert [p.pk for p in pay_pledges(by=clerk, sponsor=made.pk, client_uuid=key)] == [p.pk for p in first]
    assert paid_by_registration([charge.registration_id]) == {charge.registration_id: Decimal("350.00")}
    rebuild(town.plan)
    assert _figure(town, "paid") == 1
    line = PaymentLine.objects.get(part="sponsor")
    assert (line.amount, line.payment.payer_name) == (Decimal("100.00"), "东村合作社")
    assert verify_ledger().ok
    with pytest.raises(Problem):
        pay_pledges(by=clerk, sponsor=made.pk, client_uuid=uuid.uuid4())


def _figure(town: Town, name: str) -> Decimal | int:
    from django.db.models import Sum

    from progress.models import UnitFigure

    return UnitFigure.objects.filter(plan=town.plan).aggregate(n=Sum(name))["n"] or ZERO


def test_what_is_promised_too_much_or_to_nobody_is_refused(helped: Town) -> None:
    """More than is open, somebody who pays nothing, a second pledge, another township: refused, nothing written."""
    town = helped
    person = town.person(town.cast.dong)
    waived = town.person(town.cast.dong, categories={"dibao": {}})
    foreign = town.person(town.cast.nan)
    town.assess()
    clerk, made = town.user("township_clerk"), _sponsor(town)
    registration = town.charge(person).registration_id
    for wanted, code in (
        ([(registration, Decimal("351.00"))], "too_much"),
        ([(town.charge(waived).registration_id, None)], "nothing_open"),
        ([(town.charge(foreign).registration_id, None)], "not_found"),
        ([(registration, None), (town.charge(waived).registration_id, None)], "nothing_open"),
        ([], "nobody"),
    ):
        with pytest.raises(Problem) as caught:
            pledge(by=clerk, sponsor=made.pk, wanted=wanted)
        assert caught.value.code == code
    assert not Pledge.objects.exists()
    pledge(by=clerk, sponsor=made.pk, wanted=[(registration, None)])
    with pytest.raises(Problem):
        pledge(by=clerk, sponsor=made.pk, wanted=[(registration, None)])


def test_a_promise_taken_back_is_asked_of_the_resident_again(helped: Town) -> None:
    """Withdrawn before it is paid: the till asks the whole amount."""
    town = helped
    person = town.person(town.cast.dong)
    town.assess()
    clerk, made = town.user("township_clerk"), _sponsor(town)
    promised = pledge(by=clerk, sponsor=made.pk, wanted=[(town.charge(person).registration_id, None)])[0]
    withdraw_pledge(by=clerk, pledge=promised.pk)
    unit = CollectingUnit.objects.select_related("township__county").get(pk=town.cast.dong.pk)
    assert unit_residents(town.user("tax_bureau"), unit)["results"][0]["charges"][0]["due"] == "350.00"
    with pytest.raises(Problem):
        withdraw_pledge(by=clerk, pledge=promised.pk)


def test_a_plan_without_sponsors_takes_none(town: Town) -> None:
    """003 prints no sponsors: refused with a sentence."""
    person = town.person(town.cast.dong)
    town.assess()
    made = _sponsor(town)
    with pytest.raises(Problem, match="没有写资助人"):
        pledge(
            by=town.user("township_clerk"),
            sponsor=made.pk,
            wanted=[(town.charge(person).registration_id, None)],
        )


@pytest.mark.covers("E053")
def test_sponsors_through_the_pages(helped: Town) -> None:
    """Enter a sponsor, find people, promise, record the payment: what each page says."""
    town = helped
    person = town.person(town.cast.dong, name="赵受助")
    town.assess()
    clerk = town.client("township_clerk")
    page = clerk.post("/funding/sponsors/", unit=town.cast.dong.code, name="某某食品厂", kind="employer")
    sponsor = Sponsor.objects.get()
    path = f"/funding/sponsors/{sponsor.pk}/"
    assert "某某食品厂" in page.content.decode()
    found = clerk.get(path, q="赵受助").content.decode()
    registration = town.charge(person).registration_id
    assert f'name="amount-{registration}"' in found
    said = clerk.post(path, act="pledge", registration=registration, **{f"amount-{registration}": "50"})
    assert "已登记资助 1 人，共 50" in said.content.decode()
    wrong = clerk.post(path, act="pledge", registration=registration, **{f"amount-{registration}": "五十"})
    assert "不是金额" in wrong.content.decode()
    paid = clerk.post(path, act="pay", client_uuid=str(uuid.uuid4()), means="transfer").content.decode()
    assert "已记下 某某食品厂付的 50.00 元" in paid
    assert town.client("clerk_yi").get(path).status_code == 404
    assert town.client("tax_bureau").get(path).status_code == 200
    assert town.client("tax_bureau").post(path, act="withdraw", pledge="1").status_code == 403


# cover (X26)


def test_cover_follows_the_certification_not_the_money(town: Town) -> None:
    """Certified within the period, assessed and paid for in February: covered from 1 January."""
    people = {
        "名单": town.person(town.cast.dong, categories={"dibao": {}}),
        "年龄": town.person(town.cast.dong, birth_date=date(1950, 5, 5)),
        "自己缴": town.person(town.cast.dong),
    }
    late = date(2023, 2, 10)
    set_business_date(county_code=town.cast.county.code, day=late)
    town.assess(on=late)
    assert town.charge(people["名单"]).benefit_start == date(2023, 1, 1)
    assert town.charge(people["年龄"]).benefit_start == date(2023, 1, 1)
    assert town.charge(people["自己缴"]).benefit_start == date(2023, 6, 1)
    request = town.make(town.user("medical_bureau"))[0]
    _disburse(town, request)
    assert town.charge(people["名单"]).benefit_start == date(2023, 1, 1)
    text = town.client("medical_bureau").get(
        f"/admin/enrollment/resident/{people['名单'].pk}/change/"
    ).content.decode()  # fmt: skip
    assert "财政已于 2022-11-20 拨付 350.00 元" in text
    other = town.client("medical_bureau").get(
        f"/admin/enrollment/resident/{people['年龄'].pk}/change/"
    ).content.decode()  # fmt: skip
    assert "财政还没有拨付，不影响待遇" in other


def test_certified_or_registered_after_the_period_waits(town: Town) -> None:
    """A new certification in February waits three months from it; so does a registration made then (003 L39)."""
    certified = town.person(
        town.cast.dong,
        categories={"dibao": {"valid_from": date(2023, 2, 1), "certified_on": date(2023, 2, 6)}},
    )
    registered = town.person(town.cast.dong, categories={"dibao": {}})
    unknown = town.person(town.cast.dong, categories={"dibao": {}})
    Registration.objects.filter(resident=registered).update(registered_on=date(2023, 2, 6))
    Registration.objects.filter(resident=unknown).update(registered_on=None)
    march = date(2023, 3, 20)
    set_business_date(county_code=town.cast.county.code, day=march)
    town.assess(on=march)
    assert town.charge(certified).benefit_start == date(
        2023, 6, 1
    )  # by 6 February, not by the day of the money
    assert town.charge(registered).benefit_start == date(2023, 6, 1)
    assert town.charge(unknown).benefit_start == date(2023, 7, 1)


def test_the_earliest_of_several_entitlements_counts(town: Town) -> None:
    """72 years old and certified as 低保 in February: by age the government paid from the first day."""
    person = town.person(
        town.cast.dong, birth_date=date(1950, 5, 5),
        categories={"dibao": {"valid_from": date(2023, 2, 1), "certified_on": date(2023, 2, 6)}},
    )  # fmt: skip
    march = date(2023, 3, 20)
    set_business_date(county_code=town.cast.county.code, day=march)
    town.assess(on=march)
    assert town.charge(person).benefit_start == date(2023, 1, 1)
    assert Membership.objects.get(resident=person).certified_on == date(2023, 2, 6)


def test_a_government_payment_never_makes_the_residents_part_look_paid(town: Town) -> None:
    """Half payers: finance has paid its 175, the resident's 175 are as open as before, everywhere."""
    person = town.person(town.cast.dong, birth_date=date(1957, 5, 5))
    town.assess()
    charge: Charge = town.charge(person)
    request = town.make(town.departments["health"])[0]
    _disburse(town, request)
    assert paid_by_registration([charge.registration_id]) == {}
    rebuild(town.plan)
    assert (_figure(town, "paid"), _figure(town, "disbursed"), _figure(town, "disbursed_amount")) == (
        0, 1, Decimal("175.00"),
    )  # fmt: skip
    text = town.client("village_agent").get(
        f"/village/{town.cast.dong.code}/{person.household_id}/"
    ).content.decode()  # fmt: skip
    assert 'data-yuan="175.00"' in text
    season = Season(town.cast, town.plan)
    answer = record_payment(by=town.user("tax_bureau"), order=season.order(charge))
    assert answer.cases == []
    rebuild(town.plan)
    assert _figure(town, "paid") == 1
