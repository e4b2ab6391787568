"""The task table in: headcounts by township and insurance, the printed total beside their sum."""

from __future__ import annotations

import io
from typing import Any

import pytest
from openpyxl import Workbook

from enrollment.models import PlanStatus, Target
from foundation.imports.kinds import ImportRefused
from foundation.imports.services.apply import undo
from foundation.imports.words import warning_lines
from foundation.scope.context import places_scope
from tests.imports.office import Desk


def _table(*rows: tuple[Any, ...], merged: bool = False) -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["山亭区任务表"])
    page.append(["镇街", "村居数", "养老人数", "医疗人数", "备注"])
    for row in rows:
        page.append(list(row))
    if merged:
        page.merge_cells(start_row=page.max_row, end_row=page.max_row, start_column=1, end_column=2)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _kept(desk: Desk) -> list[tuple[Any, ...]]:
    rows = Target.objects.filter(plan=desk.plan).order_by("insurance", "township__position")
    return list(rows.values_list("township__name", "insurance", "headcount", "villages"))


@pytest.mark.parametrize("merged", [False, True])
def test_the_printed_total_is_kept_beside_the_sum(desk: Desk, merged: bool) -> None:
    """Both are stored; where they differ the difference is told; the total is no record of its own."""
    content = _table(
        ("甲镇", 2, "1,200", 3400, ""),
        ("乙镇政府", 1, 800, 1600, "含园区"),
        ("合计", "", 2001, 5000, ""),
        merged=merged,
    )
    batch = desk.take("targets", content)
    assert (batch.read_count, batch.new_count, batch.rejected_count) == (2, 2, 0)
    assert batch.summary["totals"] == {"pension": [2001, 2000], "medical": [5000, 5000]}
    assert warning_lines(batch) == ["养老：印的合计是 2001，各镇街相加是 2000，相差 1。两个都记下"]
    assert _kept(desk) == [
        ("甲镇", "medical", 3400, 2), ("乙镇", "medical", 1600, 1), (None, "medical", 5000, None),
        ("甲镇", "pension", 1200, 2), ("乙镇", "pension", 800, 1), (None, "pension", 2001, None),
    ]  # fmt: skip
    assert desk.take("targets", content).unchanged_count == 2


def test_a_later_table_changes_and_a_full_one_takes_out(desk: Desk) -> None:
    """Townships left out keep their row, unless the table is complete; each table can be taken back."""
    first = desk.take("targets", _table(("甲镇", 2, 1200, 3400, ""), ("乙镇", 1, 800, 1600, "")))
    second = desk.take("targets", _table(("甲镇", 2, 1300, 3400, "")), full_list=True)
    assert (second.new_count, second.changed_count, second.summary["closed"]) == (0, 2, 1)
    assert [row[:3] for row in _kept(desk)] == [("甲镇", "medical", 3400), ("甲镇", "pension", 1300)]
    with places_scope(desk.cast.places):
        with pytest.raises(ImportRefused, match=f"批次 {second.pk}"):
            undo(by=None, batch=first, places=desk.cast.places)
        undo(by=None, batch=second, places=desk.cast.places)
        assert len(_kept(desk)) == 4
        undo(by=None, batch=first, places=desk.cast.places)
    assert _kept(desk) == []


def test_rows_that_are_no_targets_go_back(desk: Desk) -> None:
    """An unknown township, words for numbers, nothing at all, a township twice."""
    batch = desk.take(
        "targets",
        _table(
            ("甲镇", 2, 1200, 3400, ""), ("丙镇", 2, 1, 1, ""), ("乙镇", 2, "很多", 1, ""), ("乙镇", 1, "", "", ""),
            ("甲镇", 2, 1, 1, ""),
        ),
    )  # fmt: skip
    assert [code for _row, code, _message in desk.messages(batch)] == [
        "unknown_township", "bad_headcount", "bad_headcount", "duplicate",
    ]  # fmt: skip


def test_a_single_headcount_needs_a_plan_of_one_insurance(desk: Desk) -> None:
    """参保任务数 alone does not say whose heads they are; under a medical plan it does."""
    content = "镇街,参保任务数\n甲镇,500\n".encode()
    with pytest.raises(ImportRefused, match="分开写"):
        desk.take("targets", content)
    desk.plan.insurances = ["medical"]
    desk.plan.save()
    desk.take("targets", content)
    assert _kept(desk) == [("甲镇", "medical", 500, None)]


def test_targets_of_a_published_plan_stay(desk: Desk) -> None:
    """They are part of the paper: an amendment changes them."""
    desk.plan.status = PlanStatus.PUBLISHED
    desk.plan.save()
    with pytest.raises(ImportRefused, match="更正"):
        desk.take("targets", _table(("甲镇", 2, 1200, 3400, "")))
