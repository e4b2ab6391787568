"""Load a county's official divisions, and a collecting unit for every village."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from foundation.audit.services import record
from foundation.names import normalise_division
from townships.models import CollectingUnit, County, Township, UnitKind, Village


class UnknownCounty(Exception):
    """No divisions are stored for the code; the message names the codes that are."""


@dataclass(frozen=True)
class LoadedCounty:
    """What a load left in the tables."""

    county: County
    townships: int
    villages: int
    units: int


def full_code(code: str) -> str:
    """A 6-, 9- or 12-digit division code as stored, with 12 digits. Raises ValueError for anything else."""
    code = code.strip()
    if not code.isdigit() or len(code) not in (6, 9, 12):
        raise ValueError(f"{code!r} is not a division code of 6, 9 or 12 digits")
    return code.ljust(12, "0")


def _read(code: str) -> dict[str, Any]:
    folder = Path(settings.BASE_DIR) / "fixtures" / "divisions"
    path = folder / f"{code[:6]}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json")))
        raise UnknownCounty(f"no divisions stored for {code[:6]}; known: {known}")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


@transaction.atomic
def load_county(*, by: Any, code: str) -> LoadedCounty:
    """Create or update a county's townships, villages and village units. Running again changes nothing.

    Raises UnknownCounty, or ValueError for a code that is none.
    """
    code = full_code(code)
    data = _read(code)
    county, _created = County.objects.update_or_create(
        code=code,
        defaults={
            "name": data["name"],
            "short_name": data["name"].removesuffix("区").removesuffix("市"),
            "kind": County.CITY if data["name"].endswith("市") else County.DISTRICT,
        },
    )
    villages = 0
    for position, town in enumerate(data["townships"], start=1):
        township, _created = Township.objects.update_or_create(
            code=full_code(town["code"]),
            defaults={
                "county": county,
                "name": town["name"],
                "short_name": town["name"].removesuffix("街道").removesuffix("镇").removesuffix("乡"),
                "position": position,
            },
        )
        villages += _load_villages(township, town["villages"])
    units = CollectingUnit.objects.filter(township__county=county).count()
    loaded = LoadedCounty(county, len(data["townships"]), villages, units)
    record(
        by=by, action="county.load", target_kind="county", target=county.code, county_code=county.code,
        detail={"townships": loaded.townships, "villages": villages, "units": units},
    )  # fmt: skip
    return loaded


def _load_villages(township: Township, rows: list[dict[str, str]]) -> int:
    for position, row in enumerate(rows, start=1):
        short = normalise_division(row["name"])
        village, _created = Village.objects.update_or_create(
            code=full_code(row["code"]),
            defaults={"township": township, "name": row["name"], "short_name": short, "position": position},
        )
        CollectingUnit.objects.get_or_create(
            code=village.code,
            defaults={
                "name": short, "township": township, "village": village,
                "kind": UnitKind.VILLAGE, "position": position,
            },
        )  # fmt: skip
    return len(rows)
