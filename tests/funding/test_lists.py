"""《政府资助人员名单》 and 《政府代缴人员名单》: who stands on which, who is missed, who is named twice."""

from __future__ import annotations

import io
from datetime import date

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from contributions.funding.standing import Asked, Standing, find_people, offices_of
from contributions.models import Charge, ChargeShare
from contributions.services.payments import record_payment
from enrollment.models import Resident
from foundation.audit.models import AuditEvent
from foundation.clock.services import business_date, set_business_date
from foundation.scope.context import places_scope
from subsidies.queries import rule_book
from tests.contributions.conftest import Season
from tests.funding.conftest import Town, build_town

OLD, LATER = date(1950, 5, 5), date(2022, 12, 5)


def _asked(town: Town) -> Asked:
    day = business_date(town.cast.county.code)
    book = rule_book(town.plan)
    places = (town.cast.jia.pk, town.cast.yi.pk)
    return Asked(town.plan, book, "medical", places, day, offices=offices_of(book))


def _standings(town: Town, office: str) -> dict[str, str]:
    """Names and how they stand on a department's list."""
    asked = _asked(town)
    index = next(each.index for each in asked.offices if each.key == office)
    names = dict(Resident.objects.values_list("pk", "name"))
    return {names[p.resident]: p.standing for p in find_people(asked, office=index)}


@pytest.mark.covers("E061")
def test_two_lists_with_different_suppliers_and_routes(town: Town) -> None:
    """资助 is applied for by the medical bureau with the tax bureau, 代缴 by each department with the tax bureau."""
    town.person(town.cast.dong, name="低保甲", categories={"dibao": {}})
    town.person(town.cast.dong, name="残疾乙", categories={"disabled": {"grade": 1}})
    town.assess()
    page = town.client("medical_bureau").get("/funding/lists/")
    text = page.content.decode()
    for word in (
        "《政府资助人员名单》",
        "《政府代缴人员名单》",
        "市民政局",
        "市残联",
        "市退役军人事务局",
        "各认定部门",
    ):
        assert word in text, word
    assert _standings(town, "list_assisted.civil_affairs") == {"低保甲": Standing.TAKEN}
    assert _standings(town, "list_government_paid.disabled_federation") == {"残疾乙": Standing.TAKEN}
    shares = dict(ChargeShare.objects.values_list("charge__resident__name", "payer"))
    assert shares == {"低保甲": "medical_assistance_fund", "残疾乙": "county_finance"}


@pytest.mark.covers("E061")
def test_the_elderly_are_computed_and_certified_by_health(town: Town) -> None:
    """B-003-09: no department supplies them; birth dates do, 卫健 answers for them."""
    town.person(town.cast.dong, name="七十二岁", birth_date=OLD)
    town.person(town.cast.dong, name="六十五岁", birth_date=date(1957, 5, 5))
    town.assess()
    assert _standings(town, "list_government_paid.health") == {
        "七十二岁": Standing.TAKEN, "六十五岁": Standing.TAKEN,
    }  # fmt: skip
    text = town.client(town.departments["health"]).get("/funding/lists/").content.decode()
    assert "按出生日期" in text
    assert "70 周岁及以上" in text


def test_with_a_department_list_the_elderly_it_leaves_out_are_missed(db: None) -> None:
    """The other reading of lists.elderly_source: whoever no list names is shown as missed."""
    town = build_town(**{"lists.elderly_source": "department_list"})
    town.person(town.cast.dong, name="名单上", birth_date=OLD, categories={"elderly_listed": {}})
    town.person(town.cast.dong, name="漏了", birth_date=OLD)
    town.assess()
    with places_scope(town.cast.places):
        found = _standings(town, "list_government_paid.health")
    assert found == {"名单上": Standing.TAKEN, "漏了": Standing.UNCERTIFIED}


