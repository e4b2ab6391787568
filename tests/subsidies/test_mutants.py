"""A changed amount, bound, category, payer or date does not go unnoticed."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest
from django.core.management import call_command

from subsidies.mutants import score
from subsidies.queries import examples_path, fixture_path, plan_from_file, read_examples
from subsidies.rules.crowd import crowd
from subsidies.rules.mutate import mutants
from subsidies.rules.plan import Plan
from subsidies.rules.source import read_source

pytestmark = pytest.mark.django_db


def changes(plan: Plan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for mutant in mutants(plan, read_source(plan.text)[1]):
        found.setdefault(mutant.place, []).append(mutant.change)
    return found


def test_every_kind_of_value_is_changed() -> None:
    found = changes(plan_from_file(fixture_path("dianzi-2018")))
    assert found["medical.standard.personal.amount"] == ["180 → 181", "180 → 179"]
    assert found["medical.waivers.6.when.born.to"] == ["1957-12-31 → 1957-12-30", "1957-12-31 → 1958-01-01"]
    assert found["windows.0.routes.village.closes"] == ["2017-12-10 → 2017-12-09", "2017-12-10 → 2017-12-11"]
    assert (
        "{personal: 20, county_finance: 160} → {personal: 20, government: 160}"
        in found["medical.waivers.4.amounts"]
    )
    assert (
        "{personal: 20, county_finance: 160} → {personal: 19.00, county_finance: 161.00}"
        in found["medical.waivers.4.amounts"]
    )
    assert "[tekun_urban] → [fanpin]" not in found["groups.城市特困人员.categories"], (
        "a stranger takes its place"
    )
    assert found["medical.waivers.0"] == ["—"]
    assert not any(place.startswith(("duties", "deadlines", "publicity", "targets")) for place in found)


def test_a_line_of_the_file_is_named() -> None:
    plan = plan_from_file(fixture_path("dianzi-2018"))
    written = plan.text.splitlines()
    lines = {mutant.place: mutant.line for mutant in mutants(plan, read_source(plan.text)[1])}
    assert "180" in written[lines["medical.standard.personal.amount"] - 1]
    assert "1957-12-31" in written[lines["medical.waivers.6.when.born.to"] - 1]


def test_the_examples_of_a_plan_notice_every_change() -> None:
    out = io.StringIO()
    call_command("mutants", "--plan", "zhanhe-2018", "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    told = answer["plans"]["zhanhe-2018"]
    assert (answer["score"], told["survivors"]) == (100.0, [])
    assert answer["killed"] == answer["mutants"] == told["mutants"] > 60
    assert 0 < told["refused"] < told["killed"]


def test_too_few_examples_leave_survivors() -> None:
    few = read_examples(examples_path("zhanhe-2018"), "zhanhe-2018")
    result = score("zhanhe-2018", few)
    left = {mutant.place for mutant in result.survivors}
    assert "windows.0.opens" in left
    assert "exclusions.8.born_from" not in left, "P-01 and P-02 stand on both sides of 1958-01-01"


def test_the_crowd_stands_on_both_sides_of_a_bound() -> None:
    rows = crowd(plan_from_file(fixture_path("shanting-2023")), "medical")
    births = {str(row["birth_date"]) for row in rows}
    days = {str(row["payment_date"]) for row in rows}
    assert {"1962-12-31", "1963-01-01", "1952-12-31", "1953-01-01"} <= births
    assert {"2022-09-30", "2022-10-01", "2022-12-31", "2023-01-01"} <= days
    assert len(rows) == len({row["subject"] for row in rows}) < 5000


def test_an_unknown_plan_is_one_clear_line() -> None:
    errors = io.StringIO()
    with contextlib.suppress(SystemExit):
        call_command("mutants", "--plan", "no-such-plan", stdout=io.StringIO(), stderr=errors)
    assert "没有方案文件" in errors.getvalue()
