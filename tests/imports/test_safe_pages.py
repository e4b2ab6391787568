"""Pages gone stale, forms sent twice, the button back: one act is one act, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from enrollment.models import Registration
from foundation.imports.engine import vault
from foundation.imports.models import ImportBatch
from foundation.jobs.models import Job
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from tests.imports.office import Desk, as_csv, make_desk, registration_row

GOOD = registration_row()


@pytest.fixture
def office(stack: str) -> Desk:
    """A desk with commits: jobs run as a worker would run them."""
    return make_desk()


def _client(desk: Desk, role: str = "township_clerk") -> Client:
    client = Client()
    client.force_login(desk.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def _send(client: Client, *rows: dict[str, str]) -> Any:
    file = SimpleUploadedFile("登记.csv", as_csv(list(rows)))
    return client.post(reverse("imports:home"), {"kind": "registration", "plan": "test-2023", "files": file})


def _work() -> None:
    for job in Job.objects.filter(state="queued").order_by("created_at"):
        run_job(str(job.pk), worker="test")


def _registered(desk: Desk) -> int:
    with places_scope(desk.cast.places):
        return Registration.objects.count()


def _text(response: Any) -> str:
    return str(response.content.decode())


def test_a_form_sent_twice_is_one_batch(office: Desk) -> None:
    """The same files on the same terms, open already: the second press leads to the first batch and stores nothing."""
    client = _client(office)
    first = _send(client, GOOD).url
    assert _send(client, GOOD).url == first
    batch = ImportBatch.objects.get()
    assert Job.objects.count() == 1
    _work()
    client.post(reverse("imports:apply", args=[batch.pk]))
    _work()
    assert _send(client, GOOD).url != first, "once it is in, the same file again is a new batch"
    stored = [file.stored_as for each in ImportBatch.objects.all() for file in each.files.all()]
    assert len(set(stored)) == 2
    assert all(b"".join(vault.read(name)) == as_csv([GOOD]) for name in stored)


def test_apply_pressed_twice_writes_once(office: Desk) -> None:
    """Twice before the worker comes is one job; once more afterwards says that it is done."""
    client = _client(office)
    _send(client, GOOD)
    _work()
    batch = ImportBatch.objects.get()
    address = reverse("imports:apply", args=[batch.pk])
    for _press in range(2):
        client.post(address)
    assert Job.objects.filter(params__step="apply").count() == 1
    _work()
    assert "已经入库，没有再做一次" in _text(client.post(address, follow=True))
    _work()
    assert _registered(office) == 1
    assert Job.objects.filter(params__step="apply").count() == 1
    for name, words in (("check", "已经入库"), ("abandon", "不能放弃")):
        assert words in _text(client.post(reverse(f"imports:{name}", args=[batch.pk]), follow=True))
    assert _registered(office) == 1


def test_a_page_that_shows_an_earlier_check_applies_nothing(office: Desk) -> None:
    """Checked again meanwhile with another outcome: whoever applies from the old page is asked to look again."""
    client = _client(office)
    _send(client, GOOD, registration_row(姓名="李晓", 身份证号="370406198505050010"))
    _work()
    batch = ImportBatch.objects.get()
    page = _text(client.get(reverse("imports:batch", args=[batch.pk])))
    assert 'name="seen" value="2-1-0-0-1"' in page
    answer = client.post(reverse("imports:apply", args=[batch.pk]), {"seen": "2-2-0-0-0"}, follow=True)
    assert "又检查过一次，结果变了" in _text(answer)
    assert not Job.objects.filter(params__step="apply").exists()
    client.post(reverse("imports:apply", args=[batch.pk]), {"seen": "2-1-0-0-1"})
    _work()
    assert _registered(office) == 1


def test_undo_says_first_what_it_does_and_what_prevents_it(office: Desk) -> None:
    """The page before the press: rows that go, what stands against it; pressed all the same, nothing changes."""
    client = _client(office)
    _send(client, GOOD)
    _work()
    batch = ImportBatch.objects.get()
    address = reverse("imports:undo", args=[batch.pk])
    assert "只有已入库的批次才能撤回" in _text(client.get(address, follow=True))
    client.post(reverse("imports:apply", args=[batch.pk]))
    _work()
    assert "1 条去掉" in _text(client.get(address))
    _send(client, GOOD | {"险种": "城乡居民基本养老保险", "缴费档次": "100"})
    _work()
    later = ImportBatch.objects.latest("pk")
    client.post(reverse("imports:apply", args=[later.pk]))
    _work()
    shown = _text(client.get(address))
    assert "现在不能撤回" in shown
    assert "另有 1 条参保登记" in shown
    assert "撤回这一批" not in shown
    assert "不能整批撤销" in _text(client.post(address, follow=True))
    assert _registered(office) == 2


def test_stopping_leads_back_to_the_file(office: Desk) -> None:
    """The stop button of the page stays on the page, where the file can be checked again or dropped."""
    client = _client(office)
    page = _send(client, GOOD).url
    assert f"?back={page.replace('/', '%2F')}" in _text(client.get(page))
    job = Job.objects.get()
    answer = client.post(f"{reverse('jobs:cancel', args=[job.pk])}?back={page}")
    assert answer["Location"] == page
    outside = client.post(f"{reverse('jobs:cancel', args=[job.pk])}?back=https://evil.example/")
    assert outside["Location"] == reverse("jobs:page", args=[job.pk])
    shown = _text(client.get(page))
    assert "再检查一次" in shown
    assert "放弃这一批" in shown
