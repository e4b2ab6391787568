"""A roster says who owes what, in the order of the round, and never changes once sealed."""

from __future__ import annotations

import hashlib
import uuid
from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from contributions.models import Charge
from contributions.services.payments import reverse_payment
from enrollment.models import PriorPayment
from foundation.jobs.kinds import JobFailed
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from rosters.models import Roster, RosterKind, RosterLine
from rosters.queries import recompute_digest
from rosters.services.sealing import seal_units
from tests.rosters.conftest import Village


def test_lines_follow_group_household_and_head(village: Village) -> None:
    """Group by number (2 before 10), household number, head first; both insurances on one line."""
    dong = village.cast.dong
    village.family(dong, "00009", ["钱十"], group="10组")
    home = village.household(dong, "00002", "2组", head="赵大")
    child = village.person(home, "赵小", relation="子")
    head = village.person(home, "赵大", relation="户主", is_head=True)
    village.owes(child)
    village.owes(head)
    village.owes(head, "pension", personal="500.00")
    village.family(dong, "00001", ["孙一"], group="2组")
    village.seal()
    lines = village.lines(village.roster())
    assert [(line.position, line.group_name, line.name) for line in lines] == [
        (1, "2组", "孙一"), (2, "2组", "赵大"), (3, "2组", "赵小"), (4, "10组", "钱十"),
    ]  # fmt: skip
    assert (lines[1].medical_personal, lines[1].pension_personal) == (Decimal("350.00"), Decimal("500.00"))
    assert (lines[1].personal, lines[1].tier) == (Decimal("850.00"), Decimal("500.00"))
    assert lines[2].pension_personal is None


def test_totals_equal_the_charges(village: Village) -> None:
    """What the foot says is the sum of the current charges, to the fen; households and people are counted."""
    village.family(village.cast.dong, "1", ["甲一", "甲二"])
    village.family(village.cast.dong, "2", ["乙一"], personal="175.00", government="175.00")
    village.family(village.cast.dong, "3", ["丙一"], personal="0.00", government="350.00")
    village.seal()
    roster = village.roster()
    assert (roster.line_count, roster.household_count) == (4, 3)
    assert roster.totals["personal"] == "875.00"
    assert roster.totals["government_paid"] == "525.00"
    assert roster.totals["medical"] == {"people": 4, "personal": "875.00", "paid": "0.00"}
    assert [line.note for line in village.lines(roster)] == ["", "", "政府承担175.00元", "政府代缴"]
    assert roster.number == f"370406-2023-L-{village.cast.dong.code}-001"


def test_same_people_keep_their_version(village: Village) -> None:
    """Asking again, on another day too, changes nothing; the digest is recomputed from what is stored."""
    village.family(village.cast.dong, "1", ["甲一", "甲二"])
    first = village.seal()
    again = village.seal(on=date(2022, 12, 5))
    assert (first.rosters, first.new, first.lines) == (1, 1, 2)
    assert (again.rosters, again.new, again.unchanged) == (1, 0, 1)
    assert again.digests == first.digests
    assert Roster.objects.count() == 1
    assert (
        recompute_digest(village.roster()) == village.roster().digest == first.digests[village.cast.dong.code]
    )


def test_a_change_makes_the_next_version(village: Village) -> None:
    """A new price is version 2; version 1 keeps what it said."""
    charge, _other = village.family(village.cast.dong, "1", ["甲一", "甲二"])
    village.seal()
    before = village.roster()
    Charge.objects.filter(pk=charge.pk).update(
        personal_amount=Decimal("175.00"), total_amount=Decimal("175.00")
    )
    sealed = village.seal()
    after = village.roster()
    assert (sealed.new, after.version, after.number[-3:]) == (1, 2, "002")
    assert after.digest != before.digest
    assert recompute_digest(before) == before.digest
    assert [line.personal for line in village.lines(before)] == [Decimal("350.00")] * 2
    assert village.lines(after)[0].personal == Decimal("175.00")


