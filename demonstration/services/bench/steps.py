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


def measure(
    stage: Stage,
    work: Callable[[], Answer],
    floor: Callable[[], tuple[float, bool]] | None,
    left: tuple[str, ...] = (),
) -> Figures:
    """Run a step ``stage.runs`` times from the same start, its floor after each; medians of seconds and of ratios.

    ``work`` answers {rows, seconds, …} and runs in a child. Neighbours in time share what else the machine does, so
    their ratio tells more than the ratio of two medians. ``left`` are tables to empty before the step is run again.
    """
    answers: list[Answer] = []
    floors: list[tuple[float, bool]] = []
    for run in range(stage.runs if floor else 1):
        if run and left:
            empty(left)
        answers.append(in_child(work))
        if floor:
            floors.append(floor())
    seconds = [answer["seconds"] for answer in answers]
    last = answers[-1]
    figures = Figures(
        rows=int(last["rows"]),
        seconds=median(seconds),
        peak_mb=max(answer["peak_mb"] for answer in answers),
        more={key: value for key, value in last.items() if key not in {"rows", "seconds", "peak_mb"}},
    )
    if floors:
        figures.beside(
            median([took for took, _same in floors]),
            same_rows=all(same for _took, same in floors),
            ratio=median([mine / took for mine, (took, _same) in zip(seconds, floors, strict=True)]),
        )
    return figures


def floor_of(stage: Stage, name: str, *, wanted: bool) -> Callable[[], tuple[float, bool]] | None:
    """The floor of that name, if it is wanted and somebody wrote one."""
    if not wanted or not exists(name):
        return None
    values = _values(stage)
    return lambda: run_floor(name, values)


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

    return measure(stage, work, floor_of(stage, "import", wanted=with_floor), LEFT_BY_IMPORT)


def assess_county(stage: Stage, with_floor: bool) -> Figures:
    """The first assessment of everybody, on the plan's demonstration day; rows are answers of both insurances."""

    def work() -> Answer:
        started = time.perf_counter()
        with places_scope(stage.places):
            result = assess(by=None, plan=stage.plan, on=stage.spec.as_of)
        seconds = time.perf_counter() - started
        return {"rows": result.assessed, "seconds": seconds, "charges": result.charges}

    return measure(
        stage, work, floor_of(stage, f"assess-{stage.spec.plan}", wanted=with_floor), LEFT_BY_ASSESS
    )


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

    return measure(stage, work, floor_of(stage, "rosters", wanted=with_floor), LEFT_BY_ROSTERS)


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

    def floor() -> tuple[float, bool]:
        bare = in_child(lambda: bare_workbooks(out))
        return bare["seconds"], True

    try:
        return measure(stage, work, floor if with_floor else None)
    finally:
        out.unlink(missing_ok=True)


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
