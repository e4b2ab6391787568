"""Differences of what is paid, as the bureau reads them: who, before, after, what happens, and by which setting."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO, Final

from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _

from contributions.models import DifferenceCause, DifferenceOutcome, PaidDifference
from contributions.plans.settings_words import setting_choice, setting_name
from contributions.words import reason
from enrollment.models import CollectionPlan, Insurance
from foundation.encryption import get_keyring
from foundation.masking import Audience, mask_number, number_tail
from foundation.scope.models import ScopedQuerySet
from foundation.sheets import Column, Layout, Written, write_official
from subsidies.queries import rule_book
from subsidies.rules.source import PlanError
from townships.models import Township, User

PER_PAGE: Final = 50
ZERO: Final = Decimal("0.00")

# What a row of each outcome looks like: settled, waiting for money, for somebody, or left.
LOOKS: Final = {
    DifferenceOutcome.KEEP: ("", "lock"),
    DifferenceOutcome.COLLECT: ("state--wait", "clock"),
    DifferenceOutcome.REFUND: ("state--wait", "undo"),
    DifferenceOutcome.REVIEW: ("state--wait", "alert"),
    DifferenceOutcome.APPLY: ("state--done", "check"),
    DifferenceOutcome.RESTORE: ("state--done", "check"),
}  # fmt: skip


@dataclass(frozen=True)
class Group:
    """The rows of one outcome: people, what is owed, what is to be given back."""

    outcome: str
    label: str
    people: int
    owed: Decimal
    refund: Decimal


@dataclass(frozen=True)
class Line:
    """A row in words."""

    row: PaidDifference
    insurance: str
    tail: str
    why: str
    css: str
    icon: str
    by: str

    @property
    def priced(self) -> bool:
        """Whether there is an amount to set against what was paid."""
        return self.row.cause not in (DifferenceCause.DEATH, DifferenceCause.NOT_ACCEPTED)


def standing(user: User, plan: CollectionPlan) -> ScopedQuerySet:
    """The differences that stand under a plan, in the user's places."""
    rows: ScopedQuerySet = PaidDifference.objects.visible_to(user).filter(plan=plan, standing=True)
    return rows


def groups(rows: ScopedQuerySet) -> list[Group]:
    """Sums by outcome, in the order of the outcomes."""
    found = {
        row["outcome"]: row
        for row in rows.values("outcome").annotate(n=Count("pk"), owing=Sum("owed"), back=Sum("refund"))
    }
    return [
        Group(each.value, str(each.label), found[each]["n"], found[each]["owing"], found[each]["back"])
        for each in DifferenceOutcome
        if each in found
    ]


def narrowed(
    rows: ScopedQuerySet, *, outcome: str, township: Township | None, search: Q | None
) -> ScopedQuerySet:
    """Rows of an outcome, a township, people."""
    if outcome:
        rows = rows.filter(outcome=outcome)
    if township is not None:
        rows = rows.filter(township=township)
    if search is not None:
        rows = rows.filter(search)
    return rows


def lines(plan: CollectionPlan, rows: ScopedQuerySet, start: int, count: int) -> list[Line]:
    """Some of the rows, by place and person; two queries."""
    page = rows.select_related("resident", "unit", "township", "case").order_by(
        "township__position", "unit__position", "resident_id", "insurance"
    )
    words = DifferenceWords(plan)
    return [words.line(row) for row in page[start : start + count]]


class DifferenceWords:
    """Rows of a plan in words; its settings are read once."""

    def __init__(self, plan: CollectionPlan) -> None:
        try:
            self._settings: Mapping[str, Any] = rule_book(plan).settings
        except PlanError:
            self._settings = {}
        self._keys = get_keyring()

    def line(self, row: PaidDifference) -> Line:
        """One row."""
        number = self._keys.decrypt(row.resident.number_encrypted) if row.resident.number_encrypted else ""
        css, icon = LOOKS[DifferenceOutcome(row.outcome)]
        return Line(
            row=row,
            insurance=str(Insurance(row.insurance).label),
            tail=number_tail(number, Audience.OFFICE),
            why=self.why(row),
            css=css,
            icon=icon,
            by=self.by(row),
        )

    def why(self, row: PaidDifference) -> str:
        """Why the answer is another one."""
        label = str(DifferenceCause(row.cause).label)
        return f"{label}：{reason(row.reason_after)}" if row.reason_after else label

    def by(self, row: PaidDifference) -> str:
        """The setting that decided, with its value."""
        if not row.setting:
            return ""
        chosen = self._settings.get(row.setting)
        value = setting_choice(row.setting, str(chosen)) if chosen is not None else ""
        return f"{setting_name(row.setting)}：{value}" if value else setting_name(row.setting)


def write_differences(
    target: BinaryIO, plan: CollectionPlan, rows: ScopedQuerySet, today: datetime.date
) -> Written:
    """The rows as an official workbook; its sums are those of the page, numbers masked as on it."""
    layout = Layout(
        "paid_differences",
        (
            Column("township", _("镇（街）"), 10),
            Column("unit", _("村（居）"), 12),
            Column("name", _("姓名"), 10),
            Column("number", _("身份证号"), 20),
            Column("insurance", _("险种"), 6),
            Column("paid_on", _("缴费日期"), 11, "date"),
            Column("paid", _("已缴"), 10, "yuan", total=True),
            Column("before", _("缴费时个人缴"), 12, "yuan"),
            Column("after", _("现在个人缴"), 12, "yuan"),
            Column("difference", _("相差"), 10, "yuan"),
            Column("owed", _("应补"), 10, "yuan", total=True),
            Column("refund", _("应退"), 10, "yuan", total=True),
            Column("outcome", _("怎么办"), 18),
            Column("why", _("原因"), 22),
            Column("found_on", _("发现日期"), 11, "date"),
        ),
        paper="A3",
    )
    return write_official(
        target,
        layout,
        _cells(plan, rows),
        title=f"{plan.name}{_('已缴费人员核定差异表')}",
        unit_line=_("单位：元"),
        made_at=today,
        sheet=_("已缴差异"),
    )


def _cells(plan: CollectionPlan, rows: ScopedQuerySet) -> Iterator[dict[str, object]]:
    words, keys = DifferenceWords(plan), get_keyring()
    ordered = rows.select_related("resident", "unit", "township").order_by(
        "township__position", "unit__position", "resident_id", "insurance"
    )
    for row in ordered.iterator(chunk_size=2000):
        person = row.resident
        number = keys.decrypt(person.number_encrypted) if person.number_encrypted else ""
        yield {
            "township": row.township.name,
            "unit": row.unit.name,
            "name": person.name,
            "number": mask_number(number, Audience.OFFICE),
            "insurance": str(Insurance(row.insurance).label),
            "paid_on": row.paid_on,
            "paid": row.paid,
            "before": row.personal_before,
            "after": row.personal_after,
            "difference": row.difference,
            "owed": row.owed,
            "refund": row.refund,
            "outcome": str(DifferenceOutcome(row.outcome).label),
            "why": words.why(row),
            "found_on": row.found_on,
        }
