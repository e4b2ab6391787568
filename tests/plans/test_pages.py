"""The plan as a document and its budget, by the pages people open."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.test import Client

from contributions.plans.document import READINGS, TOPICS
from contributions.plans.settings_words import NAMES, setting_choice, setting_name
from contributions.plans.words import SENTENCES, sentence
from contributions.words import reason
from enrollment.models import CollectionPlan, PlanStatus
from foundation.audit.models import AuditEvent
from foundation.jobs.models import Job, JobState
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from subsidies.queries import PLANS, fixture_path, plan_from_file
from subsidies.rules.decisive import decisive_settings
from subsidies.rules.plan import OWN_REASONS, REASONS
from subsidies.rules.settings import SETTINGS
from subsidies.services.plans import load_plan
from tests.plans.conftest import County, build_county
from townships.models import County as Division
from townships.models import Role, User
from townships.services.divisions import load_county

PAGE = "/plans/shanting-2023/"
BUDGET = f"{PAGE}what-if/"
READERS = [
    "admin", "tax_bureau", "medical_bureau", "hr_bureau", "finance_bureau", "department", "township_clerk", "auditor",
    "county_leader",
]  # fmt: skip
BUDGETERS = [
    "admin", "tax_bureau", "medical_bureau", "hr_bureau", "finance_bureau", "auditor", "county_leader",
]  # fmt: skip


def text_of(answer: Any) -> str:
    """What a page says: tags away, spaces as one."""
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def elsewhere(code: str, plan: str) -> Client:
    """Somebody of the medical bureau of another county, with that county's plan."""
    load_county(by=None, code=code)
    load_plan(by=None, path_or_code=plan)
    county = Division.objects.get(code__startswith=code)
    user = User.objects.create(
        username=f"medical_{code}", password=make_password(None), role=Role.MEDICAL_BUREAU, county=county
    )
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


# the document


def test_the_document_quotes_each_rule_with_its_lines(county: County) -> None:
    """Every rule of the plan stands on the page with the words of the paper and their lines."""
    answer = county.client("medical_bureau").get(PAGE)
    page = answer.content.decode()
    document = answer.context["document"]
    shown = [rule for section in document.sections for rule in section.rules] + [
        r.rule for r in document.readings
    ]
    codes = {rule.code for rule in shown} | {document.targets.rule.code}
    assert codes == {rule.code for rule in document.book.rules}
    for rule in shown:
        assert f'id="rule-{rule.code}"' in page
        assert rule.clause
        assert rule.lines.startswith("L")
    text = text_of(answer)
    assert "60-69岁的老年人个人缴费部分由参保地政府或部门承担50%。 原文 L133-135" in text
    assert "60 至 69 周岁：本人 50%，参保地政府或部门 50%" in text


def test_sections_follow_the_paper(county: County) -> None:
    """Sections stand in the order in which the paper first speaks of them, rules in that of their lines."""
    document = county.client("auditor").get(PAGE).context["document"]
    firsts = [section.first_line for section in document.sections if section.code not in ("papers", "groups")]
    assert firsts == sorted(firsts)
    for section in document.sections:
        lines = [rule.first_line for rule in section.rules]
        assert lines == sorted(lines)


def test_examples_are_run_and_told(county: County, tmp_path: Path) -> None:
    """All of them pass; a plan with another amount shows which fail and how."""
    proofs = county.client("medical_bureau").get(PAGE).context["proofs"]
    assert proofs.ok
    assert proofs.total > 50
    changed = tmp_path / "plan.yaml"
    text = fixture_path("shanting-2023").read_text(encoding="utf-8")
    changed.write_text(
        text.replace("amount: 350,", "amount: 360,").replace("total: 960", "total: 970"), "utf-8"
    )
    load_plan(by=None, path_or_code=str(changed))
    answer = county.client("medical_bureau").get(PAGE)
    assert not answer.context["proofs"].ok
    assert not answer.context["proofs"].proofs[0].passed, "those that fail stand first"
    assert "本人缴应为 350.00，算得 360.00" in text_of(answer)


