"""The register's life as the office lives it: by its pages, in their words, and for nobody else."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import openpyxl
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contributions.models import Charge, PaymentCase
from enrollment.models import (
    Category,
    Household,
    Membership,
    PoliceRecord,
    PriorPayment,
    Registration,
    Resident,
    ResidentEvent,
    Transfer,
)
from enrollment.services.life.people import Newcomer, take_in
from foundation.audit.models import AuditEvent
from foundation.encryption import get_keyring
from foundation.identity import make_number
from foundation.scope.context import scope
from rosters.models import RosterKind, RosterLine
from rosters.services.sealing import seal_units
from tests.register.conftest import TODAY, Life


@pytest.fixture
def clerk(life: Life) -> Client:
    """The clerk of 甲镇."""
    return life.client("township_clerk")


def text(response: Any) -> str:
    """What a page says."""
    return str(response.content.decode())


def page_of(person: Resident) -> str:
    """A resident's page."""
    return reverse("admin:enrollment_resident_change", args=[person.pk])


def act(person: Resident, slug: str) -> str:
    """An act on a resident."""
    return reverse("register:act", args=[person.pk, slug])


def test_only_acts_that_apply_are_offered(life: Life, clerk: Client) -> None:
    """The living may move and die, the dead come back; an auditor and the tax bureau are offered nothing."""
    person = life.person(life.cast.dong, "medical")
    said = text(clerk.get(page_of(person)))
    assert "登记死亡" in said
    assert "撤销死亡登记" not in said
    assert "转出到别的镇街" in said
    for role in ("auditor", "tax_bureau"):
        assert "登记死亡" not in text(life.client(role).get(page_of(person)))
        assert life.client(role).get(act(person, "death")).status_code == 403
    assert "转出到别的镇街" not in text(life.client("medical_bureau").get(page_of(person))), "keeps both ends"
    assert clerk.get(act(person, "undo-death")).status_code == 404


@pytest.mark.covers("E024")
def test_a_death_by_page_takes_the_unpaid_off_charges_and_rosters(life: Life, clerk: Client) -> None:
    """Without evidence nothing is lost of what was typed; with it the unpaid charge goes, and the next roster is shorter."""
    person, neighbour = (life.person(life.cast.dong, "medical", name=name) for name in ("故去人", "在世人"))
    body = {"died_on": "2022-11-20", "source": "村委会", "evidence": ""}
    wrong = clerk.post(act(person, "death"), body)
    assert wrong.status_code == 422
    assert "请写明依据" in text(wrong)
    assert 'value="村委会"' in text(wrong)
    done = clerk.post(act(person, "death"), body | {"evidence": "火化证"}, follow=True)
    assert "已登记死亡。没缴的不再收" in text(done)
    assert "2022年11月20日死亡" in text(done)
    assert "依据：村委会，火化证" in text(done)
    assert life.charge(person) is None
    with scope(life.clerk):
        seal_units(
            by=life.clerk, plan=life.plan, kind=RosterKind.LEVY, units=[life.cast.dong.pk], as_of=TODAY
        )
        assert list(RosterLine.objects.values_list("name", flat=True)) == ["在世人"]
    assert life.charge(neighbour) is not None


@pytest.mark.covers("E085")
@pytest.mark.covers("E086")
def test_a_new_enrollee_is_registered_before_money_is_taken(life: Life, clerk: Client) -> None:
    """Papers that are missing are named and what was typed stays; then he is registered, owes, and is led to his page."""
    number = make_number("370406", date(1990, 3, 3), 331)
    body: dict[str, Any] = {
        "name": "赵新参", "id_kind": "resident_id", "number": number, "birth_date": "", "sex": "", "phone": "13800001234",
        "registration_area": "local", "residence_permit": "false", "unit": life.cast.dong.pk, "home": "new",
        "household_number": "", "relation": "", "address": "东村 9 号", "plan": life.plan.code,
        "insurances": ["medical", "pension"], "tier": "300.00", "on": "2022-11-30", "papers": ["id_paper"],
    }  # fmt: skip
    missing = clerk.post(reverse("register:newcomer"), body)
    assert "材料还不齐：参保登记表" in text(missing)
    assert "东村 9 号" in text(missing)
    with life.county():
        assert not Resident.objects.exists()
    done = clerk.post(reverse("register:newcomer"), body | {"papers": ["id_paper", "form"]}, follow=True)
    assert "赵新参已登记，应缴在下面，可以收钱了。" in text(done)
    assert "350.00" in text(done)
    with life.county():
        person = Resident.objects.get()
        assert Charge.objects.filter(resident=person, current=True).count() == 2
        assert ResidentEvent.objects.get().detail["papers"] == ["id_paper", "form"]
    again = clerk.post(reverse("register:newcomer"), body | {"papers": ["id_paper", "form"], "name": "别人"})
    assert "已经是东村的赵新参" in text(again)
    assert number not in text(life.client("auditor").get(page_of(person)))


