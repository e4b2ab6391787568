"""A department's list of a special group (特殊群体名单).

Rules
- The list's group comes with the file (``--category``); a row that names another group goes back. Without it every row
  names its own.
- A person on the list has the membership from the certification date (else from the county's business date) to the end
  date, if one is given. One who already has it keeps its beginning; grade, end and certification follow the list.
- An incremental list adds and corrects. A full list (全量) also ends, the day before the business date, what it no longer
  names in the sender's places, and goes in only when no row goes back.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.models import Category
from enrollment.services.imports import people
from enrollment.services.imports.common import PersonReader, ReadPerson, read_day
from enrollment.services.imports.holders import held
from foundation.clock.services import business_date
from foundation.imports.engine.changes import differs, insert_returning, logged_update, restore, undo_inserted
from foundation.imports.engine.context import Context
from foundation.imports.kinds import (
    Counts,
    Identify,
    ImportKind,
    ImportRefused,
    Option,
    Refused,
    RowIdentity,
    RowReader,
    StagedRow,
    by_number,
    together,
)
from foundation.imports.models import ImportBatch
from foundation.masking import mask_name
from foundation.pinyin import initials
from townships.models import Agency
from townships.services.imports.places import county_of, out_of_scope, unknown_village
from townships.unit_names import Units

_GRADES: Final = {
    **{f"{word}级": str(i) for i, word in enumerate("一二三四", start=1)},
    **{word: str(i) for i, word in enumerate("一二三四", start=1)},
    **{str(i): str(i) for i in range(1, 5)},
    **{f"{i}级": str(i) for i in range(1, 5)},
}
_CARD: Final = re.compile(r"\d{17}[\dXx]\d([1-4])(B\d+)?")
_WORTH_COMPARING: Final = ("grade", "valid_to", "certified_on", "certified_by_id")
_SHOWN_CLOSING: Final = 50


class _Names:
    """Category by what departments call it."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}
        for category in Category.objects.all():
            for name in (category.name, category.code, *category.aliases):
                self._codes.setdefault(name, category.code)

    def code(self, raw: str) -> str:
        """The code, or empty for a name nobody knows."""
        return self._codes.get(raw) or self._codes.get(raw.replace("(", "（").replace(")", "）"), "")


def _wanted(ctx: Context) -> str:
    code = ctx.batch.category_code
    if code and not Category.objects.filter(code=code).exists():
        known = "、".join(Category.objects.order_by("position").values_list("code", flat=True))
        raise ImportRefused(_("没有特殊群体 %(code)s，可用：%(known)s") % {"code": code, "known": known})
    return code


def _objection(batch: ImportBatch, fields: Collection[str]) -> str:
    if batch.category_code or "category" in fields:
        return ""
    return _("文件里没有“身份类别”列，要另外说明是哪一个特殊群体（命令里用 --category）")


def _reader(ctx: Context) -> RowReader:
    wanted, names = _wanted(ctx), _Names()
    if ctx.batch.full_list and not wanted:
        raise ImportRefused(_("全量清单要说明是哪一个特殊群体"))
    county = county_of(ctx)
    units = Units(county, ctx.places)
    agencies = {agency.name: str(agency.pk) for agency in Agency.objects.filter(county=county)}
    read_person = PersonReader(ctx, disability_card=True)
    labels = dict(Category.objects.values_list("code", "name"))

    def read_code(raw: str) -> str | Refused:
        code = names.code(raw) if raw else wanted
        if wanted and not _agrees(code, wanted):
            return Refused(
                "other_category",
                _("身份类别是“%(raw)s”，这份名单是%(wanted)s") % {"raw": raw[:20], "wanted": labels[wanted]},
            )
        if not (wanted or code):
            return Refused("unknown_category", _("身份类别“%(raw)s”不认识") % {"raw": raw[:20]})
        return wanted or code

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
        code = read_code(get("category", ""))
        since = read_day(get("certified_on", ""), _("认定时间"), "certified_on")
        start = read_day(get("valid_from", ""), _("起期"), "valid_from")
        until = read_day(get("valid_until", ""), _("止期"), "valid_until")
        grade = _grade(get("disability_grade", ""), cells["id_number"])
        if code == "disabled" and not grade:
            grade = Refused("no_grade", _("没有填残疾等级"))
        wrong = together(person, where, code, since, start, until, grade)
        if wrong is not None:
            return wrong
        assert isinstance(person, ReadPerson)
        assert isinstance(code, str)
        assert isinstance(grade, str)
        return (
            person.number_index, person.number_encrypted, person.name, initials(person.name)[:20], code,
            grade, str(since or start or ""), str(until or ""), agencies.get(get("certified_by", ""), ""),
        )  # fmt: skip

    return read


def _identify(ctx: Context) -> Identify:
    wanted, names = ctx.batch.category_code, _Names()
    return by_number(ctx, part=lambda cells: wanted or names.code(cells.get("category", "")))


def _agrees(code: str, wanted: str) -> bool:
    # 特困 and 五保 are one group by two names (reading X23): a list may print either.
    return code == wanted or {code, wanted} <= {"tekun", "wubao"}


def _grade(raw: str, number: str) -> str | Refused:
    text = raw.replace("残疾", "").strip()
    if not text:
        card = _CARD.fullmatch(number.strip().replace(" ", ""))
        return card[1] if card else ""
    found = _GRADES.get(text)
    return found if found else Refused("bad_grade", _("残疾等级“%(raw)s”应为一级到四级") % {"raw": raw[:10]})


