"""X27: what is paid stays as determined, or becomes a difference in the open; never a silent change."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from contributions.models import ChargeShare, PaidDifference, Payment, PaymentCase
from contributions.services.ledger import verify_ledger
from contributions.services.payments import reverse_payment
from enrollment.models import Resident
from foundation.scope.context import places_scope
from tests.contributions.paid import TODAY, Paid, build_paid, open_cases, plan_text, store, told
from tests.imports.office import Desk, number_of

LATER = date(2022, 12, 10)


@pytest.fixture
def paid(db: None) -> Iterator[Paid]:
    """The county under its plan; what each test changes is reloaded as a draft."""
    made = build_paid()
    with places_scope(made.cast.places):
        yield made


def _ledger() -> None:
    proof = verify_ledger()
    assert proof.ok, proof


def test_a_group_gained_after_payment_is_kept_and_shown(paid: Paid) -> None:
    """Listed on 5 December, paid on 30 November: the charge stays, and a row says so; nothing is told twice."""
    person = paid.resident()
    paid.assess()
    paid.pay(person)
    paid.member(person, "tekun", date(2022, 12, 5))
    result = paid.assess(LATER)
    assert (result.kept_as_paid, result.corrected, result.charges) == (1, 0, 0)
    found = paid.difference(person)
    assert told(found) == ("later", "keep", "350.00", "0.00", "0.00")
    assert (found.setting, str(found.difference), found.paid_on) == ("waiver.late_entrants", "-350.00", TODAY)
    assert paid.charge(person).version == 1
    paid.assess(LATER)
    assert list(PaidDifference.objects.values_list("pk", flat=True)) == [found.pk]
    _ledger()


def test_a_group_gained_after_payment_is_refunded_where_the_plan_says_so(paid: Paid) -> None:
    """The charge's next version is the government's to pay, and 350 wait to be given back."""
    store(plan_text(waiver__late_entrants="refund"))
    person = paid.resident()
    paid.assess()
    payment = paid.pay(person).payment
    paid.member(person, "tekun", date(2022, 12, 5))
    result = paid.assess(LATER)
    assert (result.corrected, result.charges) == (1, 1)
    found = paid.difference(person)
    assert told(found) == ("later", "refund", "350.00", "0.00", "-350.00")
    charge = paid.charge(person)
    assert (charge.pk, charge.version, str(charge.government_paid_amount)) == (
        found.charge_after_id,
        2,
        "350.00",
    )
    assert [str(share.amount) for share in ChargeShare.objects.filter(charge=charge)] == ["350.00"]
    assert open_cases(person) == [("refund_due", "350.00")]
    assert found.case is not None
    assert found.case.payment_id == payment.pk
    assert paid.assess(LATER).charges == 0
    _ledger()


def test_a_list_that_came_late_is_a_refund_or_a_review(paid: Paid) -> None:
    """Entitled on the day of payment and charged before the list came (B-002-13): by the plan's setting."""
    refunded, reviewed = paid.resident(), paid.resident(unit=paid.cast.xi)
    paid.assess()
    for person in (refunded, reviewed):
        paid.pay(person)
    paid.member(refunded, "dibao", date(2022, 1, 1))
    paid.assess(LATER)
    assert told(paid.difference(refunded)) == ("facts", "refund", "350.00", "0.00", "-350.00")
    store(plan_text(refund__charged_before_list="review"))
    paid.member(reviewed, "dibao", date(2022, 1, 1))
    assert paid.assess(LATER).to_review == 1
    assert told(paid.difference(reviewed)) == ("facts", "review", "350.00", "0.00", "-350.00")
    assert open_cases(reviewed) == [("paid_differs", "350.00")]
    assert paid.charge(reviewed).version == 1, "until somebody decides"
    _ledger()


def test_a_list_taken_back_takes_the_correction_back(paid: Paid) -> None:
    """The refund was not made yet: the charge is again what was paid, and the case is closed."""
    person = paid.resident()
    paid.assess()
    paid.pay(person)
    member = paid.member(person, "dibao", date(2022, 1, 1))
    paid.assess(LATER)
    member.delete()
    paid.assess(LATER)
    charge = paid.charge(person)
    assert (charge.version, str(charge.personal_amount)) == (3, "350.00")
    assert open_cases(person) == []
    assert told(paid.difference(person)) == ("facts", "restore", "0.00", "350.00", "0.00")
    assert list(PaidDifference.objects.order_by("pk").values_list("ended", flat=True)) == ["restored", ""]
    _ledger()


