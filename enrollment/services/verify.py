"""Prove the register by opening every number: what stands beside it in plain columns and indexes agrees with it.

The database cannot hold this agreement, since it does not know the numbers (DESIGN: proved by a decrypting audit command).
Numbers are looked at one at a time and none leaves this function: what is wrong is told by check and by record.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.db import connection

from enrollment.models import IdKind
from foundation.encryption import DecryptionError, Keyring, get_keyring
from foundation.identity import read_number

# Records named for each thing that is wrong; enough to begin with.
NAMED: Final = 20
_STEP: Final = 20_000

CHECKS: Final = (
    "number_opens", "number_holds", "index_agrees", "tail_agrees", "birth_date_agrees", "sex_agrees", "phone_opens",
    "phone_tail_agrees", "former_number_agrees", "one_living_record_per_number", "kept_kinds_have_numbers",
)  # fmt: skip

_RESIDENTS: Final = """
SELECT r.id, c.code, r.id_kind, r.number_encrypted, r.number_index, r.tail_index, r.birth_date, r.sex,
       r.phone_encrypted, r.phone_tail
FROM enrollment_resident r JOIN townships_county c ON c.id = r.county_id
"""
_TWICE: Final = """
SELECT min(id) FROM enrollment_resident WHERE merged_into_id IS NULL AND number_index IS NOT NULL
GROUP BY county_id, number_index HAVING count(*) > 1
"""


@dataclass
class RegisterProof:
    """How many were looked at, and by check how many do not hold, with the keys of the first of them."""

    residents: int = 0
    numbers: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    records: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.broken

    def note(self, check: str, record: int) -> None:
        """Something that does not hold."""
        self.broken[check] += 1
        named = self.records.setdefault(check, [])
        if len(named) < NAMED:
            named.append(record)


def verify_register(today: date, progress: Callable[[int], None] = lambda done: None) -> RegisterProof:
    """Open every number and phone of the running scope. One pass, constant memory."""
    started, proof, keys = time.perf_counter(), RegisterProof(), get_keyring()
    for row in _rows(_RESIDENTS):
        proof.residents += 1
        _look(proof, keys, row, today)
        if proof.residents % _STEP == 0:
            progress(proof.residents)
    for pk, sealed, index in _rows(
        "SELECT resident_id, number_encrypted, number_index FROM enrollment_formernumber"
    ):
        try:
            agrees = keys.blind_index(keys.decrypt(sealed)) == bytes(index)
        except DecryptionError:
            agrees = False
        if not agrees:
            proof.note("former_number_agrees", pk)
    for (pk,) in _rows(_TWICE):
        proof.note("one_living_record_per_number", pk)
    progress(proof.residents)
    proof.seconds = time.perf_counter() - started
    return proof


def _rows(query: str) -> Iterator[tuple[Any, ...]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(query)
        yield from cursor


def _look(proof: RegisterProof, keys: Keyring, row: tuple[Any, ...], today: date) -> None:
    pk, county, kind, sealed, index, tail, birth, sex, phone, phone_tail = row
    if sealed is not None:
        proof.numbers += 1
        try:
            number = keys.decrypt(sealed)
        except DecryptionError:
            proof.note("number_opens", pk)
        else:
            _look_at_number(
                proof, keys, pk, county, kind, number, bytes(index or b""), tail, birth, sex, today
            )
    elif kind != IdKind.BIRTH_CERTIFICATE:
        proof.note("kept_kinds_have_numbers", pk)
    if phone is not None:
        try:
            digits = keys.decrypt(phone)
        except DecryptionError:
            proof.note("phone_opens", pk)
        else:
            if digits[-4:] != phone_tail:
                proof.note("phone_tail_agrees", pk)


def _look_at_number(
    proof: RegisterProof,
    keys: Keyring,
    pk: int,
    county: str,
    kind: str,
    number: str,
    index: bytes,
    tail: Any,
    birth: date | None,
    sex: str,
    today: date,
) -> None:
    if keys.blind_index(number) != index:
        proof.note("index_agrees", pk)
    if tail is None or bytes(tail) != keys.tail_index(county, number[-4:]):
        proof.note("tail_agrees", pk)
    if kind != IdKind.RESIDENT_ID:
        return
    parsed = read_number(number, today)
    if not parsed.ok or parsed.number != number:
        proof.note("number_holds", pk)
        return
    if birth != parsed.birth_date:
        proof.note("birth_date_agrees", pk)
    if sex != parsed.sex:
        proof.note("sex_agrees", pk)