@pytest.mark.covers("E055")
def test_nobody_is_missed_and_who_must_not_be_paid_for_is_named(town: Town) -> None:
    """In scope of a waiver but unregistered, uncertified or charged before; lapsed, dead and employed people named."""
    dong = town.cast.dong
    town.person(dong, name="在代缴", categories={"dibao": {}})
    town.person(dong, name="没登记", categories={"dibao": {}}, registered=False)
    town.person(dong, name="没认定", categories={"dibao": {"batch": None}})
    town.person(dong, name="到期了", categories={"dibao": {"valid_to": date(2022, 9, 30)}})
    town.person(dong, name="去世了", categories={"dibao": {}}, death_date=date(2022, 10, 20))
    town.person(dong, name="有工作", categories={"dibao": {}}, employee_medical=True)
    early = town.person(dong, name="先收了")
    town.assess()
    _pay_in_full(town, town.charge(early))
    # A late entrant: the group came after the payment, and the plan keeps what was paid (waiver.late_entrants).
    town.member(early, "dibao", valid_from=date(2022, 12, 1), certified_on=date(2022, 12, 1))
    set_business_date(county_code=town.cast.county.code, day=LATER)
    town.assess(on=LATER)
    assert _standings(town, "list_assisted.civil_affairs") == {
        "在代缴": Standing.TAKEN, "没登记": Standing.NOT_REGISTERED, "没认定": Standing.UNCERTIFIED,
        "到期了": Standing.LAPSED, "去世了": Standing.DEAD, "有工作": Standing.REFUSED,
        "先收了": Standing.CHARGED_BEFORE,
    }  # fmt: skip
    page = town.client(town.departments["civil_affairs"]).get(
        "/funding/lists/", office="list_assisted.civil_affairs", show="missed"
    )
    text = page.content.decode()
    for name in ("没登记", "没认定", "先收了"):
        assert name in text
    for name in ("到期了", "去世了", "在代缴</"):
        assert name not in text


def _pay_in_full(town: Town, charge: Charge) -> None:
    season = Season(town.cast, town.plan)
    record_payment(by=town.user("tax_bureau"), order=season.order(charge))


@pytest.mark.covers("E050", "E051", "E055")
def test_several_identities_are_one_waiver_and_the_list_says_which(town: Town) -> None:
    """低保, 重度残疾 and 72 years: paid once by assistance, and the other lists say so and why."""
    person = town.person(
        town.cast.dong, name="三样都有", birth_date=OLD, categories={"dibao": {}, "disabled": {"grade": 2}}
    )
    town.assess()
    assert [(s.payer, str(s.amount)) for s in ChargeShare.objects.filter(charge=town.charge(person))] == [
        ("medical_assistance_fund", "350.00")
    ]
    assert _standings(town, "list_assisted.civil_affairs") == {"三样都有": Standing.TAKEN}
    for other in ("list_government_paid.disabled_federation", "list_government_paid.health"):
        assert _standings(town, other) == {"三样都有": Standing.ELSEWHERE}, other
    text = town.client("medical_bureau").get(
        "/funding/lists/", office="list_government_paid.disabled_federation", show="twice"
    ).content.decode()  # fmt: skip
    assert "只取一项：按“低保对象”" in text
    assert "本人缴 0.00 元" in text
    assert "70 周岁及以上" in text


def test_a_disability_without_a_grade_is_asked_for(town: Town) -> None:
    """Nobody can tell whether the card is severe: shown as uncertified, grade 3 is on no list at all."""
    town.person(town.cast.dong, name="没等级", categories={"disabled": {}})
    town.person(town.cast.dong, name="三级", categories={"disabled": {"grade": 3}})
    town.assess()
    assert _standings(town, "list_government_paid.disabled_federation") == {"没等级": Standing.UNCERTIFIED}


