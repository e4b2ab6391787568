"""What every kind of file asks of places: the batch's county, whether the importer sees all of it, and what is not hers."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext as _

from foundation.imports.engine.context import Context
from foundation.imports.kinds import ImportRefused, Refused
from townships.models import County, Township
from townships.unit_names import TownshipNames


def county_of(ctx: Context) -> County:
    """The batch's county. Raises ImportRefused when it is not loaded."""
    county = County.objects.filter(code=ctx.batch.county_code).first()
    if county is None:
        raise ImportRefused(_("县区 %(code)s 还没有载入区划") % {"code": ctx.batch.county_code[:6]})
    return county


def whole_county(ctx: Context, county: County) -> bool:
    """Whether the importer sees every township of the county."""
    townships = set(Township.objects.filter(county=county).values_list("pk", flat=True))
    return townships <= ctx.places.townships


def out_of_scope() -> Refused:
    """The answer for every row that is not the importer's, whoever it names and whether that person exists."""
    return Refused("out_of_scope", _("不在您的管辖范围"))


def unknown_village(township: str, village: str) -> Refused:
    """The answer for a place nobody knows."""
    where = f"{township}{village}"[:40]
    return Refused("unknown_village", _("没有这个村居：%(where)s，请核对镇街和村居名称") % {"where": where})


def township_named(ctx: Context) -> Callable[[dict[str, str]], int | None]:
    """The key of the township a row names; None where it names none, or none of the county."""
    names = TownshipNames(county_of(ctx))

    def named(cells: dict[str, str]) -> int | None:
        text = cells.get("township", "")
        return names.find(text) if text else None

    return named
