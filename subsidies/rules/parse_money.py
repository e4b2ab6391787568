"""The parts of a plan file that price: medical premium, pension contribution."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from .book import Book
from .conditions import ROUTES, Band, Condition
from .plan import (
    PERSONAL,
    FamilySubsidy,
    GovernmentPaid,
    Interruption,
    Late,
    Medical,
    PayerShare,
    Pension,
    PensionTier,
    Standard,
    Unclear,
    Waiting,
    Waiver,
)
from .source import Entry

_RULE = "code clause lines"
_ABOUT = "name certainty note setting"


def parse_medical(entry: Entry, book: Book) -> Medical:
    """The `medical:` section. Raises PlanError, also for bands with a gap or an overlap."""
    entry.only("standard", "cover waivers waiver_routes unclear late interruption household extra")
    cover = _cover(part, book) if (part := entry.get("cover")) else None
    standard = _standard(entry.at("standard"), book)
    waivers, bands = [], []
    for item in part.items() if (part := entry.get("waivers")) else ():
        waiver = _waiver(item, book, standard)
        waivers.append(waiver)
        if waiver.condition.age or waiver.condition.born:
            band = item.get("band")
            if band is None:
                raise item.error("missing_key", key="band")
            bands.append((band.code(), item, waiver))
    _check_bands(bands)
    routes: tuple[str, ...] = ()
    if (limit := entry.get("waiver_routes")) is not None:
        limit.only(f"{_RULE} routes", _ABOUT)
        routes = limit.at("routes").choices(*ROUTES)
        book.add(limit, "waiver_routes", insurance="medical", effect={"routes": list(routes)})
    unclear = []
    for item in part.items() if (part := entry.get("unclear")) else ():
        item.only(_RULE, f"{_ABOUT} when groups only_if")
        condition = book.needed_condition(item)
        toggles = book.toggles(item)
        code, clause = book.add(
            item, "unclear", insurance="medical", condition=condition, effect={"decision": "refer"}
        )
        unclear.append(Unclear(code, condition, clause, toggles))
    late = _late(part, book) if (part := entry.get("late")) else None
    interruption = _interruption(part, book) if (part := entry.get("interruption")) else None
    if (late is not None or interruption is not None) and cover is None:
        raise entry.error("missing_key", key="cover")
    if interruption is not None and late is not None and late.waiting.months is None:
        raise entry.at("late").at("waiting").error("missing_key", key="months")
    household_code = ""
    if (household := entry.get("household")) is not None:
        household.only(f"{_RULE} whole", _ABOUT)
        if household.at("whole").flag():
            household_code, _ = book.add(
                household, "household", insurance="medical", effect={"warning": "household_incomplete"}
            )
    extra = entry.get("extra")
    extra_payers = book.payer_shares(extra.at("payers")) if extra else ()
    if extra:
        extra.only("payers")
    if not extra_payers:
        full = [waiver for waiver in waivers if not waiver.personal_share and not waiver.personal_amount]
        extra_payers = full[0].payers if full else ()
    return Medical(
        cover=cover,
        standard=standard,
        waivers=tuple(waivers),
        waiver_routes=routes,
        extra_payers=extra_payers,
        unclear=tuple(unclear),
        late=late,
        household_code=household_code,
        interruption=interruption,
    )


def _cover(entry: Entry, book: Book) -> tuple[datetime.date, datetime.date]:
    entry.only(f"{_RULE} from to", _ABOUT)
    first, last = entry.at("from").date(), entry.at("to").date()
    if first > last:
        raise entry.error("band_backwards")
    book.add(entry, "cover", insurance="medical", effect={"from": first.isoformat(), "to": last.isoformat()})
    return first, last


def _standard(entry: Entry, book: Book) -> Standard:
    entry.only(_RULE, f"{_ABOUT} personal fiscal total")

    def figure(part: Entry) -> tuple[Decimal, str]:
        part.only("amount", "label_year")
        year = part.get("label_year")
        return part.at("amount").amount(), str(year.year()) if year else ""

    personal, personal_year = figure(part) if (part := entry.get("personal")) else (None, "")
    written = entry.get("fiscal")
    listed = [] if written is None else [*written.items()] if isinstance(written.value, list) else [written]
    fiscals = [figure(item) for item in listed]
    if len({year for _, year in fiscals}) < len(fiscals):
        raise entry.at("fiscal").error("label_twice")
    fiscal, fiscal_year = fiscals[0] if fiscals else (None, "")
    total = entry.get("total")
    both = personal is not None and fiscal is not None
    if total is not None and both and total.amount() != (personal or 0) + (fiscal or 0):
        raise total.error("total_not_sum", total=total.amount(), sum=(personal or 0) + (fiscal or 0))
    effect = {
        key: value
        for key, value in {
            "personal": _plain(personal),
            "fiscal": _plain(fiscal),
            "total": _plain(total.amount()) if total else None,
            "personal_year": personal_year,
            "fiscal_year": fiscal_year,
            "fiscal_by_year": {year: _plain(amount) for amount, year in fiscals}
            if len(fiscals) > 1
            else None,
        }.items()
        if value
    }
    code, clause = book.add(entry, "standard", insurance="medical", effect=effect)
    figures = tuple((year, amount) for amount, year in fiscals)
    return Standard(code, personal, fiscal, personal_year, fiscal_year, clause, figures)


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"


def _waiver(entry: Entry, book: Book, standard: Standard) -> Waiver:
    entry.only(_RULE, f"{_ABOUT} when groups band shares amounts only_if children_limited")
    condition = book.needed_condition(entry)
    share: Fraction | None = None
    fixed: Decimal | None = None
    payers: tuple[PayerShare, ...] = ()
    written: list[tuple[str, str]] = []
    shares, amounts = entry.get("shares"), entry.get("amounts")
    if (shares is None) == (amounts is None):
        raise entry.error("missing_key", key="shares")
    if shares is not None:
        share, payers = book.shares(shares)
        written = [(payer, item.text()) for payer, item in shares.pairs()]
    elif amounts is not None:
        fixed, payers = _amounts(amounts, book, standard)
        written = [(payer, f"{item.amount():.2f}") for payer, item in amounts.pairs()]
    effect = {"personal_amount": _plain(fixed)} if fixed is not None else {"personal_share": str(share)}
    code, clause = book.add(
        entry, "waiver", insurance="medical", condition=condition, effect=effect, shares=tuple(written)
    )
    limited = part.flag() if (part := entry.get("children_limited")) else False
    return Waiver(code, condition, clause, share, fixed, payers, book.toggles(entry), limited)


def _amounts(entry: Entry, book: Book, standard: Standard) -> tuple[Decimal, tuple[PayerShare, ...]]:
    """`{personal: 20, payer: 160}`: a fixed personal amount, the rest divided as the amounts printed."""
    personal = entry.get(PERSONAL)
    if personal is None:
        raise entry.error("missing_key", key=PERSONAL)
    others = {key: item.amount() for key, item in entry.pairs() if key != PERSONAL}
    for key in others:
        if key not in book.payers:
            raise entry.at(key).error("undefined_payer", name=key)
    rest = sum(others.values(), Decimal(0))
    if not rest:
        raise entry.error("nobody_else_pays")
    if standard.personal is not None and personal.amount() + rest != standard.personal:
        raise entry.error("amounts_not_standard", sum=personal.amount() + rest, standard=standard.personal)
    if len(others) > 2:
        raise entry.error("too_many_payers", count=len(others))
    return personal.amount(), tuple(
        PayerShare(key, Fraction(each) / Fraction(rest)) for key, each in others.items()
    )


def _check_bands(bands: Sequence[tuple[str, Entry, Waiver]]) -> None:
    """Waivers of one band follow each other without gap or overlap, by age or by birth date."""
    for name in dict.fromkeys(name for name, _, _ in bands):
        members = [(item, waiver.condition) for each, item, waiver in bands if each == name]
        kinds = {condition.age is not None for _, condition in members}
        if len(kinds) > 1:
            raise members[0][0].error("band_mixed", band=name)
        spans = [(item, *_span(condition)) for item, condition in members]
        spans.sort(key=lambda span: span[1])
        for (_, _, before_last), (item, first, _) in pairwise(spans):
            if first <= before_last:
                raise item.error("band_overlap", band=name)
            if first > before_last + 1:
                raise item.error("band_gap", band=name)


def _span(condition: Condition) -> tuple[int, int]:
    band = condition.age or condition.born or Band(None, None)

    def number(end: int | datetime.date | None, default: int) -> int:
        return default if end is None else (end if isinstance(end, int) else end.toordinal())

    return number(band.first, 0), number(band.last, 10**9)


def _late(entry: Entry, book: Book) -> Late:
    entry.only(f"{_RULE} price waiting", _ABOUT)
    price = entry.at("price").choice("personal_only", "total_cost")
    part = entry.at("waiting")
    part.only(optional="days months")
    days, months = part.get("days"), part.get("months")
    if (days is None) == (months is None):
        raise part.error("missing_key", key="days / months")
    waiting = Waiting(days.whole(most=366) if days else None, months.whole(most=12) if months else None)
    effect = {"price": price, **({"days": waiting.days} if days else {"months": waiting.months})}
    code, clause = book.add(entry, "late", insurance="medical", effect=effect)
    return Late(code, price, waiting, clause)


def _interruption(entry: Entry, book: Book) -> Interruption:
    entry.only(f"{_RULE} months each_further_year each_repaired_year", f"{_ABOUT} at_least")
    months, further, repaired = (
        entry.at(key).whole(most=12) for key in ("months", "each_further_year", "each_repaired_year")
    )
    long_years, long_months = None, 0
    if (least := entry.get("at_least")) is not None:
        least.only("years months")
        long_years, long_months = least.at("years").whole(most=99), least.at("months").whole(most=99)
    effect: dict[str, object] = {
        "months": months,
        "each_further_year": further,
        "each_repaired_year": repaired,
    }
    if long_years is not None:
        effect["at_least"] = {"years": long_years, "months": long_months}
    code, clause = book.add(entry, "interruption", insurance="medical", effect=effect)
    return Interruption(code, months, further, repaired, long_years, long_months, clause)


def parse_pension(entry: Entry, book: Book) -> Pension:
    """The `pension:` section: tiers and who may use them, a subsidy for each, who is paid for, families."""
    entry.only(optional="tiers restricted subsidies government_paid family_planning extra")
    tiers = _tiers(entry, book)
    paid = []
    for item in part.items() if (part := entry.get("government_paid")) else ():
        item.only(f"{_RULE} amount payers", f"{_ABOUT} when groups")
        condition = book.needed_condition(item)
        amount = item.at("amount").amount()
        payers = book.payer_shares(item.at("payers"))
        code, clause = book.add(
            item,
            "government_paid",
            insurance="pension",
            condition=condition,
            effect={"amount": _plain(amount)},
            shares=tuple((key, share.text()) for key, share in item.at("payers").pairs()),
        )
        if tiers and amount > min(tier.amount for tier in tiers):
            raise item.at("amount").error("above_lowest_tier", amount=amount)
        paid.append(GovernmentPaid(code, condition, amount, payers, clause))
    family = []
    for item in part.items() if (part := entry.get("family_planning")) else ():
        item.only(f"{_RULE} amount payer when", _ABOUT)
        condition = book.needed_condition(item)
        amount, payer = item.at("amount").amount(), book.payer(item.at("payer"))
        code, clause = book.add(
            item,
            "family_planning",
            insurance="pension",
            condition=condition,
            effect={"amount": _plain(amount)},
            shares=((payer, "100%"),),
        )
        family.append(FamilySubsidy(code, condition, amount, payer, clause))
    extra = entry.get("extra")
    if extra is not None:
        extra.only("payers")
    extra_payers = book.payer_shares(extra.at("payers")) if extra else (paid[0].payers if paid else ())
    return Pension(
        code=tiers[0].code if tiers else "",
        tiers=tiers,
        government_paid=tuple(paid),
        extra_payers=extra_payers,
        family=tuple(family),
    )


def _tiers(entry: Entry, book: Book) -> tuple[PensionTier, ...]:
    part = entry.get("tiers")
    if part is None:
        return ()
    part.only(f"{_RULE} amounts", f"{_ABOUT} count")
    amounts = [item.amount() for item in part.at("amounts").items()]
    if not amounts or amounts != sorted(set(amounts)):
        raise part.at("amounts").error("tiers_not_ascending")
    count = part.get("count")
    if count is not None and count.whole() != len(amounts):
        raise count.error("count_differs", printed=count.whole(), counted=len(amounts))
    code, clause = book.add(
        part, "tiers", insurance="pension", effect={"amounts": [_plain(amount) for amount in amounts]}
    )
    restricted = _restrictions(entry, book, amounts)
    subsidies = _subsidies(entry, book, amounts)
    for amount in amounts:
        if amount not in subsidies:
            raise part.error("tier_without_subsidy", amount=amount)
    return tuple(
        PensionTier(
            amount=amount,
            code=code,
            clause=clause,
            restricted=restricted[amount][0] if amount in restricted else None,
            unclear=restricted[amount][1] if amount in restricted else None,
            restricted_code=restricted[amount][2] if amount in restricted else "",
            subsidy=subsidies[amount][0],
            subsidy_code=subsidies[amount][1],
        )
        for amount in amounts
    )


def _restrictions(
    entry: Entry, book: Book, amounts: Sequence[Decimal]
) -> dict[Decimal, tuple[Condition, Condition | None, str]]:
    """Who may use a tier, and who is referred instead of refused, with the code of the rule."""
    restricted: dict[Decimal, tuple[Condition, Condition | None, str]] = {}
    for item in rules.items() if (rules := entry.get("restricted")) else ():
        item.only(f"{_RULE} tier", f"{_ABOUT} when groups unclear_groups")
        amount = item.at("tier").amount()
        if amount not in amounts or amount in restricted:
            raise item.at("tier").error("unknown_tier", amount=amount)
        condition = book.needed_condition(item)
        unclear_groups = item.get("unclear_groups")
        unclear = None
        if unclear_groups is not None:
            unclear = book.condition(Entry({"groups": unclear_groups.value}, item.path, item.lines))
        rule_code, _ = book.add(
            item,
            "restricted_tier",
            insurance="pension",
            condition=condition,
            effect={"tier": _plain(amount), **({"refer": unclear.words()} if unclear else {})},
        )
        restricted[amount] = (condition, unclear, rule_code)
    return restricted


def _subsidies(entry: Entry, book: Book, amounts: Sequence[Decimal]) -> dict[Decimal, tuple[Decimal, str]]:
    """The government subsidy of each tier with the code of its rule."""
    subsidies: dict[Decimal, tuple[Decimal, str]] = {}
    for item in rules.items() if (rules := entry.get("subsidies")) else ():
        item.only(f"{_RULE} tiers amount payer", _ABOUT)
        book.payer(item.at("payer"))
        amount = item.at("amount").amount()
        covered = [each.amount() for each in item.at("tiers").items()]
        rule_code, _ = book.add(
            item,
            "subsidy",
            insurance="pension",
            effect={"tiers": [_plain(each) for each in covered], "amount": _plain(amount)},
            shares=((item.at("payer").text(), "100%"),),
        )
        for each, place in zip(covered, item.at("tiers").items(), strict=True):
            if each not in amounts:
                raise place.error("unknown_tier", amount=each)
            if each in subsidies:
                raise place.error("subsidy_twice", amount=each)
            subsidies[each] = (amount, rule_code)
    return subsidies
