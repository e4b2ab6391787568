"""An amendment shows whose charges change before it takes effect, and then makes exactly those changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from contributions.models import (
    Amendment,
    AmendmentLine,
    AmendmentSum,
    Assessment,
    Charge,
    ChargeShare,
    PaidDifference,
)
from contributions.services import amendments
from contributions.services.amendments import (
    digest_of,
    find_amendment,
    request_effect,
    request_preview,
    withdraw,
)
from contributions.services.ledger import verify_ledger
from enrollment.models import CollectionPlan, PlanStatus, Registration, Resident, Window
from enrollment.queries import find_plan
from foundation.clock.services import business_date, set_business_date
from foundation.http import Problem
from foundation.jobs.models import Job
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from subsidies.queries import rule_book
from subsidies.rules.source import PlanError
from subsidies.rules.writing import Paper
from subsidies.services.amend import accept_examples, write_amendment
from subsidies.services.life import publish_plan
from tests.contributions.paid import Paid, build_paid, open_cases, plan_text, store, told

NUMBER = "山政办发〔2023〕1号"
LATE = date(2023, 1, 10)
DEADLINE = {"window.medical_collection.closes": "2023-01-31"}
DEARER = {"medical.personal": "380"}


def paper(words: str = "将集中缴费期延长至2023年1月31日。") -> Paper:
    """The paper that amends."""
    return Paper(NUMBER, words, issued_on=date(2023, 1, 6), effective_on=date(2023, 1, 8))


@pytest.fixture
def paid(db: None) -> Iterator[Paid]:
    """The county under its published plan."""
    made = build_paid()
    publish_plan(by=None, plan=made.plan)
    with places_scope(made.cast.places):
        yield made


def plan_of(paid: Paid) -> CollectionPlan:
    """The row in force, read afresh."""
    return CollectionPlan.objects.select_related("county").get(pk=paid.plan.pk)


def draft(
    paid: Paid, changes: dict[str, str], words: str = "将集中缴费期延长至2023年1月31日。"
) -> CollectionPlan:
    """The next version written, and its examples settled."""
    made = write_amendment(
        by=paid.cast.user("medical_bureau"), plan=plan_of(paid), changes=changes, paper=paper(words)
    )
    accept_examples(by=paid.cast.user("medical_bureau"), draft=made)
    return made


def work(job: Job) -> Job:
    """A job worked to its end."""
    run_job(str(job.pk), worker="test")
    job.refresh_from_db()
    return job


def preview(paid: Paid) -> Amendment:
    """The amendment, previewed."""
    job = work(request_preview(by=paid.cast.user("medical_bureau"), plan=plan_of(paid)))
    assert job.state == "succeeded", job.error
    return Amendment.objects.get()


def effect(paid: Paid, **values: Any) -> Job:
    """The amendment put into force as previewed."""
    amendment = Amendment.objects.get()
    job = request_effect(
        by=paid.cast.user("medical_bureau"), plan=plan_of(paid), digest=digest_of(amendment),
        effective_on=min(date(2023, 1, 8), business_date(paid.cast.county.code)), **values,
    )  # fmt: skip
    return work(job)


def standing() -> dict[int, tuple[Any, ...]]:
    """The charge that stands of every registration, as its line would tell it."""
    rows = Charge.objects.filter(current=True).order_by("pk")
    return {c.registration_id: (c.pk, c.version, c.personal_amount, c.benefit_start) for c in rows}


def lines() -> dict[str, tuple[str, str, str, str]]:
    """By name: outcome, personal before and after, money to settle (refund negative)."""
    return {
        line.resident.name: (
            line.outcome, str(line.personal_before), str(line.personal_after), str(line.owed - line.refund)
        )
        for line in AmendmentLine.objects.select_related("resident")
    }  # fmt: skip


def test_an_extended_deadline_moves_the_cover_of_those_already_late(paid: Paid) -> None:
    """Paid on 5 January under 31 December, extended to 31 January: cover from 1 January; exactly those rows change."""
    early, late, unpaid = (
        paid.resident(name="早缴"), paid.resident(name="迟缴", unit=paid.cast.nan), paid.resident(name="未缴"),
    )  # fmt: skip
    paid.assess()
    paid.pay(early)
    paid.pay(late, date(2023, 1, 5))
    paid.assess(LATE)
    assert paid.charge(late).benefit_start == date(2023, 5, 1)
    assert paid.charge(unpaid).benefit_start == date(2023, 5, 1)
    draft(paid, DEADLINE)
    before = standing()
    amendment = preview(paid)
    assert standing() == before, "a preview writes no charge"
    assert lines() == {
        "迟缴": ("apply", "350.00", "350.00", "0.00"), "未缴": ("reprice", "350.00", "350.00", "0.00"),
    }  # fmt: skip
    sums = {(s.township.name, s.insurance): s for s in amendment.sums.select_related("township")}
    assert [(sums[t, "medical"].touched, sums[t, "medical"].earlier) for t in ("甲镇", "乙镇")] == [
        (1, 1),
        (1, 1),
    ]
    job = effect(paid)
    assert (job.state, job.error) == ("succeeded", "")
    after = standing()
    moved = {Registration.objects.get(pk=pk).resident.name for pk in after if after[pk] != before[pk]}
    assert moved == {"迟缴", "未缴"}
    for person in (late, unpaid):
        charge = paid.charge(person)
        assert (charge.benefit_start, charge.timing, charge.plan_version) == (date(2023, 1, 1), "on_time", 2)
    assert paid.charge(early).plan_version == 1
    assert told(paid.difference(late)) == ("amendment", "apply", "350.00", "350.00", "0.00")
    assert verify_ledger().ok


def test_the_row_in_force_carries_the_new_version(paid: Paid) -> None:
    """Registrations, charges and the plan's code lead to the same row; the old text stays frozen under its number."""
    paid.resident()
    paid.assess()
    draft(paid, DEADLINE)
    set_business_date(county_code=paid.cast.county.code, day=LATE)
    preview(paid)
    old_text = plan_of(paid).source_sha256
    assert effect(paid).state == "succeeded"
    plan = plan_of(paid)
    assert find_plan(plan.code) == plan
    assert (plan.version, plan.status) == (2, PlanStatus.PUBLISHED)
    assert Window.objects.get(plan=plan, insurance="medical", kind="collection").closes_on == date(
        2023, 1, 31
    )
    old = CollectionPlan.objects.get(code=plan.code, version=1)
    assert (old.status, old.source_sha256) == (PlanStatus.AMENDED, old_text)
    assert Window.objects.get(plan=old, insurance="medical", kind="collection").closes_on == date(
        2022, 12, 31
    )
    assert set(Registration.objects.values_list("plan", flat=True)) == {plan.pk}
    book = rule_book(plan)
    changed = [rule.code for rule in book.rules if rule.clause.lines == NUMBER]
    assert changed == ["medical_collection", "medical_late_window", "amendment_2"]
    amendment = Amendment.objects.get()
    assert (amendment.state, amendment.effective_on, amendment.digest) == (
        "in_force", date(2023, 1, 8), digest_of(amendment),
    )  # fmt: skip
    with pytest.raises(PlanError) as frozen:
        store(plan_text(("amount: 350,", "amount: 360,"), ("total: 960", "total: 970")))
    assert frozen.value.code == "frozen"


