"""Last year's roster beside this year's: 缴费信息清册 from what was paid, and who stands in one and not in the other."""

from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import openpyxl
import pytest
from django.core.management import call_command

from contributions.models import Charge
from contributions.services.payments import LineOrder, record_payment
from enrollment.models import PriorPayment, Registration, Resident
from foundation.audit.models import AuditEvent
from foundation.encryption import get_keyring
from foundation.identity import make_number
from foundation.scope.context import places_scope
from rosters.comparing import Comparison, Pair, counts, people
from rosters.models import Roster, RosterKind, RosterLine
from rosters.queries import recompute_digest
from tests.seasons.conftest import Year
from tests.seasons.test_opening import open_season


def generate(kind: str, *more: str, plan: str = "shanting-2024") -> dict[str, Any]:
    """The command's JSON."""
    out = StringIO()
    call_command("generate_rosters", "--plan", plan, "--kind", kind, "--wait", "--json", *more, stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return answer


def roster_of(year: Year, kind: RosterKind, insurance: str = "", unit: Any = None) -> Roster:
    """The latest version of a unit (default 东村) for 2024."""
    with places_scope(year.places):
        found: Roster = (
            Roster.objects.filter(kind=kind, insurance=insurance, plan=year.new, unit=unit or year.cast.dong)
            .select_related("plan", "unit").order_by("-version")[0]
        )  # fmt: skip
    return found


def lines_of(year: Year, roster: Roster) -> dict[str, RosterLine]:
    """Its lines by name."""
    with places_scope(year.places):
        return {line.name: line for line in RosterLine.objects.filter(roster=roster)}


def told(year: Year, *, name: str, number: str, insurance: str, amount: str, voucher: str = "V1") -> None:
    """One row of the tax side's file of last year."""
    keys, unit = get_keyring(), year.cast.dong
    with places_scope(year.places):
        PriorPayment.objects.create(
            county_id=year.cast.county.pk, number_index=keys.blind_index(number), number_encrypted=keys.encrypt(number),
            name=name, insurance=insurance, coverage_year=2023, amount=Decimal(amount), voucher=voucher,
            paid_on=date(2022, 12, 1), township_id=unit.township_id, unit_id=unit.pk,
        )  # fmt: skip


def pay_now(year: Year, *names: str) -> None:
    """These people pay what they owe for 2024."""
    with places_scope(year.places):
        for name in names:
            charges = Charge.objects.filter(
                resident=year.people[name], plan=year.new, current=True, personal_amount__gt=0
            )
            lines = tuple(LineOrder(c.registration_id, c.pk, c.version, c.personal_amount) for c in charges)
            record_payment(by=year.cast.user("tax_bureau"), order=year.order(lines))


@pytest.fixture
def turned(year: Year) -> Year:
    """2023 paid by some, 2024 opened and assessed."""
    year.join("陈一", tier="300")
    year.join("欠一", tier="500")
    year.join("死一", tier="300", death_date=date(2023, 3, 1))
    year.join("职一", employee_medical=True)
    year.join("低一", category="dibao")
    year.join("少一", birth=date(2007, 6, 1))
    year.join("南一", unit=year.cast.nan)
    year.assess()
    with places_scope(year.places):
        # Dead and employed only afterwards: both paid, then it happened.
        Resident.objects.filter(pk=year.people["死一"].pk).update(death_date=None)
        Resident.objects.filter(pk=year.people["职一"].pk).update(employee_medical=False)
    year.assess()
    year.pay("陈一", "死一", "职一", "少一", "南一")
    with places_scope(year.places):
        Resident.objects.filter(pk=year.people["死一"].pk).update(death_date=date(2023, 3, 1))
        Resident.objects.filter(pk=year.people["职一"].pk).update(employee_medical=True)
    year.turn()
    open_season()
    year.assess(year.new)
    return year


@pytest.mark.covers("E072")
def test_reference_roster_says_who_paid_last_year(turned: Year) -> None:
    """From the old plan's payments: whoever paid or was paid for, the dead too; who did not pay is counted so."""
    answer = generate("reference")
    assert (answer["state"], answer["rosters"], answer["lines"]) == ("succeeded", 2, 6)
    roster = roster_of(turned, RosterKind.REFERENCE)
    lines = lines_of(turned, roster)
    assert set(lines) == {"陈一", "死一", "职一", "低一", "少一"}
    assert (lines["陈一"].medical_personal, lines["陈一"].pension_personal) == (Decimal(350), Decimal(300))
    assert lines["陈一"].last_tier == Decimal(300)
    # Wholly paid for by others: on the list with what they gave.
    assert (lines["低一"].personal, lines["低一"].government_paid > 0) == (Decimal(0), True)
    assert roster.totals["excluded"]["medical:not_paid_last_year"] == 1
    assert generate("reference")["lines"] == 6
    assert roster_of(turned, RosterKind.REFERENCE).version == 1


@pytest.mark.covers("E072")
def test_reference_roster_from_the_tax_sides_file(year: Year) -> None:
    """Where the old season was never in the portal, before anybody is registered: by number, whoever lives there."""
    person = year.join("陈一", medical=False)
    year.turn()
    told(
        year,
        name="陈一",
        number=get_keyring().decrypt(person.number_encrypted or b""),
        insurance="medical",
        amount="350",
    )
    stranger = make_number("370406", date(1970, 1, 1), 77)
    told(year, name="外一", number=stranger, insurance="medical", amount="350")
    assert generate("reference")["lines"] == 1
    line = lines_of(year, roster_of(year, RosterKind.REFERENCE))["陈一"]
    assert (line.medical_personal, line.pension_personal) == (Decimal(350), None)
    page = year.client("township_clerk").get("/rosters/compare/?plan=shanting-2024").content.decode()
    assert "外一" in page
    assert stranger not in page


def test_rosters_of_one_insurance(turned: Year) -> None:
    """The three kinds for one insurance alone: numbered apart, their digest true to their lines, nothing of the other."""
    for kind in RosterKind.values:
        assert generate(kind, "--insurance", "pension")["state"] == "succeeded"
        generate(kind)
    roster = roster_of(turned, RosterKind.LEVY, "pension")
    lines = lines_of(turned, roster)
    assert set(lines) == {"陈一", "欠一"}
    assert {line.medical_personal for line in lines.values()} == {None}
    assert "-LP-" in roster.number
    both = roster_of(turned, RosterKind.LEVY)
    assert set(lines_of(turned, both)) == {"陈一", "欠一", "低一", "少一"}
    assert both.number != roster.number
    with places_scope(turned.places):
        assert [recompute_digest(each) == each.digest for each in (roster, both)] == [True, True]
    client = turned.client("township_clerk")
    page = client.get("/rosters/?plan=shanting-2024&insurance=pension").content.decode()
    assert f"/rosters/{roster.pk}/" in page
    assert f"/rosters/{both.pk}/" not in page
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"/rosters/{roster.pk}/workbook.xlsx").content))
    assert "养老" in book["入户册"].cell(1, 1).value
    assert client.get("/rosters/?plan=shanting-2024&insurance=life").status_code == 404


