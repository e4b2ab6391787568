"""Prove the money."""

from __future__ import annotations

from typing import Any

from contributions.services.ledger import verify_ledger
from foundation.commands import PortalCommand
from foundation.scope.context import places_scope
from townships.queries import all_places


class Command(PortalCommand):
    """``verify_ledger``: residual 0.00 and every check, or exit 1."""

    help = "Prove that the ledger adds up."

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        with places_scope(all_places()):
            proof = verify_ledger()
        lines = [f"residual {proof.residual:.2f}"]
        lines += [
            f"{'ok' if not n else 'BROKEN'}  {name}" + (f": {n} rows" if n else "")
            for name, n in proof.broken.items()
        ]
        checks = {name: {"ok": not n, "detail": f"{n} rows"} for name, n in proof.broken.items()}
        return "\n".join(lines), {"residual": f"{proof.residual:.2f}", "checks": checks}, proof.ok
