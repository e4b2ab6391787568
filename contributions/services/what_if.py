"""What a change would cost before anybody decides: the registered, priced twice, and nothing written.

1. The facts of everybody registered under the plan, within the running scope, are read once an insurance.
2. Beside each person the one evaluator answers twice: under the plan as it is and under the changed plan.
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
from contributions.services.pricing import ONE
from contributions.services.quotes import entitlement_day
from enrollment.models import CollectionPlan, Registration
from foundation.bulk import bulk_settings
from foundation.clock.services import business_date
from subsidies.queries import rule_book
from subsidies.rules.changes import change_plan
from subsidies.rules.conditions import text_literal
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

# What an answer gives: to the resident, to the payers it names, and the subsidies.
_PARTS: Final = (
    "personal_amount", "amount_1", "amount_2", "fiscal_subsidy_amount", "pension_government_subsidy",
    "family_planning_subsidy",
)  # fmt: skip
_NAMED: Final = ("payer_1", "payer_2")
_SIDES: Final = "ba"
# Bits of a key after the township: moved, dearer, touched, then per side whether it stands and its two payers.
_WIDTHS: Final = (1, 2, 1, *(1, 5, 5) * 2)
_MOST_PAYERS: Final = 31
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
    payers = tuple(dict.fromkeys((*book.payers, *changed.payers)))[:_MOST_PAYERS]
    found = WhatIf()
    codes = dict(Township.objects.filter(county_id=plan.county_id).values_list("pk", "code"))
    with _reading_only(), bulk_settings(), connection.cursor() as cursor:
        parameters: dict[str, Any] = {"plan": plan.pk, "county": plan.county_id}
        for insurance in plan.insurances:
            own = facts_parameters(
                insurance=insurance, year=plan.coverage_year, on=day, entitled=entitlement_day(book, day)
            )
            parameters |= {f"{insurance}_{name}": value for name, value in own.items()}
        cursor.execute(_counting(statements, payers), parameters)
        rows = cursor.fetchall()
    for row in rows:
        if row[0] != _EVERYBODY:
            _add(found, row, codes, payers)
    # somebody whom both insurances touch is counted once
    found.affected = next((row[1] for row in rows if row[0] == _EVERYBODY), found.affected)
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
    """Per insurance the evaluator's statement before, and after where it differs; each about one person x."""
    found: dict[str, tuple[str, str | None]] = {}
    for insurance in book.insurances:
        before = evaluation_sql(book, insurance, facts=ONE)
        after = evaluation_sql(changed, insurance, settings, facts=ONE)
        found[insurance] = (before, after if after != before else None)
    return found


def _counting(statements: Mapping[str, tuple[str, str | None]], payers: Sequence[str]) -> str:
    """One statement for all insurances: everybody's facts, both answers, sums by township and payer, people affected.

    Facts stream past both evaluations and into the sums; nothing is kept of a person. What is counted together is
    one number (``_Key``), whose origin OFFSET 0 hides: the planner then expects a handful of groups and hashes them.
    """
    touched = [insurance for insurance, (_before, after) in statements.items() if after is not None]
    kept = "MATERIALIZED" if len(touched) > 1 else "NOT MATERIALIZED"
    parts = []
    for insurance, (before, after) in statements.items():
        answers = f"({_facts(insurance)}) x CROSS JOIN LATERAL ({before}) b"
        if after is not None:
            answers += f" CROSS JOIN LATERAL ({after}) a"
        parts.append(
            f"{insurance} AS {kept} (SELECT {_pair(after is not None, payers)} FROM {answers} OFFSET 0)"
        )
    sums = ", ".join(f"sum({side}_{column})" for side in _SIDES for column in _PARTS)
    counted = [f"SELECT key, count(*), {sums} FROM {insurance} GROUP BY key" for insurance in statements]
    if len(touched) > 1:
        # somebody whom both changes touch is one resident
        people = " UNION ".join(f"SELECT subject FROM {insurance} WHERE moved" for insurance in touched)
        blanks = ", ".join(["NULL"] * len(_SIDES) * len(_PARTS))
        counted.append(f"SELECT {_EVERYBODY}, count(*), {blanks} FROM ({people}) m")
    return f"WITH {', '.join(parts)} {' UNION ALL '.join(counted)}"


