"""Births, numbers, deaths, leaving, closing, tiers, households, new enrollees: what happens to people and their money."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from contributions.models import CaseKind, Charge, PaymentCase
from contributions.services.ledger import verify_ledger
from contributions.services.register import enrol, people
from contributions.services.register.enrol import Wanted
from enrollment.models import EventKind, FormerNumber, Household, Registration, Resident, ResidentEvent
from enrollment.services.life import households
from enrollment.services.life import people as register
from enrollment.services.life.people import Newcomer
from foundation.encryption import get_keyring
from foundation.identity import make_number
from foundation.scope.context import scope
from rosters.models import RosterKind, RosterLine
from rosters.services.sealing import seal_units
from tests.factories import make_household
from tests.register.conftest import TODAY, Life

BORN = date(2022, 10, 20)
BABY = Newcomer(
    name="张小宝",
    id_kind="birth_certificate",
    number="O370123456",
    birth_date=BORN,
    sex="female",
    relation="孙女",
)


def _case(life: Life, kind: str) -> PaymentCase | None:
    with life.county():
        return PaymentCase.objects.filter(kind=kind).order_by("-pk").first()


def test_a_newborn_keeps_record_and_history_when_the_number_comes(life: Life) -> None:
    """Registered by birth certificate, later the number: one person, found by both, the history of both."""
    home = make_household(life.cast, life.cast.dong, head="张大")
    wanted = Wanted(life.plan, ["medical"], papers=["birth_certificate", "form"])
    with scope(life.clerk):
        baby = enrol.enrol_newcomer(
            by=life.clerk, unit=life.cast.dong, newcomer=BABY, wanted=wanted, on=TODAY, household=home
        )
        assert baby.id_kind == "birth_certificate"
        registered = Registration.objects.get(resident=baby)
        number = make_number("370406", BORN, 222)
        people.give_number(by=life.clerk, resident=baby.pk, number=number, on=TODAY, evidence="户口簿")
        again = Resident.objects.get(pk=baby.pk)
        assert (again.id_kind, get_keyring().decrypt(again.number_encrypted or b"")) == (
            "resident_id",
            number,
        )
        assert Registration.objects.get(resident=baby).pk == registered.pk
        former = FormerNumber.objects.get(resident=baby)
        assert get_keyring().decrypt(former.number_encrypted) == "O370123456"
        kinds = list(
            ResidentEvent.objects.filter(resident=baby).order_by("pk").values_list("kind", flat=True)
        )
    assert kinds == [EventKind.BORN, EventKind.NUMBER_GIVEN]


def test_a_newborn_may_have_no_number_at_all(life: Life) -> None:
    """Without certificate number too; any other paper needs its number."""
    home = make_household(life.cast, life.cast.dong)
    with scope(life.clerk):
        for name in ("无号甲", "无号乙"):
            baby = Newcomer(name=name, id_kind="birth_certificate", birth_date=BORN, sex="male")
            row = register.take_in(
                by=life.clerk,
                unit=life.cast.dong,
                newcomer=baby,
                on=TODAY,
                evidence="出院小结",
                household=home,
            )
            assert row.number_index is None
        with pytest.raises(ValidationError, match="只有新生儿可以先没有号码"):
            register.take_in(
                by=life.clerk, unit=life.cast.dong, on=TODAY, evidence="证件", household=home,
                newcomer=Newcomer(name="港人", id_kind="hmt_permit", birth_date=BORN, sex="male"),
            )  # fmt: skip


def test_a_number_that_tells_another_birth_date_is_asked_about(life: Life) -> None:
    """The number decides, but only after somebody says so; then birth date, sex and what is due follow it."""
    person = life.person(life.cast.dong, "medical", birth_date=date(1985, 5, 5), number=None)
    old = make_number("370406", date(1950, 5, 5), 111)
    order: dict[str, Any] = {
        "by": life.clerk, "resident": person.pk, "number": old, "on": TODAY, "evidence": "身份证"
    }  # fmt: skip
    with scope(life.clerk):
        with pytest.raises(ValidationError, match="出生日期"):
            people.give_number(**order)
        people.give_number(**order, number_decides=True)
    charge = life.charge(person)
    assert charge is not None
    assert charge.personal_amount == Decimal("0.00"), "70 and older: the government pays"


def test_a_number_somebody_holds_is_refused_without_telling_of_another_township(life: Life) -> None:
    """In one's own places the holder is named; of anybody else nothing is told."""
    mine = life.person(life.cast.dong, name="李本村")
    theirs = life.person(life.cast.nan, name="王外镇")
    keys = get_keyring()
    for holder, said, hidden in ((mine, "李本村", "王外镇"), (theirs, "本镇街登记不了", "王外镇")):
        newcomer = Newcomer(name="新来人", number=keys.decrypt(holder.number_encrypted or b""))
        with scope(life.clerk), pytest.raises(ValidationError) as refused:
            register.take_in(by=life.clerk, unit=life.cast.xi, newcomer=newcomer, on=TODAY, evidence="身份证")
        text = " ".join(refused.value.messages)
        assert said in text
        assert hidden not in text
    with life.county():
        assert not Resident.objects.filter(name="新来人").exists()


