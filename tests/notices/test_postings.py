"""A posted list proves to a household that its money is recorded, and tells its neighbours nothing more."""

from __future__ import annotations

import io
import json
import re
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from pypdf import PdfReader

from contributions.models import Charge
from foundation.audit.models import AuditEvent
from foundation.clock.services import set_business_date
from foundation.http import Problem
from foundation.scope.context import places_scope
from notices.models import Posting
from notices.queries import PostedHousehold, check_number, posted_households, posting_state
from notices.services.postings import create_posting, mark_posted, mark_removed, posted_list_pdf, posting_days
from rosters.models import RosterKind
from tests.rosters.conftest import Village, build_village, number_of
from townships.models import Agency, AgencyKind


def text_of(content: bytes) -> list[str]:
    """The text of each page."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def sign_in(village: Village, role: str) -> Client:
    """A browser of somebody at that post."""
    client = Client()
    client.force_login(village.cast.user(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def posted(village: Village) -> Village:
    """东村: one household paid, one in part, one owes, one is paid for, one waits for a voucher."""
    dong = village.cast.dong
    paid = village.family(dong, "00001", ["张大明", "张小小"], group="1组")
    part = village.family(dong, "00002", ["欧阳修", "欧阳小"], group="1组")
    village.family(dong, "00003", ["钱不缴", "钱小"], group="2组")
    village.family(dong, "00004", ["孙代缴"], group="2组", personal="0.00", government="350.00")
    waiting = village.family(dong, "00005", ["李待回"], group="3组")
    mixed = village.family(dong, "00006", ["周欠缴"], group="3组")
    village.owes(
        village.person(mixed[0].resident.household, "周老"), personal="0.00", government="350.00", age=75
    )  # fmt: skip
    village.pay(*paid, voucher="33704062300007766")
    village.pay(part[0], voucher="33704062300001115")
    village.pay(*waiting)
    village.seal(kind=RosterKind.PAYMENT)
    return village


def test_households_with_people_due_and_paid(posted: Village) -> None:
    """户主, 应缴人数, 已缴人数, voucher's end; government-paid people count as paid; who has paid nothing is absent."""
    roster = posted.roster(kind=RosterKind.PAYMENT)
    rows = posted_households(roster, "medical")
    assert [(r.group, r.head, r.due, r.paid) for r in rows] == [
        ("1", "张大明", 2, 2), ("1", "欧阳修", 2, 1), ("2", "孙代缴", 1, 1), ("3", "李待回", 1, 1),
    ]  # fmt: skip
    assert rows[0].tail == "7661"
    assert all(re.fullmatch(r"\d{4}", row.tail) for row in rows), "no row is marked by a missing voucher"
    assert rows[2] == PostedHousehold("2", "孙代缴", 1, 1, check_number(roster.digest, "00004"))


@pytest.mark.covers("E078")
@pytest.mark.covers("E114")
def test_paper_says_nothing_more(posted: Village, tmp_path: Path) -> None:
    """The command's PDF: masked heads; no child, no unpaid household, no amount, age, category or ID digits."""
    out, target = StringIO(), tmp_path / "list.pdf"
    call_command(
        "posted_list", "--plan", "shanting-2023", "--unit", posted.cast.dong.code, "--out", str(target), "--json",
        stdout=out,
    )  # fmt: skip
    assert json.loads(out.getvalue().splitlines()[-1])["households"] == 4
    (page,) = text_of(target.read_bytes())
    for shown in (
        "张*明",
        "欧阳*",
        "孙*缴",
        "李*回",
        "7661",
        "城乡居民",
        "基本医疗保险",
        "公示期2023年1月1日至1月31日",
    ):
        assert shown in page.replace("\n", ""), shown
    for hidden in ("张大明", "张小小", "小小", "钱", "周", "350.00", "岁"):
        assert hidden not in page, hidden
    assert not {"350", "37", "75"} & set(page.split()), "no amount and no age"
    for line in posted.lines(posted.roster(kind=RosterKind.PAYMENT)):
        number = number_of(line)
        assert number[6:14] not in page
        assert number[-6:] not in page


def test_a_child_at_the_head_is_not_named(village: Village) -> None:
    """Children count in the figures alone, also where a child is the head of a household."""
    charges = village.family(village.cast.dong, "1", ["吴孤儿"], age=12)
    village.pay(*charges)
    village.seal(kind=RosterKind.PAYMENT)
    (row,) = posted_households(village.roster(kind=RosterKind.PAYMENT), "medical")
    assert (row.head, row.due, row.paid) == ("＊", 1, 1)


