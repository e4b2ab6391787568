"""Layouts of roster workbooks as data: columns, widths, page. A bureau may change them; the rows stay the same."""

from __future__ import annotations

from typing import Final

from foundation.sheets import Column, Layout
from rosters.models import RosterKind

# 入户册, for the agent's round: A4, 12 points, 11 columns with 序号. Widths are in characters and fill the page without
# shrinking it; the sums of a village of two thousand still fit.
ROUND: Final = Layout(
    code="round",
    columns=(
        Column("head_name", "户主", 10),
        Column("name", "姓名", 10),
        Column("relation", "关系", 8),
        Column("tail", "身份证后四位", 10),
        Column("note", "类别说明", 20),
        Column("tier", "养老档次", 10, "yuan"),
        Column("pension_personal", "养老", 14, "yuan", total=True),
        Column("medical_personal", "医疗", 14, "yuan", total=True),
        Column("personal", "合计", 15, "yuan", total=True),
        Column("signature", "签字", 14),
    ),
    font_size=12,
    row_height=24,
    signatures=("代办员：", "复核人：", "日期："),
)

_LEDGER_HEAD: Final = (
    Column("household_number", "户编号", 8),
    Column("head_name", "户主", 8),
    Column("name", "姓名", 8),
    Column("relation", "与户主关系", 8),
    Column("number", "身份证号", 19),
    Column("group_name", "村组", 6),
    Column("phone", "电话", 12),
    Column("categories", "人员类别", 12),
    Column("last_tier", "上年档次", 9, "yuan"),
    Column("tier", "养老档次", 9, "yuan"),
    Column("pension_personal", "养老金额", 12, "yuan", total=True),
    Column("medical_personal", "医疗应缴", 12, "yuan", total=True),
    Column("government_paid", "资助额", 12, "yuan", total=True),
    Column("personal", "个人缴", 12, "yuan", total=True),
)
_LEDGER_FOOT: Final = (
    Column("means", "缴费方式", 9),
    Column("paid_on", "日期", 11, "date"),
    Column("signature", "签字", 8),
    Column("note", "备注", 16),
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

# 缴费信息清册: what each paid for last year, for the household to check and sign (002 L149-151).
REFERENCE_ROUND: Final = Layout(
    code="reference_round",
    columns=(
        Column("head_name", "户主", 10),
        Column("name", "姓名", 10),
        Column("relation", "关系", 8),
        Column("tail", "身份证后四位", 10),
        Column("note", "说明", 20),
        Column("pension_personal", "上年养老", 14, "yuan", total=True),
        Column("medical_personal", "上年医疗", 14, "yuan", total=True),
        Column("personal", "上年合计", 15, "yuan", total=True),
        Column("signature", "核对签字", 16),
    ),
    font_size=12,
    row_height=24,
    signatures=("代办员：", "复核人：", "日期："),
)
REFERENCE_LEDGER: Final = Layout(
    code="reference_ledger",
    columns=(
        *_LEDGER_HEAD[:8],
        Column("pension_personal", "上年养老", 12, "yuan", total=True),
        Column("medical_personal", "上年医疗", 12, "yuan", total=True),
        Column("government_paid", "上年政府代缴", 12, "yuan", total=True),
        Column("personal", "上年个人已缴", 12, "yuan", total=True),
        Column("signature", "核对签字", 12),
        Column("note", "备注", 24),
    ),
    paper="A3",
    row_height=20,
)

ROUNDS: Final = {
    RosterKind.REFERENCE: REFERENCE_ROUND,
    RosterKind.LEVY: ROUND,
    RosterKind.PAYMENT: ROUND,
}
LEDGERS: Final = {
    RosterKind.REFERENCE: REFERENCE_LEDGER,
    RosterKind.LEVY: LEVY_LEDGER,
    RosterKind.PAYMENT: PAYMENT_LEDGER,
}

# Who stands in one roster and not in another.
COMPARED: Final = Layout(
    code="roster_compare",
    columns=(
        Column("unit", "村居", 12),
        Column("group_name", "村组", 7),
        Column("household_number", "户编号", 9),
        Column("head_name", "户主", 9),
        Column("name", "姓名", 9),
        Column("number", "身份证号", 20),
        Column("insurance", "险种", 6),
        Column("paid_before", "上年已缴", 11, "yuan", total=True),
        Column("due", "今年应缴", 11, "yuan", total=True),
        Column("paid", "今年已缴", 11, "yuan", total=True),
        Column("why", "原因", 22),
        Column("note", "处理", 14),
    ),
)
