"""Who has paid what by the county's day, as the tax bureau would report it.

What somebody owes is never worked out here: the evaluator is asked, and only people with a personal amount
above zero pay. Here it is decided who pays, when and how: most households together, on one day, by one
channel.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from demonstration.synthetic.model import MEDICAL, PENSION, CountySpec, Couple, Household, Person, Village
from demonstration.synthetic.people import Names, Numbers

Pricer = Callable[[str, list[dict[str, Any]]], list[dict[str, Any]]]
"""(insurance, facts) to results: `subject`, `decision`, `personal_amount` per row, from the evaluator."""

INSURANCE_NAMES = {MEDICAL: "城乡居民基本医疗保险", PENSION: "城乡居民基本养老保险"}
BATCH = 60_000

_MEDICAL_RATE = 0.94  # of the whole season; about seven tenths of it two thirds through
_PENSION_WITH_HOUSEHOLD = 0.87
_TOGETHER = 0.965
_ALONE = 0.04
_VILLAGE_SHARE = 0.60
_LAST_YEAR = 0.93
_BEHIND = 0.74
# The season's S: most pay within its first three quarters, most of those in the middle; the rest trickle in
# after.
_BULK = 0.85
_BULK_LENGTH = 0.76
_ODD_SHARE = 4_000


@dataclass(slots=True)
class Due:
    """A registration with its price and, when it is paid, when and how."""

    village: Village
    household: Household
    person: Person
    insurance: str
    couple: Couple | None = None
    paid_on: date | None = None
    channel: str = ""
    route: str = "village"
    amount: Decimal = Decimal("0.00")


def facts(due: Due, subject: int, as_of: date) -> dict[str, Any]:
    """One row of facts as the evaluator reads them (`FACT_COLUMNS`); what is not known is left out."""
    person = due.person
    employed = person.employee_since is not None
    return {
        "subject": subject,
        "birth_date": person.birth_date.isoformat(),
        "sex": person.sex,
        "household_registration": due.household.registration_kind,
        "residence_permit": person.permit or "false",
        "in_school": person.in_school,
        "school": person.school,
        "employee_pension": employed,
        "employee_medical": employed,
        "categories": list(person.categories),
        "disability_grade": person.disability_grade,
        "family_kind": due.couple.kind if due.couple else None,
        "family_lawful_birth": due.couple.lawful_birth if due.couple else None,
        "family_wife_birth_date": due.couple.wife.birth_date.isoformat() if due.couple else None,
        "death_date": person.death_date.isoformat() if person.death_date else None,
        "tier": person.tier if due.insurance == PENSION else None,
        "payment_date": (due.paid_on or as_of).isoformat(),
        "route": due.route,
    }


def settled_on(paid_on: date, as_of: date) -> date | None:
    """The day the money enters the treasury: the working day after next at weekends, else the day after;
    None while it is under way."""
    day = paid_on + timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day if day <= as_of - timedelta(days=1) else None


class Payments:
    """Turns villages into priced payments; feed it villages, read tax lines and last year's lines in
    batches."""

    def __init__(self, spec: CountySpec, seed: int, price: Pricer) -> None:
        self.spec = spec
        self.odd: Counter[str] = Counter()
        self.bank: defaultdict[tuple[date, str, str], list[Decimal]] = defaultdict(list)
        self._rng = Random(f"{seed}/payments")
        self._price = price
        self._pending: list[Due] = []
        self._departed: list[tuple[Village, Person]] = []
        self._village_channels = [c for c, weight in spec.village_channels for _repeat in range(weight)]
        self._online_channels = [c for c, weight in spec.online_channels for _repeat in range(weight)]
        self._eagerness = self._township_factors(seed)
        self._offices = {
            township.code: spec.tax_office.format(
                city=spec.city, county=spec.name, township=township.name.removesuffix("街道")
            )
            for township in spec.townships
        }
        self._tickets = 0
        self._paid = 0
        self._ratio = spec.last_year_ratio
        self._names, self._numbers = Names(), Numbers()

    def _township_factors(self, seed: int) -> dict[str, float]:
        """Some townships are quick, the last three visibly behind."""
        codes = [township.code for township in self.spec.townships]
        Random(f"{seed}/eagerness").shuffle(codes)
        behind = set(codes[:3]) if len(codes) > 4 else set(codes[:1]) if len(codes) > 1 else set()
        spread = {code: 0.96 + 0.12 * index / max(1, len(codes) - 1) for index, code in enumerate(codes)}
        return {code: _BEHIND if code in behind else spread[code] for code in codes}

    # -- deciding

    def add(self, village: Village) -> bool:
        """Take a village; True when enough is pending for `flush`."""
        rng = self._rng
        rate = _MEDICAL_RATE * self._eagerness[village.township.code]
        for household in village.households:
            together = household.eagerness < rate
            when, channel, route = self._occasion(rng)
            couples = {
                id(spouse): couple
                for couple in household.couples
                for spouse in (couple.husband, couple.wife)
                if couple.kind
            }
            for person in household.members:
                if not person.registered:
                    continue
                share = _TOGETHER if together else _ALONE
                medical = Due(village, household, person, MEDICAL)
                if rng.random() < share:
                    visit = (when, channel, route) if together else self._occasion(rng, alone=True)
                    if visit[0] <= self.spec.as_of:
                        medical.paid_on, medical.channel, medical.route = visit
                self._pending.append(medical)
                if person.tier is None:
                    continue
                pension = Due(village, household, person, PENSION, couples.get(id(person)))
                if medical.paid_on and rng.random() < (_PENSION_WITH_HOUSEHOLD if together else 0.5):
                    pension.paid_on, pension.channel, pension.route = (
                        medical.paid_on,
                        medical.channel,
                        medical.route,
                    )
                self._pending.append(pension)
        self._departed += [(village, person) for person in village.departed]
        return len(self._pending) >= BATCH

    def _occasion(self, rng: Random, alone: bool = False) -> tuple[date, str, str]:
        """Day, channel and route of one visit: slow at first, most in the middle, slower at the end."""
        season = (self.spec.closes_on - self.spec.opens_on).days + 1
        bulk = int(season * _BULK_LENGTH)
        if rng.random() < _BULK:
            after = int((rng.random() + rng.random()) / 2 * bulk)
        else:
            after = bulk + int(rng.random() * (season - bulk))
        day = self.spec.opens_on + timedelta(days=after)
        if not alone and rng.random() < _VILLAGE_SHARE:
            return day, self._village_channels[int(rng.random() * len(self._village_channels))], "village"
        return day, self._online_channels[int(rng.random() * len(self._online_channels))], "online"

    # -- pricing

    def flush(self) -> tuple[list[list[str]], list[list[str]]]:
        """Price what is pending; return (rows of tax results, rows of last year's payments) and forget it."""
        pending, self._pending = self._pending, []
        departed, self._departed = self._departed, []
        for insurance in self.spec.insurances:
            some = [due for due in pending if due.insurance == insurance]
            rows = [facts(due, index, self.spec.as_of) for index, due in enumerate(some)]
            for result in self._price(insurance, rows) if rows else ():
                if result.get("decision") == "accept" and result.get("personal_amount") is not None:
                    some[int(result["subject"])].amount = Decimal(str(result["personal_amount"]))
        owed = [due for due in pending if due.amount > 0]
        return list(self._tax_rows(owed)), list(self._last_year_rows(owed, departed))

    # -- rows

    def _office(self, village: Village) -> str:
        return self._offices[village.township.code]

    def _tax_rows(self, owed: list[Due]) -> Iterator[list[str]]:
        highest = max((due.amount for due in owed if due.insurance == MEDICAL), default=Decimal(0))
        for due in owed:
            if due.paid_on is None:
                continue
            self._paid += 1
            amount = due.amount
            # The first few of every county and one in some thousands after that are odd, each in its way.
            odd = self._paid % _ODD_SHARE
            if (
                due.insurance == MEDICAL
                and due.amount < highest
                and self.odd["amount"] <= self._paid // _ODD_SHARE
            ):
                amount = highest
                self.odd["amount"] += 1
            yield self._tax_row(due, due.person.number, due.person.name, amount, due.paid_on, due.channel)
            if odd == 17:
                self.odd["twice"] += 1
                again = min(due.paid_on + timedelta(days=3), self.spec.as_of)
                yield self._tax_row(due, due.person.number, due.person.name, due.amount, again, "微信")
            if odd == 42:
                self.odd["unknown"] += 1
                birth = date(1950, 1, 1) + timedelta(days=int(self._rng.random() * 18_000))
                name = self._names.person(self._rng, self._names.surname(self._rng), "female", birth.year)
                number = self._numbers.issue(f"{self.spec.code[:4]}97", birth, "female")
                yield self._tax_row(due, number, name, due.amount, due.paid_on, due.channel)

    def _tax_row(
        self, due: Due, number: str, name: str, amount: Decimal, paid_on: date, channel: str
    ) -> list[str]:
        spec = self.spec
        settled = settled_on(paid_on, spec.as_of)
        self._tickets += 1
        if settled:
            self.bank[settled, due.village.township.name, channel].append(amount)
        return [
            number,
            name,
            INSURANCE_NAMES[due.insurance],
            f"{spec.coverage_year}-01-01",
            f"{spec.coverage_year}-12-31",
            str(spec.coverage_year),
            f"{amount:.2f}",
            paid_on.isoformat(),
            settled.isoformat() if settled else "",
            channel,
            f"3{spec.code}{paid_on:%y%m}{self._tickets:08d}",
            self._office(due.village),
            due.village.spec.name,
        ]

    def _last_year_rows(self, owed: list[Due], departed: list[tuple[Village, Person]]) -> Iterator[list[str]]:
        rng = self._rng
        spec = self.spec
        opened, span = (
            spec.opens_on.replace(year=spec.opens_on.year - 1),
            (spec.closes_on - spec.opens_on).days,
        )
        last, this = self._ratio

        def row(village: Village, person: Person, insurance: str, amount: Decimal) -> list[str]:
            self._tickets += 1
            paid_on = opened + timedelta(days=int((rng.random() + rng.random()) / 2 * span))
            return [
                person.number,
                person.name,
                f"{INSURANCE_NAMES[insurance]}费",
                f"{spec.coverage_year - 1}-01-01",
                f"{spec.coverage_year - 1}-12-31",
                f"{amount:.2f}",
                f"{amount:.2f}",
                paid_on.isoformat(),
                f"3{spec.code}{paid_on:%y%m}{self._tickets:08d}",
                self._office(village),
                village.spec.name,
            ]

        for due in owed:
            if due.person.is_new or due.person.age < 1 or rng.random() > _LAST_YEAR:
                continue
            amount = (
                (due.amount * last / this).quantize(Decimal("0.01"))
                if due.insurance == MEDICAL
                else due.amount
            )
            yield row(due.village, due.person, due.insurance, amount)
        for village, person in departed:
            if person.age < 60:
                yield row(village, person, MEDICAL, last)

    def bank_rows(self) -> Iterator[list[str]]:
        """The account's statement: one line per day, township and channel."""
        balance = Decimal("0.00")
        for serial, key in enumerate(sorted(self.bank), start=1):
            day, township, channel = key
            amounts = self.bank[key]
            total = sum(amounts, Decimal(0))
            balance += total
            yield [
                day.isoformat(),
                f"{day:%Y%m%d}{serial:08d}",
                f"{township}居民两险{channel}归集",
                f"{channel}待清算专户",
                f"{total:.2f}",
                "",
                f"{balance:.2f}",
                str(len(amounts)),
            ]
