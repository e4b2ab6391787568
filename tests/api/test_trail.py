"""The auditor follows money from hand to record, reads all of it and changes none."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from contributions.models import Payment
from tests.api.conftest import Season, body_for, token_of


@pytest.mark.covers("E102")
def test_the_auditor_reads_who_took_and_who_took_back(season: Season) -> None:
    """Recorded, sent again with another amount, printed, reversed: each stands in the auditor's list with who and when."""
    agent = token_of(season.cast.user("village_agent"))
    body = body_for(season.charge(season.cast.dong))
    pk = agent.post("payments", body).json()["payment"]
    agent.post("payments", {**body, "received": "1.00"})
    agent.get(f"payments/{pk}/slip")
    agent.post(f"payments/{pk}/reverse", {"client_uuid": str(uuid.uuid4()), "reason": "收错了人"})
    auditor = season.cast.user("auditor")
    desk = Client()
    desk.force_login(auditor, backend="django.contrib.auth.backends.ModelBackend")
    page = desk.get("/admin/audit/auditevent/").content.decode()
    for act in ("payment.record", "payment.uuid_reused", "payment.print", "payment.reverse"):
        assert act in page
    assert "村代办员" in page
    reader = token_of(auditor)
    assert reader.get(f"payments/{pk}").json()["state"] == "reversed"
    undo = reader.post(f"payments/{pk}/reverse", {"client_uuid": str(uuid.uuid4()), "reason": "x"})
    assert undo.status_code == 403
    assert desk.get("/admin/audit/auditevent/add/").status_code == 403
    assert Payment.objects.count() == 2
