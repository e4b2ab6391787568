"""What holds for every person under every plan: parts add up, a group never costs more, bulk is like alone.

Hypothesis chooses the readings and the seed of a crowd; the crowd is asked in one statement.
"""

from __future__ import annotations

import datetime
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subsidies.queries import PLANS, explain_decision, explain_parts, plan_from_file, price
from subsidies.rules.conditions import (
    FAMILY_KINDS,
    HOUSEHOLD_REGISTRATIONS,
    OTHER_ENROLMENTS,
    RESIDENCE_PERMITS,
    ROUTES,
    SCHOOLS,
)
from subsidies.rules.evaluator import resolve
from subsidies.rules.facts import FACT_COLUMNS, RESULT_COLUMNS
from subsidies.rules.outcomes import EXTRA_CODE
from subsidies.rules.periods import REGIMES
from subsidies.rules.plan import OWN_REASONS, REASONS, Plan

pytestmark = pytest.mark.django_db

MADE_UP = plan_from_file(PLANS.parents[1] / "tests" / "subsidies" / "made_up.yaml")
BOOKS = {path.stem: plan_from_file(path) for path in sorted(PLANS.glob("*.yaml"))} | {"made-up-2031": MADE_UP}
QUESTIONS = [(code, insurance) for code, book in BOOKS.items() for insurance in book.insurances]
MEDICAL = [code for code, book in BOOKS.items() if book.medical]
PENSION = [code for code, book in BOOKS.items() if book.pension and book.pension.tiers]
ZERO = Decimal("0.00")
CENT = Decimal("0.01")
CHOICES: dict[str, list[Any]] = {
    "medical.age_reference_date": ["payment_date", "coverage_start", "within_coverage_year"],
    "medical.gap_rule": ["late", "refuse"],
    "medical.late_waived_groups": ["personal_share_only", "whole_cost", "none"],
    "medical.personal": ["355.55", "0.01", "333.34"],
    "medical.fiscal": ["610.01", "0.00"],
    "money.rounding": ["personal_half_up"],
    "money.odd_cent": ["lower_level"],
    "medical.waiver_categories_extra": [["orphan", "severely_disabled"], ["youfu"]],
    "waiver.requires_local_registration": [True],
    "pension.government_paid_higher_tier": ["on_top", "tier_100_only", "none"],
    "pension.government_paid_categories_extra": [["dibao"], ["severely_disabled"]],
    "pension.subsidy_on_government_paid": [False],
    "pension.fp_subsidy_mode": ["offset"],
    "pension.max_age_action": ["accept"],
    "scope.employee_exclusion_mode": ["either"],
    "medical.newborn_rule": ["from_birth", "special_case"],
    "medical.waiting_first_missed_year": ["adds_a_month"],
    "medical.waiting_month_count": ["from_payment_day"],
    "medical.interruption_start": ["payment_date"],
    "medical.late_no_cover_action": ["refuse"],
}
readings = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in CHOICES.items()}
)
seeds = st.integers(0, 2**32)
few = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


def crowd_of(book: Plan, seed: int, size: int = 250) -> list[dict[str, Any]]:
    """Anybody, also with facts that are unknown or do not go together; most are within the scope."""
    rng = random.Random(seed)
    year = book.coverage_year
    tiers: list[Any] = [tier.amount for tier in book.pension.tiers] if book.pension else []
    born, around = datetime.date(year - 105, 1, 1), datetime.date(year - 1, 8, 1)
    opens = min(window.opens for window in book.windows)
    usual = (max(window.closes for window in book.windows if window.kind == "collection") - opens).days

    def seldom(share: float, *values: Any) -> Any:
        return rng.choice(values) if rng.random() < share else None

    def person(subject: int) -> dict[str, Any]:
        return {
            "subject": subject,
            "birth_date": None
            if rng.random() < 0.02
            else born + datetime.timedelta(rng.randrange(105 * 365)),
            "sex": rng.choice([None, "male", "female"]),
            "household_registration": seldom(0.3, *HOUSEHOLD_REGISTRATIONS) or "local",
            "residence_permit": seldom(0.3, *RESIDENCE_PERMITS),
            "in_school": seldom(0.2, True, False),
            "school": seldom(0.2, *SCHOOLS),
            "employee_pension": seldom(0.1, True, False),
            "employee_medical": seldom(0.1, True, False),
            "categories": rng.sample(sorted(book.categories), rng.choice([0, 0, 1, 2, 3])),
            "disability_grade": seldom(0.5, 1, 2, 3, 4),
            "family_kind": seldom(0.5, *FAMILY_KINDS),
            "family_lawful_birth": seldom(0.6, True, False),
            "family_wife_birth_date": datetime.date(year - rng.randrange(40, 61), 6, 1),
            "household_members": seldom(0.3, 1, 4),
            "household_enrolled": seldom(0.3, 0, 1, 3),
            "missed_years": seldom(0.4, 0, 1, 3, 4, 7),
            "repaired_years": seldom(0.3, 0, 1, 5),
            "first_enrolment": seldom(0.2, True, False),
            "death_date": seldom(0.03, datetime.date(year - 1, 11, 1)),
            "other_enrolment": seldom(0.06, *OTHER_ENROLMENTS),
            "tier": rng.choice([*tiers, *tiers, Decimal("123.00"), None]) if tiers else None,
            "payment_date": opens + datetime.timedelta(rng.randrange(usual + 1))
            if rng.random() < 0.6
            else around + datetime.timedelta(rng.randrange(550)),
            "route": rng.choice(ROUTES),
        }

    return [person(subject) for subject in range(1, size + 1)]


