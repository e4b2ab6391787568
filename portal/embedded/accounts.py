"""Who the embedded servers run as, and where that account can reach them.

PostgreSQL refuses to run as root, and a server started by root should not hold root's rights. So as root the
servers run under an unprivileged account that exists already (no account is added), and every path is tried
as that account before it is used: a checkout below a directory that only root can enter gets a place outside
it, named in the file ``location`` of the service's directory.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

# The servers see none of the caller's environment: PGDATA, PGPORT and their like would steer them elsewhere.
SERVER_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}


class EmbeddedError(Exception):
    """An embedded service cannot be had; the message is one line for the person at the terminal."""


class RunAs(TypedDict, total=False):
    """The part of ``subprocess`` arguments that changes the account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """The account of the servers; ``uid`` is None when it is simply the current one."""

    uid: int | None = None
    gid: int | None = None

    @property
    def run_as(self) -> RunAs:
        if self.uid is None or self.gid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Make the account the owner of one file or directory."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def run(self, command: list[str], *, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a short command as the account and return what it said; never raises for its exit code."""
        return subprocess.run(
            command,
            cwd="/",
            env=SERVER_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            **self.run_as,
        )

    def can_enter(self, directory: Path) -> bool:
        """Whether the account reaches a directory: tried, since modes do not tell of ACLs and mounts."""
        try:
            return self.run(["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)]).returncode == 0
        except OSError:
            return False


def _account_of(path: Path) -> Account | None:
    """The owner of a path as an account, unless it is root or has no entry among the users."""
    try:
        entry = pwd.getpwuid(path.stat().st_uid)
    except (OSError, KeyError):
        return None
    return Account(entry.pw_uid, entry.pw_gid) if entry.pw_uid else None


def account_for(home: Path, data: Path) -> Account:
    """The account for a service: ourselves, or as root the owner of its data, of the directory, or nobody."""
    if os.geteuid() != 0:
        return Account()
    account = _account_of(data) or _account_of(home)
    if account is None:
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise EmbeddedError(
                "started as root, but there is no account 'nobody' to run the embedded servers; "
                "name servers in DATABASE_URL and REDIS_URL instead"
            ) from None
        account = Account(nobody.pw_uid, nobody.pw_gid)
    return account


def make_home(home: Path) -> None:
    """Make a service's directory: passable for the servers' account, readable for its owner alone.

    Made by root in somebody's checkout it belongs to that somebody, so that the next run need not be root's.
    """
    for directory in (home.parent, home):
        if directory.exists():
            continue
        try:
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o711)
            if os.geteuid() == 0:
                owner = directory.parent.stat()
                os.chown(directory, owner.st_uid, owner.st_gid)
        except OSError as error:
            raise EmbeddedError(f"cannot make {directory}: {error.strerror}") from error
    if not os.access(home, os.W_OK | os.X_OK):
        owner_name = str(home.stat().st_uid)
        raise EmbeddedError(
            f"{home} belongs to another user (id {owner_name}); run as that user or remove it"
        )


def place_for(home: Path, account: Account, *, throwaway: bool) -> Path:
    """Where data and copied binaries of a service live: its directory, or a place outside it for root.

    The place, once chosen, is read back from ``home/location``. A removed checkout leaves its place behind;
    nothing else can tell a removed checkout from one that was moved.
    """
    location = home / "location"
    if location.exists():
        place = Path(location.read_text(encoding="utf-8").strip())
        if place.is_dir():
            return place
        raise EmbeddedError(f"{location} names {place}, which is gone; remove {home} to start empty")
    if account.uid is None or account.can_enter(home):
        return home
    # Directories that only root can write come first: nobody else can have prepared a name in them.
    bases = ["/tmp", "/var/tmp"] if throwaway else ["/var/lib", "/var/tmp", "/tmp"]  # noqa: S108
    for base in bases:
        try:
            place = Path(tempfile.mkdtemp(prefix="jizheng-", dir=base))
        except OSError:
            continue
        place.chmod(0o711)
        if account.can_enter(place):
            location.write_text(f"{place}\n", encoding="utf-8")
            return place
        shutil.rmtree(place)
    raise EmbeddedError(f"no directory was found that the servers' account (id {account.uid}) can enter")
