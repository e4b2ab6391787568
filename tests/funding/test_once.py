"""A disbursement pays every line once: whoever presses twice, however many workers, wherever it is killed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from contributions.models import FundingLine, FundingRequest, Payment, PaymentLine
from contributions.queries import paid_by_registration
from contributions.services import disbursement
from contributions.services.disbursement import pay_lines, request_disbursement
from contributions.services.ledger import verify_ledger
from foundation.jobs.models import Job, JobState
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope, scope
from tests.funding.conftest import Town, build_town

HEADS = 12
PAID_ON = date(2022, 11, 20)


@pytest.fixture
def committed(stack: str) -> Town:
    """The county of 003 with commits, for threads."""
    return build_town()


def _approved(town: Town) -> FundingRequest:
    """A request of twelve people that finance has approved."""
    for place in range(HEADS):
        town.person(town.cast.dong, name=f"低保{place}", categories={"dibao": {}})
    town.assess()
    request = town.make(town.user("medical_bureau"))[0]
    for post, act in (("medical_bureau", "submit"), ("tax_bureau", "join"), ("finance_bureau", "approve")):
        town.step(post, request, act)
    request.refresh_from_db()
    return request


def _press(town: Town, request: FundingRequest) -> Job:
    finance = town.user("finance_bureau")
    with scope(finance):
        return request_disbursement(by=finance, request=request.pk, on=PAID_ON, voucher="CZ0001")


def _paid(town: Town) -> tuple[int, int, Decimal]:
    """Payments, different lines paid, and their sum."""
    with places_scope(town.cast.places):
        lines = PaymentLine.objects.filter(part="government")
        return (
            Payment.objects.filter(route="government").count(),
            lines.values("funding_line").distinct().count(),
            sum((line.amount for line in lines), Decimal("0.00")),
        )


ONCE = (HEADS, HEADS, Decimal("350.00") * HEADS)


def _at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """Run together from one starting shot; what each gave or raised."""
    found: list[Any] = [None] * len(works)
    start = threading.Barrier(len(works))

    def run(place: int, work: Callable[[], Any]) -> None:
        try:
            start.wait(20)
            found[place] = work()
        except Exception as error:  # noqa: BLE001 - told to the test
            found[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_eight_workers_at_once_pay_a_line_once(committed: Town) -> None:
    """The same lines paid in eight transactions at the same time: one payment a line, nobody's money twice."""
    request = _approved(committed)
    _press(committed, request)
    request.refresh_from_db()
    with places_scope(committed.cast.places):
        lines = list(FundingLine.objects.filter(request=request).values_list("pk", flat=True))

    def work() -> int:
        with places_scope(committed.cast.places):
            return pay_lines(request=request, lines=lines, by=None)

    answers = _at_once([work] * 8)
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert _paid(committed) == ONCE
    assert sum(answers) == HEADS


def test_pressing_twice_at_once_is_one_job(committed: Town) -> None:
    """Six clerks press together: one open job, and its run pays everybody once."""
    request = _approved(committed)
    jobs = _at_once([lambda: _press(committed, request)] * 6)
    assert len({job.pk for job in jobs}) == 1
    assert run_job(str(jobs[0].pk), worker="one") == JobState.SUCCEEDED
    assert _paid(committed) == ONCE


def test_killed_in_the_middle_the_rest_is_paid_later_and_nothing_twice(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of five: the second dies with its work undone. The next worker pays the rest; residents' own dues stay."""
    request = _approved(town)
    monkeypatch.setattr(disbursement, "STEP", 5)
    job = _press(town, request)
    real, seen = disbursement.pay_lines, []

    def dies(**values: Any) -> int:
        seen.append(values)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(**values)

    monkeypatch.setattr(disbursement, "pay_lines", dies)
    with pytest.raises(KeyboardInterrupt):
        run_job(str(job.pk), worker="one")
    monkeypatch.setattr(disbursement, "pay_lines", real)
    assert _paid(town)[0] == 5
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert run_job(str(job.pk), worker="two") == JobState.SUCCEEDED
    assert _paid(town) == ONCE
    request.refresh_from_db()
    assert request.state == "disbursed"
    registrations = list(
        FundingLine.objects.filter(request=request).values_list("registration_id", flat=True)
    )
    assert paid_by_registration(registrations) == {}, "the government's money is nobody's own payment"
    assert verify_ledger().ok
