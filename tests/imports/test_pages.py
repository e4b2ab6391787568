"""The import page: hand over, see, correct the columns, apply, take back; and who may do and see which."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from enrollment.models import Registration
from foundation.imports.models import ImportBatch
from foundation.jobs.models import Job
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from tests.imports.office import Desk, as_csv, make_desk, registration_row

GOOD, BAD = registration_row(), registration_row(姓名="李晓", 身份证号="370406198505050010")


@pytest.fixture
def office(stack: str) -> Desk:
    """A desk with commits: jobs run as a worker would run them."""
    return make_desk()


def _client(desk: Desk, role: str) -> Client:
    client = Client()
    client.force_login(desk.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def _send(client: Client, content: bytes, **values: Any) -> Any:
    file = SimpleUploadedFile("登记.csv", content)
    terms = {"kind": "registration", "plan": "test-2023", "files": file} | values
    return client.post(reverse("imports:home"), terms)


def _work() -> Job:
    job = Job.objects.filter(state="queued").latest("created_at")
    run_job(str(job.pk), worker="test")
    job.refresh_from_db()
    return job


@pytest.mark.covers("E058")
def test_from_file_to_result(office: Desk) -> None:
    """Upload, check, look, apply, download what came back, take the batch back: one page."""
    client = _client(office, "township_clerk")
    page = _send(client, as_csv([GOOD, BAD])).url
    assert _work().state == "succeeded"
    shown = client.get(page).content.decode()
    assert "1 行能写入，1 行要退回" in shown
    assert "身份证号校验位不对" in shown
    assert "李*" in shown
    assert "370406198505050010" not in shown
    assert "李晓" not in shown
    batch = ImportBatch.objects.get()
    client.post(reverse("imports:apply", args=[batch.pk]))
    assert _work().result["new"] == 1
    assert "写入 1 行，退回 1 行" in client.get(page).content.decode()
    book = b"".join(client.get(reverse("imports:errors", args=[batch.pk])).streaming_content)  # type: ignore[attr-defined]
    page_of_book = load_workbook(io.BytesIO(book)).active
    assert page_of_book is not None
    assert page_of_book.cell(2, 7).value == "李晓"
    with places_scope(office.cast.places):
        assert Registration.objects.count() == 1
    client.post(reverse("imports:undo", args=[batch.pk]))
    with places_scope(office.cast.places):
        assert not Registration.objects.exists()
    assert "已撤销" in client.get(reverse("imports:home")).content.decode()


def test_columns_nobody_recognises_are_explained_and_remembered(office: Desk) -> None:
    """A file without a known 险种 column: the page shows its columns, the clerk says what they mean, next time it goes."""
    client = _client(office, "township_clerk")
    row = dict(GOOD)
    row["保险种类（甲）"] = row.pop("险种")
    page = _send(client, as_csv([row])).url
    job = _work()
    assert job.state == "failed"
    assert "缺少必需的列：险种" in job.error
    shown = client.get(page).content.decode()
    assert "保险种类（甲）" in shown
    assert "缺少必需的列" in shown
    batch = ImportBatch.objects.get()
    fields = {column["header"]: column["field"] for column in batch.files.get().table["columns"]}
    headers = list(fields)
    client.post(
        reverse("imports:columns", args=[batch.pk]),
        {"column": headers, "field": [fields[h] or "insurance" for h in headers]},
    )
    assert _work().state == "succeeded"
    _send(client, as_csv([row, row | {"身份证号": "370406198505050010"}]))
    assert _work().result["accepted"] == 1


def test_a_column_may_stand_for_one_field_only(office: Desk) -> None:
    """Two columns for one field are refused in words, and the mapping stays."""
    client = _client(office, "township_clerk")
    page = _send(client, as_csv([GOOD])).url
    _work()
    batch = ImportBatch.objects.get()
    response = client.post(
        reverse("imports:columns", args=[batch.pk]),
        {"column": ["姓名", "户主姓名"], "field": ["name", "name"]},
        follow=True,
    )
    assert "有两列都当作了姓名" in response.content.decode()
    assert page
    batch.refresh_from_db()
    assert batch.mapping == {}


def test_a_job_can_be_stopped_and_nothing_is_written(office: Desk) -> None:
    """Asked to stop while it reads, the check leaves no staged row, and can be asked for again."""
    client = _client(office, "township_clerk")
    _send(client, as_csv([GOOD]))
    job = Job.objects.get()
    client.post(reverse("jobs:cancel", args=[job.pk]))
    job.refresh_from_db()
    assert job.state == "cancelled"
    batch = ImportBatch.objects.get()
    assert batch.state == "received"
    client.post(reverse("imports:check", args=[batch.pk]))
    assert _work().state == "succeeded"


@pytest.mark.parametrize("role", ["village_agent", "county_leader", "finance_bureau"])
def test_posts_that_send_no_lists_have_no_page(desk: Desk, role: str) -> None:
    """Neither the page nor a batch by its number."""
    client = _client(desk, role)
    assert client.get(reverse("imports:home")).status_code == 403
    assert client.get(reverse("imports:batch", args=[1])).status_code == 403


def test_a_post_imports_its_own_kinds_only(desk: Desk) -> None:
    """A department asking for tax results gets its own first kind instead; the tax bureau sees 税务回传."""
    shown = _client(desk, "department").get(reverse("imports:home")).content.decode()
    assert "特殊群体名单" in shown
    assert "税务回传" not in shown
    assert "税务回传" in _client(desk, "tax_bureau").get(reverse("imports:home")).content.decode()


def test_a_foreign_batch_is_not_there(desk: Desk) -> None:
    """A clerk of another township gets 404 for every address of the batch, as for one that does not exist."""
    batch = desk.take("registration", [GOOD, BAD], by=desk.cast.user("township_clerk"))
    row = batch.returned_rows.get()
    client = _client(desk, "clerk_yi")
    for address in (
        reverse("imports:batch", args=[batch.pk]),
        reverse("imports:errors", args=[batch.pk]),
        reverse("imports:original", args=[batch.pk, 0]),
        f"{reverse('imports:returned')}?batch={batch.pk}",
    ):
        assert client.get(address).status_code == 404
    for name in ("columns", "check", "apply", "abandon", "undo"):
        assert client.post(reverse(f"imports:{name}", args=[batch.pk])).status_code == 404
    for name, values in (("close", {"reason": "x"}), ("tell", {"how": "phone"})):
        assert client.post(reverse(f"imports:{name}"), {"row": row.pk} | values).status_code == 404
    assert "登记" not in client.get(reverse("imports:home")).content.decode().split("以前导入的")[-1]


def test_nothing_to_choose_is_said_in_words(desk: Desk) -> None:
    """No file, or no plan chosen: a sentence on the page, no batch."""
    client = _client(desk, "township_clerk")
    response = client.post(reverse("imports:home"), {"kind": "registration", "plan": "test-2023"})
    assert response.status_code == 400
    assert "请选择要导入的文件" in response.content.decode()
    assert "请选择方案" in _send(client, as_csv([GOOD]), plan="").content.decode()
    assert not ImportBatch.objects.exists()


def test_an_auditor_reads_a_batch_and_sends_nothing(desk: Desk) -> None:
    """Its page, masked, and the history; no form, no download of whole numbers, no act."""
    batch = desk.take("registration", [GOOD, BAD], by=desk.cast.user("township_clerk"))
    client = _client(desk, "auditor")
    shown = client.get(reverse("imports:batch", args=[batch.pk])).content.decode()
    assert "写入 1 行，退回 1 行" in shown
    assert "370406198505050010" not in shown
    assert "<form" not in shown.split("<main")[-1].split("</main>")[0]
    rows = client.get(reverse("imports:returned"), {"batch": batch.pk})
    assert rows.status_code == 200
    assert 'name="row"' not in rows.content.decode()
    history = client.get(reverse("imports:home"))
    assert f'href="/imports/{batch.pk}/"' in history.content.decode()
    assert 'type="file"' not in history.content.decode()
    assert client.get(reverse("imports:errors", args=[batch.pk])).status_code == 403
    assert client.get(reverse("imports:original", args=[batch.pk, 0])).status_code == 403
    assert (
        client.post(
            reverse("imports:close"), {"row": batch.returned_rows.get().pk, "reason": "x"}
        ).status_code
        == 403
    )
    assert client.post(reverse("imports:undo", args=[batch.pk])).status_code == 403
    assert _send(client, as_csv([GOOD])).status_code == 403


def test_an_empty_file_is_explained_without_columns_to_point_at(office: Desk) -> None:
    """No header was found: the page offers no columns below, and no bar of nothing."""
    client = _client(office, "township_clerk")
    page = _send(client, b"\xef\xbb\xbf").url
    assert _work().state == "failed"
    shown = client.get(page).content.decode()
    assert "什么都没有写入" in shown
    assert "也可以在下面指明哪一列" not in shown
    assert ">0%<" not in shown
