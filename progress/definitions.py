"""The definitions (口径) shown beside every figure on pages and in the API: one table."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from contributions.figures import COUNTED


@dataclass(frozen=True)
class Definition:
    """What a figure is called and what exactly it counts."""

    label: str | Promise
    text: str | Promise


DEFINITIONS: dict[str, Definition] = {
    "target": Definition(
        _("任务数"), _("方案任务表各行人数之和；表上印的合计若不同，另行注明。没有任务表的方案按应参保计。")
    ),
    **{figure.name: Definition(figure.label, figure.definition) for figure in COUNTED},
    "exempt_amount": Definition(_("应代缴额"), _("政府全额代缴的人由政府或部门承担的合计，元。")),
    "billed_amount": Definition(_("代缴已开单额"), _("特殊缴费单据已经推送给税务的金额，元。")),
    "disbursed_amount": Definition(
        _("代缴已拨付额"), _("财政已经拨付的代缴款，按拨付日，元；与个人已缴分开。")
    ),
    "due_amount": Definition(_("应缴额"), _("应缴人数个人应缴的合计，元。")),
    "completion_rate": Definition(_("完成率"), _("已缴 ÷ 任务数。政府全额代缴的人按方案计入或不计入。")),
    "due_paid_rate": Definition(_("应缴已缴率"), _("（已缴＋政府代缴）÷ 应参保。")),
    "rate_45_59": Definition(_("45–59 岁缴费率"), _("45 至 59 岁：已缴和政府代缴的人 ÷ 应参保的人。")),
    "rate_16_44": Definition(
        _("16–44 岁缴费率"), _("16 至 44 岁：已缴和政府代缴的人 ÷ 已登记的人。45 岁计入上一档。")
    ),
    "collected_amount": Definition(_("收缴额"), _("台账记下的缴费净额，冲正已扣，按缴费日期（台账口径）。")),
    "confirmed_amount": Definition(_("税务已确认额"), _("税务回传的金额，按开票日（税务口径）。")),
    "settled_amount": Definition(_("入库额"), _("税务回传中已经入库的金额，按入库日（税务口径）。")),
    "unconfirmed_overdue": Definition(
        _("超期没回传"), _("缴款超过 3 天、税务还没有回传的笔数和金额；冲正的不算。每分钟清点一次。")
    ),
    "paid_today": Definition(_("今日净增"), _("今天新缴足的人，减去今天被冲正的人。")),
}


def completion_text(includes_exempt: bool) -> str:
    """The definition of 完成率 under a plan's own counting rule."""
    if includes_exempt:
        return _t("（已缴＋政府代缴）÷ 任务数，没有任务表的按应参保。政府全额代缴的人计入。")
    return _t("已缴 ÷ 任务数，没有任务表的按应参保。政府全额代缴的人两边都不计入，按方案的统计口径。")
