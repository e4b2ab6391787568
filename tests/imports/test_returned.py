"""The page 退回行: what is open by list, reason, age and deadline; the persons told; rows closed one or many at once."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from enrollment.models import CollectionPlan
from foundation.audit.models import AuditEvent
from foundation.imports.kinds import ImportRefused, deadline_of
from foundation.imports.models import ImportBatch, ReturnedRow
from foundation.imports.services.returned import tell_rows
from foundation.jobs.models import Job
from foundation.jobs.services.run import run_job
from subsidies.queries import PLANS
from tests.factories import make_resident
from tests.imports.office import Desk, as_csv, number_of, registration_row
from townships.models import Agency, AgencyKind, User

BAD = "370406198505050010"


def _client(desk: Desk, role: str) -> Client:
    client = Client()
    client.force_login(desk.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def _list(*names: str, number: str = BAD) -> bytes:
    rows = [{"姓名": name, "身份证号": number, "镇街": "甲镇", "村居": "东村"} for name in names]
    return as_csv(rows)


def _open(batch: ImportBatch) -> int:
    return batch.returned_rows.filter(closed_at=None).count()


def _text(response: Any) -> str:
    return str(response.content.decode())


@pytest.mark.covers("E058", "E059")
def test_a_department_tells_the_persons_and_closes_rows_together(desk: Desk) -> None:
    """Told on a day by telephone, still open; then several closed with one reason; who did it is kept and audited."""
    user = desk.cast.user("department")
    batch = desk.take("category", _list("周一", "周二", "周三"), by=user, category_code="dibao")
    client = _client(desk, "department")
    shown = _text(client.get(reverse("imports:returned")))
    assert "特殊群体名单（低保对象）" in shown
    assert "山亭区民政局" in shown
    assert "周*" in shown
    assert "周一" not in shown
    assert BAD not in shown
    rows = [row.pk for row in batch.returned_rows.order_by("source_row")]
    told = client.post(
        reverse("imports:tell"),
        {"row": rows[:2], "on": "2022-11-01", "how": "phone", "batch": batch.pk},
        follow=True,
    )
    assert "已记下告知 2 人" in _text(told)
    assert _open(batch) == 3
    first = batch.returned_rows.get(pk=rows[0])
    assert (first.told_on, first.told_how, first.told_by) == (date(2022, 11, 1), "phone", user)
    assert "11-01 电话" in _text(told)
    untold = _text(client.get(reverse("imports:returned"), {"told": "no"}))
    assert untold.count('name="row"') == 1
    closed = client.post(
        reverse("imports:close"), {"row": rows[:2], "reason": "本人不符合条件，已告知"}, follow=True
    )
    assert "已销掉 2 行" in _text(closed)
    assert _open(batch) == 1
    first.refresh_from_db()
    assert (first.closed_reason, first.closed_by) == ("本人不符合条件，已告知", user)
    events = AuditEvent.objects.filter(action__startswith="import.row").order_by("pk")
    assert [(event.action, event.detail["count"]) for event in events] == [
        ("import.row.tell", 2),
        ("import.row.close", 2),
    ]
    assert "周" not in str([event.detail for event in events])


def test_all_rows_of_a_reason_are_closed_at_once(desk: Desk) -> None:
    """More than a page of one reason: one tick closes them all, and leaves the other reasons open."""
    user = desk.cast.user("department")
    rows = [{"姓名": f"周{n}", "身份证号": BAD} for n in range(60)] + [{"姓名": "周末", "身份证号": ""}]
    batch = desk.take("category", as_csv(rows), by=user, category_code="dibao")
    client = _client(desk, "department")
    page = _text(client.get(reverse("imports:returned"), {"batch": str(batch.pk), "code": "bad_check_digit"}))
    assert "全部 60 行" in page
    assert "末位和前17位对不上" in page
    client.post(
        reverse("imports:close"),
        {"all": "1", "batch": batch.pk, "code": "bad_check_digit", "reason": "整表作废，重新报送"},
    )
    assert list(batch.returned_rows.filter(closed_at=None).values_list("code", flat=True)) == ["empty"]


def test_a_reason_and_a_row_are_asked_for_in_words(desk: Desk) -> None:
    """Nothing ticked, no reason, a day to come, an unknown way: a sentence, and nothing changes."""
    batch = desk.take("category", _list("周一"), by=desk.cast.user("department"), category_code="dibao")
    client, row = _client(desk, "department"), batch.returned_rows.get()
    tomorrow = (timezone.localdate() + timedelta(days=1)).isoformat()
    for name, values, words in (
        ("close", {"reason": "已处理"}, "请先勾选要处理的行"),
        ("close", {"row": row.pk}, "请写明处理结果"),
        ("tell", {"row": row.pk, "how": "phone", "on": tomorrow}, "告知日期不能晚于今天"),
        ("tell", {"row": row.pk, "how": "phone", "on": "昨天"}, "告知日期不对"),
        ("tell", {"row": row.pk, "how": "鸽子"}, "请选择怎样告知的"),
    ):
        assert words in _text(client.post(reverse(f"imports:{name}"), values, follow=True))
    row.refresh_from_db()
    assert (row.closed_at, row.told_on) == (None, None)
    with pytest.raises(ImportRefused):
        tell_rows(by=None, rows=[], on=timezone.localdate(), how="phone", today=timezone.localdate())


def _with_paper(desk: Desk, code: str) -> None:
    text = (PLANS / f"{code}.yaml").read_text(encoding="utf-8")
    CollectionPlan.objects.filter(pk=desk.plan.pk).update(document={"text": text}, source_sha256=code)


@pytest.mark.covers("E060")
def test_the_plans_deadline_warns_and_blocks_nothing(desk: Desk) -> None:
    """15 November of the plan is shown on the file and on its rows, late in red; the list goes in all the same."""
    _with_paper(desk, "dianzi-2018")
    known = make_resident(desk.cast, desk.cast.dong, name="周一", number=number_of(sequence=61))
    content = as_csv(
        [{"姓名": known.name, "身份证号": number_of(sequence=61)}, {"姓名": "周二", "身份证号": BAD}]
    )
    batch = desk.take("category", content, by=desk.cast.user("department"), category_code="dibao")
    assert batch.new_count == 1, "late is no reason to refuse"
    deadline = deadline_of(batch)
    assert deadline is not None
    assert (deadline.on, deadline.name) == (date(2017, 11, 15), "代缴居民名单报送")
    client = _client(desk, "department")
    assert "期限是 2017年11月15日，已经过了" in _text(client.get(reverse("imports:batch", args=[batch.pk])))
    shown = _text(client.get(reverse("imports:returned"), {"overdue": "1"}))
    assert "2017年11月15日，已过" in shown
    assert 'name="row"' in shown
    home = _text(client.get(reverse("admin:index")))
    assert "过了期限" in home


@pytest.mark.covers("E063")
def test_a_monthly_deadline_is_the_next_fifth(desk: Desk) -> None:
    """Deaths are told by the 5th: of this month until then, of the next one afterwards."""
    _with_paper(desk, "shanting-2023")
    batch = desk.take("deaths", as_csv([{"姓名": "周一", "身份证号": BAD, "死亡时间": "2022-10-01"}]))
    for uploaded, on in ((date(2022, 11, 3), date(2022, 11, 5)), (date(2022, 12, 6), date(2023, 1, 5))):
        batch.uploaded_at = timezone.make_aware(datetime.combine(uploaded, time(9)))
        deadline = deadline_of(batch)
        assert deadline is not None
        assert deadline.on == on


def test_colleagues_of_a_department_share_their_files(desk: Desk) -> None:
    """The same agency's second account sees the list and works on it; another agency's account does not."""
    cast = desk.cast
    batch = desk.take("category", _list("周一"), by=cast.user("department"), category_code="dibao")
    other = Agency.objects.create(county=cast.county, kind=AgencyKind.DISABLED_FEDERATION, name="山亭区残联")
    for name, agency in (("colleague", cast.user("department").agency), ("stranger", other)):
        cast.users[name] = User.objects.create(
            username=name, password="!", role="department", county=cast.county, agency=agency
        )
    row = batch.returned_rows.get()
    address = f"{reverse('imports:returned')}?batch={batch.pk}"
    assert _client(desk, "stranger").get(address).status_code == 404
    assert (
        _client(desk, "stranger").post(reverse("imports:close"), {"row": row.pk, "reason": "x"}).status_code
        == 404
    )
    colleague = _client(desk, "colleague")
    assert "周*" in _text(colleague.get(address))
    book = colleague.get(reverse("imports:errors", args=[batch.pk]))
    assert b"".join(book.streaming_content).startswith(b"PK")  # type: ignore[attr-defined]
    colleague.post(reverse("imports:close"), {"row": row.pk, "reason": "已改"})
    assert _open(batch) == 0


def test_whole_files_are_for_their_sender_and_the_registers_bureaus(desk: Desk) -> None:
    """The original comes down as it was sent, audited; the administrator and the auditor read its page without it."""
    batch = desk.take("registration", [registration_row()], by=desk.cast.user("township_clerk"))
    address = reverse("imports:original", args=[batch.pk, 0])
    for role in ("township_clerk", "medical_bureau"):
        answer = _client(desk, role).get(address)
        assert b"".join(answer.streaming_content) == as_csv([registration_row()])  # type: ignore[attr-defined]
        assert answer["X-Content-Type-Options"] == "nosniff"
    assert AuditEvent.objects.filter(action="import.download", target=str(batch.pk)).count() == 2
    for role in ("admin", "auditor"):
        client = _client(desk, role)
        page = _text(client.get(reverse("imports:batch", args=[batch.pk])))
        assert batch.files.get().sha256 in page
        assert address not in page
        assert client.get(address).status_code == 403
    assert "下载原文件" in _text(_client(desk, "auditor").get(reverse("imports:batch", args=[batch.pk])))


def test_a_returned_row_cannot_be_reached_by_its_number(desk: Desk) -> None:
    """Ticking a foreign row beside one's own closes neither."""
    clerk, other = desk.cast.user("township_clerk"), desk.cast.user("clerk_yi")
    mine = desk.take("registration", [registration_row(身份证号=BAD)], by=clerk)
    theirs = desk.take(
        "registration", [registration_row(镇街="乙镇", **{"村(居)": "南村"}, 身份证号=BAD)], by=other
    )
    rows = [mine.returned_rows.get().pk, theirs.returned_rows.get().pk]
    answer = _client(desk, "township_clerk").post(reverse("imports:close"), {"row": rows, "reason": "x"})
    assert answer.status_code == 404
    assert ReturnedRow.objects.filter(closed_at=None).count() == 2


