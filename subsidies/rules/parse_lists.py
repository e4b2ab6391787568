"""The parts of a plan file that say whose names stand on which list, and who is asked for the money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .book import Book
from .conditions import Condition, Group, named_groups
from .plan import AGENCIES, LIST_KINDS, Application, OpenPayer, PersonList, Supplier
from .source import Entry

_RULE = "code clause lines"
_ABOUT = "name certainty note setting"
SUPPLIER = "supplier"
"""As an applicant: each office for the persons it certifies."""


def is_person_list(entry: Entry) -> bool:
    """Whether an entry of `lists:` names the rules whose persons stand on it; else it only tells who sends what."""
    return entry.get("waivers") is not None


def parse_lists(
    entries: Iterable[Entry], book: Book, conditions: Mapping[str, Condition], *, whole: bool
) -> tuple[PersonList, ...]:
    """The lists of persons for whom somebody else pays.

    `conditions` are those of the plan's waivers and government-paid rules by code. Everybody they cover is certified
    by exactly one office of the list. Raises PlanError for an unknown rule, a rule on two lists, a group that no
    office certifies or that two do. `whole` False takes a plan of which rules were left out or changed (a what-if): a
    list then holds those of its rules that are left.
    """
    found: list[PersonList] = []
    for entry in entries:
        if is_person_list(entry):
            found.append(_person_list(entry, book, conditions, found, whole=whole))
    return tuple(found)


def check_applications(entries: Iterable[Entry], codes: Iterable[str]) -> None:
    """The rules an application and a bill cite exist. Checked when all rules are known."""
    known = set(codes)
    for entry in entries:
        if not is_person_list(entry):
            continue
        for key, part in (("application", entry.get("application")), ("bill", entry)):
            if part is None or (cited := part.get("rule" if key == "application" else "bill")) is None:
                continue
            if cited.code() not in known:
                raise cited.error("undefined_rule", name=cited.text())


def _person_list(
    entry: Entry,
    book: Book,
    conditions: Mapping[str, Condition],
    before: Sequence[PersonList],
    *,
    whole: bool,
) -> PersonList:
    entry.only(f"{_RULE} kind waivers suppliers", f"{_ABOUT} departments what to application bill")
    waivers = []
    for item in entry.at("waivers").items():
        code = item.code()
        if code not in conditions and not whole:
            continue
        if code not in conditions:
            raise item.error("undefined_rule", name=code)
        if any(code in each.waivers for each in before) or code in waivers:
            raise item.error("rule_on_two_lists", name=code)
        waivers.append(code)
    if not waivers and whole:
        raise entry.at("waivers").error("empty_list")
    suppliers = tuple(_supplier(item, book, waivers, whole=whole) for item in entry.at("suppliers").items())
    if whole:
        _check_suppliers(entry.at("suppliers"), suppliers, {code: conditions[code] for code in waivers})
    application = _application(part) if (part := entry.get("application")) else None
    effect: dict[str, object] = {
        key: value for key, value in entry.mapping().items() if key not in ("code", "clause", "lines", "name")
    }
    code, clause = book.add(entry, "lists", effect=effect)
    name = entry.get("name")
    return PersonList(
        code=code,
        name=name.text() if name else code,
        kind=entry.at("kind").choice(*LIST_KINDS),
        waivers=tuple(waivers),
        suppliers=suppliers,
        application=application,
        bill=part.code() if (part := entry.get("bill")) else "",
        clause=clause,
    )


def _supplier(entry: Entry, book: Book, waivers: Sequence[str], *, whole: bool) -> Supplier:
    entry.only("agency name", "groups computed certainty setting note")
    groups = named_groups(part, book.groups) if (part := entry.get("groups")) else ()
    computed = []
    for item in part.items() if (part := entry.get("computed")) else ():
        if item.text() not in waivers and not whole:
            continue
        if item.text() not in waivers:
            raise item.error("undefined_rule", name=item.text())
        computed.append(item.code())
    if not groups and not computed and whole:
        raise entry.error("missing_key", key="groups")
    return Supplier(entry.at("agency").choice(*AGENCIES), entry.at("name").text(), groups, tuple(computed))


def _check_suppliers(
    entry: Entry, suppliers: Sequence[Supplier], conditions: Mapping[str, Condition]
) -> None:
    needed: dict[str, Group] = {}
    by_age = []
    for code, condition in conditions.items():
        needed |= {group.name: group for group in condition.groups}
        if not condition.groups:
            by_age.append(code)
    named = [group.name for each in suppliers for group in each.groups]
    for name in named:
        if name not in needed:
            raise entry.error("group_not_on_list", name=name)
        if named.count(name) > 1:
            raise entry.error("certified_twice", name=name)
    computed = [code for each in suppliers for code in each.computed]
    for code in computed:
        if computed.count(code) > 1 or code not in by_age:
            raise entry.error("certified_twice", name=code)
    for name in (*needed, *by_age):
        if name not in named and name not in computed:
            raise entry.error("certified_by_nobody", name=name)


def _application(entry: Entry) -> Application:
    entry.only("by to rule", "with")
    joined = part.choices(*AGENCIES) if (part := entry.get("with")) else ()
    return Application(
        by=entry.at("by").choice(SUPPLIER, *AGENCIES),
        joined=joined,
        to=entry.at("to").choice(*AGENCIES),
        rule=entry.at("rule").code(),
    )


def parse_open_payers(entries: Iterable[Entry], book: Book) -> tuple[OpenPayer, ...]:
    """Payers the paper does not name. Raises PlanError for one that is no payer of the plan."""
    found = []
    for entry in entries:
        entry.only(f"{_RULE} payer", _ABOUT)
        payer = book.payer(entry.at("payer"))
        code, clause = book.add(entry, "open_payer", effect={"payer": payer})
        found.append(OpenPayer(code, payer, clause))
    return tuple(found)
