"""Where a text is open its setting decides: the default as the example shows, every other value another answer."""

from __future__ import annotations

from typing import Any

import pytest

from subsidies.queries import check_examples, examples_path, fixture_path, plan_from_file, read_examples
from subsidies.rules.settings import ALIASES, SETTINGS
from tests.subsidies.asking import example

pytestmark = pytest.mark.django_db

Turn = tuple[dict[str, Any], dict[str, Any]]

REFER, REFUSE, ACCEPT = ({"decision": decision} for decision in ("refer", "refuse", "accept"))
LATE_75 = {"timing": "late", "personal_amount": "580.00", "payers": {"government_or_department": "320.00"}}


def pays(personal: str, **payers: str) -> dict[str, Any]:
    """Accepted at so much, the rest paid by others."""
    return {"decision": "accept", "personal_amount": personal, "payers": payers}


# What the setting named by an example's `reading` turns its answer to: {example: [(settings, what is then expected)]}.
TURNED: dict[str, list[Turn]] = {
    "shanting-2023/M-05": [({"medical.age_reference_date": "payment_date"}, pays("350.00"))],
    "shanting-2023/M-07": [
        ({"medical.age_reference_date": "within_coverage_year"}, pays("175.00", government_or_department="175.00"))],
    "shanting-2023/M-19": [
        ({"medical.waiver_categories": ["severely_disabled"]}, pays("0.00", government_or_department="350.00"))],
    "shanting-2023/M-20": [
        ({"medical.waiver_categories": ["orphan"]}, pays("0.00", government_or_department="350.00"))],
    "shanting-2023/M-27": [
        ({"medical.waiting_exempt_categories": ["waived"]}, pays("0.00", government_or_department="350.00")
         | {"timing": "late", "benefit_start": "2023-03-10"})],
    "shanting-2023/M-28": [
        ({"medical.window_open": "2022-09-01"}, pays("350.00") | {"timing": "on_time", "benefit_start": "2023-01-01"})],
    "shanting-2023/M-29": [({"plan.window_vs_stage": "stage"}, {"decision": "hold", "timing": "before_window"})],
    "shanting-2023/M-31": [({"scope.employee_exclusion_mode": "either"}, REFUSE | {"reason": "employee_pension"})],
    "shanting-2023/M-35": [({"scope.accompanying_children": False}, REFUSE | {"reason": "not_in_scope"})],
    "shanting-2023/M-40": [
        ({"money.rounding": "personal_half_up"}, pays("177.78", government_or_department="177.77"))],
    "shanting-2023/P-11": [
        ({"pension.government_paid_categories": ["dibao"]}, pays("0.00", government="100.00"))],
    "shanting-2023/P-13": [
        ({"pension.government_paid_categories": ["fupin"]}, pays("0.00", government="100.00"))],
    "shanting-2023/P-14": [
        ({"pension.government_paid_higher_tier": "on_top"}, pays("500.00", government="100.00")),
        ({"pension.government_paid_higher_tier": "tier_100_only"}, REFUSE),
        ({"pension.government_paid_higher_tier": "none"}, pays("500.00"))],
    "shanting-2023/P-15": [({"pension.min_age_reference": "prior_year_end"}, ACCEPT)],
    "shanting-2023/P-16": [({"pension.min_age_reference": "prior_year_end"}, pays("300.00"))],
    "shanting-2023/P-23": [({"pension.max_age": "refuse"}, pays("300.00"))],
    "shanting-2023/P-24": [
        ({"pension.max_age": "accept"}, pays("300.00")), ({"pension.max_age": "refuse"}, REFUSE)],
    "shanting-2023/P-25": [({"pension.late_rule": "refer"}, REFER | {"timing": "out_of_period"})],
    "shanting-2023/P-26": [({"scope.pension_permit_holders": False}, REFUSE | {"reason": "not_in_scope"})],
    "yicheng-2022/M-03": [({"medical.age_reference_date": "payment_date"}, pays("320.00"))],
    "yicheng-2022/M-04": [
        ({"medical.age_reference_date": "within_coverage_year"}, pays("160.00", government_or_department="160.00"))],
    "yicheng-2022/M-07": [
        ({"medical.age_reference_date": "coverage_start"}, pays("0.00", government_or_department="320.00"))],
    "yicheng-2022/M-20": [
        ({"medical.gap_rule": "late"}, pays("900.00") | {"timing": "late", "benefit_start": "2022-01-31"}),
        ({"medical.gap_rule": "refuse"}, REFUSE | {"timing": "out_of_period"})],
    "yicheng-2022/M-21": [
        ({"medical.waiting_day_count": "include_payment_day"}, pays("900.00") | {"benefit_start": "2022-01-31"})],
    "yicheng-2022/M-23": [
        ({"medical.late_waived_groups": "personal_share_only"}, ACCEPT | LATE_75 | {"benefit_start": "2022-02-10"}),
        ({"medical.late_waived_groups": "whole_cost"}, pays("0.00", government_or_department="900.00")),
        ({"medical.late_waived_groups": "none"}, pays("900.00"))],
    "yicheng-2022/P-08": [],
    "yicheng-2022/P-11": [
        ({"pension.fp_subsidy_mode": "offset"}, pays("200.00") | {"family_planning_subsidy": "300.00"})],
    "yicheng-2022/P-13": [
        ({"pension.fp_age_reference": "payment_date"}, pays("500.00") | {"family_planning_subsidy": "0.00"})],
    "yicheng-2022/P-14": [
        ({"pension.fp_age_reference": "within_plan_year"}, pays("500.00") | {"family_planning_subsidy": "300.00"})],
    "yicheng-2022/P-17": [
        ({"pension.fp_subsidy_stacking": False}, pays("0.00", government="100.00") | {"family_planning_subsidy": "0.00"})],
    "yicheng-2022/P-18": [({"pension.max_age": "accept"}, {"decision": "hold", "reason": "tier_not_chosen"})],
    "dianzi-2018/M-05": [({"dates.before_is_inclusive": False}, REFER)],
    "dianzi-2018/M-07": [({"medical.band70_with_allowance": "full_price"}, pays("180.00"))],
    "dianzi-2018/M-09": [({"dates.before_is_inclusive": False}, pays("20.00", county_finance="160.00"))],
    "dianzi-2018/M-16": [
        ({"medical.waiver_categories": ["tekun_urban"]}, pays("0.00", county_finance="180.00"))],
    "dianzi-2018/M-19": [],
    "dianzi-2018/M-22": [({"medical.waiver_channels": ["village"]}, pays("180.00"))],
    "dianzi-2018/P-17": [({"pension.tier100_categories": ["registered_poor_out"]}, pays("100.00"))],
    "dianzi-2018/P-18": [({"pension.tier100_categories": ["youfu"]}, pays("100.00"))],
    "dianzi-2018/P-19": [({"pension.tier100_categories": ["disabled"]}, pays("100.00"))],
    "dianzi-2018/P-23": [({"pension.max_age": "accept"}, pays("300.00"))],
    "tengzhou-2023/M-03": [({"medical.age_reference_date": "payment_date"}, pays("350.00"))],
    "tengzhou-2023/M-04": [
        ({"medical.age_reference_date": "coverage_start"}, pays("175.00", county_finance="175.00")),
        ({"medical.age_reference_date": "within_coverage_year"}, pays("175.00", county_finance="175.00"))],
    "tengzhou-2023/M-06": [
        ({"medical.age_reference_date": "payment_date"}, pays("175.00", county_finance="175.00"))],
    "tengzhou-2023/M-14": [({"medical.severe_grades": [1, 2, 3]}, pays("0.00", county_finance="350.00"))],
    "tengzhou-2023/M-18": [({"medical.family_child_max_age": 18}, pays("350.00"))],
    "tengzhou-2023/M-19": [({"medical.family_rural_scope": "all_kinds"}, pays("350.00"))],
    "tengzhou-2023/M-22": [
        ({"medical.payer_tie_order": ["medical_families"]},
         pays("0.00", county_finance="175.00", township_finance="175.00"))],
    "tengzhou-2023/M-23": [
        ({"medical.payer_tie_order": ["medical_severely_disabled"]}, pays("0.00", county_finance="350.00"))],
    "tengzhou-2023/M-24": [({"medical.payer_tie_order": ["medical_age_70"]}, pays("0.00", county_finance="350.00"))],
    "tengzhou-2023/M-25": [],
    "tengzhou-2023/M-26": [({"medical.payer_tie_order": ["medical_children"]}, pays("0.00", county_finance="350.00"))],
    "tengzhou-2023/M-32": [
        ({"medical.waiting_exempt_categories": ["waived"]},
         pays("175.00", county_finance="175.00") | {"benefit_start": "2023-03-01"})],
    "tengzhou-2023/M-39": [
        ({"money.odd_cent": "lower_level"}, pays("0.00", county_finance="177.77", township_finance="177.78"))],
    "zhanhe-2018/P-05": [({"pension.min_age_reference": "prior_year_end"}, REFUSE | {"reason": "under_16"})],
    "zhanhe-2018/P-09": [({"scope.pension_permit_holders": True}, {"decision": "amount_not_configured"})],
    "zhanhe-2018/P-12": [({"pension.late_rule": "accept"}, {"decision": "amount_not_configured"})],
    "zhanhe-2018/M-04": [({"scope.postgraduates": "refer"}, REFER | {"reason": "not_in_scope"})],
    "zhanhe-2018/M-06": [
        ({"medical.waiver_categories": ["dibao"], "medical.personal": 220, "medical.fiscal": 490},
         pays("0.00", government_or_department="220.00"))],
}  # fmt: skip

