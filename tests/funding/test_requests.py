"""Requests for government money: made from shares, taken step by step, by whom the plan says, with their papers."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from openpyxl import load_workbook
from pypdf import PdfReader

from contributions.models import ChargeShare, FundingLine, FundingRequest, FundingStep, PayerResolution
from contributions.rules import FUNDING_STEPS
from contributions.services.funding import request_making
from contributions.services.ledger import verify_ledger
from contributions.services.payers import resolve_payer
from foundation.audit.models import AuditEvent
from foundation.http import Problem
from foundation.jobs.models import Job, JobState
from foundation.jobs.services.run import run_job
from foundation.scope.context import scope
from tests.funding.conftest import Town
from townships.models import Township


def _people(town: Town) -> None:
    dong, xi, nan = town.cast.dong, town.cast.xi, town.cast.nan
    town.person(dong, name="低保甲", categories={"dibao": {}})
    town.person(xi, name="低保乙", categories={"dibao": {}})
    town.person(nan, name="低保丙", categories={"dibao": {}})
    town.person(dong, name="残疾丁", categories={"disabled": {"grade": 1}})
    town.person(dong, name="一女戊", categories={"rural_one_daughter": {}})
    town.assess()


@pytest.mark.covers("E069")
def test_each_applies_for_what_the_plan_gives_it(town: Town) -> None:
    """资助: the medical bureau; 代缴: every department for its own; nobody for another's."""
    _people(town)
    medical = town.make(town.user("medical_bureau"))
    assert [(r.list_name, r.department, r.applicant, r.joint, r.heads, r.amount) for r in medical] == [
        ("《政府资助人员名单》", "civil_affairs", "medical", "tax", 2, Decimal("700.00"))
    ]
    disabled = town.make(town.departments["disabled_federation"])
    assert [(r.department, r.applicant, r.payer, r.amount) for r in disabled] == [
        ("disabled_federation", "disabled_federation", "county_finance", Decimal("350.00"))
    ]
    health = town.make(town.departments["health"])
    assert {(r.payer, r.amount) for r in health} == {
        ("county_finance", Decimal("175.00")), ("township_finance", Decimal("175.00")),
    }  # fmt: skip
    assert (
        town.make(town.departments["civil_affairs"]) == []
    )  # 资助 is not its to ask for, and it has no children here
    with pytest.raises(PermissionDenied):
        request_making(by=town.user("tax_bureau"), plan=town.plan)


def test_totals_are_the_lines_are_the_shares(town: Town) -> None:
    """A request's sum is that of its lines, a line's that of a share, and the proof says so."""
    _people(town)
    request = town.make(town.user("medical_bureau"))[0]
    lines = FundingLine.objects.filter(request=request)
    assert sum(line.amount for line in lines) == request.amount
    assert lines.count() == request.heads
    shares = {(s.charge_id, s.payer): s.amount for s in ChargeShare.objects.all()}
    assert all(shares[line.charge_id, line.payer] == line.amount for line in lines)
    assert verify_ledger().ok
    FundingRequest.objects.filter(pk=request.pk).update(amount=1)
    broken = verify_ledger()
    assert broken.broken["requests_are_their_lines"] == 1


def test_nobody_is_asked_for_twice(town: Town) -> None:
    """Asking again makes nothing; a withdrawn request sets its people free; the database refuses a second live line."""
    _people(town)
    user = town.user("medical_bureau")
    request = town.make(user)[0]
    assert town.make(user) == []
    line = FundingLine.objects.filter(request=request).first()
    assert line is not None
    with pytest.raises(IntegrityError, match="funding_line_asked_once"), transaction.atomic():
        FundingLine.objects.create(
            township_id=line.township_id, unit_id=line.unit_id, request=request, registration_id=line.registration_id,
            charge_id=line.charge_id, payer=line.payer, rule=line.rule, charge_kind=line.charge_kind,
            for_year=line.for_year, amount=line.amount,
        )  # fmt: skip
    town.step(user, request, "withdraw")
    again = town.make(user)
    assert [(r.heads, r.amount) for r in again] == [(2, Decimal("700.00"))]
    assert verify_ledger().ok