def usable(book: Plan, overrides: dict[str, Any]) -> dict[str, Any]:
    """Without what this plan prints itself, a birth date."""
    medical = book.medical
    printed = medical is None or any(waiver.condition.born for waiver in medical.waivers)
    left_out = {"medical.age_reference_date"} if printed else set()
    return {name: value for name, value in overrides.items() if name not in left_out}


def asked(
    book: Plan, insurance: str, person: dict[str, Any], answer: dict[str, Any], overrides: Any
) -> Decimal:
    """What the regime that applies asks of somebody without any help: the tier, the personal part, the whole cost."""
    if insurance == "pension":
        return Decimal(person["tier"])
    medical = book.premium()
    own = resolve(book, insurance, overrides)
    personal = own.amount("medical.personal")
    personal = medical.standard.personal if personal is None else personal
    assert personal is not None
    fiscal = own.amount("medical.fiscal")
    fiscal = medical.standard.fiscal if fiscal is None else fiscal
    whole = answer["timing"] == "late" and medical.late is not None and medical.late.price == "total_cost"
    return personal + (fiscal or ZERO) if whole else personal


@pytest.mark.parametrize("code, insurance", QUESTIONS)
@few
@given(seed=seeds, chosen=readings)
def test_parts_are_never_negative_and_add_up(
    code: str, insurance: str, seed: int, chosen: dict[str, Any]
) -> None:
    """To the fen: what the resident and the others pay is what is asked; nobody pays more than that."""
    book = BOOKS[code]
    overrides = usable(book, chosen)
    higher = overrides.get("pension.government_paid_higher_tier")
    crowd = crowd_of(book, seed)
    accepted = 0
    for person, answer in zip(crowd, price(book, insurance, crowd, overrides), strict=True):
        told = (person, answer)
        assert answer.keys() == RESULT_COLUMNS.keys()
        assert answer["decision"] in {"accept", "refuse", "refer", "hold", "amount_not_configured"}, told
        assert answer["reason"] is None or answer["reason"] in (*REASONS, *OWN_REASONS), told
        assert answer["timing"] in {"on_time", "before_window", "out_of_period", "late"}, told
        if answer["decision"] != "hold":  # before the period opens nothing speaks against anybody
            assert (answer["reason"] is None) == (
                answer["decision"] in {"accept", "amount_not_configured"}
            ), told
        assert (answer["benefit_start"] is None) == (answer["benefit_end"] is None), told
        if answer["decision_code"] != EXTRA_CODE:  # a reading that no clause of the plan speaks of
            assert explain_decision(book, answer)["clause"], told
        personal, others = answer["personal_amount"], answer["government_paid_amount"]
        if answer["decision"] == "refuse":
            assert personal is others is answer["payer_1"] is None, told
        if personal is None:
            assert answer["decision"] != "accept", told
            continue
        accepted += answer["decision"] == "accept"
        fiscal = answer["fiscal_subsidy_amount"] or ZERO
        beside = [answer["pension_government_subsidy"] or ZERO, answer["family_planning_subsidy"] or ZERO]
        paid = {
            answer[f"payer_{place}"]: answer[f"amount_{place}"]
            for place in (1, 2)
            if answer[f"payer_{place}"]
        }
        for part in (personal, others, fiscal, *beside, *paid.values()):
            assert part == part.quantize(CENT) >= 0, told
        assert sum(paid.values(), ZERO) == others, told
        assert set(paid) <= set(book.payers), told
        assert ZERO not in paid.values(), told
        assert personal + others + fiscal == answer["total_amount"], told
        due = asked(book, insurance, person, answer, overrides)
        assert personal <= due, told
        assert others <= due, told
        if insurance == "medical":
            assert personal + others == due, told
        elif overrides.get("pension.fp_subsidy_mode") == "offset":
            assert personal == max(
                ZERO, due - (ZERO if higher == "on_top" and others < due else others) - beside[1]
            ), told
        elif higher == "on_top" and others < due:
            assert personal == due, told
        else:
            assert personal + others == due, told
        explained = {each["payer"]: each for each in explain_parts(book, answer)}
        assert explained["personal"]["amount"] == personal, told
        cited = {"rule": EXTRA_CODE, "clause": "", "lines": ""}.items()
        assert all(
            (each["clause"] and each["lines"]) or cited <= each.items() for each in explained.values()
        ), told
    configured = insurance == "medical" and "medical.personal" in overrides
    assert accepted > 20 or (code == "zhanhe-2018" and not configured), "the crowd must reach the prices"