# Its reading is money.rounding; where the resident pays nothing, another setting says who takes the odd cent.
_OTHER_NAME = {"tengzhou-2023/M-39"}
# The answer is the same under every value: the example shows that the setting does not reach too far.
_SAME = {"shanting-2023/P-15", "shanting-2023/P-23"}
PLANS = sorted({name.partition("/")[0] for name in TURNED})


def official(plan: str) -> dict[str, dict[str, Any]]:
    """The examples that came with the plan, by name."""
    return {each["id"]: each for each in read_examples(examples_path(plan), plan)}


@pytest.mark.covers("E003", "E018", "E021", "E032", "E038", "E045", "E048", "E052")
@pytest.mark.parametrize("plan", PLANS)
def test_the_setting_an_example_names_turns_its_answer(plan: str) -> None:
    """Every example with a `reading`: its default, and each documented alternative by the setting named."""
    open_ones = {name: each for name, each in official(plan).items() if each.get("reading")}
    mine = {name: turns for name, turns in TURNED.items() if name.startswith(plan)}
    assert mine.keys() == open_ones.keys()
    asked = []
    for name, turns in mine.items():
        reading = ALIASES.get(open_ones[name]["reading"], open_ones[name]["reading"])
        if not turns:  # one reading is possible: nobody is waived twice
            assert len(SETTINGS[reading].values) == 1
        for number, (settings, expected) in enumerate(turns):
            named = {ALIASES.get(each, each) for each in settings}
            assert reading in named or name in _OTHER_NAME, name
            asked.append(
                open_ones[name]
                | {
                    "id": f"{name} {number}",
                    "expected": expected,
                    "settings": {**(open_ones[name].get("settings") or {}), **settings},
                }
            )
    book = plan_from_file(fixture_path(plan))
    assert check_examples(book, asked).failed == {}
    by_default = [
        each | {"settings": open_ones[each["id"].partition(" ")[0]].get("settings")}
        for each in asked
        if each["id"].partition(" ")[0] not in _SAME
    ]
    assert len(check_examples(book, by_default).failed) == len(by_default), (
        "without the setting it is otherwise"
    )


