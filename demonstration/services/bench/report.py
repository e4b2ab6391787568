"""What a run found: a table for people, ``latest.json`` for scripts."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from demonstration.services.bench.measure import Answer, Figures

HEAD = ("step", "rows", "seconds", "rows/s", "peak MB", "floor s", "ratio", "notes")
# What is told beside the columns, where a step has it.
NOTES = (
    ("requests_per_second", "{} requests/s"),
    ("p50_ms", "p50 {} ms"),
    ("p95_ms", "p95 {} ms"),
    ("alone_p95_ms", "alone p95 {} ms"),
    ("asked_p95_ms", "asked p95 {} ms"),
    ("cold_ms", "cold {} ms"),
    ("cpu_ms", "CPU {} ms"),
    ("queries", "{} queries"),
    ("new", "{} new"),
    ("changed", "{} changed"),
    ("recount_seconds", "recount {} s"),
)


def surroundings() -> Answer:
    """The machine: cores this process may use, memory, versions."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        row = cursor.fetchone()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores,
        "memory_gb": round(pages / 2**30, 1),
        "postgresql": row[0].split()[0] if row else "",
        "python": platform.python_version(),
    }


def table(steps: dict[str, Figures]) -> str:
    """The steps as aligned columns."""
    lines = [HEAD, *(_line(name, figures) for name, figures in steps.items())]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD) - 1)]
    rows = []
    for name, *numbers, notes in lines:
        cells = [cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True)]
        rows.append("  ".join([name.ljust(widths[0]), *cells, notes]))
    return "\n".join(rows)


def _line(name: str, figures: Figures) -> tuple[str, ...]:
    told = figures.as_json()
    notes = [text.format(told[key]) for key, text in NOTES if told.get(key) is not None]
    if figures.same_rows is False:
        notes.append("floor's rows differ")
    return (
        name, str(figures.rows), f"{figures.seconds:.3f}", _number(told["rows_per_second"], "{:.0f}"),
        _number(figures.peak_mb, "{:.0f}"), _number(figures.floor_seconds, "{:.3f}"), _number(figures.ratio, "{:.2f}"),
        ", ".join(notes),
    )  # fmt: skip


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def write(path: Path, answer: dict[str, Any]) -> None:
    """Keep a run's answer; a half-written file never stands there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(
        json.dumps(answer, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    draft.replace(path)
