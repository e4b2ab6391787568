"""``what_if``: a change is priced over the registered and nothing is written."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from contributions.services import what_if as service
from contributions.services.assess import assess
from contributions.services.what_if import what_if
from enrollment.models import Membership
from foundation.scope.context import places_scope
from subsidies.queries import rule_book
from subsidies.rules.changes import change_plan, known_changes
from subsidies.rules.settings import SETTINGS
from subsidies.rules.source import PlanError
from tests.plans.conftest import TODAY, County


def run(*changes: str, plan: str = "shanting-2023") -> dict[str, Any]:
    """The command's JSON."""
    out = io.StringIO()
    arguments = [part for change in changes for part in ("--set", change)]
    call_command("what_if", plan, *arguments, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return answer


def refused(capsys: pytest.CaptureFixture[str], *changes: str, plan: str = "shanting-2023") -> str:
    """The one line of error; exit code 2."""
    with pytest.raises(SystemExit) as end:
        run(*changes, plan=plan)
    assert end.value.code == 2
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    lines = told.err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_an_amount_moves_everybody_it_prices(county: County) -> None:
    """350 → 380: adults pay 30 more, at 65 half of it each way, payers of the exempt the whole."""
    answer = run("medical.personal=380")
    assert set(answer) == {"before", "after", "difference", "residents_affected", "seconds"}
    jia, yi = county.cast.jia.code, county.cast.yi.code
    # medical 350 + 175 + 350, pension 300
    assert answer["before"]["personal"] == "1175.00"
    assert answer["before"]["shares"] == {
        "personal": "1175.00", "government_or_department": "875.00", "fiscal_subsidy": "3050.00",
        "pension_subsidy": "30.00",
    }  # fmt: skip
    assert answer["difference"]["shares"] == {
        "personal": "75.00", "government_or_department": "75.00", "fiscal_subsidy": "0.00", "pension_subsidy": "0.00",
    }  # fmt: skip
    assert answer["after"]["by_township"][jia]["personal"] == "870.00"
    assert answer["difference"]["by_township"][yi] == {
        "personal": "30.00",
        "shares": {
            "personal": "30.00", "government_or_department": "30.00", "fiscal_subsidy": "0.00", "pension_subsidy": "0.00",
        },
    }  # fmt: skip
    assert answer["residents_affected"] == 5


def test_before_is_what_would_be_charged(county: County) -> None:
    """The budget without the change is the charges' own sum, payer by payer."""
    with places_scope(county.cast.places):
        charged = assess(by=None, plan=county.plan)
    before = run("medical.personal=380")["before"]
    assert {payer: Decimal(amount) for payer, amount in before["shares"].items()} == charged.shares
    assert Decimal(before["personal"]) == charged.personal


def test_after_is_what_the_changed_plan_would_charge(county: County) -> None:
    """Each resident's answer under the change, added up, is the budget after it."""
    changes = {"waiver.medical_age_60_69.share.personal": "40%"}
    with places_scope(county.cast.places):
        answer = what_if(plan=county.plan, changes=changes, on=TODAY)
    assert answer.after.total.personal == Decimal("1140.00")  # 175 becomes 140
    assert answer.after.total.shares["government_or_department"] == Decimal("910.00")
    assert (answer.affected, answer.paying_more, answer.paying_less) == (1, 0, 1)
    assert answer.registered == 6


@pytest.mark.parametrize(
    ("change", "personal", "affected"),
    [
        ("waiver.medical_age_60_69=off", "175.00", 1),
        ("waiver.medical_full_groups=off", "350.00", 1),
        ("waiver.medical_full_groups.groups=特困人员", "350.00", 1),
        ("waiver.medical_age_60_69.share.government_or_department=80%", "-105.00", 1),
        ("medical.fiscal=640", "0.00", 5),
        ("subsidy.pension_subsidy_30.amount=50", "0.00", 1),
        ("window.window_medical.opens=2022-12-15", "0.00", 0),
        ("medical.age_reference_date=payment_date", "0.00", 0),
    ],
)
def test_rules_and_settings_by_name(county: County, change: str, personal: str, affected: int) -> None:
    """Waivers, shares, groups, subsidies and settings are changed by their names."""
    if change.startswith("window"):
        windows = [key for key in known_changes(rule_book(county.plan)) if key.endswith(".opens")]
        change = f"{windows[0]}=2022-09-20"
    answer = run(change)
    assert answer["difference"]["personal"] == personal
    assert answer["residents_affected"] == affected


def test_a_band_moves_when_both_its_ends_do(county: County) -> None:
    """From 70 down to 65 for the whole waiver: somebody of 65 pays nothing any more."""
    answer = run("waiver.medical_age_70.age.from=65", "waiver.medical_age_60_69.age.to=64")
    assert answer["difference"]["personal"] == "-175.00"


def test_somebody_touched_twice_is_one_resident(county: County) -> None:
    """Both insurances change for the adult of 甲镇; he is counted once."""
    answer = run("medical.personal=380", "subsidy.pension_subsidy_30.amount=50")
    assert answer["residents_affected"] == 5
    assert answer["difference"]["shares"]["pension_subsidy"] == "20.00"


def test_nothing_is_written(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row of any table is added or changed, and the database itself refuses a write meanwhile."""

    def counted() -> dict[str, int]:
        with places_scope(county.cast.places), connection.cursor() as cursor:
            tables = [
                t
                for t in connection.introspection.table_names(cursor)
                if not t.startswith("django_migrations")
            ]
            found = {}
            for table in tables:
                cursor.execute(
                    f'SELECT count(*), coalesce(sum(hashtext(t::text)::bigint), 0) FROM "{table}" t'
                )
                found[table] = cursor.fetchone()
            return found

    before = counted()
    run("medical.personal=380")
    assert counted() == before

    def writing(*_arguments: Any) -> str:
        return "DELETE FROM enrollment_membership RETURNING 1"

    monkeypatch.setattr(service, "_counting", writing)
    with places_scope(county.cast.places):
        with pytest.raises(Exception, match="read-only"):
            what_if(plan=county.plan, changes={"medical.personal": "380"}, on=TODAY)
        assert Membership.objects.count() == 1


def test_the_transaction_goes_on_after_a_budget(county: County) -> None:
    """A page that asks for a budget may write afterwards: only the budget is read-only."""
    with places_scope(county.cast.places):
        what_if(plan=county.plan, changes={"medical.personal": "380"}, on=TODAY)
        assert Membership.objects.update(approved=False) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("medical.persona=380", "medical.personal"),
        ("waiver.medical_age_60_69.share.uncle=40%", "waiver.medical_age_60_69.share.personal"),
        ("waiver.no_such_rule.share.personal=40%", "waiver.medical_full_groups"),
        ("medical.personal=dear", "不是金额"),
        ("waiver.medical_age_60_69.share.personal=140%", "不是比例"),
        ("waiver.medical_age_70.age.from=65", "重叠"),
        ("waiver.medical_age_70.age.from=75", "空档"),
        ("medical.waiver_categories_extra=nobody", "nobody"),
        ("medical.gap_rule=perhaps", "ordinary, late, refuse"),
        ("nothing", "名称=值"),
    ],
)
def test_bad_changes_are_told_in_one_line(
    county: County, capsys: pytest.CaptureFixture[str], change: str, said: str
) -> None:
    """An unknown key names the known ones nearest to it; a bad value says what it should be."""
    assert said in refused(capsys, change)


def test_unknown_plan_and_key_twice(county: County, capsys: pytest.CaptureFixture[str]) -> None:
    """A plan that is not loaded, and a key given twice."""
    assert "nowhere-1999" in refused(capsys, plan="nowhere-1999")
    assert "medical.personal" in refused(capsys, "medical.personal=1", "medical.personal=2")


def test_shares_always_add_up(county: County) -> None:
    """Whichever share is named, the others take the rest; more than the whole is refused."""
    book = rule_book(county.plan)
    for share, personal in (("20%", "4/5"), ("100%", "0"), ("1/3", "2/3")):
        changed, _settings = change_plan(
            book, {"waiver.medical_age_60_69.share.government_or_department": share}
        )
        waiver = next(w for w in changed.premium().waivers if w.code == "medical_age_60_69")
        assert str(waiver.personal_share) == personal
    two = {
        "waiver.medical_age_60_69.share.government_or_department": "60%",
        "waiver.medical_age_60_69.share.government": "60%",
    }
    with pytest.raises(PlanError, match="shares_not_whole"):
        change_plan(book, two)
    with pytest.raises(PlanError, match="nobody_else_pays"):
        change_plan(book, {"waiver.medical_age_60_69.share.personal": "100%"})


def test_every_known_change_is_accepted_as_it_stands(county: County) -> None:
    """What the form shows as present values can be sent back unchanged and changes nothing."""
    book = rule_book(county.plan)
    for key, known in known_changes(book).items():
        assert key not in SETTINGS
        changed, settings = change_plan(book, {key: known.value})
        assert not settings
        assert changed.rules == book.rules, key
