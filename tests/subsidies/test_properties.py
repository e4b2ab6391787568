"""What holds for every person under every plan: parts add up, a group never costs more, bulk is like alone."""

from __future__ import annotations

import datetime
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
from subsidies.rules.facts import FACT_COLUMNS, RESULT_COLUMNS
from subsidies.rules.outcomes import EXTRA_CODE
from subsidies.rules.periods import REGIMES
from subsidies.rules.plan import OWN_REASONS, REASONS, Plan

pytestmark = pytest.mark.django_db

BOOKS = {path.stem: plan_from_file(path) for path in sorted(PLANS.glob("*.yaml"))}
QUESTIONS = [(code, insurance) for code, book in BOOKS.items() for insurance in book.insurances]
CHOICES = {
    "medical.age_reference_date": ["payment_date", "coverage_start", "within_coverage_year"],
    "medical.gap_rule": ["late", "refuse"],
    "medical.late_waived_groups": ["personal_share_only", "whole_cost", "none"],
    "medical.personal": ["355.55", "0.01"],
    "money.rounding": ["personal_half_up"],
    "pension.government_paid_higher_tier": ["on_top", "tier_100_only", "none"],
    "pension.fp_subsidy_mode": ["offset"],
    "scope.employee_exclusion_mode": ["either"],
    "medical.newborn_rule": ["from_birth", "special_case"],
    "medical.waiting_first_missed_year": ["adds_a_month"],
    "medical.waiting_month_count": ["from_payment_day"],
    "medical.interruption_start": ["payment_date"],
    "medical.late_no_cover_action": ["refuse"],
}


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


def people(book: Plan) -> st.SearchStrategy[dict[str, Any]]:
    """Anybody, also with facts that are unknown or do not go together."""
    year = book.coverage_year
    flags = st.sampled_from([None, True, False, False, False])
    tiers = [tier.amount for tier in book.pension.tiers] if book.pension else []
    return st.fixed_dictionaries(
        {
            "birth_date": st.one_of(
                st.none(), st.dates(datetime.date(year - 105, 1, 1), datetime.date(year, 6, 1))
            ),
            "sex": some("male", "female"),
            "household_registration": some("local", "local", "local", *HOUSEHOLD_REGISTRATIONS),
            "residence_permit": some(*RESIDENCE_PERMITS),
            "in_school": flags,
            "school": some(*SCHOOLS),
            "employee_pension": flags,
            "employee_medical": flags,
            "categories": st.lists(st.sampled_from(sorted(book.categories)), max_size=3, unique=True),
            "disability_grade": some(1, 2, 3, 4),
            "family_kind": some(*FAMILY_KINDS),
            "family_lawful_birth": flags,
            "family_wife_birth_date": st.one_of(
                st.none(), st.dates(datetime.date(year - 60, 1, 1), datetime.date(year - 40, 1, 1))
            ),
            "household_members": some(1, 4),
            "household_enrolled": some(0, 1, 3),
            "missed_years": some(0, 1, 3, 4, 7),
            "repaired_years": some(0, 1, 5),
            "first_enrolment": flags,
            "death_date": some(None, None, datetime.date(year - 1, 11, 1)),
            "other_enrolment": some(None, None, *OTHER_ENROLMENTS),
            "tier": some(*tiers, Decimal("123.00")),
            "payment_date": st.dates(datetime.date(year - 1, 8, 1), datetime.date(year + 1, 2, 1)),
            "route": some("village", *ROUTES),
        }
    )


def crowds(book: Plan) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(people(book), min_size=20, max_size=20).map(
        lambda found: [person | {"subject": place} for place, person in enumerate(found, start=1)]
    )


readings = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in CHOICES.items()}
)
few = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def usable(book: Plan, overrides: dict[str, str]) -> dict[str, str]:
    """Without what this plan prints itself: a fixed amount above a made-up standard, a birth date."""
    medical = book.medical
    printed = medical is None or any(waiver.condition.born for waiver in medical.waivers)
    left_out = {"medical.age_reference_date"} if printed else set()
    return {name: value for name, value in overrides.items() if name not in left_out}


