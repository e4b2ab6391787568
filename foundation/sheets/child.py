"""The process that takes a workbook apart, seen from here: started for one file, asked for rows, gone with its reader.

What comes back is text in frames (see `foundation.parsing.serve`) and is not trusted either: lengths, widths and counts
are checked. The process has the file's descriptor and two pipes, an empty environment and no name of ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import python_calamine

from foundation.parsing.limits import Limits
from foundation.parsing.serve import CELL, ROW, SIGNED
from foundation.sheets.errors import REFUSALS, SheetError

_PROJECT: Final = str(Path(__file__).resolve().parents[2])
_LIBRARIES: Final = str(Path(python_calamine.__file__).resolve().parents[1])
_BOOT: Final = (
    "import sys; sys.path[:0] = sys.argv[1:3]\n"
    "from foundation.parsing.serve import serve\n"
    "from foundation.parsing.{module} import open_book\n"
    "serve(open_book, sys.argv[3:])\n"
)
_HEAD_BYTES: Final = 5
_PIPE_BYTES: Final = 1 << 20
_MOST_BYTES: Final = 256 << 20
_ROWS_AT_ONCE: Final = 1_500
_MOST_KEPT: Final = 4

_Request = tuple[int, int, int]
"""Sheet, first row from 0, how many."""
_Answer = tuple[list[str], bool]
"""Rows, and whether they are the sheet's last."""


class Signed(list[str]):
    """A row with a cell that begins with a sign of `foundation.parsing.serve`."""


class SheetInfo(NamedTuple):
    """A sheet of a workbook."""

    name: str
    visible: bool


def _cells(line: str) -> list[str]:
    return Signed(line[1:].split(CELL)) if line[:1] == SIGNED else line.split(CELL)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.poll()  # how it ended by itself is kept
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()


class _Process:
    """The process and its frames. It ends with `close`, or when nobody refers to this any more."""

    def __init__(self, path: Path, module: str, limits: Limits) -> None:
        self._seconds = limits.answer_seconds
        with path.open("rb") as file:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-I", "-S", "-B", "-c", _BOOT.format(module=module), _PROJECT, _LIBRARIES,
                    str(file.fileno()), json.dumps(asdict(limits)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pipesize=_PIPE_BYTES,
                pass_fds=(file.fileno(),),
                cwd="/",
                env={"LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )  # fmt: skip
        self.close = weakref.finalize(self, _end, self._process)
        assert self._process.stdout is not None
        self._out = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)

    def send(self, value: Any) -> None:
        """Send one request."""
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps(value).encode() + b"\n")
            pipe.flush()
        except OSError:
            raise self._died() from None

    def json(self, letter: bytes) -> Any:
        """The next frame, which is JSON."""
        _letter, body = self.frame(letter)
        try:
            return json.loads(body)
        except ValueError:
            raise self.fail("broken") from None

    def frame(self, letters: bytes) -> tuple[bytes, bytes]:
        """The next frame, of one of these letters. A refusal is raised, and so is any other letter."""
        until = time.monotonic() + self._seconds
        head = self._receive(_HEAD_BYTES, until)
        letter, length = head[:1], int.from_bytes(head[1:], "big")
        if length > _MOST_BYTES:
            raise self.fail("too_big")
        body = self._receive(length, until)
        if letter == b"E":
            code = body.decode("ascii", "replace")
            raise self.fail(code if code in REFUSALS else "broken")
        if letter not in letters:
            raise self.fail("broken")
        return letter, body

    def _receive(self, count: int, until: float) -> bytes:
        parts: list[bytes] = []
        while count > 0:
            left = until - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                raise self.fail("too_slow")
            part = os.read(self._out, min(count, _PIPE_BYTES))
            if not part:
                raise self._died()
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def fail(self, code: str) -> SheetError:
        """End the process; the error says why."""
        self.close()
        return SheetError(code)

    def _died(self) -> SheetError:
        """What it means that the process is gone: out of memory, out of time, or fallen over the file."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        ended = self._process.returncode
        if ended == -signal.SIGXCPU:
            return self.fail("too_slow")
        # Out of memory a parser aborts, and the kernel kills.
        return self.fail("too_big" if ended in (-signal.SIGABRT, -signal.SIGKILL) else "broken")


class Child:
    """One file, read by a process of its own. Raises SheetError where the file, or what it does to its reader, is no good.

    `module` names how it is read: `workbook` or `markup` of `foundation.parsing`. After `close` the next request starts
    the process again, so that many files can be open while one is read.
    """

    def __init__(self, path: Path, module: str, limits: Limits) -> None:
        self._path, self._module, self._limits = path, module, limits
        self._process: _Process | None = None
        self._asked: list[_Request] = []
        self._answers: dict[_Request, _Answer] = {}
        self.notes: list[str] = []
        self.sheets: list[SheetInfo] = []
        self._running()

    def _running(self) -> _Process:
        if self._process is None:
            self._process = _Process(self._path, self._module, self._limits)
            opened = self._process.json(b"S")
            self.notes = [str(note) for note in opened["notes"]]
            self.sheets = [SheetInfo(str(each["name"]), bool(each["visible"])) for each in opened["sheets"]]
        return self._process

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()
        self._process = None
        self._asked.clear()
        self._answers.clear()

    def height(self, sheet: int) -> int:
        """Rows of a sheet down to the last that says anything."""
        process = self._running()
        while self._asked:
            self._take()
        process.send({"height": sheet})
        return int(process.json(b"J"))

    def rows(self, sheet: int) -> Iterator[list[str]]:
        """Yield a sheet's rows from the first. The next rows are asked for while these are used."""
        first = 0
        self._ask((sheet, first, _ROWS_AT_ONCE))
        while True:
            lines, last = self._answer((sheet, first, _ROWS_AT_ONCE))
            first += _ROWS_AT_ONCE
            if not last:
                self._ask((sheet, first, _ROWS_AT_ONCE))
            for line in lines:
                yield _cells(line)
            if last:
                return

    def top(self, sheet: int, count: int) -> list[list[str]]:
        """The first rows of a sheet."""
        return [_cells(line) for line in self._answer((sheet, 0, count))[0]]

    # -- requests are answered in their order; who waits for one keeps the answers to others for them

    def _ask(self, rows: _Request) -> None:
        process = self._running()
        if rows not in self._asked and rows not in self._answers:
            process.send({"rows": rows})
            self._asked.append(rows)

    def _answer(self, rows: _Request) -> _Answer:
        while rows not in self._answers:
            self._ask(rows)  # again, where another reader of the same sheet took what was asked for before
            self._take()
        return self._answers.pop(rows)

    def _take(self) -> None:
        process = self._running()
        letter, body = process.frame(b"RZ")
        asked = self._asked.pop(0)
        lines = body.decode("utf-8", "replace").split(ROW)
        lines.pop()  # every row ends with the mark
        most = self._limits.columns
        if len(lines) > asked[2] or any(line.count(CELL) >= most for line in lines):
            raise process.fail("too_big")
        while len(self._answers) >= _MOST_KEPT:
            del self._answers[next(iter(self._answers))]
        self._answers[asked] = (lines, letter == b"Z")
