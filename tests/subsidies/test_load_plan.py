"""Plan files become tables: drafts change, published versions are frozen, every rule cites its clause."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from enrollment.models import CollectionPlan, PlanStatus, Stage, Target, Tier, Window
from foundation.audit.models import AuditEvent
from subsidies.models import Rule
from subsidies.queries import PLANS, fixture_path, plan_from_file, rule_book
from subsidies.rules.source import PlanError
from subsidies.services.life import publish_plan
from subsidies.services.plans import load_plan
from tests.subsidies.asking import check, example
from townships.models import County, Township
from townships.unit_names import TownshipNames

pytestmark = pytest.mark.django_db
CODE = "shanting-2023"


def load(path_or_code: str) -> dict[str, object]:
    out = io.StringIO()
    call_command("load_plan", path_or_code, "--json", stdout=out)
    answer: dict[str, object] = json.loads(out.getvalue().splitlines()[-1])
    return answer


def townships_of(code: str) -> None:
    """The county and its townships, without the villages."""
    data = json.loads(
        (Path(settings.BASE_DIR) / "fixtures" / "divisions" / f"{code}.json").read_text("utf-8")
    )
    county = County.objects.create(
        code=f"{code}000000", name=data["name"], short_name=code, kind=County.DISTRICT
    )
    Township.objects.bulk_create(
        Township(county=county, code=f"{town['code']}000", name=town["name"], short_name=town["name"])
        for town in data["townships"]
    )


@pytest.fixture
def shanting() -> CollectionPlan:
    townships_of("370406")
    load(CODE)
    return CollectionPlan.objects.get(code=CODE)


def changed(tmp_path: Path, *, version: int = 1) -> Path:
    """The plan with another premium; its total follows."""
    text = fixture_path(CODE).read_text(encoding="utf-8")
    text = text.replace("personal: {amount: 350,", "personal: {amount: 360,").replace(
        "total: 960", "total: 970"
    )
    path = tmp_path / "changed.yaml"
    path.write_text(text.replace("  version: 1\n", f"  version: {version}\n"), encoding="utf-8")
    return path


@pytest.mark.covers("E001", "E002", "E004", "E006", "E007", "E012")
def test_a_plan_file_becomes_tables(shanting: CollectionPlan) -> None:
    assert (shanting.status, shanting.coverage_year, shanting.collection_mode) == (
        PlanStatus.DRAFT,
        2023,
        "direct",
    )
    assert shanting.document_number == "山政办发〔2022〕4号"
    assert shanting.insurances == ["pension", "medical"]
    tiers = {tier.amount: tier for tier in Tier.objects.filter(plan=shanting)}
    assert len(tiers) == 12
    assert tiers[Decimal(600)].subsidy == 60
    assert not tiers[Decimal(300)].restricted_to
    assert {"disabled", "wubao", "tekun", "dibao", "youfu", "fupin"} <= set(tiers[Decimal(100)].restricted_to)
    windows = {(window.insurance, window.kind): window for window in Window.objects.filter(plan=shanting)}
    assert str(windows["medical", "collection"].opens_on) == "2022-10-01"
    assert str(windows["medical", "late"].opens_on) == "2023-01-01"
    stages = Stage.objects.filter(plan=shanting).order_by("starts_on")
    assert [stage.kind for stage in stages] == ["preparation", "collection", "publicity"]


@pytest.mark.covers("E116", "E117")
def test_task_table_keeps_rows_and_printed_total(shanting: CollectionPlan) -> None:
    medical = Target.objects.filter(plan=shanting, insurance="medical")
    rows = medical.exclude(township=None)
    assert rows.count() == 10
    assert sum(row.headcount for row in rows) == medical.get(township=None).headcount == 343_740
    assert rows.get(township__name="徐庄镇").headcount == 39_127
    assert sum(row.villages or 0 for row in rows) == 281


@pytest.mark.covers("E010")
def test_a_unit_of_the_tree_may_have_no_target_and_several_names() -> None:
    """The development zone is addressed by the paper and has no row of its table; 柴胡店 is 柴胡店镇 by either name."""
    call_command("load_county", "370406", stdout=io.StringIO())
    load(CODE)
    shanting = County.objects.get(code="370406000000")
    zone = Township.objects.get(code=TownshipNames(shanting).code("山亭经济开发区管委会"))
    with_targets = set(Target.objects.filter(plan__code=CODE).values_list("township__name", flat=True)) - {
        None
    }
    assert zone.name not in with_targets
    assert len(with_targets) == 10
    assert zone.villages.exists(), "and residents live there"
    call_command("load_county", "370481", stdout=io.StringIO())
    load("tengzhou-2023")
    names = TownshipNames(County.objects.get(code="370481000000"))
    written = [row.name for row in plan_from_file(fixture_path("tengzhou-2023")).targets.rows]  # type: ignore[union-attr]
    assert all(names.code(name) for name in written)
    assert names.code("柴胡店") == names.code("柴胡店镇") == "370481111000"


@pytest.mark.covers("E001", "E002", "E003", "E005", "E011", "E012")
@pytest.mark.parametrize("code", sorted(path.stem for path in PLANS.glob("*.yaml")))
def test_every_plan_loads_beside_the_others(code: str) -> None:
    book = plan_from_file(fixture_path(code))
    townships_of(book.county)
    answer = load(code)
    plan = CollectionPlan.objects.get(code=code)
    assert answer["rules"] == Rule.objects.filter(plan=plan).count() == len(book.rules)
    assert (plan.township is not None) == (book.level == "township")
    if book.targets:
        for insurance in book.insurances:
            heads = Target.objects.filter(plan=plan, insurance=insurance).exclude(township=None)
            assert sum(row.headcount for row in heads) == book.targets.total(insurance)


def test_a_printed_total_that_is_not_the_sum_is_kept_beside_it() -> None:
    targets = plan_from_file(fixture_path("tengzhou-2023")).targets
    assert targets is not None
    assert (targets.total("medical"), targets.difference("medical")) == (1_320_801, -1)


def test_every_rule_of_every_plan_cites_words_and_lines() -> None:
    for path in PLANS.glob("*.yaml"):
        book = plan_from_file(path)
        one_paper = book.level != "national"  # national rules stand in several papers, named by number
        assert len(book.rules) > (40 if one_paper else 20), path.name
        for rule in book.rules:
            assert len(rule.clause.text) >= 2, rule.code
            assert rule.clause.lines.startswith("L") if one_paper else "号" in rule.clause.lines, rule.code


def test_the_stored_text_gives_the_same_rules(shanting: CollectionPlan) -> None:
    stored, read = rule_book(shanting), plan_from_file(fixture_path(CODE))
    assert stored.rules == read.rules
    assert stored.sha256 == read.sha256 == shanting.source_sha256
    assert Rule.objects.filter(plan=shanting).count() == len(read.rules)


def test_loading_again_changes_nothing(shanting: CollectionPlan) -> None:
    before = list(Rule.objects.order_by("pk").values_list("pk", "code"))
    assert load(CODE) == {"plan": CODE, "version": 1, "rules": len(before), "tiers": 12}
    assert list(Rule.objects.order_by("pk").values_list("pk", "code")) == before
    assert AuditEvent.objects.filter(action="plan.load").count() == 1


def test_a_draft_takes_another_text_and_the_answers_follow(shanting: CollectionPlan, tmp_path: Path) -> None:
    asked = example("ordinary", "medical", {"personal_amount": "360.00", "total_amount": "970.00"})
    assert check(CODE, [asked], tmp_path)["passed"] == 0
    load(str(changed(tmp_path)))
    assert check(CODE, [asked], tmp_path)["passed"] == 1
    assert CollectionPlan.objects.filter(code=CODE).count() == 1


def test_a_published_version_is_frozen_and_the_next_stands_beside_it(
    shanting: CollectionPlan, tmp_path: Path
) -> None:
    assert publish_plan(by=None, plan=shanting).failed == {}
    shanting.refresh_from_db()
    assert shanting.status == PlanStatus.PUBLISHED
    assert load(CODE)["plan"] == CODE
    with pytest.raises(PlanError) as refused:
        load_plan(by=None, path_or_code=str(changed(tmp_path)))
    assert refused.value.code == "frozen"
    load(str(changed(tmp_path, version=2)))
    assert [plan.version for plan in CollectionPlan.objects.filter(code=CODE).order_by("version")] == [1, 2]
    assert Rule.objects.filter(plan=shanting).count() == Rule.objects.filter(plan__version=2).count()


def test_a_plan_that_fails_its_examples_is_not_published(shanting: CollectionPlan, tmp_path: Path) -> None:
    load(str(changed(tmp_path)))
    shanting.refresh_from_db()
    assert publish_plan(by=None, plan=shanting).failed
    shanting.refresh_from_db()
    assert shanting.status == PlanStatus.DRAFT
