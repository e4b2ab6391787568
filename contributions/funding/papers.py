"""Papers of government money: name lists, the letter that asks for it, the special payment bill, the settlement sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _

from contributions.funding.lists import Row, claim_words
from contributions.models import FundingDifference, FundingLine, FundingRequest
from contributions.services.settlement import Cause
from contributions.words import payer as payer_word
from enrollment.models import Insurance, Membership
from foundation.documents import Cell, LetterData, LetterTable, ListingData, letter, listing
from foundation.encryption import get_keyring
from foundation.masking import Audience, mask_number
from foundation.money import format_yuan, in_words
from foundation.sheets import Column, Layout, OfficialTable
from subsidies.queries import rule_book
from subsidies.rules.claims import claims
from subsidies.rules.plan import Plan
from townships.models import Agency

SIGNATURES: Final = ("报送单位（章）：", "审核人：", "日期：")
STEP: Final = 2_000
ZERO: Final = Decimal("0.00")


def _day(day: date | None) -> str:
    return f"{day.year}年{day.month}月{day.day}日" if day is not None else ""


def _total(heads: int, amount: Decimal) -> str:
    return _("合计 %(heads)s 人，%(amount)s 元（%(words)s）") % {
        "heads": f"{heads:,}", "amount": format_yuan(amount), "words": in_words(amount),
    }  # fmt: skip


def list_pdf(*, title: str, supplier: str, rows: Sequence[Row], on: date) -> bytes:
    """A department's list on A4, to be signed and sealed."""
    amount = sum((row.person.government or ZERO for row in rows if row.person.standing == "taken"), ZERO)
    cells = (
        Cell(_("序号"), 1), Cell(_("身份证号"), 3.6), Cell(_("姓名"), 1.8), Cell(_("身份类别"), 3.6, "left"),
        Cell(_("认定时间"), 2), Cell(_("止期"), 2), Cell(_("镇街"), 2, "left"), Cell(_("村居"), 2.4, "left"),
        Cell(_("代缴金额"), 1.9, "right"), Cell(_("个人缴费"), 1.9, "right"), Cell(_("请款批次"), 3.2),
    )  # fmt: skip
    lines = [
        (
            str(number), row.number, row.resident.name, row.identity,
            row.certified_on.isoformat() if row.certified_on else "",
            row.valid_to.isoformat() if row.valid_to else "", row.township, row.unit,
            format_yuan(row.person.government) if row.person.government is not None else "",
            format_yuan(row.person.personal) if row.person.personal is not None else "", row.request,
        )
        for number, row in enumerate(rows, start=1)
    ]  # fmt: skip
    lines.append(("", _("合计"), f"{len(rows):,}", "", "", "", "", "", format_yuan(amount), "", ""))
    return listing(
        ListingData(
            title=title,
            cells=cells,
            rows=lines,
            unit_line=_("报送单位：%(office)s　单位：元") % {"office": supplier},
            made_on=_("制表时间：%(day)s") % {"day": _day(on)},
            signatures=SIGNATURES,
            landscape=True,
            size=9,
        )
    )


# a request and its names


@dataclass(frozen=True)
class NameRow:
    """A person of a request."""

    number: str
    name: str
    identity: str
    certified_on: date | None
    valid_to: date | None
    unit: str
    standard: Decimal
    personal: Decimal
    amount: Decimal


def name_rows(request: FundingRequest, *, whole_numbers: bool) -> Iterator[NameRow]:
    """The people of a request in the order of villages, read in steps."""
    book = rule_book(request.plan)
    keys = get_keyring()
    ids = list(
        FundingLine.objects.filter(request=request)
        .order_by("unit__position", "unit_id", "registration__household_id", "pk")
        .values_list("pk", flat=True)
    )
    for start in range(0, len(ids), STEP):
        part = ids[start : start + STEP]
        lines = {
            line.pk: line
            for line in FundingLine.objects.filter(pk__in=part).select_related(
                "registration__resident", "charge", "unit"
            )
        }
        members = _members(request, book, [line.registration.resident_id for line in lines.values()])
        for pk in part:
            line = lines[pk]
            resident = line.registration.resident
            number = keys.decrypt(resident.number_encrypted) if resident.number_encrypted else ""
            identity, member = members(resident.pk, line.rule)
            yield NameRow(
                number=number if whole_numbers else mask_number(number, Audience.OFFICE),
                name=resident.name,
                identity=identity,
                certified_on=(member.certified_on or member.valid_from) if member is not None else None,
                valid_to=member.valid_to if member is not None else None,
                unit=line.unit.name,
                standard=line.charge.personal_amount + line.charge.government_paid_amount,
                personal=line.charge.personal_amount,
                amount=line.amount,
            )