def test_a_chunk_run_again_in_its_job_keeps_the_version(village: Village) -> None:
    """Within one job a unit is sealed once, even if money moved between two runs of its chunk."""
    charge = village.family(village.cast.dong, "1", ["甲一"])[0]
    job = uuid.uuid4()
    village.seal(kind=RosterKind.PAYMENT, job=job)
    village.pay(charge)
    assert village.seal(kind=RosterKind.PAYMENT, job=job).new == 0
    assert village.seal(kind=RosterKind.PAYMENT, job=uuid.uuid4()).new == 1


def test_digest_holds_no_row_ids(village: Village) -> None:
    """The canonical form is codes, names, blind index, amounts: recomputed here by hand from the printed fields."""
    home = village.household(village.cast.dong, "00007", "1组", head="赵大")
    person = village.person(home, "赵大", relation="户主", is_head=True)
    village.owes(person)
    village.seal()
    line = village.lines(village.roster())[0]
    fields = [
        "1", "1组", "00007", home.house_number, "赵大", "赵大", "户主", bytes(line.number_index or b"").hex(), "", "37", "",
        "", "", "350.00", "0.00", "350.00", "", "", "0.00", "", "", "", "", "0", "",
    ]  # fmt: skip
    head = f"shanting-2023|levy|{village.cast.dong.code}"
    expected = hashlib.sha256(f"{head}\n{chr(9).join(fields)}".encode()).hexdigest()
    assert village.roster().digest == expected


def test_registered_but_not_due_is_counted_with_its_reason(village: Village) -> None:
    """Somebody with a closing reason or without a price is not on the list; the roster says how many and why."""
    village.family(village.cast.dong, "1", ["甲一"])
    village.family(village.cast.dong, "2", ["乙一"], closing_reason="死亡")
    unpriced = village.family(village.cast.dong, "3", ["丙一"])[0]
    Charge.objects.filter(pk=unpriced.pk).update(current=False)
    village.seal()
    roster = village.roster()
    assert [line.name for line in village.lines(roster)] == ["甲一"]
    assert roster.totals["excluded"] == {"medical:死亡": 1, "medical:not_assessed": 1}


def test_payment_roster_is_net_of_reversals(village: Village) -> None:
    """What was paid, when, how and with which voucher; money taken back is not on it."""
    paid, back, unpaid = (
        village.family(village.cast.dong, str(n), [name])[0] for n, name in enumerate("甲乙丙")
    )
    village.pay(paid, voucher="33704062300000001")
    reversed_payment = village.pay(back)
    reverse_payment(
        by=village.cast.user("township_clerk"),
        payment=reversed_payment.pk,
        client_uuid=uuid.uuid4(),
        reason="录错",
    )
    village.seal(kind=RosterKind.PAYMENT)
    roster = village.roster(kind=RosterKind.PAYMENT)
    first, second, third = village.lines(roster)
    assert (first.paid, first.means, first.medical_voucher) == (Decimal("350.00"), "qr", "337040623000000010")
    assert first.paid_on == date(2022, 11, 30)
    assert (second.paid, second.paid_on, second.means) == (Decimal("0.00"), None, "")
    assert third.paid == Decimal("0.00")
    assert roster.totals["paid"] == roster.totals["medical"]["paid"] == "350.00"
    assert unpaid.registration_id


def test_money_of_somebody_no_longer_due_stays_on_the_payment_roster(village: Village) -> None:
    """The roster's sum is the ledger's: who paid and was closed afterwards is listed, with the reason."""
    charge = village.family(village.cast.dong, "1", ["甲一"])[0]
    village.pay(charge)
    charge.registration.closing_reason = "异地已缴"
    charge.registration.save(update_fields=["closing_reason"])
    village.seal(kind=RosterKind.PAYMENT)
    (line,) = village.lines(village.roster(kind=RosterKind.PAYMENT))
    assert (line.paid, line.personal, line.note) == (
        Decimal("350.00"),
        Decimal("0.00"),
        "医疗未列入：异地已缴",
    )


