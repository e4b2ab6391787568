"""Work in a forked child, so that its peak memory is its own, and the figures of a step."""

from __future__ import annotations

import json
import os
import statistics
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections

Answer = dict[str, Any]


class StepFailed(Exception):
    """A step ended badly in its child; the child has said why on standard error."""


@dataclass
class Figures:
    """What is told of a step. Seconds are wall time; memory counts the portal's processes, not PostgreSQL."""

    rows: int
    seconds: float
    peak_mb: float | None = None
    floor_seconds: float | None = None
    ratio: float | None = None
    same_rows: bool | None = None
    more: Answer = field(default_factory=dict)

    def beside(
        self, floor_seconds: float, *, same_rows: bool | None = None, ratio: float | None = None
    ) -> None:
        """Note the floor. The ratio is how many times its time the step takes, unless the caller knows better."""
        self.floor_seconds, self.same_rows = floor_seconds, same_rows
        self.ratio = ratio if ratio is not None else self.seconds / floor_seconds

    def as_json(self) -> Answer:
        """The step as ``latest.json`` keeps it; what does not apply is null."""
        per_second = self.rows / self.seconds if self.seconds else None
        return {
            "rows": self.rows,
            "seconds": round(self.seconds, 4),
            "rows_per_second": round(per_second, 1) if per_second is not None else None,
            "peak_mb": self.peak_mb,
            "floor_seconds": round(self.floor_seconds, 4) if self.floor_seconds is not None else None,
            "ratio": round(self.ratio, 2) if self.ratio is not None else None,
            "same_rows": self.same_rows,
            **self.more,
        }


def in_child(work: Callable[[], Answer]) -> Answer:
    """Do ``work`` in a forked child and return its answer with ``peak_mb``. Raises StepFailed.

    The answer crosses as JSON. The peak is the largest resident set of the child or of a process it waited for.
    """
    connections.close_all()
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            told = json.dumps(work(), cls=DjangoJSONEncoder)
            with os.fdopen(writing, "w", encoding="utf-8") as end:
                end.write(told)
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it was is told, and must not run on as the parent
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            # Locks, exit handlers and connections of the parent are left alone.
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as end:
        text = end.read()
    _pid, status, usage = os.wait4(child, 0)
    if status != 0 or not text:
        raise StepFailed
    # Linux counts in KiB, macOS in bytes.
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024
    answer: Answer = json.loads(text)
    return {**answer, "peak_mb": round(usage.ru_maxrss / unit, 1)}


def peak_of(pids: Sequence[int]) -> float | None:
    """Sum of the largest resident sets of running processes in MiB; None where the system does not tell."""
    total = 0
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(total / 1024, 1)


def cpu_of(pids: Sequence[int]) -> float:
    """Seconds of CPU that running processes have used; 0 where the system does not tell."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return 0.0
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def median(values: Sequence[float]) -> float:
    """The middle of some measurements; one disturbed run does not move it."""
    return float(statistics.median(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the measurements lie, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]
