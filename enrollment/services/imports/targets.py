"""The task table (任务数): headcounts of each township, and the total as it is printed.

Rules
- A row is a township with its headcount for each insurance of the plan. A township that is not in the file keeps its row;
  a full table takes out those it does not name.
- The printed total (合计) is kept beside the rows whatever they add up to; the difference is shown, here and with the plan.
- Targets are part of a plan: those of a published one change by an amendment.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.models import CollectionPlan, Insurance, PlanStatus, Target
from enrollment.services.imports.common import find_plan, plan_of, plan_options
from foundation.imports.engine.context import ROW, Context
from foundation.imports.kinds import (
    Counts,
    Identify,
    ImportKind,
    ImportRefused,
    Refused,
    RowIdentity,
    RowReader,
    StagedRow,
    together,
)
from foundation.imports.models import BatchState, ImportBatch
from foundation.sheets import is_total
from townships.services.imports.places import county_of
from townships.unit_names import TownshipNames

_STAGING: Final = "import_staging_target"
_COLUMNS: Final = ("row_index", "name", "township_id", "villages", "pension", "medical", "note")
_FIELDS: Final = {Insurance.PENSION: "pension_heads", Insurance.MEDICAL: "medical_heads"}
_CHANGEABLE: Final = frozenset({PlanStatus.PROVISIONAL, PlanStatus.DRAFT})
_MOST: Final = 10_000_000


def _objection(batch: ImportBatch, fields: Collection[str]) -> str:
    plan = find_plan(batch.county_code, batch.plan_code)
    if plan is None or len(plan.insurances) < 2 or set(_FIELDS.values()) & set(fields):
        return ""
    return _("方案收两个险种，任务表要分开写“养老人数”和“医疗人数”")


def _whole(raw: str, field: str) -> str | Refused:
    text = raw.replace(",", "").replace("，", "").removesuffix("人").removesuffix("个").strip()
    if not text or (text.isascii() and text.isdigit() and int(text) <= _MOST):
        return text
    return Refused("bad_headcount", _("“%(raw)s”不是人数或个数") % {"raw": raw[:20]}, field)


def _reader(ctx: Context) -> RowReader:
    plan = plan_of(ctx)
    if plan.status not in _CHANGEABLE:
        raise ImportRefused(_("方案已经发布，任务数是方案的一部分。要改任务数，请先起草方案的更正"))
    townships = TownshipNames(county_of(ctx))
    single = plan.insurances[0] if len(plan.insurances) == 1 else ""

    def read(cells: dict[str, str]) -> StagedRow | Refused:
        get = cells.get
        name = cells["township"]
        township, unknown = "", None
        if not is_total(name):
            found = townships.find(name)
            township = str(found) if found else ""
            unknown = (
                None
                if found
                else Refused("unknown_township", _("没有这个镇街：%(name)s") % {"name": name[:40]})
            )
        heads = {
            insurance: _whole(get(field, "") or (get("headcount", "") if insurance == single else ""), field)
            for insurance, field in _FIELDS.items()
        }
        villages = _whole(get("village_count", ""), "village_count")
        wrong = together(unknown, *heads.values(), villages)
        if wrong is not None:
            return wrong
        if not any(heads.values()):
            return Refused("bad_headcount", _("没有填任务数"), "headcount")
        return (
            "\\x" + _index(ctx, name).hex(), name[:60], township, str(villages), str(heads[Insurance.PENSION]),
            str(heads[Insurance.MEDICAL]), get("note", "")[:200],
        )  # fmt: skip

    return read


def _index(ctx: Context, name: str) -> bytes:
    return ctx.keyring.blind_index(f"township|{name}")


def _identify(ctx: Context) -> Identify:
    return lambda cells: (_index(ctx, cells.get("township", "")), "")


def _check(ctx: Context) -> None:
    ctx.refuse_staged(
        "duplicate",
        _("表内重复，和第%s行是同一个镇街，留一行"),
        f"""
        SELECT f.file, f.source_row, f.first_row AS said FROM (
            SELECT s.file, s.source_row, row_number() OVER one AS place, first_value({ROW}) OVER one AS first_row
            FROM {_STAGING} s WHERE s.batch = %(batch)s
            WINDOW one AS (PARTITION BY s.township_id ORDER BY s.file, s.source_row)
        ) f WHERE f.place > 1
        """,
        field="township",
    )
    totals = ctx.one(f"SELECT count(*) FROM {_STAGING} s WHERE s.batch = %(batch)s AND s.township_id IS NULL")
    ctx.beside += totals[0]


def _told(ctx: Context, plan: CollectionPlan) -> dict[tuple[int | None, str], tuple[int, int | None, str]]:
    """(township, insurance) → headcount, villages, note: what the file says of the plan's insurances."""
    rows = ctx.fetch(
        f"SELECT township_id, villages, coalesce(note, ''), pension, medical FROM {_STAGING}"
        " WHERE batch = %(batch)s ORDER BY source_row"
    )
    return {
        (township, insurance): (heads, villages, note)
        for township, villages, note, pension, medical in rows
        for insurance, heads in (("pension", pension), ("medical", medical))
        if heads is not None and insurance in plan.insurances
    }