def _members(request: FundingRequest, book: Plan, residents: Sequence[int]) -> Any:
    """(resident, rule) → the identity in words and the membership it rests on."""
    rows: dict[int, list[Membership]] = {}
    for row in (
        Membership.objects.filter(resident__in=residents).select_related("category").order_by("-valid_from")
    ):
        rows.setdefault(row.resident_id, []).append(row)
    of_rule: dict[str, list[Any]] = {}
    for claim in claims(book, request.insurance):
        of_rule.setdefault(claim.rule, []).append(claim)

    def find(resident: int, rule: str) -> tuple[str, Membership | None]:
        own = of_rule.get(rule, [])
        for claim in own:
            for member in rows.get(resident, []):
                if claim.group is not None and member.category.code in claim.group.categories:
                    return claim_words(claim, book.rule(rule)), member
        found = book.rule(rule)
        computed = next((claim for claim in own if claim.group is None), None)
        if computed is not None:
            return claim_words(computed, found), None
        return (found.name if found is not None and found.name else rule), None

    return find


def name_table(request: FundingRequest, *, whole_numbers: bool) -> OfficialTable:
    """The name list of a request as a sheet, in the columns offices know (PRACTICE 资助/代缴名单)."""
    layout = Layout(
        "funding_names",
        (
            Column("number", _("身份证号"), 21),
            Column("name", _("姓名"), 11),
            Column("identity", _("身份类别"), 22),
            Column("certifier", _("认定部门"), 14),
            Column("certified_on", _("认定时间"), 12, "date"),
            Column("valid_to", _("止期"), 12, "date"),
            Column("insurance", _("险种"), 7),
            Column("standard", _("标准"), 10, "yuan"),
            Column("township", _("镇街"), 11),
            Column("unit", _("村居"), 13),
            Column("amount", _("代缴金额"), 11, "yuan", total=True),
            Column("personal", _("个人缴费金额"), 13, "yuan"),
            Column("request", _("请款批次"), 20),
        ),
        signatures=SIGNATURES,
    )
    rows = (
        {
            "number": row.number, "name": row.name, "identity": row.identity,
            "certifier": request.department_name, "certified_on": row.certified_on, "valid_to": row.valid_to,
            "insurance": str(Insurance(request.insurance).label), "standard": row.standard,
            "township": request.township.name, "unit": row.unit, "amount": row.amount, "personal": row.personal,
            "request": request.number,
        }
        for row in name_rows(request, whole_numbers=whole_numbers)
    )  # fmt: skip
    return OfficialTable(
        layout,
        rows,
        names_title(request),
        _("报送单位：%(office)s　单位：元") % {"office": request.department_name},
        request.made_on,
        request.number,
        footer=() if whole_numbers else (_("身份证号已遮盖。"),),
        page_note=request.number,
    )


def names_title(request: FundingRequest) -> str:
    """滕州市2023年度政府代缴人员名单（洪绪镇）."""
    name = request.list_name.strip("《》") or _("政府代缴人员名单")
    return _("%(county)s%(year)s年度%(name)s（%(township)s）") % {
        "county": request.plan.county.name, "year": request.plan.coverage_year, "name": name,
        "township": request.township.name,
    }  # fmt: skip


def names_pdf(request: FundingRequest, *, whole_numbers: bool) -> bytes:
    """The name list of a request as a paper."""
    cells = (
        Cell(_("序号"), 1), Cell(_("身份证号"), 3.4), Cell(_("姓名"), 1.7), Cell(_("身份类别"), 3.8, "left"),
        Cell(_("认定时间"), 2), Cell(_("止期"), 2), Cell(_("村居"), 2.4, "left"), Cell(_("标准"), 1.7, "right"),
        Cell(_("代缴金额"), 1.8, "right"), Cell(_("个人缴费"), 1.8, "right"),
    )  # fmt: skip
    rows = [
        (
            str(number), row.number, row.name, row.identity,
            row.certified_on.isoformat() if row.certified_on else "",
            row.valid_to.isoformat() if row.valid_to else "", row.unit, format_yuan(row.standard),
            format_yuan(row.amount), format_yuan(row.personal),
        )
        for number, row in enumerate(name_rows(request, whole_numbers=whole_numbers), start=1)
    ]  # fmt: skip
    rows.append(("", _("合计"), f"{request.heads:,}", "", "", "", "", "", format_yuan(request.amount), ""))
    return listing(
        ListingData(
            title=names_title(request),
            cells=cells,
            rows=rows,
            unit_line=_("%(number)s　报送单位：%(office)s　单位：元")
            % {"number": request.number, "office": request.department_name},
            made_on=_("制表时间：%(day)s") % {"day": _day(request.made_on)},
            signatures=SIGNATURES,
            landscape=True,
            size=9,
        )
    )