def test_every_low_example_has_an_alternative_or_one_reading() -> None:
    for plan in PLANS:
        for name, each in official(plan).items():
            if each["certainty"] == "low":
                assert name in TURNED, name


SHANTING: dict[str, Any] = {"payment_date": "2022-11-30"}
YICHENG: dict[str, Any] = {"payment_date": "2021-11-30"}
DIANZI: dict[str, Any] = {"payment_date": "2017-11-30"}
ZHANHE: dict[str, Any] = {"payment_date": "2018-11-01"}
DAYS: dict[str, dict[str, Any]] = {
    "shanting-2023": SHANTING, "yicheng-2022": YICHENG, "dianzi-2018": DIANZI, "tengzhou-2023": SHANTING,
    "zhanhe-2018": ZHANHE,
}  # fmt: skip
WIFE = {"kind": "only_child", "lawful_birth": True}
GRADE_1: dict[str, Any] = {"categories": ["disabled"], "disability_grade": 1}
CHILD: dict[str, Any] = {
    "birth_date": "2015-01-01",
    "household_registration": "outside",
    "residence_permit": "parent",
}
PUPIL: dict[str, Any] = {
    "birth_date": "2004-05-05",
    "household_registration": "outside",
    "in_school": True,
    "school": "university",
}
half = pays("175.00", government_or_department="175.00")
odd = {"medical.personal": "355.55"}
AFTERWARDS = {
    "accept": pays("300.00") | {"timing": "out_of_period"},
    "refer": REFER | {"timing": "out_of_period"},
}

