"""The demonstration's own processes: worker, clock of the worker, web. They end when it ends, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """On Linux the kernel ends the child when the parent is gone, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def running(
    name: str, arguments: list[str], *, logs: Path, env: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``python -m …`` beside this process, its output in ``logs``; ended on the way out."""
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=settings.BASE_DIR,
            env={**os.environ, **env},
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread of ours runs yet
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def worker(concurrency: int = 2) -> list[str]:
    """The Celery worker with its clock."""
    return ["celery", "-A", "portal", "worker", "--loglevel=WARNING", f"--concurrency={concurrency}", "--beat",
            "--schedule", str(Path(settings.DATA_DIR) / "beat-schedule")]  # fmt: skip


def web(port: int) -> list[str]:
    """The web server, on this machine alone."""
    return ["gunicorn", "portal.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4",
            "--timeout", "120", "--max-requests", "10000"]  # fmt: skip
