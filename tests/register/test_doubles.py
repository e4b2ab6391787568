"""Two records of one person: found, decided, put together without losing a yuan, and apart again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from contributions.models import Assessment, CaseKind, Charge, PaymentCase, PaymentLine
from contributions.services.ledger import verify_ledger
from contributions.services.register.doubles import merge, unmerge
from enrollment.models import Category, FormerNumber, Membership, Registration, Resident, ResidentPair
from enrollment.services.life.doubles import keep_apart, possible_doubles
from foundation.identity import make_number
from foundation.scope.context import scope
from tests.register.conftest import Life

BIRTH = date(1985, 5, 5)


def _pair(life: Life, first: tuple[str, ...] = ("medical",), second: tuple[str, ...] = ("medical",)) -> Any:
    """The same name, birth date and unit under two numbers."""
    one = life.person(life.cast.dong, *first, name="孙重名", number=make_number("370406", BIRTH, 901))
    other = life.person(life.cast.dong, *second, name="孙重名", number=make_number("370406", BIRTH, 903))
    return one, other


def _merge(life: Life, living: Resident, merged: Resident) -> ResidentPair:
    with scope(life.clerk):
        return merge(by=life.clerk, living=living.pk, merged=merged.pk, reason="户口簿核对，同一人")


def _residual_is_zero(life: Life) -> None:
    with life.county():
        proof = verify_ledger()
    assert proof.residual == Decimal("0.00")
    assert proof.ok, proof.broken


def test_the_query_finds_the_three_ways_of_being_double(life: Life) -> None:
    """Same name, birth and unit; a certificate and a number in one house; same name, birth and last four elsewhere."""
    one, other = _pair(life, (), ())
    home = life.household(one)
    child = life.person(
        life.cast.dong, name="孙宝", id_kind="birth_certificate", number="O370999999", birth_date=date(2021, 3, 3),
        sex="male", household=home,
    )  # fmt: skip
    named = life.person(
        life.cast.dong, name="孙大名", birth_date=date(2021, 3, 3), sex="male", household=home,
        number=make_number("370406", date(2021, 3, 3), 115),
    )  # fmt: skip
    number = make_number("370406", date(1970, 1, 1), 121)
    here = life.person(life.cast.dong, name="钱远", birth_date=date(1970, 1, 1), number=number)
    with life.county():
        there = life.person(life.cast.nan, name="钱远", birth_date=date(1970, 1, 1), number=None)
        Resident.objects.filter(pk=there.pk).update(tail_index=here.tail_index)
    life.person(life.cast.xi, name="孙重名", birth_date=BIRTH)  # another village, other digits: somebody else
    with scope(life.clerk):
        found = {(p.first, p.second): p.reason for p in possible_doubles([life.cast.jia.pk])}
    assert found == {(one.pk, other.pk): 1, (child.pk, named.pk): 2}, (
        "the other township's person stays unseen"
    )
    with scope(life.bureau):
        found = {(p.first, p.second): p.reason for p in possible_doubles([life.cast.jia.pk])}
    assert found[here.pk, there.pk] == 3


def test_two_people_are_remembered_and_not_asked_again(life: Life) -> None:
    """不是同一个人 with a reason; another clerk decides nothing about them."""
    one, other = _pair(life)
    with scope(life.other_clerk), pytest.raises(Resident.DoesNotExist):
        keep_apart(by=life.other_clerk, one=one.pk, other=other.pk, reason="堂兄弟")
    with scope(life.clerk):
        with pytest.raises(ValidationError, match="请写明依据"):
            keep_apart(by=life.clerk, one=one.pk, other=other.pk, reason="")
        keep_apart(by=life.clerk, one=other.pk, other=one.pk, reason="双胞胎，两个号都对")
        assert possible_doubles([life.cast.jia.pk]) == []


def test_each_registered_for_one_insurance_becomes_one_with_both(life: Life) -> None:
    """Registration, charge and money of the merged record are the living one's, in the rows they were."""
    one, other = _pair(life, ("medical",), ("pension",))
    life.pay(other, "pension")
    registration = life.registration(other, "pension")
    pair = _merge(life, one, other)
    assert life.registration(one, "pension").pk == registration.pk
    charge = life.charge(one, "pension")
    assert charge is not None
    assert charge.registration_id == registration.pk
    with life.county():
        assert PaymentLine.objects.get().registration_id == registration.pk
        assert not Assessment.objects.filter(resident=other).exists()
        assert bytes(FormerNumber.objects.get(resident=one).number_index) == bytes(other.number_index or b"")
        assert list(pair.moved["registrations"]["moved"]) == [registration.pk]
    _residual_is_zero(life)


def test_the_paid_registration_wins_over_the_unpaid_one(life: Life) -> None:
    """Both registered for medical, only the other one paid: the paid one is kept, the unpaid one owes no more."""
    one, other = _pair(life)
    paid = life.registration(other)
    unpaid = life.registration(one)
    life.pay(other)
    _merge(life, one, other)
    assert life.registration(one).pk == paid.pk
    with life.county():
        left = Registration.objects.get(pk=unpaid.pk)
        assert (left.resident_id, left.closing_reason, left.coverage_year) == (other.pk, "重复档案", 2023)
        assert not Charge.objects.filter(registration=left, current=True).exists()
        assert not PaymentCase.objects.exists()
    _residual_is_zero(life)


