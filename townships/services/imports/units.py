"""The list of who collects (代征单位登记表): villages, community health stations, schools, zones, with agent and account.

Rules
- A row is a unit of a township: one with the code it gives, else one of that name, else for a village the unit of that
  village. Others are new: a village must be one of the divisions, a health station, school or zone need not.
- Empty cells say nothing. The agent's phone is kept encrypted.
- Units are never removed by a list: people are registered with them. A batch that made units can be taken back until
  somebody works or is registered there.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation.imports.engine.changes import (
    changed_fields,
    differs,
    insert_returning,
    logged_update,
    made_by,
    restore,
    undo_inserted,
)
from foundation.imports.engine.context import ROW, Context
from foundation.imports.kinds import (
    Counts,
    Finding,
    Identify,
    ImportKind,
    Refused,
    RowIdentity,
    RowReader,
    StagedRow,
    together,
)
from foundation.names import normalise_division
from townships.models import CollectingUnit, County, UnitKind, User, Village
from townships.services.imports.places import county_of, out_of_scope, unknown_village
from townships.unit_names import TownshipNames

_STAGING: Final = "import_staging_unit"
_COLUMNS: Final = (
    "row_index", "name", "code", "township_id", "village_id", "kind", "agent_name", "agent_phone_encrypted",
    "agent_phone_tail", "account_name", "account", "pos_number",
)  # fmt: skip
_KEPT: Final = ("kind", "agent_name", "agent_phone_tail", "account_name", "account", "pos_number")
_KINDS: Final = (
    ("卫生", UnitKind.HEALTH_STATION), ("医院", UnitKind.HEALTH_STATION), ("学校", UnitKind.SCHOOL), ("学院", UnitKind.SCHOOL),
    ("中学", UnitKind.SCHOOL), ("小学", UnitKind.SCHOOL), ("园区", UnitKind.ZONE), ("开发区", UnitKind.ZONE),
    ("管委会", UnitKind.ZONE), ("村", UnitKind.VILLAGE), ("社区", UnitKind.VILLAGE), ("居", UnitKind.VILLAGE),
)  # fmt: skip
_LETTERS: Final = {
    UnitKind.HEALTH_STATION: "H",
    UnitKind.SCHOOL: "S",
    UnitKind.ZONE: "Z",
    UnitKind.VILLAGE: "V",
}
_LONGEST: Final = 60


def _kind_of(raw: str, name: str) -> UnitKind | Refused:
    """By what the row calls it, else by its name: 社区卫生服务站 is a health station and no village."""
    for text in (raw, name):
        found = next((kind for word, kind in _KINDS if word in text), None)
        if found is not None:
            return found
        if raw:
            break
    return Refused(
        "unknown_unit_kind",
        _("单位类型“%(raw)s”看不懂，应写村居、社区卫生服务站、学校或园区") % {"raw": (raw or name)[:20]},
    )


class _Known:
    """The county's units and villages by what they are called."""

    def __init__(self, county: County) -> None:
        self.codes: set[str] = set()
        self._units: dict[tuple[int, str], str] = {}
        self._villages: dict[tuple[int, str], Village] = {}
        self._of_village: dict[int, str] = {}
        for unit in CollectingUnit.objects.filter(township__county=county).order_by("position", "pk"):
            self.codes.add(unit.code)
            self._units.setdefault((unit.township_id, normalise_division(unit.name)), unit.code)
            if unit.kind == UnitKind.VILLAGE and unit.village_id:
                self._of_village.setdefault(unit.village_id, unit.code)
        for village in Village.objects.filter(township__county=county):
            for name in (village.name, village.short_name, *village.aliases):
                self._villages.setdefault((village.township_id, normalise_division(name)), village)

    def village(self, township: int, name: str) -> Village | None:
        """A village of a township."""
        return self._villages.get((township, normalise_division(name)))

    def code(self, township: int, name: str, kind: UnitKind, village: Village | None) -> str:
        """The code of the unit a row means; empty for a new one."""
        if found := self._units.get((township, normalise_division(name))):
            return found
        return (
            self._of_village.get(village.pk, "") if village is not None and kind == UnitKind.VILLAGE else ""
        )


def _reader(ctx: Context) -> RowReader:
    county = county_of(ctx)
    townships, known = TownshipNames(county), _Known(county)
    fresh: dict[str, int] = {}

    def new_code(township: str, kind: UnitKind, village: Village | None) -> str:
        if kind == UnitKind.VILLAGE and village is not None:
            return village.code
        stem = f"{township[:9]}{_LETTERS[kind]}"
        while True:
            fresh[stem] = fresh.get(stem, 0) + 1
            if (code := f"{stem}{fresh[stem]:03d}") not in known.codes:
                return code

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        name = cells["unit"][:_LONGEST]
        township = townships.code(cells["township"])
        where = townships.ids.get(township)
        if where is not None and where not in ctx.places.townships:
            return out_of_scope()
        nowhere = (
            Refused("unknown_township", _("没有这个镇街：%(name)s") % {"name": cells["township"][:40]})
            if where is None
            else None
        )
        nameless = None if name else Refused("no_unit_name", _("没有填单位名称"))
        kind = _kind_of(get("unit_kind", ""), name)
        village, unknown = None, None
        if where is not None and isinstance(kind, UnitKind):
            called = get("village", "") or (name if kind == UnitKind.VILLAGE else "")
            village = known.village(where, called) if called else None
            unknown = unknown_village(cells["township"], called) if called and village is None else None
        code = get("unit_code", "")[:20]
        wrong = together(nowhere, nameless, kind, unknown)
        if wrong is not None:
            return wrong
        assert where is not None
        assert isinstance(kind, UnitKind)
        code = code or known.code(where, name, kind, village) or new_code(township, kind, village)
        phone = "".join(char for char in get("phone", "") if char.isdigit())
        return (
            "\\x" + _index(ctx, township, name).hex(), name, code, str(where), str(village.pk) if village else "",
            kind.value, get("agent", "")[:60], "\\x" + ctx.keyring.encrypt(phone).hex() if phone else "", phone[-4:],
            get("account_name", "")[:80], get("account", "")[:40], get("pos_number", "")[:40],
        )  # fmt: skip

    return read