def test_the_errors_of_a_large_file_are_written_by_a_job(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for, written by a worker, sealed, taken home by who may; the next one takes the last one's place."""
    monkeypatch.setattr("foundation.imports.views.batch.AT_ONCE", 1)
    batch = desk.take(
        "category", _list("周一", "周二"), by=desk.cast.user("department"), category_code="dibao"
    )
    client, address = _client(desk, "department"), reverse("imports:errors", args=[batch.pk])
    assert "生成退回表" in _text(client.get(address, follow=True))
    found = []
    for _n in range(2):
        waiting = client.post(address)["Location"]
        job = Job.objects.latest("created_at")
        assert str(job.pk) in waiting
        assert run_job(str(job.pk), worker="test") == "succeeded"
        found.append(f"{address}?job={job.pk}")
    book = client.get(found[1])
    assert b"".join(book.streaming_content).startswith(b"PK")  # type: ignore[attr-defined]
    assert int(book["Content-Length"]) > 1000
    assert "已经有更新的了" in _text(client.get(found[0], follow=True))
    assert client.get(f"{address}?job=x").status_code == 404
    assert _client(desk, "auditor").get(found[1]).status_code == 403
    assert _client(desk, "clerk_yi").get(found[1]).status_code == 404
    assert AuditEvent.objects.filter(action="import.errors", target=str(batch.pk)).count() == 1


@pytest.mark.covers("E059")
def test_a_townships_clerk_hears_of_the_rows_that_name_her_township(desk: Desk) -> None:
    """A department's rows that went back: who lives with her, masked, what the row itself says wrong; nothing the register
    said of people who may live elsewhere. She notes that she told them; closing is for the sender."""
    cast = desk.cast
    make_resident(cast, cast.nan, name="孟他人", number=number_of(sequence=91))
    rows = [
        {"姓名": "周一", "身份证号": BAD, "镇街": "甲镇", "村居": "东村"},
        {"姓名": "周二", "身份证号": number_of(sequence=91), "镇街": "甲镇", "村居": "东村"},
        {"姓名": "周三", "身份证号": BAD, "镇街": "乙镇", "村居": "南村"},
        {"姓名": "周四", "身份证号": BAD, "镇街": "", "村居": ""},
    ]
    batch = desk.take("category", as_csv(rows), by=cast.user("department"), category_code="dibao")
    assert batch.rejected_count == 4
    named = list(batch.returned_rows.order_by("source_row").values_list("township_id", flat=True))
    assert named == [cast.jia.pk, cast.jia.pk, cast.yi.pk, None]
    client = _client(desk, "township_clerk")
    shown = _text(client.get(reverse("imports:returned"), {"batch": str(batch.pk)}))
    assert shown.count('name="row"') == 2
    assert "身份证号校验位不对" in shown
    assert "和居民库对不上，由报送单位核对" in shown
    assert "孟" not in shown
    assert reverse("imports:batch", args=[batch.pk]) not in shown
    assert client.get(reverse("imports:batch", args=[batch.pk])).status_code == 404
    assert client.get(reverse("imports:errors", args=[batch.pk])).status_code == 404
    row = batch.returned_rows.get(source_row=2)
    assert "已记下告知 1 人" in _text(
        client.post(reverse("imports:tell"), {"row": row.pk, "how": "visit"}, follow=True)
    )
    closed = client.post(reverse("imports:close"), {"row": row.pk, "reason": "x"}, follow=True)
    assert "由报送单位销掉" in _text(closed)
    assert _open(batch) == 4
    other = batch.returned_rows.get(source_row=4)
    assert client.post(reverse("imports:tell"), {"row": other.pk, "how": "visit"}).status_code == 404
    assert "山亭区民政局" in _text(_client(desk, "clerk_yi").get(reverse("imports:returned")))


def test_more_lists_ask_no_more_questions(desk: Desk) -> None:
    """The page of returned rows and the history cost the same queries for one list as for five."""
    user, client = desk.cast.user("department"), _client(desk, "department")

    def costs() -> list[int]:
        found = []
        for name in ("imports:returned", "imports:home"):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(reverse(name)).status_code == 200
            found.append(len(queries))
        return found

    desk.take("category", _list("周一"), by=user, category_code="dibao")
    costs()
    before = costs()
    for code in ("disabled", "orphan", "tekun", "youfu"):
        desk.take("category", _list("周二", "周三"), by=user, category_code=code)
    assert costs() == before
