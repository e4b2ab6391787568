"""A clerk's desk in a process of its own, for tests that kill the servers below it: a line in, a line out, both JSON.

Commands: ``user`` makes the tax bureau's account; ``receive PATH`` → batch; ``submit BATCH STEP`` → job; ``undo BATCH``;
``wake`` lets the leases of dead workers pass and sends their jobs again. Each connects anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import connections, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from foundation.imports import jobs  # noqa: E402
from foundation.imports.models import ImportBatch  # noqa: E402
from foundation.imports.services.apply import undo  # noqa: E402
from foundation.imports.services.receive import Terms, receive_paths  # noqa: E402
from foundation.jobs.models import Job, JobState  # noqa: E402
from foundation.jobs.services.queue import sweep  # noqa: E402
from foundation.scope.context import scope  # noqa: E402
from townships.models import County, Role, User  # noqa: E402
from townships.services.accounts import create_account, new_password  # noqa: E402

COUNTY, PLAN = "370406000000", "shanting-2023"


def _clerk() -> User:
    return User.objects.get(username="desk")


def user() -> int:
    """The tax bureau's account."""
    made = create_account(
        by=None, username="desk", role=Role.TAX_BUREAU.value, county=County.objects.get(code=COUNTY),
        password=new_password(),
    )  # fmt: skip
    return made.pk


def receive(path: str) -> int:
    """Hand a registration file over."""
    with transaction.atomic(), scope(_clerk()):
        return receive_paths(by=_clerk(), terms=Terms("registration", COUNTY, PLAN), paths=[Path(path)]).pk


def submit(batch: int, step: str) -> str:
    """Ask for the checking or applying of a batch."""
    with transaction.atomic(), scope(_clerk()):
        return str(jobs.submit(by=_clerk(), batch=ImportBatch.objects.get(pk=batch), step=step).pk)


def take_back(batch: int) -> str:
    """Undo an applied batch."""
    clerk = _clerk()
    with transaction.atomic(), scope(clerk) as places:
        return undo(by=clerk, batch=ImportBatch.objects.get(pk=batch), places=places).state


def wake() -> int:
    """What time would do: leases of the dead pass, and the sweeper sends their jobs again."""
    past = timezone.now() - timedelta(minutes=1)
    Job.objects.filter(state=JobState.RUNNING).update(lease_until=past)
    Job.objects.filter(state=JobState.QUEUED).update(created_at=past)
    return sweep()


COMMANDS: dict[str, Callable[..., Any]] = {
    "user": user,
    "receive": receive,
    "submit": submit,
    "undo": take_back,
    "wake": wake,
}

if __name__ == "__main__":
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer: dict[str, Any] = {"answer": COMMANDS[name](*arguments)}
        except Exception as error:  # noqa: BLE001 - the test decides what may fail
            answer = {"error": f"{type(error).__name__}: {error}"}
        finally:
            connections.close_all()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