def test_insurances_are_posted_apart(village: Village) -> None:
    """Paying one insurance proves that one: its voucher stands on its own list."""
    home = village.household(village.cast.dong, "1", head="郑大")
    person = village.person(home, "郑大", relation="户主", is_head=True)
    medical, pension = village.owes(person), village.owes(person, "pension", personal="300.00")
    village.pay(medical, voucher="1111")
    village.seal(kind=RosterKind.PAYMENT)
    roster = village.roster(kind=RosterKind.PAYMENT)
    assert [row.tail for row in posted_households(roster, "medical")] == ["1110"]
    assert posted_households(roster, "pension") == []
    village.pay(pension, voucher="2222")
    village.seal(kind=RosterKind.PAYMENT)
    roster = village.roster(kind=RosterKind.PAYMENT)
    assert [row.tail for row in posted_households(roster, "pension")] == ["2220"]
    posting = create_posting(by=village.cast.user("township_clerk"), roster=roster)
    assert "基本养老保险" in text_of(posted_list_pdf(posting, insurance="pension"))[0].replace("\n", "")


def test_every_page_stands_alone(village: Village) -> None:
    """Title, header, page number and seal on each sheet of a long list."""
    Agency.objects.create(
        county=village.cast.county, township=village.cast.jia, kind=AgencyKind.GOVERNMENT, name="甲镇人民政府",
        phone="0632-0000000",
    )  # fmt: skip
    charges: list[Charge] = []
    for n in range(60):
        charges += village.family(village.cast.dong, f"{n:05d}", ["王大"], group=f"{n // 20 + 1}组")
    for charge in charges:
        village.pay(charge)
    village.seal(kind=RosterKind.PAYMENT)
    posting = create_posting(
        by=village.cast.user("township_clerk"), roster=village.roster(kind=RosterKind.PAYMENT)
    )
    pages = text_of(posted_list_pdf(posting))
    assert len(pages) == 2
    for number, page in enumerate(pages, start=1):
        flat = re.sub(r"\s", "", page)
        assert "甲镇东村2023年度城乡居民基本医疗保险缴费情况公示" in flat
        assert "凭证尾号" in flat
        assert "监督电话：0632-0000000" in flat
        assert "东村村民委员会（章）" in flat
        assert f"第{number}页" in flat
        assert "共2页" in flat


@pytest.mark.covers("E109")
def test_days_come_from_the_plan(posted: Village) -> None:
    """公示阶段（集中征缴期后-次年1月31日）: the clerk's button plans 1 to 31 January; begun, it opens today."""
    client = sign_in(posted, "township_clerk")
    body = {"plan": "shanting-2023", "township": posted.cast.jia.code}
    assert client.post("/notices/create/", body).status_code == 302
    with places_scope(posted.cast.places):
        posting = Posting.objects.get()
    assert (posting.opens_on, posting.closes_on) == (date(2023, 1, 1), date(2023, 1, 31))
    page = client.get("/notices/").content.decode()
    assert "2023-01-01 至 2023-01-31" in re.sub(r"\s+", " ", page)
    assert "已安排，待张贴" in page
    assert posting_days(posted.plan, date(2023, 1, 10)) == (date(2023, 1, 10), date(2023, 1, 31))
    assert posting_days(posted.plan, date(2023, 3, 1)) == (date(2023, 3, 1), date(2023, 3, 7))


