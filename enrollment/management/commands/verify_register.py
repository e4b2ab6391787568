"""``verify_register [--county CODE]``: open every number and prove that check digit, birth date, sex and indexes agree."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from enrollment.models import Resident
from enrollment.services.verify import CHECKS, verify_register
from foundation.audit.services import record
from foundation.commands import PortalCommand, Unusable
from foundation.scope.context import places_scope
from townships.models import County
from townships.queries import all_places, county_places


class Command(PortalCommand):
    """Exit 1 when a record disagrees with its number."""

    help = "Prove the register: check digits, birth dates, sexes and indexes against the encrypted numbers."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--county", default="", help="six or twelve digits; all counties without it")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        places = all_places()
        if code := options["county"]:
            county = County.objects.filter(code=code.ljust(12, "0")).first()
            if county is None:
                raise Unusable(f"County {code} is not loaded.")
            places = county_places(county)
        with places_scope(places):
            total = Resident.objects.count()
            proof = verify_register(timezone.localdate(), lambda done: self.progress(done, total, "numbers"))
            record(
                by=None, action="register.verify", detail={"residents": proof.residents, "broken": dict(proof.broken)}
            )  # fmt: skip
        checks = {
            name: {
                "ok": not proof.broken[name], "detail": f"{proof.broken[name]} records",
                "records": proof.records.get(name, []),
            }
            for name in CHECKS
        }  # fmt: skip
        answer = {
            "residents": proof.residents, "numbers": proof.numbers, "checks": checks, "seconds": round(proof.seconds, 1)
        }  # fmt: skip
        told = "every number agrees with its record" if proof.ok else f"do not agree: {dict(proof.broken)}"
        summary = (
            f"{proof.residents} residents, {proof.numbers} numbers opened in {proof.seconds:.1f} s: {told}"
        )
        return summary, answer, proof.ok
