"""A hundred bad and odd files: a hundred expected outcomes, no traceback, no minute, no gigabyte."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings
from django.db import transaction

from foundation.imports.kinds import ImportRefused
from foundation.imports.models import ImportBatch
from foundation.imports.services.check import check, look
from foundation.imports.services.receive import Terms, Upload, receive
from foundation.scope.context import places_scope
from foundation.sheets import child
from tests.corpus.page import PATH, rendered
from tests.corpus.table import FILES, Odd
from tests.imports.office import Desk, make_desk

_MOST_SECONDS: Final = 60
_MOST_BYTES: Final = 1 << 30
_NUMBER: Final = re.compile(r"\d{15}")
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def corpus_desk(django_db_setup: None, django_db_blocker: Any) -> Iterator[Desk]:
    """One desk for all files; what they leave is rolled back one by one."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_desk()
        transaction.set_rollback(True)


@pytest.fixture
def peaks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Peak memory of every process that took a file apart, read as it ends."""
    found: list[int] = []
    end = child._end

    def watched(process: subprocess.Popen[bytes]) -> None:
        status = Path(f"/proc/{process.pid}/status")
        if process.poll() is None and (peak := re.search(r"VmHWM:\s+(\d+)", status.read_text())):
            found.append(int(peak[1]) << 10)
        end(process)

    monkeypatch.setattr(child, "_end", watched)
    return found


@pytest.mark.parametrize("odd", FILES, ids=lambda odd: odd.name)
def test_file_has_its_outcome(corpus_desk: Desk, peaks: list[int], django_db_blocker: Any, odd: Odd) -> None:
    """Received, looked at and checked as any upload; refused in one Chinese sentence, or read and its rows told."""
    data = odd.make()
    before, begun = _peak(), time.monotonic()
    with django_db_blocker.unblock(), transaction.atomic():
        _check_outcome(corpus_desk, odd, data)
        transaction.set_rollback(True)
    assert time.monotonic() - begun < _MOST_SECONDS
    assert _peak() - before < _MOST_BYTES
    assert all(peak < _MOST_BYTES for peak in peaks)
    assert not list((Path(settings.DATA_DIR) / "work").glob(f"import-work-{os.getpid()}-*"))


def _peak() -> int:
    """Most memory this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _check_outcome(desk: Desk, odd: Odd, data: bytes) -> None:
    terms = Terms(odd.kind, desk.cast.county.code, plan_code=desk.plan.code, category_code=odd.category)
    with places_scope(desk.cast.places):
        batch = receive(by=None, terms=terms, uploads=[Upload(odd.name, io.BytesIO(data))])
        refused = _refusal(desk, batch)
        # What is kept to show the columns holds no number, not even of a file whose first row is somebody's.
        assert not _NUMBER.search(json.dumps(batch.files.get().table))
        if odd.code:
            assert refused is not None, (batch.read_count, batch.reasons)
            assert (refused.code, str(refused).partition("：")[0]) == (odd.code, odd.name)
            assert _CHINESE.search(str(refused).partition("：")[2])
            assert batch.state == "received"
            return
        assert refused is None, str(refused)
        assert (batch.read_count, batch.reasons) == (odd.read, odd.back)
        table = batch.files.get().table
        said = {what for what in ("broken", "skipped", "other_sheets", "hidden_sheets") if table.get(what)}
        said |= set(table["notes"])
        said |= {"groups"} if table["groups"] > 1 else set()
        said |= {"sheets"} if len(table["sheets"]) > 1 else set()
        assert said == set(odd.told)


def _refusal(desk: Desk, batch: ImportBatch) -> ImportRefused | None:
    """Why the file cannot be used; None when it can. Looking says the same as checking where there is no table."""
    try:
        look(batch=batch)
    except ImportRefused as error:
        return error
    try:
        check(by=None, batch=batch, places=desk.cast.places)
    except ImportRefused as error:
        return error
    return None


def test_there_are_a_hundred_and_the_page_lists_them() -> None:
    assert len({odd.name for odd in FILES}) == len(FILES) >= 100
    assert PATH.read_text(encoding="utf-8") == rendered()
