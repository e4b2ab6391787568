"""Reads: plans as checked rules, answers for rows of facts, the parts of an answer with their clauses."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from enrollment.models import CollectionPlan
from subsidies.rules.evaluator import evaluation_sql
from subsidies.rules.facts import FACT_COLUMNS, RESULT_COLUMNS, facts_row
from subsidies.rules.outcomes import EXTRA_CODE
from subsidies.rules.parse import load_plan_text
from subsidies.rules.plan import PERSONAL, Plan
from subsidies.rules.source import PlanError

PLANS: Final = Path(settings.BASE_DIR) / "fixtures" / "plans"
_KEPT_PLANS: Final = 16

_rule_books: dict[tuple[int, str], Plan] = {}


@lru_cache(maxsize=1)
def known_categories() -> frozenset[str]:
    """Codes of the special groups a plan may map its words to."""
    text = (PLANS / "vocabulary" / "categories.yaml").read_text(encoding="utf-8")
    return frozenset(str(code) for code in yaml.safe_load(text))


def rule_book(plan: CollectionPlan) -> Plan:
    """The checked rules of a loaded plan, parsed once per text. Raises PlanError if it has none."""
    key = (plan.pk, plan.source_sha256)
    book = _rule_books.get(key)
    if book is None:
        book = load_plan_text(plan.document.get("text", ""), known_categories())
        while len(_rule_books) >= _KEPT_PLANS:
            _rule_books.pop(next(iter(_rule_books)))
        _rule_books[key] = book
    return book


def rule_book_of(plan: CollectionPlan, version: int) -> Plan:
    """The rules of a plan in the version something was priced by; those in force where that text is gone."""
    if version == plan.version:
        return rule_book(plan)
    # the same public paper in an earlier text
    other = CollectionPlan.objects.filter(code=plan.code, version=version).first()
    return rule_book(other if other is not None else plan)


def fixture_path(code: str) -> Path:
    """Where the plan file of a code lies, whether or not there is one."""
    return PLANS / f"{code}.yaml"


def plan_from_file(path: Path) -> Plan:
    """Read and check a plan file. Raises PlanError with line and reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PlanError("no_such_plan", path=path.name) from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError("unreadable", path=path.name, problem=type(error).__name__) from None
    return load_plan_text(text, known_categories())


def find_rule_book(code: str) -> Plan:
    """The loaded version in force of a plan, else its file. Raises PlanError where there is neither."""
    # the code decides alone here: plans are public papers, no resident's data
    loaded = CollectionPlan.objects.in_force().filter(code=code).first()
    return rule_book(loaded) if loaded is not None else plan_from_file(fixture_path(code))


def price(
    plan: Plan,
    insurance: str,
    rows: Sequence[Mapping[str, Any]],
    overrides: Mapping[str, object] | None = None,
) -> list[dict[str, Any]]:
    """Ask the evaluator about `rows` of facts (keys of FACT_COLUMNS); answers in their order.

    Every row names a `subject` (unique among the rows) and a `payment_date`; a fact left out is unknown. Dates
    may be dates or ISO text, the tier a number or text. An answer has the keys of RESULT_COLUMNS. Writes
    nothing. Raises PlanError for an unknown setting, an insurance the plan does not have, and rows without
    subject or date.
    """
    if not rows:
        return []
    for row in rows:
        if row.get("subject") is None or row.get("payment_date") is None:
            raise PlanError("fact_missing", key="subject / payment_date")
        if unknown := row.keys() - FACT_COLUMNS.keys():
            raise PlanError("unknown_key", key=", ".join(sorted(unknown)), known=", ".join(FACT_COLUMNS))
    columns = ", ".join(f"{name} {kind}" for name, kind in FACT_COLUMNS.items())
    statement = evaluation_sql(plan, insurance, overrides)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH facts AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS given({columns})) {statement}",
            [json.dumps(list(rows), cls=DjangoJSONEncoder)],
        )
        names = [column.name for column in cursor.description or ()]
        answers = {answer[0]: dict(zip(names, answer, strict=True)) for answer in cursor.fetchall()}
    if len(answers) != len(rows):
        raise PlanError("subject_twice")
    return [answers[int(row["subject"])] for row in rows]


