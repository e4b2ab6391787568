"""Plan files: from plain data to a checked `Plan`."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from .book import Book
from .conditions import ROUTES, Condition, Group
from .parse_lists import check_applications, is_person_list, parse_lists, parse_open_payers
from .parse_money import parse_medical, parse_pension
from .plan import (
    INSURANCES,
    REASONS,
    Admission,
    Exclusion,
    Medical,
    Pension,
    PersonList,
    Plan,
    Stage,
    TargetRow,
    Targets,
    Window,
)
from .settings import ALIASES, SETTINGS, Settings, parse_settings
from .source import PLAN_CODE, Entry, Path, Plain, read_source

DESCRIPTIVE: Final = (
    "principles",
    "collection",
    "determination",
    "sponsors",
    "channels",
    "flow",
    "lists",
    "deadlines",
    "duties",
    "publicity",
    "prohibitions",
    "receipts",
    "refunds",
    "forms",
    "annexes",
    "guidance",
    "special_cases",
    "household_mode",
    "dependencies",
    "readings",
    "amendments",
)
"""Sections that prescribe work rather than prices: rules with a clause, shown and used by other rooms."""

_NOTE_KEYS: Final = (
    "name insurance who to what how by every from until days kind routes means columns departments groups "
    "certainty setting note chosen other missing rate ages denominator printed_ages tasks files"
)
_RULE: Final = "code clause lines"
_COMPUTED: Final = ("not_in_scope", "unknown_tier", "tier_100_not_allowed")
_SECTIONS: Final = "categories settings targets rates medical pension exclusions open_payers " + " ".join(
    DESCRIPTIVE
)


def load_plan_text(text: str, categories: Iterable[str]) -> Plan:
    """Read a plan file. `categories` are the known category codes. Raises PlanError with line and reason."""
    document, lines = read_source(text)
    return build_plan(document, categories, lines=lines, text=text)


def build_plan(
    document: Mapping[str, Plain],
    categories: Iterable[str],
    *,
    lines: Mapping[Path, int] | None = None,
    text: str = "",
) -> Plan:
    """Check a plan given as plain data, in the order of its file. Raises PlanError with place and reason.

    `lines` tells the line of each value where the data come from a file, `text` is that file. Without `text` the plan
    is one of which something was changed (a what-if), and its lists keep what is left of their rules.
    """
    document = dict(document)
    root = Entry(document, (), lines or {})
    root.only("plan payers groups scope windows stages", _SECTIONS)
    head = root.at("plan")
    head.only(
        "code name county level coverage_year insurances collection_mode",
        "version township parent document_number issuer issued_on printed_on openness note",
    )
    insurances = head.at("insurances").choices(*INSURANCES)
    known = {*categories, *(root.at("categories").mapping() if root.get("categories") else {})}
    book = _book(root, insurances, known)
    settings = Settings(parse_settings(root.at("settings")) if root.get("settings") else {})
    admissions = _admissions(root.at("scope"), book)
    doubtful = tuple(_admission(item, book, "refer") for item in _listed(root.at("scope"), "unclear"))
    exclusions = tuple(_exclusion(item, book) for item in _listed(root, "exclusions"))
    sections = _insurance_sections(root, insurances)
    medical = parse_medical(part, book) if (part := sections["medical"]) else None
    pension = parse_pension(part, book) if (part := sections["pension"]) else None
    stages = tuple(_stage(item, book) for item in root.at("stages").items())
    names = {stage.code for stage in stages}
    windows = tuple(_window(item, book, names) for item in root.at("windows").items())
    for insurance in insurances:
        _check_windows(root.at("windows"), windows, insurance)
    targets = _targets(part, book, insurances) if (part := root.get("targets")) else None
    open_payers = parse_open_payers(_listed(root, "open_payers"), book)
    lists: tuple[PersonList, ...] = ()
    for name in ("rates", *DESCRIPTIVE):
        if name == "lists":
            lists = parse_lists(_listed(root, name), book, _waived(medical, pension), whole=bool(text))
        for item in _listed(root, name):
            if name != "lists" or not is_person_list(item):
                _note(item, name, book)
    if settings.set_values():
        printed = {waiver.code for waiver in medical.waivers} if medical else set()
        settings.check_lists(root.at("settings"), known, printed if text else None)
    if text:
        check_applications(_listed(root, "lists"), (rule.code for rule in book.rules))

    def word(key: str) -> str:
        return part.text() if (part := head.get(key)) else ""

    return Plan(
        code=head.at("code").code(PLAN_CODE),
        version=part.whole() if (part := head.get("version")) else 1,
        name=head.at("name").text(),
        county=head.at("county").text(),
        township=word("township"),
        parent=word("parent"),
        level=head.at("level").choice("national", "district", "county_level_city", "county", "township"),
        document_number=word("document_number"),
        issuer=word("issuer"),
        issued_on=part.date() if (part := head.get("issued_on")) else None,
        coverage_year=head.at("coverage_year").year(),
        insurances=insurances,
        collection_mode=head.at("collection_mode").choice("direct", "entrusted"),
        payers=book.payers,
        groups=book.groups,
        categories=frozenset(known),
        settings=settings,
        admissions=admissions,
        doubtful=doubtful,
        exclusions=exclusions,
        medical=medical,
        pension=pension,
        windows=windows,
        stages=stages,
        targets=targets,
        lists=lists,
        open_payers=open_payers,
        rules=tuple(book.rules),
        document=document,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def _waived(medical: Medical | None, pension: Pension | None) -> dict[str, Condition]:
    """Rules by which somebody else pays, with their conditions."""
    found = {waiver.code: waiver.condition for waiver in medical.waivers} if medical else {}
    return found | ({rule.code: rule.condition for rule in pension.government_paid} if pension else {})


def _listed(root: Entry, key: str) -> Iterable[Entry]:
    return part.items() if (part := root.get(key)) else ()


def _book(root: Entry, insurances: tuple[str, ...], known: set[str]) -> Book:
    """Payers and groups; a group that cites its clause is a rule too."""
    groups = {name: _group(name, item, known) for name, item in root.at("groups").pairs()}
    payers = {}
    for code, item in root.at("payers").pairs():
        payers[Entry(code, item.path, item.lines).code()] = item.text()
    book = Book(payers, groups, insurances)
    for _, item in root.at("groups").pairs():
        if item.get("code") is not None:
            book.add(item, "group", effect={"categories": list(item.at("categories").texts())})
    return book


def _admissions(scope: Entry, book: Book) -> tuple[Admission, ...]:
    scope.only("admitted", "unclear note")
    admissions = tuple(_admission(item, book) for item in scope.at("admitted").items())
    for insurance in book.insurances:
        if not any(insurance in admission.insurances for admission in admissions):
            raise scope.error("nobody_admitted", insurance=insurance)
    return admissions


def _insurance_sections(root: Entry, insurances: tuple[str, ...]) -> dict[str, Entry | None]:
    sections = {name: root.get(name) for name in INSURANCES}
    for name, part in sections.items():
        if part is not None and name not in insurances:
            raise part.error("insurance_not_in_plan", insurance=name)
        if part is None and name in insurances:
            raise root.error("missing_key", key=name)
    return sections


def _group(name: str, entry: Entry, known: set[str]) -> Group:
    entry.only("categories", "code clause lines disability_grades note certainty setting")
    codes = []
    for item in entry.at("categories").items():
        if item.text() not in known:
            raise item.error("undefined_category", name=item.text())
        codes.append(item.code())
    if not codes:
        raise entry.at("categories").error("empty_list")
    grades = entry.get("disability_grades")
    if grades is None:
        return Group(name, tuple(codes))
    if grades.value == "severe":
        return Group(name, tuple(codes), severe=True)
    numbers = grades.whole_numbers()
    if not numbers or not set(numbers) <= {1, 2, 3, 4}:
        raise grades.error("not_a_choice", value=numbers, known="1, 2, 3, 4")
    return Group(name, tuple(codes), numbers)


def _admission(entry: Entry, book: Book, decision: str = "") -> Admission:
    entry.only(f"{_RULE} when", "name insurances only_if certainty setting note")
    insurances = book.insurances_of(entry)
    condition = Condition() if entry.at("when").value == "everybody" else book.needed_condition(entry)
    code, clause = book.add(
        entry,
        "admission",
        insurance=insurances[0] if len(insurances) == 1 else "",
        condition=condition,
        effect={"insurances": list(insurances), **({"decision": decision} if decision else {})},
    )
    return Admission(code, insurances, condition, clause, book.toggles(entry))


def _exclusion(entry: Entry, book: Book) -> Exclusion:
    entry.only(f"{_RULE} reason", "name insurances decision years born_from certainty setting note")
    reason = entry.at("reason").choice(*(each for each in REASONS if each not in _COMPUTED))
    insurances = book.insurances_of(entry)
    decision = item.choice("refuse", "refer", "setting") if (item := entry.get("decision")) else "refuse"
    years, born = entry.get("years"), entry.get("born_from")
    if reason in ("under_16", "age_60_or_more") and years is None and born is None:
        raise entry.error("missing_key", key="years")
    effect: dict[str, object] = {"decision": decision, "reason": reason, "insurances": list(insurances)}
    if years is not None:
        effect["years"] = years.age()
    if born is not None:
        effect["born_from"] = born.date().isoformat()
    code, clause = book.add(
        entry, "exclusion", insurance=insurances[0] if len(insurances) == 1 else "", effect=effect
    )
    return Exclusion(
        code,
        reason,
        insurances,
        decision,
        clause,
        years.age() if years else None,
        born.date() if born else None,
    )


def _stage(entry: Entry, book: Book) -> Stage:
    entry.only(f"{_RULE} kind name", "starts ends tasks note certainty")
    kind = entry.at("kind").choice("preparation", "collection", "entry", "publicity", "summary")
    starts, ends = entry.get("starts"), entry.get("ends")
    first, last = starts.date() if starts else None, ends.date() if ends else None
    if first and last and first > last:
        raise entry.error("band_backwards")
    code, clause = book.add(
        entry, "stage", effect={"kind": kind, "starts": str(first or ""), "ends": str(last or "")}
    )
    return Stage(code, kind, entry.at("name").text(), first, last, clause)


def _window(entry: Entry, book: Book, stages: set[str]) -> Window:
    entry.only(f"{_RULE} insurance kind opens closes", "name stage routes note certainty setting")
    insurance = entry.at("insurance").choice(*book.insurances)
    kind = entry.at("kind").choice("collection", "late")
    opens, closes = entry.at("opens").date(), entry.at("closes").date()
    if opens > closes:
        raise entry.error("band_backwards")
    stage = entry.get("stage")
    if stage is not None and stage.text() not in stages:
        raise stage.error("undefined_stage", name=stage.text())
    routes: list[tuple[str, datetime.date | None, datetime.date | None]] = []
    for route, item in part.pairs() if (part := entry.get("routes")) else ():
        if route not in ROUTES:
            raise item.error("not_a_choice", value=route, known=", ".join(ROUTES))
        item.only(optional="opens closes")
        first, last = item.get("opens"), item.get("closes")
        days = (first.date() if first else opens, last.date() if last else closes)
        if not opens <= days[0] <= days[1] <= closes:
            raise item.error("route_outside", first=opens, last=closes)
        routes.append((route, first.date() if first else None, last.date() if last else None))
    code, clause = book.add(
        entry,
        "window",
        insurance=insurance,
        effect={"kind": kind, "opens": opens.isoformat(), "closes": closes.isoformat()},
    )
    return Window(code, insurance, kind, opens, closes, stage.text() if stage else "", tuple(routes), clause)


def _check_windows(entry: Entry, windows: tuple[Window, ...], insurance: str) -> None:
    """One collection period, at most one late period after it; a gap between them may be."""
    own = [
        (item, each) for item, each in zip(entry.items(), windows, strict=True) if each.insurance == insurance
    ]
    collection = [pair for pair in own if pair[1].kind == "collection"]
    late = [pair for pair in own if pair[1].kind == "late"]
    if not collection:
        raise entry.error("windows_wrong", insurance=insurance)
    for pairs in (collection, late):
        if len(pairs) > 1:
            raise pairs[1][0].error("windows_wrong", insurance=insurance)
    if late and late[0][1].opens <= collection[0][1].closes:
        raise (
            late[0][0].at("opens").error("window_overlap", late=late[0][1].code, first=collection[0][1].code)
        )


def _targets(entry: Entry, book: Book, insurances: tuple[str, ...]) -> Targets:
    entry.only(f"{_RULE} rows", "name printed_total note certainty missing")
    columns = " ".join(insurances)

    def row(item: Entry, township: str) -> TargetRow:
        villages, note = item.get("villages"), item.get("note")
        heads = tuple((each, part.whole()) for each in insurances if (part := item.get(each)))
        name = item.get("name")
        return TargetRow(
            township,
            name.text() if name else "",
            villages.whole() if villages else None,
            heads,
            note.text() if note else "",
        )

    rows: list[TargetRow] = []
    for item in entry.at("rows").items():
        item.only("township name", f"villages note {columns}")
        township = item.at("township").text()
        if not (township.isdigit() and len(township) == 9):
            raise item.at("township").error("not_a_code", value=township)
        if township in {each.township for each in rows}:
            raise item.at("township").error("code_twice", code=township, first="")
        rows.append(row(item, township))
    printed = None
    if (part := entry.get("printed_total")) is not None:
        part.only(optional=f"villages note {columns}")
        printed = row(part, "")
    effect: dict[str, object] = {"rows": len(rows)}
    targets = Targets("", tuple(rows), printed, entry.clause())
    for insurance in insurances:
        effect[insurance] = {
            "sum_of_rows": targets.total(insurance),
            "printed": dict(printed.heads).get(insurance) if printed else None,
            "difference": targets.difference(insurance),
        }
    code, clause = book.add(entry, "targets", effect=effect)
    return Targets(code, tuple(rows), printed, clause)


def _note(entry: Entry, kind: str, book: Book) -> None:
    entry.only(_RULE, _NOTE_KEYS)
    insurance = entry.get("insurance")
    if (setting := entry.get("setting")) is not None:
        _check_setting_name(setting)
    effect: dict[str, object] = {
        key: value
        for key, value in entry.mapping().items()
        if key not in ("code", "clause", "lines", "name", "insurance")
    }
    book.add(entry, kind, insurance=insurance.choice(*book.insurances) if insurance else "", effect=effect)


def _check_setting_name(entry: Entry) -> None:
    """A rule that names the setting which decides it names one that exists."""
    name = entry.text()
    if ALIASES.get(name, name) not in SETTINGS:
        raise entry.error("unknown_setting", name=name)