def test_the_dead_are_not_asked_for(town: Town) -> None:
    """死亡后不再代缴: whoever died stays off the request."""
    person = town.person(town.cast.dong, categories={"dibao": {}})
    town.assess()
    type(person).objects.filter(pk=person.pk).update(death_date=date(2022, 11, 1))
    assert town.make(town.user("medical_bureau")) == []


@pytest.mark.covers("E068", "E069")
def test_the_way_of_a_request_through_the_pages(town: Town) -> None:
    """Medical and tax apply, finance approves and pays, then the special bill goes to the tax side; each step is kept."""
    _people(town)
    medical, tax, finance = (town.client(role) for role in ("medical_bureau", "tax_bureau", "finance_bureau"))
    request = town.make(town.user("medical_bureau"))[0]
    path = f"/funding/{request.pk}/"
    assert "会签以后才能审批" not in medical.get(path).content.decode()
    assert "已报送。" in medical.post(path + "step/", act="submit").content.decode()
    refused = finance.post(path + "step/", act="approve").content.decode()
    assert "还没有会签，不能审批" in refused
    assert "已会签。" in tax.post(path + "step/", act="join").content.decode()
    assert "已审批，可以拨付。" in finance.post(path + "step/", act="approve").content.decode()
    assert medical.get(path + "bill.pdf").status_code == 404  # no bill before the money
    assert "不能这样办" in medical.post(path + "step/", act="bill", bill="TS1").content.decode()
    finance.post(path + "step/", act="disburse", on="2022-11-20", voucher="CZ0001")
    job = _last_job()
    assert run_job(str(job.pk), worker="test") == JobState.SUCCEEDED
    request.refresh_from_db()
    assert (request.state, request.disbursed_on, request.payer_name) == (
        "disbursed", date(2022, 11, 20), "市财政医疗救助资金",
    )  # fmt: skip
    assert "特殊缴费单据已登记" in medical.post(path + "step/", act="bill", bill="TS2023001").content.decode()
    text = _pdf(medical.file(path + "bill.pdf"))
    for word in ("特殊缴费单据", "TS2023001", "CZ0001", "700.00"):
        assert word in text, word
    acts = list(FundingStep.objects.filter(request=request).order_by("pk").values_list("act", "to_state"))
    assert acts == [
        ("make", "draft"), ("submit", "submitted"), ("join", "submitted"), ("approve", "approved"),
        ("disburse", "disbursed"), ("bill", "billed"),
    ]  # fmt: skip
    assert verify_ledger().ok


def _last_job() -> Job:
    found = Job.objects.filter(kind="funding_disburse").order_by("-created_at").first()
    assert found is not None
    return found


