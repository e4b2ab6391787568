"""Departments' lists as offices receive them: form, day and seal noted, deadlines warned of, what is foreign not there."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.models import CollectionPlan
from foundation.audit.models import AuditEvent
from foundation.clock.services import set_business_date
from subsidies.lists import expected_lists
from subsidies.models import ListDelivery
from subsidies.queries import PLANS
from tests.factories import make_resident
from tests.imports.office import Desk, as_csv, make_desk, number_of

TODAY = date(2022, 11, 28)


@pytest.fixture
def desk(db: None) -> Desk:
    """A desk whose plan is 山亭's paper, on a day after its deadline."""
    found = make_desk()
    text = (PLANS / "shanting-2023.yaml").read_text(encoding="utf-8")
    CollectionPlan.objects.filter(pk=found.plan.pk).update(
        document={"text": text}, source_sha256="shanting-2023"
    )
    found.plan.refresh_from_db()
    set_business_date(county_code=found.cast.county.code, day=TODAY)
    return found


def _client(desk: Desk, role: str) -> Client:
    client = Client()
    client.force_login(desk.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def _note(client: Client, desk: Desk, **values: Any) -> str:
    terms = {
        "plan": desk.plan.code,
        "line": ["category:disabled"],
        "form": ["electronic", "sealed"],
        "on": "2022-10-28",
    }
    return str(client.post(reverse("lists:received"), terms | values, follow=True).content.decode())


def test_the_plan_says_which_lists_come_from_whom(desk: Desk) -> None:
    """A line for each group an office certifies, with the office as printed; deaths with the fifth of the month."""
    lines = {line.key: line for line in expected_lists(desk.plan, TODAY)}
    assert lines["category:disabled"].sender == "区残联"
    assert lines["category:dibao"].sender == "区民政局"
    deadline = lines["category:disabled"].deadline
    assert deadline is not None
    assert (deadline.on, deadline.name) == (date(2022, 10, 31), "资助人员名单报送")
    deaths = lines["deaths:"].deadline
    assert deaths is not None
    assert deaths.on == date(2022, 11, 5)


@pytest.mark.covers("E056")
def test_a_township_notes_the_electronic_and_the_sealed_paper_form(desk: Desk) -> None:
    """Two forms in one note, on the day they came; late before, complete afterwards; audited; nobody else's office."""
    client = _client(desk, "township_clerk")
    before = client.get(reverse("lists:board")).content.decode()
    assert "甲镇收到的部门名单" in before
    assert "2022年10月31日，已过" in before
    shown = _note(client, desk, township=desk.cast.jia.code, note="纸质两份")
    assert "已记下收到 1 份名单" in shown
    assert "盖章纸质版" in shown
    assert "已齐" in shown
    found = ListDelivery.objects.get()
    assert (found.township, found.received_on) == (desk.cast.jia, date(2022, 10, 28))
    assert (found.electronic, found.paper, found.sealed) == (True, True, True)
    assert found.noted_by == desk.cast.user("township_clerk")
    event = AuditEvent.objects.get(action="lists.received")
    assert (event.township_code, event.detail["forms"]) == (desk.cast.jia.code, ["electronic", "sealed"])
    other = _client(desk, "clerk_yi").get(reverse("lists:board")).content.decode()
    assert "已齐" not in other
    bureau = _client(desk, "medical_bureau").get(reverse("lists:board")).content.decode()
    assert "1 / 2 个镇街收到纸质版" in bureau


@pytest.mark.covers("E056", "E057")
def test_a_file_that_went_in_is_the_electronic_form(desk: Desk) -> None:
    """The clerk imports a department's spreadsheet: its line says when, with the rows that went back; the paper is noted."""
    clerk = desk.cast.user("township_clerk")
    known = make_resident(desk.cast, desk.cast.dong, name="周一", number=number_of(sequence=71))
    rows = [
        {"姓名": known.name, "身份证号": number_of(sequence=71), "残疾等级": "一级"},
        {"姓名": "周二", "身份证号": "1", "残疾等级": "一级"},
    ]
    batch = desk.take("category", as_csv(rows), by=clerk, category_code="disabled")
    client = _client(desk, "township_clerk")
    assert reverse("imports:batch", args=[batch.pk]) in client.get(reverse("lists:board")).content.decode()
    assert "已齐" in _note(client, desk, township=desk.cast.jia.code, form=["sealed"])


def test_what_cannot_be_is_said_in_words(desk: Desk) -> None:
    """No list, no form, a day to come, a day that is none; and a note taken back stays in sight."""
    client = _client(desk, "township_clerk")
    town = {"township": desk.cast.jia.code}
    assert "请先勾选收到了哪些名单" in _note(client, desk, line=[], **town)
    assert "请勾选收到的是" in _note(client, desk, form=[], **town)
    assert "不能晚于今天" in _note(client, desk, on=(TODAY + timedelta(days=1)).isoformat(), **town)
    assert "收到日期不对" in _note(client, desk, on="十月底", **town)
    assert not ListDelivery.objects.exists()
    _note(client, desk, **town)
    address = reverse("lists:withdraw", args=[ListDelivery.objects.get().pk])
    shown = client.post(address, follow=True).content.decode()
    assert "已撤销这一条" in shown
    assert "已齐" not in shown
    assert "已经撤销过了" in client.post(address, follow=True).content.decode()


def test_each_office_notes_what_came_to_itself(desk: Desk) -> None:
    """A clerk not for the county or another township, a bureau not for a township, a department and an auditor nothing."""
    cast = desk.cast
    for role, township, status in (
        ("township_clerk", cast.yi.code, 404),
        ("medical_bureau", cast.jia.code, 403),
        ("department", "", 403),
        ("auditor", "", 403),
        ("village_agent", "", 403),
    ):
        answer = _client(desk, role).post(
            reverse("lists:received"),
            {"plan": desk.plan.code, "township": township, "line": "category:disabled", "form": "paper"},
        )
        assert answer.status_code == status, role
    assert "已记下收到 1 份名单" in _note(_client(desk, "medical_bureau"), desk)
    assert ListDelivery.objects.get().township is None


def test_a_department_sees_its_own_lists(desk: Desk) -> None:
    """民政局 sees 低保 and deaths, not the disabled of 残联."""
    shown = _client(desk, "department").get(reverse("lists:board")).content.decode()
    assert "低保对象" in shown
    assert "死亡名单" in shown
    assert "残疾人" not in shown
    assert timezone.localdate() != TODAY