def test_paid_twice_is_a_case_and_nothing_is_lost(life: Life) -> None:
    """Both paid: the living one's stands, the other 350 yuan are a case to give back."""
    one, other = _pair(life)
    for person in (one, other):
        life.pay(person)
    _merge(life, one, other)
    with life.county():
        case = PaymentCase.objects.get()
        assert (case.kind, case.amount, case.state) == (CaseKind.ALREADY_PAID, Decimal("350.00"), "open")
        assert case.registration is not None
        assert case.registration.resident_id == other.pk
        assert PaymentLine.objects.count() == 2
        assert Charge.objects.filter(current=True, insurance="medical").count() == 1
    _residual_is_zero(life)


def test_groups_follow_and_a_longer_one_lends_its_days(life: Life) -> None:
    """A membership of the merged record moves; one that overlaps stretches the living one's."""
    one, other = _pair(life, ("medical",), ())
    dibao, _made = Category.objects.get_or_create(code="dibao", defaults={"name": "低保"})
    disabled, _made = Category.objects.get_or_create(code="disabled", defaults={"name": "残疾"})
    place: dict[str, Any] = {"township": life.cast.jia, "unit": life.cast.dong}
    with life.county():
        Membership.objects.create(
            **place, resident=one, category=dibao, valid_from=date(2022, 6, 1), valid_to=date(2022, 7, 1)
        )
        Membership.objects.create(**place, resident=other, category=dibao, valid_from=date(2022, 1, 1))
        Membership.objects.create(
            **place, resident=other, category=disabled, grade=1, valid_from=date(2020, 1, 1)
        )
    _merge(life, one, other)
    with life.county():
        mine = {m.category.code: (m.valid_from, m.valid_to) for m in Membership.objects.filter(resident=one)}
    assert mine == {"dibao": (date(2022, 1, 1), None), "disabled": (date(2020, 1, 1), None)}
    charge = life.charge(one)
    assert charge is not None
    assert charge.personal_amount == Decimal("0.00"), "the group took effect at once"


@pytest.mark.parametrize("paid", ["neither", "other", "both"])
def test_a_merge_is_taken_back_as_it_was(life: Life, paid: str) -> None:
    """Every row back where it was, whoever had paid; the pair is asked again."""
    one, other = _pair(life, ("medical",), ("medical", "pension"))
    for person in {"neither": [], "other": [other], "both": [one, other]}[paid]:
        life.pay(person)

    def picture() -> list[Any]:
        with life.county():
            rows = Registration.objects.order_by("pk").values_list(
                "pk", "resident_id", "insurance", "coverage_year", "closing_reason"
            )
            charges = (
                Charge.objects.filter(current=True)
                .order_by("registration_id")
                .values_list("registration_id", "resident_id", "personal_amount")
            )
            people = Resident.objects.order_by("pk").values_list("pk", "merged_into_id", "name", "birth_date")
            return [list(rows), list(charges), list(people)]

    before = picture()
    pair = _merge(life, one, other)
    assert picture() != before
    with scope(life.clerk):
        unmerge(by=life.clerk, pair=pair.pk, reason="查清是两个人")
        assert [(p.first, p.second) for p in possible_doubles([life.cast.jia.pk])] == [(one.pk, other.pk)]
    assert picture() == before
    with life.county():
        assert not PaymentCase.objects.filter(state="open").exists()
        assert not FormerNumber.objects.exists()
    _residual_is_zero(life)


def test_a_merge_with_money_taken_since_stays(life: Life) -> None:
    """What somebody paid after the merge depends on it: the answer says so."""
    one, other = _pair(life, ("medical",), ("pension",))
    pair = _merge(life, one, other)
    life.pay(one, "pension")
    with scope(life.clerk), pytest.raises(ValidationError, match="又有 1 笔缴费"):
        unmerge(by=life.clerk, pair=pair.pk, reason="查清是两个人")
    _residual_is_zero(life)


def test_a_resident_number_wins_over_a_certificate(life: Life) -> None:
    """Whichever record is kept, it ends with the number; the certificate goes on finding the child."""
    day = date(2021, 3, 3)
    paper = life.person(
        life.cast.dong, "medical", name="宝宝", id_kind="birth_certificate", number="O370888888", birth_date=day, sex="male"
    )  # fmt: skip
    number = make_number("370406", day, 117)
    named = life.person(life.cast.dong, name="王大名", birth_date=day, sex="male", number=number)
    _merge(life, paper, named)
    with life.county():
        row = Resident.objects.get(pk=paper.pk)
        assert row.id_kind == "resident_id"
        assert bytes(row.number_index or b"") == bytes(named.number_index or b"")
        assert FormerNumber.objects.get(resident=row).id_kind == "birth_certificate"