def test_a_newborn_joins_the_household(life: Life, clerk: Client) -> None:
    """From the household's page: birth certificate, parents' house; the number later on the child's own page."""
    mother = life.person(life.cast.dong, "medical", name="何母", is_head=True, relation="户主")
    home = life.household(mother)
    assert "登记新生儿" in text(clerk.get(reverse("register:household", args=[home.pk])))
    form = text(clerk.get(f"{reverse('register:newcomer')}?household={home.pk}&newborn=1"))
    assert "登记新生儿" in form
    body: dict[str, Any] = {
        "name": "何宝", "id_kind": "birth_certificate", "number": "O370123456", "birth_date": "2022-10-20", "sex": "male",
        "registration_area": "local", "residence_permit": "false", "unit": life.cast.dong.pk, "home": "join",
        "household_number": home.number, "relation": "长子", "plan": life.plan.code, "insurances": ["medical"],
        "on": "2022-11-01", "papers": ["birth_certificate", "form"],
    }  # fmt: skip
    done = clerk.post(reverse("register:newcomer"), body, follow=True)
    assert "何宝已登记" in text(done)
    with life.county():
        baby = Resident.objects.get(name="何宝")
        assert (baby.household_id, baby.is_head) == (home.pk, False)
    number = make_number("370406", date(2022, 10, 20), 335)
    named = clerk.post(
        act(baby, "number"), {"number": number, "on": "2022-11-30", "evidence": "户口簿"}, follow=True
    )
    assert "还是原来的档案" in text(named)
    assert "领到身份证号" in text(named)
    assert number not in text(named), "shown by its end alone"
    listed = reverse("admin:enrollment_resident_changelist")
    for asked in (number, "O370123456", "o370123456"):
        assert "何宝" in text(clerk.get(listed, {"q": asked})), (
            "found by the number of now and by the certificate"
        )


def test_a_move_between_townships_by_two_clerks(life: Life, clerk: Client) -> None:
    """Offered, waiting on the other side's home, accepted there; both pages say where he lives and where he pays."""
    person = life.person(life.cast.dong, "medical", name="周迁移")
    life.pay(person)
    body = {"to_unit": life.cast.nan.pk, "on": "2022-11-20", "evidence": "户口迁移证"}
    assert "已发给乙镇" in text(clerk.post(act(person, "transfer"), body, follow=True))
    assert "等对方接收" in text(clerk.get(reverse("register:transfers")))
    other = life.client("clerk_yi")
    assert "别的镇街转来的人等接收" in text(other.get("/admin/"))
    assert other.get(page_of(person)).status_code == 404, "not hers yet"
    waiting = text(other.get(reverse("register:transfers")))
    assert "周迁移" in waiting
    with life.county():
        party = Transfer.objects.get().party
    assert "请当面核对身份证" in text(other.get(reverse("register:accept", args=[party])))
    joined = other.post(
        reverse("register:accept", args=[party]), {"home": "join", "household_number": "99999"}, follow=True
    )
    assert "迁往的村里没有这个户编号" in text(joined)
    done = other.post(
        reverse("register:accept", args=[party]), {"home": "new", "house_number": "9"}, follow=True
    )
    assert "已接收 1 人" in text(done)
    assert "在甲镇东村登记过参保" in text(done)
    assert "350.00" not in text(done), "the old township's money is not told"
    old = text(clerk.get(page_of(person)))
    assert "现住乙镇南村，档案在那边" in old
    assert "350.00" in old
    assert "登记死亡" not in old
    assert clerk.post(act(person, "death"), {"died_on": "2022-11-20"}).status_code == 404


