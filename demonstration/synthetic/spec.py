"""Where the shape of a synthetic county comes from: divisions, the plan's own file, and the defaults beside
it.

The plan file wins wherever it speaks (headcounts, coverage year, window, tiers); `data/shapes.yaml` fills
in the rest, so that a county whose plan is not written yet can be made as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

from demonstration.synthetic import data
from demonstration.synthetic.model import CountySpec, TownshipSpec, VillageSpec
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
        if str(_plan_document(path.stem).get("county", ""))[:6] == county[:6]:
            return path.stem
    raise UnknownCountyError(f"{county} 没有方案，请用 --plan 指定")


def _bare(name: str) -> str:
    """A township's name as tables print it, with or without 镇: 柴胡店 and 柴胡店镇 are one."""
    name = normalise_township(name)
    for suffix in ("街道", "镇", "乡"):
        if name.endswith(suffix) and len(name) > len(suffix) + 1:
            return name.removesuffix(suffix)
    return name


def _target_rows(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping below `targets` that names a township and a medical or pension headcount."""
    if isinstance(node, Mapping):
        if "township" in node and ("medical" in node or "pension" in node):
            yield node
            return
        for value in node.values():
            yield from _target_rows(value)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            yield from _target_rows(value)


def _headcount(value: Any) -> int:
    if isinstance(value, Mapping):
        value = value.get("headcount", value.get("heads", 0))
    return int(value or 0)


def _headcounts(document: Mapping[str, Any], shape: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    rows = {
        _bare(str(row["township"])): (_headcount(row.get("medical")), _headcount(row.get("pension")))
        for row in _target_rows(document.get("targets"))
    }
    return rows or {_bare(name): (int(m), int(p)) for name, (m, p) in shape["headcounts"].items()}


def _townships(
    divisions: Mapping[str, Any], heads: Mapping[str, tuple[int, int]], pension_share: float
) -> tuple[TownshipSpec, ...]:
    specs = []
    for row in divisions["townships"]:
        medical, pension = (
            heads.get(_bare(row["name"]), (0, 0)) if heads else (10_000, int(10_000 * pension_share))
        )
        if not medical:
            continue
        villages = tuple(
            VillageSpec(v["code"], v["name"], normalise_division(v["name"])) for v in row["villages"]
        )
        specs.append(TownshipSpec(row["code"], row["name"], medical, pension, villages))
    missing = set(heads) - {_bare(t.name) for t in specs}
    if missing:
        raise UnknownCountyError(f"方案里的镇街在区划中找不到：{'、'.join(sorted(missing))}")
    return tuple(specs)


def _as_date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def load_spec(county: str, plan: str | None = None, as_of: date | None = None) -> CountySpec:
    """Put together the shape of `county` (6, 9 or 12 digits) under `plan` (default: the county's own).

    `as_of` is the last day payments are made up to, default the plan's day of demonstration.
    Raises UnknownCountyError when the divisions or the plan are not known.
    """
    divisions = load_divisions(county)
    code = str(divisions["code"])[:6]
    plan = plan or plan_for(code)
    document = _plan_document(plan)
    known = plan in data.load("shapes")["plans"]
    if not known and not document:
        raise UnknownCountyError(f"不认识的方案 {plan}")
    shape: dict[str, Any] = {**data.load("shapes")["defaults"], **data.load("shapes")["plans"].get(plan, {})}
    owner = str(document.get("county") or shape.get("county") or code)[:6]
    if owner.isdigit() and owner != code:
        raise UnknownCountyError(f"方案 {plan} 属于 {owner}，不属于 {code}")
    if not known and plan_for(code) in data.load("shapes")["plans"]:
        inherited = dict(data.load("shapes")["plans"][plan_for(code)])
        for key in ("coverage_year", "opens_on", "closes_on", "as_of"):
            inherited.pop(key, None)
        shape = {**shape, **inherited}
    year = int(shape.get("coverage_year") or document.get("coverage_year") or plan.rsplit("-", 1)[-1])
    opens_on = _as_date(shape.get("opens_on") or date(year - 1, 10, 16))
    closes_on = _as_date(shape.get("closes_on") or date(year - 1, 12, 31))
    day = as_of or _as_date(shape.get("as_of") or date(year - 1, 11, 30))
    if day < opens_on:
        raise UnknownCountyError(f"--as-of 早于集中征缴开始日 {opens_on.isoformat()}")
    heads = _headcounts(document, shape)
    townships = _townships(divisions, heads, float(shape["pension_share"]))
    insurances = tuple(shape["insurances"])
    if "pension" not in insurances:
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
