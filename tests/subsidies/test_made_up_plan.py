"""A new county or year is a file and no code; a file that does not hold is refused with line and reason."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from enrollment.models import CollectionPlan
from subsidies.models import Rule
from subsidies.queries import check_examples, plan_from_file
from subsidies.rules.source import Entry, PlanError
from subsidies.services.messages import describe
from tests.factories import make_cast
from tests.subsidies.asking import example, holds
from townships.services.divisions import load_county

MADE_UP = Path(__file__).with_name("made_up.yaml")
MADE_UP_SECOND = Path(__file__).with_name("made_up_second.yaml")

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


PAID: dict[str, Any] = {"payment_date": "2039-11-30"}
KEEPER: dict[str, Any] = {"categories": ["lighthouse_keeper"]}
WIFE = {"kind": "two_daughters_sterilised", "lawful_birth": True, "wife_birth_date": "1994-12-31"}
FREE_OF_COUNTY = {"personal_amount": "0.00", "payers": {"county_finance": "500.00"}}
SECOND = [
    example("ordinary", "medical", {"decision": "accept", "personal_amount": "500.00", "fiscal_subsidy_amount": "800.00",
            "fiscal_year": "2040", "benefit_start": "2040-01-01", "benefit_end": "2040-12-31"}, **PAID),
    example("the other label", "medical", {"fiscal_subsidy_amount": "700.00", "fiscal_year": "2039"},
            settings={"medical.fiscal_year": 2039}, **PAID),
    example("three payers", "medical", {"personal_amount": "50.00", "payers": {"province_finance": "300.00",
            "county_finance": "150.00"}}, **KEEPER, **PAID),
    example("halves", "medical", {"personal_amount": "0.00", "payers": {"county_finance": "250.00",
            "township_finance": "250.00"}}, categories=["disabled"], disability_grade=2, **PAID),
    example("the lower level takes the cent", "medical", {"payers": {"county_finance": "250.00",
            "township_finance": "250.01"}}, categories=["disabled"], disability_grade=2,
            settings={"medical.personal": "500.01"}, **PAID),
    example("grade 3", "medical", {"personal_amount": "500.00"}, categories=["disabled"], disability_grade=3, **PAID),
    example("born 1969", "medical", FREE_OF_COUNTY, birth_date="1969-12-31", **PAID),
    example("born 1970", "medical", {"personal_amount": "125.50", "payers": {"county_finance": "374.50"}},
            birth_date="1970-01-01", **PAID),
    example("born 1975", "medical", {"personal_amount": "500.00"}, birth_date="1975-01-01", **PAID),
    example("with a grant no band fits", "medical", {"personal_amount": "500.00"}, birth_date="1970-01-01",
            categories=["fishing_grant"], **PAID),
    example("a woman of such a family", "medical", {"personal_amount": "100.00", "payers": {"county_finance": "400.00"}},
            sex="female", categories=["islander"], family=WIFE, **PAID),
    example("her husband", "medical", {"personal_amount": "500.00"}, sex="male", categories=["islander"], family=WIFE,
            **PAID),
    example("not yet 45", "medical", {"personal_amount": "500.00"}, sex="female", categories=["islander"],
            family=WIFE | {"wife_birth_date": "1995-01-01"}, **PAID),
    example("births not lawful", "medical", {"personal_amount": "500.00"}, sex="female", categories=["islander"],
            family=WIFE | {"lawful_birth": False}, **PAID),
    example("by phone", "medical", {"personal_amount": "450.00", "payers": {"county_finance": "50.00"}}, route="online",
            **PAID),
    example("the office keeps no waiver", "medical", {"personal_amount": "500.00"}, route="township_hr_office", **KEEPER,
            **PAID),
    example("a pupil", "medical", {"personal_amount": "0.00", "payers": {"province_finance": "500.00"}}, in_school=True,
            school="primary", **PAID),
    example("no clause fits", "medical", {"decision": "refer", "reason": "no_clause"}, categories=["boatman"], **PAID),
    example("but nothing is lower than free", "medical", FREE_OF_COUNTY, categories=["boatman"], birth_date="1960-01-01",
            **PAID),
    example("a group by setting", "medical", {"personal_amount": "0.00", "payers": {"province_finance": "500.00"}},
            categories=["fishing_grant"], settings={"medical.waiver_categories_extra": ["fishing_grant"]}, **PAID),
    example("late", "medical", {"timing": "late", "personal_amount": "500.00", "benefit_start": "2040-06-01"},
            payment_date="2040-03-10"),
    example("late after a missed year", "medical", {"benefit_start": "2040-07-01"}, missed_years=1,
            payment_date="2040-03-10"),
    example("late after three, all repaired", "medical", {"benefit_start": "2040-09-01"}, missed_years=3,
            repaired_years=3, payment_date="2040-03-10"),
    example("exempt", "medical", {"benefit_start": "2040-03-10"}, payment_date="2040-03-10", **KEEPER),
    example("in time after two missed years", "medical", {"benefit_start": "2040-04-01"}, missed_years=2, **PAID),
    example("thirty days old", "medical", {"timing": "on_time", "benefit_start": "2040-03-01"}, birth_date="2040-03-01",
            payment_date="2040-03-31"),
    example("thirty-one days old", "medical", {"timing": "late", "benefit_start": "2040-07-01"}, birth_date="2040-03-01",
            payment_date="2040-04-01"),
    example("one of three missing", "medical", {"warnings": ["household_incomplete"]},
            household={"members": 3, "enrolled": 1, "employee_medical": 1}, **PAID),
    example("the village is closed", "medical", {"decision": "refer", "reason": "route_closed"},
            payment_date="2039-12-16"),
    example("the phone is not yet open", "medical", {"decision": "refer", "reason": "route_closed"}, route="online",
            payment_date="2039-10-31"),
    example("before the period", "medical", {"decision": "hold"}, payment_date="2039-09-30"),
    example("before the stage", "medical", {"decision": "hold"}, payment_date="2039-10-31",
            settings={"plan.window_vs_stage": "stage"}),
    example("a permit for medical", "medical", {"decision": "accept"}, household_registration="outside",
            residence_permit=True, **PAID),
    example("and not for pension", "pension", {"reason": "not_in_scope"}, household_registration="outside",
            residence_permit=True, tier=400, **PAID),
    example("a student", "medical", {"decision": "accept"}, household_registration="outside", in_school=True,
            school="vocational", **PAID),
    example("no students", "medical", {"decision": "refuse", "reason": "not_in_scope"}, household_registration="outside",
            in_school=True, school="vocational", settings={"scope.students_at_school_place": False}, **PAID),
    example("a doubtful student", "medical", {"decision": "refer", "reason": "not_in_scope"}, school="postgraduate",
            in_school=True, **PAID),
    example("dead", "medical", {"reason": "deceased"}, death_date="2039-11-30", **PAID),
    example("twenty", "pension", {"decision": "accept", "personal_amount": "400.00", "pension_government_subsidy": "20.00",
            "subsidy_payer": "county_finance"}, tier=400, birth_date="2019-11-30", **PAID),
    example("not twenty", "pension", {"reason": "under_16"}, tier=400, birth_date="2019-12-01", **PAID),
    example("sixty-five", "pension", {"decision": "refuse", "reason": "age_60_or_more"}, tier=400,
            birth_date="1974-12-31", **PAID),
    example("a printed birth date", "pension", {"decision": "refer", "reason": "age_60_or_more"}, tier=400,
            birth_date="1969-12-31", **PAID),
    example("the lowest tier", "pension", {"personal_amount": "50.00", "pension_government_subsidy": "10.00",
            "payers": {"province_finance": "100.00", "county_finance": "50.00"}}, tier=200, **KEEPER, **PAID),
    example("not his tier", "pension", {"decision": "refuse", "reason": "tier_100_not_allowed"}, tier=200, **PAID),
    example("perhaps his tier", "pension", {"decision": "refer", "reason": "tier_100_not_allowed"}, tier=200,
            categories=["boatman"], **PAID),
    example("the larger of two", "pension", {"personal_amount": "250.00", "government_paid_amount": "150.00"}, tier=400,
            birth_date="1989-12-31", **KEEPER, **PAID),
    example("fifty", "pension", {"personal_amount": "310.00", "payers": {"county_finance": "90.00"}}, tier=400,
            birth_date="1989-12-31", **PAID),
    example("by setting", "pension", {"personal_amount": "250.00", "payers": {"township_finance": "150.00"}}, tier=400,
            categories=["boatman"], settings={"pension.government_paid_categories_extra": ["boatman"]}, **PAID),
    example("beside", "pension", {"family_planning_subsidy": "40.00", "family_payer": "township_finance"}, tier=400,
            family=WIFE, **PAID),
]  # fmt: skip

TWO = pytest.mark.parametrize(
    "path, asked", [(MADE_UP, COMPUTED), (MADE_UP_SECOND, SECOND)], ids=["first", "second"]
)


@pytest.mark.django_db
@TWO
def test_a_made_up_plan_computes_without_code(path: Path, asked: list[dict[str, Any]]) -> None:
    assert check_examples(plan_from_file(path), asked).failed == {}


@pytest.mark.django_db
@pytest.mark.covers("E001", "E002", "E004", "E005", "E011", "E012")
def test_loaded_made_up_plans_answer_from_the_tables(tmp_path: Path) -> None:
    """The county's plan, and a township's own beside it whose parent it is; each answers by its own rules."""
    load_county(by=None, code="370406")
    for path, rules, tiers in ((MADE_UP, 16, 2), (MADE_UP_SECOND, 61, 3)):
        out = io.StringIO()
        call_command("load_plan", str(path), "--json", stdout=out)
        told = json.loads(out.getvalue().splitlines()[-1])
        assert (told["rules"], told["tiers"]) == (rules, tiers)
    county, township = CollectionPlan.objects.order_by("coverage_year")
    assert (county.collection_mode, township.collection_mode) == ("entrusted", "direct")
    assert township.parent == county
    assert township.township is not None
    assert (county.township, township.township.name, township.version) == (None, "店子镇", 3)
    assert Rule.objects.get(plan=township, code="annex").effect["missing"] == "true"
    holds("made-up-2031", COMPUTED, tmp_path)
    holds("made-up-2040", SECOND, tmp_path)


def test_made_up_plans_use_every_word_of_the_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the loader understands anywhere is written somewhere in them: nothing of the format is untried."""
    known: set[str] = set()
    written: set[str] = set()
    only = Entry.only

    def noting(self: Entry, required: str = "", optional: str = "") -> None:
        known.update((*required.split(), *optional.split()))
        written.update(self.value if isinstance(self.value, dict) else ())
        only(self, required, optional)

    monkeypatch.setattr(Entry, "only", noting)
    for path in (MADE_UP, MADE_UP_SECOND):
        plan_from_file(path)
    assert known == written
    assert len(known) > 120


