"""Lists of residence permits, and of people who paid elsewhere.

- A permit in force makes somebody from elsewhere eligible here, and the children who came along (随父母). One that has run
  out goes back.
- Who paid the medical contribution elsewhere for the plan's year is not collected from here: 市外 by one rule of the
  plans, 本市其他区县 by another.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.services.imports import people
from enrollment.services.imports.common import (
    NO,
    PersonReader,
    ReadPerson,
    other_year,
    plan_of,
    plan_options,
    read_day,
    read_insurance,
)
from enrollment.services.imports.facts import Said, fact_kind, staged, unlisted
from foundation.clock.services import business_date
from foundation.imports.engine.context import Context
from foundation.imports.kinds import Refused, RowReader, StagedRow, together
from townships.models import County
from townships.services.imports.places import county_of

_WITH_PARENTS: Final = ("随父母", "父母", "随迁", "子女")
_CODE: Final = re.compile(r"\d{6}")
_SAME_CITY: Final = ("本市", "市内", "同市", "同城")
_OUTSIDE: Final = ("市外", "外市", "省外", "外省", "异地")
SAME_CITY: Final = "medical_other_county_same_city"
OUTSIDE: Final = "medical_outside_pool_city"


def _permits(ctx: Context) -> RowReader:
    read_person = PersonReader(ctx)
    today = business_date(ctx.batch.county_code)

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        person = read_person(cells)
        until = read_day(cells.get("valid_until", ""), _("有效期"), "valid_until")
        holds = cells.get("residence_permit", "")
        over: Refused | None = None
        if (isinstance(until, date) and until < today) or holds in NO:
            over = Refused("permit_over", _("居住证已过期或没有居住证，请从名单去掉"), "valid_until")
        wrong = together(person, until if isinstance(until, Refused) else None, over)
        if wrong is not None:
            return wrong
        assert isinstance(person, ReadPerson)
        with_parents = any(word in cells.get("permit_kind", "") + holds for word in _WITH_PARENTS)
        return staged(person, code="parent" if with_parents else "true")

    return read


def _elsewhere(ctx: Context) -> RowReader:
    read_person, plan, county = PersonReader(ctx), plan_of(ctx), county_of(ctx)
    year = str(plan.coverage_year)
    neighbours = tuple(
        name
        for other in County.objects.filter(code__startswith=county.code[:4]).exclude(pk=county.pk)
        for name in (other.name, *other.aliases)
    )

    def where(place: str, kind: str) -> str | Refused:
        code = _CODE.search(place)
        if code is not None:
            if code[0] == county.short_code:
                return _own()
            return SAME_CITY if code[0][:4] == county.code[:4] else OUTSIDE
        text = kind or place
        if any(word in text for word in _SAME_CITY) or any(name in place for name in neighbours):
            return SAME_CITY
        if any(word in text for word in _OUTSIDE):
            return OUTSIDE
        if county.name in place:
            return _own()
        return Refused(
            "unclear_place",
            _("参保地“%(raw)s”看不出在本市还是市外，请写“本市其他区县”或“市外”，或写六位区划代码")
            % {"raw": (place or kind)[:20]},
        )

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        person = read_person(cells)
        code = where(get("enrolled_at", ""), get("enrolled_at_kind", ""))
        raw = get("insurance", "")
        unknown: Refused | None = None
        if raw and read_insurance(raw) != "medical":
            unknown = Refused("unknown_insurance", _("“%(raw)s”不是居民医保") % {"raw": raw[:20]})
        another = other_year(get("year", ""), year) if get("year", year)[:4] not in {year, ""} else None
        wrong = together(person, code, unknown, another)
        if wrong is not None:
            return wrong
        assert isinstance(person, ReadPerson)
        assert isinstance(code, str)
        return staged(person, code=code)

    return read


def _own() -> Refused:
    return Refused("own_county", _("参保地就是本县区，不是异地参保，请从名单去掉"))


PERMITS: Final = fact_kind(
    Said(
        f"SELECT s.file, s.source_row, r.id, s.code AS residence_permit FROM {people.FOUND} WHERE s.batch = %(batch)s",
        ("residence_permit",),
        unlisted("'false' AS residence_permit", "k.residence_permit <> 'false'"),
    ),
    name="residence_permits",
    label=gettext_lazy("居住证名单"),
    says=gettext_lazy("标记持居住证的外来人员和随迁子女：他们可以在这里参保"),
    required=("name", "id_number"),
    optional=("permit_kind", "residence_permit", "valid_until", "township", "village", "address"),
    reader=_permits,
)
ELSEWHERE: Final = fact_kind(
    Said(
        f"SELECT s.file, s.source_row, r.id, s.code AS other_enrolment FROM {people.FOUND} WHERE s.batch = %(batch)s",
        ("other_enrolment",),
        unlisted(
            "'' AS other_enrolment",
            f"k.other_enrolment IN ('{SAME_CITY}', '{OUTSIDE}')",
        ),
    ),
    name="paid_elsewhere",
    label=gettext_lazy("异地已参保名单"),
    says=gettext_lazy("本年度已在市外或本市其他区县参加居民医保的人：这里不再收缴"),
    required=("name", "id_number"),
    optional=("enrolled_at", "enrolled_at_kind", "insurance", "year", "paid_at", "township", "village"),
    reader=_elsewhere,
    any_of=(("enrolled_at", "enrolled_at_kind"),),
    options=plan_options,
    needs_plan=True,
)
