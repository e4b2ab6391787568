"""The national rules of 2025: two fiscal figures, waiting after missed years, newborns; each also as a local setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subsidies.queries import explain_decision, fixture_path, plan_from_file, price
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from tests.subsidies.asking import example, holds

pytestmark = pytest.mark.django_db

LATE: dict[str, Any] = {"payment_date": "2025-03-15"}
ON_TIME: dict[str, Any] = {"payment_date": "2024-11-30"}


def ask(settings: dict[str, Any] | None = None, **facts: Any) -> dict[str, Any]:
    book = plan_from_file(fixture_path("national-2025"))
    row = {"subject": 1, "birth_date": "1985-05-05", "household_registration": "local"} | facts
    return price(book, "medical", [row], settings)[0]


@pytest.mark.covers("E036", "E041")
def test_figures_and_waiting_through_the_command(tmp_path: Path) -> None:
    holds(
        "national-2025",
        [
            example("printed beside 400", "medical", {"personal_amount": "400.00", "fiscal_subsidy_amount": "670.00",
                    "fiscal_year": "2024", "total_amount": "1070.00"}, **ON_TIME),
            example("labelled 2025", "medical", {"fiscal_subsidy_amount": "700.00", "fiscal_year": "2025"},
                    settings={"medical.fiscal_year": 2025}, **ON_TIME),
            example("fixed three months", "medical", {"timing": "late", "benefit_start": "2025-07-01"}, **LATE),
            example("two further years", "medical", {"benefit_start": "2025-09-01"}, missed_years=2, **LATE),
            example("one of them paid back", "medical", {"benefit_start": "2025-08-01"}, missed_years=2,
                    repaired_years=1, **LATE),
            example("six months at the least", "medical", {"benefit_start": "2025-10-01"}, missed_years=4,
                    repaired_years=4, **LATE),
            example("born 90 days ago", "medical", {"timing": "on_time", "benefit_start": "2025-01-01"},
                    birth_date="2024-12-15", **LATE),
        ],
        tmp_path,
    )  # fmt: skip


def test_the_reason_of_the_first_day_is_cited() -> None:
    book = plan_from_file(fixture_path("national-2025"))
    for facts, rule, words in (
        (ON_TIME, "medical_collection", "集中参保期"),
        (LATE, "medical_late", "固定待遇等待期3个月"),
        (ON_TIME | {"missed_years": 2}, "medical_interruption", "每多断保1年"),
        (LATE | {"missed_years": 2}, "medical_interruption", "每多断保1年"),
        (LATE | {"birth_date": "2025-02-01"}, "special_case_newborn", "新生儿"),
    ):
        told = explain_decision(book, ask(**facts))
        assert told["rule"] == rule
        assert words in told["clause"]
        assert told["lines"] == "国办发〔2024〕38号"


@pytest.mark.covers("E041")
def test_a_newborn_is_a_case_of_the_medical_bureau_or_a_local_setting() -> None:
    """峄城 leaves newborns to its bureau and prints no price: referred with that clause, until the setting decides."""
    book = plan_from_file(fixture_path("yicheng-2022"))
    row = {
        "subject": 1,
        "birth_date": "2022-05-01",
        "household_registration": "local",
        "payment_date": "2022-06-01",
    }
    special = price(book, "medical", [row])[0]
    assert (special["decision"], special["reason"], special["personal_amount"]) == ("refer", "newborn", None)
    assert "新生儿缴费等业务的核定工作" in explain_decision(book, special)["clause"]
    covered = price(book, "medical", [row], {"medical.newborn_rule": "from_birth"})[0]
    assert (covered["timing"], str(covered["personal_amount"]), str(covered["benefit_start"])) == (
        "on_time", "320.00", "2022-05-01",
    )  # fmt: skip
    older = row | {"birth_date": "2022-03-02"}  # 91 days
    for reading in ({}, {"medical.newborn_rule": "from_birth"}):
        assert price(book, "medical", [older], reading)[0]["timing"] == "late"
        assert price(book, "medical", [older], reading)[0]["decision"] == "accept"
    silent = plan_from_file(fixture_path("dianzi-2018"))
    asked = {
        "subject": 1,
        "birth_date": "2018-02-01",
        "household_registration": "local",
        "payment_date": "2018-03-01",
    }
    assert price(silent, "medical", [asked], {"medical.fiscal": 450})[0]["decision"] == "accept"


def test_a_label_no_figure_has_is_refused() -> None:
    with pytest.raises(PlanError) as refused:
        ask({"medical.fiscal_year": 2030}, **ON_TIME)
    assert "2024, 2025" in describe(refused.value)


SPOILT = [
    ("{amount: 700, label_year: 2025}", "{amount: 700, label_year: 2024}", "label_twice"),
    ("total: 1070", "total: 1100", "total_not_sum"),
    ("waiting: {months: 3}", "waiting: {days: 90}", "missing_key"),
    ("    each_repaired_year: 1\n", "", "missing_key"),
    ("at_least: {years: 4, months: 6}", "at_least: {years: 4}", "missing_key"),
    ("    lines: 国办发〔2024〕38号\n", "    lines: 国办发\n", "not_lines"),
]  # fmt: skip


@pytest.mark.parametrize("there, instead, reason", SPOILT, ids=[each[2] + each[0][:12] for each in SPOILT])
def test_mistakes_in_the_waiting_rules_are_refused_with_their_line(
    there: str, instead: str, reason: str, tmp_path: Path
) -> None:
    text = fixture_path("national-2025").read_text(encoding="utf-8")
    assert there in text
    path = tmp_path / "spoilt.yaml"
    path.write_text(text.replace(there, instead, 1), encoding="utf-8")
    with pytest.raises(PlanError) as refused:
        plan_from_file(path)
    assert refused.value.code == reason
    assert refused.value.line > 0