def test_a_list_of_one_insurance_is_not_posted(turned: Year) -> None:
    """The village's paper is made from the roster of both: one of a single insurance is refused."""
    from foundation.http import Problem
    from notices.services.postings import create_posting

    generate("payment", "--insurance", "medical")
    roster = roster_of(turned, RosterKind.PAYMENT, "medical")
    with places_scope(turned.places), pytest.raises(Problem, match="两险"):
        create_posting(by=turned.cast.user("township_clerk"), roster=roster)


def compared(year: Year, pair: Pair, insurance: str = "") -> dict[tuple[str, str], str]:
    """Who stands in one and not in the other, with the reason."""
    with places_scope(year.places):
        asked = Comparison(year.new, [year.cast.dong.pk], insurance)
        rows = people(asked, pair)
        if not insurance:
            assert len(rows) == counts(asked)[pair]
    return {(row["name"], row["insurance"]): row["why"] for row in rows}


@pytest.mark.covers("E072")
def test_who_stands_in_one_and_not_in_the_other(turned: Year) -> None:
    """Reference against levy and levy against payment, both ways, each with its reason."""
    pay_now(turned, "陈一")
    with places_scope(turned.places):
        # 少一 turned sixteen and joins pension this year; 欠一 pays a part.
        young = turned.people["少一"]
        Registration.objects.create(
            resident=young, plan=turned.new, insurance="pension", coverage_year=2024, tier=Decimal(300), is_new=True,
            township_id=young.township_id, unit_id=young.unit_id, village_id=young.village_id,
        )  # fmt: skip
    turned.assess(turned.new)
    for kind in RosterKind.values:
        generate(kind)
    assert compared(turned, Pair.GONE) == {
        ("死一", "medical"): "deceased",
        ("死一", "pension"): "deceased",
        ("职一", "medical"): "employee_medical",
    }
    assert compared(turned, Pair.NEW) == {
        ("欠一", "medical"): "missed_last_year",
        ("欠一", "pension"): "missed_last_year",
        ("少一", "pension"): "new_sixteen",
    }
    assert compared(turned, Pair.UNPAID, "medical") == {
        ("欠一", "medical"): "unpaid",
        ("少一", "medical"): "unpaid",
    }
    assert compared(turned, Pair.PAID_ONLY) == {}
    # Somebody paid, then a reason closed the registration: money on the list of payments, nothing due.
    with places_scope(turned.places):
        Registration.objects.filter(coverage_year=2024, resident=turned.people["陈一"], insurance="medical").update(
            closing_reason="职工参保"
        )  # fmt: skip
    generate("levy")
    generate("payment")
    assert compared(turned, Pair.PAID_ONLY) == {("陈一", "medical"): "职工参保"}
    assert compared(turned, Pair.GONE, "medical")["陈一", "medical"] == "职工参保"


