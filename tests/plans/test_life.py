"""The life of a plan by its page: written, published when it proves itself, closed; who may, and what follows."""

from __future__ import annotations

import uuid
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from contributions.models import Charge
from contributions.services.assess import assess
from contributions.services.payments import LineOrder, PaymentOrder, record_payment
from enrollment.models import CollectionPlan, PlanStatus
from enrollment.queries import find_plan
from enrollment.rules import PLAN_STEPS
from foundation.audit.models import AuditEvent
from foundation.scope.context import places_scope
from subsidies.queries import find_rule_book, fixture_path
from subsidies.rules.source import PlanError
from subsidies.services.life import publish_plan
from subsidies.services.plans import load_plan
from tests.plans.conftest import County
from tests.plans.test_pages import text_of
from townships.models import Role

PAGE = "/plans/shanting-2023/"
MANAGERS = {"admin", "tax_bureau", "medical_bureau", "hr_bureau"}


def _text(folder: Path, *changes: tuple[str, str]) -> str:
    """The path of 山亭's plan with words replaced."""
    text = fixture_path("shanting-2023").read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def _now(county: County) -> CollectionPlan:
    return CollectionPlan.objects.get(pk=county.plan.pk)


def test_who_publishes_and_closes(county: County) -> None:
    """The bureaus and the administrator see the buttons and may press them; nobody else."""
    for role in set(Role.values) - MANAGERS:
        client = county.client(role)
        if role != "village_agent":
            assert "确定发布" not in text_of(client.get(PAGE))
        assert client.post(f"{PAGE}publish/").status_code == 403
        assert client.post(f"{PAGE}close/", {"reason": "账已核对"}).status_code == 403
    assert _now(county).status == PlanStatus.DRAFT
    for role in MANAGERS:
        CollectionPlan.objects.filter(pk=county.plan.pk).update(status=PlanStatus.DRAFT, closed_at=None)
        client = county.client(role)
        assert "确定发布" in text_of(client.get(PAGE))
        client.post(f"{PAGE}publish/")
        assert _now(county).status == PlanStatus.PUBLISHED
        assert "确定结束" in text_of(client.get(PAGE))
        client.post(f"{PAGE}close/", {"reason": "账已核对"})
        assert (_now(county).status, _now(county).closing_note) == (PlanStatus.CLOSED, "账已核对")
    for action in ("plan.publish", "plan.close"):
        actors = AuditEvent.objects.filter(action=action).values_list("actor__role", flat=True)
        assert set(actors) == MANAGERS


def test_published_only_when_its_examples_pass(county: County, tmp_path: Path) -> None:
    """A wrong amount fails examples: no button, and pressing anyway changes nothing and says how many fail."""
    wrong = _text(tmp_path, ("amount: 350,", "amount: 360,"), ("total: 960", "total: 970"))
    load_plan(by=None, path_or_code=wrong)
    client = county.client("medical_bureau")
    page = text_of(client.get(PAGE))
    assert "个算例不通过，还不能发布" in page
    assert "确定发布" not in page
    said = text_of(client.post(f"{PAGE}publish/", follow=True))
    assert "没有发布" in said
    assert "个不通过" in said
    assert _now(county).status == PlanStatus.DRAFT
    load_plan(by=None, path_or_code="shanting-2023")
    assert "已发布" in text_of(client.post(f"{PAGE}publish/", follow=True))
    again = text_of(client.post(f"{PAGE}publish/", follow=True))
    assert "现在是“已发布”，不能变为“已发布”" in again


@pytest.mark.covers("E004")
def test_before_the_paper_is_issued_a_plan_is_stored_and_forecast(county: County, tmp_path: Path) -> None:
    """A text without a day of issue is provisional: assessed, not published; the paper takes its place and its row."""
    CollectionPlan.objects.filter(pk=county.plan.pk).update(status=PlanStatus.DRAFT)
    early = _text(
        tmp_path, ("  issued_on: 2022-11-22\n", ""), ("amount: 350,", "amount: 340,"), ("total: 960", "total: 950")
    )  # fmt: skip
    load_plan(by=None, path_or_code=early)
    plan = _now(county)
    assert (plan.status, plan.issued_on) == (PlanStatus.PROVISIONAL, None)
    with places_scope(county.cast.places):
        forecast = assess(by=None, plan=plan)
        assert forecast.personal == Decimal("340") * 2 + 170 + 300
    client = county.client("tax_bureau")
    assert "还没有印发" in text_of(client.get(PAGE))
    assert "没有发文日期" in text_of(client.post(f"{PAGE}publish/", follow=True))
    assert _now(county).status == PlanStatus.PROVISIONAL
    load_plan(by=None, path_or_code="shanting-2023")
    plan = _now(county)
    assert plan.status == PlanStatus.DRAFT
    with places_scope(county.cast.places):
        assert assess(by=None, plan=plan).personal == Decimal("350") * 2 + 175 + 300
        assert Charge.objects.filter(current=True, insurance="medical", personal_amount=340).count() == 0
    assert publish_plan(by=None, plan=plan).failed == {}