def test_a_death_takes_the_unpaid_off_and_makes_the_paid_a_case(life: Life) -> None:
    """The dead owe nothing and stand on no new roster; money taken before is a case, and nothing of it is lost."""
    person = life.person(life.cast.dong, "medical", "pension", name="故去人")
    life.pay(person, days_ago=10)
    with scope(life.clerk):
        people.record_death(
            by=life.clerk,
            resident=person.pk,
            died_on=date(2022, 11, 25),
            source="派出所",
            evidence="死亡证明",
        )
    assert life.charge(person, "pension") is None
    kept = life.charge(person, "medical")
    assert kept is not None, "what was paid stays as it was determined"
    case = _case(life, CaseKind.DECEASED)
    assert case is not None
    assert (case.amount, case.state, case.detail["cause"]) == (Decimal("350.00"), "open", "death")
    with scope(life.clerk):
        assert verify_ledger().ok
        people.undo_death(by=life.clerk, resident=person.pk, evidence="同名误报")
    assert life.charge(person, "pension") is not None
    with life.county():
        case.refresh_from_db()
    assert case.state == "closed"


def test_the_dead_leave_the_next_roster(life: Life) -> None:
    """A levy roster sealed after a death has one line less, and says why."""
    gone, lives = (life.person(life.cast.dong, "medical", name=name) for name in ("故去人", "在世人"))
    for count in (2, 1):
        with scope(life.clerk):
            seal_units(
                by=life.clerk, plan=life.plan, kind=RosterKind.LEVY, units=[life.cast.dong.pk], as_of=TODAY
            )
            newest = RosterLine.objects.order_by("-roster_id").first()
            assert newest is not None
            assert RosterLine.objects.filter(roster=newest.roster_id).count() == count
            if count == 2:
                people.record_death(
                    by=life.clerk, resident=gone.pk, died_on=TODAY, source="村委会", evidence="火化证"
                )
    assert life.charge(lives) is not None


def test_leaving_settles_what_is_unpaid_and_coming_back_asks_again(life: Life) -> None:
    """户口迁出: out of scope, unpaid registrations settled, paid ones a case; return undoes each."""
    person = life.person(life.cast.dong, "medical", "pension")
    life.pay(person)
    with scope(life.clerk):
        people.deregister(
            by=life.clerk, resident=person.pk, why="moved_out", on=date(2022, 11, 21), evidence="迁移证"
        )
        row = Resident.objects.get(pk=person.pk)
        assert (row.left_why, row.registration_area) == ("moved_out", "outside")
    assert life.registration(person, "pension").closing_reason == "户口迁出"
    assert life.registration(person, "medical").closing_reason == ""
    case = _case(life, CaseKind.NOT_ACCEPTED)
    assert case is not None
    assert case.amount == Decimal("350.00")
    assert _case(life, CaseKind.LEFT) is None, "one question is asked once"
    assert life.charge(person, "pension") is None
    with scope(life.clerk):
        people.take_back(by=life.clerk, resident=person.pk, on=TODAY, evidence="迁回")
        assert Resident.objects.get(pk=person.pk).registration_area == "local"
    assert life.registration(person, "pension").closing_reason == ""
    assert life.charge(person, "pension") is not None
    with life.county():
        case.refresh_from_db()
    assert case.state == "closed"


def test_a_registration_is_settled_for_a_reason_of_the_list(life: Life) -> None:
    """自愿不参保 is a closed case: it leaves the roster, the charge stands; another reason is none; undone it is back."""
    person = life.person(life.cast.dong, "medical")
    registration = life.registration(person)
    order: dict[str, Any] = {"by": life.clerk, "registration": registration.pk, "on": TODAY}
    with scope(life.clerk):
        for reason in ("随便", "重复档案", ""):
            with pytest.raises(ValidationError, match="请选销号原因"):
                people.settle_registration(**order, reason=reason, evidence="本人签字")
        people.settle_registration(**order, reason="自愿不参保", evidence="本人签字")
        with pytest.raises(ValidationError, match="已经销号"):
            people.settle_registration(**order, reason="出国", evidence="护照")
    assert life.charge(person) is not None
    assert _case(life, CaseKind.LEFT) is None
    with scope(life.clerk):
        people.unsettle_registration(by=life.clerk, registration=registration.pk, evidence="本人又愿意缴")
    assert life.registration(person).closing_reason == ""


def test_the_tier_changes_only_before_money_is_taken(life: Life) -> None:
    """Nothing paid: a new charge at the new tier. Paid: the tier stays and a case asks somebody."""
    person = life.person(life.cast.dong, "pension", tier="300")
    registration = life.registration(person, "pension")
    with scope(life.clerk):
        assert people.change_tier(
            by=life.clerk, registration=registration.pk, tier="500", evidence="本人申请"
        )
        with pytest.raises(ValidationError, match="档次"):
            people.change_tier(by=life.clerk, registration=registration.pk, tier="333", evidence="本人申请")
    charge = life.charge(person, "pension")
    assert charge is not None
    assert charge.personal_amount == Decimal("500.00")
    life.pay(person, "pension")
    with scope(life.clerk):
        assert not people.change_tier(
            by=life.clerk, registration=registration.pk, tier="1000", evidence="本人申请"
        )
    assert life.registration(person, "pension").tier == Decimal("500.00")
    case = _case(life, CaseKind.TIER_ASKED)
    assert case is not None
    assert case.detail == {"tier": "1000.00"}


