"""Where the shape of a synthetic county comes from: divisions, the plan's own file, and the defaults beside
it.

The plan file wins wherever it speaks (headcounts, coverage year, window, tiers); `data/shapes.yaml` fills
in the rest, so that a county whose plan is not written yet can be made as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

from demonstration.synthetic import data
from demonstration.synthetic.model import MEDICAL, PENSION, CountySpec, TownshipSpec, VillageSpec
from foundation.names import normalise_division, normalise_township


class UnknownCountyError(ValueError):
    """No divisions, no plan or no headcounts for what was asked; the message says which."""


def _fixture(*parts: str) -> Path:
    return Path(settings.BASE_DIR, "fixtures", *parts)


def load_divisions(code: str) -> dict[str, Any]:
    """Read `fixtures/divisions/<six digits>.json`; `code` may have 6, 9 or 12 digits."""
    path = _fixture("divisions", f"{code[:6]}.json")
    if not code.isdigit() or not path.is_file():
        raise UnknownCountyError(f"没有 {code} 的区划数据（fixtures/divisions/）")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _plan_document(plan: str) -> dict[str, Any]:
    path = _fixture("plans", f"{plan}.yaml")
    if not path.is_file():
        return {}
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UnknownCountyError(f"方案文件 {path.name} 读不了：{error}") from error
    return loaded if isinstance(loaded, dict) else {}


def plan_for(county: str) -> str:
    """Return the default plan of a county: the first shape that names it, else the first plan file that
    does."""
    for plan, shape in data.load("shapes")["plans"].items():
        if shape["county"] == county[:6]:
            return str(plan)
    for path in sorted(_fixture("plans").glob("*.yaml")):
        if str(_head(_plan_document(path.stem)).get("county", ""))[:6] == county[:6]:
            return path.stem
    raise UnknownCountyError(f"{county} 没有方案，请用 --plan 指定")


def _head(document: Mapping[str, Any]) -> Mapping[str, Any]:
    head = document.get("plan")
    return head if isinstance(head, Mapping) else {}


def _bare(name: str) -> str:
    """A township's name as tables print it, with or without 镇: 柴胡店 and 柴胡店镇 are one."""
    name = normalise_township(name)
    for suffix in ("街道", "镇", "乡"):
        if name.endswith(suffix) and len(name) > len(suffix) + 1:
            return name.removesuffix(suffix)
    return name


