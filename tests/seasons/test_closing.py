"""A year ends: what stands in its way, what is locked, archived and summed up, and how it is opened again."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import openpyxl
import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.core.management import call_command
from pypdf import PdfReader

from contributions.models import Charge, Payment
from contributions.services.payments import LineOrder, record_payment, reverse_payment
from enrollment.models import CollectionPlan, PlanStatus
from foundation.audit.models import AuditEvent
from foundation.encryption import get_keyring
from foundation.http import Problem
from foundation.imports.engine import vault
from foundation.imports.models import ImportBatch
from foundation.jobs.models import Job, JobState
from foundation.scope.context import places_scope
from rosters.models import Roster
from seasons.models import ArchivedFile, SeasonClosing
from seasons.services.closing import reopen_season
from subsidies.services.life import publish_plan
from tests.seasons.conftest import Year

AFTER = date(2023, 2, 6)


@pytest.fixture
def ended(year: Year) -> Year:
    """2023 published and over: 缴一 paid, 欠一 did not, 低一 is paid for, 愿一 would not; a roster of 东村."""
    publish_plan(by=None, plan=year.old)
    year.join("缴一", tier="300")
    year.join("欠一")
    year.join("低一", unit=year.cast.nan, category="dibao")
    year.join("愿一", unit=year.cast.nan, registration={"closing_reason": "自愿不参保"})
    year.assess()
    year.pay("缴一")
    dong = year.cast.dong
    with places_scope(year.places):
        Roster.objects.create(
            township_id=dong.township_id, unit=dong, plan=year.old, kind="payment", version=1, number="P-1",
            as_of=AFTER, digest="a" * 64, line_count=2, household_count=2,
        )  # fmt: skip
    year.turn(AFTER)
    year.old.refresh_from_db()
    return year


def close_season(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON and what was said on standard error."""
    out, err, code = StringIO(), StringIO(), 0
    try:
        call_command("close_season", "shanting-2023", "--json", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        code = int(str(end.code))
    lines = out.getvalue().splitlines()
    return code, json.loads(lines[-1]) if lines else {}, err.getvalue()


def content(file: ArchivedFile) -> bytes:
    """The plain bytes of an archived file."""
    return b"".join(vault.read(file.stored_as))


def test_what_is_open_needs_a_reason(ended: Year) -> None:
    """Warnings name what is open; without a reason nothing happens, exit 1."""
    code, answer, said = close_season()
    assert code == 1
    assert answer["archived"] == 0
    assert answer["blockers"] == []
    assert {matter["code"] for matter in answer["warnings"]} == {"unpaid", "unconfirmed", "rosters"}
    assert "还有 1 人次未缴，没有销号原因" in said
    assert "--force REASON" in said
    ended.old.refresh_from_db()
    assert ended.old.status == PlanStatus.PUBLISHED


def test_what_must_be_settled_first_stops_it(ended: Year) -> None:
    """A batch nobody applied, a job that runs, an unpublished plan: each named; a reason does not help."""
    batch = ImportBatch.objects.create(
        kind="registration", county_code=ended.cast.county.code, plan_code="shanting-2023", file_name="a.csv",
        sha256="0" * 64, state="checked",
    )  # fmt: skip
    Job.objects.create(kind="assess", county_code=ended.cast.county.code, key="x")
    code, answer, said = close_season("--force", "账已核对清楚")
    assert code == 1
    assert {matter["code"] for matter in answer["blockers"]} == {"batches", "jobs"}
    assert "有 1 批导入还没有入库或放弃" in said
    Job.objects.update(state=JobState.CANCELLED)
    batch.delete()
    CollectionPlan.objects.filter(pk=ended.old.pk).update(status=PlanStatus.DRAFT)
    _code, answer, _said = close_season("--force", "账已核对清楚")
    assert [matter["code"] for matter in answer["blockers"]] == ["not_published"]


@pytest.mark.covers("E009")
def test_a_year_is_locked_archived_and_summed_up(ended: Year) -> None:
    """A workbook a township, the county's, the paper: proved by SHA-256, sealed in storage; figures by definition."""
    code, answer, _said = close_season("--force", "欠缴的一户外出，已通知")
    assert code == 0
    assert (answer["archived"], answer["state"]) == (4, "succeeded")
    ended.old.refresh_from_db()
    assert ended.old.status == PlanStatus.CLOSED
    medical = answer["summary"]["insurances"]["medical"]
    assert [medical[key] for key in ("registered", "due", "paid", "exempt", "unpaid", "settled_aside")] == [
        4,
        3,
        1,
        1,
        1,
        1,
    ]
    assert (medical["paid_amount"], medical["due_amount"], medical["unpaid_amount"]) == (
        "350.00",
        "1050.00",
        "350.00",
    )
    pension = answer["summary"]["insurances"]["pension"]
    assert (pension["paid"], pension["paid_amount"]) == (1, "300.00")
    assert answer["summary"]["tiers"] == [{"tier": "300.00", "heads": 1, "paid": 1, "paid_amount": "300.00"}]
    payers = {
        (row["payer"], row["insurance"]): (row["heads"], row["amount"]) for row in answer["summary"]["payers"]
    }
    assert payers["government_or_department", "medical"] == (1, "350.00")
    assert payers["fiscal_subsidy", "medical"] == (4, "2440.00")
    names = [
        township["name"]
        for township in answer["summary"]["townships"]
        if township["insurances"]["medical"]["registered"]
    ]
    assert names == ["甲镇", "乙镇"]
    assert medical["target"] == 343740
    closing = SeasonClosing.objects.get()
    assert closing.reason == "欠缴的一户外出，已通知"
    files = list(ArchivedFile.objects.order_by("kind", "township__code"))
    for file in files:
        assert hashlib.sha256(content(file)).hexdigest() == file.sha256
        number = get_keyring().decrypt(ended.people["缴一"].number_encrypted or b"")
        with default_storage.open(file.stored_as, "rb") as sealed:
            assert number.encode() not in sealed.read()
    digest = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    assert (answer["digest"], closing.digest) == (digest, digest)
    assert AuditEvent.objects.filter(action="season.archive").exists()


def test_what_the_archive_says(ended: Year) -> None:
    """The township's book names everybody with what was due, paid and how it ended; the county's holds the directory."""
    close_season("--force", "欠缴的一户外出，已通知")
    number = get_keyring().decrypt(ended.people["缴一"].number_encrypted or b"")
    book = openpyxl.load_workbook(io.BytesIO(content(ArchivedFile.objects.get(township=ended.cast.jia))))
    assert book.sheetnames == ["汇总", "台账", "清册目录", "待处理事项"]
    rows = list(book["台账"].iter_rows(min_row=3, values_only=True))
    lines = [dict(zip(rows[0], row, strict=True)) for row in rows[1:4]]
    assert [(line["姓名"], line["险种"], line["状态"]) for line in lines] == [
        ("缴一", "医疗", "已缴"), ("缴一", "养老", "已缴"), ("欠一", "医疗", "未缴"),
    ]  # fmt: skip
    assert (lines[0]["身份证号"], lines[0]["个人应缴"], lines[0]["保障起止"]) == (
        number,
        350,
        "2023-01-01 – 2023-12-31",
    )
    assert rows[4][0] == "合计"
    assert "P-1" in [row[3] for row in book["清册目录"].iter_rows(min_row=4, values_only=True)]
    county = openpyxl.load_workbook(io.BytesIO(content(ArchivedFile.objects.get(kind="county"))))
    wanted_sheets = ["养老分镇街", "医疗分镇街", "分出资方", "养老分档次", "待处理和未了事项", "归档目录"]
    assert county.sheetnames == wanted_sheets
    listed = {row[1]: row[4] for row in county["归档目录"].iter_rows(min_row=4, values_only=True) if row[4]}
    wanted = dict(ArchivedFile.objects.filter(kind="township").values_list("name", "sha256"))
    assert wanted.items() <= listed.items()
    paper = "".join(
        page.extract_text()
        for page in PdfReader(io.BytesIO(content(ArchivedFile.objects.get(kind="paper")))).pages
    )
    assert "征缴工作总结" in paper
    assert "欠缴的一户外出" in paper


def test_money_that_comes_late_is_kept_beside_the_sums(ended: Year) -> None:
    """Handed over after closing: stored whole as a case, nothing of it on the charge; no reversal, no second closing."""
    before = Payment.objects.all()
    close_season("--force", "欠缴的一户外出，已通知")
    with places_scope(ended.places):
        charge = Charge.objects.get(resident=ended.people["欠一"])
        lines = (LineOrder(charge.registration_id, charge.pk, charge.version, charge.personal_amount),)
        answer = record_payment(by=ended.cast.user("township_clerk"), order=ended.order(lines))
        assert (answer.payment.received, answer.payment.allocated) == (Decimal(350), Decimal(0))
        assert [(case.kind, case.amount) for case in answer.cases] == [("outside_window", Decimal(350))]
        paid = before.exclude(pk=answer.payment.pk).latest("pk")
        with pytest.raises(Problem) as refused:
            reverse_payment(
                by=ended.cast.user("township_clerk"),
                payment=paid.pk,
                client_uuid=ended.order(lines).client_uuid,
                reason="x",
            )
    assert refused.value.code == "closed"
    code, answer_again, said = close_season("--force", "再来一次也不行")
    assert code == 1
    assert answer_again["blockers"][0]["code"] == "closed"
    assert "已经结账归档" in said


def test_the_administrator_opens_it_again(ended: Year) -> None:
    """For a reason; the first archive stays, closing again makes a second beside it."""
    close_season("--force", "欠缴的一户外出，已通知")
    ended.old.refresh_from_db()
    with pytest.raises(PermissionDenied):
        reopen_season(by=ended.cast.user("tax_bureau"), plan=ended.old, reason="要改一户的档次")
    with places_scope(ended.places):
        reopen_season(by=ended.cast.user("admin"), plan=ended.old, reason="要改一户的档次")
    ended.old.refresh_from_db()
    assert ended.old.status == PlanStatus.PUBLISHED
    ended.pay("欠一")
    _code, answer, _said = close_season("--force", "补收后再次结账")
    assert answer["summary"]["insurances"]["medical"]["paid"] == 2
    assert list(SeasonClosing.objects.order_by("number").values_list("number", flat=True)) == [1, 2]
    first = SeasonClosing.objects.get(number=1)
    assert first.summary["insurances"]["medical"]["paid"] == 1
    assert ArchivedFile.objects.filter(closing=first).count() == 4
    assert (
        hashlib.sha256(content(first.files.get(kind="paper"))).hexdigest()
        == first.files.get(kind="paper").sha256
    )


def test_an_unknown_plan_is_unusable(year: Year) -> None:
    """Exit 2, one line."""
    err = StringIO()
    with pytest.raises(SystemExit) as error:
        call_command("close_season", "nowhere-1999", stderr=err)
    assert error.value.code == 2
    assert "no plan nowhere-1999" in err.getvalue()
