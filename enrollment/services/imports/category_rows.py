"""One row of a department's list to a staged row: who, in which group, since when, until when, by whom certified.

Two lists tell two groups in one, by a column: registered poverty by 是否标注脱贫 (未标注脱贫 is paid for where 已标注 is not),
hardship by illness by 是否批准. Where neither the column nor the name says which of the two is meant, the row goes back.
"""

from __future__ import annotations

import calendar
import re
from collections import Counter
from datetime import date
from typing import Final, NamedTuple

from django.utils.translation import gettext as _

from enrollment.models import Category
from enrollment.services.imports.common import NO, YES, PersonReader, ReadPerson, read_day
from foundation.imports.engine.context import Context
from foundation.imports.kinds import (
    Identify,
    ImportRefused,
    Refused,
    RowReader,
    StagedRow,
    by_number,
    together,
)
from foundation.pinyin import initials
from townships.models import Agency, County
from townships.services.imports.places import county_of, out_of_scope, township_named, unknown_village
from townships.unit_names import Units


class Pair(NamedTuple):
    """Two groups told apart by a column: the one where it says yes, the one where it says no."""

    field: str
    yes: str
    no: str
    # What the list is called when it does not say which.
    unclear: tuple[str, ...]
    code: str
    message: str


POVERTY: Final = Pair(
    "out_of_poverty", "registered_poor_out", "registered_poor_not_out",
    ("建档立卡", "建档立卡贫困人口", "建档立卡贫困人员", "建档立卡贫困户", "建档立卡人员"), "no_poverty_flag",
    "没有说是否标注脱贫：请加一列“是否标注脱贫”，或把类别写成建档立卡未标注脱贫、已标注脱贫",
)  # fmt: skip
ILLNESS: Final = Pair(
    "approved", "illness_hardship_approved", "illness_hardship_unapproved",
    ("因病困难", "因病致困", "因病致贫", "因病造成生活特别困难人员"), "no_approval_flag",
    "没有说是否批准：请加一列“是否批准”，或把类别写成已批准、未批准",
)  # fmt: skip
PAIRS: Final = {code: pair for pair in (POVERTY, ILLNESS) for code in (pair.yes, pair.no)}

_GRADES: Final = {
    **{f"{word}级": str(i) for i, word in enumerate("一二三四", start=1)},
    **{word: str(i) for i, word in enumerate("一二三四", start=1)},
    **{str(i): str(i) for i in range(1, 5)},
    **{f"{i}级": str(i) for i in range(1, 5)},
}
_CARD: Final = re.compile(r"\d{17}[\dXx]\d([1-4])(B\d+)?")
_MONTH: Final = re.compile(r"(\d{4})\s*[-/.年]?\s*(\d{1,2})\s*月?")
_SEVERAL: Final = re.compile(r"[、,，;；/]")
_FOR_EVER: Final = frozenset({"长期", "永久", "长期有效", "无", "-"})


class Names:
    """Category by what departments call it."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}
        for category in Category.objects.all():
            for name in (category.name, category.code, *category.aliases):
                self._codes.setdefault(name, category.code)

    def code(self, raw: str) -> str:
        """The code, or empty for a name nobody knows."""
        return self._codes.get(raw) or self._codes.get(raw.replace("(", "（").replace(")", "）"), "")


class Groups:
    """Which group a row means, by its name, its columns, and what the file was said to be."""

    def __init__(self, wanted: str) -> None:
        self.wanted, self._names = wanted, Names()
        self._labels = dict(Category.objects.values_list("code", "name"))

    def read(self, cells: dict[str, str]) -> str | Refused:
        """The code of the row's group, or why it is none of the file's."""
        raw = cells.get("category", "")
        code = self._names.code(raw) if raw else self.wanted
        pair = next((p for p in (POVERTY, ILLNESS) if raw in p.unclear), None) or PAIRS.get(code)
        if pair is not None:
            return self._of_pair(raw, code, pair, cells.get(pair.field, ""))
        if self.wanted and not _same(code, self.wanted):
            return self._other(raw)
        if not (self.wanted or code):
            parts = [part for part in _SEVERAL.split(raw) if part]
            if len(parts) > 1 and all(self._names.code(part) for part in parts):
                return Refused("unknown_category", _("“%(raw)s”是几个类别，请一行写一个") % {"raw": raw[:20]})
            if not raw:
                return Refused("unknown_category", _("没有填身份类别"))
            return Refused("unknown_category", _("身份类别“%(raw)s”不认识") % {"raw": raw[:20]})
        return self.wanted or code

    def _of_pair(self, raw: str, code: str, pair: Pair, flag: str) -> str | Refused:
        either = {pair.yes, pair.no}
        if self.wanted and self.wanted not in either:
            return self._other(raw)
        if flag:
            if flag not in YES | NO:
                return Refused("bad_flag", _("“%(raw)s”应写是或否") % {"raw": flag[:10]}, pair.field)
            return pair.yes if flag in YES else pair.no
        if raw in pair.unclear or not raw:
            # The file was said to be the list of one of the two.
            return self.wanted or Refused(pair.code, _(pair.message))
        return code if not self.wanted or code == self.wanted else self._other(raw)

    def _other(self, raw: str) -> Refused:
        return Refused(
            "other_category",
            _("身份类别是“%(raw)s”，这份名单是%(wanted)s")
            % {"raw": raw[:20], "wanted": self._labels[self.wanted]},
        )


def _same(code: str, wanted: str) -> bool:
    # 特困 and 五保 are one group by two names (reading X23): a list may print either.
    return code == wanted or {code, wanted} <= {"tekun", "wubao"}


class Certifiers:
    """The county's offices by name; an ending that only one has is enough. A list is its sender's own by default."""

    def __init__(self, county: County, sender: int | None) -> None:
        self._offices = {agency.name: str(agency.pk) for agency in Agency.objects.filter(county=county)}
        self._sender = str(sender or "")
        self.unknown: Counter[str] = Counter()

    def find(self, raw: str) -> str:
        """The office's key as text; empty for one nobody knows, which is counted."""
        if not raw:
            return self._sender
        if raw not in self._offices:
            ending = [pk for name, pk in self._offices.items() if name.endswith(raw)]
            self._offices[raw] = ending[0] if len(ending) == 1 else ""
        if not self._offices[raw]:
            self.unknown[raw] += 1
        return self._offices[raw]