Case = tuple[str, str, str, dict[str, Any], dict[str, dict[str, Any]], dict[str, Any]]


def everywhere(
    setting: str, insurance: str, facts: dict[str, Any], by_value: dict[str, dict[str, Any]], *plans: str
) -> list[Case]:
    """The same question of several plans, each on an ordinary day of its period."""
    return [(plan, setting, insurance, facts | DAYS[plan], by_value, {}) for plan in plans]


# (plan, setting, insurance, person and payment, {value as text: expected}, other settings)
VALUES: list[Case] = [
    ("shanting-2023", "medical.age_reference_date", "medical", {"birth_date": "1962-12-31", **SHANTING},
     {"prior_year_end": half, "payment_date": pays("350.00"), "coverage_start": half, "within_coverage_year": half}, {}),
    ("shanting-2023", "medical.age_reference_date", "medical", {"birth_date": "1963-01-01", **SHANTING},
     {"prior_year_end": pays("350.00"), "payment_date": pays("350.00"), "coverage_start": half,
      "within_coverage_year": half}, {}),
    ("shanting-2023", "medical.age_reference_date", "medical", {"birth_date": "1963-12-31", **SHANTING},
     {"prior_year_end": pays("350.00"), "payment_date": pays("350.00"), "coverage_start": pays("350.00"),
      "within_coverage_year": half}, {}),
    # somebody of 69 who turns 70 within the year is in both bands; the lower amount holds
    ("shanting-2023", "medical.age_reference_date", "medical", {"birth_date": "1953-07-01", **SHANTING},
     {"prior_year_end": half, "payment_date": half, "coverage_start": half,
      "within_coverage_year": pays("0.00", government_or_department="350.00")}, {}),
    # paid late in the year, the age of the day of payment may be another
    ("shanting-2023", "medical.age_reference_date", "medical", {"birth_date": "1963-03-01", "payment_date": "2023-03-01"},
     {"prior_year_end": pays("350.00"), "payment_date": half, "coverage_start": pays("350.00"),
      "within_coverage_year": half}, {}),
    ("yicheng-2022", "medical.gap_rule", "medical", {"payment_date": "2021-12-21"},
     {"ordinary": pays("320.00") | {"timing": "out_of_period", "benefit_start": "2022-01-01"},
      "late": pays("900.00") | {"timing": "late", "benefit_start": "2022-01-21"},
      "refuse": REFUSE | {"timing": "out_of_period", "benefit_start": None, "personal_amount": None}}, {}),
    # 70 in the gap: free as usual, or late and then nobody knows who pays the fiscal part
    ("yicheng-2022", "medical.gap_rule", "medical", {"payment_date": "2021-12-31", "birth_date": "1946-05-05"},
     {"ordinary": pays("0.00", government_or_department="320.00"), "late": REFER | LATE_75, "refuse": REFUSE}, {}),
    ("yicheng-2022", "medical.waiting_day_count", "medical", {"payment_date": "2022-02-01"},
     {"exclude_payment_day": {"benefit_start": "2022-03-04"}, "include_payment_day": {"benefit_start": "2022-03-03"}}, {}),
    ("yicheng-2022", "medical.waiting_day_count", "medical", {"payment_date": "2022-12-01"},
     {"exclude_payment_day": {"benefit_start": None, "warnings": ["no_cover_left"]},
      "include_payment_day": {"benefit_start": "2022-12-31", "benefit_end": "2022-12-31", "warnings": []}}, {}),
    ("shanting-2023", "medical.late_no_cover_action", "medical", {"payment_date": "2023-09-01"},
     {"warn": pays("350.00") | {"benefit_start": None, "benefit_end": None, "warnings": ["no_cover_left"]},
      "refuse": REFUSE | {"reason": "no_cover_left", "personal_amount": None, "total_amount": None, "payers": {}}}, {}),
    ("shanting-2023", "medical.late_no_cover_action", "medical", {"payment_date": "2023-08-31"},
     {"warn": {"benefit_start": "2023-12-01"}, "refuse": ACCEPT | {"benefit_start": "2023-12-01"}}, {}),
    ("shanting-2023", "pension.max_age_action", "pension", {"birth_date": "1962-12-31", "tier": 300, **SHANTING},
     {"refer": REFER | {"reason": "age_60_or_more"}, "accept": pays("300.00"),
      "refuse": REFUSE | {"reason": "age_60_or_more"}}, {}),
    ("shanting-2023", "pension.min_age_reference", "pension", {"birth_date": "2006-12-31", "tier": 300, **SHANTING},
     {"payment_date": REFUSE | {"reason": "under_16"}, "prior_year_end": pays("300.00")}, {}),
    # 16 only in January: paid late, the day of payment takes him, the year's end does not
    ("shanting-2023", "pension.min_age_reference", "pension",
     {"birth_date": "2007-01-05", "tier": 300, "payment_date": "2023-01-05"},
     {"payment_date": ACCEPT | {"timing": "out_of_period"}, "prior_year_end": REFUSE | {"reason": "under_16"}}, {}),
    ("yicheng-2022", "pension.government_paid_higher_tier", "pension", {"categories": ["dibao"], "tier": 1000, **YICHENG},
     {"offset": pays("900.00", government="100.00") | {"pension_government_subsidy": "80.00"},
      "on_top": pays("1000.00", government="100.00"), "tier_100_only": REFUSE, "none": pays("1000.00")}, {}),
    ("yicheng-2022", "pension.government_paid_higher_tier", "pension", {"categories": ["dibao"], "tier": 100, **YICHENG},
     {mode: pays("0.00", government="100.00") for mode in ("offset", "on_top", "tier_100_only", "none")}, {}),
    ("dianzi-2018", "pension.government_paid_higher_tier", "pension", {"categories": ["tekun"], "tier": 800, **DIANZI},
     {"offset": pays("700.00", county_finance="100.00") | {"pension_government_subsidy": "65.00"},
      "on_top": pays("800.00", county_finance="100.00"), "tier_100_only": REFUSE, "none": pays("800.00")}, {}),
    ("yicheng-2022", "pension.fp_subsidy_mode", "pension",
     {"tier": 300, "family": WIFE | {"wife_birth_date": "1969-05-05"}, **YICHENG},
     {"credit": pays("300.00") | {"family_planning_subsidy": "300.00"},
      "offset": pays("0.00") | {"family_planning_subsidy": "300.00"}}, {}),
    ("yicheng-2022", "pension.fp_age_reference", "pension",
     {"tier": 500, "family": WIFE | {"wife_birth_date": "1971-12-31"}, **YICHENG},
     {"prior_year_end": {"family_planning_subsidy": "300.00"}, "payment_date": {"family_planning_subsidy": "0.00"},
      "within_plan_year": {"family_planning_subsidy": "300.00"}}, {}),
    ("yicheng-2022", "pension.fp_age_reference", "pension",
     {"tier": 500, "family": WIFE | {"wife_birth_date": "1972-12-31"}, **YICHENG},
     {"prior_year_end": {"family_planning_subsidy": "0.00"}, "payment_date": {"family_planning_subsidy": "0.00"},
      "within_plan_year": {"family_planning_subsidy": "300.00"}}, {}),
    *everywhere("scope.employee_exclusion_mode", "medical", {"employee_pension": True},
                {"per_insurance": {"reason": None}, "either": REFUSE | {"reason": "employee_pension"}}, *DAYS),
    ("shanting-2023", "scope.employee_exclusion_mode", "pension", {"employee_medical": True, "tier": 300, **SHANTING},
     {"per_insurance": ACCEPT, "either": REFUSE | {"reason": "employee_medical"}}, {}),
    *everywhere("scope.students_at_school_place", "medical", PUPIL,
                {"true": {"reason": None}, "false": REFUSE | {"reason": "not_in_scope"}}, *DAYS),
    *everywhere("scope.accompanying_children", "medical", CHILD,
                {"true": ACCEPT, "false": REFUSE | {"reason": "not_in_scope"}},
                "shanting-2023", "yicheng-2022", "dianzi-2018", "tengzhou-2023"),
    ("shanting-2023", "waiver.requires_local_registration", "medical",
     {"household_registration": "outside", "residence_permit": True, "birth_date": "1950-05-05", **SHANTING},
     {"false": pays("0.00", government_or_department="350.00"), "true": pays("350.00")}, {}),
    ("tengzhou-2023", "waiver.requires_local_registration", "medical", {"categories": ["dibao"], **SHANTING},
     {each: pays("0.00", medical_assistance_fund="350.00") for each in ("false", "true")}, {}),
    ("shanting-2023", "plan.window_vs_stage", "medical", {"payment_date": "2022-10-15"},
     {"window": ACCEPT | {"timing": "on_time"}, "stage": {"decision": "hold", "timing": "before_window"}}, {}),
    ("yicheng-2022", "plan.window_vs_stage", "pension", {"payment_date": "2021-10-19", "tier": 300},
     {"window": ACCEPT | {"timing": "on_time"}, "stage": {"decision": "hold", "timing": "before_window"}}, {}),
    # the stage of 店子 ends on 10 December, three weeks before anything is late
    ("dianzi-2018", "plan.window_vs_stage", "medical", {"payment_date": "2017-12-11", "route": "township_hr_office"},
     {"window": pays("180.00") | {"timing": "on_time"}, "stage": pays("180.00") | {"timing": "out_of_period"}}, {}),
    ("shanting-2023", "money.rounding", "medical", {"birth_date": "1957-05-05", **SHANTING},
     {"personal_down": pays("177.77", government_or_department="177.78"),
      "personal_half_up": pays("177.78", government_or_department="177.77")}, odd),
    ("shanting-2023", "pension.late_rule", "pension", {"tier": 300, "payment_date": "2023-01-01"}, AFTERWARDS, {}),
    ("yicheng-2022", "pension.late_rule", "pension", {"tier": 300, "payment_date": "2021-12-21"}, AFTERWARDS, {}),
    ("dianzi-2018", "pension.late_rule", "pension", {"tier": 300, "payment_date": "2018-01-01"}, AFTERWARDS, {}),
    ("zhanhe-2018", "medical.late_rule", "medical", {"payment_date": "2018-12-01"},
     {"refer": REFER | {"timing": "out_of_period"}, "accept": pays("220.00") | {"timing": "out_of_period"}},
     {"medical.personal": 220, "medical.fiscal": 490}),
]  # fmt: skip

