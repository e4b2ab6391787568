"""Rows that went back and are open: as their page shows them, told to the persons concerned, closed with what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from foundation.audit.services import record
from foundation.encryption import DecryptionError, get_keyring
from foundation.imports.engine.context import Sent, unsealed
from foundation.imports.engine.tables import sheet_named
from foundation.imports.kinds import ImportRefused
from foundation.imports.models import ImportBatch, ReturnedRow, ToldHow
from foundation.imports.words import outside_words
from foundation.masking import Audience, mask_name, mask_number

_LONGEST_REASON: Final = 120


class Returned(NamedTuple):
    """A returned row as its sender's page shows it: masked."""

    pk: int
    file: int
    source_row: int
    code: str
    message: str
    name: str
    number: str
    told_on: date | None
    told_how: str
    sheet: str = ""
    """Which table the row stands in, where several were read."""


def samples(batch: ImportBatch, *, each: int = 1, limit: int = 60) -> list[Returned]:
    """Some open rows of every reason, masked, for the page."""
    found: list[Returned] = []
    sheet = sheet_named(batch)
    for code, _count in sorted(batch.reasons.items(), key=lambda item: (-item[1], item[0])):
        rows = batch.returned_rows.filter(code=code, closed_at=None).order_by("file", "source_row")[:each]
        found.extend(shown_row(row, sheet=sheet(row.file)) for row in rows)
    return found[:limit]


def shown_row(row: ReturnedRow, *, sheet: str = "", own: bool = True) -> Returned:
    """A row for the page, masked. Of somebody else's file (not ``own``) only what the row itself says wrong is told.

    What was found by looking into the register stays between its sender and the county: it would tell of people who may
    live elsewhere.
    """
    try:
        sent = unsealed(get_keyring(), row.row_encrypted)
    except DecryptionError:
        sent = Sent("?", "")
    return Returned(
        row.pk,
        row.file,
        row.source_row,
        row.code,
        row.message if own else outside_words(row.faults),
        mask_name(sent.name),
        mask_number(sent.number, Audience.OFFICE),
        row.told_on,
        row.get_told_how_display() if row.told_how else "",
        sheet,
    )


@transaction.atomic
def close_rows(*, by: Any, rows: Sequence[ReturnedRow], reason: str) -> int:
    """Close rows of one county with what came of them; those closed meanwhile stay as they are. Returns how many.

    Raises ImportRefused without a reason, without a row, or when every one is closed already.
    """
    reason = reason.strip()[:_LONGEST_REASON]
    if not rows:
        raise ImportRefused(_("请先勾选要处理的行"))
    if not reason:
        raise ImportRefused(_("请写明处理结果"))
    closed = _still_open(rows)
    if not closed:
        raise ImportRefused(_("勾选的行已经处理过了"))
    ReturnedRow.objects.filter(pk__in=[row.pk for row in closed]).update(
        closed_at=timezone.now(), closed_reason=reason, closed_by_id=getattr(by, "pk", None)
    )
    _record(by, closed, "import.row.close")
    return len(closed)


@transaction.atomic
def tell_rows(*, by: Any, rows: Sequence[ReturnedRow], on: date, how: str, today: date) -> int:
    """Note that the persons of rows were told, when and how. Returns how many; the rows stay open.

    Raises ImportRefused for a day to come or a way nobody knows, without a row, or when every one is closed already.
    """
    if not rows:
        raise ImportRefused(_("请先勾选要处理的行"))
    if how not in ToldHow.values:
        raise ImportRefused(_("请选择怎样告知的"))
    if on > today:
        raise ImportRefused(_("告知日期不能晚于今天"))
    told = _still_open(rows)
    if not told:
        raise ImportRefused(_("勾选的行已经处理过了"))
    ReturnedRow.objects.filter(pk__in=[row.pk for row in told]).update(
        told_on=on, told_how=how, told_by_id=getattr(by, "pk", None)
    )
    _record(by, told, "import.row.tell", on=on.isoformat(), how=how)
    return len(told)


def _still_open(rows: Sequence[ReturnedRow]) -> list[ReturnedRow]:
    """The rows nobody has closed meanwhile, held until the transaction ends; locked in the order of their keys."""
    keys = [row.pk for row in rows]
    held = ReturnedRow.objects.select_for_update().filter(pk__in=keys, closed_at=None).order_by("pk")
    return list(held)


def _record(by: Any, rows: Sequence[ReturnedRow], action: str, **detail: Any) -> None:
    """One event for each batch, with the numbers of the rows in its file."""
    counties = dict(
        ImportBatch.objects.filter(pk__in={row.batch_id for row in rows}).values_list("pk", "county_code")
    )
    for batch, county in sorted(counties.items()):
        numbers = [row.source_row for row in rows if row.batch_id == batch]
        record(
            by=by,
            action=action,
            target_kind="import",
            target=batch,
            county_code=county,
            detail={"rows": numbers[:500], "count": len(numbers), **detail},
        )
