"""Official workbooks of lists, requests, budgets and settlements."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _

from foundation.sheets import Column, Layout

LIST_SIGNATURES: Final = ("报送单位（章）：", "审核人：", "日期：")


def name_list(*, why: bool) -> Layout:
    """资助/代缴名单 as offices know it (PRACTICE); ``why`` adds how each person stands, for working with it."""
    columns = [
        Column("number", _("身份证号"), 21),
        Column("name", _("姓名"), 11),
        Column("identity", _("身份类别"), 22),
        Column("certifier", _("认定部门"), 15),
        Column("certified_on", _("认定时间"), 12, "date"),
        Column("valid_to", _("止期"), 12, "date"),
        Column("insurance", _("险种"), 7),
        Column("standard", _("标准"), 10, "yuan"),
        Column("township", _("镇街"), 11),
        Column("unit", _("村居"), 13),
        Column("government", _("代缴金额"), 11, "yuan", total=True),
        Column("personal", _("个人缴费金额"), 13, "yuan", total=True),
        Column("request", _("请款批次"), 20),
    ]
    if why:
        columns += [Column("standing", _("状态"), 14), Column("why", _("说明"), 44)]
    return Layout("government_paid_list", tuple(columns), signatures=LIST_SIGNATURES)
