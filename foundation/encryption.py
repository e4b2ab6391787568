"""Encryption at rest of ID numbers and phones, and the keyed indexes that find them again.

One master key, kept outside the database and its backups, gives three independent keys by HKDF-SHA256: one to
encrypt, one for the blind index of whole numbers, one for the index of last digits. A dump of the database
yields neither numbers nor a way to try numbers against the indexes.

A ciphertext is: format (1 byte), key id (3 bytes), nonce (12 bytes), sealed text with its 16-byte tag. The
first four bytes are authenticated with the text. The format names the cipher, so that SM4-GCM can stand
beside AES-256-GCM without touching a stored row.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import stat
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

MASTER_BYTES: Final = 32
BLIND_INDEX_BYTES: Final = 16
TAIL_INDEX_BYTES: Final = 8
_NONCE: Final = 12
_HEADER: Final = 4
_BATCH: Final = 4096


class DecryptionError(ValueError):
    """The ciphertext was written under another key, or has been changed. Carries no part of it."""


class Cipher(Protocol):
    """An authenticated cipher with a 12-byte nonce; `cryptography`'s AEAD classes fit as they are."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Seal `data`."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Open `data` or raise InvalidTag."""
        ...


AES_256_GCM: Final = 1
CIPHERS: Final[dict[int, type[AESGCM]]] = {AES_256_GCM: AESGCM}
"""Format byte to cipher class, constructed from a 32-byte key. Numbers are never reused."""


def _derive(master: bytes, purpose: str, length: int = 32) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=f"portal/{purpose}".encode()).derive(
        master
    )


class Keyring:
    """The keys of one installation.

    `master` is 32 bytes; `retired` are earlier masters, under which old ciphertexts still open. The indexes
    always use `master`: retiring a key means rewriting the index columns. Safe to share between threads.
    """

    def __init__(self, master: bytes, *, retired: Iterable[bytes] = (), cipher: int = AES_256_GCM) -> None:
        self._openers: dict[bytes, Cipher] = {}
        for key in (*retired, master):
            if len(key) != MASTER_BYTES:
                raise ValueError(f"a master key has {MASTER_BYTES} bytes")
            for number, make in CIPHERS.items():
                secret = _derive(key, f"encrypt/{number}")
                self._openers[bytes((number,)) + _derive(key, "key-id", 3)] = make(secret)
        self._header = bytes((cipher,)) + _derive(master, "key-id", 3)
        self._sealer = self._openers[self._header]
        self._index_key = _derive(master, "blind-index")
        self._tail_key = _derive(master, "tail-index")

    def __repr__(self) -> str:
        return f"<Keyring {self._header.hex()}>"

    def encrypt(self, text: str) -> bytes:
        """Seal one text under a fresh nonce; the same text never gives the same bytes."""
        nonce = os.urandom(_NONCE)
        return self._header + nonce + self._sealer.encrypt(nonce, text.encode(), self._header)

    def seal(self, data: bytes) -> bytes:
        """Seal bytes (a piece of a stored file) as `encrypt` seals text."""
        nonce = os.urandom(_NONCE)
        return self._header + nonce + self._sealer.encrypt(nonce, data, self._header)

    def unseal(self, sealed: bytes) -> bytes:
        """Open what `seal` sealed; raises DecryptionError for a foreign key or a changed byte."""
        header = sealed[:_HEADER]
        opener = self._openers.get(header)
        if opener is None:
            raise DecryptionError("sealed under an unknown key")
        try:
            return opener.decrypt(sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE :], header)
        except InvalidTag:
            raise DecryptionError("sealed bytes have been changed") from None

    def encrypt_many(self, texts: Iterable[str]) -> Iterator[bytes]:
        """Seal a stream of texts; faster than one by one because nonces are drawn in batches."""
        header, seal = self._header, self._sealer.encrypt
        source = iter(texts)
        while batch := list(islice(source, _BATCH)):
            nonces = os.urandom(_NONCE * len(batch))
            for offset, text in zip(range(0, len(nonces), _NONCE), batch, strict=True):
                nonce = nonces[offset : offset + _NONCE]
                yield header + nonce + seal(nonce, text.encode(), header)

    def decrypt(self, sealed: bytes | memoryview) -> str:
        """Open what `encrypt` sealed; raises DecryptionError for a foreign key or a changed byte."""
        data = bytes(sealed)
        header = data[:_HEADER]
        opener = self._openers.get(header)
        if opener is None:
            raise DecryptionError("sealed under an unknown key")
        try:
            return opener.decrypt(data[_HEADER : _HEADER + _NONCE], data[_HEADER + _NONCE :], header).decode()
        except (InvalidTag, ValueError):
            raise DecryptionError("sealed text has been changed") from None

    def blind_index(self, number: str) -> bytes:
        """Return 16 bytes that are equal for equal normalised numbers and tell nothing without the key."""
        return hmac.digest(self._index_key, number.encode(), "sha256")[:BLIND_INDEX_BYTES]

    def tail_index(self, county_code: str, last4: str) -> bytes:
        """Return 8 bytes for the last four characters of a number within a county.

        Keyed per county, so that one county's index cannot be joined with another's. Upper and lower case x
        agree.
        """
        message = f"{county_code}|{last4.upper()}".encode()
        return hmac.digest(self._tail_key, message, "sha256")[:TAIL_INDEX_BYTES]


def _decode(value: str, source: str) -> bytes:
    try:
        key = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != MASTER_BYTES:
        raise ImproperlyConfigured(f"{source} must hold {MASTER_BYTES} bytes in base64")
    return key


def _create(path: Path) -> None:
    """Write a new key so that two processes starting together end with the same one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(base64.b64encode(os.urandom(MASTER_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first; its key counts
    finally:
        draft.unlink()


def load_master(path: Path, *, create: bool) -> bytes:
    """Read a master key file (base64 of 32 bytes, readable by its owner alone), making it when `create`.

    Raises ImproperlyConfigured when it is missing, malformed or readable by others.
    """
    if create and not path.exists():
        _create(path)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        value = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"no master key: set PORTAL_MASTER_KEY or put one into MASTER_KEY_FILE ({type(error).__name__})"
        ) from None
    if mode & 0o077:
        raise ImproperlyConfigured(f"{path.name} must be readable by its owner alone (mode 0600)")
    return _decode(value, "MASTER_KEY_FILE")


@lru_cache(maxsize=1)
def get_keyring() -> Keyring:
    """Return the installation's keyring, read once a process when first needed.

    `PORTAL_MASTER_KEY` (base64) comes first, then the file `settings.MASTER_KEY_FILE`, which is made on
    first use unless `settings.PRODUCTION`: a production key is made and backed up by people.
    `PORTAL_RETIRED_KEYS` may name earlier keys, separated by commas.
    """
    value = os.environ.get("PORTAL_MASTER_KEY", "")
    if value:
        master = _decode(value, "PORTAL_MASTER_KEY")
    else:
        production = bool(getattr(settings, "PRODUCTION", True))
        master = load_master(Path(settings.MASTER_KEY_FILE), create=not production)
    old = os.environ.get("PORTAL_RETIRED_KEYS", "")
    return Keyring(
        master, retired=[_decode(part, "PORTAL_RETIRED_KEYS") for part in old.split(",") if part.strip()]
    )
