"""Each plan proves itself by its worked examples: defaults of every certainty, and the other readings by setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from subsidies.queries import PLANS, fixture_path, plan_examples, plan_from_file, price
from tests.subsidies.asking import check, example, holds

pytestmark = pytest.mark.django_db

PLANS_WITH_EXAMPLES = sorted(path.stem for path in PLANS.glob("*.yaml"))


@pytest.mark.covers("E013", "E015", "E018", "E019", "E024", "E026", "E027", "E028", "E030", "E035", "E037")
@pytest.mark.covers("E032", "E038", "E040", "E042", "E043", "E044", "E045", "E048", "E049", "E052")
@pytest.mark.parametrize("plan", PLANS_WITH_EXAMPLES)
def test_worked_examples_pass(plan: str) -> None:
    """All examples of a plan, the official ones and those added, through the command."""
    answer = check(plan)
    assert answer["failed"] == []
    assert answer["total"] == answer["passed"] == len(plan_examples(plan)) > 12


def test_examples_are_told_apart_by_name() -> None:
    for plan in PLANS_WITH_EXAMPLES:
        names = [each["id"] for each in plan_examples(plan)]
        assert len(set(names)) == len(names)
        assert all(name.startswith(f"{plan}/") for name in names)


FULL = {"decision": "accept", "personal_amount": "350.00", "government_paid_amount": "0.00", "payers": {}}
HALF = {"personal_amount": "175.00", "payers": {"government_or_department": "175.00"}}
FREE = {"personal_amount": "0.00", "payers": {"government_or_department": "350.00"}}

DIANZI_EDGES = [
    example("one missing", "medical", {"decision": "accept", "warnings": ["household_incomplete"]},
            payment_date="2017-11-30", household={"members": 4, "enrolled": 2, "employee_medical": 1}),
    example("village after 10 December", "medical", {"decision": "refer", "reason": "route_closed"},
            payment_date="2017-12-11"),
    example("office after 10 December", "medical", {"decision": "accept", "timing": "on_time"},
            payment_date="2017-12-11", route="township_hr_office"),
    example("late without the figure", "medical", {"decision": "amount_not_configured", "timing": "late"},
            payment_date="2018-01-01", route="township_hr_office"),
    example("a lower waiver beats the allowance", "medical", {"decision": "accept", "personal_amount": "0.00"},
            payment_date="2017-11-30", birth_date="1943-05-05", categories=["dibao", "old_age_allowance"]),
    example("student from elsewhere", "medical", {"decision": "accept", "personal_amount": "180.00"},
            payment_date="2017-11-30", birth_date="1999-05-05", household_registration="outside", in_school=True,
            school="vocational"),
]  # fmt: skip


@pytest.mark.covers("E016", "E025", "E039", "E045", "E051", "E052", "E083")
def test_bounds_of_dianzi_2018(tmp_path: Path) -> None:
    holds("dianzi-2018", DIANZI_EDGES, tmp_path)


def test_a_whole_household_is_not_warned_about() -> None:
    book = plan_from_file(fixture_path("dianzi-2018"))
    person = {"birth_date": "1985-05-05", "household_registration": "local", "payment_date": "2017-11-30"}
    households = [(4, 3, 1), (4, 4, None), (4, 3, None), (None, None, None)]
    rows = [
        person
        | {
            "subject": place,
            "household_members": members,
            "household_enrolled": enrolled,
            "household_employee_medical": employed,
        }
        for place, (members, enrolled, employed) in enumerate(households, start=1)
    ]
    warned = [answer["warnings"] for answer in price(book, "medical", rows)]
    assert warned == [[], [], ["household_incomplete"], []]
    assert not any(
        answer["warnings"] for answer in price(book, "medical", rows, {"medical.household_mode": "ignore"})
    )


SILENCE = [
    example("unknown birth date", "medical", {"decision": "refer", "reason": "birth_date_missing"}, birth_date=None),
    example("no tier chosen", "pension", {"decision": "hold", "reason": "tier_not_chosen"}),
    example("a near name of a group for tier 100", "pension", {"decision": "refer", "reason": "tier_100_not_allowed"},
            tier=100, categories=["registered_poor_not_out"]),
    example("after the year", "medical", {"decision": "refer", "reason": "after_coverage_year"},
            payment_date="2024-01-01"),
]  # fmt: skip


def test_silence_refers_and_never_takes_the_highest_price(tmp_path: Path) -> None:
    holds("shanting-2023", SILENCE, tmp_path)


EDGES = [
    example("eve of the period", "medical", {"decision": "hold", "timing": "before_window"}, payment_date="2022-09-30"),
    example("first day", "medical", {"timing": "on_time", "benefit_start": "2023-01-01"}, payment_date="2022-10-01"),
    example("last day", "medical", {"timing": "on_time", "benefit_start": "2023-01-01"}, payment_date="2022-12-31"),
    example("first late day", "medical", {"timing": "late", "benefit_start": "2023-05-01"}, payment_date="2023-01-01"),
    example("last month with cover", "medical", {"benefit_start": "2023-12-01", "benefit_end": "2023-12-31",
                                                  "warnings": []}, payment_date="2023-08-31"),
    example("first month without", "medical", {"decision": "accept", "benefit_start": None, "benefit_end": None,
                                                "warnings": ["no_cover_left"]}, payment_date="2023-09-01"),
    example("59", "medical", FULL, birth_date="1963-01-01"),
    example("60", "medical", HALF, birth_date="1962-12-31"),
    example("69", "medical", HALF, birth_date="1953-01-01"),
    example("70", "medical", FREE, birth_date="1952-12-31"),
    example("dead the day of payment", "medical", {"reason": "deceased"}, death_date="2022-11-30"),
    example("dead a day later", "medical", {"decision": "accept"}, death_date="2022-12-01"),
    example("dead comes before paid twice", "medical", {"reason": "deceased"}, death_date="2022-11-01",
            other_enrolment="same_plan_paid"),
    example("outside comes before employed", "medical", {"reason": "not_in_scope"}, employee_medical=True,
            household_registration="outside"),
    example("five guarantees are tekun", "medical", FREE, categories=["wubao"]),
    example("tekun is five guarantees", "pension", {"decision": "accept", "personal_amount": "100.00"}, tier=100,
            categories=["tekun"]),
    example("no tier of the plan", "pension", {"decision": "refuse", "reason": "unknown_tier"}, tier=400),
    example("tier 100 for nobody else", "pension", {"decision": "refuse", "reason": "tier_100_not_allowed"}, tier=100),
    example("eve of the stage", "pension", {"decision": "hold", "timing": "before_window"}, tier=300,
            payment_date="2022-10-15"),
    example("first day of the stage", "pension", {"decision": "accept", "timing": "on_time"}, tier=300,
            payment_date="2022-10-16"),
    example("paid elsewhere", "medical", {"decision": "refuse", "reason": "duplicate_elsewhere"},
            other_enrolment="medical_outside_pool_city"),
    example("which says nothing of pension", "pension", {"decision": "accept"}, tier=300,
            other_enrolment="medical_outside_pool_city"),
    *(example(f"tier {tier}", "pension", {"personal_amount": f"{tier}.00", "pension_government_subsidy": subsidy,
                                          "total_amount": f"{tier}.00"}, tier=tier)
      for tier, subsidy in ((300, "30.00"), (500, "60.00"), (600, "60.00"), (800, "80.00"), (1500, "80.00"),
                            (2000, "80.00"), (2500, "80.00"), (3000, "80.00"), (4000, "80.00"), (5000, "80.00"))),
]  # fmt: skip


@pytest.mark.covers("E007", "E019", "E024", "E026", "E027", "E028", "E037", "E040", "E043")
def test_bounds_of_shanting_2023(tmp_path: Path) -> None:
    holds("shanting-2023", EDGES, tmp_path)


def test_a_wrong_expectation_is_found_and_named(tmp_path: Path) -> None:
    wrong = example("wrong", "medical", {"decision": "accept", "personal_amount": "351.00"})
    answer = check("shanting-2023", [wrong, example("right", "medical", FULL)], tmp_path)
    assert (answer["total"], answer["passed"]) == (2, 1)
    assert answer["failed"] == [{"id": "wrong", "differences": {"personal_amount": ["351.00", "350.00"]}}]
