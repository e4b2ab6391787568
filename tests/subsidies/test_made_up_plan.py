"""A new county or year is a file and no code; a file that does not hold is refused with line and reason."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from enrollment.models import CollectionPlan
from subsidies.queries import check_examples, plan_from_file
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from tests.factories import make_cast
from tests.subsidies.asking import example, holds

MADE_UP = Path(__file__).with_name("made_up.yaml")

DAY: dict[str, Any] = {"payment_date": "2031-01-10"}
COMPUTED = [
    example("ordinary", "medical", {"personal_amount": "99.99", "total_amount": "300.00", "warnings": [],
                                    "benefit_start": "2031-03-01", "benefit_end": "2032-02-28"}, **DAY),
    example("three payers", "medical", {"personal_amount": "33.33", "government_paid_amount": "66.66",
            "payers": {"county_finance": "33.33", "village_collective": "33.33"}}, categories=["heroes_family"], **DAY),
    example("a cent that cannot be split", "medical", {"personal_amount": "33.33", "government_paid_amount": "66.68",
            "payers": {"county_finance": "33.34", "village_collective": "33.34"}}, categories=["heroes_family"],
            settings={"medical.personal": "100.01"}, **DAY),
    example("the lower of two", "medical", {"personal_amount": "9.99",
            "payers": {"county_finance": "60.00", "village_collective": "30.00"}}, categories=["heroes_family"],
            birth_date="2025-01-01", **DAY),
    example("six on 31 December", "medical", {"personal_amount": "99.99"}, birth_date="2024-12-31", **DAY),
    example("five on 31 December", "medical", {"personal_amount": "9.99"}, birth_date="2025-01-01", **DAY),
    example("gap", "medical", {"timing": "out_of_period", "personal_amount": "99.99"}, payment_date="2031-02-01"),
    example("gap as late", "medical", {"timing": "late", "personal_amount": "300.00", "benefit_start": "2031-03-01"},
            payment_date="2031-02-01", settings={"medical.gap_rule": "late"}),
    example("gap refused", "medical", {"decision": "refuse", "reason": "out_of_period"}, payment_date="2031-02-01",
            settings={"medical.gap_rule": "refuse"}),
    example("late", "medical", {"timing": "late", "personal_amount": "300.00", "fiscal_subsidy_amount": "0.00",
            "benefit_start": "2031-05-05"}, payment_date="2031-05-01"),
    example("late, payment day counted", "medical", {"benefit_start": "2031-05-04"}, payment_date="2031-05-01",
            settings={"medical.waiting_day_count": "include_payment_day"}),
    example("late and helped", "medical", {"decision": "refer", "reason": "late_waived_group",
            "personal_amount": "233.34", "government_paid_amount": "66.66"}, categories=["heroes_family"],
            payment_date="2031-05-01"),
    example("late and helped wholly", "medical", {"decision": "accept", "personal_amount": "100.00",
            "payers": {"county_finance": "100.00", "village_collective": "100.00"}}, categories=["heroes_family"],
            payment_date="2031-05-01", settings={"medical.late_waived_groups": "whole_cost"}),
    example("late and not helped", "medical", {"decision": "accept", "personal_amount": "300.00", "payers": {}},
            categories=["heroes_family"], payment_date="2031-05-01", settings={"medical.late_waived_groups": "none"}),
    example("paid for in part", "pension", {"personal_amount": "60.00", "pension_government_subsidy": "12.00",
            "payers": {"county_finance": "30.00", "village_collective": "30.00"}}, tier=120, categories=["dibao"], **DAY),
    example("eighteen", "pension", {"decision": "accept"}, tier=240, birth_date="2013-01-10", **DAY),
    example("not eighteen", "pension", {"reason": "under_16"}, tier=240, birth_date="2013-01-11", **DAY),
    example("no such tier", "pension", {"reason": "unknown_tier"}, tier=100, **DAY),
]  # fmt: skip


@pytest.mark.django_db
def test_a_made_up_plan_computes_without_code(tmp_path: Path) -> None:
    answer = check_examples(plan_from_file(MADE_UP), COMPUTED)
    assert answer.failed == {}


@pytest.mark.django_db
@pytest.mark.covers("E001", "E004")
def test_a_loaded_made_up_plan_answers_from_the_tables(tmp_path: Path) -> None:
    make_cast()
    out = io.StringIO()
    call_command("load_plan", str(MADE_UP), "--json", stdout=out)
    assert (
        out.getvalue().splitlines()[-1] == '{"plan": "made-up-2031", "version": 1, "rules": 14, "tiers": 2}'
    )
    assert CollectionPlan.objects.get(code="made-up-2031").collection_mode == "entrusted"
    holds("made-up-2031", COMPUTED, tmp_path)


# (text in the file, text in its place, code of the reason, line it must name as far as the file goes)
SPOILT = [
    ("years: 18,", "", "missing_key"),
    ("clause: 五岁以下\n", "\n", "no_clause"),
    ("lines: L8", "lines: somewhere", "not_lines"),
    ("{personal: 1/3, county_finance: 1/3, village_collective: 1/3}", "{personal: 1/3, county_finance: 1/3}",
     "shares_not_whole"),
    ("county_finance: 50%, village_collective: 50%", "county_finance: 60%, village_collective: 50%",
     "shares_not_whole"),
    ("county_finance: 60, village_collective: 30", "county_finance: 60, village_collective: 31",
     "amounts_not_standard"),
    ("village_collective: 1/3", "nobody: 1/3", "undefined_payer"),
    ("categories: [heroes_family]}", "categories: [villains]}", "undefined_category"),
    ("groups: [英烈家属]", "groups: [英雄]", "undefined_group"),
    ("groups: [英烈家属]\n", "groups: [英烈家属]\n      pays: nothing\n", "unknown_key"),
    ("total: 300,", "total: 301,", "total_not_sum"),
    ("amounts: [120, 240]", "amounts: [240, 120]", "tiers_not_ascending"),
    ("tiers: [120, 240], amount: 12", "tiers: [120], amount: 12", "tier_without_subsidy"),
    ("tiers: [120, 240], amount: 12", "tiers: [120, 130], amount: 12", "unknown_tier"),
    ("      amount: 60\n", "      amount: 121\n", "above_lowest_tier"),
    ("      amount: 60\n", "      amount: 60.001\n", "not_an_amount"),
    ("code: third", "code: children", "code_twice"),
    ("opens: 2031-02-15", "opens: 2031-01-31", "band_overlap"),
    ("closes: 2031-01-31, clause: 期, lines: L15", "closes: 2030-11-30, clause: 期, lines: L15", "band_backwards"),
    ("kind: late,", "kind: collection,", "windows_wrong"),
    ("opens: 2031-02-15", "opens: 15.2.2031", "not_a_date"),
    ("reason: under_16", "reason: too_tall", "not_a_choice"),
    ("when: everybody", "when: {}", "empty_condition"),
    ("insurances: [pension, medical]", "insurances: [medical]", "insurance_not_in_plan"),
    ("coverage_year: 2031", "coverage_year: soon", "not_a_whole_number"),
    ("payers:\n", "settings: {medical.unheard_of: x}\npayers:\n", "unknown_setting"),
    ("payers:\n", "settings: {medical.gap_rule: sometimes}\npayers:\n", "not_a_choice"),
    ("payers:\n", "settings: {medical.waiver_categories_extra: [nobody_knows]}\npayers:\n", "undefined_category"),
    ("payers:\n", "settings: {pension.max_age: accept, pension.max_age_action: refer}\npayers:\n", "key_twice"),
    ("payers:\n", "surprise: {}\npayers:\n", "unknown_key"),
    ("level: county\n", "level: county\n  level: county\n", "key_twice"),
    ("  county_finance: 县财政\n", "  county_finance: &a 县财政\n  other: *a\n", "alias"),
    ("plan:\n", "plan: [\n", "not_yaml"),
]  # fmt: skip


@pytest.mark.parametrize(
    "there, instead, reason", SPOILT, ids=[f"{each[2]}-{n}" for n, each in enumerate(SPOILT)]
)
def test_a_spoilt_plan_is_refused_with_line_and_reason(
    there: str, instead: str, reason: str, tmp_path: Path
) -> None:
    text = MADE_UP.read_text(encoding="utf-8")
    assert text.count(there) >= 1
    path = tmp_path / "spoilt.yaml"
    path.write_text(text.replace(there, instead, 1), encoding="utf-8")
    with pytest.raises(PlanError) as refused:
        plan_from_file(path)
    assert refused.value.code == reason
    assert 0 < refused.value.line <= text.count("\n") + 2
    said = describe(refused.value)
    assert f"第 {refused.value.line} 行" in said
    assert reason not in said, "every reason has a sentence for people"


BANDS = """
    - {code: band_a, band: elderly, when: {age: {from: 60, to: 69}}, shares: {personal: 50%, county_finance: 50%},
       clause: 甲, lines: L1}
    - {code: band_b, band: elderly, when: {age: {from: FROM}}, shares: {county_finance: 100%}, clause: 乙, lines: L2}