def test_declined_and_withdrawn_by_page(life: Life, clerk: Client) -> None:
    """The reason comes back to who offered; an own offer is taken back."""
    person = life.person(life.cast.dong, "medical", name="周迁移")
    body = {"to_unit": life.cast.nan.pk, "on": "2022-11-20", "evidence": "户口迁移证"}
    for answer, said in (
        ({"act": "decline", "answer": "本人没有来过"}, "本人没有来过"),
        ({"act": "withdraw"}, "已撤回"),
    ):
        clerk.post(act(person, "transfer"), body)
        with life.county():
            party = Transfer.objects.get(state="offered").party
        who = clerk if answer["act"] == "withdraw" else life.client("clerk_yi")
        who.post(reverse("register:answer", args=[party]), answer)
        assert said in text(clerk.get(reverse("register:transfers")))
    assert life.client("clerk_yi").post(reverse("register:answer", args=[party]), answer).status_code == 404


def test_households_part_and_join_by_page(life: Life, clerk: Client) -> None:
    """分户 needs a head among those who leave; 并户 finds the other house by its number."""
    father = life.person(life.cast.dong, name="张父", is_head=True, relation="户主")
    home = life.household(father)
    son = life.person(life.cast.dong, name="张子", household=home, relation="儿子")
    page = reverse("register:household-act", args=[home.pk, "split"])
    body = {"leaving": [son.pk], "head": father.pk, "on": "2022-11-30", "evidence": "申请"}
    assert "新户的户主要在分出去的人里" in text(clerk.post(page, body))
    assert "已分户" in text(clerk.post(page, body | {"head": son.pk}, follow=True))
    new = life.household(son)
    join = reverse("register:household-act", args=[new.pk, "join"])
    wrong = clerk.post(join, {"number": "不存在", "on": "2022-11-30", "evidence": "申请"})
    assert "本村没有这个户编号" in text(wrong)
    clerk.post(join, {"number": home.number, "on": "2022-11-30", "evidence": "申请"})
    assert "已经并入" in text(clerk.get(reverse("register:household", args=[new.pk])))


def _double(life: Life, year: int = 1985) -> tuple[Resident, Resident]:
    birth = date(year, 5, 5)
    first, second = (
        life.person(life.cast.dong, "medical", name="孙重名", number=make_number("370406", birth, n))
        for n in (901, 903)
    )
    return first, second


def test_doubles_are_shown_decided_and_taken_back(life: Life, clerk: Client) -> None:
    """The pair with what differs, the merge with its warning, both histories on one page, and the way back."""
    one, other = _double(life)
    life.pay(other)
    assert "同村、同名、同一天出生" in text(clerk.get(reverse("register:doubles")))
    pair = reverse("register:pair", args=[one.pk, other.pk])
    beside = text(clerk.get(pair))
    assert "两个号码有 2 位不同" in beside
    assert "两份都登记了医疗2023" in beside
    refused = clerk.post(pair, {"act": "same", "living": one.pk, "reason": ""})
    assert "请写明依据" in text(refused)
    done = clerk.post(pair, {"act": "same", "living": one.pk, "reason": "户口簿核对"}, follow=True)
    assert "已并档" in text(done)
    assert "0000000" in text(done), "the other record's payment stands on this page"
    assert clerk.get(page_of(other)).status_code == 404
    assert "没有疑似重复的档案" in text(clerk.get(reverse("register:doubles")))
    with life.county():
        from enrollment.models import ResidentPair

        merged = ResidentPair.objects.get()
        assert not PaymentCase.objects.exists()
    undo = reverse("register:undo-merge", args=[merged.pk])
    assert "当时的依据" in text(clerk.get(undo))
    assert "并档已撤销" in text(clerk.post(undo, {"reason": "查清是两个人"}, follow=True))
    assert clerk.get(page_of(other)).status_code == 200


