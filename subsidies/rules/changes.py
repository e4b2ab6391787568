"""What a budget may change about a plan: settings by name, rules by code; the changed plan is checked as a file is.

Keys (`known_changes` lists those of a plan with their present values):

- a setting's name: `medical.personal=380`, `medical.waiver_categories_extra=orphan,severely_disabled`;
- `waiver.CODE.share.PAYER=60%`, or `waiver.CODE.amount.PAYER=200` where the paper prints amounts; PAYER is
  `personal` or a payer of the plan;
- `waiver.CODE.age.from=65`, `.age.to`, `.born.from`, `.born.to`, `waiver.CODE.groups=NAME,NAME`;
- `government_paid.CODE.amount`, `.share.PAYER`, `.groups`; `subsidy.CODE.amount`; `family_planning.CODE.amount`;
- `restricted_tier.CODE.groups`; `late.CODE.price`, `.waiting.days` or `.waiting.months`; `window.CODE.opens`,
  `.closes`;
- `KIND.CODE=off` leaves out a waiver, a government-paid group, a family-planning rule or a restriction.

Shares not named keep what the paper says as far as they can: the resident takes the rest, and where the
resident's own share is named the others divide the rest in their printed proportion.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from typing import Final, cast

from foundation.money import split

from .parse import build_plan
from .plan import PERSONAL, Plan
from .settings import ALIASES, SETTINGS
from .source import Entry, Plain, PlanError

_COMMAS: Final = re.compile(r"[,，、]")
_SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "waiver": ("medical", "waivers"),
    "late": ("medical", "late"),
    "government_paid": ("pension", "government_paid"),
    "subsidy": ("pension", "subsidies"),
    "family_planning": ("pension", "family_planning"),
    "restricted_tier": ("pension", "restricted"),
    "window": ("windows",),
}
_REMOVABLE: Final = ("waiver", "government_paid", "family_planning", "restricted_tier")
_AMOUNTS: Final = ("government_paid", "subsidy", "family_planning")
_SHARES: Final = {"waiver": "shares", "government_paid": "payers"}
OFF: Final = "off"


@dataclass(frozen=True)
class Known:
    """Something that can be changed: its key, the rule it belongs to, its kind and its present value as text.

    `kind` is present (on, off), share, amount, whole, date, groups or choice; `choices` are the values of a
    choice and of groups.
    """

    key: str
    rule: str
    kind: str
    value: str
    choices: tuple[str, ...] = ()


def known_changes(plan: Plan) -> dict[str, Known]:
    """What can be changed about the plan's rules, by key in the order of the plan. Settings are not listed."""
    document = plan.document
    found = (
        each
        for kind in _SECTIONS
        for rule in _rules(document, kind)
        for each in _of_rule(plan, kind, cast(str, rule["code"]), rule)
    )
    return {each.key: each for each in found}


def change_plan(plan: Plan, changes: Mapping[str, str]) -> tuple[Plan, dict[str, object]]:
    """The plan with its rules changed, and the settings that stand before its own.

    Without a change of rules the plan is returned as it is. Raises PlanError for unknown keys, values of the
    wrong kind, and changes after which the plan would not hold (shares, bands, periods).
    """
    settings: dict[str, object] = {}
    rules: dict[str, str] = {}
    for key, value in changes.items():
        name = ALIASES.get(key, key)
        if name in SETTINGS:
            settings[name] = _setting(name, value)
        else:
            rules[key] = value.strip()
    known = known_changes(plan) if rules else {}
    for key, value in rules.items():
        if key not in known:
            raise _unknown(key, known)
        _check(known[key], value)
    plan.settings.with_overrides(settings, plan.categories, plan.waiver_codes)
    return (_changed(plan, known, rules) if rules else plan), settings


def _setting(name: str, value: str) -> object:
    """The text of a setting as the value it takes: lists by comma, nothing for what may be unknown."""
    kind = SETTINGS[name].kind
    text = value.strip()
    if kind in ("codes", "grades"):
        return [part.strip() for part in _COMMAS.split(text) if part.strip()]
    if not text and SETTINGS[name].default is None:
        return None
    return text


