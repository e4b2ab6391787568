"""Put a question to the evaluator the way users do: worked examples through the command `check_plan`."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from django.core.management import call_command

RESIDENT: dict[str, Any] = {
    "birth_date": "1985-05-05",
    "sex": None,
    "household_registration": "local",
    "residence_permit": False,
    "in_school": False,
    "school": None,
    "employee_pension": False,
    "employee_medical": False,
    "categories": [],
    "disability_grade": None,
    "family": None,
    "death_date": None,
    "other_enrolment": None,
}


def example(
    name: str,
    insurance: str,
    expected: dict[str, Any],
    *,
    settings: dict[str, Any] | None = None,
    **given: Any,
) -> dict[str, Any]:
    """A worked example; facts of the resident and of the quote by name, the rest ordinary."""
    quote = {"tier": None, "payment_date": "2022-11-30", "route": "village"}
    quote |= {key: given.pop(key) for key in list(given) if key in quote}
    asked = {"id": name, "insurance": insurance, "resident": RESIDENT | given, **quote, "expected": expected}
    return asked | ({"settings": settings} if settings else {})


def check(
    plan: str, examples: list[dict[str, Any]] | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """The JSON answer of `check_plan`: of the plan's own examples, or of `examples` written to `folder`."""
    arguments = [plan, "--json"]
    if examples is not None and folder is not None:
        path = folder / "examples.json"
        path.write_text(json.dumps({"plan": plan, "examples": examples}), encoding="utf-8")
        arguments += ["--examples", str(path)]
    out = io.StringIO()
    with contextlib.suppress(SystemExit):  # 1 when an example differs
        call_command("check_plan", *arguments, stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return answer


def holds(plan: str, examples: list[dict[str, Any]], folder: Path) -> None:
    """Every example must come out as expected."""
    answer = check(plan, examples, folder)
    assert answer["failed"] == []
    assert answer["total"] == answer["passed"] == len(examples)
