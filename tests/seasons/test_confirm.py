"""The year's page and the people to confirm: found, decided on by who may, taken out as a workbook."""

from __future__ import annotations

import io
import re
from datetime import date
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from enrollment.models import Registration, Resident
from foundation.audit.models import AuditEvent
from foundation.encryption import get_keyring
from foundation.jobs.models import Job, JobState
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from seasons.models import Confirmation
from tests.seasons.conftest import Year
from tests.seasons.test_opening import open_season
from townships.models import Role

PAGE = "/seasons/?plan=shanting-2024"
LIST = "/seasons/shanting-2024/confirm/"
READERS = {
    "admin", "tax_bureau", "medical_bureau", "hr_bureau", "finance_bureau", "township_clerk", "auditor", "county_leader",
}  # fmt: skip


def text_of(answer: Any) -> str:
    """What a page says: tags away, spaces as one."""
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


@pytest.fixture
def opened(year: Year) -> Year:
    """Opened: somebody dead and somebody employed in 东村, somebody newly sixteen in 南村."""
    year.join("亡一", tier="300", death_date=date(2023, 3, 1))
    year.join("职一", tier="300")
    year.join("少一", unit=year.cast.nan, birth=date(2007, 6, 1))
    year.join("档一", unit=year.cast.nan, tier="600")
    year.assess()
    year.pay("职一", "少一", "档一")
    with places_scope(year.places):
        Resident.objects.filter(pk=year.people["职一"].pk).update(employee_pension=True)
    year.turn()
    open_season()
    return year


def decide(year: Year, role: str, decision: str, *rows: Confirmation, **more: str) -> Any:
    """Tick these lines and press."""
    body = {"line": [row.pk for row in rows], "decision": decision, **more}
    return year.client(role).post(f"{LIST}decide/", body, follow=True)


@pytest.mark.parametrize("role", sorted(Role.values))
def test_the_year_is_read_by_who_works_with_it(opened: Year, role: str) -> None:
    """Both years side by side; departments and agents have other pages."""
    answer = opened.client(role).get(PAGE)
    if role not in READERS:
        assert answer.status_code == 403
        return
    text = text_of(answer)
    assert "2023 年度" in text
    assert "2024 年度" in text
    assert "还有 5 条" in text if role != "township_clerk" else "还有 3 条" in text


def test_the_year_page_has_a_fixed_number_of_queries(
    opened: Year, django_assert_max_num_queries: Any
) -> None:
    """Whatever the number of people who wait."""
    client = opened.client("tax_bureau")
    client.get(PAGE)
    with django_assert_max_num_queries(30):
        client.get(PAGE)
    with django_assert_max_num_queries(22):
        client.get(LIST)


def test_a_year_is_opened_by_its_button(year: Year) -> None:
    """The bureau presses, the job runs, the page shows what waits; a clerk may not."""
    year.join("职一", employee_medical=True)
    year.assess()
    year.turn()
    assert year.client("township_clerk").post(
        "/seasons/shanting-2024/open/", {"source": "shanting-2023"}
    ).status_code == 403  # fmt: skip
    client = year.client("tax_bureau")
    assert "开启 2024 年度" in text_of(client.get(PAGE))
    answer = client.post("/seasons/shanting-2024/open/", {"source": "shanting-2023"}, follow=True)
    assert "正在结转" in text_of(answer)
    job = Job.objects.get(kind="open_season")
    assert run_job(str(job.pk), worker="one") == JobState.SUCCEEDED
    text = text_of(client.get(PAGE))
    assert "已参加职工医保" in text
    assert "从 2023 年度结转登记和档次" in text
    refused = client.post("/seasons/shanting-2023/open/", {"source": "shanting-2024"}, follow=True)
    assert "上年要早于新年度" in text_of(refused)


def test_lists_are_narrowed_and_end_at_the_scope(opened: Year) -> None:
    """By reason, township and name; a clerk sees her township alone, and another's is not there."""
    bureau, clerk = opened.client("medical_bureau"), opened.client("township_clerk")
    assert "亡一" in text_of(bureau.get(f"{LIST}?reason=deceased"))
    assert "职一" not in text_of(bureau.get(f"{LIST}?reason=deceased"))
    assert "2023-03-01 死亡" in text_of(bureau.get(f"{LIST}?reason=deceased"))
    assert "少一" in text_of(bureau.get(f"{LIST}?township={opened.cast.yi.code}"))
    assert "少一" in text_of(bureau.get(f"{LIST}?q=少一"))
    text = text_of(clerk.get(LIST))
    assert "亡一" in text
    assert "少一" not in text
    assert clerk.get(f"{LIST}?township={opened.cast.yi.code}").status_code == 404
    assert "这样找没有人" in text_of(bureau.get(f"{LIST}?q=没有人"))
    number = get_keyring().decrypt(opened.people["亡一"].number_encrypted or b"")
    assert number not in text


