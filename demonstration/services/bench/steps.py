"""Import, assess, rosters, export: the services a county runs in bulk, each beside its floor."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xlsxwriter
from python_calamine import CalamineWorkbook

from contributions.services.assess import assess
from demonstration.services.bench.floors import exists, run_floor
from demonstration.services.bench.measure import Answer, Figures, in_child, median
from demonstration.services.bench.stage import Stage, empty, forget_uploads
from foundation.commands import answer_of
from foundation.jobs.models import JobState
from foundation.jobs.services.queue import follow
from foundation.scope.context import places_scope
from rosters.models import RosterKind
from rosters.services.generate import request_rosters

Step = Callable[[Stage, bool], Figures]

# What a run leaves, to be emptied before the step is run again; what points there goes too.
LEFT_BY_IMPORT = (
    "enrollment_household", "enrollment_resident", "enrollment_registration", "imports_importbatch",
    "imports_importchange",
)  # fmt: skip
LEFT_BY_ASSESS = ("contributions_assessment", "contributions_charge", "contributions_figurerebuild")
LEFT_BY_ROSTERS = ("rosters_roster", "jobs_job")


def _values(stage: Stage) -> dict[str, Any]:
    plan = stage.plan
    return {"plan": plan.pk, "year": plan.coverage_year, "on": stage.spec.as_of}


def _measure(
    stage: Stage, work: Callable[[], Answer], floor: str, left: tuple[str, ...], *, with_floor: bool
) -> Figures:
    """Run a step ``stage.runs`` times from the same start and its floor as often; medians of both.

    ``work`` answers {rows, seconds, …} and runs in a child.
    """
    runs = stage.runs if with_floor else 1
    answers = []
    for run in range(runs):
        if run:
            empty(left)
        answers.append(in_child(work))
    figures = Figures(
        rows=int(answers[-1]["rows"]),
        seconds=median([answer["seconds"] for answer in answers]),
        peak_mb=max(answer["peak_mb"] for answer in answers),
        more={key: value for key, value in answers[-1].items() if key not in {"rows", "seconds", "peak_mb"}},
    )
    if with_floor and exists(floor):
        seconds, same = run_floor(floor, _values(stage), runs=runs)
        figures.beside(seconds, same_rows=same)
    return figures


def import_registration(stage: Stage, with_floor: bool) -> Figures:
    """`import_file registration` of the whole county's file; rows are those of the file."""

    def work() -> Answer:
        spec = stage.spec
        started = time.perf_counter()
        got = answer_of(
            "import_file", "registration", str(stage.files / "registration.csv"),
            "--county", spec.code[:6], "--plan", spec.plan,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        forget_uploads()
        return {"rows": got["read"], "seconds": seconds, "rejected": got["rejected"]}

    return _measure(stage, work, "import", LEFT_BY_IMPORT, with_floor=with_floor)


def assess_county(stage: Stage, with_floor: bool) -> Figures:
    """The first assessment of everybody, on the plan's demonstration day; rows are answers of both insurances."""

    def work() -> Answer:
        started = time.perf_counter()
        with places_scope(stage.places):
            result = assess(by=None, plan=stage.plan, on=stage.spec.as_of)
        seconds = time.perf_counter() - started
        return {"rows": result.assessed, "seconds": seconds, "charges": result.charges}

    return _measure(stage, work, f"assess-{stage.spec.plan}", LEFT_BY_ASSESS, with_floor=with_floor)


def levy_rosters(stage: Stage, with_floor: bool) -> Figures:
    """The levy roster job of the county, worked in this process; rows are roster lines."""

    def work() -> Answer:
        started = time.perf_counter()
        job = request_rosters(by=None, plan=stage.plan, kind=RosterKind.LEVY, places=stage.places)
        job = follow(job, report=lambda _job: None, own_hands_after=-1.0)
        seconds = time.perf_counter() - started
        if job.state != JobState.SUCCEEDED:
            raise RuntimeError(f"the roster job is {job.state}: {job.error}")
        return {"rows": job.result["lines"], "seconds": seconds, "rosters": job.result["rosters"]}

    return _measure(stage, work, "rosters", LEFT_BY_ROSTERS, with_floor=with_floor)


def export_workbooks(stage: Stage, with_floor: bool) -> Figures:
    """`export_rosters` of every unit into one zip; rows are roster lines.

    The floor writes the very same cells with bare XlsxWriter, no layout, from memory.
    """
    out = stage.out / "levy.zip"

    def work() -> Answer:
        started = time.perf_counter()
        got = answer_of("export_rosters", "--plan", stage.spec.plan, "--kind", "levy", "--out", str(out))
        seconds = time.perf_counter() - started
        return {
            "rows": got["lines"],
            "seconds": seconds,
            "workbooks": got["workbooks"],
            "bytes": got["bytes"],
        }

    runs = stage.runs if with_floor else 1
    try:
        answers = [in_child(work) for _run in range(runs)]
        figures = Figures(
            rows=answers[-1]["rows"],
            seconds=median([answer["seconds"] for answer in answers]),
            peak_mb=max(answer["peak_mb"] for answer in answers),
            more={"workbooks": answers[-1]["workbooks"], "bytes": answers[-1]["bytes"]},
        )
        if with_floor:
            floors = [in_child(lambda: bare_workbooks(out)) for _run in range(runs)]
            same = floors[-1]["workbooks"] == answers[-1]["workbooks"]
            figures.beside(median([floor["seconds"] for floor in floors]), same_rows=same)
    finally:
        out.unlink(missing_ok=True)
    return figures


def bare_workbooks(path: Path) -> Answer:
    """Write the cells of a zip of workbooks again with nothing but XlsxWriter; seconds without the reading."""
    seconds, workbooks = 0.0, 0
    target = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
        for name in archive.namelist():
            book = CalamineWorkbook.from_filelike(io.BytesIO(archive.read(name)))
            sheets = [
                (sheet, book.get_sheet_by_name(sheet).to_python(skip_empty_area=False))
                for sheet in book.sheet_names
            ]
            started = time.perf_counter()
            copy.writestr(name, _bare_workbook(sheets))
            seconds += time.perf_counter() - started
            workbooks += 1
    return {"seconds": seconds, "workbooks": workbooks}


def _bare_workbook(sheets: list[tuple[str, list[list[Any]]]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"constant_memory": True}) as book:
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for y, row in enumerate(rows):
                for x, value in enumerate(row):
                    if isinstance(value, int | float):
                        sheet.write_number(y, x, value)
                    elif value != "":
                        sheet.write_string(y, x, str(value))
    return buffer.getvalue()
