"""The decrypting audit: every number opened, whatever disagrees told by check and record, and never a number."""

from __future__ import annotations

import io
import json
from datetime import date
from typing import Any

import pytest
from django.core.management import call_command

from enrollment.models import Resident
from foundation.encryption import get_keyring
from foundation.identity import make_number
from foundation.scope.context import places_scope
from tests.factories import Cast, make_cast, make_resident

BIRTH = date(1985, 5, 5)
NUMBER = make_number("370406", BIRTH, 113)


@pytest.fixture
def cast(db: None) -> Cast:
    """A county with one sound resident."""
    cast = make_cast()
    make_resident(cast, cast.dong, number=NUMBER, sex="male", birth_date=BIRTH)
    return cast


def _run(code: int = 0, **options: Any) -> dict[str, Any]:
    out = io.StringIO()
    if code:
        with pytest.raises(SystemExit) as ended:
            call_command("verify_register", json=True, stdout=out, stderr=io.StringIO(), **options)
        assert ended.value.code == code
    else:
        call_command("verify_register", json=True, stdout=out, **options)
    text = out.getvalue()
    assert NUMBER not in text
    found: dict[str, Any] = json.loads(text.splitlines()[-1]) if text else {}
    return found


def test_a_sound_register_holds(cast: Cast) -> None:
    """Exit 0; every check named."""
    answer = _run(county="370406")
    assert (answer["residents"], answer["numbers"]) == (1, 1)
    assert all(check["ok"] for check in answer["checks"].values())


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        ({"birth_date": date(1985, 5, 6)}, "birth_date_agrees"),
        ({"sex": "female"}, "sex_agrees"),
        ({"number_index": b"0" * 16}, "index_agrees"),
        ({"tail_index": b"0" * 8}, "tail_agrees"),
        ({"phone_tail": "1234"}, "phone_tail_agrees"),
        ({"number_encrypted": b"broken"}, "number_opens"),
    ],
)
def test_each_disagreement_is_told_with_its_record(cast: Cast, wrong: dict[str, Any], check: str) -> None:
    """Exit 1; the one check that does not hold names the record."""
    with places_scope(cast.places):
        Resident.objects.update(phone_encrypted=get_keyring().encrypt("13800005678"), phone_tail="5678")
        Resident.objects.update(**wrong)
        pk = Resident.objects.get().pk
    checks = _run(code=1)["checks"]
    assert {name for name, found in checks.items() if not found["ok"]} == {check}
    assert checks[check]["records"] == [pk]


def test_a_number_whose_check_digit_fails_is_found(cast: Cast) -> None:
    """A number written past the services, agreeing with its index, is wrong all the same."""
    bad = NUMBER[:-1] + ("0" if NUMBER[-1] != "0" else "1")
    keys = get_keyring()
    with places_scope(cast.places):
        Resident.objects.update(
            number_encrypted=keys.encrypt(bad), number_index=keys.blind_index(bad),
            tail_index=keys.tail_index(cast.county.code, bad[-4:]),
        )  # fmt: skip
    checks = _run(code=1)["checks"]
    assert {name for name, found in checks.items() if not found["ok"]} == {"number_holds"}


def test_an_unknown_county_is_one_line(cast: Cast) -> None:
    """Exit 2."""
    _run(code=2, county="999999")
