"""Prove the trail."""

from __future__ import annotations

from typing import Any

from foundation.audit.services import seal, verify
from foundation.commands import PortalCommand


class Command(PortalCommand):
    """``verify_audit``: recompute the chain over every sealed event, or exit 1."""

    help = "Prove that the audit trail was not altered."

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        seal()
        proof = verify()
        detail = f"{proof.sealed_events} events in {proof.seals} seals, {proof.open_events} not sealed yet"
        if proof.broken_at is not None:
            detail = f"seal {proof.broken_at} does not fit its events"
        answer = {"residual": None, "checks": {"chain": {"ok": proof.ok, "detail": detail}}}
        return detail, answer, proof.ok