PRICED = (
    "medical.age_reference_date", "medical.gap_rule", "medical.waiting_day_count", "medical.late_no_cover_action",
    "pension.max_age_action", "pension.min_age_reference", "pension.government_paid_higher_tier", "pension.fp_subsidy_mode",
    "pension.fp_age_reference", "scope.employee_exclusion_mode", "scope.students_at_school_place",
    "scope.accompanying_children", "waiver.requires_local_registration", "plan.window_vs_stage", "money.rounding",
    "pension.late_rule",
)  # fmt: skip


@pytest.mark.covers("E015", "E017", "E018", "E030", "E032", "E038")
@pytest.mark.parametrize("plan", sorted({each[0] for each in VALUES}))
def test_every_value_of_a_setting_has_its_answer(plan: str) -> None:
    asked = []
    for number, (of_plan, name, insurance, facts, by_value, besides) in enumerate(VALUES):
        for value, expected in by_value.items() if of_plan == plan else ():
            asked.append(
                example(
                    f"{name} {value} {number}",
                    insurance,
                    expected,
                    settings={name: value, **besides},
                    **facts,
                )
            )
    assert check_examples(plan_from_file(fixture_path(plan)), asked).failed == {}


def test_every_priced_setting_is_asked_with_each_of_its_values() -> None:
    for name in PRICED:
        setting = SETTINGS[name]
        values = setting.values or ("true", "false")
        assert {
            value for _plan, each, *_, by_value, _besides in VALUES if each == name for value in by_value
        } == {*values}, name


