"""What the register's kinds of files share: plan and county of a batch, units by the names people use, cells to values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext as _

from enrollment.models import CollectionPlan, Insurance, Registration, Resident
from foundation.identity import (
    ParsedNumber,
    error_message,
    normalise_number,
    read_disability_card,
    read_number,
)
from foundation.imports.engine.changes import made_by
from foundation.imports.engine.context import Context
from foundation.imports.kinds import ImportRefused, Option, Refused, together
from foundation.names import has_lost_characters, normalise_name
from foundation.sheets import parse_date

YES: Final = frozenset({"是", "有", "1", "Y", "y", "√", "✓", "对", "真", "已"})
NO: Final = frozenset({"否", "无", "0", "N", "n", "×", "没有", "不是", "未"})
_PAPER: Final = re.compile(r"[A-Z]{1,3}\d{6,15}")
NAME_LENGTH: Final = 60
_SHORTEST_STEM: Final = 2

# Whether two names under one number are one person's: the same letters, or three characters and more with one of them
# written differently. Anything further apart is taken for two people. {a} and {b} are normalised names.
SAME_PERSON = """(
    {a} = {b} OR ({ai} <> '' AND {ai} = {bi})
    OR (char_length({a}) = char_length({b}) AND char_length({a}) >= 3
        AND (SELECT count(*) FROM generate_series(1, char_length({a})) AS c(i)
             WHERE substr({a}, c.i, 1) <> substr({b}, c.i, 1)) <= 1)
)"""


def plan_of(ctx: Context) -> CollectionPlan:
    """The plan named with the batch, in the version in force. Raises ImportRefused when there is none."""
    plan = find_plan(ctx.batch.county_code, ctx.batch.plan_code)
    if plan is None:
        raise ImportRefused(
            _("没有找到方案 %(code)s，请先载入方案") % {"code": ctx.batch.plan_code or _("（未指定）")}
        )
    return plan


def find_plan(county_code: str, code: str) -> CollectionPlan | None:
    """A county's plan by code, in the version in force; without a code, the county's only plan."""
    plans = CollectionPlan.objects.in_force().filter(county__code=county_code)
    found = list(plans.filter(code=code) if code else plans[:2])
    return found[0] if len(found) == 1 else None


def plan_options(user: Any) -> tuple[Option, ...]:
    """The plans a person may import for."""
    plans = CollectionPlan.objects.in_force().filter(county_id=user.county_id).order_by("code")
    return (Option("plan", _("方案"), tuple((plan.code, plan.name) for plan in plans)),)


def read_name(raw: str) -> str | Refused:
    """A name as stored, or why it cannot be."""
    name = normalise_name(raw)
    if not name:
        return Refused("no_name", _("没有填姓名"))
    if has_lost_characters(name):
        return Refused("broken_characters", _("姓名里有读不出的字（乱码、问号或星号），请照身份证改正"))
    if len(name) > NAME_LENGTH:
        return Refused("name_too_long", _("姓名超过60个字，请核对"))
    return name


def other_year(raw: str, year: str) -> Refused:
    """The answer for a row of another year than the file is for."""
    return Refused("other_year", _("年度是%(raw)s，这里要%(year)s年度") % {"raw": raw[:10], "year": year})


def bad_number(parsed: ParsedNumber) -> Refused:
    """Why an ID number cannot be stored."""
    return Refused(parsed.error, error_message(parsed.error))


@dataclass(slots=True)
class ReadPerson:
    """A person of a list: the columns of ``import_staging_person`` that every list shares."""

    number_index: str
    number_encrypted: str
    name: str


class PersonReader:
    """Name and number of a list's row, checked, indexed and encrypted."""

    def __init__(self, ctx: Context, *, disability_card: bool = False) -> None:
        self._keyring = ctx.keyring
        self._today = ctx.today
        self._read = read_disability_card if disability_card else read_number

    def __call__(self, cells: dict[str, str]) -> ReadPerson | Refused:
        name = read_name(cells["name"])
        parsed = self._read(cells["id_number"], self._today)
        number = parsed.number
        if parsed.error:
            # Newborns and permit holders stand in lists under the number of their paper.
            number = normalise_number(cells["id_number"])
            if not _PAPER.fullmatch(number):
                wrong = bad_number(parsed)
                return together(name, wrong) or wrong
        if not isinstance(name, str):
            return name
        keyring = self._keyring
        return ReadPerson(
            "\\x" + keyring.blind_index(number).hex(), "\\x" + keyring.encrypt(number).hex(), name
        )


def read_day(raw: str, label: str, field: str) -> date | Refused | None:
    """A day in any of the forms bureaus write; None when the cell is empty. ``field`` is the cell it stands in."""
    if not raw:
        return None
    day = parse_date(raw)
    if day is None or not 1900 <= day.year <= 2200:
        return Refused("bad_date", _("%(label)s不是日期：%(raw)s") % {"label": label, "raw": raw[:20]}, field)
    return day


def read_insurance(raw: str) -> str:
    """Which of the two insurances a sender names; empty for neither, or both."""
    medical, pension = "医" in raw, "养老" in raw
    return "" if medical == pension else str(Insurance.MEDICAL if medical else Insurance.PENSION)


def people_in_units(ctx: Context) -> list[str]:
    """Why a list of units stays: people live or are registered with units it made."""
    units = made_by(ctx, "townships_collectingunit", "unit_id")
    people = Resident.objects.filter(units).count() + Registration.objects.filter(units).count()
    return [_("本批新增的单位已有 %(n)s 条居民或参保登记") % {"n": people}] if people else []
