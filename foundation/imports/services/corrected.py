"""Rows that were sent back, closed by the rows that take their place.

Rules, when a batch is applied
1. Only rows of the same sender, kind and county, still open, of batches that were checked or applied before.
2. Same person (blind index) and the same part where the kind has one (insurance, group): accepted now, closed as
   corrected; sent back once more, closed in favour of the newer row.
3. A row whose number could not be read has no index. It is the same person when name and part agree and the number
   read now resembles the one written then: at most two characters apart, or its first digits where a spreadsheet
   spoilt the rest. Where no number was written at all, the file must be the one we sent back (it has our column), and
   the name must lead to one row on either side.
A batch that is taken back opens again what it closed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from django.utils.translation import gettext as _

from foundation.encryption import DecryptionError
from foundation.identity import normalise_number
from foundation.imports.engine.context import Context, Sent, unsealed
from foundation.imports.models import ReturnedRow
from foundation.names import normalise_name
from foundation.sheets.synonyms import ERROR_HEADER

# Unread numbers are compared one by one; a sender with more open ones than this has other worries.
_COMPARED: Final = 20_000
_APART: Final = 2
_MANTISSA: Final = re.compile(r"(\d)\.?(\d*)E\+?\d+")

# The open rows of the batch's sender that this batch may speak for.
_OPEN: Final = """
    SELECT r.id, r.person_index, r.part, r.row_encrypted FROM imports_returnedrow r
    JOIN imports_importbatch b ON b.id = r.batch_id
    WHERE r.closed_at IS NULL AND b.id <> %(batch)s AND b.kind = %(kind)s AND b.county_code = %(county)s
        AND b.sender = %(sender)s AND b.plan_code = %(plan)s AND b.state IN ('checked', 'applied')
"""


class _Unread(NamedTuple):
    pk: int
    sent: Sent
    part: str | None


def close_corrected(ctx: Context) -> int:
    """Close the earlier rows that this batch's staged or returned rows take the place of; returns how many.

    Called while the batch's rows are still staged.
    """
    values = {
        "kind": ctx.batch.kind,
        "county": ctx.batch.county_code,
        "sender": ctx.batch.sender,
        "plan": ctx.batch.plan_code,
    }
    if not ctx.one(f"SELECT EXISTS ({_OPEN})", **values)[0]:
        return 0
    corrected = {pk for (pk,) in ctx.fetch(_read_again(ctx), **values)}
    again = {
        pk
        for (pk,) in ctx.fetch(
            f"SELECT o.id FROM ({_OPEN}) o WHERE o.person_index IS NOT NULL AND EXISTS ("
            " SELECT FROM imports_returnedrow n WHERE n.batch_id = %(batch)s AND n.person_index = o.person_index"
            " AND (o.part IS NULL OR n.part IS NULL OR n.part = o.part))",
            **values,
        )
    }
    rows = ctx.fetch(f"{_OPEN} AND r.person_index IS NULL ORDER BY r.id LIMIT {_COMPARED}", **values)
    unread = list(_unread(ctx, rows))
    corrected |= _resembling(ctx, unread)
    again |= _repeated(ctx, unread)
    return _close(ctx, corrected, _("已更正，由批次 %(n)s 入库")) + _close(
        ctx, again - corrected, _("改后又退回，见批次 %(n)s")
    )


def reopen(ctx: Context) -> int:
    """Open again what the batch closed; returns how many."""
    return ReturnedRow.objects.filter(closed_by_batch=ctx.batch.pk).update(
        closed_at=None, closed_reason="", closed_by_batch=None
    )


def _read_again(ctx: Context) -> str:
    identity = ctx.kind.identity
    part = f" AND (o.part IS NULL OR s.{identity.part}::text = o.part)" if identity.part else ""
    return (
        f"SELECT o.id FROM ({_OPEN}) o WHERE o.person_index IS NOT NULL AND EXISTS ("
        f" SELECT FROM {ctx.kind.staging} s WHERE s.batch = %(batch)s AND s.{identity.index} = o.person_index{part})"
    )


def _close(ctx: Context, rows: set[int], reason: str) -> int:
    if not rows:
        return 0
    return ctx.execute(
        "UPDATE imports_returnedrow SET closed_at = now(), closed_reason = %(reason)s, closed_by_batch = %(batch)s"
        " WHERE id = ANY (%(rows)s) AND closed_at IS NULL",
        rows=sorted(rows),
        reason=reason % {"n": ctx.batch.pk},
    )


# -- rows without a readable number


def _unread(ctx: Context, rows: Iterable[tuple[int, object, str | None, bytes]]) -> Iterable[_Unread]:
    for pk, _index, part, row in rows:
        try:
            sent = unsealed(ctx.keyring, row)
        except DecryptionError:
            continue
        yield _Unread(pk, Sent(normalise_name(sent.name), normalise_number(sent.number)), part)


def _repeated(ctx: Context, unread: list[_Unread]) -> set[int]:
    """Those whose very words came back once more."""
    if not unread:
        return set()
    rows = ctx.fetch(
        "SELECT id, person_index, part, row_encrypted FROM imports_returnedrow"
        f" WHERE batch_id = %(batch)s AND person_index IS NULL ORDER BY id LIMIT {_COMPARED}"
    )
    newer = {(row.sent.name, row.sent.number, row.part) for row in _unread(ctx, rows)}
    return {
        row.pk for row in unread if row.sent.number and (row.sent.name, row.sent.number, row.part) in newer
    }


def _resembling(ctx: Context, unread: list[_Unread]) -> set[int]:
    """Those whose name stands in the batch with a number that resembles theirs, one row for one row."""
    kind = ctx.kind
    names = sorted({row.sent.name for row in unread if row.sent.name})
    if not names or "number_encrypted" not in kind.columns:
        return set()
    part = f"s.{kind.identity.part}::text" if kind.identity.part else "NULL"
    found: defaultdict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for name, number, which in ctx.fetch(
        f"SELECT s.name, s.number_encrypted, {part} FROM {kind.staging} s"
        " WHERE s.batch = %(batch)s AND s.name = ANY (%(names)s) AND s.number_encrypted IS NOT NULL",
        names=names,
    ):
        found[name].append((ctx.keyring.decrypt(number), which))
    ours = any(ERROR_HEADER in file.table.get("headers", ()) for file in ctx.batch.files.all())
    blank: defaultdict[tuple[str, str | None], int] = defaultdict(int)
    for row in unread:
        blank[row.sent.name, row.part] += not row.sent.number
    closed = set()
    for row in unread:
        said = {
            (number, which)
            for number, which in found[row.sent.name]
            if row.part is None or which is None or which == row.part
        }
        if not row.sent.number:
            alone = len({number for number, _which in said}) == 1 and blank[row.sent.name, row.part] == 1
            if ours and alone:
                closed.add(row.pk)
        elif any(resembles(row.sent.number, number) for number, _which in said):
            closed.add(row.pk)
    return closed


def resembles(written: str, number: str) -> bool:
    """Whether a number that could not be read was probably meant to be this one."""
    spoilt = _MANTISSA.fullmatch(written)
    if spoilt:
        digits = (spoilt[1] + spoilt[2]).rstrip("0")
        # A spreadsheet rounds the last digit it shows.
        return len(digits) >= 5 and number.startswith(digits[:-1])
    if len(written) == len(number) and written.endswith("000"):
        return number[:14] == written[:14]
    return _distance(written, number) <= _APART


def _distance(one: str, other: str) -> int:
    """Edit distance, neighbours exchanged counting once; more than is asked for is not counted out."""
    if abs(len(one) - len(other)) > _APART:
        return _APART + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
