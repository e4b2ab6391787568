"""Closing by its pages: what is open, who may, the frozen summary, files of the archive, opening again."""

from __future__ import annotations

import hashlib
import io
from datetime import date
from typing import Any

import openpyxl
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pypdf import PdfReader

from enrollment.models import PlanStatus, Stage
from foundation.audit.models import AuditEvent
from foundation.jobs.models import Job, JobState
from foundation.jobs.services import queue
from foundation.jobs.services.run import run_job
from seasons.models import ArchivedFile, SeasonClosing
from tests.seasons.conftest import Year
from tests.seasons.test_closing import close_season, ended
from tests.seasons.test_confirm import text_of

__all__ = ["ended"]
PAGE = "/seasons/?plan=shanting-2023"
CLOSE = "/seasons/shanting-2023/close/"
SUMMARY = "/seasons/shanting-2023/summary/"


@pytest.fixture
def closed(ended: Year) -> Year:
    """Closed with what was open, archived."""
    close_season("--force", "欠缴的一户外出，已通知")
    return ended


def test_closing_by_its_button(ended: Year) -> None:
    """What is open stands there with the page that settles it; a reason is asked for; the job's end shows as done."""
    client = ended.client("medical_bureau")
    assert "看还差什么，结账" in text_of(client.get(PAGE))
    page = text_of(client.get(CLOSE))
    assert "还有 1 人次未缴，没有销号原因" in page
    assert "为什么带着未了的事项结账" in page
    assert "请写明原因，至少四个字" in text_of(client.post(CLOSE, {"reason": "好"}))
    assert not SeasonClosing.objects.exists()
    assert "正在归档" in text_of(client.post(CLOSE, {"reason": "外出户已通知"}, follow=True))
    job = Job.objects.get(kind="close_season")
    assert run_job(str(job.pk), worker="one") == JobState.SUCCEEDED
    page = text_of(client.get(PAGE))
    assert "已结账" in page
    assert "外出户已通知" in page
    assert "已经结账归档" in text_of(client.get(CLOSE))


def test_who_may_close_and_open_again(ended: Year) -> None:
    """The bureaus close, the administrator alone opens again, everybody else is refused."""
    for role in ("township_clerk", "auditor", "finance_bureau", "admin", "county_leader"):
        assert ended.client(role).post(CLOSE, {"reason": "外出户已通知"}).status_code == 403
    close_season("--force", "外出户已通知")
    reopen = "/seasons/shanting-2023/reopen/"
    assert ended.client("tax_bureau").post(reopen, {"reason": "要改一户"}).status_code == 403
    admin = ended.client("admin")
    assert "请写明为什么重新开启" in text_of(admin.post(reopen, {"reason": " "}, follow=True))
    assert "已重新开启" in text_of(admin.post(reopen, {"reason": "要改一户的档次"}, follow=True))
    ended.old.refresh_from_db()
    assert ended.old.status == PlanStatus.PUBLISHED
    page = text_of(ended.client("tax_bureau").get(PAGE))
    assert "重新开启：要改一户的档次" in page
    assert "第 1 次结账的归档" in page


def test_an_interrupted_archive_goes_on(ended: Year) -> None:
    """Stopped after its first township, asked for again: one closing, each file once, what was half written is gone."""
    client = ended.client("tax_bureau")
    client.post(CLOSE, {"reason": "外出户已通知"})
    job = Job.objects.get(kind="close_season")

    def stop(running: Job) -> None:
        if ArchivedFile.objects.exists():
            queue.cancel(by=ended.cast.user("tax_bureau"), job=running)

    assert run_job(str(job.pk), worker="one", report=stop) == JobState.CANCELLED
    closing = SeasonClosing.objects.get()
    first = ArchivedFile.objects.get()
    stray = default_storage.save(f"seasons/{closing.pk}/stray", ContentFile(b"half"))
    assert "已封账，没有归档完" in text_of(client.get(PAGE))
    client.post(CLOSE, {"reason": "外出户已通知"})
    again = Job.objects.filter(kind="close_season").exclude(pk=job.pk).get()
    assert run_job(str(again.pk), worker="two") == JobState.SUCCEEDED
    closing.refresh_from_db()
    assert closing.archived
    assert ArchivedFile.objects.count() == 4
    assert ArchivedFile.objects.get(pk=first.pk).sha256 == first.sha256
    assert not default_storage.exists(stray)