def _check(ctx: Context) -> None:
    people.check_people(ctx, by_code=True)
    ctx.refuse_staged(
        "deceased",
        _("已去世（%s），请从名单去掉"),
        f"SELECT s.file, s.source_row, to_char(r.death_date, 'YYYY年MM月') AS said FROM {people.FOUND}"
        " WHERE s.batch = %(batch)s AND r.death_date IS NOT NULL",
    )
    ctx.refuse_staged(
        "bad_date",
        _("止期早于认定时间"),
        "SELECT s.file, s.source_row FROM import_staging_person s WHERE s.batch = %(batch)s AND s.until < s.day",
    )


# What the list says, with the membership it touches: the one whose days overlap.
_SAID: Final = f"""
    SELECT r.id AS resident_id, r.township_id, r.unit_id, c.id AS category_id, s.grade,
           coalesce(s.day, least(%(today)s, coalesce(s.until, %(today)s))) AS valid_from, s.until AS valid_to,
           s.day AS certified_on, s.certified_by AS certified_by_id, m.id AS id
    FROM {people.FOUND}
    JOIN enrollment_category c ON c.code = s.code
    LEFT JOIN LATERAL (
        SELECT m.id FROM enrollment_membership m
        WHERE m.resident_id = r.id AND m.category_id = c.id
            AND daterange(m.valid_from, m.valid_to, '[]')
                && daterange(coalesce(s.day, least(%(today)s, coalesce(s.until, %(today)s))), s.until, '[]')
        ORDER BY m.valid_from DESC LIMIT 1
    ) m ON true
    WHERE s.batch = %(batch)s
"""


def _values(ctx: Context) -> dict[str, Any]:
    return {"county": county_of(ctx).pk, "today": business_date(ctx.batch.county_code)}


_CLOSING: Final = f"""
    SELECT m.id, k.name FROM enrollment_membership m
    JOIN enrollment_category c ON c.id = m.category_id AND c.code = %(code)s
    JOIN enrollment_resident k ON k.id = m.resident_id
    WHERE {held("m")} AND k.county_id = %(county)s
        AND m.valid_from < %(today)s AND (m.valid_to IS NULL OR m.valid_to >= %(today)s)
        AND NOT EXISTS (SELECT FROM {people.FOUND} WHERE s.batch = %(batch)s AND r.id = m.resident_id)
"""


def _preview(ctx: Context) -> Counts:
    people.find(ctx)
    moved = differs("s", "m", _WORTH_COMPARING)
    new, changed, total = ctx.one(
        f"""
        SELECT count(*) FILTER (WHERE s.id IS NULL), count(*) FILTER (WHERE s.id IS NOT NULL AND ({moved})), count(*)
        FROM ({_SAID}) s LEFT JOIN enrollment_membership m ON m.id = s.id
        """,
        **_values(ctx),
    )
    closed = 0
    if ctx.batch.full_list:
        ending = ctx.fetch(_CLOSING, code=ctx.batch.category_code, **_values(ctx))
        closed = len(ending)
        ctx.summary["closing"] = [mask_name(name) for _pk, name in ending[:_SHOWN_CLOSING]]
    return Counts(new, changed, total - new - changed, closed)


def _apply(ctx: Context) -> Counts:
    values = _values(ctx)
    changed = logged_update(
        ctx,
        table="enrollment_membership",
        # The overlap found may be one that begins later: its end moves only when it stays behind its beginning.
        found=f"SELECT x.* FROM ({_SAID}) x JOIN enrollment_membership k ON k.id = x.id"
        " WHERE x.valid_to IS NULL OR x.valid_to >= k.valid_from",
        columns=_WORTH_COMPARING,
        **values,
    )
    closed = 0
    if ctx.batch.full_list:
        closed = logged_update(
            ctx,
            table="enrollment_membership",
            found=f"SELECT e.id, %(today)s::date - 1 AS valid_to FROM ({_CLOSING}) e",
            columns=("valid_to",),
            code=ctx.batch.category_code,
            **values,
        )
    new = insert_returning(
        ctx,
        "enrollment_membership",
        f"""
        INSERT INTO enrollment_membership (township_id, unit_id, resident_id, category_id, grade, approved, valid_from,
            valid_to, certified_by_id, certified_on, batch, mark)
        SELECT s.township_id, s.unit_id, s.resident_id, s.category_id, s.grade, true, s.valid_from, s.valid_to,
               s.certified_by_id, s.certified_on, %(batch)s, 'listed'
        FROM ({_SAID}) s WHERE s.id IS NULL
        """,
        **values,
    )
    return Counts(new, changed, 0, closed)


def _undo(ctx: Context) -> None:
    restore(ctx, "enrollment_membership")
    undo_inserted(ctx, "enrollment_membership")


def _options(user: Any) -> tuple[Option, ...]:
    choices = tuple(Category.objects.order_by("position").values_list("code", "name"))
    return (Option("category", _("特殊群体"), choices),)


KIND: Final = ImportKind(
    name="category",
    label=gettext_lazy("特殊群体名单"),
    help=gettext_lazy("部门认定的低保、残疾、优抚等名单。增量名单只增加和更正，全量名单还会停掉没列出的人"),
    required=("name", "id_number"),
    optional=(
        "township", "village", "category", "certified_by", "certified_on", "valid_from", "valid_until",
        "disability_grade",
    ),
    staging=people.STAGING,
    columns=people.COLUMNS,
    reader=_reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    undo=_undo,
    identity=RowIdentity(part="code", of=_identify),
    roles=people.ROLES,
    options=_options,
    objection=_objection,
    can_be_full=True,
    writes=("enrollment_membership",),
)  # fmt: skip