def test_part_of_a_household_founds_its_own_and_comes_back(life: Life) -> None:
    """分户 and 并户: people, heads and numbers; the empty household keeps its number and is no household any more."""
    father = life.person(life.cast.dong, "medical", name="张父", is_head=True, relation="户主")
    home = life.household(father)
    son = life.person(life.cast.dong, "medical", name="张子", household=home, relation="儿子")
    with scope(life.clerk):
        with pytest.raises(ValidationError, match="不能全家都分出去"):
            households.split_household(
                by=life.clerk, household=home.pk, leaving=[father.pk, son.pk], head=son.pk, on=TODAY, evidence="申请"
            )  # fmt: skip
        new = households.split_household(
            by=life.clerk, household=home.pk, leaving=[son.pk], head=son.pk, on=TODAY, evidence="分户申请"
        )
        row = Resident.objects.get(pk=son.pk)
        assert (row.household_id, row.is_head, row.relation, new.head_name) == (new.pk, True, "户主", "张子")
        assert int(new.number) > 0
        back = households.merge_households(
            by=life.clerk, household=new.pk, into=home.pk, on=TODAY, evidence="又一起过"
        )
        assert back.pk == home.pk
        assert Household.objects.get(pk=new.pk).merged_into_id == home.pk
        assert list(home.residents.order_by("pk").values_list("is_head", flat=True)) == [True, False]
        households.change_head(by=life.clerk, household=home.pk, head=son.pk, on=TODAY, evidence="户口簿")
        assert list(home.residents.order_by("pk").values_list("is_head", flat=True)) == [False, True]
        home.refresh_from_db()
        assert home.head_name == "张子"
    assert life.charge(son) is not None


def test_nobody_is_registered_before_the_papers_are_on_the_table(life: Life) -> None:
    """Missing papers are named and nothing is written; with them he is registered, owes, and can pay."""
    newcomer = Newcomer(
        name="赵新参", number=make_number("370406", date(1990, 3, 3), 331), phone="13800001234"
    )
    order: dict[str, Any] = {"by": life.clerk, "unit": life.cast.dong, "newcomer": newcomer, "on": TODAY}
    with scope(life.clerk):
        with pytest.raises(ValidationError, match="材料还不齐：参保登记表"):
            enrol.enrol_newcomer(**order, wanted=Wanted(life.plan, ["medical"], papers=["id_paper"]))
        assert not Resident.objects.filter(name="赵新参").exists()
        row = enrol.enrol_newcomer(
            **order,
            wanted=Wanted(life.plan, ["medical", "pension"], tier="300", papers=["id_paper", "form"]),
        )
    assert row.is_head
    assert {g.insurance for g in (life.registration(row), life.registration(row, "pension"))} == {
        "medical", "pension"
    }  # fmt: skip
    charge = life.charge(row)
    assert charge is not None
    assert life.registration(row).is_new
    life.pay_charge(charge, life.clerk)


def test_who_is_registered_elsewhere_is_not_registered_twice(life: Life) -> None:
    """The season of somebody who moved in is in his old village: the answer says where, and nothing is doubled."""
    person = life.person(life.cast.dong, "medical")
    from tests.register.test_moves import _accept, _transfer

    _accept(life, _transfer(life, person))
    with scope(life.other_clerk):
        with pytest.raises(ValidationError, match="本年度已经在甲镇东村登记"):
            enrol.register_resident(
                by=life.other_clerk, resident=person.pk,
                wanted=Wanted(life.plan, ["medical"], papers=["id_paper", "form"]),
            )  # fmt: skip
        [made] = enrol.register_resident(
            by=life.other_clerk, resident=person.pk,
            wanted=Wanted(life.plan, ["pension"], tier="500", papers=["id_paper", "form"]),
        )  # fmt: skip
    assert made.unit_id == life.cast.nan.pk
    with life.county():
        assert Charge.objects.filter(resident=person, current=True).count() == 2


def test_only_who_keeps_the_register_writes_in_it(life: Life) -> None:
    """The tax bureau, the auditor, the agent and the administrator do not; another township's clerk finds nobody."""
    person = life.person(life.cast.dong, "medical")
    order: dict[str, Any] = {
        "resident": person.pk, "died_on": TODAY, "source": "村委会", "evidence": "证明"
    }  # fmt: skip
    for role in ("tax_bureau", "auditor", "village_agent", "admin", "finance_bureau", "county_leader"):
        user = life.cast.user(role)
        with scope(user), pytest.raises(PermissionDenied):
            people.record_death(by=user, **order)
    with scope(life.other_clerk), pytest.raises(Resident.DoesNotExist):
        people.record_death(by=life.other_clerk, **order)
    with life.county():
        assert not ResidentEvent.objects.exists()
