"""Embedded PostgreSQL and Valkey for whoever names no servers of their own.

``DATABASE_URL`` and ``REDIS_URL`` name the servers. Where one is missing, an entry point (``manage.py``, the
tests; never settings, linters or imports) calls ``ensure_services()``: it starts the missing server below the
data directory (``PORTAL_DATA_DIR``, by default ``.data/`` of the project), or joins the one that runs there
already, and sets the variable before Django reads it. Children such as the web server and the worker inherit
the URLs. The server stops when the last process that joined has ended, however it ended (see ``keeper``).
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from portal.embedded.accounts import EmbeddedError, make_home
from portal.embedded.locks import open_lock, try_lock
from portal.embedded.postgres import postgres_answers
from portal.embedded.valkey import valkey_answers

BASE_DIR = Path(__file__).resolve().parent.parent.parent
SERVICES = (("pg", "DATABASE_URL"), ("valkey", "REDIS_URL"))
ANSWERS: dict[str, Callable[[str], bool]] = {"pg": postgres_answers, "valkey": valkey_answers}
START_SECONDS = 180.0
LEAVE_SECONDS = 10.0

# Commands that read and write files or print text, and connect to nothing.
COMMANDS_WITHOUT_SERVICES = frozenset(
    {
        *("check", "collectstatic", "compilemessages", "diffsettings", "findstatic", "help", "makemessages"),
        *("makemigrations", "optimizemigration", "spectacular", "startapp", "startproject", "version"),
    }
)


def needs_services(arguments: Sequence[str]) -> bool:
    """Whether a ``manage.py`` command line (without the program's name) talks to database or broker."""
    if not arguments or {"-h", "--help", "--version"} & set(arguments):
        return False
    if arguments[0] == "check":
        return "--database" in arguments
    return arguments[0] not in COMMANDS_WITHOUT_SERVICES


def data_directory() -> Path:
    """Where embedded data lives: the settings' DATA_DIR, read without the settings."""
    return Path(os.environ.get("PORTAL_DATA_DIR") or BASE_DIR / ".data").absolute()


class _Membership:
    """This process's share in one embedded server: held until ``leave``, at the latest until it ends."""

    def __init__(self, service: str, home: Path, *, throwaway: bool = False) -> None:
        self.service = service
        self.home = home
        self.throwaway = throwaway
        self.owner = os.getpid()
        make_home(home)
        try:
            self._users = open_lock(home / "users.lock")
            # Waits while a keeper without users is stopping its server.
            fcntl.flock(self._users, fcntl.LOCK_SH)
            # One starter at a time.
            self._start: int | None = open_lock(home / "start.lock")
            fcntl.flock(self._start, fcntl.LOCK_EX)
        except OSError as error:
            raise EmbeddedError(f"{home} cannot be used: {error.strerror}") from error
        self._output: int | None = None
        try:
            if self._keeper_is_gone():
                self._spawn()
        except OSError as error:
            raise EmbeddedError(f"the keeper of {home} cannot be started: {error.strerror}") from error

    def url(self) -> str:
        """Wait until the server answers and return its URL; raises ``EmbeddedError``."""
        deadline = time.monotonic() + START_SECONDS
        try:
            while time.monotonic() < deadline:
                if self._output is not None:
                    self._hear(self._output, deadline)
                url = self._published()
                if url is not None and ANSWERS[self.service](url):
                    return url
                if self._keeper_is_gone():
                    self._spawn()
                time.sleep(0.05)
            raise EmbeddedError(f"the embedded server of {self.home} does not answer; see its server.log")
        finally:
            self._end_start()

    def _end_start(self) -> None:
        """Let the next starter have its turn."""
        for descriptor in (self._output, self._start):
            if descriptor is not None:
                os.close(descriptor)
        self._output = self._start = None

    def leave(self) -> None:
        """Give the share up; the last one waits until the server has stopped.

        A process forked from this one shares the lock and is no member of its own: its end changes nothing.
        """
        if self.owner != os.getpid():
            return
        self._end_start()
        os.close(self._users)
        deadline = time.monotonic() + LEAVE_SECONDS
        with contextlib.suppress(OSError):
            look = os.open(self.home / "users.lock", os.O_RDWR | os.O_CLOEXEC)
            try:
                while time.monotonic() < deadline and not self._keeper_is_gone():
                    if try_lock(look):
                        fcntl.flock(look, fcntl.LOCK_UN)  # nobody left: the keeper is about to see it
                    elif try_lock(look, shared=True):
                        return  # others go on
                    time.sleep(0.02)
            finally:
                os.close(look)

    def _keeper_is_gone(self) -> bool:
        probe = open_lock(self.home / "keeper.lock")
        try:
            return try_lock(probe)
        finally:
            os.close(probe)

    def _published(self) -> str | None:
        try:
            state = json.loads((self.home / "state.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        except OSError as error:
            raise EmbeddedError(f"{error.filename} cannot be read: {error.strerror}") from error
        return str(state["url"])

    def _spawn(self) -> None:
        output, end = os.pipe()
        arguments = ["--throwaway"] if self.throwaway else []
        paths = [str(BASE_DIR), *filter(None, [os.environ.get("PYTHONPATH")])]
        with subprocess.Popen(
            [sys.executable, "-m", "portal.embedded.keeper", self.service, str(self.home), *arguments],
            cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=end,
            stderr=subprocess.DEVNULL,
        ):
            os.close(end)
        self._output = output

    def _hear(self, output: int, deadline: float) -> None:
        """Wait for the keeper's word; an error of its is ours."""
        said = b""
        while not said.endswith(b"\n"):
            ready, _write, _error = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(output, 4096) if ready else b""
            if not part:
                break
            said += part
        os.close(output)
        self._output = None
        word = said.decode(errors="replace").strip()
        if word.startswith("error: "):
            raise EmbeddedError(word.removeprefix("error: "))
        if word != "ready":
            raise EmbeddedError(f"the keeper of {self.home} ended without a word; see its keeper.log")


@contextlib.contextmanager
def _joined(services: Sequence[str], directory: Path, *, throwaway: bool = False) -> Iterator[dict[str, str]]:
    """Membership in services below a directory, started side by side; gives their URLs by service."""
    joined: list[_Membership] = []
    try:
        # Always in the order of SERVICES, so that two starters never wait for each other.
        for service in services:
            joined.append(_Membership(service, directory / service, throwaway=throwaway))  # noqa: PERF401
        yield {membership.service: membership.url() for membership in joined}
    finally:
        for membership in reversed(joined):
            membership.leave()


_for_life = contextlib.ExitStack()


def ensure_services() -> None:
    """Fill ``DATABASE_URL`` and ``REDIS_URL`` where they are missing; a service that is named is left alone.

    The servers stay until this process ends. Raises ``EmbeddedError`` with one line for the person at the
    terminal.
    """
    missing = {service: name for service, name in SERVICES if not os.environ.get(name)}
    if missing:
        urls = _for_life.enter_context(_joined(list(missing), data_directory()))
        os.environ.update({name: urls[service] for service, name in missing.items()})


atexit.register(_for_life.close)


@contextlib.contextmanager
def throwaway_services(directory: Path) -> Iterator[None]:
    """Servers for once in place of those not named: unsynced, and gone at the end, also after a kill.

    Sets ``DATABASE_URL`` and ``REDIS_URL`` where they are missing, and takes them back at the end. The role
    of the URL may create databases, so a suite can clone a template for each of its processes.
    """
    missing = {service: name for service, name in SERVICES if not os.environ.get(name)}
    with _joined(list(missing), directory, throwaway=True) as urls:
        os.environ.update({name: urls[service] for service, name in missing.items()})
        try:
            yield
        finally:
            for name in missing.values():
                os.environ.pop(name, None)