def test_a_price_change_collects_from_the_paid_and_reprices_the_unpaid(paid: Paid) -> None:
    """350 to 380: 30 more of whoever paid, half of it of those of 65, the new price for the rest; payers' part too."""
    adult, half, unpaid, waived = (
        paid.resident(name="全额"), paid.resident(date(1957, 5, 5), name="半额"), paid.resident(name="未缴"),
        paid.resident(date(1947, 5, 5), name="免缴"),
    )  # fmt: skip
    paid.assess()
    for person in (adult, half):
        paid.pay(person)
    draft(paid, DEARER, "个人缴费标准调整为每人每年380元。")
    amendment = preview(paid)
    assert lines() == {
        "全额": ("collect", "350.00", "380.00", "30.00"), "半额": ("collect", "175.00", "190.00", "15.00"),
        "未缴": ("reprice", "350.00", "380.00", "0.00"), "免缴": ("reprice", "0.00", "0.00", "0.00"),
    }  # fmt: skip
    total = amendment.sums.get(township=paid.cast.jia, insurance="medical")
    assert (total.owing, total.owed, total.repaid) == (2, Decimal("45.00"), 0)
    assert (total.personal_after - total.personal_before, total.others_after - total.others_before) == (
        75,
        45,
    )
    assert effect(paid).state == "succeeded"
    assert [str(paid.charge(p).personal_amount) for p in (adult, half, unpaid, waived)] == [
        "380.00", "190.00", "380.00", "0.00",
    ]  # fmt: skip
    assert ChargeShare.objects.get(charge=paid.charge(waived)).amount == Decimal("380.00")
    answer = paid.pay(adult, date(2022, 12, 5))
    assert (answer.cases, str(answer.payment.received)) == ([], "30.00")
    assert verify_ledger().ok


