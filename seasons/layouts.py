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