# (file, text in it, text in its place, code of the reason, the line named counted from the changed one)
FIRST, LAST = MADE_UP, MADE_UP_SECOND
SPOILT: list[tuple[Path, str, str, str, int]] = [
    (FIRST, "years: 18,", "", "missing_key", 0),
    (FIRST, "clause: 五岁以下\n", "\n", "no_clause", -4),
    (FIRST, "lines: L8", "lines: somewhere", "not_lines", 0),
    (FIRST, "{personal: 1/3, county_finance: 1/3, village_collective: 1/3}", "{personal: 1/3, county_finance: 1/3}",
     "shares_not_whole", 0),
    (FIRST, "county_finance: 50%, village_collective: 50%", "county_finance: 60%, village_collective: 50%",
     "shares_not_whole", 0),
    (FIRST, "county_finance: 50%, village_collective: 50%", "county_finance: 60%", "shares_not_whole", 0),
    (FIRST, "county_finance: 50%, village_collective: 50%", "county_finance: 150%", "not_a_share", 0),
    (FIRST, "{personal: 1/3, county_finance: 1/3, village_collective: 1/3}", "{personal: 100%}", "nobody_else_pays", 0),
    (LAST, "province_finance: 60%, county_finance: 30%", "province_finance: 30%, county_finance: 30%, township_finance: 30%",
     "too_many_payers", 0),
    (FIRST, "county_finance: 60, village_collective: 30", "county_finance: 60, village_collective: 31",
     "amounts_not_standard", 0),
    (FIRST, "village_collective: 1/3", "nobody: 1/3", "undefined_payer", 0),
    (FIRST, "categories: [heroes_family]}", "categories: [villains]}", "undefined_category", 0),
    (FIRST, "groups: [英烈家属]", "groups: [英雄]", "undefined_group", 0),
    (FIRST, "groups: [英烈家属]\n", "groups: [英烈家属]\n      pays: nothing\n", "unknown_key", 1),
    (FIRST, "total: 300,", "total: 301,", "total_not_sum", 0),
    (FIRST, "amounts: [120, 240]", "amounts: [240, 120]", "tiers_not_ascending", 0),
    (FIRST, "amounts: [120, 240]", "amounts: [120, 120, 240]", "tiers_not_ascending", 0),
    (LAST, "count: 3", "count: 12", "count_differs", 0),
    (FIRST, "tiers: [120, 240], amount: 12", "tiers: [120], amount: 12", "tier_without_subsidy", -2),
    (FIRST, "tiers: [120, 240], amount: 12", "tiers: [120, 130], amount: 12", "unknown_tier", 0),
    (LAST, "tiers: [400, 900]", "tiers: [200, 400, 900]", "subsidy_twice", 0),
    (LAST, "tier: 200, groups", "tier: 250, groups", "unknown_tier", 0),
    (FIRST, "      amount: 60\n", "      amount: 121\n", "above_lowest_tier", 0),
    (FIRST, "      amount: 60\n", "      amount: 60.001\n", "not_an_amount", 0),
    (FIRST, "      amount: 60\n", "      amount: -60\n", "not_an_amount", 0),
    (FIRST, "code: third", "code: children", "code_twice", 5),
    (LAST, "code: duty,", "code: ban,", "code_twice", 4),
    (FIRST, "opens: 2031-02-15", "opens: 2031-01-31", "window_overlap", 0),
    (FIRST, "closes: 2031-01-31, clause: 期, lines: L15", "closes: 2030-11-30, clause: 期, lines: L15", "band_backwards", 0),
    (FIRST, "kind: late,", "kind: collection,", "windows_wrong", 0),
    (LAST, "insurance: pension, kind: collection,", "insurance: medical, kind: late,", "windows_wrong", -17),
    (LAST, "village: {closes: 2039-12-15}", "village: {closes: 2040-01-01}", "route_outside", 0),
    (LAST, "online: {opens: 2039-11-01}", "online: {opens: 2039-11-02, closes: 2039-11-01}", "route_outside", 0),
    (LAST, "online: {opens: 2039-11-01}", "by_post: {opens: 2039-11-01}", "not_a_choice", 0),
    (LAST, "    stage: collecting", "    stage: harvest", "undefined_stage", 0),
    (LAST, "starts: 2040-01-01, ends: 2040-01-31", "starts: 2040-02-01, ends: 2040-01-31", "band_backwards", 0),
    (FIRST, "from: 2031-03-01, to: 2032-02-28", "from: 2032-03-01, to: 2032-02-28", "band_backwards", 0),
    (LAST, "from: 1970-01-01, to: 1974-12-31", "from: 1975-01-01, to: 1974-12-31", "band_backwards", 0),
    (LAST, "from: 1970-01-01, to: 1974-12-31", "from: 1970-01-02, to: 1974-12-31", "band_gap", 0),
    (LAST, "from: 1970-01-01, to: 1974-12-31", "from: 1969-12-31, to: 1974-12-31", "band_overlap", 0),
    (LAST, "{born: {to: 1969-12-31}}", "{age: {from: 70}}", "band_mixed", 0),
    (LAST, "band: old, when: {born: {to: 1969-12-31}}", "when: {born: {to: 1969-12-31}}", "missing_key", 0),
    (LAST, "{amount: 800, label_year: 2040}", "{amount: 800, label_year: 2039}", "label_twice", -2),
    (LAST, "label_year: 2039}", "label_year: 39}", "out_of_range", 0),
    (FIRST, "opens: 2031-02-15", "opens: 15.2.2031", "not_a_date", 0),
    (FIRST, "opens: 2031-02-15", "opens: 20310215", "not_a_date", 0),
    (FIRST, "opens: 2031-02-15", "opens: 2031-02-29", "not_a_date", 0),
    (FIRST, "reason: under_16", "reason: too_tall", "not_a_choice", 0),
    (FIRST, "years: 18,", "years: 180,", "out_of_range", 0),
    (FIRST, "when: everybody", "when: {}", "empty_condition", 0),
    (LAST, "sex: [female]", "sex: [both]", "not_a_choice", 0),
    (FIRST, "insurances: [pension, medical]", "insurances: [medical]", "insurance_not_in_plan", 17),
    (LAST, "{code: local, name", "{code: local, insurances: [medical], name", "nobody_admitted", -3),
    (FIRST, "coverage_year: 2031", "coverage_year: soon", "not_a_whole_number", 0),
    (FIRST, "coverage_year: 2031", "coverage_year: 31", "out_of_range", 0),
    (FIRST, "payers:\n", "settings: {medical.unheard_of: x}\npayers:\n", "unknown_setting", 0),
    (FIRST, "payers:\n", "settings: {medical.gap_rule: sometimes}\npayers:\n", "not_a_choice", 0),
    (FIRST, "payers:\n", "settings: {medical.waiver_categories_extra: [nobody_knows]}\npayers:\n", "undefined_category", 0),
    (FIRST, "payers:\n", "settings: {medical.payer_tie_order: [fourth]}\npayers:\n", "undefined_waiver", 0),
    (FIRST, "payers:\n", "settings: {medical.waiver_channels: [by_post]}\npayers:\n", "not_a_choice", 0),
    (FIRST, "payers:\n", "settings: {medical.severe_grades: [5]}\npayers:\n", "out_of_range", 0),
    (FIRST, "payers:\n", "settings: {pension.max_age: accept, pension.max_age_action: refer}\npayers:\n", "key_twice", 0),
    (LAST, "setting: receipt.when", "setting: receipt.never", "unknown_setting", 0),
    (FIRST, "payers:\n", "surprise: {}\npayers:\n", "unknown_key", 0),
    (FIRST, "level: county\n", "level: county\n  level: county\n", "key_twice", 1),
    (FIRST, "  county_finance: 县财政\n", "  county_finance: &a 县财政\n  other: *a\n", "alias", 0),
    (LAST, 'township: "370406102"', 'township: "370406101"', "code_twice", 0),
    (FIRST, "plan:\n", "plan: [\n", "not_yaml", 2),
]  # fmt: skip


