"""What is open, by list: for the page of returned rows and for the tiles of the office's home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from foundation.imports.kinds import Deadline, ImportRefused, deadline_of, import_kind
from foundation.imports.models import ImportBatch, ReturnedRow
from foundation.imports.senders import sender_name
from foundation.imports.words import reason

MOST_LISTS: Final = 200
"""Lists with open rows that a page shows; the oldest come first, so none is forgotten."""


@dataclass(frozen=True)
class OpenList:
    """A file with rows still open: whose, how many, how many of the persons were not told, since when, until when."""

    batch: ImportBatch
    title: str
    sender: str
    open: int
    untold: int
    since: datetime
    deadline: Deadline | None
    overdue: bool
    own: bool


@dataclass(frozen=True)
class Filter:
    """What a page of returned rows is narrowed to; empty means everything."""

    batch: int | None = None
    code: str = ""
    told: str = ""
    overdue: bool = False

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> Filter:
        """From a query string; what cannot be meant is passed over."""
        batch = str(asked.get("batch", ""))
        told = str(asked.get("told", ""))
        return cls(
            batch=int(batch) if batch.isascii() and batch.isdigit() and len(batch) < 19 else None,
            code=str(asked.get("code", "")),
            told=told if told in {"yes", "no"} else "",
            overdue=bool(asked.get("overdue")),
        )


class Titles:
    """What a page calls files: the kind, and the group one lists. Asks for the groups' names once."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, str]] = {}

    def __call__(self, batch: ImportBatch) -> str:
        try:
            kind = import_kind(batch.kind)
        except ImportRefused:
            return batch.kind
        if not batch.category_code:
            return str(kind.label)
        if kind.name not in self._groups:
            options = kind.options(batch.uploaded_by)
            self._groups[kind.name] = {
                value: label
                for option in options
                if option.name == "category"
                for value, label in option.choices
            }
        return f"{kind.label}（{self._groups[kind.name].get(batch.category_code, batch.category_code)}）"


def open_lists(user: Any, today: date) -> list[OpenList]:
    """Files with rows a person sees that are still open, the most urgent first; the fixed queries do not grow with them."""
    counted = (
        ReturnedRow.objects.visible_to(user)
        .waiting()
        .values("batch_id")
        .annotate(
            open=Count("pk"), untold=Count("pk", filter=Q(told_on=None)), since=Min("batch__uploaded_at")
        )
        .order_by("since", "batch_id")[:MOST_LISTS]
    )
    rows = {row["batch_id"]: row for row in counted}
    batches = ImportBatch.objects.select_related("uploaded_by__agency", "uploaded_by__county").in_bulk(rows)
    own = set(ImportBatch.objects.visible_to(user).filter(pk__in=rows).values_list("pk", flat=True))
    known: dict[tuple[Any, ...], Deadline | None] = {}
    title = Titles()
    found = []
    for pk, row in rows.items():
        batch = batches[pk]
        day = timezone.localtime(batch.uploaded_at).date()
        # A sender of part of the county may be held to a plan of its own.
        sender = batch.uploaded_by
        own_place = sender.pk if sender is not None and not getattr(sender, "sees_county", True) else None
        key = (batch.kind, batch.county_code, batch.plan_code, own_place, day)
        if key not in known:
            known[key] = deadline_of(batch)
        deadline = known[key]
        found.append(
            OpenList(
                batch=batch,
                title=title(batch),
                sender=sender_name(batch.uploaded_by),
                open=row["open"],
                untold=row["untold"],
                since=batch.applied_at or batch.uploaded_at,
                deadline=deadline,
                overdue=deadline is not None and today > deadline.on,
                own=pk in own,
            )
        )
    return sorted(found, key=lambda each: (not each.overdue, each.since, each.batch.pk))


def open_rows(user: Any, wanted: Filter, lists: list[OpenList]) -> QuerySet[ReturnedRow]:
    """The open rows a person sees, narrowed; in the order of their files."""
    rows = ReturnedRow.objects.visible_to(user).waiting()
    if wanted.batch is not None:
        rows = rows.filter(batch_id=wanted.batch)
    if wanted.code:
        rows = rows.filter(code=wanted.code)
    if wanted.told:
        rows = rows.filter(told_on__isnull=wanted.told == "no")
    if wanted.overdue:
        rows = rows.filter(batch_id__in=[each.batch.pk for each in lists if each.overdue])
    return rows.order_by("-batch_id", "file", "source_row", "pk")


def reasons_of(rows: QuerySet[ReturnedRow]) -> list[tuple[str, str, int]]:
    """(code, its word, how many) of rows, the most frequent first."""
    counted = rows.order_by().values("code").annotate(n=Count("pk")).order_by("-n", "code")
    return [(row["code"], reason(row["code"]), row["n"]) for row in counted]


def lately_closed(user: Any, days: int = 7) -> tuple[int, int]:
    """How many rows were corrected by a later file, and how many closed by a person, in the last days."""
    since = timezone.now() - timedelta(days=days)
    row = (
        ReturnedRow.objects.visible_to(user)
        .filter(closed_at__gte=since)
        .aggregate(
            corrected=Count("pk", filter=Q(closed_by_batch__isnull=False)),
            closed=Count("pk", filter=Q(closed_by_batch=None)),
        )
    )
    return row["corrected"], row["closed"]