def more_of(book: Plan, crowd: list[dict[str, Any]], category: str) -> list[dict[str, Any]]:
    return [person | {"categories": sorted({*person["categories"], category})} for person in crowd]


def never_dearer(
    book: Plan, insurance: str, categories: set[str], seed: int, overrides: dict[str, Any]
) -> None:
    crowd = crowd_of(book, seed)
    before = price(book, insurance, crowd, overrides)
    for category in random.Random(seed).sample(sorted(categories), min(3, len(categories))):
        after = price(book, insurance, more_of(book, crowd, category), overrides)
        for person, one, other in zip(crowd, before, after, strict=True):
            if one["personal_amount"] is not None and other["personal_amount"] is not None:
                assert other["personal_amount"] <= one["personal_amount"], (category, person, one, other)
            if one["decision"] == "accept":  # help may wait for a decision, it never shuts anybody out
                only_100 = other["reason"] == "higher_tier_not_allowed"
                assert other["decision"] in {"accept", "refer"} or only_100, (category, person, one, other)


@pytest.mark.parametrize("code", [code for code in MEDICAL if BOOKS[code].premium().waivers])
@few
@given(seed=seeds, chosen=readings)
def test_a_waiver_category_never_raises_what_a_resident_pays(
    code: str, seed: int, chosen: dict[str, Any]
) -> None:
    book = BOOKS[code]
    waived = {
        code
        for waiver in book.premium().waivers
        for group in waiver.condition.groups
        for code in group.categories
    }
    never_dearer(book, "medical", waived, seed, usable(book, chosen))


@pytest.mark.parametrize("code", PENSION)
@few
@given(seed=seeds, chosen=readings)
def test_a_government_paid_category_never_raises_what_a_resident_pays(
    code: str, seed: int, chosen: dict[str, Any]
) -> None:
    book = BOOKS[code]
    paid = {
        code
        for rule in book.contribution().government_paid
        for group in rule.condition.groups
        for code in group.categories
    }
    never_dearer(book, "pension", paid, seed, usable(book, chosen))


@pytest.mark.parametrize("code, insurance", QUESTIONS)
@few
@given(seed=seeds, chosen=readings)
def test_alone_and_in_bulk_give_the_same_answer(
    code: str, insurance: str, seed: int, chosen: dict[str, Any]
) -> None:
    book = BOOKS[code]
    overrides = usable(book, chosen)
    crowd = crowd_of(book, seed, 120)
    together = price(book, insurance, crowd, overrides)
    for person, answer in random.Random(seed).sample(list(zip(crowd, together, strict=True)), 3):
        assert price(book, insurance, [person], overrides) == [answer]
    assert price(book, insurance, crowd[::-1], overrides) == together[::-1]


@pytest.mark.parametrize("code", [code for code in MEDICAL if BOOKS[code].premium().cover])
@few
@given(seed=seeds, chosen=readings)
def test_cover_lies_within_its_year_and_waiting_grows_with_missed_years(
    code: str, seed: int, chosen: dict[str, Any]
) -> None:
    book = BOOKS[code]
    overrides = usable(book, chosen)
    crowd = crowd_of(book, seed)
    first, last = book.premium().cover or (datetime.date.max, datetime.date.min)
    known = [person | {"missed_years": person["missed_years"] or 0} for person in crowd]
    longer = [person | {"missed_years": person["missed_years"] + 1} for person in known]
    repaired = [person | {"repaired_years": (person["repaired_years"] or 0) + 1} for person in known]
    answers = [price(book, "medical", rows, overrides) for rows in (known, longer, repaired)]
    for before, more, less in zip(*answers, strict=True):
        for answer in (before, more, less):
            if answer["benefit_start"] is not None:
                assert first <= answer["benefit_start"] <= answer["benefit_end"] == last
        starts = [answer["benefit_start"] or datetime.date.max for answer in (less, before, more)]
        if before["decision"] == more["decision"] == less["decision"] == "accept":
            assert starts == sorted(starts)
        amounts = {answer["personal_amount"] for answer in (before, more, less) if answer["personal_amount"]}
        assert len(amounts) <= 1, "missed years move cover, not the price"


def test_the_facts_are_those_of_the_contract() -> None:
    assert list(FACT_COLUMNS)[:3] == ["subject", "birth_date", "sex"]
    assert len(FACT_COLUMNS) == 27
    assert len(set(REGIMES)) == len(REGIMES)