def _facts(insurance: str) -> str:
    """Facts of the people registered for an insurance, with parameters of its own."""
    where = "AND g.plan_id = %(plan)s AND r.county_id = %(county)s"
    facts = facts_sql(subject=_SUBJECT, where=where, whole=True, entitled="%(entitled)s")
    own = {name: f"%({insurance}_{name})s" for name in ("on", "route", "insurance", "year", "entitled")}
    return facts % {**own, "plan": "%(plan)s", "county": "%(county)s"}


def _pair(touched: bool, payers: Sequence[str]) -> str:
    """The columns to be counted of an answer before (b) and after (a); untouched, there is none after."""
    known = ", ".join(text_literal(payer) for payer in payers)
    moved, dearer = "FALSE", "0"
    if touched:
        before, after = (", ".join(f"{side}.{column}" for column in _COMPARED) for side in _SIDES)
        moved = f"({before}) IS DISTINCT FROM ({after})"
        dearer = "sign(coalesce(a.personal_amount, 0) - coalesce(b.personal_amount, 0))::int"
    fields = [f"(b.subject >> {_TOWNSHIP_BIT})", f"({moved})::int", f"({dearer} + 1)", str(int(touched))]
    columns = ["b.subject", f"{moved} AS moved"]
    for side in _SIDES:
        there = touched or side == "b"
        stands = f"({side}.decision IN ('accept', 'hold') AND {side}.personal_amount IS NOT NULL)::int"
        fields.append(stands if there else "0")
        for name in _NAMED:
            place = f"coalesce(array_position(ARRAY[{known}]::text[], {side}.{name}), 0)"
            fields.append(place if there else "0")
        columns += [
            f"{f'{side}.{column}' if there else 'NULL::numeric'} AS {side}_{column}" for column in _PARTS
        ]
    packed = fields[0]
    for width, expression in zip(_WIDTHS, fields[1:], strict=True):
        packed = f"(({packed} << {width}) | {expression})"
    return ", ".join((*columns, f"{packed} AS key"))


@dataclass(frozen=True)
class _Key:
    """What equal answers are counted by: the fields of ``_pair``, packed into one number."""

    township: int
    moved: bool
    dearer: int
    touched: bool
    stands: dict[str, bool]
    payers: dict[str, tuple[str, ...]]

    @classmethod
    def read(cls, key: int, payers: Sequence[str]) -> _Key:
        """Unpack a number."""
        fields: list[int] = []
        for width in reversed(_WIDTHS):
            fields.append(key & ((1 << width) - 1))
            key >>= width
        moved, dearer, touched, *rest = reversed(fields)
        named = ("", *payers)
        sides = {"b": rest[:3], "a": rest[3:]}
        return cls(
            township=key,
            moved=bool(moved),
            dearer=dearer - 1,
            touched=bool(touched),
            stands={side: bool(each[0]) for side, each in sides.items()},
            payers={side: tuple(named[place] for place in each[1:]) for side, each in sides.items()},
        )


def _add(found: WhatIf, row: Sequence[Any], codes: Mapping[int, str], payers: Sequence[str]) -> None:
    """Put one group of equal answers into the whole."""
    key, count, sums = _Key.read(row[0], payers), row[1], row[2:]
    found.registered += count
    if key.moved:
        found.affected += count
        found.paying_more += count if key.dearer > 0 else 0
        found.paying_less += count if key.dearer < 0 else 0
    for side, budget in zip(_SIDES, (found.before, found.after), strict=True):
        source = side if key.touched else "b"
        if not key.stands[source]:
            continue
        start = _SIDES.index(source) * len(_PARTS)
        named = (PERSONAL, *key.payers[source], *SUBSIDIES)
        for payer, amount in zip(named, sums[start : start + len(_PARTS)], strict=True):
            if payer and amount:
                budget.add(codes[key.township], payer, amount)