def test_a_lower_price_is_refunded_or_kept_as_the_plan_says(paid: Paid) -> None:
    """350 to 330 is a case of 20 for whoever paid; under `keep_as_paid` nobody is refunded, then or later."""
    person = paid.resident(name="已缴")
    paid.assess()
    paid.pay(person)
    draft(paid, {"medical.personal": "330"}, "个人缴费标准调整为每人每年330元。")
    preview(paid)
    assert lines() == {"已缴": ("refund", "350.00", "330.00", "-20.00")}
    assert effect(paid).state == "succeeded"
    assert open_cases(person) == [("refund_due", "20.00")]
    assert verify_ledger().ok
    draft(paid, {"medical.personal": "300", "plan.amendment_for_paid": "keep_as_paid"}, "再调整为300元。")
    amendment = Amendment.objects.filter(state="in_force").get()
    Amendment.objects.filter(pk=amendment.pk).delete()  # leave one for the helpers above
    preview(paid)
    assert lines() == {"已缴": ("keep", "330.00", "300.00", "0.00")}
    assert effect(paid).state == "succeeded"
    charge = paid.charge(person)
    assert (str(charge.personal_amount), charge.plan_version) == ("330.00", 2)
    assert told(paid.difference(person)) == ("amendment", "keep", "330.00", "300.00", "0.00")
    paid.assess(date(2022, 12, 20))
    assert told(paid.difference(person)) == ("amendment", "keep", "330.00", "300.00", "0.00")
    assert paid.charge(person) == charge, "held to the version that priced it"
    assert verify_ledger().ok


def test_facts_that_move_stop_it_and_the_new_preview_is_shown(paid: Paid) -> None:
    """A payment comes between preview and effect: nothing is changed, the clerk sees the new change set and goes on."""
    person = paid.resident(name="缴费人")
    paid.assess()
    draft(paid, DEARER, "调整为380元。")
    preview(paid)
    paid.pay(person)
    before = standing()
    job = effect(paid)
    assert job.state == "failed"
    assert "试算之后事实有变" in job.error
    assert standing() == before
    assert plan_of(paid).version == 1
    assert lines() == {"缴费人": ("collect", "350.00", "380.00", "30.00")}
    assert effect(paid).state == "succeeded"
    assert str(paid.charge(person).personal_amount) == "380.00"


