"""What a change would cost before anybody decides: the registered, priced twice, and nothing written.

1. The facts of everybody registered under the plan, within the running scope, are gathered once an insurance.
2. The one evaluator answers for them under the plan as it is and under the changed plan.
3. Both answers are counted by township and payer. An insurance the change does not touch is answered once.

Counted is what a charge would hold: whoever is accepted or waits for the period, at his amounts. Payments made
do not matter to a budget.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction

from contributions.queries import facts_parameters, facts_sql
from enrollment.models import CollectionPlan, Registration
from foundation.bulk import bulk_settings
from foundation.clock.services import business_date
from subsidies.queries import rule_book
from subsidies.rules.changes import change_plan
from subsidies.rules.evaluator import evaluation_sql
from subsidies.rules.plan import PERSONAL, Plan
from townships.models import Township

ZERO: Final = Decimal("0.00")

# What stands beside the payers a plan names.
SUBSIDIES: Final = ("fiscal_subsidy", "pension_subsidy", "family_planning_subsidy")

# A person's key carries his township above this bit, so that counting by township needs no further join.
_TOWNSHIP_BIT: Final = 40
_SUBJECT: Final = f"(g.township_id::bigint << {_TOWNSHIP_BIT}) + r.id"

# Stands for a township in the row that counts people over both insurances.
_EVERYBODY: Final = -1

# What an answer gives to whom: column of the amount, and the payer or the column that names him.
_PARTS: Final = (
    ("personal_amount", PERSONAL),
    ("amount_1", ""),
    ("amount_2", ""),
    *zip(
        ("fiscal_subsidy_amount", "pension_government_subsidy", "family_planning_subsidy"),
        SUBSIDIES,
        strict=True,
    ),
)
_NAMED: Final = ("payer_1", "payer_2")
# Where the count stands in a row: after township, moved, dearer and the payers of both sides.
_COUNT: Final = 3 + 2 * len(_NAMED)
# A difference in any of these makes another charge.
_COMPARED: Final = (
    "decision", "personal_amount", "government_paid_amount", "fiscal_subsidy_amount", "pension_government_subsidy",
    "family_planning_subsidy", "payer_1", "amount_1", "payer_2", "amount_2", "benefit_start", "benefit_end",
)  # fmt: skip


@dataclass
class Budget:
    """Yuan by payer; ``personal`` is what residents pay themselves, and one of the payers."""

    shares: dict[str, Decimal] = field(default_factory=dict)

    def add(self, payer: str, amount: Decimal) -> None:
        """Put an amount to a payer."""
        self.shares[payer] = self.shares.get(payer, ZERO) + amount

    @property
    def personal(self) -> Decimal:
        """What the residents themselves pay."""
        return self.shares.get(PERSONAL, ZERO)

    def ordered(self, payers: Sequence[str]) -> Budget:
        """The same amounts under these payers, in their order."""
        return Budget({payer: self.shares.get(payer, ZERO) for payer in payers})

    def less(self, other: Budget) -> Budget:
        """The difference, payer by payer, of every payer named on either side."""
        payers = dict.fromkeys((*self.shares, *other.shares))
        return Budget({p: self.shares.get(p, ZERO) - other.shares.get(p, ZERO) for p in payers})

    def as_json(self) -> dict[str, Any]:
        """Amounts as text."""
        shares = {payer: f"{amount:.2f}" for payer, amount in self.shares.items()}
        return {"personal": f"{self.personal:.2f}", "shares": shares}


@dataclass
class Side:
    """A plan's budget: the whole, and each township by its code."""

    total: Budget = field(default_factory=Budget)
    by_township: dict[str, Budget] = field(default_factory=dict)

    def add(self, township: str, payer: str, amount: Decimal) -> None:
        """Put an amount to the whole and to a township."""
        self.total.add(payer, amount)
        self.by_township.setdefault(township, Budget()).add(payer, amount)

    def less(self, other: Side) -> Side:
        """The difference, township by township."""
        nothing = Budget()
        codes = dict.fromkeys((*self.by_township, *other.by_township))
        return Side(
            self.total.less(other.total),
            {
                code: self.by_township.get(code, nothing).less(other.by_township.get(code, nothing))
                for code in codes
            },
        )

    def as_json(self) -> dict[str, Any]:
        """``{personal, shares, by_township}``."""
        by_township = {code: budget.as_json() for code, budget in self.by_township.items()}
        return {**self.total.as_json(), "by_township": by_township}


