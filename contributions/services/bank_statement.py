"""Bank statements in (银行流水): every line once, for ever.

Rules
- A line is told by account and serial. Told again it changes nothing; told with another amount or day it goes back.
- A statement without serials is told by day, amounts, balance and words; two lines alike in all of these count as one only
  when they come in two files.
- Money comes in or goes out: two columns, or one amount with 借 or 贷.
- Where balances are given, each must follow from the one before; breaks are told, and nothing is refused for them.
- Nothing is ever taken back: a line of a bank is a fact. It is matched to deposits and tax results elsewhere.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.services.imports.common import read_day
from foundation.imports.engine.changes import insert_returning
from foundation.imports.engine.context import ROW, Context
from foundation.imports.kinds import (
    Counts,
    Identify,
    ImportKind,
    Refused,
    RowIdentity,
    RowReader,
    StagedRow,
    together,
)
from foundation.money import MoneyError, yuan
from foundation.sheets import parse_datetime
from townships.services.imports.places import county_of

_STAGING: Final = "import_staging_bank"
_COLUMNS: Final = (
    "row_index", "name", "account", "serial", "booked_on", "amount_in", "amount_out", "balance", "payments", "summary",
    "counterparty",
)  # fmt: skip
_ZERO: Final = Decimal("0.00")
_IN: Final = ("贷", "收", "入", "C")
_OUT: Final = ("借", "付", "支", "出", "D")


def _amount(raw: str, field: str) -> Decimal | Refused | None:
    if not raw or raw in {"-", "—"}:
        return None
    try:
        return yuan(raw.removeprefix("+"))
    except MoneyError:
        return Refused("bad_amount", _("“%(raw)s”不是金额") % {"raw": raw[:20]}, field)


def _in_and_out(cells: dict[str, str]) -> tuple[Decimal, Decimal] | Refused:
    """What came in and what went out; a negative amount in one column is money the other way."""
    came, went = (
        _amount(cells.get("amount_in", ""), "amount_in"),
        _amount(cells.get("amount_out", ""), "amount_out"),
    )
    both = _amount(cells.get("amount", ""), "amount")
    wrong = together(came, went, both)
    if wrong is not None:
        return wrong
    total = Decimal(0)
    if isinstance(came, Decimal):
        total += came
    if isinstance(went, Decimal):
        total -= went
    if isinstance(both, Decimal) and not (came or went):
        way = cells.get("debit_credit", "")
        if any(word in way for word in _OUT):
            both = -abs(both)
        elif way and not any(word in way for word in _IN):
            return Refused("bad_way", _("借贷标志“%(raw)s”看不懂，应写借或贷") % {"raw": way[:10]})
        total = both
    elif came and went:
        return Refused("bad_amount", _("同一行又有收入又有支出，请分成两行"), "amount_in")
    if not total:
        return Refused("bad_amount", _("没有填金额"), "amount_in")
    return (total, _ZERO) if total > 0 else (_ZERO, -total)


def _reader(ctx: Context) -> RowReader:
    again: Counter[str] = Counter()

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        moment = parse_datetime(cells["booked_on"])
        day: date | Refused | None = (
            moment.date() if moment is not None else read_day(cells["booked_on"], _("交易日期"), "booked_on")
        )
        if day is None:
            day = Refused("no_booking_date", _("没有填交易日期"))
        moved = _in_and_out(cells)
        balance = _amount(get("balance", ""), "balance")
        count = get("payment_count", "")
        heads = None if not count or count.isdigit() else Refused(
            "bad_count", _("笔数“%(raw)s”不是数") % {"raw": count[:10]}
        )  # fmt: skip
        wrong = together(day, moved, balance, heads)
        if wrong is not None:
            return wrong
        assert not isinstance(moved, Refused)
        came, went = moved
        account = "".join(char for char in get("account", "") if char.isalnum())[:40]
        serial = get("serial", "")[:60]
        if not serial:
            told = f"{day}|{came}|{went}|{balance}|{get('summary', '')}|{get('counterparty', '')}|{cells['booked_on']}"
            digest = hashlib.sha256(f"{account}|{told}".encode()).hexdigest()[:32]
            again[digest] += 1
            serial = f"{digest}-{again[digest]}"
        return (
            "\\x" + _index(ctx, account, serial).hex(), serial, account, serial, str(day), str(came), str(went),
            str(balance) if isinstance(balance, Decimal) else "", count, get("summary", "")[:200],
            get("counterparty", "")[:80],
        )  # fmt: skip

    return read


def _index(ctx: Context, account: str, serial: str) -> bytes:
    return ctx.keyring.blind_index(f"bank|{account}|{serial}")


def _identify(ctx: Context) -> Identify:
    def identify(cells: dict[str, str]) -> tuple[bytes | None, str]:
        account = "".join(char for char in cells.get("account", "") if char.isalnum())[:40]
        serial = cells.get("serial", "")[:60]
        return (_index(ctx, account, serial) if serial else None), ""

    return identify


_ROWS: Final = f"""
    SELECT s.*, b.id AS known_id, b.booked_on AS was_on, b.amount_in AS was_in, b.amount_out AS was_out
    FROM {_STAGING} s
    LEFT JOIN contributions_bankentry b
        ON b.county_id = %(county)s AND b.account = coalesce(s.account, '') AND b.serial = s.serial
    WHERE s.batch = %(batch)s
