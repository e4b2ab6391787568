"""Last year's payments in: kept by number, registered or not; last tiers carried; taken back whole."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from enrollment.models import PriorPayment, Registration
from foundation.imports.kinds import ImportRefused
from foundation.imports.models import ImportChange
from foundation.imports.services.apply import undo
from foundation.scope.context import places_scope
from tests.factories import make_registration, make_resident
from tests.imports.office import Desk, number_of, registration_row


def _row(desk: Desk, name: str, sequence: int, **values: str) -> dict[str, str]:
    last = desk.plan.coverage_year - 1
    return {
        "缴费人识别号": number_of(sequence=sequence), "缴费人名称": name, "征收品目": "城乡居民基本养老保险费",
        "费款所属期起": f"{last}-01-01", "实缴金额": "300.00", "开票日期": f"{last - 1}-11-10",
        "税票号码": f"3370{sequence:06d}", "主管税务所": "", "社区村": "东村村委会",
    } | values  # fmt: skip


def _kept(desk: Desk) -> list[tuple[str, str, str]]:
    with places_scope(desk.cast.places):
        rows = PriorPayment.objects.order_by("name", "amount").values_list("name", "insurance", "amount")
        return [(name, insurance, str(amount)) for name, insurance, amount in rows]


def _last_tiers(desk: Desk) -> list[Decimal | None]:
    with places_scope(desk.cast.places):
        return list(Registration.objects.order_by("resident__name").values_list("last_tier", flat=True))


@pytest.fixture
def dong(desk: Desk) -> Any:
    """A resident of 东村 with a pension registration of the plan's year."""
    resident = make_resident(desk.cast, desk.cast.dong, name="张东", number=number_of(sequence=11))
    make_registration(desk.cast, resident, desk.plan, "pension", tier=Decimal(500))
    return resident


def test_payments_are_kept_and_tiers_carried(desk: Desk, dong: Any) -> None:
    """Two payments of a person make her last tier; the departed are kept where their row says; the same again: nothing."""
    rows = [
        _row(desk, "张东", 11),
        _row(desk, "张东", 11, 实缴金额="200", 税票号码="33700000001"),
        _row(desk, "走了", 12, 征收品目="城乡居民基本医疗保险费"),
    ]
    batch = desk.take("last_year_payments", rows)
    assert (batch.new_count, batch.summary["warnings"]) == (3, {"paid_not_registered": 1})
    assert batch.summary["last_tiers"] == 1
    assert _kept(desk) == [
        ("张东", "pension", "200.00"), ("张东", "pension", "300.00"), ("走了", "medical", "300.00"),
    ]  # fmt: skip
    assert _last_tiers(desk) == [Decimal("500.00")]
    again = desk.take("last_year_payments", [*rows, _row(desk, "错的", 13, 社区村="无名村")])
    assert (again.new_count, again.changed_count, again.unchanged_count) == (0, 0, 3)
    assert again.reasons == {"unknown_village": 1}


def test_who_is_registered_later_gets_her_last_tier(desk: Desk) -> None:
    """Last year's file may come before this year's registration data."""
    desk.take("last_year_payments", [_row(desk, "张东", 11)])
    row = registration_row(姓名="张东", 身份证号=number_of(sequence=11), 险种="养老", 缴费档次="500")
    desk.take("registration", [row, row | {"险种": "医疗", "缴费档次": ""}])
    assert sorted(map(str, _last_tiers(desk))) == ["300.00", "None"]
    with places_scope(desk.cast.places):
        assert not ImportChange.objects.exists()


def test_rows_that_are_not_last_year_s_payments_go_back(desk: Desk, dong: Any) -> None:
    """This year's, another insurance, no amount, money given back, a repeated voucher."""
    rows = [
        _row(desk, "张东", 11, 费款所属期起=f"{desk.plan.coverage_year}-01-01"),
        _row(desk, "张东", 11, 征收品目="工伤保险"),
        _row(desk, "张东", 11, 实缴金额="三百"),
        _row(desk, "张东", 11, 实缴金额="-300"),
        _row(desk, "张东", 11),
        _row(desk, "张东", 11),
    ]
    batch = desk.take("last_year_payments", rows)
    assert [code for _row, code, _message in desk.messages(batch)] == [
        "other_year", "unknown_insurance", "bad_amount", "bad_amount", "duplicate",
    ]  # fmt: skip


def test_an_amount_told_anew_is_a_change_and_undo_gives_it_back(desk: Desk, dong: Any) -> None:
    """The voucher is the payment: another amount corrects it and the last tier; taken back, both are as before."""
    first = desk.take("last_year_payments", [_row(desk, "张东", 11)])
    second = desk.take("last_year_payments", [_row(desk, "张东", 11, 实缴金额="500")])
    assert (second.new_count, second.changed_count) == (0, 1)
    assert _last_tiers(desk) == [Decimal("500.00")]
    with places_scope(desk.cast.places):
        with pytest.raises(ImportRefused, match=f"批次 {second.pk}"):
            undo(by=None, batch=first, places=desk.cast.places)
        undo(by=None, batch=second, places=desk.cast.places)
    assert _last_tiers(desk) == [Decimal("300.00")]
    with places_scope(desk.cast.places):
        undo(by=None, batch=first, places=desk.cast.places)
    assert (_last_tiers(desk), _kept(desk)) == ([None], [])


def test_undo_leaves_what_another_batch_says_of_other_columns(desk: Desk, dong: Any) -> None:
    """The tier a later registration file changed stays when last year's payments are taken back."""
    first = desk.take("last_year_payments", [_row(desk, "张东", 11)])
    row = registration_row(姓名="张东", 身份证号=number_of(sequence=11), 险种="养老", 缴费档次="300")
    assert desk.take("registration", [row]).changed_count == 1
    with places_scope(desk.cast.places):
        undo(by=None, batch=first, places=desk.cast.places)
        kept = Registration.objects.get()
    assert (kept.last_tier, kept.tier) == (None, Decimal("300.00"))


def test_a_row_finds_its_village_by_the_tax_office(desk: Desk) -> None:
    """Two villages of one name: the office that took the money says in which township."""
    village = desk.cast.nan.village
    assert village is not None
    village.aliases = ["东村"]
    village.save()
    desk.cast.yi.short_name = "乙岭"
    desk.cast.yi.save()
    rows = [_row(desk, "走了", 12), _row(desk, "也走了", 13, 主管税务所="山亭区税务局乙岭税务分局")]
    batch = desk.take("last_year_payments", rows)
    assert (batch.new_count, batch.reasons) == (1, {"unknown_village": 1})
    with places_scope(desk.cast.places):
        assert PriorPayment.objects.get().unit_id == desk.cast.nan.pk


def test_a_clerk_keeps_what_concerns_her_own_people(desk: Desk, dong: Any) -> None:
    """Foreign villages, and numbers nobody of hers holds, whether somebody elsewhere does or nobody: one sentence each."""
    make_resident(desk.cast, desk.cast.nan, name="赵南", number=number_of(sequence=13))
    clerk = desk.cast.user("township_clerk")
    rows = [
        _row(desk, "张东", 11),
        _row(desk, "赵南", 13), _row(desk, "无人", 14),
        _row(desk, "赵南", 13, 社区村="南村"), _row(desk, "无人", 14, 社区村="南村"),
    ]  # fmt: skip
    batch = desk.take("last_year_payments", rows, by=clerk)
    assert batch.reasons == {"out_of_scope": 2, "unknown_person": 2}
    assert len({message for _row, code, message in desk.messages(batch) if code == "unknown_person"}) == 1
    assert _kept(desk) == [("张东", "pension", "300.00")]
