"""The register's part of a resident's timeline: what happened, in a sentence, from the history and from lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.models import EventKind, Insurance, LeaveReason, Resident, ResidentEvent
from enrollment.models.register import IdKind, Sex
from enrollment.services.life.doubles import merged_into
from foundation.clock.services import offset
from foundation.imports.kinds import ImportRefused, import_kind
from foundation.imports.models import ImportChange
from townships.models import User


class Told(NamedTuple):
    """A line of the register: when it was recorded, what happened on which day, by whom, on what evidence."""

    at: datetime
    text: str
    css: str


# Facts whose before and after are said in words; the phone by its last two digits alone.
_FACTS: Final = {
    "name": gettext_lazy("姓名"), "phone": gettext_lazy("电话尾号"), "address": gettext_lazy("住址"),
    "nickname": gettext_lazy("绰号"), "birth_date": gettext_lazy("出生日期"), "sex": gettext_lazy("性别"),
    "id_kind": gettext_lazy("证件"), "place": gettext_lazy("住处"), "household": gettext_lazy("户编号"),
    "head": gettext_lazy("户主"), "tier": gettext_lazy("档次"), "reason": gettext_lazy("原因"),
    "village": gettext_lazy("村居"), "unit": gettext_lazy("代收单位"), "why": gettext_lazy("原因"),
    "registration_area": gettext_lazy("户籍"),
}  # fmt: skip
_QUIET: Final = frozenset({"unit", "registration_area", "death_date", "code"})
_GRAVE: Final = frozenset({EventKind.DIED, EventKind.LEFT, EventKind.CLOSED})
# Columns of a resident that lists change, and what they are called.
_COLUMNS: Final = {
    "unit_id": gettext_lazy("村居"), "household_id": gettext_lazy("户"), "relation": gettext_lazy("与户主关系"),
    "nickname": gettext_lazy("绰号"), "registration_area": gettext_lazy("户籍"), "address": gettext_lazy("住址"),
    "residence_permit": gettext_lazy("居住证"), "phone_tail": gettext_lazy("电话"), "death_date": gettext_lazy("死亡日期"),
    "in_school": gettext_lazy("在校"), "school": gettext_lazy("学校"), "employee_pension": gettext_lazy("职工养老"),
    "employee_medical": gettext_lazy("职工医保"), "other_enrolment": gettext_lazy("异地参保"),
}  # fmt: skip


def register_lines(user: User, resident: Resident) -> list[Told]:
    """What happened to a person and to records merged into her, within the user's places. Three queries."""
    keys = [resident.pk, *merged_into(resident.pk)]
    events = (
        ResidentEvent.objects.visible_to(user)
        .filter(resident__in=keys)
        .select_related("recorded_by")
        .order_by("-pk")[:200]
    )
    shift = offset(user.county_code)
    return [_line(event, shift) for event in events] + _by_lists(user, resident)


def _line(event: ResidentEvent, shift: timedelta) -> Told:
    words = [str(EventKind(event.kind).label)]
    if "insurance" in event.detail:
        words.append(f"{_insurance(event.detail['insurance'])}{event.detail.get('year', '')}")
    if said := _change(event):
        words.append(said)
    text = "，".join(words)
    recorded = timezone.localtime(event.recorded_at + shift).date()
    if event.happened_on != recorded:
        text = _("%(what)s（%(day)s）") % {"what": text, "day": date_format(event.happened_on, "n月j日")}
    who = event.recorded_by or _("系统")
    based = "，".join(part for part in (event.source, event.evidence) if part)
    text = f"{who}：{text}" + (_("。依据：%(what)s") % {"what": based} if based else "")
    return Told(event.recorded_at, text, "is-open" if event.kind in _GRAVE else "")


def _insurance(value: str) -> str:
    return str(Insurance(value).label) if value in Insurance.values else value


def _change(event: ResidentEvent) -> str:
    before, after = event.detail.get("before", {}), event.detail.get("after", {})
    parts = []
    for name in dict.fromkeys([*before, *after]):
        old, new = _said(name, before.get(name)), _said(name, after.get(name))
        if name in _QUIET or old == new or name not in _FACTS:
            continue
        if name == "household" and event.kind == EventKind.MOVED:
            continue  # a new place always has another number
        label = _FACTS[name]
        if not new:
            parts.append(_("原%(fact)s %(old)s") % {"fact": label, "old": old})
        elif not old:
            parts.append(f"{label} {new}")
        else:
            parts.append(_("%(fact)s %(old)s → %(new)s") % {"fact": label, "old": old, "new": new})
    return "，".join(parts)


def _said(name: str, value: Any) -> str:
    """A value of the history as people say it."""
    if value in (None, ""):
        return ""
    choices: dict[str, Iterable[tuple[Any, Any]]] = {
        "sex": Sex.choices, "id_kind": IdKind.choices, "why": LeaveReason.choices,
    }  # fmt: skip
    if name in choices:
        return str(dict(choices[name]).get(value, value))
    return str(value)


def _by_lists(user: User, resident: Resident) -> list[Told]:
    """Lists that changed the person's record, each with the facts it changed, the newest first."""
    changes = list(
        ImportChange.objects.visible_to(user)
        .filter(relation="enrollment_resident", row_id=resident.pk)
        .select_related("batch__uploaded_by")
        .order_by("batch_id", "pk")
    )
    told = []
    for i, change in enumerate(changes):
        after = _after(changes[i + 1 :], resident)
        facts = [
            str(label)
            for name, label in _COLUMNS.items()
            if name in change.before and _plain(change.before[name]) != _plain(after.get(name))
        ]
        batch = change.batch
        if not facts or batch.applied_at is None:
            continue
        try:
            kind = str(import_kind(batch.kind).label)
        except ImportRefused:
            kind = batch.kind
        text = _("%(who)s：导入“%(kind)s”，更新了%(facts)s") % {
            "who": batch.uploaded_by or _("系统"), "kind": kind, "facts": "、".join(facts),
        }  # fmt: skip
        told.append(Told(batch.applied_at, text, ""))
    return told


def _after(later: Sequence[ImportChange], resident: Resident) -> dict[str, Any]:
    """What stood in the columns after a change: what the next one found, else what stands now."""
    values = {name: getattr(resident, name) for name in _COLUMNS}
    for change in reversed(later):
        values |= change.before
    return values


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if value is None:
        return ""
    return str(value).lower()
