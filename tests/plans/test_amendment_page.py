"""From the amending paper to its effect by the pages: written, examples settled, previewed, put into force, looked at."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from typing import Any

import openpyxl
import pytest
from django.test import Client

from contributions.models import Amendment, Charge
from enrollment.models import CollectionPlan
from foundation.audit.models import AuditEvent
from foundation.clock.services import set_business_date
from foundation.jobs.models import Job
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from subsidies.services.life import publish_plan
from tests.contributions.paid import Paid, build_paid
from tests.plans.test_pages import text_of
from townships.models import Role

PAGE = "/plans/shanting-2023/amendment/"
FORM = {
    "number": "山政办发〔2023〕1号", "issued_on": "2023-01-06", "effective_on": "2023-01-08",
    "clause": "将集中缴费期延长至2023年1月31日，个人缴费调整为380元。", "a.window.medical_collection.closes": "2023-01-31",
    "a.medical.personal": "380",
}  # fmt: skip
MANAGERS = {"admin", "tax_bureau", "medical_bureau", "hr_bureau"}
SUM_READERS = MANAGERS | {"finance_bureau", "auditor", "township_clerk", "county_leader"}
PEOPLE_READERS = {"tax_bureau", "medical_bureau", "hr_bureau", "finance_bureau", "township_clerk", "auditor"}


@pytest.fixture
def paid(db: None) -> Iterator[Paid]:
    """10 January: 贾早 of 甲镇 has paid in time, 尹迟 of 乙镇 on the 5th, 未缴 of 甲镇 not at all."""
    made = build_paid()
    publish_plan(by=None, plan=made.plan)
    with places_scope(made.cast.places):
        early, late = made.resident(name="贾早"), made.resident(name="尹迟", unit=made.cast.nan)
        made.resident(name="未缴", unit=made.cast.xi)
        made.assess()
        made.pay(early)
        made.pay(late, date(2023, 1, 5))
        made.assess(date(2023, 1, 10))
        yield made


def _client(paid: Paid, role: str) -> Client:
    client = Client()
    client.force_login(paid.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def _work(kind: str) -> Job:
    job = Job.objects.filter(kind=kind).latest("created_at")
    run_job(str(job.pk), worker="test")
    job.refresh_from_db()
    return job


def _written(paid: Paid) -> Client:
    client = _client(paid, "medical_bureau")
    client.post("/plans/shanting-2023/amend/", FORM)
    return client


def _previewed(paid: Paid) -> Client:
    client = _written(paid)
    client.post(f"{PAGE}examples/")
    client.post(f"{PAGE}preview/")
    assert _work("amendment_preview").state == "succeeded"
    return client


def _effect(client: Client, **values: str) -> Any:
    page = client.get(PAGE)
    return client.post(
        f"{PAGE}effect/",
        {"digest": page.context["digest"], "effective_on": "2023-01-08", "seen": "1"} | values,
        follow=True,
    )


def test_written_on_a_page_with_the_words_of_the_paper(paid: Paid) -> None:
    """What is wrong comes back with everything that was typed; what holds becomes the next version, citing the paper."""
    client = _client(paid, "medical_bureau")
    assert "写修订" in text_of(client.get("/plans/shanting-2023/"))
    back = client.post("/plans/shanting-2023/amend/", FORM | {"number": "一号文"})
    text = text_of(back)
    assert "“一号文”不是文号" in text
    assert "将集中缴费期延长至2023年1月31日" in back.content.decode()
    assert 'value="380"' in back.content.decode()
    assert not CollectionPlan.objects.filter(version=2).exists()
    page = text_of(client.post("/plans/shanting-2023/amend/", FORM, follow=True))
    assert "修订：第 1 版改为第 2 版" in page
    assert "还没有生效，什么都没有变" in page
    assert "逾期期间 2023-02-01 至 2023-12-31" in page, "the late period moves behind the extended one"
    assert page.count("原文 山政办发〔2023〕1号") == 4
    assert "个和原来不同，要逐个核对" in page
    assert "先核对算例，再试算" in page
    assert client.get("/plans/shanting-2023/amend/")["Location"] == PAGE, "one amendment at a time"


def test_shown_before_it_takes_effect_and_then_exactly_that(paid: Paid) -> None:
    """Totals by township, everybody by name, a workbook of the same; then the charges are what the list said."""
    client = _previewed(paid)
    text = text_of(client.get(PAGE))
    assert "应缴有变 3 人次 多缴 3，少缴 0" in text
    assert "待遇开始有变 2 人次提前" in text
    assert "已缴的要补 60.00 元 2 人次" in text
    assert "乙镇 1 1 1 30.00 0 0.00 0 +30.00 0.00" in text
    people = client.get(f"{PAGE}people/")
    assert {(each.line.resident.name, each.line.outcome) for each in people.context["lines"]} == {
        ("贾早", "collect"), ("尹迟", "collect"), ("未缴", "reprice"),
    }  # fmt: skip
    assert "2023-05-01 2023-01-01" in text_of(people)
    answer: Any = client.get(f"{PAGE}people/workbook.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    rows = [[cell.value for cell in row] for row in book["人员"].iter_rows()]
    total = next(row for row in rows if row[0] == "合计")
    assert total[11] == 60
    assert sum(1 for row in rows if row[4] and str(row[4]).startswith("****************")) == 3
    assert Charge.objects.filter(current=True, personal_amount=380).count() == 0
    assert "确定生效" in text
    said = text_of(_effect(client))
    assert "修订生效" in said
    assert _work("amendment").state == "succeeded"
    lines = {each.line.registration_id: each.line for each in people.context["lines"]}
    for charge in Charge.objects.filter(current=True):
        line = lines[charge.registration_id]
        assert (charge.personal_amount, charge.benefit_start) == (
            line.personal_after,
            line.benefit_start_after,
        )
    done = text_of(client.get(f"{PAGE}?to=2"))
    assert "已生效，2023年1月8日起执行" in done
    assert "变更集校验码" in done
    plan = text_of(client.get("/plans/shanting-2023/"))
    assert "第 2 版（2023-01-08起）" in plan
    assert "213 / 213" in plan or "全部通过" in plan
    assert "没有待生效的修订" in text_of(client.get(PAGE))
    old = text_of(client.get("/plans/shanting-2023/?version=1"))
    assert "已被后来的版本修订" in old
    assert AuditEvent.objects.filter(action="plan.amended").exists()


def test_moved_facts_are_told_and_shown(paid: Paid) -> None:
    """A payment between preview and effect: the page says nothing was changed and shows the new result."""
    client = _previewed(paid)
    _effect(client)
    paid.pay(_resident(paid, "未缴"), date(2023, 1, 9))
    set_business_date(county_code=paid.cast.county.code, day=date(2023, 1, 10))
    assert _work("amendment").state == "failed"
    text = text_of(client.get(PAGE))
    assert "没有做完 试算之后事实有变" in text
    assert "已缴的要补 90.00 元 3 人次" in text
    assert "还没有生效，什么都没有变" in text


def _resident(paid: Paid, name: str) -> Any:
    return Charge.objects.filter(resident__name=name).latest("pk").resident


def test_each_step_waits_for_the_one_before(paid: Paid) -> None:
    """No effect without examples settled, a preview, a look at it, a day that has come; withdrawn, nothing is left."""
    client = _written(paid)
    assert "先核对算例" in text_of(client.get(PAGE))
    client.post(f"{PAGE}examples/")
    assert "先试算，看过结果才能生效" in text_of(client.get(PAGE))
    refused = text_of(client.post(f"{PAGE}effect/", {"effective_on": "2023-01-08", "seen": "1"}, follow=True))
    assert "没有生效：这份修订还没有试算" in refused
    client.post(f"{PAGE}preview/")
    _work("amendment_preview")
    assert "请先勾选" in text_of(_effect(client, seen=""))
    assert "生效日期不是日期" in text_of(_effect(client, effective_on="x"))
    assert "生效日期还没有到" in text_of(_effect(client, effective_on="2023-02-01"))
    assert not Job.objects.filter(kind="amendment").exists()
    set_business_date(county_code=paid.cast.county.code, day=date(2023, 1, 7))
    assert "到那天再生效" in text_of(client.get(PAGE))
    gone = text_of(client.post(f"{PAGE}withdraw/", follow=True))
    assert "修订已撤回，现行的方案没有变" in gone
    assert not CollectionPlan.objects.filter(version=2).exists()
    assert Amendment.objects.get().state == "withdrawn"


def test_who_does_what_and_sees_what(paid: Paid) -> None:
    """Managers act; sums are for those they concern, people by name for the posts that may read them, in their places."""
    _previewed(paid)
    for role in Role.values:
        client = _client(paid, role)
        assert client.get(PAGE).status_code == (200 if role in SUM_READERS else 403), role
        assert client.get(f"{PAGE}people/").status_code == (200 if role in PEOPLE_READERS else 403), role
        if role not in MANAGERS:
            assert client.get("/plans/shanting-2023/amend/").status_code == 403
            for act in ("examples", "preview", "effect", "withdraw"):
                assert client.post(f"{PAGE}{act}/").status_code == 403
    clerk = _client(paid, "township_clerk")
    text = text_of(clerk.get(PAGE))
    assert "合计 2" in text
    assert "乙镇" not in text
    people = text_of(clerk.get(f"{PAGE}people/"))
    assert "贾早" in people
    assert "尹迟" not in people
    assert clerk.get(f"{PAGE}people/?township={paid.cast.yi.code}").status_code == 404


def test_a_scenario_of_the_budget_becomes_an_amendment(paid: Paid) -> None:
    """What was reckoned through is written down without typing it again."""
    client = _client(paid, "medical_bureau")
    page = client.get("/plans/shanting-2023/what-if/?b.medical.personal=390").content.decode()
    assert "把乙案写成修订" in page
    assert "/amend/?a.medical.personal=390" in page
    form = client.get("/plans/shanting-2023/amend/?a.medical.personal=390").content.decode()
    assert 'name="a.medical.personal"' in form
    assert 'value="390"' in form