def test_a_draft_of_the_next_version_disturbs_nobody(county: County, tmp_path: Path) -> None:
    """Beside a published version a draft of the next one is only read by its number."""
    with pytest.raises(PlanError) as refused:
        load_plan(by=None, path_or_code=_text(tmp_path, ("version: 1", "version: 2")))
    assert refused.value.code == "unpublished_version"
    publish_plan(by=None, plan=county.plan)
    dearer = _text(
        tmp_path, ("version: 1", "version: 2"), ("amount: 350,", "amount: 380,"), ("total: 960", "total: 990")
    )  # fmt: skip
    draft = load_plan(by=None, path_or_code=dearer).plan
    assert find_plan("shanting-2023") == county.plan
    assert find_rule_book("shanting-2023").version == 1
    with places_scope(county.cast.places):
        call_command("assess", plan="shanting-2023")
        assert set(Charge.objects.values_list("plan", flat=True)) == {county.plan.pk}
        assert Charge.objects.filter(insurance="medical", personal_amount=380).count() == 0
    client = county.client("medical_bureau")
    assert "有修订待生效" in text_of(client.get("/plans/"))
    assert client.get("/plans/").content.decode().count('href="/plans/shanting-2023/"') == 1
    assert "第 1 版" in text_of(client.get(PAGE))
    assert "还没有生效，不影响任何应缴" in text_of(client.get(f"{PAGE}?version=2"))
    for path in ("/rosters/", "/progress/", "/plans/what-if/"):
        assert client.get(path, follow=True).status_code == 200
    with pytest.raises(PlanError) as once:
        publish_plan(by=None, plan=draft)
    assert once.value.code == "amends"
    assert "有一份还没生效的修订" in text_of(client.post(f"{PAGE}close/", {"reason": "结束"}, follow=True))


def test_a_closed_plan_takes_no_more_charges(
    county: County, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Closed for a reason: nothing is assessed any more, money that still comes is kept and asked about."""
    publish_plan(by=None, plan=county.plan)
    with places_scope(county.cast.places):
        assess(by=None, plan=county.plan)
        charge = Charge.objects.get(resident=county.people["adult"], insurance="medical")
    client = county.client("tax_bureau")
    assert "请写明为什么结束" in text_of(client.post(f"{PAGE}close/", {"reason": " "}, follow=True))
    assert _now(county).status == PlanStatus.PUBLISHED
    page = text_of(client.post(f"{PAGE}close/", {"reason": "年度征缴已结束"}, follow=True))
    assert "年度征缴已结束" in page
    with pytest.raises(SystemExit) as end:
        call_command("assess", plan="shanting-2023")
    assert end.value.code == 2
    assert "已结束" in capsys.readouterr().err
    with places_scope(county.cast.places):
        person = county.people["adult"].pk
        said = county.client("medical_bureau").post(
            f"/admin/enrollment/resident/{person}/change/", {"act": "assess"}, follow=True
        )
        assert "已结束" in text_of(said)
        order = PaymentOrder(
            client_uuid=uuid.uuid4(), handed_over_at=timezone.now(), route="village", means="qr",
            received=Decimal("350"), lines=(LineOrder(charge.registration_id, charge.pk, 1, Decimal("350")),),
        )  # fmt: skip
        answer = record_payment(by=county.cast.user("village_agent"), order=order)
        assert [case.kind for case in answer.cases] == ["outside_window"]
        assert (answer.payment.allocated, answer.payment.excess) == (Decimal("0"), Decimal("350"))
        assert Charge.objects.count() == 6
    amended = _text(tmp_path, ("version: 1", "version: 2"))
    with pytest.raises(PlanError) as refused:
        load_plan(by=None, path_or_code=amended)
    assert refused.value.code == "closed"


def test_every_state_has_its_steps() -> None:
    """One table holds the steps of every state; what is amended stays, what is closed may be opened again."""
    assert set(PLAN_STEPS) == set(PlanStatus.values)
    assert all(after <= set(PlanStatus.values) for after in PLAN_STEPS.values())
    assert not PLAN_STEPS["amended"]
    assert PLAN_STEPS["closed"] == {"published"}