def test_the_page_and_its_workbook(turned: Year) -> None:
    """Pairs with counts, reasons to choose from, people; all pairs in one workbook, audited."""
    for kind in RosterKind.values:
        generate(kind)
    clerk = turned.client("township_clerk")
    page = clerk.get("/rosters/compare/?plan=shanting-2024&pair=gone&why=deceased").content.decode()
    assert "死一" in page
    assert "已死亡 2" in page
    assert "职一" not in page
    answer = clerk.get("/rosters/compare.xlsx?plan=shanting-2024")
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert len(book.sheetnames) == 4
    cells = {str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row}
    assert {"死一", "已死亡", "已参加职工医保"} <= cells
    number = get_keyring().decrypt(turned.people["死一"].number_encrypted or b"")
    assert number not in cells
    with places_scope(turned.places):
        assert AuditEvent.objects.filter(action="roster.compare_export").count() == 1
    bureau = turned.client("tax_bureau").get(
        f"/rosters/compare.xlsx?plan=shanting-2024&township={turned.cast.jia.code}"
    )
    book = openpyxl.load_workbook(io.BytesIO(bureau.content))
    assert number in {str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row}


def test_comparing_is_for_those_who_read_rosters(turned: Year) -> None:
    """Each her own township; nobody without rosters; a village whose lists are not made is said."""
    generate("reference")
    clerk = turned.client("township_clerk")
    assert "两种清册都生成了" in clerk.get("/rosters/compare/?plan=shanting-2024").content.decode()
    yi = turned.cast.yi.code
    for path in ("/rosters/compare/", "/rosters/compare.xlsx"):
        assert clerk.get(f"{path}?plan=shanting-2024&township={yi}").status_code == 404
        assert turned.client("clerk_yi").get(f"{path}?plan=shanting-2024&township={yi}").status_code == 200
        for role in ("county_leader", "village_agent", "finance_bureau"):
            assert turned.client(role).get(f"{path}?plan=shanting-2024").status_code == 403
