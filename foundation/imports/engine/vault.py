"""Uploaded files at rest: sealed piece by piece through Django's storage, under names that say nothing.

A stored file is a row of pieces, each a four-byte length and a sealed block. Inside a block stand the file's random
mark, the piece's number and whether it is the last, so that pieces cannot be swapped, dropped or mixed between files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from foundation.encryption import DecryptionError, get_keyring

_PIECE: Final = 1 << 20
_MARK: Final = 8
_HEAD: Final = _MARK + 5
_WORK: Final = "import-work-"


class Stored(NamedTuple):
    """Where a file was put, and what it is."""

    name: str
    sha256: str
    size: int


class _Sealed:
    """A readable stream of sealed pieces over a readable stream of plain bytes."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._keyring = get_keyring()
        self._mark = os.urandom(_MARK)
        self._number = 0
        self._next = source.read(_PIECE)
        self._done = False
        self.digest = hashlib.sha256()
        self.size = 0

    def pieces(self) -> Iterator[bytes]:
        """Seal the stream, one piece in memory at a time."""
        while not self._done:
            piece, self._next = self._next, self._source.read(_PIECE)
            self._done = not self._next
            self.digest.update(piece)
            self.size += len(piece)
            head = self._mark + self._number.to_bytes(4, "big") + (b"\x01" if self._done else b"\x00")
            sealed = self._keyring.seal(head + piece)
            self._number += 1
            yield len(sealed).to_bytes(4, "big") + sealed


def store(source: IO[bytes], *, folder: str) -> Stored:
    """Seal a stream into Django's storage below ``folder``. Memory stays at a few pieces."""
    sealed = _Sealed(source)
    with tempfile.TemporaryFile(dir=_work_root()) as draft:  # sealed bytes only, without a name
        for piece in sealed.pieces():
            draft.write(piece)
        draft.seek(0)
        name = default_storage.save(f"{folder}/{uuid.uuid4().hex}", File(draft))
    return Stored(name, sealed.digest.hexdigest(), sealed.size)


def read(name: str) -> Iterator[bytes]:
    """Open a stored file piece by piece. Raises DecryptionError when a piece is missing, swapped or changed."""
    keyring = get_keyring()
    mark, number, last = b"", 0, False
    with default_storage.open(name, "rb") as file:
        while not last:
            length = file.read(4)
            if len(length) != 4:
                raise DecryptionError("the stored file ends early")
            plain = keyring.unseal(file.read(int.from_bytes(length, "big")))
            head, piece = plain[:_HEAD], plain[_HEAD:]
            mark = mark or head[:_MARK]
            if head[:_MARK] != mark or int.from_bytes(head[_MARK : _MARK + 4], "big") != number:
                raise DecryptionError("the stored file's pieces are out of order")
            last = head[-1] == 1
            number += 1
            yield piece


def remove(name: str) -> None:
    """Delete a stored file."""
    if name:
        default_storage.delete(name)


def _work_root() -> Path:
    root = Path(settings.DATA_DIR) / "work"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root


def _sweep(root: Path) -> None:
    """Remove the work folders of processes that are gone: a killed worker leaves nothing readable behind."""
    for left in root.glob(f"{_WORK}*"):
        with contextlib.suppress(ValueError, ProcessLookupError, PermissionError):
            pid = int(left.name.removeprefix(_WORK).partition("-")[0])
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for work in the clear that only this process's owner can enter, gone when the work is done."""
    root = _work_root()
    _sweep(root)
    made = Path(tempfile.mkdtemp(prefix=f"{_WORK}{os.getpid()}-", dir=root))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def opened(names: list[str]) -> Iterator[list[Path]]:
    """Stored files as plain files in a folder of their own."""
    with folder() as made:
        paths = []
        for position, name in enumerate(names):
            path = made / str(position)
            with path.open("wb") as plain:
                for piece in read(name):
                    plain.write(piece)
            paths.append(path)
        yield paths