def test_two_people_are_not_asked_again_and_others_decide_nothing(life: Life, clerk: Client) -> None:
    """Remembered with the reason; an auditor reads and may not decide; another township sees nobody."""
    one, other = _double(life)
    pair = reverse("register:pair", args=[one.pk, other.pk])
    auditor = life.client("auditor")
    assert "并成一份" not in text(auditor.get(pair))
    assert auditor.post(pair, {"act": "different", "reason": "堂兄弟"}).status_code == 403
    assert life.client("clerk_yi").get(pair).status_code == 404
    clerk.post(pair, {"act": "different", "reason": "堂兄弟"})
    assert "不是同一个人" in text(clerk.get(reverse("register:doubles")))


def _police(life: Life, person: Resident | None = None, **values: Any) -> PoliceRecord:
    keys = get_keyring()
    number = values.pop("number", None)
    sealed = keys.encrypt(number) if number else (person.number_encrypted if person else b"")
    index = keys.blind_index(number) if number else (person.number_index if person else b"")
    unit = values.pop("unit", life.cast.dong)
    with life.county():
        defaults: dict[str, Any] = {
            "name": person.name if person else "公安独有", "birth_date": person.birth_date if person else None,
            "sex": person.sex if person else "", "relation": "户主",
        }  # fmt: skip
        return PoliceRecord.objects.create(
            county_id=life.cast.county.pk, township=unit.township, unit=unit, village=unit.village,
            number_encrypted=sealed, number_index=index, **(defaults | values),
        )  # fmt: skip


@pytest.mark.covers("E064")
def test_the_police_register_beside_ours(life: Life, clerk: Client) -> None:
    """Each kind of difference with its people, what the number says, and the act that corrects ours, begun."""
    people = {
        name: life.person(life.cast.dong, "medical", name=name, sex="male", number=make_number("370406", date(1985, 5, 5), n))
        for n, name in enumerate(["公安已故", "已迁出人", "错日子", "错名字", "错村居", "我们独有"], start=101)
    }  # fmt: skip
    _police(life, people["公安已故"], death_date=date(2022, 11, 2))
    _police(life, people["已迁出人"], cancelled_on=date(2022, 10, 1), cancelled_why="迁出")
    _police(life, people["错日子"], birth_date=date(1985, 5, 6))
    _police(life, people["错名字"], name="错名子")
    _police(life, people["错村居"], unit=life.cast.xi)
    _police(life, number=make_number("370406", date(1999, 9, 9), 7))
    page = reverse("register:police")
    said = text(clerk.get(page))
    for title in (
        "公安登记死亡，我们还在世",
        "公安已注销或迁出，我们还在册",
        "公安有，我们没有",
        "我们有，公安没有",
        "村居不一样",
        "出生日期不一样",
        "姓名不一样",
    ):
        assert title in said, title
    shown = {
        kind: text(clerk.get(f"{page}?kind={kind}"))
        for kind in ("dead_there", "only_theirs", "only_ours", "birth_date", "name", "place")
    }
    assert "2022-11-02" in shown["dead_there"]
    assert "公安独有" in shown["only_theirs"]
    assert "我们独有" in shown["only_ours"]
    assert "错名字" not in shown["only_ours"]
    assert "号码和我们一致，请告诉派出所" in shown["birth_date"]
    assert "甲镇东村" in shown["place"]
    dead = people["公安已故"]
    form = text(
        clerk.get(f"{act(dead, 'death')}?{urlencode({'died_on': '2022-11-02', 'source': '公安户籍'})}")
    )
    assert 'value="2022-11-02"' in form
    assert "公安独有" not in text(life.client("clerk_yi").get(page))
    assert "登记死亡</a>" not in text(life.client("auditor").get(page)), "reads, acts not"


def test_the_same_house_by_the_police_and_by_us(life: Life, clerk: Client) -> None:
    """Somebody the police put with another head is found by the head's own household of ours."""
    head = life.person(
        life.cast.dong, name="李户主", number=make_number("370406", date(1960, 6, 6), 101), sex="male"
    )
    son = life.person(
        life.cast.dong, name="李小子", number=make_number("370406", date(1990, 6, 6), 103), sex="male"
    )
    _police(life, head, household_number="P1")
    _police(life, son, household_number="P1", relation="儿子")
    said = text(clerk.get(f"{reverse('register:police')}?kind=household"))
    assert "李小子" in said
    assert "李户主</a>" not in said