@pytest.mark.covers("E009")
def test_the_summary_stays_as_it_was(closed: Year) -> None:
    """Page, workbook and paper say the frozen figures; a clerk sees her township alone; late money stands beside it."""
    bureau = closed.client("finance_bureau")
    text = text_of(bureau.get(SUMMARY))
    assert "数字是结账时的" in text
    assert "参保地政府或部门" in text
    assert "结账时未了" in text
    closed.pay("欠一")
    text = text_of(bureau.get(SUMMARY))
    assert "结账以后又到了 1 笔钱，350.00 元" in text
    book = openpyxl.load_workbook(io.BytesIO(bureau.get("/seasons/shanting-2023/summary.xlsx").content))
    rows = list(book["医疗分镇街"].iter_rows(min_row=3, values_only=True))
    lines = {row[1]: dict(zip(rows[0], row, strict=True)) for row in rows[1:] if row[1]}
    assert (lines["甲镇"]["已缴人数"], lines["甲镇"]["收缴额"], lines["乙镇"]["政府代缴人数"]) == (1, 350, 1)
    paper = bureau.get("/seasons/shanting-2023/summary.pdf")
    pages = PdfReader(io.BytesIO(paper.content)).pages
    words = "".join(page.extract_text() for page in pages)
    assert "征缴工作总结" in words.replace("\n", "")
    assert "居民医疗保险" in words
    last = pages[-1].extract_text()
    assert "2023年2月6日" in last
    assert "结账说明" in last, "whoever signs stands on a page with words"
    archived = ArchivedFile.objects.get(kind="paper")
    assert hashlib.sha256(paper.content).hexdigest() == archived.sha256, (
        "the same figures give the same paper"
    )
    clerk = closed.client("township_clerk")
    text = text_of(clerk.get(SUMMARY))
    assert "甲镇" in text
    assert "乙镇" not in text
    assert "参保地政府或部门" not in text
    assert clerk.get("/seasons/shanting-2023/summary.pdf").status_code == 403
    sheets = openpyxl.load_workbook(io.BytesIO(clerk.get("/seasons/shanting-2023/summary.xlsx").content))
    assert "乙镇" not in str([list(sheet.values) for sheet in sheets])


def test_archived_files_open_for_who_may_read_whole_numbers(closed: Year) -> None:
    """Bureaus download what the digest proves, and every look is in the trail; the others see name and digest."""
    file = ArchivedFile.objects.get(township=closed.cast.jia)
    answer: Any = closed.client("hr_bureau").get(f"/seasons/archive/{file.pk}/")
    data = b"".join(answer.streaming_content)
    assert hashlib.sha256(data).hexdigest() == file.sha256
    assert int(answer["Content-Length"]) == len(data)
    assert AuditEvent.objects.filter(action="season.archive_download", target=str(file.pk)).count() == 1
    for role in ("township_clerk", "auditor", "finance_bureau", "admin", "county_leader"):
        assert closed.client(role).get(f"/seasons/archive/{file.pk}/").status_code == 403
    assert file.sha256 in text_of(closed.client("auditor").get(SUMMARY))
    assert closed.client("tax_bureau").get("/seasons/archive/999999/").status_code == 404


def test_there_is_no_summary_before_the_end(ended: Year) -> None:
    """404 before anything was closed, and for a closing that never was."""
    client = ended.client("tax_bureau")
    assert client.get(SUMMARY).status_code == 404
    close_season("--force", "外出户已通知")
    assert client.get(f"{SUMMARY}?closing=1").status_code == 200
    for number in ("2", "x", "99999999999"):
        assert client.get(f"{SUMMARY}?closing={number}").status_code == 404


@pytest.mark.covers("E009")
def test_a_summary_stage_that_has_not_begun_is_said(ended: Year) -> None:
    """004 L43: the summary stage comes after collection; its day stands on the year's page and among what is open."""
    Stage.objects.create(
        plan=ended.old, kind="summary", name="总结评价", starts_on=date(2023, 3, 1), ends_on=date(2023, 3, 31)
    )  # fmt: skip
    client = ended.client("hr_bureau")
    assert "还没到总结评价阶段（2023-03-01 起）" in text_of(client.get(CLOSE))
    assert "总结评价" in text_of(client.get(PAGE))
    ended.turn(date(2023, 3, 5))
    assert "还没到总结评价阶段" not in text_of(client.get(CLOSE))