def test_a_department_sees_its_own_people_alone(town: Town) -> None:
    """残联 opens on its own list and finds no door to another's; the auditor reads all."""
    town.person(town.cast.dong, name="低保甲", categories={"dibao": {}})
    town.person(town.cast.dong, name="残疾乙", categories={"disabled": {"grade": 1}})
    town.assess()
    disabled = town.client(town.departments["disabled_federation"])
    text = disabled.get("/funding/lists/").content.decode()
    assert "残疾乙" in text
    assert "低保甲" not in text
    assert disabled.get("/funding/lists/", office="list_assisted.civil_affairs").status_code == 404
    assert disabled.get("/funding/lists/list.xlsx", office="list_assisted.civil_affairs").status_code == 404
    assert town.client("auditor").get("/funding/lists/").status_code == 200
    assert town.client("village_agent").get("/funding/lists/").status_code == 403


def test_a_clerk_sees_her_township_alone(town: Town) -> None:
    """甲镇's clerk finds nobody of 乙镇, and the other township is not there."""
    town.person(town.cast.nan, name="乙镇人", categories={"dibao": {}})
    town.assess()
    clerk = town.client("township_clerk")
    assert "乙镇人" not in clerk.get(
        "/funding/lists/", office="list_assisted.civil_affairs"
    ).content.decode()  # fmt: skip
    assert clerk.get("/funding/lists/", township=town.cast.yi.code).status_code == 404


def test_the_workbook_has_the_columns_offices_know(town: Town) -> None:
    """PRACTICE's 资助/代缴名单 with 合计 and 报送单位（章）; whole numbers for who sends the list, masked for the township."""
    person = town.person(town.cast.dong, name="=低保甲", categories={"dibao": {}})
    town.person(town.cast.xi, name="低保乙", categories={"dibao": {}})
    town.assess()
    path, query = "/funding/lists/list.xlsx", {"office": "list_assisted.civil_affairs"}
    sheet = load_workbook(
        io.BytesIO(town.client(town.departments["civil_affairs"]).file(path, **query))
    ).worksheets[0]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    header = next(row for row in rows if row[0] == "序号")
    assert header == [
        "序号", "身份证号", "姓名", "身份类别", "认定部门", "认定时间", "止期", "险种", "标准", "镇街", "村居", "代缴金额",
        "个人缴费金额", "请款批次",
    ]  # fmt: skip
    body = rows[rows.index(header) + 1 :]
    assert {row[2] for row in body[:2]} == {"=低保甲", "低保乙"}
    assert town.number(person) in {row[1] for row in body[:2]}
    assert body[2][0] == "合计"
    assert body[2][11] == 700
    assert "报送单位（章）：" in {cell for row in rows for cell in row if isinstance(cell, str)}
    masked = load_workbook(io.BytesIO(town.client("township_clerk").file(path, **query))).worksheets[0]
    text = "".join(str(cell.value) for row in masked.iter_rows() for cell in row)
    assert town.number(person) not in text
    event = AuditEvent.objects.filter(action="export.government_list").order_by("pk").first()
    assert event is not None
    assert event.detail["rows"] == 2


def test_the_list_prints(town: Town) -> None:
    """The paper says whose list it is, who stands on it, and where to sign."""
    town.person(town.cast.dong, name="低保甲", categories={"dibao": {}})
    town.assess()
    pdf = town.client("medical_bureau").file("/funding/lists/list.pdf", office="list_assisted.civil_affairs")
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    assert "政府资助人员名单" in text
    assert "低保甲" in text
    assert "审核人" in text


def test_the_page_costs_the_same_for_many(town: Town, django_assert_max_num_queries: object) -> None:
    """A fixed number of queries, whatever the length of the list."""
    for _n in range(12):
        town.person(town.cast.dong, categories={"dibao": {}})
    town.assess()
    visitor = town.client("medical_bureau")
    visitor.get("/funding/lists/", office="list_assisted.civil_affairs")
    with django_assert_max_num_queries(32):  # type: ignore[operator]
        page = visitor.get("/funding/lists/", office="list_assisted.civil_affairs")
    assert page.content.decode().count("在代缴</span>") >= 12


def test_a_plan_that_is_not_there_is_not_found(town: Town) -> None:
    """Another county's plan, or none."""
    assert town.client("medical_bureau").get("/funding/lists/", plan="no-such-plan").status_code == 404
