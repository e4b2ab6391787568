"""Reads: a plan as checked rules, priced answers for rows of facts, and the parts of an answer with their clauses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
from subsidies.rules.facts import FACT_COLUMNS
from subsidies.rules.outcomes import EXTRA_CODE
from subsidies.rules.parse import load_plan_text, parse_plan
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
    """The checked rules of a loaded plan, parsed once per version of its text. Raises PlanError if it has none."""
    key = (plan.pk, plan.source_sha256)
    book = _rule_books.get(key)
    if book is None:
        book = parse_plan(plan.document, known_categories())
        while len(_rule_books) >= _KEPT_PLANS:
            _rule_books.pop(next(iter(_rule_books)))
        _rule_books[key] = book
    return book


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
    """The newest loaded version of a plan, else its file. Raises PlanError where there is neither."""
    # the code decides alone here: plans are public papers, no resident's data
    loaded = CollectionPlan.objects.filter(code=code).order_by("-version").first()
    return rule_book(loaded) if loaded is not None else plan_from_file(fixture_path(code))


def price(
    plan: Plan,
    insurance: str,
    rows: Sequence[Mapping[str, Any]],
    overrides: Mapping[str, object] | None = None,
) -> list[dict[str, Any]]:
    """Ask the evaluator about `rows` of facts (keys of FACT_COLUMNS, absent is unknown), answers in their order.

    Every row names a `subject` (unique among the rows) and a `payment_date`. Dates may be dates or ISO text, the
    tier a number or text. An answer has the keys of RESULT_COLUMNS. Writes nothing. Raises PlanError for an unknown
    setting, an insurance the plan does not have, and rows without subject or date.
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
            f"WITH facts AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS given({columns})) {statement}",  # noqa: S608 - made of constants
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