def office_name(request: FundingRequest, kind: str) -> str:
    """The county's office of a kind by its name; for the department, the name the plan prints where it has none."""
    found = (
        Agency.objects.filter(county=request.plan.county, kind=kind, township=None)
        .order_by("pk")
        .values_list("name", flat=True)
        .first()
    )
    if found:
        return str(found)
    if kind == request.department and request.department_name:
        return request.department_name
    labels = {
        "medical": _("医疗保障局"),
        "hr": _("人力资源和社会保障局"),
        "tax": _("税务局"),
        "finance": _("财政局"),
    }
    return f"{request.plan.county.name}{labels.get(kind, kind)}"


def _rule_rows(request: FundingRequest) -> list[tuple[str, int, Decimal, Decimal]]:
    """(rule in words, people, share per head where it is one, sum) of a request."""
    book = rule_book(request.plan)
    found: dict[tuple[str, Decimal], int] = {}
    for rule, amount in FundingLine.objects.filter(request=request).values_list("rule", "amount").iterator():
        found[rule, amount] = found.get((rule, amount), 0) + 1
    rows = []
    for (code, amount), heads in sorted(found.items(), key=lambda item: (item[0][0], -item[0][1])):
        rule = book.rule(code)
        name = rule.name if rule is not None and rule.name else code
        rows.append((name, heads, amount, amount * heads))
    return rows


def request_letter(request: FundingRequest) -> bytes:
    """The letter that asks finance for the money (拨付申请), in the proportions of an official document."""
    insurance = (
        _("城乡居民基本医疗保险") if request.insurance == Insurance.MEDICAL else _("城乡居民基本养老保险")
    )
    assistance = request.list_kind == "assistance"
    money = _("资助资金") if assistance else _("代缴资金")
    book = rule_book(request.plan)
    rules = list(FundingLine.objects.filter(request=request).values_list("rule", flat=True).distinct())
    clauses = list(
        dict.fromkeys(found.clause.text for code in sorted(rules) if (found := book.rule(code)) is not None)
    )
    named = request.list_name or _("政府代缴人员名单")
    printed = payer_word(request.payer, dict(book.payers))
    payer = request.payer_name or printed
    cells = (
        Cell(_("项目"), 5, "left"),
        Cell(_("人数"), 1.3),
        Cell(_("每人（元）"), 1.7, "right"),
        Cell(_("金额（元）"), 2.2, "right"),
    )
    rows = [
        (name, f"{heads:,}", format_yuan(each), format_yuan(amount))
        for name, heads, each, amount in _rule_rows(request)
    ]
    rows.append((_("合计"), f"{request.heads:,}", "", format_yuan(request.amount)))
    paper = request.plan.document_number
    signers = [office_name(request, request.applicant)]
    if request.joint:
        signers.append(office_name(request, request.joint))
    account = (
        _("，由%(payer)s从账户 %(account)s 拨付") % {"payer": payer, "account": request.account}
        if request.account
        else ""
    )
    return letter(
        LetterData(
            title=_("关于拨付%(township)s%(year)s年度%(insurance)s%(money)s的申请")
            % {
                "township": request.township.name, "year": request.plan.coverage_year, "insurance": insurance,
                "money": money,
            },
            number=request.number,
            to=office_name(request, "finance"),
            paragraphs=[
                _(
                    "根据《%(plan)s》%(number)s“%(clause)s”的规定，%(office)s对%(township)s符合条件的人员"
                    "进行了认定，核对无误后形成%(list)s。"
                )
                % {
                    "plan": request.plan.name, "number": f"（{paper}）" if paper else "",
                    "clause": "”“".join(clauses) if len(clauses) < 3 else clauses[0],
                    "office": request.department_name, "township": request.township.name, "list": named,
                },
                _(
                    "经统计，共 %(heads)s 人，应由%(payer)s承担 %(amount)s 元（%(words)s）%(account)s。"
                    "现申请拨付，由税务部门按特殊缴费单据征收。明细如下："
                )
                % {
                    "heads": f"{request.heads:,}", "payer": payer, "amount": format_yuan(request.amount),
                    "words": in_words(request.amount), "account": account,
                },
            ],
            table=LetterTable(cells, rows),
            attachments=[names_title(request)],
            signers=signers,
            on=request.made_on,
        )
    )  # fmt: skip