def _headcounts(document: Mapping[str, Any], shape: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """(medical, pension) heads per township by code or bare name: the plan's table, else the shape's."""
    rows = (document.get("targets") or {}).get("rows") or ()
    table = {
        _key(str(row["township"])): (int(row.get("medical") or 0), int(row.get("pension") or 0))
        for row in rows
    }
    return table or {_key(name): (int(m), int(p)) for name, (m, p) in shape["headcounts"].items()}


def _key(township: str) -> str:
    return township[:9] if township.isdigit() else _bare(township)


def _townships(
    divisions: Mapping[str, Any], heads: Mapping[str, tuple[int, int]], pension_share: float
) -> tuple[TownshipSpec, ...]:
    specs = []
    found = set()
    for row in divisions["townships"]:
        keys = {row["code"], _bare(row["name"])} & heads.keys()
        found |= keys
        medical, pension = heads[keys.pop()] if keys else (0, 0)
        if not heads:
            medical, pension = 10_000, int(10_000 * pension_share)
        if medical:
            villages = tuple(
                VillageSpec(village["code"], village["name"], normalise_division(village["name"]))
                for village in row["villages"]
            )
            specs.append(TownshipSpec(row["code"], row["name"], medical, pension, villages))
    if missing := heads.keys() - found:
        raise UnknownCountyError(f"方案里的镇街在区划中找不到：{'、'.join(sorted(missing))}")
    return tuple(specs)


def _as_date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _shape_of(plan: str, code: str) -> dict[str, Any]:
    """The plan's own shape; for a plan without one that of the county's other plan, less its dates."""
    plans: dict[str, dict[str, Any]] = data.load("shapes")["plans"]
    if plan in plans:
        return plans[plan]
    other = next((shape for shape in plans.values() if shape["county"] == code), {})
    dated = {"coverage_year", "opens_on", "closes_on", "as_of", "this_year_personal", "last_year_personal"}
    return {key: value for key, value in other.items() if key not in dated}


def load_spec(county: str, plan: str | None = None, as_of: date | None = None) -> CountySpec:
    """Put together the shape of `county` (6, 9 or 12 digits) under `plan` (default: the county's own).

    `as_of` is the last day payments are made up to, default the plan's day of demonstration.
    Raises UnknownCountyError when the divisions or the plan are not known.
    """
    divisions = load_divisions(county)
    code = str(divisions["code"])[:6]
    plan = plan or plan_for(code)
    document = _plan_document(plan)
    head = _head(document)
    shapes = data.load("shapes")
    if plan not in shapes["plans"] and not head:
        raise UnknownCountyError(f"不认识的方案 {plan}")
    shape = {**shapes["defaults"], **_shape_of(plan, code)}
    owner = str(head.get("county") or shape.get("county") or code)[:6]
    if owner != code:
        raise UnknownCountyError(f"方案 {plan} 属于 {owner}，不属于 {code}")
    year = int(head.get("coverage_year") or shape.get("coverage_year") or plan[-4:])
    opens_on = _as_date(shape.get("opens_on") or date(year - 1, 10, 16))
    closes_on = _as_date(shape.get("closes_on") or date(year - 1, 12, 31))
    day = as_of or _as_date(shape.get("as_of") or date(year - 1, 11, 30))
    if day < opens_on:
        raise UnknownCountyError(f"--as-of 早于集中征缴开始日 {opens_on.isoformat()}")
    heads = _headcounts(document, shape)
    townships = _townships(divisions, heads, float(shape["pension_share"]))
    named = head.get("insurances") or shape["insurances"]
    insurances = tuple(insurance for insurance in (MEDICAL, PENSION) if insurance in named)
    if PENSION not in insurances:
        townships = tuple(replace(township, pension=0) for township in townships)
    return CountySpec(
        code=code,
        name=str(divisions["name"]),
        city=str(shape["city"]),
        plan=plan,
        coverage_year=year,
        insurances=insurances,
        opens_on=opens_on,
        closes_on=closes_on,
        as_of=day,
        townships=townships,
        tiers=tuple(int(tier) for tier in shape["tiers"]),
        tier_100_categories=frozenset(shape["tier_100_categories"]),
        categories=tuple(shape["categories"]),
        older_prefixes=tuple(shape["older_prefixes"]),
        neighbour_prefixes=tuple(shape["neighbour_prefixes"]),
        outside_prefixes=tuple(shape["outside_prefixes"]),
        village_channels=tuple(shape["village_channels"].items()),
        online_channels=tuple(shape["online_channels"].items()),
        tax_office=str(shape["tax_office"]),
        last_year_ratio=(
            Decimal(shape.get("last_year_personal", 1)),
            Decimal(shape.get("this_year_personal", 1)),
        ),
    )


def share_out(total: int, weights: Sequence[float]) -> list[int]:
    """Split `total` in proportion to `weights` by largest remainder: parts are whole, never negative, and
    add up."""
    whole = sum(weights)
    if not weights or whole <= 0:
        raise ValueError("weights must be positive")
    exact = [total * weight / whole for weight in weights]
    parts = [int(value) for value in exact]
    by_remainder = sorted(range(len(weights)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


def scaled_targets(spec: CountySpec, residents: int) -> list[tuple[TownshipSpec, int, int]]:
    """The plan's task table scaled to a county of `residents`: (township, pension heads, medical heads).

    Medical heads add up to `residents`; pension heads keep the plan's ratio to the medical ones.
    """
    medical = share_out(residents, [township.medical for township in spec.townships])
    total_medical = sum(township.medical for township in spec.townships)
    total_pension = sum(township.pension for township in spec.townships)
    if not total_pension:
        return [(t, 0, m) for t, m in zip(spec.townships, medical, strict=True)]
    pension = share_out(
        round(residents * total_pension / total_medical), [township.pension for township in spec.townships]
    )
    return list(zip(spec.townships, pension, medical, strict=True))