def _index(ctx: Context, township: str, name: str) -> bytes:
    return ctx.keyring.blind_index(f"unit|{township}|{normalise_division(name)}")


def _identify(ctx: Context) -> Identify:
    townships = TownshipNames(county_of(ctx))
    return lambda cells: (_index(ctx, townships.code(cells.get("township", "")), cells.get("unit", "")), "")


def _check(ctx: Context) -> None:
    for columns in ("s.code", "s.township_id, s.name"):
        ctx.refuse_staged(
            "duplicate",
            _("表内重复，和第%s行是同一个单位，留一行"),
            f"""
            SELECT f.file, f.source_row, f.first_row AS said FROM (
                SELECT s.file, s.source_row, row_number() OVER one AS place, first_value({ROW}) OVER one AS first_row
                FROM {_STAGING} s WHERE s.batch = %(batch)s
                WINDOW one AS (PARTITION BY {columns} ORDER BY s.file, s.source_row)
            ) f WHERE f.place > 1
            """,
            field="unit",
        )
    ctx.refuse_staged(
        "unit_name_taken",
        _("这个镇街已有同名的单位，编码是%s，请核对编码"),
        f"SELECT s.file, s.source_row, u.code AS said FROM {_STAGING} s"
        " JOIN townships_collectingunit u ON u.township_id = s.township_id AND u.name = s.name"
        " WHERE s.batch = %(batch)s AND u.code <> s.code",
    )
    ctx.refuse_staged(
        "other_township",
        _("单位编码在库里是别的镇街的，请核对"),
        f"SELECT s.file, s.source_row FROM {_STAGING} s JOIN townships_collectingunit u ON u.code = s.code"
        " WHERE s.batch = %(batch)s AND u.township_id <> s.township_id",
    )


_SAID: Final = f"""
    SELECT s.*, u.id FROM {_STAGING} s LEFT JOIN townships_collectingunit u ON u.code = s.code
    WHERE s.batch = %(batch)s
"""


def _preview(ctx: Context) -> Counts:
    new, changed, total = ctx.one(
        f"""
        SELECT count(*) FILTER (WHERE f.id IS NULL),
               count(*) FILTER (WHERE f.id IS NOT NULL AND ({differs("f", "u", _KEPT)})), count(*)
        FROM ({_SAID}) f LEFT JOIN townships_collectingunit u ON u.id = f.id
        """
    )
    return Counts(new, changed, total - new - changed)


def _apply(ctx: Context) -> Counts:
    changed = logged_update(
        ctx,
        table="townships_collectingunit",
        found=f"SELECT * FROM ({_SAID}) f WHERE f.id IS NOT NULL",
        columns=_KEPT,
        always=("agent_phone_encrypted",),
        place=("township_id", "id"),
    )
    new = insert_returning(
        ctx,
        "townships_collectingunit",
        f"""
        INSERT INTO townships_collectingunit (code, name, kind, township_id, village_id, position, agent_name,
            agent_phone_encrypted, agent_phone_tail, account_name, account, pos_number)
        SELECT f.code, f.name, f.kind, f.township_id, f.village_id,
               coalesce((SELECT max(position) FROM townships_collectingunit u WHERE u.township_id = f.township_id), 0)
                   + row_number() OVER (PARTITION BY f.township_id ORDER BY f.source_row),
               coalesce(f.agent_name, ''), f.agent_phone_encrypted, coalesce(f.agent_phone_tail, ''),
               coalesce(f.account_name, ''), coalesce(f.account, ''), coalesce(f.pos_number, '')
        FROM ({_SAID}) f WHERE f.id IS NULL
        """,
    )
    return Counts(new, changed, 0)


def _findings(ctx: Context, counts: Counts) -> list[Finding]:
    if not counts.changed:
        return []
    said = f"SELECT * FROM ({_SAID}) f WHERE f.id IS NOT NULL"
    return [Finding("changed", changed_fields(said, "townships_collectingunit", _KEPT, staging=_STAGING))]


def _blockers(ctx: Context) -> list[str]:
    people = User.objects.filter(made_by(ctx, "townships_collectingunit", "units__id")).distinct().count()
    return [_("本批新增的单位已有 %(n)s 个账号") % {"n": people}] if people else []


def _undo(ctx: Context) -> None:
    restore(ctx, "townships_collectingunit")
    undo_inserted(ctx, "townships_collectingunit")


def _who(cells: dict[str, str]) -> tuple[str, str]:
    return cells.get("unit", ""), ""


KIND: Final = ImportKind(
    name="collecting_units",
    label=gettext_lazy("代征单位"),
    help=gettext_lazy("村居、社区卫生服务站、学校和园区：谁代收，代办员、账户和 POS 机"),
    required=("unit", "township"),
    optional=(
        "unit_code", "unit_kind", "village", "agent", "phone", "account_name", "account", "pos_number",
    ),
    staging=_STAGING,
    columns=_COLUMNS,
    reader=_reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    findings=_findings,
    undo=_undo,
    blockers=_blockers,
    yearly=True,
    identity=RowIdentity(index="row_index", of=_identify, who=_who),
    roles=frozenset({"admin", "tax_bureau", "medical_bureau", "hr_bureau", "township_clerk"}),
    writes=("townships_collectingunit",),
)  # fmt: skip
