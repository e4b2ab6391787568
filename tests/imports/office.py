"""A desk that takes files in, for tests of imports: the cast, a small plan, and one call from file to result."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone

from enrollment.models import CollectionPlan, Tier
from foundation.identity import make_number
from foundation.imports.models import ImportBatch
from foundation.imports.services.apply import apply
from foundation.imports.services.check import check
from foundation.imports.services.receive import Terms, Upload, receive
from foundation.scope.context import places_scope
from tests.factories import Cast, make_cast

HEADERS = (
    "镇街",
    "村(居)",
    "村小组",
    "户编号",
    "户主姓名",
    "与户主关系",
    "姓名",
    "身份证号",
    "联系电话",
    "险种",
    "缴费档次",
)


def number_of(birth: date = date(1985, 5, 5), sequence: int = 1) -> str:
    """A valid synthetic number of the county."""
    return make_number("370406", birth, sequence)


def registration_row(**values: str) -> dict[str, str]:
    """A sound row of 东村; ``values`` by header replace what differs."""
    row = {
        "镇街": "甲镇", "村(居)": "东村", "村小组": "1组", "户编号": "0001", "户主姓名": "张大山", "与户主关系": "户主",
        "姓名": "张大山", "身份证号": number_of(), "联系电话": "13900000001", "险种": "城乡居民基本医疗保险", "缴费档次": "",
    }  # fmt: skip
    return row | values


def as_csv(rows: list[dict[str, str]], *, encoding: str = "utf-8-sig") -> bytes:
    """Rows as a file of delimited text; the headers are those of the first row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


@dataclass
class Desk:
    """The county with a plan; ``take`` imports as the system does for the whole county, ``by`` as one person."""

    cast: Cast
    plan: CollectionPlan
    last: list[ImportBatch] = field(default_factory=list)

    def terms(self, kind: str, **values: Any) -> Terms:
        """The terms of a file of the county."""
        return Terms(kind, self.cast.county.code, plan_code=self.plan.code, **values)

    def checked(
        self, kind: str, content: bytes | list[dict[str, str]], *, by: Any = None, **values: Any
    ) -> ImportBatch:
        """Receive and check one file."""
        data = content if isinstance(content, bytes) else as_csv(content)
        places = self.cast.places if by is None else by.scope_places()
        with places_scope(places):
            batch = receive(
                by=by, terms=self.terms(kind, **values), uploads=[Upload("名单.csv", io.BytesIO(data))]
            )
            return check(by=by, batch=batch, places=places)

    def take(
        self, kind: str, content: bytes | list[dict[str, str]], *, by: Any = None, **values: Any
    ) -> ImportBatch:
        """Receive, check and apply one file."""
        batch = self.checked(kind, content, by=by, **values)
        places = self.cast.places if by is None else by.scope_places()
        with places_scope(places):
            return apply(by=by, batch=batch, places=places)

    def messages(self, batch: ImportBatch) -> list[tuple[int, str, str]]:
        """(row, code, message) of what went back, in the file's order."""
        rows = batch.returned_rows.order_by("file", "source_row", "pk")
        return list(rows.values_list("source_row", "code", "message"))


def make_desk() -> Desk:
    """The cast with a plan of both insurances and three tiers."""
    cast = make_cast()
    plan = CollectionPlan.objects.create(
        code="test-2023", county=cast.county, name="测试方案", coverage_year=timezone.localdate().year,
        insurances=["pension", "medical"], collection_mode="direct",
    )  # fmt: skip
    for amount in (100, 300, 500):
        Tier.objects.create(plan=plan, amount=Decimal(amount), subsidy=Decimal(30))
    return Desk(cast, plan)