def test_carrying_over_after_all(opened: Year) -> None:
    """The employed one stopped: registered at the place of today, with last year's tier; the trail names it."""
    row = opened.listed("职一")["pension", "employee_pension"]
    assert "处理了 1 条" in text_of(decide(opened, "township_clerk", "carry", row))
    made = opened.registered("职一", "pension")
    assert made is not None
    assert (made.tier, made.last_tier, made.is_new, made.missed_years) == (
        Decimal(300),
        Decimal(300),
        False,
        0,
    )
    row.refresh_from_db()
    assert (row.carried, row.decision, row.decided_by) == (True, "carry", opened.cast.user("township_clerk"))
    event = AuditEvent.objects.filter(action="season.decide").latest("pk")
    assert (event.detail["decision"], event.detail["made"], event.detail["chosen"]) == ("carry", 1, [row.pk])
    assert open_season()["registrations"] == 0


def test_a_new_sixteen_joins_as_new(opened: Year) -> None:
    """Never registered before: new, without a tier until one is chosen."""
    decide(opened, "hr_bureau", "carry", opened.listed("少一")["pension", "new_sixteen"])
    made = opened.registered("少一", "pension")
    assert made is not None
    assert (made.is_new, made.tier, made.last_tier) == (True, None, None)


def test_leaving_out_takes_the_registration_unless_something_is_due(opened: Year) -> None:
    """Before anything is due it goes, and opening again does not bring it back; afterwards it stays, in words."""
    row = opened.listed("档一")["pension", "tier_gone"]
    assert row.carried
    decide(opened, "hr_bureau", "leave_out", row)
    assert opened.registered("档一", "pension") is None
    assert opened.registered("档一", "medical") is not None
    assert open_season()["registrations"] == 0
    decide(opened, "hr_bureau", "carry", row)
    with places_scope(opened.places):
        Registration.objects.filter(resident=opened.people["档一"], insurance="pension").update(tier=300)
    opened.assess(opened.new)
    text = text_of(decide(opened, "hr_bureau", "leave_out", row))
    assert "1 人没有动" in text
    assert opened.registered("档一", "pension") is not None


def test_everybody_of_a_list_at_once(opened: Year) -> None:
    """All that the list was narrowed to get one word; what is not named stays."""
    answer = opened.client("tax_bureau").post(
        f"{LIST}decide/", {"reason": "deceased", "all": "1", "decision": "leave_out"}, follow=True
    )
    assert "处理了 2 条" in text_of(answer)
    with places_scope(opened.places):
        states = dict(Confirmation.objects.values_list("reason", "decision"))
    assert states["deceased"] == "leave_out"
    assert states["employee_pension"] == ""
    assert "已处理 2 条" in text_of(opened.client("tax_bureau").get(PAGE))


def test_nothing_ticked_and_rubbish_are_answered_in_words(opened: Year) -> None:
    """No traceback, nothing changed; a line of another township is not there."""
    assert "没有选中任何人" in text_of(decide(opened, "township_clerk", "done"))
    row = opened.listed("亡一")["medical", "deceased"]
    assert "请选择怎样处理" in text_of(decide(opened, "township_clerk", "gone", row))
    foreign = opened.listed("少一")["pension", "new_sixteen"]
    assert decide(opened, "township_clerk", "done", foreign).status_code == 404
    assert decide(opened, "auditor", "done", row).status_code == 403
    foreign.refresh_from_db()
    assert foreign.decision == ""


def test_the_list_as_a_workbook(opened: Year) -> None:
    """Official columns; numbers whole for the bureaus alone; taking it out is in the trail."""
    number = get_keyring().decrypt(opened.people["亡一"].number_encrypted or b"")
    for role, whole in (("hr_bureau", True), ("township_clerk", False)):
        answer = opened.client(role).get(
            "/seasons/shanting-2024/confirm.xlsx?reason=deceased&insurance=pension"
        )
        sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
        assert sheet is not None
        rows = list(sheet.iter_rows(min_row=3, values_only=True))
        assert rows[0][:4] == ("序号", "镇街", "村居", "村组")
        line = dict(zip(rows[0], rows[1], strict=True))
        assert (line["姓名"], line["依据"], line["上年档次"], line["已结转"]) == (
            "亡一",
            "2023-03-01 死亡",
            "300",
            "否",
        )
        assert (line["身份证号"] == number) == whole
        assert line["身份证号"].endswith(number[-4:])
    assert AuditEvent.objects.filter(action="season.confirm_export").count() == 2