@pytest.mark.parametrize(
    "path, there, instead, reason, line",
    SPOILT,
    ids=[f"{each[3]}-{number}" for number, each in enumerate(SPOILT)],
)
def test_a_spoilt_plan_is_refused_with_line_and_reason(
    path: Path, there: str, instead: str, reason: str, line: int, tmp_path: Path
) -> None:
    """`load_plan` says in one Chinese line which line of the file is wrong and why, and exits 2."""
    text = path.read_text(encoding="utf-8")
    assert there in text
    changed = text[: text.index(there)].count("\n") + 1
    spoilt = tmp_path / "spoilt.yaml"
    spoilt.write_text(text.replace(there, instead, 1), encoding="utf-8")
    with pytest.raises(PlanError) as refused:
        plan_from_file(spoilt)
    assert refused.value.code == reason
    errors = io.StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("load_plan", str(spoilt), stdout=io.StringIO(), stderr=errors)
    assert stopped.value.code == 2
    said = errors.getvalue().strip()
    assert len(said.splitlines()) == 1
    assert said == f"{spoilt}: {describe(refused.value)}"
    assert f"第 {changed + line} 行" in said
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
        assert len(plan_from_file(path).rules) == 18
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


FINE: dict[str, Any] = example("number seven", "medical", {"decision": "accept"}, **DAY)
BAD_EXAMPLES: list[tuple[str, dict[str, Any], str]] = [
    ("a date that is none", {"resident": FINE["resident"] | {"birth_date": "yesterday"}}, "不是日期"),
    ("a day that is none", {"payment_date": "2031-02-29"}, "不是日期"),
    ("no day of payment", {"payment_date": None}, "缺少“payment_date”"),
    ("an unknown group", {"resident": FINE["resident"] | {"categories": ["nobody_knows"]}}, "没有群体代码"),
    ("an unknown fact", {"resident": FINE["resident"] | {"shoe_size": 44}}, "不认识"),
    ("a grade beyond four", {"resident": FINE["resident"] | {"disability_grade": 5}}, "不在 1 至 4 之间"),
    ("an unknown family", {"resident": FINE["resident"] | {"family": {"kind": "large"}}}, "不在可选值内"),
    ("years without end", {"resident": FINE["resident"] | {"missed_years": 10**8}}, "不在 0 至 99 之间"),
    ("a tier in words", {"tier": "three hundred"}, "不是金额"),
    ("a third place", {"tier": 300.005}, "不是金额"),
    ("an unknown route", {"route": "by_post"}, "不在可选值内"),
    ("an unknown setting", {"settings": {"medical.unheard_of": 1}}, "没有设置"),
    ("an unknown value", {"settings": {"medical.gap_rule": "sometimes"}}, "不在可选值内"),
    ("an unknown group in a setting", {"settings": {"medical.waiver_categories_extra": ["nobody"]}}, "没有群体代码"),
    ("an unknown waiver in a setting", {"settings": {"medical.payer_tie_order": ["nobody"]}}, "没有代缴条款"),
    ("an age without end", {"settings": {"medical.family_child_max_age": 99999}}, "不在 0 至 150 之间"),
    ("settings that are none", {"settings": ["medical.gap_rule"]}, "settings"),
    ("another insurance", {"insurance": "unemployment"}, "方案不含险种"),
    ("an insurance that is a list", {"insurance": ["medical"]}, "insurance"),
    ("no resident", {"resident": None}, "resident"),
    ("nothing expected", {"expected": []}, "expected"),
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changed, said", [each[1:] for each in BAD_EXAMPLES], ids=[each[0] for each in BAD_EXAMPLES]
)
def test_an_example_that_is_none_is_named_in_one_line(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """`check_plan` exits 2 with one line that names the example and what is wrong with it."""
    document = {"plan": "made-up-2031", "examples": [FINE | changed]}
    line = refused_examples(json.dumps(document), tmp_path)
    assert said in line
    assert "number seven" in line


BAD_FILES: list[tuple[str, str]] = [
    ("", "不是有效的JSON文件"),
    ("[" * 10_000, "不是有效的JSON文件"),
    ("[]", "不是算例文件"),
    ('{"plan": "made-up-2031"}', "不是算例文件"),
    ('{"plan": "made-up-2031", "examples": {}}', "不是算例文件"),
    ('{"plan": "made-up-2031", "examples": [7]}', "不是算例文件"),
    ('{"plan": "made-up-2031", "examples": [{}]}', "expected, id, insurance, payment_date, resident"),
    ('{"plan": "made-up-2031", "examples": []}', "没有算例"),
    ('{"plan": "shanting-2023", "examples": []}', "算例属于方案 shanting-2023"),
    (json.dumps({"plan": "made-up-2031", "examples": [FINE, FINE]}), "有两个算例叫“number seven”"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text, said", BAD_FILES, ids=[f"{said} {n}" for n, (_, said) in enumerate(BAD_FILES)]
)
def test_a_file_that_is_no_example_file_is_told_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    assert said in refused_examples(text, tmp_path)


def refused_examples(text: str, folder: Path) -> str:
    """The line `check_plan` says of a file of examples for the first made-up plan that it cannot use."""
    make_cast()
    call_command("load_plan", str(MADE_UP), stdout=io.StringIO())
    path = folder / "examples.json"
    path.write_text(text, encoding="utf-8")
    errors = io.StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command(
            "check_plan", "made-up-2031", "--examples", str(path), stdout=io.StringIO(), stderr=errors
        )
    assert stopped.value.code == 2
    lines = errors.getvalue().strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.django_db
def test_a_misspelt_expectation_does_not_pass() -> None:
    """A key that no answer has differs even where nothing is expected of it."""
    asked = [example("misspelt", "medical", {"personal_amuont": None}, **DAY)]
    assert check_examples(plan_from_file(MADE_UP), asked).failed == {
        "misspelt": {"personal_amuont": (None, None)}
    }
