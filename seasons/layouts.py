"""Layouts of the season's workbooks as data."""

from __future__ import annotations

from typing import Final

from foundation.sheets import Column, Layout

TO_CONFIRM: Final = Layout(
    code="season_confirm",
    columns=(
        Column("township", "镇街", 10),
        Column("unit", "村居", 12),
        Column("group", "村组", 6),
        Column("head", "户主", 9),
        Column("name", "姓名", 9),
        Column("number", "身份证号", 19),
        Column("phone", "电话", 12),
        Column("insurance", "险种", 5),
        Column("reason", "待确认原因", 16),
        Column("evidence", "依据", 26),
        Column("last_tier", "上年档次", 8),
        Column("carried", "已结转", 7),
        Column("decision", "处理", 8),
        Column("decided_at", "处理日期", 11, "date"),
    ),
    paper="A3",
)

_WHERE: Final = (
    Column("township", "镇街", 12),
    Column("insurance", "险种", 6),
)
_FIGURES: Final = (
    Column("target", "任务数", 9, "int", total=True),
    Column("in_scope", "应参保", 9, "int", total=True),
    Column("registered", "参保登记", 9, "int", total=True),
    Column("due", "应缴人数", 9, "int", total=True),
    Column("due_amount", "应缴额", 14, "yuan", total=True),
    Column("paid", "已缴人数", 9, "int", total=True),
    Column("paid_amount", "收缴额", 14, "yuan", total=True),
    Column("exempt", "政府代缴人数", 9, "int", total=True),
    Column("exempt_amount", "政府代缴额", 14, "yuan", total=True),
    Column("confirmed", "税务确认人数", 9, "int", total=True),
    Column("confirmed_amount", "税务确认额", 14, "yuan", total=True),
    Column("settled_amount", "入库额", 14, "yuan", total=True),
    Column("unpaid", "未缴人数", 9, "int", total=True),
    Column("unpaid_amount", "未缴额", 14, "yuan", total=True),
    Column("settled_aside", "销号人数", 8, "int", total=True),
    Column("completion_rate", "完成率%", 8),
    Column("due_paid_rate", "应缴已缴率%", 9),
)
_SIGN: Final = ("制表人：", "审核人：", "日期：")

BY_TOWNSHIP: Final = Layout("season_townships", (*_WHERE, *_FIGURES), paper="A3", signatures=_SIGN)
BY_PAYER: Final = Layout(
    "season_payers",
    (
        Column("payer", "出资方", 26),
        Column("insurance", "险种", 8),
        Column("heads", "人次", 12, "int", total=True),
        Column("amount", "金额", 18, "yuan", total=True),
        Column("asked", "已请款", 18, "yuan", total=True),
        Column("disbursed", "已拨付", 18, "yuan", total=True),
    ),
    signatures=_SIGN,
)
BY_TIER: Final = Layout(
    "season_tiers",
    (
        Column("tier", "养老档次", 16, "yuan"),
        Column("heads", "应缴人数", 16, "int", total=True),
        Column("paid", "已缴足人数", 16, "int", total=True),
        Column("paid_amount", "收缴额", 20, "yuan", total=True),
    ),
    signatures=_SIGN,
)
OPEN_MATTERS: Final = Layout(
    "season_cases",
    (
        Column("label", "事项", 30),
        Column("open", "待处理（件）", 14, "int", total=True),
        Column("open_amount", "涉及金额", 18, "yuan", total=True),
        Column("closed", "已处理（件）", 14, "int", total=True),
        Column("note", "说明", 40),
    ),
    signatures=_SIGN,
)
DIRECTORY: Final = Layout(
    "season_directory",
    (
        Column("name", "文件", 44),
        Column("lines", "行数", 12, "int", total=True),
        Column("size", "字节数", 14, "int"),
        Column("sha256", "SHA-256", 70),
    ),
    signatures=_SIGN,
)
LEDGER: Final = Layout(
    "season_ledger",
    (
        Column("unit", "村居", 12),
        Column("group", "村组", 6),
        Column("household", "户编号", 9),
        Column("head", "户主", 8),
        Column("name", "姓名", 9),
        Column("number", "身份证号", 19),
        Column("insurance", "险种", 5),
        Column("tier", "档次", 9, "yuan"),
        Column("personal", "个人应缴", 11, "yuan", total=True),
        Column("government", "政府代缴", 11, "yuan", total=True),
        Column("paid", "已缴", 11, "yuan", total=True),
        Column("paid_on", "缴费日期", 11, "date"),
        Column("means", "方式", 8),
        Column("voucher", "税票号", 16),
        Column("settled_on", "入库日期", 11, "date"),
        Column("state", "状态", 12),
        Column("cover", "保障起止", 22),
    ),
    paper="A3",
    row_height=16,
    signatures=_SIGN,
)
BY_UNIT: Final = Layout(
    "season_units",
    (Column("township", "村居", 14), *_WHERE[1:], *_FIGURES[1:15]),
    paper="A3",
    signatures=_SIGN,
)
ROSTERS: Final = Layout(
    "season_rosters",
    (
        Column("unit", "村居", 14),
        Column("kind", "清册", 12),
        Column("number", "编号", 34),
        Column("lines", "人数", 8, "int"),
        Column("digest", "校验码（SHA-256）", 70),
        Column("sealed_on", "封存日期", 12, "date"),
    ),
    signatures=_SIGN,
)
CASES: Final = Layout(
    "season_case_list",
    (
        Column("unit", "村居", 14),
        Column("name", "姓名", 10),
        Column("kind", "事项", 20),
        Column("amount", "金额", 14, "yuan", total=True),
        Column("state", "状态", 10),
        Column("opened_on", "发现日期", 12, "date"),
        Column("outcome", "处理结果", 40),
    ),
    signatures=_SIGN,
)
