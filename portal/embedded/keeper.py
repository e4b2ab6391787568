"""The keeper: a small process of its own that runs one embedded server for as long as anyone uses it.

1. Whoever uses the server holds a shared lock on ``users.lock`` for as long as it lives; the kernel drops
   the lock however that process ends, so a killed parent leaves no orphan.
2. One keeper at a time holds ``keeper.lock``. It ends what an earlier keeper may have left behind, prepares
   and starts the server, and writes URL and process id to ``state.json``.
3. It restarts a server that died (a killed postmaster refuses that for about a second: it tries for ten).
4. When it gets ``users.lock`` for itself, nobody uses the server any more: it stops the server while holding
   that lock, so that a newcomer waits and then starts afresh. It also stops when the directory is removed.

Should the keeper itself be killed, Linux stops its server with it; elsewhere the next keeper does (2).

Run as ``python -m portal.embedded.keeper SERVICE HOME [--throwaway]``; it leaves its starter at once, and
says ``ready`` or ``error: …`` on its output when it is known which.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from portal.embedded.accounts import EmbeddedError
from portal.embedded.locks import open_lock, open_private, process_stamp, try_lock
from portal.embedded.postgres import PostgresServer
from portal.embedded.server import Server, free_port, port_is_free, write_private
from portal.embedded.valkey import ValkeyServer

SERVERS: dict[str, type[Server]] = {"pg": PostgresServer, "valkey": ValkeyServer}


# How long a server that ends at once is tried again, in seconds.
RETRY_SECONDS = 10.0
# More deaths than this within a minute, and the keeper gives up.
DEATHS_A_MINUTE = 5
POLL_SECONDS = 0.1
STOP_SECONDS = 60.0
LARGEST_LOG = 10 * 1024 * 1024


class Keeper:
    """Runs one server; ``run`` returns when nobody uses it any more."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.home = server.home
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths: list[float] = []
        self.asked_to_stop = False
        self.users = open_lock(self.home / "users.lock")

    def begin(self) -> None:
        """Bring the server up and publish its URL; raises ``EmbeddedError``."""
        self._end_leftover()
        log = self.server.log
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_name("server.log.1"))
        self.server.prepare()
        self._start()
        self.server.settle()
        self._publish()

    def run(self) -> None:
        while not self.asked_to_stop and self._in_use():
            if self.process is not None and self.process.poll() is not None:
                self._revive()
            time.sleep(POLL_SECONDS)

    def end(self) -> None:
        """Stop the server and take its traces away; the data stays unless it was for once."""
        (self.home / "state.json").unlink(missing_ok=True)
        if self.process is not None:
            stop(self.process, self.server.stop_signal)
        (self.home / "server.json").unlink(missing_ok=True)
        if self.server.throwaway:
            for directory in {self.server.place, self.home}:
                shutil.rmtree(directory, ignore_errors=True)
            with contextlib.suppress(OSError):
                self.home.parent.rmdir()

    def _in_use(self) -> bool:
        try:
            here = (self.home / "users.lock").stat()
        except OSError:
            return False
        mine = os.fstat(self.users)
        return (here.st_dev, here.st_ino) == (mine.st_dev, mine.st_ino) and not try_lock(self.users)

    def _start(self) -> None:
        """Start until it answers; a server that ends at once is started again for ten seconds."""
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            if not port_is_free(self.server.port):
                self.server.port = free_port()
            self.process = self.server.start()
            stamp = process_stamp(self.process.pid)
            write_private(self.home / "server.json", json.dumps({"pid": self.process.pid, "stamp": stamp}))
            if self._wait_for_answer(self.process):
                return
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self.server.name} did not start: {self.server.last_words()}")
            time.sleep(0.3)

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> bool:
        patience = time.monotonic() + self.server.patience
        while process.poll() is None:
            if self.server.answers():
                return True
            if time.monotonic() > patience:
                raise EmbeddedError(
                    f"{self.server.name} did not answer within {self.server.patience:.0f} s: "
                    f"{self.server.last_words()}"
                )
            time.sleep(0.02)
        return False

    def _revive(self) -> None:
        now = time.monotonic()
        self.deaths = [death for death in self.deaths if now - death < 60] + [now]
        if len(self.deaths) > DEATHS_A_MINUTE:
            raise EmbeddedError(f"{self.server.name} keeps dying: {self.server.last_words()}")
        self._start()
        self._publish()

    def _publish(self) -> None:
        pid = self.process.pid if self.process else None
        write_private(
            self.home / "state.json", json.dumps({"url": self.server.url, "pid": pid, "keeper": os.getpid()})
        )

    def _end_leftover(self) -> None:
        """Stop a server whose keeper was killed; we hold ``keeper.lock``, so no other keeper minds it."""
        try:
            left = json.loads((self.home / "server.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        deadline = time.monotonic() + STOP_SECONDS
        for number in (self.server.stop_signal, signal.SIGKILL):
            while left["stamp"] is not None and process_stamp(left["pid"]) == left["stamp"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(left["pid"], number)
                if time.monotonic() > deadline:
                    break
                time.sleep(0.1)


def stop(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Stop a server by its own signal, after a minute by force."""
    for sent, seconds in ((number, STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            return
        process.send_signal(sent)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def _leave_starter(home: Path) -> None:
    """Become a process of its own, in its own session, with nothing of the starter's but the output pipe."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    log = home / "keeper.log"
    flags = os.O_WRONLY | os.O_APPEND
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        flags |= os.O_TRUNC
    error = open_private(log, flags)
    os.dup2(error, 2)
    os.close(error)


def _tell(line: str) -> None:
    """Tell the starter how it went, and let go of its pipe."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{line}\n".encode())
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


def main(arguments: list[str]) -> int:
    service, directory = arguments[:2]
    home = Path(directory)
    _leave_starter(home)
    if not try_lock(open_lock(home / "keeper.lock")):
        _tell("ready")  # another keeper was first: its state says where the server is
        return 0
    # Kept from the terminal's Ctrl-C and from hang-ups: only the users' locks decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    keeper: Keeper | None = None
    try:
        (home / "state.json").unlink(missing_ok=True)
        keeper = Keeper(SERVERS[service](home, throwaway="--throwaway" in arguments))
        running = keeper

        def ask_to_stop(_number: int, _frame: object) -> None:
            running.asked_to_stop = True

        signal.signal(signal.SIGTERM, ask_to_stop)
        keeper.begin()
        _tell("ready")
        keeper.run()
    except EmbeddedError as error:
        _tell(f"error: {error}")
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        _tell(f"error: {service}: {error}")
        raise
    finally:
        if keeper is not None:
            keeper.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
