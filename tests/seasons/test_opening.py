"""A new year begins from the last: who is carried over, who waits for a word, and why."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from enrollment.models import PriorPayment, Registration, Resident
from foundation.scope.context import places_scope
from seasons.models import Confirmation
from tests.seasons.conftest import Year


def open_season(plan: str = "shanting-2024", source: str = "shanting-2023") -> dict[str, Any]:
    """The command's JSON."""
    out = StringIO()
    call_command("open_season", plan, "--from", source, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return answer


def test_paid_up_people_are_carried_with_their_tier(year: Year) -> None:
    """Registration at the place of today, tier and last tier of last year, not new, nobody listed."""
    year.join("陈一", tier="300")
    year.assess()
    year.pay("陈一")
    year.turn()
    answer = open_season()
    assert (answer["registrations"], answer["to_confirm"], answer["state"]) == (2, {}, "succeeded")
    pension = year.registered("陈一", "pension")
    assert pension is not None
    assert (pension.tier, pension.last_tier, pension.is_new) == (Decimal(300), Decimal(300), False)
    assert (pension.missed_years, pension.unit_id, pension.plan_id) == (0, year.cast.dong.pk, year.new.pk)
    again = open_season()
    assert (again["registrations"], again["to_confirm"]) == (0, {})
    with places_scope(year.places):
        assert Registration.objects.filter(coverage_year=2024).count() == 2


def test_the_dead_and_the_employed_wait_and_are_not_carried(year: Year) -> None:
    """Employee insurance keeps somebody out of the same insurance alone; both are listed with their reason."""
    year.join("死一", tier="300", death_date=date(2023, 3, 1))
    year.join("职一", tier="300", employee_pension=True)
    year.join("职二", employee_medical=True)
    year.join("销一", registration={"closing_reason": "职工参保"})
    year.assess()
    year.turn()
    answer = open_season()
    assert answer["to_confirm"]["deceased"] == 2
    assert answer["to_confirm"]["employee_pension"] == 1
    assert answer["to_confirm"]["employee_medical"] == 2
    assert year.registered("死一") is None
    assert year.registered("职一", "pension") is None
    assert year.registered("职一", "medical") is not None
    assert year.registered("职二") is None
    row = year.listed("死一")["medical", "deceased"]
    assert (row.carried, row.detail["on"], row.decision) == (False, "2023-03-01", "")
    assert set(year.listed("销一")) == {("medical", "employee_medical")}


def test_who_did_not_pay_has_missed_a_year_more(year: Year) -> None:
    """Missed years grow by one, what was repaired stays, and the last tier is nobody's; a later payment undoes it."""
    year.join("欠一", tier="500", registration={"missed_years": 1, "repaired_years": 1})
    year.join("清一", tier="500", registration={"missed_years": 2})
    year.assess()
    year.pay("清一")
    year.turn()
    assert open_season()["to_confirm"] == {"missed_last_year": 2}
    owing, paid = year.registered("欠一", "pension"), year.registered("清一", "pension")
    assert owing is not None
    assert paid is not None
    assert (owing.missed_years, owing.repaired_years, owing.tier, owing.last_tier) == (
        2,
        1,
        Decimal(500),
        None,
    )
    assert (paid.missed_years, paid.last_tier) == (0, Decimal(500))
    year.pay("欠一")
    assert open_season()["to_confirm"] == {}
    owing = year.registered("欠一", "pension")
    assert owing is not None
    assert (owing.missed_years, owing.last_tier) == (0, Decimal(500))


def test_nobody_missed_where_others_paid_everything(year: Year) -> None:
    """Somebody whose whole part is paid for by others has not missed the year."""
    year.join("低一", category="dibao")
    year.assess()
    year.turn()
    assert open_season()["to_confirm"] == {}


def test_sixteen_sixty_and_out_of_school(year: Year) -> None:
    """Newly sixteen may join pension; newly sixty leave it and change price in medical; pupils stay out of it."""
    year.join("少一", birth=date(2007, 6, 1))
    year.join("少二", birth=date(2007, 6, 1), in_school=True)
    year.join("花一", birth=date(1963, 6, 1), tier="300")
    year.join("古一", birth=date(1950, 6, 1), tier="300")
    year.join("学一", birth=date(2004, 6, 1), in_school=True)
    year.assess()
    with places_scope(year.places):
        Resident.objects.filter(pk=year.people["学一"].pk).update(in_school=False)
    # Only the register knows who is in school: last year's answer remembers that somebody was.
    year.pay("少一", "少二", "花一", "学一")
    year.turn()
    answer = open_season()
    assert answer["to_confirm"] == {"new_sixteen": 1, "new_sixty": 2, "age_60_or_more": 1, "left_school": 1}
    assert year.registered("花一", "pension") is None
    assert year.registered("花一", "medical") is not None
    assert not year.listed("花一")["pension", "new_sixty"].carried
    assert year.listed("花一")["medical", "new_sixty"].carried
    assert not year.listed("少一")["pension", "new_sixteen"].carried
    assert not year.listed("学一")["pension", "left_school"].carried


def test_tiers_that_are_gone_or_no_longer_open(year: Year) -> None:
    """The registration comes over without a tier, last year's stays beside it."""
    year.join("档一", tier="600")
    year.join("档二", tier="100", category="youfu")
    year.join("档三", tier="100", category="dibao")
    year.assess()
    year.pay("档一", "档二", "档三")
    year.turn()
    answer = open_season()
    assert answer["to_confirm"] == {"tier_gone": 1, "tier_100_not_allowed": 1}
    for name, last in (("档一", 600), ("档二", 100)):
        row = year.registered(name, "pension")
        assert row is not None
        assert (row.tier, row.last_tier) == (None, Decimal(last))
    kept = year.registered("档三", "pension")
    assert kept is not None
    assert kept.tier == Decimal(100)


def test_lapsed_groups_moves_and_last_years_closings(year: Year) -> None:
    """Whoever moved is registered where he lives now; a group that ended and a closing reason are for somebody to see."""
    year.join("期一", category="dibao", until=date(2023, 6, 30))
    year.join("期二", category="dibao", until=date(2024, 6, 30))
    year.join("迁一")
    year.join("愿一", registration={"closing_reason": "自愿不参保"})
    year.assess()
    year.pay("迁一")
    xi = year.cast.xi
    assert xi.village is not None
    with places_scope(year.places):
        Resident.objects.filter(pk=year.people["迁一"].pk).update(unit=xi, village=xi.village)
    year.turn()
    answer = open_season()
    assert answer["to_confirm"] == {"lapsed_category": 1, "moved": 1, "closed_last_year": 1}
    moved = year.registered("迁一")
    assert moved is not None
    assert moved.unit_id == xi.pk
    assert year.listed("迁一")["medical", "moved"].detail == {"from": year.cast.dong.pk}
    assert year.listed("期一")["medical", "lapsed_category"].detail == {
        "ended": [{"category": "dibao", "until": "2023-06-30"}]
    }


def test_what_was_registered_already_is_completed_not_doubled(year: Year) -> None:
    """The tax bureau's data of the new year came first: its row stays, last year's tier is added."""
    year.join("先一", tier="300")
    year.assess()
    year.pay("先一")
    from tests.factories import make_registration

    make_registration(year.cast, year.people["先一"], year.new, "pension", tier=Decimal(500))
    year.turn()
    assert open_season()["registrations"] == 1
    row = year.registered("先一", "pension")
    assert row is not None
    assert (row.tier, row.last_tier) == (Decimal(500), Decimal(300))


@pytest.mark.parametrize(
    ("plan", "source", "says"),
    [
        ("nowhere-2024", "shanting-2023", "no plan nowhere-2024"),
        ("shanting-2024", "nowhere-2023", "no plan nowhere-2023"),
        ("shanting-2023", "shanting-2024", "上年要早于新年度"),
    ],
)
def test_unusable_years_are_refused_in_words(year: Year, plan: str, source: str, says: str) -> None:
    """Exit 2 with one line; nothing is written."""
    err = StringIO()
    with pytest.raises(SystemExit) as error:
        call_command("open_season", plan, "--from", source, stderr=err)
    assert error.value.code == 2
    assert says in err.getvalue()
    with places_scope(year.places):
        assert not Confirmation.objects.exists()


def test_an_empty_last_year_is_said_plainly(year: Year) -> None:
    """Nobody registered: exit 1, a sentence."""
    err, out = StringIO(), StringIO()
    with pytest.raises(SystemExit) as error:
        call_command("open_season", "shanting-2024", "--from", "shanting-2023", stderr=err, stdout=out)
    assert error.value.code == 1
    assert "没有参保登记" in err.getvalue()


def test_a_year_opened_from_imported_payments(year: Year) -> None:
    """Last year was not kept here: who paid for it, as the tax side told it, with pension's amount as the tier."""
    person = year.join("缴一", medical=False)
    gone = year.join("缴二", medical=False, death_date=date(2023, 2, 1))
    youth = year.join("少一", medical=False, birth=date(2007, 6, 1))
    with places_scope(year.places):
        for resident, insurance, amount in (
            (person, "medical", 350),
            (person, "pension", 600),
            (gone, "medical", 350),
        ):
            PriorPayment.objects.create(
                county_id=year.cast.county.pk, township_id=resident.township_id, unit_id=resident.unit_id,
                number_index=resident.number_index, number_encrypted=resident.number_encrypted, name=resident.name,
                insurance=insurance, coverage_year=2023, amount=amount, voucher=f"{insurance}1",
            )  # fmt: skip
    year.turn()
    answer = open_season(source="last_year_payments")
    assert answer["registrations"] == 2
    assert answer["to_confirm"] == {"deceased": 1, "new_sixteen": 1, "tier_gone": 1}
    pension = year.registered("缴一", "pension")
    assert pension is not None
    assert (pension.tier, pension.last_tier, pension.missed_years) == (None, Decimal(600), 0)
    assert year.listed("少一")["pension", "new_sixteen"].resident_id == youth.pk
    assert open_season(source="last_year_payments")["registrations"] == 0
    err = StringIO()
    with pytest.raises(SystemExit):
        call_command("open_season", "shanting-2024", "--from", "shanting-2023", stderr=err)
    assert "不能换一个来源" in err.getvalue()


def test_nothing_imported_is_said_plainly(year: Year) -> None:
    """Exit 2: the file of last year's payments has to come first."""
    err = StringIO()
    with pytest.raises(SystemExit) as error:
        call_command("open_season", "shanting-2024", "--from", "last_year_payments", stderr=err)
    assert error.value.code == 2
    assert "还没有导入 2023 年度的缴费记录" in err.getvalue()


def test_who_left_and_whose_record_went_into_another(year: Year) -> None:
    """Somebody who moved out waits; of two records of one person one registration is carried, by the record that stays."""
    year.join("离一")
    stays, goes = year.join("合一", tier="300"), year.join("合一二", tier="300")
    year.assess()
    year.pay("合一二")
    with places_scope(year.places):
        Resident.objects.filter(pk=year.people["离一"].pk).update(
            left_on=date(2023, 5, 1), left_why="moved_out"
        )
        Resident.objects.filter(pk=goes.pk).update(merged_into=stays)
    year.turn()
    answer = open_season()
    assert (answer["registrations"], answer["to_confirm"]) == (2, {"left": 1})
    assert year.listed("离一")["medical", "left"].detail["on"] == "2023-05-01"
    kept = year.registered("合一", "pension")
    assert kept is not None
    assert kept.last_tier == Decimal(300)
    assert year.registered("合一二", "pension") is None


def test_a_year_nobody_wanted_counts_as_missed(year: Year) -> None:
    """Closed as unwilling and unpaid: carried, asked again, one year more without cover; paid elsewhere is none."""
    year.join("愿一", registration={"closing_reason": "自愿不参保"})
    year.join("异一", registration={"closing_reason": "异地已缴"})
    year.assess()
    year.turn()
    assert open_season()["to_confirm"] == {"closed_last_year": 2}
    missed = [row.missed_years if (row := year.registered(name)) else None for name in ("愿一", "异一")]
    assert missed == [1, 0]