@dataclass
class WhatIf:
    """The answer. ``affected`` are residents whose charge would be another; of them some pay more, some less."""

    before: Side = field(default_factory=Side)
    after: Side = field(default_factory=Side)
    registered: int = 0
    affected: int = 0
    paying_more: int = 0
    paying_less: int = 0
    seconds: float = 0.0

    def level(self, payers: Sequence[str]) -> None:
        """Name the same payers and townships on both sides, with nothing where there is nothing.

        Payers stand in the order of ``payers``, townships in that of their codes.
        """
        sides = (self.before, self.after)
        named = {payer for side in sides for payer in side.total.shares}
        order = [payer for payer in payers if payer in named] + sorted(named - set(payers))
        codes = sorted({code for side in sides for code in side.by_township})
        for side in sides:
            side.total = side.total.ordered(order)
            nothing = Budget()
            side.by_township = {code: side.by_township.get(code, nothing).ordered(order) for code in codes}

    @property
    def difference(self) -> Side:
        """After less before."""
        return self.after.less(self.before)

    def as_json(self) -> dict[str, Any]:
        """As the command gives it."""
        return {
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "difference": self.difference.as_json(),
            "residents_affected": self.affected,
            "seconds": round(self.seconds, 3),
        }


def what_if(*, plan: CollectionPlan, changes: Mapping[str, str], on: date | None = None) -> WhatIf:
    """Budget of the running scope under ``changes`` (keys of subsidies.rules.changes), priced for ``on``.

    ``on`` defaults to the county's business date. Writes nothing: the database is told to refuse. Raises
    subsidies' PlanError for changes that name nothing or do not hold, and for a plan without rules.
    """
    started = time.perf_counter()
    day = on or business_date(plan.county.code)
    book = rule_book(plan)
    changed, settings = change_plan(book, changes)
    statements = _statements(book, changed, settings)
    found = WhatIf()
    codes = dict(Township.objects.filter(county_id=plan.county_id).values_list("pk", "code"))
    with _reading_only(), bulk_settings(), connection.cursor() as cursor:
        parameters: dict[str, Any] = {"plan": plan.pk, "county": plan.county_id}
        for insurance in plan.insurances:
            own = facts_parameters(insurance=insurance, year=plan.coverage_year, on=day)
            parameters |= {f"{insurance}_{name}": value for name, value in own.items()}
        cursor.execute(_counting(statements), parameters)
        rows = cursor.fetchall()
    for row in rows:
        if row[0] != _EVERYBODY:
            _add(found, row, codes)
    # somebody whom both insurances touch is counted once
    found.affected = next((row[_COUNT] for row in rows if row[0] == _EVERYBODY), found.affected)
    found.level((PERSONAL, *book.payers, *SUBSIDIES))
    found.seconds = time.perf_counter() - started
    return found


def registered_count(plan: CollectionPlan) -> int:
    """Registrations of the plan in the running scope: what a budget has to read."""
    # the scope is that of the request or job; a budget is of everything it sees
    return Registration.objects.filter(plan=plan).count()


@contextmanager
def _reading_only() -> Iterator[None]:
    """A stretch in which the database refuses to write; whatever was set goes with it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_read_only = on")
        yield
        transaction.set_rollback(True)


def _statements(
    book: Plan, changed: Plan, settings: Mapping[str, object]
) -> dict[str, tuple[str, str | None]]:
    """Per insurance the evaluator's statement before, and after where it differs."""
    found: dict[str, tuple[str, str | None]] = {}
    for insurance in book.insurances:
        facts = f"{insurance}_facts"
        before = evaluation_sql(book, insurance, facts=facts)
        after = evaluation_sql(changed, insurance, settings, facts=facts)
        found[insurance] = (before, after if after != before else None)
    return found


