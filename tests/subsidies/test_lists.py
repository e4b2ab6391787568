"""Lists of persons for whom somebody else pays: what the plan files say, and what the loader refuses."""

from __future__ import annotations

import pytest

from subsidies.queries import PLANS, fixture_path, known_categories, plan_from_file
from subsidies.rules.parse import load_plan_text
from subsidies.rules.plan import AGENCIES
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe
from townships.models import AgencyKind

TENGZHOU = fixture_path("tengzhou-2023").read_text(encoding="utf-8")


def test_assistance_and_government_paid_are_different_lists_of_003() -> None:
    """资助 is certified by two offices and applied for by the medical one, 代缴 by four, each for its own."""
    book = plan_from_file(fixture_path("tengzhou-2023"))
    assisted, paid = book.lists
    assert (assisted.name, assisted.kind) == ("《政府资助人员名单》", "assistance")
    assert [each.agency for each in assisted.suppliers] == ["civil_affairs", "rural_revival"]
    assert assisted.application is not None
    assert (assisted.application.by, assisted.application.joined) == ("medical", ("tax",))
    assert (paid.name, paid.kind) == ("《政府代缴人员名单》", "government_paid")
    assert {each.agency for each in paid.suppliers} == {
        "disabled_federation", "civil_affairs", "health", "veterans",
    }  # fmt: skip
    assert paid.application is not None
    assert paid.application.by == "supplier"
    health = next(each for each in paid.suppliers if each.agency == "health")
    assert health.computed == ("medical_age_60_69", "medical_age_70")
    assert book.list_of("medical_assistance") is assisted


def test_who_must_be_named_is_data_too() -> None:
    """“政府或部门” is open in 000 and 001, 市财政 is not."""
    assert plan_from_file(fixture_path("shanting-2023")).is_open("government_or_department")
    assert plan_from_file(fixture_path("yicheng-2022")).is_open("government")
    assert not plan_from_file(fixture_path("tengzhou-2023")).is_open("county_finance")


def test_every_waiver_of_every_county_plan_stands_on_one_list() -> None:
    for path in PLANS.glob("*.yaml"):
        book = plan_from_file(path)
        if book.level == "national" or not book.lists:
            continue
        rules = [w.code for w in book.medical.waivers] if book.medical else []
        rules += [r.code for r in book.pension.government_paid] if book.pension else []
        listed = [code for each in book.lists for code in each.waivers]
        assert sorted(listed) == sorted(rules), path.name


def test_kinds_of_offices_are_those_of_the_places() -> None:
    assert set(AGENCIES) <= set(AgencyKind.values)


SPOILT = [
    ("waivers: [medical_assistance]", "waivers: [medical_nothing]", "undefined_rule"),
    ("      - medical_children\n", "      - medical_assistance\n", "rule_on_two_lists"),
    ("        groups: [重度残疾人]\n", "        groups: [重度残疾人, 孤儿]\n", "certified_twice"),
    ("        groups: [抚恤定补优抚对象]\n", "        groups: [低保对象]\n", "group_not_on_list"),
    ("groups: [返贫致贫人口, 防止返贫监测帮扶对象]", "groups: [返贫致贫人口]", "certified_by_nobody"),
    ("        computed: [medical_age_60_69, medical_age_70]\n", "", "certified_by_nobody"),
    ("    bill: flow_government_paid_bill\n", "    bill: flow_of_nothing\n", "undefined_rule"),
    ("with: [tax], to: finance, rule: flow_assistance", "with: [post], to: finance, rule: flow_assistance", "not_a_choice"),
]  # fmt: skip


@pytest.mark.parametrize("there, instead, reason", SPOILT, ids=[each[2] + each[0][:24] for each in SPOILT])
def test_a_list_that_does_not_hold_is_refused_with_its_line(there: str, instead: str, reason: str) -> None:
    assert TENGZHOU.count(there) == 1
    with pytest.raises(PlanError) as caught:
        load_plan_text(TENGZHOU.replace(there, instead), known_categories())
    assert caught.value.code == reason
    assert caught.value.line > 0
    assert "第" in describe(caught.value)
    assert reason not in describe(caught.value)


def test_an_open_payer_must_pay_in_the_plan() -> None:
    text = fixture_path("shanting-2023").read_text(encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        load_plan_text(
            text.replace(
                "    payer: government\n    clause: 由政府为其代缴",
                "    payer: nobody\n    clause: 由政府为其代缴",
            ),
            known_categories(),
        )
    assert caught.value.code == "undefined_payer"
