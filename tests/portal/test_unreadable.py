"""A request nobody can read is answered plainly, never by a fault."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import make_cast

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/rosters/?plan=%00", 400),
        ("/notices/?plan=%00", 400),
        ("/api/v1/progress?place=%00", 404),
        ("/village/370406901201/?q=%00", 400),
        ("/village/%00/", 404),
    ],
)
def test_a_nul_character_is_no_fault(path: str, status: int) -> None:
    """PostgreSQL refuses NUL in text: the request is refused before it gets there."""
    client = Client()
    client.force_login(make_cast().user("township_clerk"))
    assert client.get(path).status_code == status


def test_a_nul_character_in_a_form_is_no_fault() -> None:
    """The same for a form."""
    client = Client()
    client.force_login(make_cast().user("township_clerk"))
    answer = client.post("/admin/find/", "q=%00", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400
