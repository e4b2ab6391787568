"""The tax bureau's results confirm what was recorded and add what was paid elsewhere; nothing is doubled or refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from contributions.models import (
    Assessment,
    Charge,
    FigureRebuild,
    Payment,
    PaymentCase,
    PaymentLine,
    TaxEntry,
)
from contributions.services.ledger import verify_ledger
from contributions.services.payments import record_payment, reverse_payment
from enrollment.models import Resident
from foundation.encryption import get_keyring
from foundation.imports.kinds import ImportRefused
from foundation.imports.models import ImportBatch
from foundation.imports.services.apply import undo
from tests.contributions.conftest import Season
from tests.factories import make_registration, make_resident
from tests.imports.office import Desk, number_of


@pytest.fixture
def desk(season: Season) -> Desk:
    """The season's county as a desk for files."""
    return Desk(season.cast, season.plan)


def _number(resident: Resident) -> str:
    assert resident.number_encrypted is not None
    return get_keyring().decrypt(resident.number_encrypted)


def _row(charge: Charge, voucher: str, **values: str) -> dict[str, str]:
    resident = charge.resident
    return {
        "缴费人识别号": _number(resident), "缴费人名称": resident.name,
        "征收品目": "城乡居民基本医疗保险", "所属年度": "2023", "实缴金额": f"{charge.personal_amount:.2f}",
        "开票日期": "2022-11-20", "入库日期": "2022-11-21", "缴费渠道": "微信", "电子税票号码": voucher,
    } | values  # fmt: skip


def _take(desk: Desk, *rows: dict[str, str]) -> ImportBatch:
    return desk.take("tax_results", list(rows))


def _told(batch: ImportBatch) -> tuple[int, int, int, int]:
    told = batch.summary
    return told["confirmed"], told["appeared"], told["contradicted"], told["cases"]


def test_a_recorded_payment_is_confirmed(season: Season, desk: Desk) -> None:
    """The line gets its tax entry; no second payment appears, and the figures are asked to count anew."""
    charge = season.charge(season.cast.dong)
    answer = record_payment(by=season.cast.user("village_agent"), order=season.order(charge))
    batch = _take(desk, _row(charge, "A1"))
    assert _told(batch) == (1, 0, 0, 0)
    entry = TaxEntry.objects.get()
    assert entry.payment_line_id == answer.lines[0].pk
    assert (entry.invoiced_on, entry.settled_on) == (date(2022, 11, 20), date(2022, 11, 21))
    assert Payment.objects.count() == 1
    assert FigureRebuild.objects.filter(plan=season.plan).exists()


@pytest.mark.parametrize(
    ("channel", "route", "means"),
    [("微信", "online", "qr"), ("裕农通", "village", "pos"), ("银行柜台", "online", "transfer")],
)
def test_what_was_paid_elsewhere_appears_by_itself(
    season: Season, desk: Desk, channel: str, route: str, means: str
) -> None:
    """At the county's import desk, dated by 开票日, with route and means of its channel."""
    charge = season.charge(season.cast.dong)
    batch = _take(desk, _row(charge, "A1", 缴费渠道=channel))
    assert _told(batch) == (0, 1, 0, 0)
    payment = Payment.objects.get()
    assert (payment.route, payment.means, payment.channel) == (route, means, channel)
    assert (payment.paid_on, payment.received, payment.excess) == (
        date(2022, 11, 20),
        Decimal("350.00"),
        Decimal("0.00"),
    )
    assert payment.device.kind == "import"
    line = payment.lines.get()
    assert (line.registration_id, line.charge_id, line.amount) == (
        charge.registration_id,
        charge.pk,
        Decimal("350.00"),
    )
    assert TaxEntry.objects.get().payment_line_id == line.pk
    assert verify_ledger().ok


def test_the_same_file_twice_doubles_nothing(season: Season, desk: Desk) -> None:
    """Vouchers known already change nothing; a later file only fills 入库日期."""
    charge = season.charge(season.cast.dong)
    _take(desk, _row(charge, "A1", 入库日期=""))
    again = _take(desk, _row(charge, "A1", 入库日期=""))
    assert (again.new_count, again.changed_count, again.unchanged_count) == (0, 0, 1)
    later = _take(desk, _row(charge, "A1", 入库日期="2022-11-23"))
    assert (later.new_count, later.changed_count) == (0, 1)
    assert TaxEntry.objects.get().settled_on == date(2022, 11, 23)
    assert Payment.objects.count() == PaymentLine.objects.count() == 1


def test_an_amount_that_contradicts_is_a_case_on_the_stored_payment(season: Season, desk: Desk) -> None:
    """Recorded 350, the tax side says 300: the entry is kept without a line, and the payment is looked at."""
    charge = season.charge(season.cast.dong)
    answer = record_payment(by=season.cast.user("village_agent"), order=season.order(charge))
    assert _told(_take(desk, _row(charge, "A1", 实缴金额="300"))) == (0, 0, 1, 1)
    case = PaymentCase.objects.get()
    assert (case.kind, case.payment_id, case.amount) == ("contradicted", answer.payment.pk, Decimal("-50.00"))
    assert TaxEntry.objects.get().payment_line_id is None


