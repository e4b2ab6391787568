"""The list of paid people whose answer is another one now: who sees it, what it says, and the same as a workbook."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from typing import Any

import openpyxl
import pytest
from django.test import Client

from enrollment.models import Resident
from foundation.audit.models import AuditEvent
from foundation.scope.context import places_scope
from tests.contributions.paid import Paid, build_paid
from tests.plans.test_pages import text_of
from townships.models import Role

PAGE = "/plans/differences/"
READERS = {"tax_bureau", "medical_bureau", "hr_bureau", "finance_bureau", "township_clerk", "auditor"}


@pytest.fixture
def paid(db: None) -> Iterator[Paid]:
    """甲镇: somebody of dibao charged before the list came, one listed after paying. 乙镇: one employed since."""
    made = build_paid()
    with places_scope(made.cast.places):
        early = made.resident(name="贾早")
        later = made.resident(name="贾晚", unit=made.cast.xi)
        employed = made.resident(name="尹职", unit=made.cast.nan)
        made.assess()
        for person in (early, later, employed):
            made.pay(person)
        made.member(early, "dibao", date(2022, 1, 1))
        made.member(later, "tekun", date(2022, 12, 5))
        Resident.objects.filter(pk=employed.pk).update(employee_medical=True)
        made.assess(date(2022, 12, 10))
        yield made


def _client(paid: Paid, role: str) -> Client:
    client = Client()
    client.force_login(paid.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_before_after_difference_and_what_happens(paid: Paid) -> None:
    """Each person once, with the setting that decided; sums by outcome stand above and narrow the list."""
    client = _client(paid, "medical_bureau")
    answer = client.get(PAGE)
    text = text_of(answer)
    assert "全部 3 人次" in text
    assert "退差额 1 人次 涉及 350.00 元" in text
    assert (
        "350.00 0.00 -350.00 缴费时的事实有更正 退差额 350.00 待处理事项：待处理 名单到之前已缴的代缴人员：退费"
        in text
    )
    assert "350.00 0.00 -350.00 缴费后身份有变化 按缴费时的保留 缴费后才取得身份：不退" in text
    assert "现在不应参保：已参加职工医保 人工复核" in text
    names = [line.row.resident.name for line in client.get(f"{PAGE}?outcome=keep").context["lines"]]
    assert names == ["贾晚"]
    assert [line.row.resident.name for line in client.get(f"{PAGE}?q=尹").context["lines"]] == ["尹职"]
    assert client.get(f"{PAGE}?outcome=nonsense").status_code == 404


def test_who_reads_it_and_of_which_places(paid: Paid) -> None:
    """Bureaus, finance, auditor: the county; the clerk her township; nobody else at all."""
    for role in Role.values:
        status = _client(paid, role).get(PAGE).status_code
        assert status == (200 if role in READERS else 403), role
    clerk = text_of(_client(paid, "township_clerk").get(PAGE))
    assert "贾早" in clerk
    assert "尹职" not in clerk
    assert _client(paid, "township_clerk").get(f"{PAGE}?township={paid.cast.yi.code}").status_code == 404


def test_the_workbook_says_the_same(paid: Paid) -> None:
    """Rows and sums of the page, numbers masked, and the taking out in the trail."""
    answer: Any = _client(paid, "tax_bureau").get(f"{PAGE}workbook.xlsx?plan=shanting-2023")
    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    rows = [[cell.value for cell in row] for row in book.active.iter_rows()]
    people = {row[3]: row for row in rows if row[3] in ("贾早", "贾晚", "尹职")}
    assert len(people) == 3
    assert people["贾早"][4].startswith("****************")
    total = next(row for row in rows if row[0] == "合计")
    assert (total[7], total[12]) == (1050, 700)
    event = AuditEvent.objects.get(action="export.differences")
    assert (event.actor, event.detail) == (paid.cast.user("tax_bureau"), {"lines": 3})


def test_the_list_costs_a_fixed_number_of_queries(paid: Paid, django_assert_num_queries: Any) -> None:
    """One row or many."""
    client = _client(paid, "medical_bureau")
    client.get(PAGE)
    with django_assert_num_queries(12):
        client.get(f"{PAGE}?outcome=keep")
    with django_assert_num_queries(12):
        client.get(PAGE)


def test_the_resident_page_shows_it_and_a_county_without_any_says_so(paid: Paid) -> None:
    """On the telephone: what was paid, what it would be, and what happens about it."""
    client = _client(paid, "hr_bureau")
    person = Resident.objects.get(name="贾晚")
    text = text_of(client.get(f"/admin/enrollment/resident/{person.pk}/change/"))
    assert "2022年11月30日缴费时个人缴 350.00 元，按现在的情况是 0.00 元" in text
    assert "按缴费时的保留" in text
    employed = Resident.objects.get(name="尹职")
    text = text_of(client.get(f"/admin/enrollment/resident/{employed.pk}/change/"))
    assert "已缴 350.00 元，之后情况有变" in text
    Resident.objects.filter(pk=employed.pk).update(employee_medical=False)
    paid.assess(date(2022, 12, 10))
    yi = text_of(_client(paid, "clerk_yi").get(PAGE))
    assert "没有差异：已缴的人核定都和缴费时一样" in yi