def most(book: Plan, insurance: str, answer: dict[str, Any], overrides: dict[str, str]) -> Decimal:
    """What the regime that applies asks of somebody without any help."""
    if insurance == "pension":
        return max(tier.amount for tier in book.contribution().tiers)
    medical = book.premium()
    personal = Decimal(overrides.get("medical.personal", medical.standard.personal or 0))
    whole = answer["timing"] == "late" and medical.late is not None and medical.late.price == "total_cost"
    return personal + (medical.standard.fiscal or 0) if whole else personal


@pytest.mark.parametrize("code, insurance", QUESTIONS)
@few
@given(data=st.data())
def test_parts_are_never_negative_and_add_up(code: str, insurance: str, data: st.DataObject) -> None:
    book = BOOKS[code]
    overrides = usable(book, data.draw(readings))
    for answer in price(book, insurance, data.draw(crowds(book)), overrides):
        assert answer.keys() == RESULT_COLUMNS.keys()
        assert answer["decision"] in {"accept", "refuse", "refer", "hold", "amount_not_configured"}
        assert (answer["reason"] is None) or answer["reason"] in (*REASONS, *OWN_REASONS)
        assert answer["timing"] in {"on_time", "before_window", "out_of_period", "late"}
        if answer["decision"] != "hold":  # before the period opens nothing speaks against anybody
            assert (answer["reason"] is None) == (answer["decision"] in {"accept", "amount_not_configured"})
        zero = Decimal("0.00")
        parts = [answer["personal_amount"], answer["government_paid_amount"], answer["fiscal_subsidy_amount"]]
        paid = [answer["amount_1"] or zero, answer["amount_2"] or zero]
        assert all(part is None or part >= 0 for part in (*parts, *paid))
        if answer["decision"] == "accept":
            assert None not in parts[:2]
        if parts[0] is not None:
            assert sum((part or zero for part in parts), zero) == answer["total_amount"]
            assert sum(paid, zero) == parts[1]
            assert parts[0] <= most(book, insurance, answer, overrides)
            explained = {each["payer"]: each for each in explain_parts(book, answer)}
            assert explained["personal"]["amount"] == parts[0]
            assert all(each["clause"] and each["lines"] for each in explained.values())
        if answer["decision_code"] != EXTRA_CODE:  # a reading that no clause of the plan speaks of
            assert explain_decision(book, answer)["clause"]
        assert (answer["benefit_start"] is None) == (answer["benefit_end"] is None)


@pytest.mark.parametrize("code", [code for code, book in BOOKS.items() if book.medical])
@few
@given(data=st.data())
def test_a_further_group_never_raises_what_a_resident_pays(code: str, data: st.DataObject) -> None:
    book = BOOKS[code]
    overrides = usable(book, data.draw(readings))
    overrides.pop("medical.late_waived_groups", None)
    crowd = data.draw(crowds(book))
    group = data.draw(st.sampled_from(sorted(book.categories)))
    more = [person | {"categories": sorted({*person["categories"], group})} for person in crowd]
    for before, after in zip(
        price(book, "medical", crowd, overrides), price(book, "medical", more, overrides), strict=True
    ):
        if before["personal_amount"] is not None and after["personal_amount"] is not None:
            assert after["personal_amount"] <= before["personal_amount"]


@pytest.mark.parametrize("code, insurance", QUESTIONS)
@few
@given(data=st.data())
def test_alone_and_in_bulk_give_the_same_answer(code: str, insurance: str, data: st.DataObject) -> None:
    book = BOOKS[code]
    crowd = data.draw(crowds(book))
    together = price(book, insurance, crowd)
    for person, answer in list(zip(crowd, together, strict=True))[:4]:
        assert price(book, insurance, [person]) == [answer]
    assert price(book, insurance, crowd[::-1]) == together[::-1]


@pytest.mark.parametrize(
    "code", [code for code, book in BOOKS.items() if book.medical and book.medical.cover]
)
@few
@given(data=st.data())
def test_cover_lies_within_its_year_and_waiting_grows_with_missed_years(
    code: str, data: st.DataObject
) -> None:
    book = BOOKS[code]
    overrides = usable(book, data.draw(readings))
    crowd = data.draw(crowds(book))
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
    assert len(FACT_COLUMNS) == 25
    assert len(set(REGIMES)) == len(REGIMES)
