"""Layouts of roster workbooks as data: columns, widths, page. A bureau may change them; the rows stay the same."""

from __future__ import annotations

from typing import Final

from foundation.sheets import Column, Layout
from rosters.models import RosterKind

# Widths are in characters; those of 入户册 fill A4 landscape at 12 points without shrinking.
HEAD: Final = Column("head_name", "户主", 10)
NAME: Final = Column("name", "姓名", 10)

# 入户册, for the agent's round: A4, 12 points, 11 columns with 序号.
ROUND: Final = Layout(
    code="round",
    columns=(
        HEAD,
        NAME,
        Column("relation", "关系", 8),
        Column("tail", "身份证后四位", 10),
        Column("note", "类别说明", 20),
        Column("tier", "养老档次", 11, "yuan"),
        Column("pension_personal", "养老", 11, "yuan", total=True),
        Column("medical_personal", "医疗", 11, "yuan", total=True),
        Column("personal", "合计", 12, "yuan", total=True),
        Column("signature", "签字", 14),
    ),
    font_size=12,
    row_height=24,
    signatures=("代办员：", "复核人：", "日期："),
)

_LEDGER_HEAD: Final = (
    Column("household_number", "户编号", 10),
    HEAD,
    NAME,
    Column("relation", "与户主关系", 10),
    Column("number", "身份证号", 20),
    Column("group_name", "村组", 8),
    Column("phone", "电话", 13),
    Column("categories", "人员类别", 16),
    Column("last_tier", "上年档次", 10, "yuan"),
    Column("tier", "养老档次", 10, "yuan"),
    Column("pension_personal", "养老金额", 12, "yuan", total=True),
    Column("medical_personal", "医疗应缴", 12, "yuan", total=True),
    Column("government_paid", "资助额", 12, "yuan", total=True),
    Column("personal", "个人缴", 12, "yuan", total=True),
)
_LEDGER_FOOT: Final = (
    Column("means", "缴费方式", 10),
    Column("paid_on", "日期", 12, "date"),
    Column("signature", "签字", 12),
    Column("note", "备注", 20),
)

# 台账 of what is due (征收清册): A3. 合计 is what the line is worth, whoever pays: 个人缴 and 资助额.
LEVY_LEDGER: Final = Layout(
    code="ledger",
    columns=(*_LEDGER_HEAD, Column("total", "合计", 12, "yuan", total=True), *_LEDGER_FOOT),
    paper="A3",
    row_height=20,
)
# 台账 of what was paid (缴费清册): the same, with what was received, by insurance, and the voucher.
PAYMENT_LEDGER: Final = Layout(
    code="payment_ledger",
    columns=(
        *_LEDGER_HEAD,
        Column("total", "合计", 12, "yuan", total=True),
        Column("pension_paid", "养老已缴", 12, "yuan", total=True),
        Column("medical_paid", "医疗已缴", 12, "yuan", total=True),
        Column("paid", "已缴合计", 12, "yuan", total=True),
        Column("voucher", "凭证号", 22),
        *_LEDGER_FOOT,
    ),
    paper="A3",
    row_height=20,
)

LEDGERS: Final = {
    RosterKind.REFERENCE: LEVY_LEDGER,
    RosterKind.LEVY: LEVY_LEDGER,
    RosterKind.PAYMENT: PAYMENT_LEDGER,
}