def _kept(plan: CollectionPlan) -> dict[tuple[int | None, str], Target]:
    return {(target.township_id, target.insurance): target for target in Target.objects.filter(plan=plan)}


def _differs(target: Target, told: tuple[int, int | None, str]) -> bool:
    heads, villages, note = told
    return (
        target.headcount != heads
        or (villages is not None and target.villages != villages)
        or (bool(note) and target.note != note)
    )


def _preview(ctx: Context) -> Counts:
    plan = plan_of(ctx)
    told, kept = _told(ctx, plan), _kept(plan)
    # A row of the file is a township: it is new or changed when one of its insurances is.
    new = {key[0] for key in told if key not in kept and key[0] is not None}
    changed = {key[0] for key in told if key in kept and _differs(kept[key], told[key])} - new - {None}
    townships = {key[0] for key in told} - {None}
    closed = len({key[0] for key in kept} - {key[0] for key in told}) if ctx.batch.full_list else 0
    ctx.summary["totals"] = {
        insurance: [
            told[None, insurance][0] if (None, insurance) in told else None,
            sum(heads for (township, of), (heads, _v, _n) in told.items() if township and of == insurance),
        ]
        for insurance in plan.insurances
    }
    return Counts(len(new), len(changed), len(townships) - len(new) - len(changed), closed)


def _apply(ctx: Context) -> Counts:
    plan = plan_of(ctx)
    told, kept = _told(ctx, plan), _kept(plan)
    before: list[list[Any]] = []
    for key, (heads, villages, note) in told.items():
        target = kept.get(key) or Target(plan=plan, township_id=key[0], insurance=key[1])
        if target.pk and not _differs(target, told[key]):
            continue
        before.append([*key, *([target.headcount, target.villages, target.note] if target.pk else [None])])
        target.headcount, target.note = heads, note or target.note
        target.villages = villages if villages is not None else target.villages
        target.save()
    closed = 0
    if ctx.batch.full_list:
        for key in [key for key in kept if key not in told]:
            target = kept[key]
            before.append([*key, target.headcount, target.villages, target.note])
            target.delete()
            closed += 1
    ctx.summary["targets_before"] = before
    return Counts(len(before) - closed, 0, 0, closed)


def _blockers(ctx: Context) -> list[str]:
    batch, plan = ctx.batch, plan_of(ctx)
    if plan.status not in _CHANGEABLE:
        return [_("方案已经发布，任务数是方案的一部分")]
    later = ImportBatch.objects.filter(
        kind=batch.kind, county_code=batch.county_code, plan_code=batch.plan_code, state=BatchState.APPLIED,
        applied_at__gt=batch.applied_at,
    ).order_by("pk")  # fmt: skip
    return [_("之后的批次 %(n)s 改过同样的记录") % {"n": pk} for pk in later.values_list("pk", flat=True)[:5]]


def _undo(ctx: Context) -> None:
    plan = plan_of(ctx)
    for township, insurance, headcount, *rest in ctx.batch.summary.get("targets_before", []):
        rows = Target.objects.filter(plan=plan, township=township, insurance=insurance)
        rows.delete()
        if headcount is not None:
            villages, note = rest
            Target.objects.create(
                plan=plan, township_id=township, insurance=insurance, headcount=headcount, villages=villages,
                note=note,
            )  # fmt: skip


KIND: Final = ImportKind(
    name="targets",
    label=gettext_lazy("任务数"),
    help=gettext_lazy("各镇街的任务数和印好的合计。合计和各行相加不一致时两个都记下，差额显示出来"),
    required=("township",),
    optional=("village_count", "pension_heads", "medical_heads", "headcount", "note"),
    staging=_STAGING,
    columns=_COLUMNS,
    reader=_reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    undo=_undo,
    blockers=_blockers,
    yearly=True,
    identity=RowIdentity(index="row_index", of=_identify, who=lambda cells: (cells.get("township", ""), "")),
    roles=frozenset({"admin", "tax_bureau", "medical_bureau", "hr_bureau"}),
    options=plan_options,
    needs_plan=True,
    can_be_full=True,
    totals=True,
    # A printed total may change by itself, and is no row.
    counts_all=False,
    any_of=(("pension_heads", "medical_heads", "headcount"),),
    objection=_objection,
)