def wanted_of(ctx: Context) -> str:
    """The group the file was said to be. Raises ImportRefused for a code there is not."""
    code = ctx.batch.category_code
    if code and not Category.objects.filter(code=code).exists():
        known = "、".join(Category.objects.order_by("position").values_list("code", flat=True))
        raise ImportRefused(_("没有特殊群体 %(code)s，可用：%(known)s") % {"code": code, "known": known})
    return code


def _day(raw: str, label: str, field: str, *, last: bool = False) -> date | Refused | None:
    """A day; a month alone begins on its first, and ends on its last."""
    month = _MONTH.fullmatch(raw)
    if month is not None and 1 <= int(month[2]) <= 12:
        year, number = int(month[1]), int(month[2])
        return date(year, number, calendar.monthrange(year, number)[1] if last else 1)
    return read_day("" if raw in _FOR_EVER else raw, label, field)


def _grade(raw: str, number: str) -> str | Refused:
    text = raw.replace("残疾", "").strip()
    if not text:
        card = _CARD.fullmatch(number.strip().replace(" ", ""))
        return card[1] if card else ""
    found = _GRADES.get(text)
    return found if found else Refused("bad_grade", _("残疾等级“%(raw)s”应为一级到四级") % {"raw": raw[:10]})


def reader(ctx: Context) -> RowReader:
    """The row function of the lists for one batch."""
    wanted = wanted_of(ctx)
    if ctx.batch.full_list and not wanted:
        raise ImportRefused(_("全量清单要说明是哪一个特殊群体"))
    county, groups = county_of(ctx), Groups(wanted)
    units = Units(county, ctx.places)
    certifiers = Certifiers(county, getattr(ctx.batch.uploaded_by, "agency_id", None))
    read_person, named = PersonReader(ctx, disability_card=True), township_named(ctx)

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        where: Refused | None = None
        if get("village"):
            place = units[get("township", ""), cells["village"]]
            if place is None:
                where = unknown_village(get("township", ""), cells["village"])
            elif not place.allowed:
                return out_of_scope()
        person = read_person(cells)
        code = groups.read(cells)
        since = _day(get("certified_on", ""), _("认定时间"), "certified_on")
        start = _day(get("valid_from", ""), _("起期"), "valid_from")
        until = _day(get("valid_until", ""), _("止期"), "valid_until", last=True)
        grade = _grade(get("disability_grade", ""), cells["id_number"])
        if code == "disabled" and not grade:
            grade = Refused("no_grade", _("没有填残疾等级"))
        wrong = together(person, where, code, since, start, until, grade)
        if wrong is not None:
            return wrong
        assert isinstance(person, ReadPerson)
        assert isinstance(code, str)
        assert isinstance(grade, str)
        before = certifiers.unknown.total()
        office = certifiers.find(get("certified_by", ""))
        if certifiers.unknown.total() > before:
            ctx.warnings["certifier_unknown"] += 1
        return (
            person.number_index, person.number_encrypted, person.name, initials(person.name)[:20], code, grade,
            str(since or ""), str(start or ""), str(until or ""), office, str(named(cells) or ""),
        )  # fmt: skip

    return read


def identify(ctx: Context) -> Identify:
    """Whom a row is about, and which group."""
    groups = Groups(ctx.batch.category_code)

    def which(cells: dict[str, str]) -> str:
        code = groups.read(cells)
        return code if isinstance(code, str) else ""

    return by_number(ctx, part=which)