@pytest.mark.covers("E035")
def test_standard_is_shown_with_its_sum(
    county: County, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Personal, fiscal and total, checked against each other; a total that is not the sum is not even loaded."""
    text = text_of(county.client("medical_bureau").get(PAGE))
    assert "个人缴费 350.00 元" in text
    assert "财政补助 610.00 元" in text
    assert "960.00 元 与印的总额 960.00 相符" in text
    wrong = tmp_path / "plan.yaml"
    source = fixture_path("shanting-2023").read_text(encoding="utf-8")
    wrong.write_text(source.replace("total: 960", "total: 961"), "utf-8")
    with pytest.raises(SystemExit) as end:
        call_command("load_plan", str(wrong))
    assert end.value.code == 2
    assert "961" in capsys.readouterr().err


@pytest.mark.covers("E036")
def test_fiscal_figure_keeps_its_own_year(db: None) -> None:
    """滕州 prints a fiscal figure of 2022 beside a personal one of 2023: both labels stand, and the page says so."""
    text = text_of(elsewhere("370481", "tengzhou-2023").get("/plans/tengzhou-2023/"))
    assert "610.00 元 2022 年度标准" in text
    assert "350.00 元 2023 年度标准" in text
    assert "财政补助标的是 2022 年度，个人缴费标的是 2023 年度" in text


@pytest.mark.covers("E012")
def test_missing_and_wrong_annexes_are_marked(db: None) -> None:
    """The paper of 滕州 names an annex that is no such thing: told at the top and marked where it stands."""
    client = elsewhere("370481", "tengzhou-2023")
    text = text_of(client.get("/plans/tengzhou-2023/"))
    assert "督查分组（所指附件3有误）" in text
    assert "缺件或有误" in text
    assert "督查分组见附件3 原文 L61" in text
    targets = client.get("/plans/tengzhou-2023/").context["document"].targets
    assert (targets.total.heads, targets.printed.heads, targets.differences) == (
        (1320801,),
        (1320800,),
        (-1,),
    )
    assert "印刷合计与各行之和不同" in text


@pytest.mark.covers("E004")
def test_a_plan_dated_after_its_own_first_days_is_entered(county: County) -> None:
    """The paper of 22 November speaks of 1 October; it is loaded and read, and the page says what had begun."""
    text = text_of(county.client("hr_bureau").get(PAGE))
    assert "发文时已经开始，照常录入" in text
    assert "医疗缴费期（2022-10-01）" in text
    assert county.plan.issued_on is not None
    assert county.plan.issued_on.isoformat() == "2022-11-22"


@pytest.mark.covers("E006")
def test_stages_are_drawn_and_may_overlap(db: None) -> None:
    """峄城's stages with their kinds and days; two of them run at once, and both are drawn."""
    answer = elsewhere("370404", "yicheng-2022").get("/plans/yicheng-2022/")
    document, calendar = answer.context["document"], answer.context["calendar"]
    stages = [stage for stage in document.book.stages if stage.starts and stage.ends]
    drawn = [bar for bar in calendar.bars if bar.look == "stage"]
    assert len(drawn) == len(stages)
    overlapping = [
        (one, other)
        for one in drawn
        for other in drawn
        if one is not other and one.x < other.x + other.width and other.x < one.x + one.width
    ]
    assert overlapping
    collection = next(stage for stage in stages if stage.kind == "collection")
    assert f"{collection.starts} 至 {collection.ends}" in text_of(answer)


@pytest.mark.covers("E007")
def test_payment_period_is_apart_from_the_stages(county: County) -> None:
    """Medical may be paid from 1 October although the stage of collection begins on the 16th."""
    calendar = county.client("tax_bureau").get(PAGE).context["calendar"]
    days = {bar.name: bar.days for bar in calendar.bars}
    assert days["医疗集中缴费期"] == "10.1—12.31"
    assert days["集中缴费阶段"] == "10.16—12.31"


def test_readings_name_the_setting_that_decides(county: County) -> None:
    """Where the text is open: what was chosen, the other possibility, the setting and its value in words."""
    text = text_of(county.client("medical_bureau").get(PAGE))
    assert "年龄计算日未写 现在按 上年12月31日 也可以是 缴费日、保障首日、保障年度内" in text
    assert "medical.age_reference_date" in text


def test_every_setting_and_value_has_words() -> None:
    """No page says a setting's code where it could say a word; every plan's rules have a heading in Chinese."""
    for name, setting in SETTINGS.items():
        assert setting_name(name) != name
        for value in ("true", "false") if setting.kind == "flag" else setting.values:
            assert setting_choice(name, value) != value, (name, value)


def test_every_reason_has_words() -> None:
    """Nobody reads a code: each reason, also those of silence, is said in Chinese."""
    for code in (*REASONS, *OWN_REASONS):
        assert re.search(r"[\u4e00-\u9fff]", reason(code)), code


@pytest.mark.parametrize("code", sorted(path.stem for path in PLANS.glob("*.yaml")))
def test_every_computing_rule_of_every_plan_is_said_in_words(code: str) -> None:
    """Kinds that price have a sentence of their own; none is left to its code."""
    book = plan_from_file(fixture_path(code))
    told = {kind for _code, _title, kinds in TOPICS for kind in kinds} | {READINGS}
    assert {row.kind for row in book.rules} <= told
    for row in book.rules:
        if row.kind in SENTENCES:
            assert re.search(r"[\u4e00-\u9fff]", sentence(book, row)), row.code


def test_versions_are_compared(county: County, tmp_path: Path) -> None:
    """A second version: what changed stands beside what it was, with both clauses."""
    client = county.client("medical_bureau")
    assert "只有一个版本" in text_of(client.get(f"{PAGE}compare/"))
    CollectionPlan.objects.filter(pk=county.plan.pk).update(status=PlanStatus.PUBLISHED)
    text = fixture_path("shanting-2023").read_text(encoding="utf-8")
    newer = tmp_path / "plan.yaml"
    newer.write_text(
        text.replace("version: 1", "version: 2").replace("months: 3", "months: 2"), encoding="utf-8"
    )
    load_plan(by=None, path_or_code=str(newer))
    answer = client.get(f"{PAGE}compare/")
    changes = answer.context["changes"]
    assert [(change.kind, change.after.code) for change in changes] == [("changed", "medical_late")]
    assert "等待 3 个月" in text_of(answer)
    assert "等待 2 个月" in text_of(answer)
    assert "第 2 版" in text_of(client.get(PAGE))
    assert "等待 3 个月" in text_of(client.get(f"{PAGE}?version=1"))
    assert client.get(f"{PAGE}?version=9").status_code == 404
    assert client.get(f"{PAGE}?version=x").status_code == 404


def test_plan_without_rules_says_so(county: County) -> None:
    """A draft whose text does not compute is told in words, not with an error page."""
    CollectionPlan.objects.filter(pk=county.plan.pk).update(document={}, source_sha256="0")
    for path in (PAGE, BUDGET, f"{PAGE}compare/"):
        assert "读不出规则" in text_of(county.client("medical_bureau").get(path))


# budgets


def test_a_budget_offers_what_can_change_this_plan_and_reads_names(county: County) -> None:
    """Settings that no answer of the plan depends on are not asked about; groups are written and read by name."""
    client = county.client("medical_bureau")
    page = text_of(client.get(BUDGET))
    assert "另外全额代缴的群体" in page
    assert "70 至 79 岁领老龄补贴的" not in page, "a question of 店子"
    assert "写名称，用顿号分开：" in page
    assert "重度残疾人" in page
    answer = client.post(
        BUDGET,
        {"a.medical.waiver_categories_extra": "孤儿、重度残疾人", "b.medical.waiver_channels": "村居代办"},
    )
    assert "a.medical.waiver_categories_extra=orphan%2Cseverely_disabled" in answer["Location"]
    assert "b.medical.waiver_channels=village" in answer["Location"]
    shown = client.get(answer["Location"])
    assert "孤儿、重度残疾人" in text_of(shown)
    assert 'value="孤儿、重度残疾人"' in shown.content.decode()
    wrong = text_of(client.get(BUDGET, {"a.medical.waiver_categories_extra": "外星人"}))
    assert "甲案没有算" in wrong
    assert "外星人" in wrong


@pytest.mark.parametrize("code", sorted(path.stem for path in PLANS.glob("*.yaml")))
def test_every_setting_that_prices_is_offered(code: str) -> None:
    """What can change an answer of a plan stands on the form of its budget, with words."""
    told = {"medical.personal", "medical.fiscal", *NAMES}
    only_warns = {"medical.household_mode"}
    assert decisive_settings(plan_from_file(fixture_path(code))) <= told | only_warns


# who reads


@pytest.mark.parametrize("role", Role.values)
def test_who_reads_plans_and_budgets(county: County, role: str) -> None:
    """Offices and the leader read plans; budgets are the bureaus', the administrator's, auditor's and leader's."""
    client = county.client(role)
    assert client.get("/plans/").status_code == (200 if role in READERS else 403)
    assert client.get(PAGE).status_code == (200 if role in READERS else 403)
    assert client.get(BUDGET).status_code == (200 if role in BUDGETERS else 403)
    assert client.post(BUDGET, {"a.medical.personal": "380"}).status_code == (
        302 if role in BUDGETERS else 403
    )
    listed = client.get("/plans/").content.decode() if role in READERS else ""
    assert ("what-if" in listed) == (role in BUDGETERS)


def test_another_countys_plan_is_not_there(county: County) -> None:
    """Neither its page nor its budget nor its name in the list; unknown codes answer alike."""
    foreign = elsewhere("370481", "tengzhou-2023")
    for path in (
        PAGE,
        BUDGET,
        f"{PAGE}compare/",
        f"{BUDGET}workbook.xlsx?a.medical.personal=1",
        "/plans/none/",
    ):
        assert foreign.get(path).status_code == 404
    assert foreign.post(BUDGET, {"a.medical.personal": "1"}).status_code == 404
    assert "山亭" not in text_of(foreign.get("/plans/"))
    assert Client().get(PAGE).status_code == 302


# the budget


def test_budget_of_two_scenarios_side_by_side(county: County) -> None:
    """The form leads to a link; both scenarios stand beside the present by payer and by township."""
    client = county.client("finance_bureau")
    form = {
        "date": "2022-11-30", "a.medical.personal": "380", "b.medical.personal": "",
        "b.waiver.medical_age_60_69.share.personal": "40%", "b.waiver.medical_age_60_69": "on",
    }  # fmt: skip
    answer = client.post(BUDGET, form)
    assert answer.status_code == 302
    assert answer["Location"] == (
        f"{BUDGET}?date=2022-11-30&a.medical.personal=380&b.waiver.medical_age_60_69.share.personal=40%25"
    )
    page = client.get(answer["Location"])
    comparison = page.context["comparison"]
    payers = {
        line.label: [str(line.before), *(str(c.difference) for c in line.cells)] for line in comparison.payers
    }
    assert payers == {
        "本人": ["1175.00", "75.00", "-35.00"], "参保地政府或部门": ["875.00", "75.00", "35.00"],
        "财政补助": ["3050.00", "0.00", "0.00"], "政府补贴（记入个人账户）": ["30.00", "0.00", "0.00"],
        "合计": ["5130.00", "150.00", "0.00"],
    }  # fmt: skip
    assert {line.name: str(line.personal.cells[0].difference) for line in comparison.townships} == {
        "甲镇": "45.00", "乙镇": "30.00",
    }  # fmt: skip
    text = text_of(page)
    assert "医疗个人缴费： 350.00 → 380" in text
    assert "受影响 5 人 本人多缴 3 人次" in text
    assert page.context["chart"]["townships"] == ["甲镇", "乙镇"]
    assert not Job.objects.exists()


def test_budget_as_an_official_workbook(county: County) -> None:
    """Three sheets whose sums are those of the page, and a trace of who took it."""
    client = county.client("finance_bureau")
    answer = client.get(f"{BUDGET}workbook.xlsx?date=2022-11-30&a.medical.personal=380")
    assert answer.status_code == 200
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["按付款方", "按镇街", "改了什么"]
    for sheet, first in (("按付款方", 3), ("按镇街", 4)):
        total = next(row for row in book[sheet].iter_rows(values_only=True) if row[0] == "合计")
        assert total[first - 1 : first + 2] == (5130, 5280, 150)
    changes = [row for row in book["改了什么"].iter_rows(min_row=4, values_only=True) if row[0] == 1]
    assert changes == [(1, "甲案", "医疗个人缴费", "350.00", "380", 5)]
    assert AuditEvent.objects.filter(action="export.budget", target="shanting-2023").count() == 1
    assert client.get(f"{BUDGET}workbook.xlsx").status_code == 404


def test_changes_that_do_not_hold_are_told_beside_the_form(county: County) -> None:
    """A band that would overlap: the page says what, keeps what was filled in, and answers the other scenario."""
    client = county.client("medical_bureau")
    page = client.get(f"{BUDGET}?a.waiver.medical_age_70.age.from=65&b.medical.personal=360")
    text = text_of(page)
    assert "甲案没有算" in text
    assert "重叠" in text
    assert re.search(r'name="a\.waiver\.medical_age_70\.age\.from"\s+value="65"', page.content.decode())
    assert [scenario.letter for scenario in page.context["comparison"].scenarios] == ["b"]
    for query in ("a.medical.personal=dear", "a.no.such.key=1", "date=never", "a.=1", "c.medical.personal=1"):
        assert client.get(f"{BUDGET}?{query}").status_code == 200


def test_form_shows_what_the_plan_says_now(county: County) -> None:
    """Present values stand beside the fields, settings in words, and nothing is counted before something is changed."""
    page = county.client("hr_bureau").get(BUDGET)
    fields = {field.key: field.present for group in page.context["groups"] for field in group.fields}
    assert fields["medical.personal"] == "350.00"
    assert fields["waiver.medical_age_60_69.share.government_or_department"] == "50%"
    assert fields["pension.max_age_action"] == "转部门核定"
    assert page.context["comparison"] is None
    assert "workbook" not in page.content.decode()


def test_large_counties_are_priced_by_a_job(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above what a page may price at once the form queues a job; the page follows it and then shows its answer."""
    county = build_county()
    monkeypatch.setattr("contributions.services.budget_job.AT_ONCE", 3)
    client = county.client("medical_bureau")
    link = f"{BUDGET}?date=2022-11-30&a.medical.personal=380"
    waiting = client.get(link)
    assert "请按“开始测算”" in text_of(waiting)
    assert waiting.context["comparison"] is None
    assert not Job.objects.exists(), "looking asks for nothing"
    sent = client.post(BUDGET, {"date": "2022-11-30", "a.medical.personal": "380"})
    assert sent["Location"] == link
    client.post(BUDGET, {"date": "2022-11-30", "a.medical.personal": "380"})
    job = Job.objects.get(kind="what_if")
    assert f'hx-get="/jobs/{job.pk}/progress/' in client.get(link).content.decode()
    assert run_job(str(job.pk), worker="one") == JobState.SUCCEEDED
    answered = client.get(link)
    lines = {line.label: str(line.cells[0].difference) for line in answered.context["comparison"].payers}
    assert lines["本人"] == "75.00"
    assert client.get(f"{BUDGET}workbook.xlsx?date=2022-11-30&a.medical.personal=380").status_code == 200
    assert county.client("auditor").get(link).context["comparison"] is None, "an answer is its asker's"
    with places_scope(county.cast.places):
        assert job.places["townships"]


def test_pages_keep_the_strict_policy(county: County) -> None:
    """No style attribute, no inline script or handler: everything works under the policy of our own pages."""
    client = county.client("medical_bureau")
    for path in ("/plans/", PAGE, f"{BUDGET}?a.medical.personal=380"):
        page = client.get(path)
        body = page.content.decode()
        assert " style=" not in body
        assert not re.search(r"<script(?![^>]*\b(src=|type=\"application/json\"))", body)
        assert not re.search(r"\son[a-z]+=", body)
        assert "unsafe-inline" not in page["Content-Security-Policy"]