@pytest.mark.parametrize(
    ("paid", "allocated", "excess", "kinds"),
    [
        (["350", "350"], "350.00", "350.00", ["already_paid"]),
        (["400"], "350.00", "50.00", ["amount_differs"]),
        (["200"], "200.00", "0.00", ["amount_differs"]),
        (["200", "150"], "350.00", "0.00", ["amount_differs"]),
    ],
)
def test_money_is_never_refused(
    season: Season, desk: Desk, paid: list[str], allocated: str, excess: str, kinds: list[str]
) -> None:
    """Twice, too much, too little, in parts: everything is stored, what exceeds the due is excess with a case."""
    charge = season.charge(season.cast.dong)
    _take(desk, *(_row(charge, f"A{i}", 实缴金额=amount) for i, amount in enumerate(paid)))
    payments = Payment.objects.all()
    assert sum(p.allocated for p in payments) == Decimal(allocated)
    assert sum(p.excess for p in payments) == Decimal(excess)
    assert list(PaymentCase.objects.values_list("kind", flat=True)) == kinds
    assert verify_ledger().ok


def test_money_for_the_dead_and_for_the_refused_is_excess(season: Season, desk: Desk) -> None:
    """Nothing rests on the registration; the case says why."""
    dead = season.charge(season.cast.dong, death_date=date(2022, 11, 1), name="张去")
    refused = make_resident(season.cast, season.cast.dong, name="李在校")
    registration = make_registration(season.cast, refused, season.plan)
    Assessment.objects.create(
        township_id=refused.township_id, unit_id=refused.unit_id, resident=refused, plan=season.plan,
        insurance="medical", coverage_year=2023, decision="refuse", reason="in_school", priced_on=date(2022, 11, 20),
    )  # fmt: skip
    row = _row(dead, "B1") | {
        "缴费人识别号": _number(refused),
        "缴费人名称": refused.name,
    }
    _take(desk, _row(dead, "A1"), row)
    assert set(PaymentCase.objects.values_list("kind", "registration")) == {
        ("deceased", dead.registration_id), ("not_accepted", registration.pk),
    }  # fmt: skip
    assert not PaymentLine.objects.exists()
    assert sum(p.excess for p in Payment.objects.all()) == Decimal("700.00")
    assert verify_ledger().ok


def test_rows_without_registration_or_assessment_go_back(season: Season, desk: Desk) -> None:
    """Unknown, unregistered, unassessed, doubtful: each row with its reason, the good one goes in."""
    charge = season.charge(season.cast.dong)
    unregistered = make_resident(season.cast, season.cast.dong, name="李无")
    unassessed = make_resident(season.cast, season.cast.dong, name="王待")
    make_registration(season.cast, unassessed, season.plan)

    def of(resident: Any, voucher: str, **values: str) -> dict[str, str]:
        return _row(charge, voucher, 缴费人识别号=_number(resident), 缴费人名称=resident.name, **values)

    batch = _take(
        desk,
        _row(charge, "A1"),
        _row(charge, "A2", 缴费人识别号=number_of(sequence=999), 缴费人名称="无人"),
        of(unregistered, "A3"),
        of(unassessed, "A4"),
        _row(charge, "A1"),
        _row(charge, "A6", 实缴金额="三百五"),
        _row(charge, "A7", 所属年度="2022"),
        _row(charge, "", 实缴金额="350"),
        _row(charge, "A9", 入库日期="2022-11-01"),
    )
    assert [code for _row_number, code, _message in desk.messages(batch)] == [
        "unknown_person", "not_registered", "not_assessed", "duplicate_voucher", "bad_amount", "other_year",
        "no_voucher", "bad_date",
    ]  # fmt: skip
    assert (batch.new_count, batch.rejected_count) == (1, 8)


def test_a_voucher_cannot_change_its_story(season: Season, desk: Desk) -> None:
    """The same voucher with another amount or payer goes back; the first stays."""
    first, second = season.charge(season.cast.dong), season.charge(season.cast.dong, name="李另")
    _take(desk, _row(first, "A1"))
    batch = _take(desk, _row(first, "A1", 实缴金额="300"))
    assert batch.reasons == {"voucher_conflict": 1}
    assert _take(desk, _row(second, "A1")).reasons == {"voucher_conflict": 1}
    assert TaxEntry.objects.get().amount == Decimal("350.00")


def test_a_reversed_payment_is_not_confirmed(season: Season, desk: Desk) -> None:
    """What was taken back no longer stands: the tax side's money appears as a payment of its own."""
    import uuid

    charge = season.charge(season.cast.dong)
    agent = season.cast.user("village_agent")
    answer = record_payment(by=agent, order=season.order(charge))
    reverse_payment(by=agent, payment=answer.payment.pk, client_uuid=uuid.uuid4(), reason="收错人")
    assert _told(_take(desk, _row(charge, "A1"))) == (0, 1, 0, 0)
    assert verify_ledger().ok


def test_undo_takes_confirmations_back_and_never_money(season: Season, desk: Desk) -> None:
    """A batch that only confirmed can be undone; one that brought payments says that they can only be reversed."""
    first, second = season.charge(season.cast.dong), season.charge(season.cast.dong, name="李另")
    record_payment(by=season.cast.user("village_agent"), order=season.order(first))
    confirmed, brought = _take(desk, _row(first, "A1")), _take(desk, _row(second, "A2"))
    with pytest.raises(ImportRefused, match="1 笔缴费"):
        undo(by=None, batch=brought, places=season.cast.places)
    undo(by=None, batch=confirmed, places=season.cast.places)
    assert list(TaxEntry.objects.values_list("voucher", flat=True)) == ["A2"]
    assert Payment.objects.count() == 2