"""


@pytest.mark.parametrize("first, reason", [("71", "band_gap"), ("69", "band_overlap"), ("70", None)])
def test_bands_follow_without_gap_or_overlap(first: str, reason: str | None, tmp_path: Path) -> None:
    text = MADE_UP.read_text(encoding="utf-8").replace(
        "  waivers:\n", f"  waivers:{BANDS.replace('FROM', first)}", 1
    )
    path = tmp_path / "bands.yaml"
    path.write_text(text, encoding="utf-8")
    if reason is None:
        assert len(plan_from_file(path).rules) == 16
        return
    with pytest.raises(PlanError) as refused:
        plan_from_file(path)
    assert (refused.value.code, refused.value.line) == (reason, 32)


def test_a_printed_birth_date_cannot_be_set_against(tmp_path: Path) -> None:
    text = MADE_UP.read_text(encoding="utf-8").replace("{age: {to: 5}}", "{born: {from: 2025-01-01}}", 1)
    path = tmp_path / "born.yaml"
    path.write_text(text, encoding="utf-8")
    asked = example("any", "medical", {}, settings={"medical.age_reference_date": "payment_date"}, **DAY)
    with pytest.raises(PlanError) as refused:
        check_examples(plan_from_file(path), [asked])
    assert refused.value.code == "printed_band"


UNUSABLE: list[tuple[list[str], str]] = [
    (["check_plan", "no-such-plan"], "没有方案文件"),
    (["check_plan", "shanting-2023", "--examples", "/nowhere/at-all.json"], "没有文件"),
    (["load_plan", "no-such-plan"], "没有方案文件"),
    (["load_plan", "shanting-2023"], "没有载入县区"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("arguments, said", UNUSABLE, ids=[" ".join(each[0]) for each in UNUSABLE])
def test_unusable_input_is_one_clear_line_and_exit_2(arguments: list[str], said: str) -> None:
    errors = io.StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command(*arguments, stdout=io.StringIO(), stderr=errors)
    assert stopped.value.code == 2
    assert said in errors.getvalue()
    assert len(errors.getvalue().strip().splitlines()) == 1


BAD_EXAMPLES: list[tuple[dict[str, Any], str]] = [
    ({"birth_date": "yesterday"}, "不是日期"),
    ({"categories": ["nobody_knows"]}, "没有群体代码"),
    ({"shoe_size": 44}, "不认识"),
    ({"route": "by_post"}, "不在可选值内"),
    ({"settings": {"medical.unheard_of": 1}}, "没有设置"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("given, said", BAD_EXAMPLES, ids=[said for _, said in BAD_EXAMPLES])
def test_an_example_that_is_none_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError) as refused:
        check_examples(plan_from_file(MADE_UP), [example("number seven", "medical", {}, **(DAY | given))])
    assert said in describe(refused.value)
    assert "number seven" in describe(refused.value)
