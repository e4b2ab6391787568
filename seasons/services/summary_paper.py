"""The summary of a year as tables of a workbook and as an official report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from enrollment.models import CollectionPlan, Insurance
from foundation.documents import Cell, LetterTable, ReportData, ReportSection
from foundation.money import format_yuan
from foundation.sheets import Layout, OfficialTable
from seasons.layouts import BY_PAYER, BY_TIER, BY_TOWNSHIP, DIRECTORY, OPEN_MATTERS
from seasons.models import ArchivedFile, SeasonClosing

_YUAN = ("due_amount", "exempt_amount", "paid_amount", "confirmed_amount", "settled_amount", "unpaid_amount")


def county_tables(
    plan: CollectionPlan,
    summary: dict[str, Any],
    on: date,
    *,
    closing: SeasonClosing | None = None,
    files: Sequence[ArchivedFile] = (),
) -> list[OfficialTable]:
    """The workbook's sheets; the directory of archived files where there are any."""
    unit_line = _("单位：元　%(plan)s") % {"plan": plan.document_number or plan.name}
    head = _("%(county)s%(year)s年度城乡居民两险征缴总结")
    head %= {"county": plan.county.name, "year": plan.coverage_year}
    note = (
        _("第%(n)s次结账") % {"n": closing.number} if closing is not None else _("未结账，数据截至制表时间")
    )

    def table(
        layout: Layout, rows: Iterable[dict[str, Any]], what: str, footer: Sequence[str] = ()
    ) -> OfficialTable:
        return OfficialTable(layout, rows, f"{head}（{what}）", unit_line, on, what, tuple(footer), note)

    tables = [
        *(
            table(
                BY_TOWNSHIP,
                (row for row in township_rows(summary) if row["code"] == name),
                _("%(insurance)s分镇街") % {"insurance": figures["label"]},
                _target_notes(summary, name),
            )
            for name, figures in ordered(summary["insurances"], summary)
        ),
        table(
            BY_PAYER,
            (_amounts(row, "amount", "asked", "disbursed") | _payer(row) for row in summary["payers"]),
            _("分出资方"),
        ),
        table(BY_TIER, (_amounts(row, "tier", "paid_amount") for row in summary["tiers"]), _("养老分档次")),
        table(OPEN_MATTERS, _matters(summary, closing), _("待处理和未了事项")),
    ]
    if files:
        rows = (
            {"name": file.name, "lines": file.lines, "size": file.size, "sha256": file.sha256}
            for file in files
        )
        tables.append(table(DIRECTORY, rows, _("归档目录")))
    return tables