def bill_pdf(request: FundingRequest) -> bytes:
    """The special payment bill (特殊缴费单据) that goes to the tax bureau after the money was disbursed (E068)."""
    insurance = str(Insurance(request.insurance).label)
    cells = (
        Cell(_("项目"), 5, "left"),
        Cell(_("人数"), 1.3),
        Cell(_("每人（元）"), 1.7, "right"),
        Cell(_("金额（元）"), 2.2, "right"),
    )
    rows = [
        (name, f"{heads:,}", format_yuan(each), format_yuan(amount))
        for name, heads, each, amount in _rule_rows(request)
    ]
    rows.append((_("合计"), f"{request.heads:,}", "", format_yuan(request.amount)))
    keeper = "medical" if request.insurance == Insurance.MEDICAL else "hr"
    return letter(
        LetterData(
            title=_("%(year)s年度城乡居民%(insurance)s保险特殊缴费单据")
            % {"year": request.plan.coverage_year, "insurance": insurance},
            number=_("单据号：%(bill)s　对应%(number)s") % {"bill": request.bill or "—", "number": request.number},
            to=office_name(request, "tax"),
            paragraphs=[
                _(
                    "%(list)s所列%(township)s %(heads)s 人的个人缴费部分，由%(payer)s承担，款项 %(amount)s 元（%(words)s）"
                    "已于%(day)s拨付，拨款凭证号 %(voucher)s。请按所附名单逐人征收、开具凭证并回传。"
                )
                % {
                    "list": request.list_name or _("政府代缴人员名单"), "township": request.township.name,
                    "heads": f"{request.heads:,}", "payer": request.payer_name, "amount": format_yuan(request.amount),
                    "words": in_words(request.amount), "day": _day(request.disbursed_on), "voucher": request.voucher,
                },
            ],
            table=LetterTable(cells, rows),
            attachments=[names_title(request)],
            signers=[office_name(request, keeper)],
            on=request.billed_on or request.disbursed_on or request.made_on,
        )
    )  # fmt: skip


def settlement_table(request: FundingRequest, *, whole_numbers: bool) -> OfficialTable:
    """The settlement sheet of a request: whoever is otherwise than paid, line by line."""
    layout = Layout(
        "funding_settlement",
        (
            Column("number", _("身份证号"), 21),
            Column("name", _("姓名"), 11),
            Column("unit", _("村居"), 13),
            Column("cause", _("原因"), 20),
            Column("paid", _("已拨"), 12, "yuan", total=True),
            Column("actual", _("应拨"), 12, "yuan", total=True),
            Column("difference", _("差额（退回为负）"), 16, "yuan", total=True),
        ),
        signatures=("制表人：", "审核人：", "财政（章）：", "日期："),
    )
    keys = get_keyring()
    differences = (
        FundingDifference.objects.filter(line__request=request)
        .select_related("line__registration__resident", "unit")
        .order_by("unit_id", "pk")
    )

    def rows() -> Iterator[dict[str, object]]:
        for each in differences.iterator(chunk_size=STEP):
            resident = each.line.registration.resident
            number = keys.decrypt(resident.number_encrypted) if resident.number_encrypted else ""
            yield {
                "number": number if whole_numbers else mask_number(number, Audience.OFFICE),
                "name": resident.name, "unit": each.unit.name, "cause": str(Cause(each.cause).label),
                "paid": each.line.amount, "actual": each.actual, "difference": each.difference,
            }  # fmt: skip

    return OfficialTable(
        layout,
        rows(),
        _("%(number)s 年终结算表") % {"number": request.number},
        _("付款单位：%(payer)s　%(total)s　单位：元")
        % {"payer": request.payer_name, "total": _total(request.heads, request.amount)},
        request.disbursed_on,
        _("结算"),
        footer=(_("按实际参保人数结算；没有列出的人按已拨金额结算。"),),
    )