def test_what_moves_may_go_along(paid: Paid) -> None:
    """In the days of collecting somebody may say so beforehand: it is treated by its new facts and recorded."""
    person = paid.resident(name="缴费人")
    paid.assess()
    draft(paid, DEARER, "调整为380元。")
    shown = digest_of(preview(paid))
    paid.pay(person)
    assert effect(paid, moving=True).state == "succeeded"
    assert lines() == {"缴费人": ("collect", "350.00", "380.00", "30.00")}
    amendment = Amendment.objects.get()
    assert amendment.digest == digest_of(amendment) != shown


def test_only_who_pays_changes(paid: Paid) -> None:
    """The government's part goes to another payer: no amount changes, the shares do, of paid and unpaid alike."""
    store_with_payer = plan_text(("  government: 政府\n", "  government: 政府\n  county_finance: 区财政\n"))
    CollectionPlan.objects.filter(pk=paid.plan.pk).update(status="draft")
    store(store_with_payer)
    publish_plan(by=None, plan=plan_of(paid))
    payer, unpaid = paid.resident(date(1957, 5, 5), name="缴了"), paid.resident(date(1958, 5, 5), name="没缴")
    paid.assess()
    paid.pay(payer)
    draft(paid, {"waiver.medical_age_60_69.share.county_finance": "50%",
                 "waiver.medical_age_60_69.share.government_or_department": "0%"}, "由区财政承担50%。")  # fmt: skip
    preview(paid)
    assert lines() == {
        "缴了": ("apply", "175.00", "175.00", "0.00"), "没缴": ("reprice", "175.00", "175.00", "0.00"),
    }  # fmt: skip
    assert effect(paid).state == "succeeded"
    for person in (payer, unpaid):
        assert [s.payer for s in ChargeShare.objects.filter(charge=paid.charge(person))] == ["county_finance"]
    assert verify_ledger().ok


def test_the_next_day_nothing_is_left_to_do(paid: Paid) -> None:
    """After the effect a preview of the same would be empty, and assessing the county writes nothing."""
    for name in ("甲", "乙", "丙"):
        person = paid.resident(name=name)
        if name != "丙":
            paid.assess()
            paid.pay(person)
    paid.assess()
    draft(paid, DEARER, "调整为380元。")
    preview(paid)
    assert effect(paid).state == "succeeded"
    again = paid.assess()
    assert (again.changed, again.charges, again.corrected) == (0, 0, 0)
    assert set(Assessment.objects.filter(insurance="medical").values_list("plan_version", flat=True)) == {2}