def test_reference_roster_lists_last_year(village: Village) -> None:
    """缴费信息清册: who paid for a pension tier last year, with that tier."""
    home = village.household(village.cast.dong, "1")
    village.owes(village.person(home, "甲一"), "pension", personal="500.00", last_tier=Decimal("300.00"))
    village.owes(village.person(home, "甲二"), "pension", personal="500.00")
    village.seal(kind=RosterKind.REFERENCE)
    roster = village.roster(kind=RosterKind.REFERENCE)
    assert [(line.name, line.personal) for line in village.lines(roster)] == [("甲一", Decimal("300.00"))]
    assert "-R-" in roster.number


def test_reference_roster_lists_what_the_tax_side_told(village: Village) -> None:
    """Both insurances by last year's payments, added up; who paid nothing last year is left out, and counted so."""
    home = village.household(village.cast.dong, "1")
    people = [village.person(home, name) for name in ("甲一", "甲二")]
    for person in people:
        village.owes(person, "medical")
    with places_scope(village.cast.places):
        for amount, insurance, year in (
            (200, "medical", 2022),
            (120, "medical", 2022),
            (999, "medical", 2021),
        ):
            PriorPayment.objects.create(
                township_id=people[0].township_id, unit_id=people[0].unit_id, county_id=village.cast.county.pk,
                name="甲一", number_index=people[0].number_index, number_encrypted=people[0].number_encrypted,
                insurance=insurance, coverage_year=year, amount=amount, voucher=f"V{amount}",
            )  # fmt: skip
    village.seal(kind=RosterKind.REFERENCE)
    roster = village.roster(kind=RosterKind.REFERENCE)
    assert [(line.name, line.medical_personal) for line in village.lines(roster)] == [
        ("甲一", Decimal("320.00"))
    ]
    assert roster.totals["excluded"] == {"medical:not_paid_last_year": 1}


def test_emptied_unit_gets_a_version_that_says_so(village: Village) -> None:
    """A unit without anybody due has no roster; one that lost its people gets an empty version."""
    assert village.seal(village.cast.xi).rosters == 0
    charge = village.family(village.cast.xi, "1", ["甲一"])[0]
    village.seal(village.cast.xi)
    Charge.objects.filter(pk=charge.pk).update(current=False)
    assert village.seal(village.cast.xi).new == 1
    assert village.roster(village.cast.xi).line_count == 0


def test_whole_or_not_at_all(village: Village) -> None:
    """A clerk whose scope no longer shows somebody on the list gets a plain refusal, not a shorter list."""
    charge = village.family(village.cast.dong, "1", ["甲一"])[0]
    charge.resident.township_id, charge.resident.unit_id = village.cast.yi.pk, village.cast.nan.pk
    charge.resident.save(update_fields=["township_id", "unit_id"])
    own = Places(frozenset({village.cast.jia.pk}))
    with pytest.raises(JobFailed, match="1 人的档案已迁到别的镇街"), places_scope(own):
        seal_units(
            by=village.cast.user("township_clerk"), plan=village.plan, kind=RosterKind.LEVY,
            units=[village.cast.dong.pk], as_of=date(2022, 11, 30),
        )  # fmt: skip
    assert village.seal().lines == 1


@pytest.mark.parametrize("model", [Roster, RosterLine])
@pytest.mark.parametrize("statement", ["UPDATE {} SET plan_id = plan_id", "DELETE FROM {}", "TRUNCATE {}"])
def test_sealed_rows_take_no_change(
    village: Village, model: type[Roster | RosterLine], statement: str
) -> None:
    """The application's role has no right to alter or remove what is sealed."""
    village.family(village.cast.dong, "1", ["甲一"])
    village.seal()
    statement = statement.replace("plan_id", "unit_id").format(model._meta.db_table)
    with (
        pytest.raises(DatabaseError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    with pytest.raises(TypeError):
        village.roster().save()
