"""Encryption: what is stored tells nothing without the key, and nothing changed is ever opened."""

from __future__ import annotations

import base64
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from foundation.encryption import DecryptionError, Keyring, get_keyring, load_master

OLD, NEW = Keyring(b"o" * 32), Keyring(b"n" * 32, retired=[b"o" * 32])
NUMBER = "11010519491231002X"


@given(st.text(max_size=40))
def test_what_is_sealed_opens_to_the_same_text(text: str) -> None:
    assert NEW.decrypt(NEW.encrypt(text)) == text
    assert [NEW.decrypt(sealed) for sealed in NEW.encrypt_many([text, text])] == [text, text]


def test_the_same_number_sealed_twice_looks_different_and_shows_none_of_it() -> None:
    many = set(NEW.encrypt_many([NUMBER] * 5000))
    assert len(many) == 5000
    assert all(NUMBER[:4].encode() not in sealed for sealed in many)


@given(st.integers(0, 49), st.integers(1, 255))
def test_a_changed_byte_anywhere_is_refused(place: int, change: int) -> None:
    sealed = bytearray(NEW.encrypt(NUMBER))
    sealed[place] ^= change
    with pytest.raises(DecryptionError):
        NEW.decrypt(bytes(sealed))


def test_a_retired_key_opens_old_texts_and_a_foreign_key_opens_none() -> None:
    assert NEW.decrypt(OLD.encrypt(NUMBER)) == NUMBER
    with pytest.raises(DecryptionError):
        OLD.decrypt(NEW.encrypt(NUMBER))
    with pytest.raises(DecryptionError):
        OLD.decrypt(b"")


def test_indexes_find_the_same_and_tell_nothing_across_keys_counties_or_uses() -> None:
    assert NEW.blind_index(NUMBER) == NEW.blind_index(NUMBER)
    assert len(NEW.blind_index(NUMBER)) == 16
    assert NEW.blind_index(NUMBER) != OLD.blind_index(NUMBER)
    assert NEW.tail_index("370406", "002x") == NEW.tail_index("370406", "002X")
    assert len(NEW.tail_index("370406", "002X")) == 8
    assert NEW.tail_index("370406", "002X") != NEW.tail_index("370404", "002X")
    assert not NEW.blind_index("370406|002X").startswith(NEW.tail_index("370406", "002X"))


def test_a_keyring_does_not_print_its_keys() -> None:
    assert repr(Keyring(b"k" * 32)).startswith("<Keyring 01")
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring(b"short")


def test_the_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    first = load_master(path, create=True)
    assert load_master(path, create=True) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]
    path.chmod(0o640)
    with pytest.raises(ImproperlyConfigured, match="0600"):
        load_master(path, create=False)


def test_processes_starting_together_end_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    code = (
        "import sys, base64; from pathlib import Path; from foundation.encryption import load_master;"
        "print(base64.b64encode(load_master(Path(sys.argv[1]), create=True)).decode())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in running}) == 1


def test_no_key_is_made_where_people_make_it(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="PORTAL_MASTER_KEY"):
        load_master(tmp_path / "master.key", create=False)
    (tmp_path / "master.key").write_text("nonsense")
    (tmp_path / "master.key").chmod(0o600)
    with pytest.raises(ImproperlyConfigured, match="base64"):
        load_master(tmp_path / "master.key", create=False)


def test_the_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_MASTER_KEY", base64.b64encode(b"n" * 32).decode())
    monkeypatch.setenv("PORTAL_RETIRED_KEYS", base64.b64encode(b"o" * 32).decode())
    get_keyring.cache_clear()
    try:
        assert get_keyring().decrypt(OLD.encrypt(NUMBER)) == NUMBER
        assert get_keyring().blind_index(NUMBER) == NEW.blind_index(NUMBER)
    finally:
        get_keyring.cache_clear()