def _pdf(content: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def test_the_table_of_steps_is_the_only_way(town: Town) -> None:
    """From every state every step is tried by everybody: only what the table says moves it."""
    _people(town)
    request = town.make(town.user("medical_bureau"))[0]
    everybody = [*town.cast.users.values(), *town.departments.values()]
    states = {state for step in FUNDING_STEPS.values() for state in step.leaves}
    for state in sorted(states):
        for act, step in FUNDING_STEPS.items():
            if act in {"disburse", "settle"} or state in step.leaves:
                continue
            FundingRequest.objects.filter(pk=request.pk).update(
                state=state, disbursed_on=date(2022, 11, 20) if state in {"disbursed", "billed"} else None
            )
            for user in everybody:
                with pytest.raises((PermissionDenied, Problem)):
                    town.step(user, request, act, reason="原因", bill="1")
            request.refresh_from_db()
            assert request.state == state


def test_a_return_needs_a_reason_and_comes_back_corrected(town: Town) -> None:
    """退回 says why; the applicant submits again, and the joint signature starts anew."""
    _people(town)
    request = town.make(town.user("medical_bureau"))[0]
    town.step("medical_bureau", request, "submit")
    town.step("tax_bureau", request, "join")
    with pytest.raises(Problem, match="原因"):
        town.step("finance_bureau", request, "return", reason=" ")
    town.step("finance_bureau", request, "return", reason="有两人已在外地参保")
    text = town.client("medical_bureau").get(f"/funding/{request.pk}/").content.decode()
    assert "有两人已在外地参保" in text
    town.step("medical_bureau", request, "submit")
    with pytest.raises(Problem, match="会签"):
        town.step("finance_bureau", request, "approve")


@pytest.mark.covers("E069")
def test_the_letter_and_its_names(town: Town) -> None:
    """The letter says who asks whom for how much by which clause, in figures and capitals; the names add up to it."""
    _people(town)
    request = town.make(town.user("medical_bureau"))[0]
    visitor = town.client("medical_bureau")
    text = _pdf(visitor.file(f"/funding/{request.pk}/letter.pdf")).replace("\n", "")
    for word in ("关于拨付甲镇2023年度", "资助资金的申请", "700.00", "人民币柒佰元整", "由市财政通过医疗救助资金给予全额资助",
                 "税务局", "2022年11月10日"):  # fmt: skip
        assert word in text, word
    names = _pdf(visitor.file(f"/funding/{request.pk}/names.pdf"))
    assert "低保甲" in names
    assert "低保乙" in names
    assert "低保丙" not in names
    sheet = load_workbook(io.BytesIO(visitor.file(f"/funding/{request.pk}/names.xlsx"))).worksheets[0]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    total = next(row for row in rows if row[0] == "合计")
    assert 700 in total
    assert AuditEvent.objects.filter(action="export.funding").count() == 3


def test_a_department_and_a_township_see_their_own_requests_alone(town: Town) -> None:
    """残联's request is not 卫健's; 乙镇's clerk finds nothing of 甲镇."""
    _people(town)
    request = town.make(town.departments["disabled_federation"])[0]
    assert (
        town.client(town.departments["disabled_federation"]).get(f"/funding/{request.pk}/").status_code == 200
    )
    assert town.client(town.departments["health"]).get(f"/funding/{request.pk}/").status_code == 404
    assert town.client("clerk_yi").get(f"/funding/{request.pk}/").status_code == 404
    assert request.number not in town.client("clerk_yi").get("/funding/").content.decode()
    assert request.number in town.client("auditor").get("/funding/").content.decode()


@pytest.mark.covers("E070")
def test_the_budget_stands_by_level(town: Town) -> None:
    """以上代缴资金分别列入市、镇街财政预算: city, township and the assistance fund each with its own sum."""
    _people(town)
    town.make(town.user("medical_bureau"))
    request = town.make(town.departments["disabled_federation"])[0]
    town.step(town.departments["disabled_federation"], request, "submit")
    text = town.client("finance_bureau").get("/funding/budget/").content.decode()
    for word in ("区（市）级财政", "镇街财政", "医疗救助资金", "1,050.00", "525.00", "175.00"):
        assert word in text, word
    book = load_workbook(io.BytesIO(town.client("finance_bureau").file("/funding/budget/budget.xlsx")))
    rows = [[cell.value for cell in row] for row in book["按级次"].iter_rows()]
    head = next(row for row in rows if row[0] == "序号")
    body = {
        (row[1], row[3]): dict(zip(head, row, strict=True))
        for row in rows[rows.index(head) + 1 :]
        if isinstance(row[0], int)
    }
    assert body["区（市）级财政", "医疗"]["应代缴"] == 525
    assert body["区（市）级财政", "医疗"]["已申请"] == 350
    assert body["镇街财政", "医疗"]["还没申请"] == 175
    assert body["医疗救助资金", "医疗"]["已申请"] == 0  # a draft is not asked for yet


# payers nobody has named


@pytest.mark.covers("E049")
def test_an_unnamed_payer_stays_open_until_a_clerk_says_who(unnamed: Town) -> None:
    """000 says “参保地政府或部门”: the request waits, finance names the payer, then it may be submitted."""
    town = unnamed
    town.person(town.cast.dong, name="低保甲", categories={"dibao": {}})
    town.assess()
    civil = town.departments["civil_affairs"]
    request = town.make(civil)[0]
    assert request.payer == "government_or_department"
    visitor = town.client(civil)
    page = visitor.post(f"/funding/{request.pk}/step/", act="submit").content.decode()
    assert "还没有指定由谁付款" in page
    request.refresh_from_db()
    assert request.state == "draft"
    finance = town.client("finance_bureau")
    assert "没有指定" in finance.get("/funding/payers/").content.decode()
    named = finance.post(
        "/funding/payers/", payer="government_or_department", level="county", name="山亭区财政局", account="6228",
        basis="会议纪要", township="", rule="",
    ).content.decode()  # fmt: skip
    assert "已指定由“山亭区财政局”付款" in named
    assert "会议纪要" in named
    assert "已报送" in visitor.post(f"/funding/{request.pk}/step/", act="submit").content.decode()
    request.refresh_from_db()
    assert (request.payer_name, request.account) == ("山亭区财政局", "6228")
    assert AuditEvent.objects.filter(action="funding.payer").count() == 1


@pytest.mark.covers("E049")
def test_the_narrowest_and_newest_resolution_holds_and_what_was_said_stays(unnamed: Town) -> None:
    """One township or one rule may be paid by somebody else; a new answer does not erase the old one."""
    town = unnamed
    town.person(town.cast.dong, categories={"dibao": {}})
    town.person(town.cast.dong, birth_date=date(1950, 5, 5))
    town.assess()
    finance = town.user("finance_bureau")

    def name(said: str, *, rule: str = "", township: Township | None = None) -> None:
        with scope(finance):
            resolve_payer(
                by=finance, plan=town.plan, payer="government_or_department", level="county", name=said,
                rule=rule, township=township,
            )  # fmt: skip

    name("区财政局")
    name("区医疗救助专户", rule="medical_full_groups")
    name("甲镇财政所", township=town.cast.jia)
    assert PayerResolution.objects.count() == 3
    for user in (town.departments["civil_affairs"], town.departments["health"]):
        for request in town.make(user):
            town.step(user, request, "submit")
    assert set(FundingRequest.objects.values_list("department", "payer_name")) == {
        ("civil_affairs", "区医疗救助专户"), ("health", "甲镇财政所"),
    }  # fmt: skip
    name("甲镇人民政府", township=town.cast.jia)
    assert set(FundingRequest.objects.values_list("payer_name", flat=True)) == {
        "区医疗救助专户",
        "甲镇财政所",
    }


def test_only_finance_names_a_payer(unnamed: Town) -> None:
    """Everybody else reads who it is."""
    for role in ("medical_bureau", "township_clerk", "tax_bureau", "auditor"):
        user = unnamed.user(role)
        with pytest.raises(PermissionDenied), scope(user):
            resolve_payer(by=user, plan=unnamed.plan, payer="government", level="county", name="某局")
    finance = unnamed.user("finance_bureau")
    for values, code in (
        ({"payer": "nobody"}, "unknown_payer"), ({"level": "moon"}, "unknown_level"), ({"name": " "}, "no_name"),
        ({"rule": "no_rule"}, "unknown_rule"),
    ):  # fmt: skip
        said = {"payer": "government", "level": "county", "name": "某某局"} | values
        with pytest.raises(Problem) as caught, scope(finance):
            resolve_payer(
                by=finance, plan=unnamed.plan, payer=said["payer"], level=said["level"], name=said["name"],
                rule=said.get("rule", ""),
            )  # fmt: skip
        assert caught.value.code == code