def test_a_kept_row_ends_when_the_answer_is_what_was_paid(paid: Paid) -> None:
    """The membership after payment was a mistake: nothing differs any more."""
    person = paid.resident()
    paid.assess()
    paid.pay(person)
    member = paid.member(person, "tekun", date(2022, 12, 5))
    paid.assess(LATER)
    member.delete()
    paid.assess(LATER)
    assert list(PaidDifference.objects.values_list("standing", "ended")) == [(False, "gone")]
    _ledger()


def test_a_group_lost_after_payment_costs_nothing(paid: Paid) -> None:
    """Half paid at 65 with a group that made it nothing: whoever loses it after paying keeps what was determined."""
    person = paid.resident()
    paid.member(person, "dibao", date(2022, 1, 1), date(2022, 12, 1))
    paid.assess()
    charge = paid.charge(person)
    assert charge.personal_amount == 0
    payer = paid.resident(date(1957, 5, 5), household=person.household)
    paid.assess()
    paid.pay(payer)
    paid.member(payer, "youfu", date(2022, 1, 1), date(2022, 12, 1))
    paid.assess(LATER)
    assert not PaidDifference.objects.exists(), "this group changes no price"
    assert str(paid.charge(person).personal_amount) == "350.00", "who had not paid owes again"
    _ledger()


def test_what_was_too_little_is_kept_or_collected(paid: Paid) -> None:
    """Taken for 65, really 45: kept as paid by default; with `collect` the rest is open and can be paid."""
    person = paid.resident(date(1957, 5, 5))
    paid.assess()
    paid.pay(person)
    Resident.objects.filter(pk=person.pk).update(birth_date=date(1977, 5, 5))
    assert paid.assess(LATER).kept_as_paid == 1
    assert told(paid.difference(person)) == ("facts", "keep", "175.00", "350.00", "0.00")
    store(plan_text(waiver__lost_after_payment="collect"))
    assert paid.assess(LATER).corrected == 1
    assert told(paid.difference(person)) == ("facts", "collect", "175.00", "350.00", "175.00")
    answer = paid.pay(person, LATER)
    assert (answer.cases, str(answer.payment.received), str(answer.payment.excess)) == ([], "175.00", "0.00")
    again = paid.assess(date(2023, 2, 1))
    assert (again.charges, again.corrected) == (0, 0), (
        "the first payment determined; the rest came when it came"
    )
    _ledger()


@pytest.mark.parametrize(
    ("setting", "outcome", "cases"),
    [
        ("review", "review", [("deceased", "350.00")]),
        ("refund", "refund", [("refund_due", "350.00")]),
        ("keep", "keep", []),
    ],
)
def test_death_between_payment_and_cover(
    paid: Paid, setting: str, outcome: str, cases: list[tuple[str, str]]
) -> None:
    """B-000-19: paid lawfully, dead before 1 January; who dies under cover is no case."""
    store(plan_text(refund__death_before_cover=setting))
    early, covered = paid.resident(), paid.resident(unit=paid.cast.xi)
    paid.assess()
    for person in (early, covered):
        paid.pay(person)
    Resident.objects.filter(pk=early.pk).update(death_date=date(2022, 12, 5))
    Resident.objects.filter(pk=covered.pk).update(death_date=date(2023, 2, 5))
    paid.assess(date(2023, 3, 1))
    assert (paid.difference(early).cause, paid.difference(early).outcome) == ("death", outcome)
    assert open_cases(early) == cases
    assert not PaidDifference.objects.filter(resident=covered).exists()
    paid.assess(date(2023, 3, 1))
    assert PaidDifference.objects.count() == 1
    _ledger()


def test_whom_the_plan_refuses_now_is_reviewed(paid: Paid) -> None:
    """Found among the employed after paying: somebody looks at the money, the charge stays meanwhile."""
    person = paid.resident()
    paid.assess()
    paid.pay(person)
    Resident.objects.filter(pk=person.pk).update(employee_medical=True)
    assert paid.assess(LATER).to_review == 1
    found = paid.difference(person)
    assert (found.cause, found.outcome, found.reason_after) == ("not_accepted", "review", "employee_medical")
    assert open_cases(person) == [("not_accepted", "350.00")]
    _ledger()


