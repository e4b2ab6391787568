"""The process that takes a workbook apart: what it may hold and cost, and what its end means to the sender."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import xlsxwriter

from foundation.sheets import Limits, SheetError, open_table
from foundation.sheets.child import Child
from tests.corpus.packages import MAIN, package, repeated

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A list of 6,000 people, with a column that does not pack: the file is larger than what is read of it at once."""
    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["姓名", "身份证号", "序列"])
        for row in range(1, 6_001):
            page.write_row(row, 0, [f"居民{row}", f"{row:018d}", sha256(f"{row}".encode()).hexdigest()])
    return path


def pid_of(child: Child) -> int:
    assert child._process is not None
    return child._process._process.pid


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_it_holds_its_file_and_nothing_of_ours(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key in its environment, no descriptor but the file's and its pipes, no name of the file, no way to write."""
    monkeypatch.setenv("PORTAL_MASTER_KEY", "secret")
    with (PROJECT / "README.md").open() as ours:
        os.set_inheritable(ours.fileno(), True)
        child = Child(long, "workbook", Limits())
        home = Path(f"/proc/{pid_of(child)}")
        assert home.joinpath("environ").read_bytes() == b"LC_ALL=C.UTF-8\0"
        held = {str(link.readlink()) for link in home.joinpath("fd").iterdir()}
        assert {each.partition(":")[0] for each in held} == {"pipe", "/dev/null", str(long)}
    assert home.joinpath("cwd").readlink() == Path("/")
    assert b"list.xlsx" not in home.joinpath("cmdline").read_bytes()
    limits = home.joinpath("limits").read_text()
    for name, value in {
        "Max file size": 0,
        "Max core file size": 0,
        "Max address space": Limits().memory_bytes,
        "Max cpu time": Limits().cpu_seconds,
    }.items():
        assert re.search(rf"{name}\s+{value}\s+{value}\s", limits), limits
    child.close()


def test_it_imports_neither_django_nor_the_portal() -> None:
    """It starts quickly, and nothing of ours runs where a file is taken apart."""
    code = (
        f"import sys; sys.path[:0] = {[str(PROJECT), str(Path(xlsxwriter.__file__).parents[1])]!r}\n"
        "import foundation.parsing.workbook, foundation.parsing.markup\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stdout)\n"
        "print(*[name for name in sys.modules if name.startswith('foundation.')])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    tops, ours = done.stdout.splitlines()
    assert not {"django", "psycopg2", "redis", "cryptography", "portal"} & set(tops.split())
    assert all(name.startswith("foundation.parsing") for name in ours.split())


def test_it_ends_with_whoever_reads(long: Path) -> None:
    """Closed or forgotten, no process stays."""
    table = open_table(long)
    first = pid_of(table.source.child)  # type: ignore[attr-defined]
    rows = table.rows()
    next(rows)
    table.source.close()
    child = Child(long, "workbook", Limits())
    second = pid_of(child)
    del child
    gc.collect()
    for pid in (first, second):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    # Asked again it starts again, where it was.
    assert next(table.rows())[1] == {"name": "居民1", "id_number": f"{1:018d}"}
    table.source.close()


def test_two_readers_of_one_sheet_do_not_disturb_each_other(long: Path) -> None:
    """Rows come in order to each, however they take turns."""
    child = Child(long, "workbook", Limits())
    one, other = child.rows(0), child.rows(0)
    for step in range(6_001):
        mine = next(one)
        if step % 3 == 0:
            theirs = next(other)
            assert theirs[0] == ("姓名" if step == 0 else f"居民{step // 3}")
        assert mine[0] == ("姓名" if step == 0 else f"居民{step}")
    assert child.height(0) == 6_001
    child.close()


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGKILL, "too_big"), (signal.SIGSEGV, "broken"), (signal.SIGXCPU, "too_slow")]
)
def test_its_end_is_one_sentence(long: Path, how: signal.Signals, code: str) -> None:
    """Killed for its memory, fallen over the file, out of time: the sender is told what to do."""
    child = Child(long, "workbook", Limits())
    rows = child.rows(0)
    next(rows)
    os.kill(pid_of(child), how)
    with pytest.raises(SheetError) as told:
        list(rows)
    assert told.value.code == code
    assert "再传" in told.value.message


def test_silence_is_not_waited_for(long: Path) -> None:
    """A process that answers nothing is ended after the time an answer may take."""
    child = Child(long, "workbook", Limits(answer_seconds=1))
    rows = child.rows(0)
    next(rows)
    pid = pid_of(child)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(SheetError) as told:
        list(rows)
    assert told.value.code == "too_slow"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_memory_has_an_end(tmp_path: Path) -> None:
    """What does not fit in the memory allowed is refused, and nobody else pays for it."""
    rows = "".join(f"<row>{''.join(f'<c><v>{n * x}</v></c>' for x in range(10))}</row>" for n in range(100))
    head = f'<worksheet xmlns="{MAIN}"><sheetData>'.encode()
    path = tmp_path / "list.xlsx"
    path.write_bytes(
        package({"名单": repeated(rows.encode(), 1_000, head=head, tail=b"</sheetData></worksheet>")})
    )
    with pytest.raises(SheetError) as told:
        open_table(path, limits=Limits(memory_bytes=64 << 20))
    assert told.value.code == "too_big"
