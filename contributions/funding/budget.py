"""What each level of government owes for the year, and how far its money has come (E070: 分别列入市、镇街财政预算)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Sum
from django.utils.translation import gettext as _

from contributions.funding.payers import NamedPayer, Payers
from contributions.models import (
    PAID_OUT,
    ChargeShare,
    FundingDifference,
    FundingLine,
    FundingState,
    PayerLevel,
)
from enrollment.models import CollectionPlan, Insurance
from foundation.sheets import Column, Layout, OfficialTable
from subsidies.rules.plan import Plan
from townships.models import Township, User

ZERO: Final = Decimal("0.00")
# How far a live request's money has come, in steps that contain each other: asked ⊇ approved ⊇ disbursed ⊇ billed.
_ASKED: Final = (FundingState.SUBMITTED, FundingState.APPROVED, *PAID_OUT)
_APPROVED: Final = (FundingState.APPROVED, *PAID_OUT)


@dataclass
class Sums:
    """Yuan and people of a line of the budget."""

    people: int = 0
    owed: Decimal = ZERO
    asked: Decimal = ZERO
    approved: Decimal = ZERO
    disbursed: Decimal = ZERO
    billed: Decimal = ZERO
    settled: Decimal = ZERO
    """Differences of settled requests: negative goes back."""

    @property
    def to_ask(self) -> Decimal:
        """Owed by today's charges and not asked for yet."""
        return max(self.owed - self.asked, ZERO)

    @property
    def to_pay(self) -> Decimal:
        """Asked for and not disbursed yet."""
        return self.asked - self.disbursed

    def add(self, other: Sums) -> None:
        """Take another line in."""
        self.people += other.people
        for name in ("owed", "asked", "approved", "disbursed", "billed", "settled"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class PayerLine:
    """A payer for an insurance, with its townships."""

    who: NamedPayer
    insurance: str
    sums: Sums = field(default_factory=Sums)
    townships: dict[int, Sums] = field(default_factory=dict)

    @property
    def insurance_word(self) -> str:
        """The insurance in words."""
        return str(Insurance(self.insurance).label)


@dataclass
class LevelBlock:
    """A level of government with its payers; the level is empty for payers nobody has named yet."""

    level: str
    lines: list[PayerLine] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums)

    @property
    def label(self) -> str:
        """The level in words."""
        return str(PayerLevel(self.level).label) if self.level else _("还没有指定付款方")


_ORDER: Final = (PayerLevel.COUNTY, PayerLevel.TOWNSHIP, PayerLevel.FUND, PayerLevel.DEPARTMENT, "")


def read_budget(
    user: User, plan: CollectionPlan, book: Plan, townships: Sequence[Township]
) -> list[LevelBlock]:
    """The government-paid part of today's charges by level and payer, and what has been asked for and paid of it."""
    payers = Payers(plan, book)
    seen = {township.pk for township in townships}
    lines: dict[tuple[NamedPayer, str], PayerLine] = {}

    def at(code: str, rule: str, insurance: str, township: int) -> Sums:
        who = payers.named(code, township, rule)
        line = lines.setdefault((who, insurance), PayerLine(who, insurance))
        return line.townships.setdefault(township, Sums())

    shares = (
        ChargeShare.objects.visible_to(user)
        .filter(charge__plan=plan, charge__current=True, township__in=seen)
        .values_list("payer", "rule", "charge__insurance", "township")
        .annotate(people=Count("charge", distinct=True), amount=Sum("amount"))
    )
    for code, rule, insurance, township, people, amount in shares:
        sums = at(code, rule, insurance, township)
        sums.people += people
        sums.owed += amount
    asked = (
        FundingLine.objects.visible_to(user)
        .filter(request__plan=plan, live=True, request__state__in=_ASKED, township__in=seen)
        .values_list(
            "payer", "rule", "request__insurance", "township", "request__state", "request__billed_on"
        )
        .annotate(amount=Sum("amount"))
    )
    for code, rule, insurance, township, state, billed_on, amount in asked:
        sums = at(code, rule, insurance, township)
        sums.asked += amount
        sums.approved += amount if state in _APPROVED else ZERO
        sums.disbursed += amount if state in PAID_OUT else ZERO
        sums.billed += amount if billed_on is not None else ZERO
    settled = (
        FundingDifference.objects.visible_to(user)
        .filter(line__request__plan=plan, township__in=seen)
        .values_list("line__payer", "line__rule", "line__request__insurance", "township")
        .annotate(amount=Sum("difference"))
    )
    for code, rule, insurance, township, amount in settled:
        at(code, rule, insurance, township).settled += amount
    blocks = {level: LevelBlock(level) for level in _ORDER}
    for line in lines.values():
        for sums in line.townships.values():
            line.sums.add(sums)
        block = blocks[line.who.level]
        block.lines.append(line)
        block.sums.add(line.sums)
    for block in blocks.values():
        block.lines.sort(key=lambda line: (line.insurance, -line.sums.owed))
    return [block for block in blocks.values() if block.lines]


def whole(blocks: Sequence[LevelBlock]) -> Sums:
    """All levels together."""
    total = Sums()
    for block in blocks:
        total.add(block.sums)
    return total


def budget_tables(
    plan: CollectionPlan, blocks: Sequence[LevelBlock], townships: Sequence[Township], on: Any
) -> list[OfficialTable]:
    """The budget as an official workbook: by level and payer, and by township."""
    amounts = (
        Column("people", _("人数"), 10, "int", total=True),
        Column("owed", _("应代缴"), 15, "yuan", total=True),
        Column("asked", _("已申请"), 15, "yuan", total=True),
        Column("approved", _("已审批"), 15, "yuan", total=True),
        Column("disbursed", _("已拨付"), 15, "yuan", total=True),
        Column("billed", _("已开单"), 15, "yuan", total=True),
        Column("to_ask", _("还没申请"), 15, "yuan", total=True),
        Column("settled", _("结算差额"), 13, "yuan", total=True),
    )
    names = {township.pk: township.name for township in townships}

    def cells(sums: Sums) -> dict[str, object]:
        return {
            name: getattr(sums, name)
            for name in ("people", "owed", "asked", "approved", "disbursed", "billed", "to_ask", "settled")
        }

    def by_payer() -> Iterator[dict[str, object]]:
        for block in blocks:
            for line in block.lines:
                yield {
                    "level": block.label, "payer": line.who.name, "insurance": line.insurance_word, **cells(line.sums),
                }  # fmt: skip

    def by_township() -> Iterator[dict[str, object]]:
        for township in townships:
            for block in blocks:
                for line in block.lines:
                    if township.pk in line.townships:
                        yield {
                            "township": names[township.pk], "level": block.label, "payer": line.who.name,
                            "insurance": line.insurance_word, **cells(line.townships[township.pk]),
                        }  # fmt: skip

    head = (
        Column("level", _("级次"), 18),
        Column("payer", _("付款单位"), 26),
        Column("insurance", _("险种"), 8),
    )
    unit_line = _("单位：人、元")
    title = _("%(plan)s政府代缴资金预算表") % {"plan": plan.name}
    return [
        OfficialTable(Layout("funding_budget", (*head, *amounts)), by_payer(), title, unit_line, on, _("按级次")),
        OfficialTable(
            Layout("funding_budget_townships", (Column("township", _("镇（街）"), 12), *head, *amounts)),
            by_township(), title, unit_line, on, _("按镇街"),
        ),
    ]  # fmt: skip