def _unknown(key: str, known: Mapping[str, Known]) -> PlanError:
    """The keys nearest to what was meant: of the same rule, of the same kind, or alike in letters."""
    kind, _, rest = key.partition(".")
    code = rest.partition(".")[0]
    near = [each for each in known if each == f"{kind}.{code}" or each.startswith(f"{kind}.{code}.")]
    near = near or [each for each in known if kind in _SECTIONS and each.startswith(f"{kind}.")]
    near = near or get_close_matches(key, [*SETTINGS, *known], n=6, cutoff=0.5)
    if not near:
        near = sorted({name.partition(".")[0] + ".…" for name in (*SETTINGS, *known)})
    return PlanError("unknown_change", key=key, known=", ".join(near))


def _check(known: Known, value: str) -> None:
    entry = Entry(value, (known.key,))
    match known.kind:
        case "present":
            entry.choice("on", OFF)
        case "share":
            entry.share()
        case "amount":
            entry.amount()
        case "whole":
            if value:
                entry.whole()
        case "date":
            if value or known.key.startswith("window."):
                entry.date()
        case "choice":
            entry.choice(*known.choices)
        case "groups":
            for name in _names(value):
                if name not in known.choices:
                    raise entry.error("not_a_choice", value=name, known=", ".join(known.choices))


def _names(value: str) -> list[str]:
    """Names of groups by comma; a comma in a printed name is the paper's own （重度（一级、二级）残疾人）."""
    return [part.strip() for part in re.split(r"[,，]", value) if part.strip()]


# the plan's document


def _rules(document: Mapping[str, Plain], kind: str) -> Iterator[dict[str, Plain]]:
    """The rules of a kind, one after another; a section may hold a single rule."""
    value: Plain = dict(document)
    for step in _SECTIONS[kind]:
        value = value.get(step) if isinstance(value, dict) else None
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item


def _of_rule(plan: Plan, kind: str, code: str, rule: Mapping[str, Plain]) -> Iterator[Known]:
    start = f"{kind}.{code}"

    def known(field: str, what: str, value: Plain, choices: tuple[str, ...] = ()) -> Known:
        return Known(f"{start}.{field}", code, what, "" if value is None else str(value), choices)

    if kind in _REMOVABLE:
        yield Known(start, code, "present", "on", ("on", OFF))
    if kind in _AMOUNTS:
        yield known("amount", "amount", rule.get("amount"))
    for field, what in (("shares", "share"), ("payers", "share"), ("amounts", "amount")):
        parts = rule.get(field)
        if isinstance(parts, dict):
            own = () if field == "payers" else (PERSONAL,)
            for payer in (*own, *plan.payers):
                nothing = "0%" if what == "share" else "0"
                yield known(f"{what}.{payer}", what, parts.get(payer, nothing))
    when = rule.get("when")
    for band, what in (("age", "whole"), ("born", "date")):
        ends = when.get(band) if isinstance(when, dict) else None
        if isinstance(ends, dict):
            for end in ("from", "to"):
                yield known(f"{band}.{end}", what, ends.get(end))
    groups = rule.get("groups")
    if isinstance(groups, list):
        yield known("groups", "groups", ",".join(str(each) for each in groups), tuple(plan.groups))
    if kind == "late":
        yield known("price", "choice", rule.get("price"), ("personal_only", "total_cost"))
        waiting = rule.get("waiting")
        for unit, value in waiting.items() if isinstance(waiting, dict) else ():
            yield known(f"waiting.{unit}", "whole", value)
    if kind == "window":
        for end in ("opens", "closes"):
            yield known(end, "date", rule.get(end))


def _changed(plan: Plan, known: Mapping[str, Known], changes: Mapping[str, str]) -> Plan:
    document = copy.deepcopy(dict(plan.document))
    removed: set[str] = set()
    named: dict[tuple[str, str], dict[str, str]] = {}
    for key, value in changes.items():
        kind, code = key.split(".")[:2]
        if known[key].kind == "present":
            if value == OFF:
                removed.add(code)
            continue
        field = key.removeprefix(f"{kind}.{code}.")
        rule = next(each for each in _rules(document, kind) if each.get("code") == code)
        if field.startswith(("share.", "amount.")):
            named.setdefault((kind, code), {})[field.partition(".")[2]] = value
        else:
            _write(rule, field, value, known[key].kind)
    for (kind, code), shares in named.items():
        rule = next(each for each in _rules(document, kind) if each.get("code") == code)
        _share_out(rule, kind, shares)
    for kind in _REMOVABLE:
        _remove(document, kind, removed)
    return build_plan(document, plan.categories)


