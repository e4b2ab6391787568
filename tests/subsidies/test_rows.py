"""Requirements of the papers one by one, asked of the plan that prints them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from enrollment.models import Stage
from tests.factories import make_cast
from tests.subsidies.asking import example, holds

pytestmark = pytest.mark.django_db

TENGZHOU: dict[str, Any] = {"payment_date": "2022-11-30"}
DIANZI: dict[str, Any] = {"payment_date": "2017-11-30"}
YICHENG: dict[str, Any] = {"payment_date": "2021-11-30"}
ZHANHE: dict[str, Any] = {"payment_date": "2018-11-01"}


@pytest.mark.covers("E014")
def test_registration_in_the_city_is_enough_where_the_plan_says_so(tmp_path: Path) -> None:
    near: dict[str, Any] = {"household_registration": "same_city_other_county"}
    holds("tengzhou-2023", [example("near", "medical", {"decision": "accept"}, **TENGZHOU, **near)], tmp_path)
    refused = {"decision": "refuse", "reason": "not_in_scope"}
    holds("yicheng-2022", [example("near", "medical", refused, **YICHENG, **near)], tmp_path)


@pytest.mark.covers("E020")
def test_a_printed_birth_date_bounds_pension(tmp_path: Path) -> None:
    holds(
        "zhanhe-2018",
        [
            example("on the day", "pension", {"decision": "amount_not_configured"}, birth_date="1958-01-01", **ZHANHE),
            example("a day older", "pension", {"decision": "refuse", "reason": "age_60_or_more"},
                    birth_date="1957-12-31", **ZHANHE),
        ],
        tmp_path,
    )  # fmt: skip


@pytest.mark.covers("E022", "E023")
def test_paid_elsewhere_is_refused_or_stopped_for_review(tmp_path: Path) -> None:
    holds(
        "yicheng-2022",
        [
            example("outside the city", "medical", {"decision": "refuse", "reason": "duplicate_elsewhere"},
                    other_enrolment="medical_outside_pool_city", **YICHENG),
            example("inside the city", "medical", {"decision": "refer", "reason": "duplicate_in_city"},
                    other_enrolment="medical_other_county_same_city", **YICHENG),
            example("already paid here", "medical", {"decision": "refuse", "reason": "duplicate"},
                    other_enrolment="same_plan_paid", **YICHENG),
        ],
        tmp_path,
    )  # fmt: skip


@pytest.mark.covers("E029")
def test_six_steps_of_subsidy(tmp_path: Path) -> None:
    table = {
        300: 30,
        500: 60,
        600: 60,
        800: 65,
        1000: 65,
        1500: 70,
        2000: 70,
        2500: 75,
        3000: 75,
        4000: 80,
        5000: 80,
    }
    asked = [
        example(f"tier {tier}", "pension", {"personal_amount": f"{tier}.00",
                "pension_government_subsidy": f"{subsidy}.00"}, tier=tier, **DIANZI)
        for tier, subsidy in table.items()
    ]  # fmt: skip
    holds("dianzi-2018", asked, tmp_path)


@pytest.mark.covers("E031", "E054")
def test_the_district_pays_the_lowest_tier_for_the_poor_not_marked_out(tmp_path: Path) -> None:
    holds(
        "dianzi-2018",
        [
            example("not marked out", "pension", {"personal_amount": "0.00", "payers": {"county_finance": "100.00"}},
                    tier=100, categories=["registered_poor_not_out"], **DIANZI),
            example("marked out", "pension", {"decision": "refer", "reason": "tier_100_not_allowed"}, tier=100,
                    categories=["registered_poor_out"], **DIANZI),
            example("medical takes both", "medical", {"personal_amount": "0.00"}, categories=["registered_poor_out"],
                    **DIANZI),
        ],
        tmp_path,
    )  # fmt: skip


@pytest.mark.covers("E046")
def test_illness_hardship_counts_once_it_is_approved(tmp_path: Path) -> None:
    holds(
        "yicheng-2022",
        [
            example("approved", "medical", {"personal_amount": "0.00"}, categories=["illness_hardship_approved"],
                    **YICHENG),
            example("not approved", "medical", {"personal_amount": "320.00", "payers": {}},
                    categories=["illness_hardship_unapproved"], **YICHENG),
        ],
        tmp_path,
    )  # fmt: skip


@pytest.mark.covers("E047", "E050")
def test_one_waiver_by_its_own_payer_however_many_groups(tmp_path: Path) -> None:
    fund = {
        "personal_amount": "0.00",
        "government_paid_amount": "350.00",
        "payers": {"medical_assistance_fund": "350.00"},
    }
    holds(
        "tengzhou-2023",
        [
            example("one group", "medical", fund, categories=["dibao"], **TENGZHOU),
            example("three groups and 65 years", "medical", fund, birth_date="1957-05-05",
                    categories=["dibao", "orphan", "rural_two_daughters"], **TENGZHOU),
        ],
        tmp_path,
    )  # fmt: skip


@pytest.mark.covers("E008", "E009")
def test_stages_of_entry_and_summary_are_stored(tmp_path: Path) -> None:
    make_cast()
    made_up = Path(__file__).with_name("made_up.yaml")
    more = (
        "stages:\n"
        "  - {code: entry, kind: entry, name: 信息录入, starts: 2031-01-20, ends: 2031-02-28, clause: 录, lines: L17}\n"
        "  - {code: summary, kind: summary, name: 总结评价, starts: 2031-03-01, ends: 2031-03-31, clause: 结, lines: L18}\n"
    )
    text = made_up.read_text(encoding="utf-8").replace("stages:\n", more)
    path = tmp_path / "stages.yaml"
    path.write_text(text, encoding="utf-8")
    call_command("load_plan", str(path))
    stored = {stage.kind: (stage.name, str(stage.starts_on)) for stage in Stage.objects.all()}
    assert stored["entry"] == ("信息录入", "2031-01-20")
    assert stored["summary"] == ("总结评价", "2031-03-01")
    assert stored["collection"][1] == "2030-12-01", "stages may overlap"


NOBODY: dict[str, Any] = {
    "death_date": "2017-01-01",
    "other_enrolment": "same_plan_paid",
    "household_registration": "outside",
    "employee_medical": True,
    "employee_pension": True,
    "in_school": True,
    "school": "primary",
    "birth_date": "2015-01-01",
    "tier": 400,
}
PENSION_ORDER: list[tuple[str, dict[str, Any]]] = [
    ("deceased", {}),
    ("duplicate", {"death_date": None}),
    ("not_in_scope", {"other_enrolment": None}),
    ("employee_pension", {"household_registration": "local"}),
    ("in_school", {"employee_pension": False}),
    ("under_16", {"in_school": False, "school": None}),
    ("age_60_or_more", {"birth_date": "1940-01-01"}),
    ("unknown_tier", {"birth_date": "1985-05-05"}),
    ("tier_100_not_allowed", {"tier": 100}),
]
MEDICAL_ORDER: list[tuple[str, dict[str, Any]]] = [
    ("deceased", {}),
    ("duplicate", {"death_date": None}),
    ("duplicate_elsewhere", {"other_enrolment": "medical_outside_pool_city"}),
    ("duplicate_in_city", {"other_enrolment": "medical_other_county_same_city"}),
    ("not_in_scope", {"other_enrolment": None}),
    ("employee_medical", {"household_registration": "local"}),
]


@pytest.mark.covers("E018", "E019", "E023", "E024")
@pytest.mark.parametrize(
    "plan, day",
    [
        ("shanting-2023", "2022-11-30"),
        ("yicheng-2022", "2021-11-30"),
        ("dianzi-2018", "2017-11-30"),
        ("tengzhou-2023", "2022-11-30"),
    ],
)
def test_of_several_reasons_the_first_is_given(plan: str, day: str, tmp_path: Path) -> None:
    """Somebody with every reason against him loses them one by one; either kind of employment counts when set so."""
    asked = []
    for insurance, order in (("medical", MEDICAL_ORDER), ("pension", PENSION_ORDER)):
        if plan == "tengzhou-2023" and insurance == "pension":
            continue
        facts = dict(NOBODY)
        for reason, change in order:
            facts |= change
            expected: dict[str, Any] = {
                "reason": reason,
                "personal_amount": None,
                "payers": {},
                "benefit_start": None,
            }
            asked.append(example(f"{insurance} {reason}", insurance, expected, payment_date=day, **facts))
    both = NOBODY | {"death_date": None, "other_enrolment": None, "household_registration": "local"}
    asked.append(
        example("either", "medical", {"decision": "refuse", "reason": "employee_pension"}, payment_date=day,
                **(both | {"employee_medical": False}), settings={"scope.employee_exclusion_mode": "either"})
    )  # fmt: skip
    holds(plan, asked, tmp_path)


def test_of_several_reasons_the_first_is_given_where_a_birth_date_is_printed(tmp_path: Path) -> None:
    """湛河 refuses by birth date, refers who paid elsewhere, and admits for medical by area alone."""
    facts = NOBODY | {"tier": None}
    asked = []
    for reason, change in PENSION_ORDER[:-2]:
        facts |= change
        asked.append(
            example(f"pension {reason}", "pension", {"reason": reason}, payment_date="2018-11-01", **facts)
        )
    facts = NOBODY | {"tier": None, "school": "university"}
    for reason, change in MEDICAL_ORDER[:-2]:
        facts |= change
        asked.append(
            example(f"medical {reason}", "medical", {"reason": reason}, payment_date="2018-11-01", **facts)
        )
    facts |= {"other_enrolment": None}
    asked.append(example("student of elsewhere", "medical", {"reason": "employee_medical"}, payment_date="2018-11-01",
                         **facts))  # fmt: skip
    holds("zhanhe-2018", asked, tmp_path)