def test_without_a_police_register_the_page_says_what_to_do(life: Life, clerk: Client) -> None:
    """An empty state leads to the import."""
    assert "先到“导入名单”导入公安户籍" in text(clerk.get(reverse("register:police")))


def test_people_of_one_list_and_not_of_another_with_the_reason(life: Life, clerk: Client) -> None:
    """Last year's payers who have not paid: unpaid, dead, closed, not registered, not in the register; by reason and whole."""
    cast = life.cast
    unpaid, paid, dead, closed = (
        life.person(cast.dong, "medical", name=name) for name in ("没缴人", "已缴人", "故去人", "不愿人")
    )
    absent = life.person(cast.dong, name="没登记人")
    life.pay(paid)
    keys = get_keyring()
    gone = make_number("370406", date(1970, 1, 1), 9)
    with life.county():
        Resident.objects.filter(pk=dead.pk).update(death_date=date(2022, 11, 1))
        Registration.objects.filter(resident=closed).update(closing_reason="自愿不参保")
        for n, person in enumerate((unpaid, paid, dead, closed, absent, None)):
            PriorPayment.objects.create(
                township=cast.jia, unit=cast.dong, county_id=cast.county.pk, name=person.name if person else "离开人",
                number_index=bytes(person.number_index or b"") if person else keys.blind_index(gone),
                number_encrypted=bytes(person.number_encrypted or b"") if person else keys.encrypt(gone),
                insurance="medical", coverage_year=2022, amount=Decimal(320), voucher=str(n),
            )  # fmt: skip
    page = reverse("register:compare")
    asked = f"{page}?in=last_medical&not_in=paid_medical"
    said = text(clerk.get(asked))
    for name, reason in (
        ("没缴人", "登记了，还没缴"),
        ("故去人", "已登记死亡"),
        ("不愿人", "已销号"),
        ("没登记人", "没有参保登记"),
        ("离开人", "本辖区没有这个人的档案"),
    ):
        assert name in said, name
        assert reason in said, reason
    assert "已缴人" not in said
    assert "没缴人" not in text(clerk.get(f"{asked}&reason=dead"))
    assert "两份名单是同一份" in text(clerk.get(f"{page}?in=register&not_in=register"))
    book = clerk.get(f"{reverse('register:compare-workbook')}?in=last_medical&not_in=paid_medical")
    sheet = openpyxl.load_workbook(io.BytesIO(book.getvalue())).active
    assert sheet is not None
    cells = [[str(cell or "") for cell in row] for row in sheet.iter_rows(values_only=True)]
    flat = " ".join(" ".join(row) for row in cells)
    assert "在“上年医疗缴费”里、不在“本年度医疗已缴”里的人" in flat
    assert sum("没缴人" in row for row in cells) == 1
    assert get_keyring().decrypt(unpaid.number_encrypted or b"") not in flat, "a clerk's numbers are masked"
    assert AuditEvent.objects.get(action="export.list_difference").detail["rows"] == 5
    assert life.client("clerk_yi").get(f"{asked}&township={cast.jia.code}").status_code == 404


def test_groups_and_registers_against_each_other(life: Life, clerk: Client) -> None:
    """Whoever is in the register and on no list, lapsed or never listed; registered for one insurance and not the other."""
    group, _made = Category.objects.get_or_create(code="dibao", defaults={"name": "低保"})
    lapsed = life.person(life.cast.dong, "medical", name="到期人")
    life.person(life.cast.dong, "medical", name="普通人")
    listed = life.person(life.cast.dong, "medical", name="在册人")
    with life.county():
        for person, until in ((lapsed, date(2022, 6, 1)), (listed, None)):
            Membership.objects.create(
                resident=person, category=group, valid_from=date(2021, 1, 1), valid_to=until,
                township=life.cast.jia, unit=life.cast.dong,
            )  # fmt: skip
    said = text(clerk.get(f"{reverse('register:compare')}?in=register&not_in=group_dibao"))
    assert "以前在名单上，已到期" in said
    assert "从来不在名单上" in said
    assert "在册人" not in said
    pension = text(
        clerk.get(f"{reverse('register:compare')}?in=registered_medical&not_in=registered_pension")
    )
    assert "应参保，还没有登记" in pension
    police = text(clerk.get(f"{reverse('register:compare')}?in=register&not_in=police"))
    assert "公安户籍里没有" in police