AMOUNTS = [
    ("shanting-2023", example("personal", "medical", pays("400.00") | {"total_amount": "1010.00"},
                              settings={"medical.personal": 400}, **SHANTING)),
    ("shanting-2023", example("fiscal", "medical", pays("350.00") | {"fiscal_subsidy_amount": "640.00",
                              "total_amount": "990.00"}, settings={"medical.fiscal": "640"}, **SHANTING)),
    ("dianzi-2018", example("late with the figure", "medical", {"decision": "accept", "timing": "late",
                            "personal_amount": "630.00", "fiscal_subsidy_amount": "0.00", "benefit_start": "2018-02-01"},
                            payment_date="2018-01-01", settings={"medical.fiscal": 450})),
    ("dianzi-2018", example("a printed amount stays", "medical", pays("20.00", county_finance="180.00"),
                            birth_date="1942-05-05", settings={"medical.personal": 200}, **DIANZI)),
    ("dianzi-2018", example("poor, marked out", "medical", pays("180.00"), categories=["registered_poor_out"],
                            settings={"medical.registered_poor_scope": "not_out_only"}, **DIANZI)),
    ("zhanhe-2018", example("amounts entered", "medical", {"decision": "accept", "personal_amount": "220.00",
                            "fiscal_subsidy_amount": "490.00", "total_amount": "710.00", "payers": {}},
                            settings={"medical.personal": 220, "medical.fiscal": 490}, **ZHANHE)),
    ("zhanhe-2018", example("only one of the two", "medical", {"decision": "accept", "personal_amount": "220.00",
                            "fiscal_subsidy_amount": None}, settings={"medical.personal": 220}, **ZHANHE)),
    ("shanting-2023", example("pension from 1 October", "pension", ACCEPT, tier=300, payment_date="2022-10-01",
                              settings={"pension.window": "window"})),
]  # fmt: skip


@pytest.mark.covers("E003", "E039")
@pytest.mark.parametrize("plan", sorted({plan for plan, _ in AMOUNTS}))
def test_amounts_a_bureau_enters_price_at_once(plan: str) -> None:
    asked = [each for of_plan, each in AMOUNTS if of_plan == plan]
    assert check_examples(plan_from_file(fixture_path(plan)), asked).failed == {}