def test_killed_in_the_middle_it_goes_on_and_writes_nothing_twice(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead after the texts changed places and one township was written: the next worker ends it the same."""
    people = [paid.resident(name="东人"), paid.resident(name="南人", unit=paid.cast.nan)]
    paid.assess()
    for person in people:
        paid.pay(person)
    draft(paid, DEARER, "调整为380元。")
    preview(paid)
    real, seen = amendments.write_changes, []  # type: ignore[attr-defined]

    def dies(*values: Any, **named: Any) -> None:
        real(*values, **named)
        seen.append(values)
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(amendments, "write_changes", dies)
    with pytest.raises(KeyboardInterrupt):
        effect(paid)
    monkeypatch.setattr(amendments, "write_changes", real)
    assert Amendment.objects.get().state == "taking"
    assert plan_of(paid).version == 2
    assert sorted(str(paid.charge(p).personal_amount) for p in people) == ["350.00", "380.00"]
    job = Job.objects.get(kind="amendment")
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert work(job).state == "succeeded"
    assert [str(paid.charge(p).personal_amount) for p in people] == ["380.00", "380.00"]
    assert PaidDifference.objects.count() == 2
    assert Charge.objects.filter(resident__in=people).count() == 4
    assert verify_ledger().ok


def test_a_stopped_effect_is_gone_on_with(paid: Paid) -> None:
    """Somebody stopped the job after the first township: asked for again it writes the rest, and only the rest."""
    people = [paid.resident(name="东人"), paid.resident(name="南人", unit=paid.cast.nan)]
    paid.assess()
    draft(paid, DEARER, "调整为380元。")
    amendment = preview(paid)
    job = request_effect(
        by=paid.cast.user("medical_bureau"), plan=plan_of(paid), digest=digest_of(amendment),
        effective_on=date(2022, 11, 30),
    )  # fmt: skip

    def stop(current: Job) -> None:
        if AmendmentSum.objects.filter(applied=True).exists():
            Job.objects.filter(pk=current.pk).update(cancel_requested=True)

    run_job(str(job.pk), worker="one", report=stop)
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert sorted(str(paid.charge(p).personal_amount) for p in people) == ["350.00", "380.00"]
    assert effect(paid).state == "succeeded"
    assert [(paid.charge(p).version, str(paid.charge(p).personal_amount)) for p in people] == [
        (2, "380.00")
    ] * 2


def test_what_stands_in_the_way_is_said(paid: Paid) -> None:
    """Not previewed, a day to come, examples open, another amendment, a text loaded anew: each refused in words."""
    paid.resident()
    paid.assess()
    clerk, plan = paid.cast.user("medical_bureau"), plan_of(paid)
    with pytest.raises(Problem, match="没有待生效的修订"):
        request_preview(by=clerk, plan=plan)
    made = write_amendment(by=clerk, plan=plan, changes=DEARER, paper=paper("调整为380元。"))
    with pytest.raises(PlanError) as twice:
        write_amendment(by=clerk, plan=plan, changes=DEADLINE, paper=paper())
    assert twice.value.code == "amendment_open"
    assert find_amendment(plan) is not None
    with pytest.raises(Problem, match="还没有试算"):
        request_effect(by=clerk, plan=plan, digest="", effective_on=date(2022, 11, 30))
    amendment = preview(paid)
    with pytest.raises(Problem, match="个算例和预期不同"):
        request_effect(by=clerk, plan=plan, digest=digest_of(amendment), effective_on=date(2022, 11, 30))
    assert accept_examples(by=clerk, draft=made) > 0
    with pytest.raises(Problem, match="生效日期还没有到"):
        request_effect(by=clerk, plan=plan, digest=digest_of(amendment), effective_on=date(2022, 12, 1))
    with pytest.raises(Problem, match="试算的结果已经更新"):
        request_effect(by=clerk, plan=plan, digest="0" * 64, effective_on=date(2022, 11, 30))
    withdraw(by=clerk, plan=plan)
    assert not CollectionPlan.objects.filter(version=2).exists()
    assert not AmendmentLine.objects.exists()
    assert Amendment.objects.get().state == "withdrawn"
    for changes, code in (({}, "changes_nothing"), ({"medical.personal": "x"}, "not_an_amount")):
        with pytest.raises(PlanError) as refused:
            write_amendment(by=clerk, plan=plan, changes=changes, paper=paper())
        assert refused.value.code == code
    with pytest.raises(PlanError) as number:
        write_amendment(
            by=clerk,
            plan=plan,
            changes=DEADLINE,
            paper=Paper("一号文", "延长", date(2023, 1, 1), date(2023, 1, 1)),
        )
    assert number.value.code == "not_a_number"


def test_who_moved_is_written_where_he_registered(paid: Paid) -> None:
    """Registered in 甲镇 and living in 乙镇: his line stands with the township that collects, once."""
    person = paid.resident(name="迁走")
    paid.assess()
    Resident.objects.filter(pk=person.pk).update(
        township=paid.cast.yi,
        unit=paid.cast.nan,
        also_townships=[paid.cast.jia.pk],
        also_units=[paid.cast.dong.pk],
    )
    draft(paid, DEARER, "调整为380元。")
    preview(paid)
    assert [(line.township, line.resident.name) for line in AmendmentLine.objects.all()] == [
        (paid.cast.jia, "迁走")
    ]
    assert effect(paid).state == "succeeded"
    assert str(paid.charge(person).personal_amount) == "380.00"
    assert not AmendmentSum.objects.filter(moved=True).exists()