def _counting(statements: Mapping[str, tuple[str, str | None]]) -> str:
    """One statement for all insurances: facts, both answers, sums by township and payer, people affected."""
    parts, sources = [], []
    touched = [insurance for insurance, (_before, after) in statements.items() if after is not None]
    for insurance, (before, after) in statements.items():
        parts.append(f"{insurance}_facts AS MATERIALIZED ({_facts(insurance)})")
        answers = f"({before}) b"
        if after is not None:
            answers += f" JOIN ({after}) a ON a.subject = b.subject"
        kept = "MATERIALIZED" if len(touched) > 1 else "NOT MATERIALIZED"
        parts.append(f"{insurance} AS {kept} (SELECT {_pair(after is not None)} FROM {answers})")
        sources.append(f"SELECT * FROM {insurance}")
    amounts = [f"{side}_{column}" for side in "ba" for column, _payer in _PARTS]
    names = [f"{side}_{name}" for side in "ba" for name in _NAMED]
    sums = ", ".join(f"sum({name})" for name in amounts)
    grouped = ", ".join(("moved", "dearer", *names))
    statement = (
        f"WITH {', '.join(parts)}"
        f" SELECT subject >> {_TOWNSHIP_BIT} AS township, {grouped}, count(*), {sums}"
        f" FROM ({' UNION ALL '.join(sources)}) p GROUP BY 1, {grouped}"
    )
    if len(touched) < 2:
        return statement
    # somebody whom both changes touch is one resident
    people = " UNION ".join(f"SELECT subject FROM {insurance} WHERE moved" for insurance in touched)
    blanks = ["FALSE", "0", *(["NULL"] * len(names)), "count(*)", *(["NULL"] * len(amounts))]
    return f"{statement} UNION ALL SELECT {_EVERYBODY}, {', '.join(blanks)} FROM ({people}) m"


def _facts(insurance: str) -> str:
    """Facts of the people registered for an insurance, with parameters of its own."""
    where = "AND g.plan_id = %(plan)s AND r.county_id = %(county)s"
    facts = facts_sql(subject=_SUBJECT, where=where, whole=True)
    own = {name: f"%({insurance}_{name})s" for name in ("on", "route", "insurance", "year")}
    return facts % {**own, "plan": "%(plan)s", "county": "%(county)s"}


def _pair(touched: bool) -> str:
    """The columns to be counted of an answer before (b) and after (a); untouched, both are the same."""
    other = "a" if touched else "b"
    columns = ["b.subject"]
    for side, source in (("b", "b"), ("a", other)):
        stands = f"{source}.decision IN ('accept', 'hold') AND {source}.personal_amount IS NOT NULL"
        kept = (*(column for column, _payer in _PARTS), *_NAMED)
        columns += [f"CASE WHEN {stands} THEN {source}.{column} END AS {side}_{column}" for column in kept]
    if touched:
        before, after = (", ".join(f"{side}.{column}" for column in _COMPARED) for side in "ba")
        columns.append(f"({before}) IS DISTINCT FROM ({after}) AS moved")
        columns.append("sign(coalesce(a.personal_amount, 0) - coalesce(b.personal_amount, 0))::int AS dearer")
    else:
        columns += ["FALSE AS moved", "0 AS dearer"]
    return ", ".join(columns)


def _add(found: WhatIf, row: Sequence[Any], codes: Mapping[int, str]) -> None:
    """Put one group of equal payers into the answer."""
    township, moved, dearer = row[:3]
    names, count, sums = row[3:_COUNT], row[_COUNT], row[_COUNT + 1 :]
    found.registered += count
    if moved:
        found.affected += count
        found.paying_more += count if dearer > 0 else 0
        found.paying_less += count if dearer < 0 else 0
    width = len(_PARTS)
    sides = ((found.before, names[:2], sums[:width]), (found.after, names[2:], sums[width:]))
    for side, places, amounts in sides:
        unnamed = iter(places)
        for (_column, payer), amount in zip(_PARTS, amounts, strict=True):
            named = payer or next(unnamed)
            if named and amount:
                side.add(codes[township], named, amount)
