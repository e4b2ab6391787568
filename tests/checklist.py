"""``make checklist``: every requirement of docs/checklist.md, the tests that show it, and how they ended.

Runs the tests marked ``covers`` (``--list`` only collects them) and prints one line a row: its number, its
state, the requirement, the tests. States: ``shown`` (all its tests passed), ``failing``, ``skipped``,
``listed`` (not run), ``open`` (no test). Exit code 1 when a row fails or a test names an unknown row.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
CHECKLIST = PROJECT / "docs" / "checklist.md"


@dataclass(frozen=True)
class Row:
    number: str
    area: str
    requirement: str


def read_rows(path: Path = CHECKLIST) -> list[Row]:
    """The rows of the checklist's table, in its order."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and re.fullmatch(r"E\d{3}", cells[0]):
            rows.append(Row(cells[0], cells[1], cells[2]))
    return rows


@dataclass
class Coverage:
    """A pytest plugin: which tests show which row, and how each test ended."""

    rows_of: dict[str, set[str]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            rows = {row for marker in item.iter_markers("covers") for row in marker.args}
            if rows:
                self.rows_of[item.nodeid] = rows

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # The worst of set-up, call and tear-down.
        if report.failed or (report.outcome == "skipped" and self.ended.get(report.nodeid) != "failed"):
            self.ended[report.nodeid] = report.outcome
        elif report.when == "call":
            self.ended.setdefault(report.nodeid, "passed")

    def state_of(self, tests: list[str]) -> str:
        """How a row stands, from how its tests ended."""
        if not tests:
            return "open"
        outcomes = {self.ended.get(test, "listed") for test in tests}
        for outcome, state in (("failed", "failing"), ("skipped", "skipped"), ("listed", "listed")):
            if outcome in outcomes:
                return state
        return "shown"


def main(arguments: list[str]) -> int:
    coverage = Coverage()
    only_list = "--list" in arguments
    chosen = ["--collect-only"] if only_list else []
    code = pytest.main(
        ["-q", "--no-header", "-m", "covers and not faults", *chosen, str(PROJECT / "tests")],
        plugins=[coverage],
    )
    rows = read_rows()
    tests: dict[str, list[str]] = defaultdict(list)
    for test, covered in coverage.rows_of.items():
        for number in covered:
            tests[number].append(test)
    states: Counter[str] = Counter()
    print()
    for row in rows:
        shown_by = sorted({re.sub(r"\[.*", "", test).removeprefix("tests/") for test in tests[row.number]})
        state = coverage.state_of(tests[row.number])
        states[state] += 1
        print(f"{row.number}  {state:8}{row.area:13}{row.requirement}")
        for test in shown_by:
            print(f"{'':14}{test}")
    print()
    print(f"{len(rows)} rows: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    unknown = sorted(set(tests) - {row.number for row in rows})
    if unknown:
        print(f"tests name rows that are not there: {', '.join(unknown)}", file=sys.stderr)
    broken = code not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    return 1 if unknown or broken or states["failing"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