def explain_parts(plan: Plan, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts of an answer: who pays how much by which rule, with the words it stands on.

    Each is {payer, amount, rule, clause, lines}; `payer` is personal, a payer of the plan, fiscal_subsidy,
    pension_subsidy or family_planning_subsidy. What is nothing is left out, except the personal amount.
    """
    waiver, standard = answer["waiver_code"], answer["standard_code"]
    pension = answer["fiscal_subsidy_amount"] is None and answer["pension_government_subsidy"] is not None
    subsidy = "pension_subsidy" if pension else "fiscal_subsidy"
    parts: list[tuple[str, Decimal | None, str | None]] = [
        (PERSONAL, answer["personal_amount"], waiver or standard),
        *((answer[f"payer_{place}"], answer[f"amount_{place}"], waiver) for place in (1, 2)),
        (
            subsidy,
            answer["pension_government_subsidy"] if pension else answer["fiscal_subsidy_amount"],
            answer["subsidy_code"],
        ),
        ("family_planning_subsidy", answer["family_planning_subsidy"], answer["family_code"]),
    ]
    return [
        {"payer": payer, "amount": amount, **_cited(plan, code)}
        for payer, amount, code in parts
        if amount is not None and (amount or payer == PERSONAL)
    ]


def explain_decision(plan: Plan, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Why the answer is what it is: {decision, reason, timing, benefit_start, rule, clause, lines}."""
    told = {key: answer[key] for key in ("decision", "reason", "timing", "benefit_start", "benefit_end")}
    return {**told, **_cited(plan, answer["decision_code"])}


def _cited(plan: Plan, code: str | None) -> dict[str, str]:
    rule = plan.rule(code) if code and code != EXTRA_CODE else None
    return {
        "rule": code or "",
        "clause": rule.clause.text if rule else "",
        "lines": rule.clause.lines if rule else "",
    }


# worked examples

_EXAMPLE_KEYS: Final = {"id", "insurance", "resident", "payment_date", "expected"}
_MAPPINGS: Final = ("resident", "expected")
_TOLD: Final = (*RESULT_COLUMNS, "payers")
_QUOTE: Final = ("tier", "payment_date", "route")
_PAYERS: Final = "payers"
_OF_RULES: Final = ("subsidy_payer", "family_payer", "personal_year", "fiscal_year")
"""Keys of `expected` that are read from the rules an answer names."""


@dataclass(frozen=True)
class Checked:
    """A plan against its worked examples: {id: {key: (expected, actual)}} of those that differ."""

    plan: str
    total: int
    failed: Mapping[str, Mapping[str, tuple[object, object]]]

    @property
    def passed(self) -> int:
        return self.total - len(self.failed)


def examples_path(code: str) -> Path:
    """Where a plan's worked examples lie."""
    return PLANS / "examples" / f"{code}.json"


def plan_examples(code: str, version: int = 1) -> list[dict[str, Any]]:
    """All worked examples of a plan: its file, and `<code>-own.json` with those added so that every rule has one.

    An amended version may have `<code>-v2.json` and so on: examples of a known id take the place of the earlier ones.
    Raises PlanError where there is no file of the plan, or one cannot be read.
    """
    added = PLANS / "examples" / f"{code}-own.json"
    found = read_examples(examples_path(code), code) + (read_examples(added, code) if added.exists() else [])
    for number in range(2, version + 1):
        amended = PLANS / "examples" / f"{code}-v{number}.json"
        if amended.exists():
            by_id = {str(each["id"]): each for each in found}
            by_id |= {str(each["id"]): each for each in read_examples(amended, code)}
            found = list(by_id.values())
    return found


def examples_of(plan: CollectionPlan) -> list[dict[str, Any]]:
    """A loaded version's worked examples: those of its files, with the answers somebody has accepted for it."""
    found = plan_examples(plan.code, plan.version)
    return [
        {**each, "expected": {**each["expected"], **plan.examples[str(each["id"])]}}
        if str(each["id"]) in plan.examples
        else each
        for each in found
    ]


def facts_of(plan: Plan, example: Mapping[str, Any], subject: int) -> dict[str, object]:
    """The row of facts of an example. Raises PlanError naming it for anything that is not a fact."""
    try:
        quote = {key: example.get(key) for key in _QUOTE}
        return facts_row(subject, example["resident"], quote, plan.categories)
    except PlanError as error:
        raise error.within(str(example["id"])) from None


def read_examples(path: Path, plan: str) -> list[dict[str, Any]]:
    """The examples of a file for a plan. Raises PlanError for a file that is none, another plan's, or empty."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise PlanError("no_such_file", path=path.name) from None
    except json.JSONDecodeError as error:
        raise PlanError("not_json", path=path.name, at=error.lineno) from None
    except RecursionError:
        raise PlanError("not_json", path=path.name, at=1) from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError("unreadable", path=path.name, problem=type(error).__name__) from None
    found = document.get("examples") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise PlanError("not_examples", path=path.name, problem="examples")
    if document.get("plan") != plan:
        raise PlanError("other_plan", other=document.get("plan"), plan=plan)
    if not found:
        raise PlanError("no_examples", path=path.name)
    names: set[str] = set()
    for place, example in enumerate(found, start=1):
        if wrong := _wrong(example):
            known = isinstance(example, dict) and isinstance(example.get("id"), str) and example["id"]
            problem = f"{known or f'#{place}'}: {', '.join(sorted(wrong))}"
            raise PlanError("not_examples", path=path.name, problem=problem)
        if example["id"] in names:
            raise PlanError("example_twice", path=path.name, name=example["id"])
        names.add(example["id"])
    return found


def _wrong(example: object) -> set[str]:
    """The keys of an example that are missing or hold something else than they should."""
    if not isinstance(example, dict):
        return {"{}"}
    wrong = _EXAMPLE_KEYS - example.keys()
    wrong |= {key for key in _MAPPINGS if not isinstance(example.get(key), dict)}
    wrong |= {key for key in ("id", "insurance") if not example.get(key) or not isinstance(example[key], str)}
    if example.get("settings") is not None and not isinstance(example["settings"], dict):
        wrong.add("settings")
    return wrong


def check_examples(plan: Plan, examples: Sequence[Mapping[str, Any]]) -> Checked:
    """Run worked examples through the evaluator, those with equal settings together. Writes nothing.

    Only the keys present in `expected` are compared; of warnings each one listed must be among those given.
    Raises PlanError naming the example for facts and settings that are none.
    """
    together: dict[tuple[str, str], list[tuple[Mapping[str, Any], dict[str, object]]]] = {}
    for subject, example in enumerate(examples, start=1):
        row = facts_of(plan, example, subject)
        settings_key = json.dumps(example.get("settings") or {}, sort_keys=True)
        together.setdefault((example["insurance"], settings_key), []).append((example, row))
    failed: dict[str, dict[str, tuple[object, object]]] = {}
    for (insurance, settings_key), members in together.items():
        try:
            answers = price(plan, insurance, [row for _, row in members], json.loads(settings_key))
        except PlanError as error:
            raise error.within(str(members[0][0]["id"])) from None
        for (example, _), answer in zip(members, answers, strict=True):
            if found := differences(plan, example["expected"], answer):
                failed[str(example["id"])] = found
    in_order = {str(each["id"]): failed[str(each["id"])] for each in examples if str(each["id"]) in failed}
    return Checked(plan.code, len(examples), in_order)


def differences(
    plan: Plan, expected: Mapping[str, object], answer: Mapping[str, Any]
) -> dict[str, tuple[object, object]]:
    """What an answer has otherwise than expected: {key: (expected, actual)}."""
    result: dict[str, tuple[object, object]] = {}
    for key, wanted in expected.items():
        got = _of_rules(plan, answer, key) if key in _OF_RULES else told(answer, key)
        if key == "warnings" and isinstance(wanted, list) and isinstance(got, list):
            same = all(each in got for each in wanted)
        else:
            same = got == wanted and (key in _TOLD or key in _OF_RULES)
        if not same:
            result[key] = (wanted, got)
    return result


def _of_rules(plan: Plan, answer: Mapping[str, Any], key: str) -> object:
    """What the rules an answer names say beside its amounts: who pays a subsidy, the year a figure is labelled."""
    if key.endswith("_payer"):
        code = answer["family_code" if key == "family_payer" else "subsidy_code"]
        rule = plan.rule(code) if code else None
        return rule.shares[0][0] if rule and rule.shares else None
    standard = plan.premium().standard
    if key == "personal_year":
        return standard.personal_year
    return next(
        (year for year, amount in standard.fiscal_figures if amount == answer["fiscal_subsidy_amount"]), None
    )


def told(answer: Mapping[str, Any], key: str) -> object:
    """A value of an answer as JSON has it: amounts and dates as text, payers as {payer: amount}."""
    if key == _PAYERS:
        pairs = ((answer[f"payer_{place}"], answer[f"amount_{place}"]) for place in (1, 2))
        return {payer: f"{amount:.2f}" for payer, amount in pairs if payer}
    value = answer.get(key)
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return value.isoformat() if isinstance(value, datetime.date) else value
