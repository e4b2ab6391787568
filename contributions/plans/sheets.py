"""A budget as an official workbook: what is changed, by payer, by township, and every payer of every township."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import BinaryIO, Final

from django.utils.translation import gettext as _

from contributions.plans.budget import Comparison, Line
from enrollment.models import CollectionPlan
from foundation.sheets import Column, Layout, OfficialTable, write_workbook
from foundation.sheets.writing import Written

_SIGNATURES: Final = ("制表人：", "审核人：", "日期：")


def write_budget(
    target: BinaryIO, plan: CollectionPlan, comparison: Comparison, on: datetime.date
) -> list[Written]:
    """Write the workbook; sums of its columns equal those of the page."""
    unit_line = _("单位：元　计价日期：%(day)s") % {"day": on.isoformat()}

    def table(
        code: str, columns: tuple[Column, ...], rows: Iterator[dict[str, object]], title: str, sheet: str
    ) -> OfficialTable:
        layout = Layout(code, columns, signatures=_SIGNATURES)
        return OfficialTable(
            layout,
            rows,
            f"{plan.name}{title}",
            unit_line,
            on,
            sheet,
            footer=(_("本表为测算，未写入任何应缴。"),),
        )

    return write_workbook(
        target,
        [
            table(
                "budget_payers",
                (Column("payer", _("付款方"), 30), *_amounts(comparison)),
                (
                    {"payer": line.label, **_cells(comparison, line)}
                    for line in comparison.payers
                    if not line.total
                ),
                _("测算表（按付款方）"),
                _("按付款方"),
            ),
            table(
                "budget_townships",
                (
                    Column("township", _("镇（街）"), 14),
                    Column("payer", _("付款方"), 24),
                    *_amounts(comparison),
                ),
                (
                    {"township": township, "payer": label, **_cells(comparison, line)}
                    for township, label, line in comparison.detail
                ),
                _("测算表（按镇街）"),
                _("按镇街"),
            ),
            table(
                "budget_changes",
                (
                    Column("scenario", _("测算"), 10),
                    Column("what", _("改了什么"), 60),
                    Column("present", _("现行"), 24),
                    Column("value", _("改为"), 24),
                    Column("people", _("受影响人数"), 14, "int"),
                ),
                _changes(comparison),
                _("测算所改内容"),
                _("改了什么"),
            ),
        ],
    )


def _amounts(comparison: Comparison) -> tuple[Column, ...]:
    found = [Column("before", _("现行"), 18, "yuan", total=True)]
    for scenario in comparison.scenarios:
        found.append(Column(scenario.letter, scenario.name, 18, "yuan", total=True))
        name = _("%(scenario)s增减") % {"scenario": scenario.name}
        found.append(Column(f"{scenario.letter}_difference", name, 18, "yuan", total=True))
    return tuple(found)


def _cells(comparison: Comparison, line: Line) -> dict[str, object]:
    cells: dict[str, object] = {"before": line.before}
    for scenario, cell in zip(comparison.scenarios, line.cells, strict=True):
        cells[scenario.letter] = cell.amount
        cells[f"{scenario.letter}_difference"] = cell.difference
    return cells


def _changes(comparison: Comparison) -> Iterator[dict[str, object]]:
    for scenario in comparison.scenarios:
        people = (scenario.result or {}).get("residents_affected")
        for number, (what, present, value) in enumerate(scenario.said):
            yield {
                "scenario": scenario.name,
                "what": what,
                "present": present,
                "value": value,
                "people": people if number == 0 else None,
            }
