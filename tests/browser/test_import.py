"""A department's list handed over by dragging, checked and written by a real worker, its rows back, in a real browser."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from enrollment.models import Membership
from foundation.imports.models import ImportBatch, ReturnedRow
from foundation.jobs.models import Job
from foundation.scope.context import places_scope
from tests.browser.conftest import Visit
from tests.factories import make_resident
from tests.faults.test_worker_kills import celery_worker
from tests.imports.office import number_of
from tests.portal.conftest import build_office

pytestmark = pytest.mark.browser

DROP = """async ([name, content]) => {
    const bytes = Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
    const files = new DataTransfer();
    files.items.add(new File([bytes], name));
    const box = document.querySelector("[data-drop]");
    for (const kind of ["dragenter", "dragover", "drop"])
        box.dispatchEvent(new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true }));
}"""


def _list(known: str) -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["残疾人名单"])
    page.append(["姓名", "公民身份号码", "残疾等级"])
    page.append(["周一", known, "一级"])
    page.append(["周二", "370406198505050010", "五级"])
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


@pytest.mark.covers("E058", "E059")
def test_a_list_goes_in_by_dragging_and_its_errors_come_back(visit: Visit, tmp_path: Path) -> None:
    """Drop, check with progress, write with one press too many, take the errors home, tell, close: nothing in the console."""
    office = build_office()
    cast, number = office.season.cast, number_of(sequence=81)
    make_resident(cast, cast.dong, name="周一", number=number)
    page = visit.page
    visit.open("/")
    page.get_by_role("button", name="部门（民政、残联等）").click()
    visit.open("/imports/?kind=category")
    page.locator("select[name=category]").select_option("disabled")
    content = base64.b64encode(_list(number)).decode()
    page.evaluate(DROP, ["残疾人.xlsx", content])
    page.get_by_text("残疾人.xlsx").wait_for()
    page.evaluate(DROP, ["多余的.xlsx", content])
    page.get_by_role("button", name="去掉 多余的.xlsx").click()
    with celery_worker(tmp_path):
        page.get_by_role("button", name="上传并检查").click()
        page.wait_for_url("**/imports/*/")
        page.get_by_role("heading", name="1 行能写入，1 行要退回").wait_for(timeout=60_000)
        assert page.get_by_text("残疾等级“五级”应为一级到四级").is_visible()
        page.get_by_role("button", name="写入 1 行").dblclick()
        page.get_by_role("heading", name="写入 1 行，退回 1 行").wait_for(timeout=60_000)
    assert Job.objects.filter(params__step="apply").count() == 1
    with places_scope(cast.places):
        assert Membership.objects.filter(resident__name="周一", category__code="disabled").count() == 1
    with page.expect_download() as home:
        page.get_by_role("link", name="下载退回表").click()
    sheet = load_workbook(io.BytesIO(Path(home.value.path()).read_bytes())).worksheets[0]
    assert "五级" in str(sheet["D4"].value)
    assert sheet.row_dimensions[3].hidden
    page.get_by_role("link", name="残疾等级不对").or_(
        page.get_by_role("link", name="身份证号校验位不对")
    ).first.click()
    page.get_by_label("勾选第 4 行").check()
    page.get_by_text("勾选了 1 行").wait_for()
    page.get_by_role("button", name="记下").click()
    page.get_by_text("已记下告知 1 人").wait_for()
    page.get_by_label("勾选本页全部").check()
    page.get_by_label("处理结果").fill("本人不符合条件，已告知")
    page.get_by_role("button", name="销掉").click()
    page.get_by_text("已销掉 1 行").wait_for()
    row = ReturnedRow.objects.get()
    assert (row.told_how, row.closed_reason) == ("phone", "本人不符合条件，已告知")
    assert ImportBatch.objects.count() == 1
    visit.check()
