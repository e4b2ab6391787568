"""Load a county's divisions and collecting units from ``fixtures/divisions/``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from foundation.commands import PortalCommand, Unusable
from townships.services.divisions import UnknownCounty, load_county


class Command(PortalCommand):
    """``load_county CODE`` (6, 9 or 12 digits)."""

    help = "Load a county's divisions and collecting units."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        try:
            loaded = load_county(by=None, code=options["code"])
        except (UnknownCounty, ValueError) as error:
            raise Unusable(str(error)) from None
        return (
            f"{loaded.county.name}: {loaded.townships} townships, {loaded.villages} villages, {loaded.units} units",
            {"townships": loaded.townships, "villages": loaded.villages, "units": loaded.units},
            True,
        )
