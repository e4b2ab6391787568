"""Each plan proves itself by its worked examples: defaults of every certainty, and the other readings by setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subsidies.queries import PLANS, fixture_path, plan_examples, plan_from_file, price
from tests.subsidies.asking import check, example, holds

pytestmark = pytest.mark.django_db

EXAMPLES = [
    (path.stem, each["id"]) for path in sorted(PLANS.glob("*.yaml")) for each in plan_examples(path.stem)
]

_answers: dict[str, dict[str, Any]] = {}


@pytest.mark.covers("E013", "E015", "E018", "E019", "E024", "E026", "E027", "E028", "E030", "E035", "E037")
@pytest.mark.covers("E040", "E042", "E043", "E049")
@pytest.mark.parametrize("plan, name", EXAMPLES, ids=[name for _, name in EXAMPLES])
def test_worked_example_passes(plan: str, name: str) -> None:
    if plan not in _answers:
        _answers[plan] = check(plan)
    answer = _answers[plan]
    assert answer["total"] == sum(each == plan for each, _ in EXAMPLES)
    failed = {each["id"]: each["differences"] for each in answer["failed"]}
    assert failed.get(name) is None


def test_every_plan_file_has_examples() -> None:
    assert {path.stem for path in PLANS.glob("*.yaml")} == {plan for plan, _ in EXAMPLES}


FULL = {"decision": "accept", "personal_amount": "350.00", "government_paid_amount": "0.00", "payers": {}}
HALF = {"personal_amount": "175.00", "payers": {"government_or_department": "175.00"}}
FREE = {"personal_amount": "0.00", "payers": {"government_or_department": "350.00"}}

OTHER_READINGS = [
    example("M-05", "medical", FULL, birth_date="1962-12-31", settings={"medical.age_reference_date": "payment_date"}),
    example("M-07", "medical", HALF, birth_date="1963-06-15",
            settings={"medical.age_reference_date": "within_coverage_year"}),
    example("first day of the year", "medical", HALF, birth_date="1963-01-01",
            settings={"medical.age_reference_date": "coverage_start"}),
    example("a day later", "medical", FULL, birth_date="1963-01-02",
            settings={"medical.age_reference_date": "coverage_start"}),
    example("M-19", "medical", FREE, categories=["disabled"], disability_grade=1,
            settings={"medical.waiver_categories_extra": ["severely_disabled"]}),
    example("M-19, grade 3", "medical", FULL, categories=["disabled"], disability_grade=3,
            settings={"medical.waiver_categories_extra": ["severely_disabled"]}),
    example("M-20", "medical", FREE, categories=["orphan"], settings={"medical.waiver_categories": ["orphan"]}),
    example("M-27", "medical", FREE | {"timing": "late", "benefit_start": "2023-03-10"}, birth_date="1947-05-05",
            payment_date="2023-03-10", settings={"medical.waiting_exempt_categories": ["waived"]}),
    example("M-27 by group", "medical", FREE | {"benefit_start": "2023-03-10"}, categories=["dibao"],
            payment_date="2023-03-10", settings={"medical.waiting_exempt_categories": ["dibao"]}),
    example("M-28", "medical", FULL | {"timing": "on_time"}, payment_date="2022-09-30",
            settings={"medical.window_open": "2022-09-01"}),
    example("M-29", "medical", {"decision": "hold", "timing": "before_window"}, payment_date="2022-10-10",
            settings={"plan.window_vs_stage": "stage"}),
    example("M-31", "medical", {"decision": "refuse", "reason": "employee_pension"}, employee_pension=True,
            settings={"scope.employee_exclusion_mode": "either"}),
    example("M-35", "medical", {"decision": "refuse", "reason": "not_in_scope"}, household_registration="outside",
            residence_permit="parent", birth_date="2015-01-01", settings={"scope.accompanying_children": False}),
    example("M-40", "medical", {"personal_amount": "177.78", "government_paid_amount": "177.77",
                                "payers": {"government_or_department": "177.77"}}, birth_date="1957-05-05",
            settings={"medical.personal": 355.55, "money.rounding": "personal_half_up"}),
    example("students", "medical", FULL, household_registration="outside", in_school=True, school="university",
            settings={"scope.students_at_school_place": True}),
    example("local waivers only", "medical", FULL, household_registration="outside", residence_permit=True,
            categories=["dibao"], settings={"waiver.requires_local_registration": True}),
    example("no cover left", "medical", {"decision": "refuse", "reason": "no_cover_left"}, payment_date="2023-09-01",
            settings={"medical.late_no_cover_action": "refuse"}),
    example("P-11", "pension", {"personal_amount": "0.00", "payers": {"government": "100.00"}}, tier=100,
            categories=["dibao"], settings={"pension.government_paid_categories_extra": ["dibao"]}),
    example("P-14 on top", "pension", {"personal_amount": "500.00", "government_paid_amount": "100.00"}, tier=500,
            categories=["disabled"], disability_grade=1,
            settings={"pension.government_paid_higher_tier": "on_top"}),
    example("P-14 none", "pension", {"personal_amount": "500.00", "government_paid_amount": "0.00", "payers": {}},
            tier=500, categories=["disabled"], disability_grade=1,
            settings={"pension.government_paid_higher_tier": "none"}),
    example("P-14 only 100", "pension", {"decision": "refuse"}, tier=500, categories=["disabled"], disability_grade=1,
            settings={"pension.government_paid_higher_tier": "tier_100_only"}),
    example("P-16", "pension", {"decision": "refuse", "reason": "under_16"}, tier=300, birth_date="2006-12-31",
            settings={"pension.min_age_reference": "payment_date"}),
    example("P-16 by the year's end", "pension", {"decision": "accept"}, tier=300, birth_date="2006-12-31",
            settings={"pension.min_age_reference": "prior_year_end"}),
    example("P-24", "pension", {"decision": "accept", "personal_amount": "300.00"}, tier=300, birth_date="1962-12-31",
            settings={"pension.max_age": "accept"}),
    example("P-25", "pension", {"decision": "refer", "timing": "out_of_period"}, tier=300, payment_date="2023-01-05",
            settings={"pension.late_rule": "refer"}),
    example("P-26", "pension", {"decision": "refuse", "reason": "not_in_scope"}, tier=300,
            household_registration="outside", residence_permit=True, settings={"scope.pension_permit_holders": False}),
    example("pension from 1 October", "pension", {"decision": "accept"}, tier=300, payment_date="2022-10-01",
            settings={"pension.window": "window"}),
]  # fmt: skip


@pytest.mark.parametrize("asked", OTHER_READINGS, ids=[each["id"] for each in OTHER_READINGS])
def test_setting_turns_the_answer_to_the_other_reading(asked: dict[str, Any], tmp_path: Path) -> None:
    holds("shanting-2023", [asked], tmp_path)
    without = {key: value for key, value in asked.items() if key != "settings"}
    turned = check("shanting-2023", [without], tmp_path)["failed"]
    same_as_default = {"P-16", "a day later", "M-19, grade 3"}
    assert bool(turned) != (asked["id"] in same_as_default)


YICHENG = [
    example("M-20 as late", "medical", {"timing": "late", "personal_amount": "900.00", "benefit_start": "2022-01-31"},
            payment_date="2021-12-31", settings={"medical.gap_rule": "late"}),
    example("M-20 refused", "medical", {"decision": "refuse", "timing": "out_of_period"}, payment_date="2021-12-31",
            settings={"medical.gap_rule": "refuse"}),
    example("M-21", "medical", {"benefit_start": "2022-01-31"}, payment_date="2022-01-01",
            settings={"medical.waiting_day_count": "include_payment_day"}),
    example("M-23 a", "medical", {"decision": "accept", "personal_amount": "580.00", "benefit_start": "2022-02-10"},
            payment_date="2022-01-10", birth_date="1946-05-05",
            settings={"medical.late_waived_groups": "personal_share_only"}),
    example("M-23 b", "medical", {"decision": "accept", "personal_amount": "0.00", "government_paid_amount": "900.00"},
            payment_date="2022-01-10", birth_date="1946-05-05", settings={"medical.late_waived_groups": "whole_cost"}),
    example("M-23 c", "medical", {"decision": "accept", "personal_amount": "900.00"}, payment_date="2022-01-10",
            birth_date="1946-05-05", settings={"medical.late_waived_groups": "none"}),
    example("P-11 offset", "pension", {"personal_amount": "200.00", "family_planning_subsidy": "300.00"}, tier=500,
            payment_date="2021-11-30", settings={"pension.fp_subsidy_mode": "offset"},
            family={"kind": "only_child", "lawful_birth": True, "wife_birth_date": "1971-06-01"}),
    example("P-13", "pension", {"family_planning_subsidy": "0.00"}, tier=500, payment_date="2021-11-30",
            family={"kind": "only_child", "lawful_birth": True, "wife_birth_date": "1971-12-31"},
            settings={"pension.fp_age_reference": "payment_date"}),
    example("P-14", "pension", {"family_planning_subsidy": "300.00"}, tier=500, payment_date="2021-11-30",
            family={"kind": "only_child", "lawful_birth": True, "wife_birth_date": "1972-01-01"},
            settings={"pension.fp_age_reference": "within_plan_year"}),
    example("P-17", "pension", {"family_planning_subsidy": "0.00", "government_paid_amount": "100.00"}, tier=100,
            payment_date="2021-11-30", categories=["disabled"], disability_grade=1, birth_date="1969-05-05",
            family={"kind": "only_child", "lawful_birth": True, "wife_birth_date": "1969-05-05"},
            settings={"pension.fp_subsidy_stacking": False}),
]  # fmt: skip

DIANZI = [
    example("M-07", "medical", {"decision": "accept", "personal_amount": "180.00"}, payment_date="2017-11-30",
            birth_date="1943-05-05", categories=["old_age_allowance"],
            settings={"medical.band70_with_allowance": "full_price"}),
    example("M-16", "medical", {"decision": "accept", "personal_amount": "0.00"}, payment_date="2017-11-30",
            categories=["tekun_urban"], settings={"medical.waiver_categories": ["tekun_urban"]}),
    example("M-22", "medical", {"personal_amount": "180.00"}, payment_date="2017-12-20", birth_date="1952-05-05",
            route="township_hr_office", settings={"medical.waiver_channels": ["village"]}),
    example("late with the figure", "medical", {"decision": "accept", "timing": "late", "personal_amount": "630.00",
            "benefit_start": "2018-02-01"}, payment_date="2018-01-01", settings={"medical.fiscal": 450}),
    example("registered poor, out", "medical", {"personal_amount": "180.00"}, payment_date="2017-11-30",
            categories=["registered_poor_out"], settings={"medical.registered_poor_scope": "not_out_only"}),
    example("P-18", "pension", {"decision": "accept", "personal_amount": "100.00"}, tier=100,
            payment_date="2017-11-30", categories=["youfu"], settings={"pension.tier100_categories": ["youfu"]}),
]  # fmt: skip

TENGZHOU = [
    example("M-14", "medical", {"personal_amount": "0.00"}, categories=["disabled"], disability_grade=3,
            settings={"medical.severe_grades": [1, 2, 3, 4]}),
    example("M-18", "medical", {"personal_amount": "350.00"}, birth_date="1992-05-05",
            categories=["rural_two_daughters"], settings={"medical.family_child_max_age": 18}),
    example("M-19", "medical", {"personal_amount": "350.00"}, categories=["only_child_loss_urban"],
            settings={"medical.family_rural_scope": "all_kinds"}),
    example("M-22", "medical", {"payers": {"county_finance": "175.00", "township_finance": "175.00"}},
            birth_date="1950-05-05", categories=["rural_one_daughter"],
            settings={"medical.payer_tie_order": ["medical_families"]}),
    example("M-24", "medical", {"payers": {"county_finance": "350.00"}}, birth_date="1950-05-05",
            categories=["dibao"], settings={"medical.payer_tie_order": ["medical_age_70"]}),
]  # fmt: skip

ZHANHE = [
    example("amounts entered", "medical", {"decision": "accept", "personal_amount": "220.00",
            "fiscal_subsidy_amount": "490.00", "total_amount": "710.00"}, payment_date="2018-11-01",
            settings={"medical.personal": 220, "medical.fiscal": 490}),
    example("M-04", "medical", {"decision": "refer"}, payment_date="2018-11-01", birth_date="1995-05-05",
            household_registration="outside", in_school=True, school="postgraduate",
            settings={"scope.postgraduates": "refer"}),
    example("P-09", "pension", {"decision": "amount_not_configured"}, payment_date="2018-11-01",
            household_registration="outside", residence_permit=True, settings={"scope.pension_permit_holders": True}),
    example("P-12", "pension", {"decision": "amount_not_configured"}, payment_date="2018-12-01",
            settings={"pension.late_rule": "accept"}),
]  # fmt: skip

ELSEWHERE = [
    (plan, asked)
    for plan, readings in (
        ("yicheng-2022", YICHENG),
        ("dianzi-2018", DIANZI),
        ("tengzhou-2023", TENGZHOU),
        ("zhanhe-2018", ZHANHE),
    )
    for asked in readings
]


@pytest.mark.covers("E003", "E017", "E018", "E021", "E032", "E038", "E039", "E044", "E045", "E048", "E052")
@pytest.mark.parametrize("plan, asked", ELSEWHERE, ids=[f"{plan} {asked['id']}" for plan, asked in ELSEWHERE])
def test_settings_turn_the_answers_of_the_other_plans(
    plan: str, asked: dict[str, Any], tmp_path: Path
) -> None:
    holds(plan, [asked], tmp_path)
    without = {key: value for key, value in asked.items() if key != "settings"}
    assert check(plan, [without], tmp_path)["failed"]


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