"""


def _values(ctx: Context) -> dict[str, Any]:
    return {"county": county_of(ctx).pk}


def _check(ctx: Context) -> None:
    ctx.refuse_staged(
        "duplicate_serial",
        _("流水号和第%s行重复，留一行"),
        f"""
        SELECT f.file, f.source_row, f.first_row AS said FROM (
            SELECT s.file, s.source_row, row_number() OVER one AS place, first_value({ROW}) OVER one AS first_row
            FROM {_STAGING} s WHERE s.batch = %(batch)s
            WINDOW one AS (PARTITION BY s.account, s.serial ORDER BY s.file, s.source_row)
        ) f WHERE f.place > 1
        """,
    )
    ctx.refuse_staged(
        "serial_conflict",
        _("这个流水号以前导入过，日期或金额与那次不同"),
        f"SELECT k.file, k.source_row FROM ({_ROWS}) k WHERE k.known_id IS NOT NULL"
        " AND (k.booked_on, k.amount_in, k.amount_out) IS DISTINCT FROM (k.was_on, k.was_in, k.was_out)",
        **_values(ctx),
    )
    # Oldest first or newest first: the order with fewer breaks is the statement's.
    breaks = ctx.one(
        f"""
        SELECT least(
            count(*) FILTER (WHERE up IS NOT NULL AND balance <> up + amount_in - amount_out),
            count(*) FILTER (WHERE down IS NOT NULL AND balance <> down + amount_in - amount_out))
        FROM (
            SELECT amount_in, amount_out, balance, lag(balance) OVER one AS up, lead(balance) OVER one AS down
            FROM {_STAGING} s WHERE s.batch = %(batch)s AND s.balance IS NOT NULL
            WINDOW one AS (PARTITION BY account, file ORDER BY source_row)
        ) b
        """
    )[0]
    if breaks:
        ctx.warnings["balance_breaks"] = breaks


def _preview(ctx: Context) -> Counts:
    new, total = ctx.one(
        f"SELECT count(*) FILTER (WHERE k.known_id IS NULL), count(*) FROM ({_ROWS}) k", **_values(ctx)
    )
    return Counts(new, 0, total - new)


def _apply(ctx: Context) -> Counts:
    new = insert_returning(
        ctx,
        "contributions_bankentry",
        f"""
        INSERT INTO contributions_bankentry (county_id, account, serial, booked_on, amount_in, amount_out, balance,
            payments, summary, counterparty, batch)
        SELECT %(county)s, coalesce(k.account, ''), k.serial, k.booked_on, k.amount_in, k.amount_out, k.balance, k.payments,
               coalesce(k.summary, ''), coalesce(k.counterparty, ''), %(batch)s
        FROM ({_ROWS}) k WHERE k.known_id IS NULL ORDER BY k.file, k.source_row
        """,
        **_values(ctx),
    )
    return Counts(new, 0, 0)


def _blockers(ctx: Context) -> list[str]:
    lines = ctx.batch.new_count
    return (
        [_("本批带来 %(n)s 条银行流水，流水只增不删；同一流水号再导入不会重复") % {"n": lines}]
        if lines
        else []
    )


def _undo(ctx: Context) -> None:
    """Nothing: a batch that brought lines stays, and one that brought none did nothing."""


def _who(cells: dict[str, str]) -> tuple[str, str]:
    return "", ""


KIND: Final = ImportKind(
    name="bank_statement",
    label=gettext_lazy("银行流水"),
    help=gettext_lazy("账户的收支明细，按流水号只记一次，用来核对到账"),
    required=("booked_on",),
    optional=(
        "serial", "account", "summary", "counterparty", "amount_in", "amount_out", "amount", "debit_credit", "balance",
        "payment_count",
    ),
    staging=_STAGING,
    columns=_COLUMNS,
    reader=_reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    undo=_undo,
    blockers=_blockers,
    identity=RowIdentity(index="row_index", of=_identify, who=_who),
    roles=frozenset({"admin", "tax_bureau", "medical_bureau", "hr_bureau"}),
    any_of=(("amount_in", "amount_out", "amount"),),
    writes=("contributions_bankentry",),
)  # fmt: skip
