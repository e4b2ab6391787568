"""The way of a mark, who takes which step, what the household is told, and whom the delay overcharged."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.exceptions import PermissionDenied

from contributions.services.payments import record_payment
from enrollment.models import MarkState, MarkStep, Membership
from enrollment.rules import MARK_STEPS, mark_before
from enrollment.services.marks import advance_marks
from foundation.audit.models import AuditEvent
from foundation.clock.services import set_business_date
from tests.contributions.conftest import Season
from tests.funding.conftest import TODAY, Town


def _mark(town: Town, state: str, user: str, *memberships: Membership) -> int:
    return advance_marks(by=town.user(user), memberships=[m.pk for m in memberships], to=state)


@pytest.mark.covers("E062")
def test_a_verified_list_is_marked_in_each_system(town: Town) -> None:
    """000 L336-338: 镇街 verifies, the bureau marks, the tax side takes over; each step keeps who and when."""
    person = town.person(town.cast.dong, name="低保甲", categories={"dibao": {}})
    membership = Membership.objects.get(resident=person)
    town.assess()
    for role, state in (
        ("township_clerk", "verified"),
        ("medical_bureau", "marked"),
        ("tax_bureau", "synced"),
    ):
        visitor = town.client(role)
        waiting = visitor.get("/marks/", state=mark_before(state))
        assert "低保甲" in waiting.content.decode()
        page = visitor.post("/marks/move/", to=state, mark=membership.pk, state=mark_before(state))
        assert f"1 人的标识到了“{MarkState(state).label}”" in page.content.decode()
    membership.refresh_from_db()
    assert membership.mark == MarkState.SYNCED
    steps = MarkStep.objects.filter(membership=membership).order_by("pk")
    assert [(s.to_state, s.by.role if s.by else "", s.on) for s in steps] == [
        ("verified", "township_clerk", TODAY), ("marked", "medical_bureau", TODAY), ("synced", "tax_bureau", TODAY),
    ]  # fmt: skip
    resident = (
        town.client("medical_bureau").get(f"/admin/enrollment/resident/{person.pk}/change/").content.decode()
    )
    assert "低保对象的标识到了“税务已同步”" in resident


def test_everybody_takes_his_own_step_alone(town: Town) -> None:
    """No post moves another's step; from the wrong state nothing moves, and nothing is written."""
    person = town.person(town.cast.dong, categories={"dibao": {}})
    membership = Membership.objects.get(resident=person)
    for state, (to, posts) in MARK_STEPS.items():
        for role in ("township_clerk", "medical_bureau", "hr_bureau", "tax_bureau", "department", "auditor"):
            if role not in posts:
                with pytest.raises(PermissionDenied):
                    _mark(town, to, role, membership)
        assert state in MarkState.values
    assert _mark(town, "synced", "tax_bureau", membership) == 0
    assert _mark(town, "verified", "township_clerk", membership) == 1
    assert _mark(town, "verified", "township_clerk", membership) == 0
    assert MarkStep.objects.count() == 1


def test_a_clerk_moves_the_marks_of_her_township_alone(town: Town) -> None:
    """Whatever numbers are sent, 乙镇 stays as it is."""
    foreign = town.person(town.cast.nan, categories={"dibao": {}})
    membership = Membership.objects.get(resident=foreign)
    town.client("township_clerk").post("/marks/move/", to="verified", mark=membership.pk)
    membership.refresh_from_db()
    assert membership.mark == MarkState.LISTED
    assert _mark(town, "verified", "clerk_yi", membership) == 1


def test_all_of_a_choice_at_once_is_one_event_in_the_trail(town: Town) -> None:
    """「全部」 moves what the page's choice names: one village, not its neighbour."""
    for _n in range(3):
        town.person(town.cast.dong, categories={"dibao": {}})
    town.person(town.cast.xi, categories={"dibao": {}})
    town.client("township_clerk").post(
        "/marks/move/", to="verified", all="1", state="listed", unit=town.cast.dong.code
    )
    assert Membership.objects.filter(mark="verified").count() == 3
    event = AuditEvent.objects.filter(action="membership.mark").get()
    assert event.detail["rows"] == 3
    assert len(event.detail["digest"]) == 64


def test_who_waits_longest_stands_first(town: Town) -> None:
    """Stuck ones first: by the day of the last step, then of the certification."""
    town.person(town.cast.dong, name="刚认定", categories={"dibao": {"certified_on": TODAY}})
    town.person(town.cast.dong, name="停了很久", categories={"dibao": {"certified_on": date(2022, 10, 1)}})
    text = town.client("township_clerk").get("/marks/").content.decode()
    assert text.index("停了很久") < text.index("刚认定")
    assert "60 天" in text


def test_until_synced_the_household_is_told_not_to_pay_by_phone(town: Town) -> None:
    """先别用手机缴, with what the phone would charge too much; gone when the tax side knows."""
    person = town.person(town.cast.dong, name="低保甲", categories={"dibao": {}})
    town.person(town.cast.dong, name="老人", birth_date=date(1950, 5, 5), household=person.household)
    membership = Membership.objects.get(resident=person)
    town.assess()
    agent = town.client("village_agent")
    path = f"/village/{town.cast.dong.code}/{person.household_id}/"
    text = agent.get(path).content.decode()
    assert text.count("先别用手机缴") == 1  # whoever is waived by age needs no mark
    assert "会多收 350.00 元" in text
    assert "先别用手机缴" in town.client("medical_bureau").get(
        f"/admin/enrollment/resident/{person.pk}/change/"
    ).content.decode()  # fmt: skip
    for state, role in (("verified", "township_clerk"), ("marked", "hr_bureau"), ("synced", "tax_bureau")):
        assert _mark(town, state, role, membership) == 1
    assert "先别用手机缴" not in agent.get(path).content.decode()


def test_people_charged_before_their_mark_are_listed_with_what_is_too_much(town: Town) -> None:
    """Paid 350 as if nobody paid for him; the list certified him before that: 350 to be given back."""
    person = town.person(town.cast.dong, name="多收的人")
    town.assess()
    season = Season(town.cast, town.plan)
    record_payment(by=town.user("tax_bureau"), order=season.order(town.charge(person)))
    town.member(person, "dibao")
    town.assess()
    text = town.client("medical_bureau").get("/marks/").content.decode()
    assert "多收了 1 人，共 350.00 元" in text
    assert "退给本人" in text


def test_a_late_entrant_is_told_apart(town: Town) -> None:
    """Certified after he paid: waiver.late_entrants decides, by default what was paid is kept."""
    person = town.person(town.cast.dong, name="后来认定")
    town.assess()
    season = Season(town.cast, town.plan)
    record_payment(by=town.user("tax_bureau"), order=season.order(town.charge(person)))
    later = date(2022, 12, 5)
    town.member(person, "dibao", valid_from=date(2022, 12, 1), certified_on=date(2022, 12, 1))
    set_business_date(county_code=town.cast.county.code, day=later)
    town.assess(on=later)
    text = town.client("medical_bureau").get("/marks/").content.decode()
    assert "后来认定" in text
    assert "缴费后才认定，不退" in text
