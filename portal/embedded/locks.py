"""File locks and process identities: what tells who is alive, whatever became of the others."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path


def open_lock(path: Path) -> int:
    """Open a lock file, made if need be; the descriptor is not inherited by programs started later."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


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
    return None if fields[0] == "Z" else fields[19]
