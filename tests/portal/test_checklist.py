"""The checklist and the tests that name its rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.checklist import Coverage, read_rows

TESTS = Path(__file__).resolve().parents[1]


def test_rows_are_numbered_without_gap() -> None:
    assert [row.number for row in read_rows()] == [f"E{number:03}" for number in range(1, 136)]
    assert all(row.area and row.requirement for row in read_rows())


def test_no_test_names_a_row_that_is_not_there() -> None:
    known = {row.number for row in read_rows()}
    named = {
        (path.name, row)
        for path in TESTS.rglob("test_*.py")
        for marker in re.findall(r"mark\.covers\(([^)]*)\)", path.read_text(encoding="utf-8"))
        for row in re.findall(r"\"(\w+)\"", marker)
    }
    assert {(name, row) for name, row in named if row not in known} == set()


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ({}, "open"),
        ({"a": "passed", "b": "passed"}, "shown"),
        ({"a": "passed", "b": "failed"}, "failing"),
        ({"a": "passed", "b": "skipped"}, "skipped"),
    ],
)
def test_row_is_shown_only_when_all_its_tests_passed(outcomes: dict[str, str], state: str) -> None:
    assert Coverage(ended=outcomes).state_of(list(outcomes)) == state
