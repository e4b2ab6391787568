"""Bank statements in: a line once for ever, money in or out, breaks in the balance told, never taken back."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from contributions.models import BankEntry
from foundation.imports.kinds import ImportRefused
from foundation.imports.services.apply import undo
from foundation.imports.words import warning_lines
from foundation.scope.context import places_scope
from tests.imports.office import Desk, make_desk


@pytest.fixture
def desk(db: None) -> Desk:
    """A county's desk for files."""
    return make_desk()


def _line(serial: str, came: str = "", went: str = "", balance: str = "", **values: str) -> dict[str, str]:
    return {
        "交易日期": "2022-11-08", "交易流水号": serial, "摘要": "甲镇居民两险微信归集", "对方户名": "微信待清算专户",
        "收入金额": came, "支出金额": went, "余额": balance, "笔数": "3",
    } | values  # fmt: skip


def _kept() -> list[tuple[Any, ...]]:
    return [
        (serial, str(came), str(went))
        for serial, came, went in BankEntry.objects.order_by("pk").values_list(
            "serial", "amount_in", "amount_out"
        )
    ]


def test_a_line_is_kept_once(desk: Desk) -> None:
    """The same statement again changes nothing; the next one brings what is new."""
    first = [
        _line("1", "1,050.00", "", "1050"),
        _line("2", "700.00", "", "1750"),
        _line("3", "", "50", "1700"),
    ]
    batch = desk.take("bank_statement", first)
    assert (batch.new_count, batch.summary["warnings"]) == (3, {})
    assert _kept() == [("1", "1050.00", "0.00"), ("2", "700.00", "0.00"), ("3", "0.00", "50.00")]
    again = desk.take("bank_statement", [*first, _line("4", "350", "", "2050")])
    assert (again.new_count, again.unchanged_count) == (1, 3)


def test_another_story_under_a_serial_goes_back(desk: Desk) -> None:
    """Another amount or day; a serial twice in the file; the same serial of another account is another line."""
    desk.take("bank_statement", [_line("1", "350")])
    rows = [_line("1", "360"), _line("1", "350", 交易日期="2022-11-09"), _line("2", "350"), _line("2", "350")]
    batch = desk.take("bank_statement", rows)
    assert [code for _row, code, _message in desk.messages(batch)] == [
        "serial_conflict", "duplicate_serial", "duplicate_serial",
    ]  # fmt: skip
    assert desk.take("bank_statement", [_line("1", "99") | {"账号": "6228 4800"}]).new_count == 1


def test_lines_without_serials_are_told_by_what_they_say(desk: Desk) -> None:
    """Two alike in one file are two, the same file again is none."""
    rows = [_line("", "350", 余额="350"), _line("", "350", 余额="700"), _line("", "350", 余额="700")]
    assert desk.take("bank_statement", rows).new_count == 3
    assert desk.take("bank_statement", [*rows, _line("", "1")]).new_count == 1


def test_an_amount_with_its_direction(desk: Desk) -> None:
    """One column of amounts: 借 went out, 贷 came in, and a sign tells it too."""
    rows = [
        {"交易日期": "20221108", "流水号": str(n), "发生额": amount, "借贷标志": way}
        for n, (amount, way) in enumerate([("10", "贷"), ("11", "借"), ("-12", ""), ("13", "?"), ("", "贷")])
    ]
    batch = desk.take("bank_statement", rows)
    assert batch.reasons == {"bad_way": 1, "bad_amount": 1}
    assert [row[1:] for row in _kept()] == [("10.00", "0.00"), ("0.00", "11.00"), ("0.00", "12.00")]


@pytest.mark.parametrize("newest_first", [False, True])
def test_breaks_in_the_balance_are_told(desk: Desk, newest_first: bool) -> None:
    """Whichever way the statement runs, a missing line shows; nothing is refused for it."""
    rows = [
        _line("1", "100", "", "100"),
        _line("2", "50", "", "150"),
        _line("4", "10", "", "200"),
        _line("5", "", "5", "195"),
    ]
    batch = desk.take("bank_statement", rows[::-1] if newest_first else rows)
    assert batch.new_count == 4
    assert warning_lines(batch) == ["余额有 1 处和上一笔对不上，流水可能不全，请和银行核对"]


def test_what_the_bank_said_is_never_taken_back(desk: Desk) -> None:
    """Neither by undo nor by the application's role; a batch that brought nothing can go."""
    batch = desk.take("bank_statement", [_line("1", "350")])
    empty = desk.take("bank_statement", [_line("1", "350")])
    with places_scope(desk.cast.places):
        with pytest.raises(ImportRefused, match="只增不删"):
            undo(by=None, batch=batch, places=desk.cast.places)
        undo(by=None, batch=empty, places=desk.cast.places)
    for statement in (
        "UPDATE contributions_bankentry SET amount_in = 1",
        "DELETE FROM contributions_bankentry",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_who_reads_statements(desk: Desk) -> None:
    """Those who see the county's work, and nobody of a township."""
    desk.take("bank_statement", [_line("1", "350")])
    seen = {role: BankEntry.objects.visible_to(user).count() for role, user in desk.cast.users.items()}
    assert {role for role, count in seen.items() if count} == {
        "admin", "county_leader", "tax_bureau", "medical_bureau", "hr_bureau", "finance_bureau", "auditor",
    }  # fmt: skip
