"""Errors back of a workbook of 200,000 rows, in a process of its own: its memory does not grow with the rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import xlsxwriter

pytestmark = pytest.mark.faults

ROWS = 200_000
CHILD = """
import json, sys
from pathlib import Path
from foundation.sheets import Fault, open_table, write_errors
source, target = Path(sys.argv[1]), Path(sys.argv[2])
fault = Fault("身份证号校验位不对", {1: "核对"})
count = write_errors(open_table(source), target, {n: fault for n in range(2, int(sys.argv[3]), 20)}, path=source)
status = Path("/proc/self/status").read_text().split("VmHWM:")[1]  # of this process alone, not of who started it
print(json.dumps([count, int(status.split()[0]) // 1024]))
"""


def test_a_large_workbook_comes_back_in_little_memory(tmp_path: Path) -> None:
    """Ten thousand marked rows among 200,000: below 150 MB, and every row is there."""
    source, target = tmp_path / "in.xlsx", tmp_path / "back.xlsx"
    book = xlsxwriter.Workbook(str(source), {"constant_memory": True})
    page = book.add_worksheet("登记")
    page.write_row(0, 0, ["姓名", "身份证号", *(f"列{n}" for n in range(10))])
    for row in range(1, ROWS):
        page.write_row(row, 0, ["张大山", f"3704061985{row:08d}", *("内容",) * 10])
    book.close()
    answer = subprocess.run(
        [sys.executable, "-c", CHILD, str(source), str(target), str(ROWS)],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "portal.settings"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    count, megabytes = json.loads(answer.stdout.splitlines()[-1])
    assert count == len(range(2, ROWS, 20))
    assert megabytes < 150
    assert target.stat().st_size > source.stat().st_size // 2