def ordered(by_insurance: dict[str, Any], summary: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Figures by insurance in the plan's order."""
    return [(name, by_insurance[name]) for name in summary["order"] if name in by_insurance]


def township_rows(summary: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """A row for each township and insurance, amounts as numbers; ``code`` is the insurance's."""
    for township in summary["townships"]:
        for name, figures in ordered(township["insurances"], summary):
            yield {**_row(figures), "code": name, "township": township["name"]}


def total_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The sums of each insurance, amounts as numbers."""
    return [{**_row(figures), "code": name} for name, figures in ordered(summary["insurances"], summary)]


def _row(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        **_amounts(figures, *_YUAN),
        "insurance": figures["label"],
        "completion_rate": _percent(figures["completion_rate"]),
        "due_paid_rate": _percent(figures["due_paid_rate"]),
    }


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.1f}"


def _amounts(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    return row | {key: Decimal(row[key]) for key in keys}


def _payer(row: dict[str, Any]) -> dict[str, Any]:
    return {"payer": row["label"], "insurance": str(Insurance(row["insurance"]).label)}


def _target_notes(summary: dict[str, Any], name: str) -> list[str]:
    """Where the printed total of the task table is not the sum of its rows, it is said."""
    printed, total = summary["printed_targets"].get(name), summary["insurances"][name]["target"]
    if printed is None or total is None or printed == total:
        return []
    return [
        _("任务表印的合计是 %(printed)s，各行之和是 %(total)s，本表按各行之和。")
        % {"printed": f"{printed:,}", "total": f"{total:,}"}
    ]


def _matters(summary: dict[str, Any], closing: SeasonClosing | None) -> Iterable[dict[str, Any]]:
    for case in summary["cases"]:
        yield _amounts(case, "open_amount")
    if closing is not None:
        for warning in closing.warnings:
            yield {"label": _("结账时未了"), "note": warning["text"]}
        if closing.reason:
            yield {"label": _("结账说明"), "note": closing.reason}


def summary_report(
    plan: CollectionPlan, summary: dict[str, Any], on: date, *, closing: SeasonClosing | None = None
) -> ReportData:
    """The report in the words a bureau writes: tasks and what was done, money, who else paid, what is open."""
    sections = [
        ReportSection(_("任务完成情况"), _done(summary), _("各镇街完成情况"), _township_table(summary)),
        ReportSection(_("资金情况"), _money(summary)),
        ReportSection(
            _("政府代缴和补助情况"), _payers(summary), _("分出资方"),
            LetterTable(
                (Cell(_("出资方"), 4, "left"), Cell(_("险种"), 1), Cell(_("人次"), 1.6), Cell(_("金额（元）"), 2.6, "right"),
                 Cell(_("已拨付（元）"), 2.6, "right")),
                [
                    (row["label"], str(Insurance(row["insurance"]).label), f"{row['heads']:,}", _comma(row["amount"]),
                     _comma(row["disbursed"]))
                    for row in summary["payers"]
                ],
            ) if summary["payers"] else None,
        ),
        ReportSection(_("存在问题和未了事项"), _open(summary, closing)),
    ]  # fmt: skip
    note = _("注：人数、金额按方案口径，台账口径与税务口径分列。")
    if closing is not None:
        note += _("本报告随第%(n)s次结账归档。") % {"n": closing.number}
    return ReportData(
        title=_("%(county)s%(year)s年度城乡居民%(what)s保险\n征缴工作总结")
        % {
            "county": plan.county.name,
            "year": plan.coverage_year,
            "what": "、".join(figures["label"] for _name, figures in ordered(summary["insurances"], summary)),
        },
        subtitle=f"（{on.year}年{on.month}月{on.day}日）",
        lead=_lead(plan, summary),
        sections=sections,
        signer=plan.issuer or plan.county.name,
        on=on,
        note=note,
    )


def _comma(amount: str) -> str:
    return format_yuan(Decimal(amount))


def _lead(plan: CollectionPlan, summary: dict[str, Any]) -> str:
    by = f"（{plan.document_number}）" if plan.document_number else ""
    return _("根据《%(plan)s》%(by)s，现将%(year)s年度征缴工作情况总结如下。") % {
        "plan": plan.name, "by": by, "year": plan.coverage_year,
    }  # fmt: skip


_TOLD = ("in_scope", "registered", "due", "paid", "exempt", "unpaid", "settled_aside")


def _done(summary: dict[str, Any]) -> list[str]:
    said = []
    for _name, figures in ordered(summary["insurances"], summary):
        text = _(
            "%(label)s：应参保 %(in_scope)s 人，参保登记 %(registered)s 人；个人应缴 %(due)s 人、%(due_amount)s 元，"
            "已缴 %(paid)s 人、%(paid_amount)s 元；政府代缴 %(exempt)s 人、%(exempt_amount)s 元；"
            "未缴 %(unpaid)s 人，销号 %(settled_aside)s 人。应缴已缴率 %(rate)s%%"
        ) % {
            **{key: f"{figures[key]:,}" for key in _TOLD},
            **{key: _comma(figures[key]) for key in ("due_amount", "paid_amount", "exempt_amount")},
            "label": _insurance_name(figures["label"]), "rate": _percent(figures["due_paid_rate"]) or "—",
        }  # fmt: skip
        if figures["target"] is not None:
            text += _("；任务数 %(target)s 人，完成率 %(rate)s%%") % {
                "target": f"{figures['target']:,}", "rate": _percent(figures["completion_rate"]) or "—",
            }  # fmt: skip
        said.append(text + "。")
    return said


def _insurance_name(label: str) -> str:
    return _("居民%(label)s保险") % {"label": label}


def _township_table(summary: dict[str, Any]) -> LetterTable | None:
    rows = [*township_rows(summary), *({**row, "township": _("合计")} for row in total_rows(summary))]
    told = [
        (
            row["township"], row["insurance"], "" if row["target"] is None else f"{row['target']:,}",
            f"{row['paid']:,}", f"{row['exempt']:,}", f"{row['unpaid']:,}", format_yuan(row["paid_amount"]),
            row["completion_rate"],
        )
        for row in rows
    ]  # fmt: skip
    if not summary["townships"]:
        return None
    cells = (
        Cell(_("镇街"), 2.4), Cell(_("险种"), 1), Cell(_("任务数"), 1.6, "right"), Cell(_("已缴"), 1.6, "right"),
        Cell(_("政府\n代缴"), 1.5, "right"), Cell(_("未缴"), 1.4, "right"), Cell(_("收缴额（元）"), 2.9, "right"),
        Cell(_("完成率\n（%）"), 1.4, "right"),
    )  # fmt: skip
    return LetterTable(cells, told)


def _money(summary: dict[str, Any]) -> list[str]:
    money = summary["money"]
    confirmed = sum(
        (Decimal(each["confirmed_amount"]) for each in summary["insurances"].values()), Decimal(0)
    )
    settled = sum((Decimal(each["settled_amount"]) for each in summary["insurances"].values()), Decimal(0))
    collected = sum((Decimal(each["paid_amount"]) for each in summary["insurances"].values()), Decimal(0))
    return [
        _("收缴额 %(collected)s 元（台账口径，冲正已扣）；税务确认 %(confirmed)s 元，其中已入库 %(settled)s 元（税务口径）。")
        % {"collected": format_yuan(collected), "confirmed": format_yuan(confirmed), "settled": format_yuan(settled)},
        _("没有税务回传的缴费 %(n)s 笔、%(amount)s 元；多收待退 %(excess)s 元；冲正 %(reversals)s 笔、%(reversed)s 元。")
        % {
            "n": f"{money['unconfirmed']:,}", "amount": _comma(money["unconfirmed_amount"]),
            "excess": _comma(money["excess"]), "reversals": f"{money['reversals']:,}", "reversed": _comma(money["reversed"]),
        },
    ]  # fmt: skip


def _payers(summary: dict[str, Any]) -> list[str]:
    if not summary["payers"]:
        return [_("本年度没有由政府代缴或补助的部分。")]
    total = sum((Decimal(row["amount"]) for row in summary["payers"]), Decimal(0))
    return [
        _("政府代缴、财政补助和补贴合计 %(total)s 元，按出资方列表如下。") % {"total": format_yuan(total)}
    ]


def _open(summary: dict[str, Any], closing: SeasonClosing | None) -> list[str]:
    said = []
    papers = summary["papers"]
    open_cases = [case for case in summary["cases"] if case["open"]]
    if open_cases:
        listed = "；".join(
            _("%(label)s %(n)s 件") % {"label": case["label"], "n": f"{case['open']:,}"}
            for case in open_cases
        )
        said.append(_("待处理事项：%(what)s。") % {"what": listed})
    else:
        said.append(_("待处理事项已全部办结。"))
    said.append(
        _("有登记的村居 %(units)s 个，已封存缴费清册 %(rosters)s 个，已张贴公示 %(posted)s 张。")
        % {"units": papers["units"], "rosters": papers["payment_rosters"], "posted": papers["posted"]}
    )
    if closing is not None and closing.warnings:
        said.append(
            _("结账时仍有：%(what)s")
            % {"what": "；".join(w["text"].rstrip("。") for w in closing.warnings) + "。"}
        )
    if closing is not None and closing.reason:
        said.append(_("结账说明：%(reason)s。") % {"reason": closing.reason.rstrip("。")})
    return said
