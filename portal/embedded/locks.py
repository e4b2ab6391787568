"""File locks and process identities: what tells who is alive, whatever became of the others."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path


def open_private(path: Path, flags: int) -> int:
    """Open a file, made if need be, that the owner of its directory alone may read, also when root makes it.

    The descriptor is not inherited by programs started later.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def open_lock(path: Path) -> int:
    return open_private(path, os.O_RDWR)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take a lock if it is free; True when it was."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def process_stamp(pid: int) -> str | None:
    """When a process was started, so that its number used again is not taken for it; None if it is gone."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
        said = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return said.stdout.strip() or None
    return None if fields[0] == "Z" else f"{_boot()} {fields[19]}"


def _boot() -> str:
    """Which start of the machine this is: process ids and times begin anew with each."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
