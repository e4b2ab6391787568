"""Every amount told in sentences with its clause: on the office's page, the agent's card, by the API and a command."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from contributions.models import Assessment, Charge
from contributions.services.assess import assess
from contributions.services.explain import explain_people
from enrollment.models import Category, CollectionPlan, Membership, Registration, Resident
from foundation.clock.services import set_business_date
from foundation.identity import make_number
from foundation.scope.context import places_scope
from subsidies.services.plans import load_plan
from tests.api.conftest import token_of
from tests.factories import Cast, make_cast, make_household, make_registration, make_resident
from townships.services.divisions import load_county


@dataclass
class Place:
    """The cast under a plan, on a day."""

    cast: Cast
    plan: CollectionPlan

    def join(
        self, birth: date, insurance: str = "medical", tier: str | None = None, **values: Any
    ) -> Resident:
        """Somebody of 东村, registered; ``group`` puts him into a special group."""
        group, grade = values.pop("group", ""), values.pop("grade", None)
        years = {key: values.pop(key) for key in ("missed_years", "repaired_years") if key in values}
        person = make_resident(self.cast, self.cast.dong, birth_date=birth, **values)
        made = make_registration(self.cast, person, self.plan, insurance, Decimal(tier) if tier else None)
        Registration.objects.filter(pk=made.pk).update(**years)
        if group:
            category, _made = Category.objects.get_or_create(code=group, defaults={"name": group})
            Membership.objects.create(
                resident=person, category=category, grade=grade, valid_from=date(2017, 1, 1),
                township_id=person.township_id, unit_id=person.unit_id,
            )  # fmt: skip
        return person

    def told(self, person: Resident, insurance: str = "medical", **how: Any) -> list[tuple[str, str, str]]:
        """(sentence, rule, lines) of the explanation, and of the groups that changed nothing."""
        found = explain_people(plan=self.plan, residents=[person.pk], shut_out=True, **how)[person.pk]
        explained = next(each for each in found if each.insurance == insurance)
        return [(said.text, said.rule, said.lines) for said in (*explained.why, *explained.groups)]

    def page(self, person: Resident, role: str = "medical_bureau") -> str:
        """What the office's page of a resident says, tags away."""
        client = Client()
        client.force_login(self.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
        answer = client.get(f"/admin/enrollment/resident/{person.pk}/change/")
        assert answer.status_code == 200
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def place_under(plan: str, day: date) -> Place:
    cast = make_cast()
    load_county(by=None, code="370406")
    load_plan(by=None, path_or_code=plan)
    set_business_date(county_code=cast.county.code, day=day)
    # a township's plan is that of 甲镇 here
    CollectionPlan.objects.filter(code=plan, township__isnull=False).update(township=cast.jia)
    return Place(cast, CollectionPlan.objects.get(code=plan))


@pytest.fixture
def shanting(db: None) -> Iterator[Place]:
    """山亭区 2023 on an ordinary day of its period."""
    place = place_under("shanting-2023", date(2022, 11, 30))
    with places_scope(place.cast.places):
        yield place


@pytest.fixture
def dianzi(db: None) -> Iterator[Place]:
    """店子镇 2018 on an ordinary day of its period."""
    place = place_under("dianzi-2018", date(2017, 11, 30))
    with places_scope(place.cast.places):
        yield place


@pytest.mark.covers("E042", "E043", "E049")
def test_a_clerk_reads_out_why_from_one_page(shanting: Place) -> None:
    """Who pays what, the age it rests on, from when, each with clause and lines; and why the card of grade 3 does not help."""
    person = shanting.join(date(1957, 5, 5), group="disabled", grade=3)
    assess(by=None, plan=shanting.plan)
    page = shanting.page(person)
    assert "为什么是 175.00 元" in page
    assert (
        "1957年5月5日出生，到2022年12月31日满65周岁。60 至 69 周岁：本人 50%，参保地政府或部门 50%。" in page
    )
    assert "60-69岁的老年人个人缴费部分由参保地政府或部门承担50%。 山政办发〔2022〕4号，第 133-135 行" in page
    assert (
        "2023年度标准为总额960元，个人缴纳350元，财政补助610元。 山政办发〔2022〕4号，第 125-127 行" in page
    )
    assert "按时缴费，2023年1月1日至2023年12月31日都能报销。" in page
    assert "残疾3级不在本方案医疗代缴的名单里。" in page
    assert "到2022年12月31日已满65周岁，转人社部门核定。" in page, "and why there is no pension to pay"


@pytest.mark.covers("E018", "E019", "E024")
def test_who_is_refused_or_referred_is_told_with_the_nearest_clause(shanting: Place) -> None:
    cases: list[tuple[dict[str, Any], str, str, str]] = [
        ({"employee_medical": True}, "medical", "已参加职工医保，不能参保。", "L100-102"),
        ({"death_date": date(2022, 11, 1)}, "medical", "2022年11月1日已经死亡，不能参保。", "L332"),
        (
            {"registration_area": "outside"},
            "medical",
            "市外户籍，无居住证，不在本方案参保范围，不能参保。",
            "L100-102",
        ),
        ({"other_enrolment": "medical_outside_pool_city"}, "medical", "已在外地参保，不能参保。", "L332"),
        ({"in_school": True}, "pension", "在校学生，不能参保。", "L106"),
    ]
    for facts, insurance, text, lines in cases:
        person = shanting.join(
            date(2004, 5, 5), insurance, "300" if insurance == "pension" else None, **facts
        )
        assert shanting.told(person, insurance)[0][::2] == (text, lines)
    child = shanting.join(date(2010, 5, 5))
    assert (
        shanting.told(child, "pension")[0][0]
        == "2010年5月5日出生，到2022年11月30日12周岁，不到参保年龄，不能参保。"
    )


@pytest.mark.covers("E037", "E040")
def test_when_cover_starts_is_told_with_the_rule_that_moves_it(shanting: Place) -> None:
    person = shanting.join(date(1985, 5, 5))
    late = shanting.told(person, on=date(2023, 1, 31))
    assert late[-1] == (
        "逾期只缴个人部分，从次月起等待 3 个月。2023年1月31日缴费，等待期满，2023年5月1日起能报销，到2023年12月31日。",
        "medical_late",
        "L147-151",
    )
    nothing = shanting.told(person, on=date(2023, 9, 1))
    assert nothing[-1][:2] == ("现在缴，本年度已没有报销期。", "medical_late")
    early = shanting.told(person, on=date(2022, 9, 30))
    assert early[0] == ("还没到缴费期，2022年10月1日开始。", "medical_collection", "L143-145")


@pytest.mark.covers("E030", "E033", "E034")
def test_years_that_may_be_paid_back_go_to_the_hr_bureau(shanting: Place) -> None:
    """Somebody who missed pension years is told that he may pay them back, and who verifies it; so says the page."""
    person = shanting.join(date(1978, 5, 5), "pension", "300", missed_years=3, repaired_years=1)
    paid_for = shanting.join(date(1978, 5, 5), "pension", "500", group="disabled", grade=1)
    assess(by=None, plan=shanting.plan)
    told = shanting.told(person, "pension")
    assert told[-1] == ("中断了2年，可以补缴，由人社部门核定。", "special_case_payments", "L184-188")
    assert "特殊情形缴费，是指政策性补缴、中断补缴、集中征缴期外补缴等缴费业务。" in shanting.page(person)
    assert (
        "重度（一级、二级）残疾人：每人每年 100 元，由政府 100%。",
        "pension_severely_disabled",
        "L121-123",
    ) in (shanting.told(paid_for, "pension"))
    assert not any("补缴" in text for text, *_rest in shanting.told(paid_for, "pension"))


@pytest.mark.covers("E041")
def test_a_newborn_after_the_period_is_sent_to_the_medical_bureau(shanting: Place) -> None:
    set_business_date(county_code=shanting.cast.county.code, day=date(2023, 3, 1))
    child = shanting.join(date(2023, 2, 1))
    assess(by=None, plan=shanting.plan)
    assert not Charge.objects.filter(resident=child).exists(), "no price is made up"
    page = shanting.page(child)
    assert "2023年2月1日出生的新生儿，转医保部门核定。" in page
    assert "负责政策性补缴、中断补缴、新生儿缴费等业务的核定工作 山政办发〔2022〕4号，第 283-285 行" in page


@pytest.mark.covers("E025", "E033")
def test_a_household_that_is_not_whole_is_warned_about(dianzi: Place) -> None:
    """店子 enrols whole households: a member who is neither registered, nor employed, nor dead is missed."""
    home = make_household(dianzi.cast, dianzi.cast.dong, head="尹守田")
    head = dianzi.join(date(1985, 5, 5), household=home)
    worker = make_resident(dianzi.cast, dianzi.cast.dong, household=home, employee_medical=True)
    make_resident(dianzi.cast, dianzi.cast.dong, household=home, death_date=date(2017, 1, 1))
    alone = dianzi.join(date(1985, 5, 5), "pension", "300", missed_years=1)
    make_registration(dianzi.cast, alone, dianzi.plan)
    assess(by=None, plan=dianzi.plan)
    whole = {each.resident_id: each.warnings for each in Assessment.objects.filter(insurance="medical")}
    assert (whole[head.pk], whole[alone.pk], whole[worker.pk]) == ([], [], [])
    missing = make_resident(dianzi.cast, dianzi.cast.dong, household=home, birth_date=date(2015, 5, 5))
    assess(by=None, plan=dianzi.plan)
    assert Assessment.objects.get(resident=head, insurance="medical").warnings == ["household_incomplete"]
    assess(by=None, plan=dianzi.plan, residents=[head.pk, missing.pk])
    assert Assessment.objects.get(resident=missing, insurance="medical").warnings == ["household_incomplete"]
    told = dianzi.told(head)
    assert told[-1] == ("这一户还有人没登记，按户参保要一起缴。", "medical_household", "L115-117")
    assert "居民医疗保险以家庭为单位全员参加" in dianzi.page(head)
    assert dianzi.told(alone, "pension")[-1][:2] == (
        "中断了1年，可以补缴，由人社部门核定。", "special_case_interrupted",
    )  # fmt: skip


def test_groups_are_named_to_the_office_alone(shanting: Place) -> None:
    """The agent's card and the API say why and cite the plan, and name no group a person belongs to."""
    home = make_household(shanting.cast, shanting.cast.dong, head="尹守田")
    person = shanting.join(date(1985, 5, 5), household=home, group="youfu")
    elder = make_resident(shanting.cast, shanting.cast.dong, household=home, birth_date=date(1950, 5, 5))
    child = make_resident(shanting.cast, shanting.cast.dong, household=home, birth_date=date(2015, 5, 5))
    make_registration(shanting.cast, elder, shanting.plan)
    assess(by=None, plan=shanting.plan)
    assert "优抚对象不在本方案医疗代缴的名单里" in shanting.page(person)
    client = Client()
    client.force_login(
        shanting.cast.user("village_agent"), backend="django.contrib.auth.backends.ModelBackend"
    )
    answer = client.get(f"/village/{shanting.cast.dong.code}/{home.pk}/")
    card = re.sub(r"\s+", " ", answer.content.decode())
    assert card.count("<summary>为什么</summary>") == 3, "two premiums, and why the elder pays no pension"
    assert "2023年度标准为总额960元，个人缴纳350元，财政补助610元。" in card
    assert "已满72周岁，转人社部门核定。" in card
    assert "优抚" not in card
    assert child.name in card
    told = token_of(shanting.cast.user("village_agent")).get(f"residents/{person.pk}/explanation").json()
    assert "优抚" not in json.dumps(told, ensure_ascii=False)


@pytest.mark.covers("E035")
def test_the_api_and_the_command_say_the_same(shanting: Place) -> None:
    """Sentences, parts and clauses by HTTP and by `explain`; nobody of that number is one line and exit 2."""
    number = make_number("370406", date(1957, 5, 5), 711)
    person = shanting.join(date(1957, 5, 5), number=number)
    assess(by=None, plan=shanting.plan)
    answer = token_of(shanting.cast.user("township_clerk")).get(f"residents/{person.pk}/explanation")
    (by_http,) = answer.json()["charges"]
    assert [said["rule"] for said in by_http["why"]] == [
        "medical_standard",
        "medical_age_60_69",
        "medical_cover",
    ]
    assert all(said["text"] and said["clause"] and said["lines"] for said in by_http["why"])
    assert (by_http["timing"], by_http["benefit_end"], by_http["warnings"]) == ("on_time", "2023-12-31", [])
    out = io.StringIO()
    call_command("explain", "--plan", "shanting-2023", "--resident", number, "--json", stdout=out)
    (by_command,) = json.loads(out.getvalue().splitlines()[-1])["charges"]
    assert by_command == by_http
    words = io.StringIO()
    call_command("explain", "--plan", "shanting-2023", "--resident", number, stdout=words)
    assert "175.00 参保地政府或部门" in words.getvalue()
    assert "「60-69岁的老年人个人缴费部分由参保地政府或部门承担50%。」[L133-135]" in words.getvalue()
    errors = io.StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command(
            "explain", "--plan", "shanting-2023", "--resident", make_number("370406", date(1957, 5, 6), 711),
            stderr=errors,
        )  # fmt: skip
    assert stopped.value.code == 2
    assert len(errors.getvalue().strip().splitlines()) == 1


def test_a_household_is_explained_by_a_fixed_number_of_questions(
    shanting: Place, django_assert_num_queries: Any
) -> None:
    people = [shanting.join(date(1985, 5, 5)).pk for _n in range(6)]
    assess(by=None, plan=shanting.plan)
    explain_people(plan=shanting.plan, residents=people[:1])
    for asked in (people[:1], people):
        with django_assert_num_queries(7):
            explain_people(plan=shanting.plan, residents=asked)
