"""Who a payer of a plan is: as the paper prints it, or as a finance clerk has resolved it (X13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.db.models import Count, Sum

from contributions.models import ChargeShare, FundingLine, FundingRequest, PayerLevel, PayerResolution
from contributions.words import payer as payer_word
from enrollment.models import CollectionPlan
from subsidies.rules.plan import Plan
from townships.models import Township, User

# Whose budget a payer with a name of its own is paid from; others are open until somebody says so.
LEVELS: Final[dict[str, str]] = {
    "county_finance": PayerLevel.COUNTY,
    "township_finance": PayerLevel.TOWNSHIP,
    "medical_assistance_fund": PayerLevel.FUND,
}


@dataclass(frozen=True)
class NamedPayer:
    """Who pays: name, whose budget, account; ``open`` while nobody has said who an unnamed payer is."""

    code: str
    name: str
    level: str
    account: str
    open: bool

    @property
    def level_word(self) -> str:
        """The level in words."""
        return str(PayerLevel(self.level).label) if self.level else ""


class Payers:
    """The payers of one plan with everything that was resolved; one query, asked again and again."""

    def __init__(self, plan: CollectionPlan, book: Plan) -> None:
        self._book = book
        self._newest: dict[tuple[str, int | None, str], PayerResolution] = {}
        for row in PayerResolution.objects.filter(plan__code=plan.code).order_by("pk"):
            self._newest[row.payer, row.township_id, row.rule] = row

    def named(self, code: str, township: int, rule: str) -> NamedPayer:
        """Who pays for a rule in a township: the narrowest resolution, the newest of its kind."""
        printed = payer_word(code, dict(self._book.payers))
        for key in ((code, township, rule), (code, None, rule), (code, township, ""), (code, None, "")):
            found = self._newest.get(key)
            if found is not None:
                return NamedPayer(code, found.name, found.level, found.account, open=False)
        return NamedPayer(code, printed, LEVELS.get(code, ""), "", open=self._book.is_open(code))


def payers_of(request: FundingRequest, book: Plan, payers: Payers | None = None) -> set[NamedPayer]:
    """Who would pay a request as it stands: one where every rule of it is paid by the same; taken down at submission."""
    if request.payer_name:
        level = LEVELS.get(request.payer, "")
        return {NamedPayer(request.payer, request.payer_name, level, request.account, open=False)}
    rules = FundingLine.objects.filter(request=request).values_list("rule", flat=True).distinct()
    known = payers or Payers(request.plan, book)
    return {known.named(request.payer, request.township_id, rule) for rule in rules}


@dataclass(frozen=True)
class OpenRow:
    """A payer of the plan, one of its rules, and what rests on it."""

    payer: str
    printed: str
    rule: str
    rule_name: str
    people: int
    amount: Decimal
    open: bool
    named: list[tuple[str, NamedPayer]]
    """(township or empty for all of them, who pays there), where it differs."""


def payer_rows(user: User, plan: CollectionPlan, book: Plan, townships: Sequence[Township]) -> list[OpenRow]:
    """Every payer of the government-paid part by rule, with who it is; open ones first, largest amounts first."""
    payers = Payers(plan, book)
    shares = (
        ChargeShare.objects.visible_to(user)
        .filter(charge__plan=plan, charge__current=True)
        .values_list("payer", "rule", "township")
        .annotate(people=Count("pk"), amount=Sum("amount"))
    )
    grouped: dict[tuple[str, str], dict[int, tuple[int, Decimal]]] = {}
    for code, rule, township, people, amount in shares:
        grouped.setdefault((code, rule), {})[township] = (people, amount)
    rows = []
    for (code, rule), by_township in grouped.items():
        found = book.rule(rule)
        named: dict[NamedPayer, list[str]] = {}
        for township in townships:
            if township.pk in by_township:
                who = payers.named(code, township.pk, rule)
                named.setdefault(who, []).append(township.name)
        rows.append(
            OpenRow(
                payer=code,
                printed=payer_word(code, dict(book.payers)),
                rule=rule,
                rule_name=found.name if found is not None and found.name else rule,
                people=sum(people for people, _amount in by_township.values()),
                amount=sum((amount for _people, amount in by_township.values()), Decimal("0.00")),
                open=any(who.open for who in named),
                named=[("" if len(named) == 1 else "、".join(names), who) for who, names in named.items()],
            )
        )
    return sorted(rows, key=lambda row: (not row.open, -row.amount))
