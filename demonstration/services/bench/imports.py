"""Files in beside the first one: the same file again, the same rows as workbooks, a department's list of 50,000."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from python_calamine import CalamineWorkbook
from rustpy_xlsxwriter import write_worksheet

from demonstration.services.bench.measure import Answer, Figures, in_child
from demonstration.services.bench.stage import Stage, empty, forget_uploads, settle
from demonstration.services.bench.steps import LEFT_BY_IMPORT, floor_of, measure
from foundation.commands import answer_of

LISTED: Final = 50_000
# A group no step after this one asks for; its memberships go again.
GROUP: Final = "old_age_allowance"


def import_again(stage: Stage, with_floor: bool) -> Figures:
    """The identical registration file once more: nothing changes; told beside the first run, without a floor."""
    settle()

    def work() -> Answer:
        return _import(stage, "registration", stage.files / "registration.csv")

    return measure(stage, work, None)


def import_xlsx(stage: Stage, with_floor: bool) -> Figures:
    """The same rows as workbooks into an empty register; the floor is that of `import` and the bare reader's time."""
    empty(LEFT_BY_IMPORT)
    books = sorted(stage.files.glob("registration-*.xlsx"))

    def work() -> Answer:
        return _import(stage, "registration", *books)

    copies = floor_of(stage, "import", wanted=with_floor)
    if copies is None:
        return measure(stage, work, None, LEFT_BY_IMPORT)

    def floor() -> tuple[float, bool]:
        reading = in_child(lambda: {"seconds": _bare_reading(books)})["seconds"]
        seconds, same = copies()
        return seconds + reading, same

    return measure(stage, work, floor, LEFT_BY_IMPORT)


def import_category(stage: Stage, with_floor: bool) -> Figures:
    """A department's list of 50,000 people (of all, where there are fewer) as a workbook."""
    path = stage.out / "list.xlsx"
    header = ["姓名", "身份证号", "镇街", "村(居)", "认定时间"]
    with (stage.files / "registration.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = islice(_people(stream), LISTED)
        write_worksheet((dict(zip(header, row, strict=True)) for row in rows), str(path), "Sheet1")

    def work() -> Answer:
        return _import(stage, "category", path, "--category", GROUP)

    figures = measure(stage, work, floor_of(stage, "category", wanted=with_floor), ("enrollment_membership",))
    empty(("enrollment_membership",))
    return figures


def _import(stage: Stage, kind: str, *arguments: object) -> Answer:
    spec = stage.spec
    started = time.perf_counter()
    got = answer_of("import_file", kind, *map(str, arguments), "--county", spec.code[:6], "--plan", spec.plan)
    seconds = time.perf_counter() - started
    forget_uploads()
    counts = {key: got[key] for key in ("new", "changed", "rejected")}
    return {"rows": got["read"], "seconds": seconds, **counts}


def _bare_reading(books: list[Path]) -> float:
    """Seconds of the bare reader over every cell."""
    started = time.perf_counter()
    for book in books:
        sheet = CalamineWorkbook.from_path(str(book)).get_sheet_by_index(0)
        for _row in sheet.iter_rows():
            pass
    return time.perf_counter() - started


def _people(stream: Iterator[str]) -> Iterator[list[str]]:
    """Everybody of the registration data with a number, once."""
    seen: set[str] = set()
    for row in csv.DictReader(stream):
        number = row["身份证号"]
        if row["证件类型"] == "居民身份证" and number not in seen:
            seen.add(number)
            yield [row["姓名"], number, row["镇街"], row["村(居)"], "2022-09-01"]