def test_a_payment_taken_back_leaves_no_difference(paid: Paid) -> None:
    """Nothing is paid any more: the row ends and the charge follows the facts."""
    person = paid.resident()
    paid.assess()
    payment = paid.pay(person).payment
    paid.member(person, "tekun", date(2022, 12, 5))
    paid.assess(LATER)
    reverse_payment(
        by=paid.cast.user("tax_bureau"), payment=payment.pk, client_uuid=uuid.uuid4(), reason="收错人"
    )
    paid.assess(LATER)
    assert not PaidDifference.objects.filter(standing=True).exists()
    assert str(paid.charge(person).personal_amount) == "0.00"
    _ledger()


def test_entitlement_fixed_on_a_day_of_the_plan(paid: Paid) -> None:
    """With `waiver.determined_at` groups count on that day for everybody, whenever he pays."""
    store(plan_text(waiver__determined_at="2022-11-15"))
    before, after = paid.resident(), paid.resident(unit=paid.cast.xi)
    paid.member(before, "tekun", date(2022, 11, 15))
    paid.member(after, "tekun", date(2022, 11, 16))
    paid.assess()
    assert [str(paid.charge(person).personal_amount) for person in (before, after)] == ["0.00", "350.00"]
    paid.pay(after)
    paid.assess(LATER)
    assert told(paid.difference(after)) == ("later", "keep", "350.00", "0.00", "0.00")


def test_money_of_january_is_priced_by_january(paid: Paid) -> None:
    """Charged in November and paid on 5 January: the charge that carries the money is the late one, cover from May."""
    person = paid.resident()
    paid.assess()
    assert paid.charge(person).benefit_start == date(2023, 1, 1)
    answer = paid.pay(person, date(2023, 1, 5))
    charge = paid.charge(person)
    assert (charge.version, charge.timing, charge.benefit_start) == (2, "late", date(2023, 5, 1))
    assert [line.charge_id for line in answer.lines] == [charge.pk]
    assert (answer.cases, charge.priced_on) == ([], date(2023, 1, 5))
    assert paid.assess(date(2023, 3, 1)).charges == 0, "a later day prices nobody who has paid"
    assert not PaidDifference.objects.exists()
    _ledger()


def test_every_row_stands_at_its_place(paid: Paid) -> None:
    """A clerk of the other township sees neither the difference nor the case."""
    person = paid.resident(unit=paid.cast.nan)
    paid.assess()
    paid.pay(person)
    Resident.objects.filter(pk=person.pk).update(employee_medical=True)
    paid.assess(LATER)
    clerk, other = paid.cast.user("clerk_yi"), paid.cast.user("township_clerk")
    assert PaidDifference.objects.visible_to(clerk).count() == 1
    assert not PaidDifference.objects.visible_to(other).exists()
    with places_scope(other.scope_places()):
        assert not PaidDifference.objects.exists()
        assert not PaymentCase.objects.exists()
        assert not Payment.objects.exists()
    assert paid.difference(person).paid == Decimal("350.00")


def test_results_of_january_are_priced_by_january(paid: Paid) -> None:
    """The tax side tells of money paid online on 5 January: the charge it rests on is the late one; one of November's
    stays as it was."""
    desk = Desk(paid.cast, paid.plan)
    early = paid.resident(name="张早", number=number_of(sequence=31))
    late = paid.resident(name="张晚", number=number_of(sequence=32), unit=paid.cast.xi)
    paid.assess()
    rows = [
        {
            "缴费人姓名": name, "身份证号码": number_of(sequence=sequence), "征收品目": "城乡居民基本医疗保险",
            "实缴金额": "350.00", "开票日期": day, "电子税票号码": f"3370000{sequence}",
        }
        for name, sequence, day in (("张早", 31, "2022-11-20"), ("张晚", 32, "2023-01-05"))
    ]  # fmt: skip
    assert desk.take("tax_results", rows).summary["appeared"] == 2
    assert (paid.charge(early).version, paid.charge(early).benefit_start) == (1, date(2023, 1, 1))
    charge = paid.charge(late)
    assert (charge.version, charge.timing, charge.benefit_start) == (2, "late", date(2023, 5, 1))
    assert charge.registration.payment_lines.get().charge_id == charge.pk
    assert paid.assess(date(2023, 3, 1)).charges == 0
    _ledger()