def test_villages_merge_by_page_for_who_keeps_places_alone(life: Life) -> None:
    """The bureau merges; a clerk and a tax officer are not let in."""
    page = reverse("register:places")
    assert life.client("township_clerk").get(page).status_code == 403
    bureau = life.client("medical_bureau")
    old, new = life.cast.xi.village, life.cast.dong.village
    assert old is not None
    assert new is not None
    life.person(life.cast.xi, "medical")
    body = {"act": "village", "village": old.pk, "into": old.pk, "on": "2022-11-01", "evidence": "批复"}
    assert "请选另一个村" in text(bureau.post(page, body))
    done = text(bureau.post(page, body | {"into": new.pk}, follow=True))
    assert "1 户 1 人归到新村" in done
    assert "西村村委会" in done
    unit = {"act": "unit", "unit": life.cast.xi.pk, "to_unit": life.cast.dong.pk, "on": "2022-11-01"}
    wrong = bureau.post(page, unit | {"evidence": "通知", "households": "没有这一户"})
    assert "没有这些户编号：没有这一户" in text(wrong)
    assert "已变更：1 户 1 人" in text(bureau.post(page, unit | {"evidence": "通知"}, follow=True))


def test_pages_cost_the_same_however_many(
    life: Life, clerk: Client, django_assert_max_num_queries: Any
) -> None:
    """A list of three pairs and a page of many differences ask no more questions than one."""
    paths = [reverse("register:doubles"), reverse("register:police"), reverse("register:compare")]
    counts = []
    for years in ((1985,), (1986, 1987, 1988)):
        for year in years:
            one, other = _double(life, year)
            _police(life, one, name="另一个名字")
            _police(life, other, birth_date=date(2000, 1, 1))
        asked = []
        for path in paths:
            with CaptureQueriesContext(connection) as captured:
                assert clerk.get(path).status_code == 200
            asked.append(len(captured))
        counts.append(asked)
    assert counts[0] == counts[1]


def test_history_of_lists_and_hands_on_one_timeline(life: Life, clerk: Client) -> None:
    """What a list changed and what a clerk changed stand in one line of time, each with who and what."""
    from tests.imports.office import Desk, registration_row

    desk = Desk(life.cast, life.plan)
    desk.take("registration", [registration_row()])
    desk.take("registration", [registration_row(联系电话="13900000777", 绰号="木匠")])
    with life.county():
        person = Resident.objects.get()
    clerk.post(act(person, "name"), {"name": "张大川", "on": "2022-11-30", "evidence": "户口簿"})
    said = text(clerk.get(page_of(person)))
    assert "更正姓名，姓名 张大山 → 张大川" in said
    assert "导入“参保登记信息”，更新了绰号、电话" in said


def test_an_agents_account_reaches_none_of_it(life: Life) -> None:
    """The agent has the round; these pages are the office's."""
    person = life.person(life.cast.dong, "medical")
    agent = life.client("village_agent")
    with life.county():
        home = Household.objects.get(residents=person)
    for path in (
        reverse("register:newcomer"), reverse("register:household", args=[home.pk]), act(person, "death"),
        reverse("register:doubles"), reverse("register:police"), reverse("register:transfers"),
    ):  # fmt: skip
        assert agent.get(path).status_code == 403, path


def test_a_form_led_to_by_another_page_still_asks(life: Life, clerk: Client) -> None:
    """What stands in the address only begins a form; nothing happens before somebody sends it."""
    with scope(life.clerk):
        person = take_in(
            by=life.clerk, unit=life.cast.dong, on=TODAY, evidence="证件",
            newcomer=Newcomer(name="某人", number=make_number("370406", date(1980, 1, 1), 11)),
        )  # fmt: skip
    clerk.get(f"{act(person, 'name')}?name=别名&evidence=公安户籍核对")
    with life.county():
        assert Resident.objects.get(pk=person.pk).name == "某人"