def test_a_list_is_put_up_and_taken_down_once(posted: Village) -> None:
    """Planned → hangs → taken down, each noted once, each in the trail; what is late shows."""
    clerk, roster = posted.cast.user("township_clerk"), posted.roster(kind=RosterKind.PAYMENT)
    posting = create_posting(by=clerk, roster=roster)
    assert create_posting(by=clerk, roster=roster).pk == posting.pk
    assert posting_state(posting, date(2022, 12, 1)) == "planned"
    assert posting_state(posting, date(2023, 1, 2)) == "late"
    with pytest.raises(Problem):
        mark_removed(by=clerk, posting=posting, on=date(2023, 1, 2))
    for never in (date(1900, 1, 1), date(2023, 1, 2)):  # before the roster was sealed, and a day to come
        with pytest.raises(Problem):
            mark_posted(by=clerk, posting=posting, on=never)
    set_business_date(county_code=posted.cast.county.code, day=date(2023, 2, 1))
    posting = mark_posted(by=clerk, posting=posting, on=date(2023, 1, 2), place="村委会门口")
    with pytest.raises(Problem):
        mark_posted(by=clerk, posting=posting, on=date(2023, 1, 3))
    assert (posting_state(posting, date(2023, 1, 31)), posting_state(posting, date(2023, 2, 1))) == (
        "open", "overdue",
    )  # fmt: skip
    posting = mark_removed(by=clerk, posting=posting, on=date(2023, 2, 1))
    assert posting_state(posting, date(2023, 2, 5)) == "closed"
    actions = list(
        AuditEvent.objects.filter(target_kind="posting").order_by("pk").values_list("action", flat=True)
    )
    assert actions == ["posting.create", "posting.posted", "posting.removed"]


def test_only_payment_rosters_are_posted(posted: Village) -> None:
    """A levy roster names who owes: it is never posted by this plan."""
    posted.seal(kind=RosterKind.LEVY)
    with pytest.raises(Problem, match="只有缴费清册可以公示"):
        create_posting(by=posted.cast.user("township_clerk"), roster=posted.roster(kind=RosterKind.LEVY))


def test_foreign_posting_is_not_there(posted: Village) -> None:
    """Another township's clerk neither sees, prints, marks nor plans it; a bureau reads and posts nothing."""
    posting = create_posting(
        by=posted.cast.user("township_clerk"), roster=posted.roster(kind=RosterKind.PAYMENT)
    )
    stranger = sign_in(posted, "clerk_yi")
    assert stranger.get(f"/notices/{posting.pk}/medical.pdf").status_code == 404
    assert stranger.post(f"/notices/{posting.pk}/posted/").status_code == 404
    assert stranger.post("/notices/create/", {"roster": posting.roster_id}).status_code == 404
    assert stranger.get(f"/notices/?township={posted.cast.jia.code}").status_code == 404
    bureau = sign_in(posted, "tax_bureau")
    assert bureau.get(f"/notices/{posting.pk}/medical.pdf").status_code == 200
    assert bureau.post(f"/notices/{posting.pk}/posted/").status_code == 403
    assert sign_in(posted, "county_leader").get("/notices/").status_code == 403


@pytest.mark.covers("E114")
def test_clerk_prints_the_list_of_a_village(posted: Village) -> None:
    """From the page to the paper, and the taking out is in the trail."""
    client = sign_in(posted, "township_clerk")
    client.post("/notices/create/", {"plan": "shanting-2023", "township": posted.cast.jia.code})
    with places_scope(posted.cast.places):
        posting = Posting.objects.get()
    assert f"/notices/{posting.pk}/medical.pdf" in client.get("/notices/").content.decode()
    paper = client.get(f"/notices/{posting.pk}/medical.pdf")
    assert paper["Content-Type"] == "application/pdf"
    assert "张*明" in text_of(paper.content)[0]
    assert AuditEvent.objects.filter(action="posting.print", target=str(posting.pk)).count() == 1
    assert client.get(f"/notices/{posting.pk}/motor.pdf").status_code == 404
    set_business_date(county_code=posted.cast.county.code, day=date(2023, 1, 5))
    client.post(f"/notices/{posting.pk}/posted/")
    assert "01-05 起公示" in client.get("/notices/").content.decode()


def test_page_before_any_roster_says_what_to_do(village: Village) -> None:
    """An empty page is an instruction."""
    page = sign_in(village, "township_clerk").get("/notices/").content.decode()
    assert "先到“清册进度”生成缴费清册" in page


@pytest.mark.parametrize("arguments", [["--unit", "999999999999"], ["--plan", "nowhere-1999"], []])
def test_nothing_to_draw_is_unusable(stack: str, tmp_path: Path, arguments: list[str]) -> None:
    """Exit 2, one line, no file."""
    made = build_village()
    err = StringIO()
    base = {"--plan": "shanting-2023", "--unit": made.cast.dong.code, "--out": str(tmp_path / "x.pdf")}
    base |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    with pytest.raises(SystemExit) as error:
        call_command("posted_list", *[part for pair in base.items() for part in pair], stderr=err)
    assert (error.value.code, err.getvalue().strip().count("\n")) == (2, 0)
    assert not list(tmp_path.iterdir())