def _write(rule: dict[str, Plain], field: str, value: str, kind: str) -> None:
    if kind == "groups":
        rule["groups"] = list(_names(value))
        return
    steps = field.split(".")
    if steps[0] in ("age", "born"):
        steps.insert(0, "when")
    place: Plain = rule
    for step in steps[:-1]:
        place = place[step] if isinstance(place, dict) else None
    if isinstance(place, dict):
        place[steps[-1]] = value or None


def _remove(document: dict[str, Plain], kind: str, codes: set[str]) -> None:
    *above, last = _SECTIONS[kind]
    section: Plain = document
    for step in above:
        section = section.get(step) if isinstance(section, dict) else None
    rules = section.get(last) if isinstance(section, dict) else None
    if isinstance(section, dict) and isinstance(rules, list):
        section[last] = [each for each in rules if not (isinstance(each, dict) and each.get("code") in codes)]


def _share_out(rule: dict[str, Plain], kind: str, named: Mapping[str, str]) -> None:
    """Write the shares that were named; those that were not take the rest as the module says."""
    if isinstance(amounts := rule.get("amounts"), dict):
        rule["amounts"] = cast(Plain, _amounts_out(cast(dict[str, str], amounts), named))
        return
    field = _SHARES[kind]
    printed = {payer: Entry(share).share() for payer, share in cast(dict[str, Plain], rule[field]).items()}
    given = {payer: Entry(share).share() for payer, share in named.items()}
    shares = {**printed, **given}
    rest = 1 - sum(given.values(), Fraction(0))
    others = [payer for payer in printed if payer not in given and payer != PERSONAL]
    if rest < 0 or (not others and PERSONAL not in shares):
        pass  # the loader says what is wrong
    elif PERSONAL in shares and PERSONAL not in given:
        shares[PERSONAL] = rest - sum((printed[payer] for payer in others), Fraction(0))
    elif whole := sum((printed[payer] for payer in others), Fraction(0)):
        shares |= {payer: rest * printed[payer] / whole for payer in others}
    if shares.get(PERSONAL, Fraction(0)) < 0:
        total = f"{float((sum(shares.values(), Fraction(0)) - shares[PERSONAL]) * 100):g}"
        raise PlanError("shares_not_whole", place=str(rule["code"]), total=total)
    rule[field] = {payer: _text(share) for payer, share in shares.items() if share or payer == PERSONAL}


def _amounts_out(printed: Mapping[str, str], named: Mapping[str, str]) -> dict[str, str]:
    before = {payer: Entry(amount).amount() for payer, amount in printed.items()}
    given = {payer: Entry(amount).amount() for payer, amount in named.items()}
    nothing = Decimal(0)
    rest = sum(before.values(), nothing) - sum(given.values(), nothing)
    others = [payer for payer in before if payer not in given and payer != PERSONAL]
    after = {**before, **given}
    if PERSONAL not in given:
        after[PERSONAL] = rest - sum((before[payer] for payer in others), nothing)
    elif rest >= 0 and (whole := sum((before[payer] for payer in others), nothing)):
        after |= split(rest, [(payer, Fraction(before[payer]) / Fraction(whole)) for payer in others])
    return {payer: str(amount) for payer, amount in after.items() if amount or payer == PERSONAL}


def _text(share: Fraction) -> str:
    """A share as a plan file writes it: per cent where it is one, else a fraction."""
    percent = share * 100
    if (percent * 10_000).denominator == 1:
        return f"{float(percent):g}%"
    if share.denominator > 9999:
        raise PlanError("not_a_share", value=str(share))
    return f"{share.numerator}/{share.denominator}"
