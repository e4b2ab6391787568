"""Births, newcomers, numbers, names, deaths, leaving and coming back: what happens to one person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import EventKind, FormerNumber, Household, IdKind, LeaveReason, Resident, ResidentEvent
from enrollment.models.register import RegistrationArea, Sex
from enrollment.services.life.common import (
    check_day,
    check_evidence,
    check_post,
    free_number,
    held_resident,
    tell,
)
from foundation.clock.services import business_date
from foundation.encryption import get_keyring
from foundation.identity import normalise_number, read_number
from foundation.names import normalise_name
from foundation.pinyin import initials
from townships.models import CollectingUnit, User

_PAPER: Final = re.compile(r"[A-Z0-9]{6,20}")
_PHONE: Final = re.compile(r"1[3-9]\d{9}|0?\d{7,12}")
# Household registration that a leaver keeps: an empty registration (空挂户) is still one of ours.
_STILL_LOCAL: Final = frozenset({LeaveReason.EMPTY.value})


@dataclass(frozen=True)
class Identity:
    """Who somebody is by a paper: kind and number, with what the number itself says."""

    id_kind: str
    number: str
    birth_date: date | None
    sex: str


@dataclass(frozen=True)
class Newcomer:
    """A person to be taken into the register, as told at the counter."""

    name: str
    id_kind: str = IdKind.RESIDENT_ID
    number: str = ""
    birth_date: date | None = None
    sex: str = ""
    relation: str = ""
    phone: str = ""
    address: str = ""
    registration_area: str = RegistrationArea.LOCAL
    residence_permit: str = "false"


def read_identity(by: User, newcomer: Newcomer) -> Identity:
    """Check a paper: the number decides birth date and sex where it holds them. Raises ValidationError by field."""
    if newcomer.id_kind not in IdKind.values:
        raise ValidationError({"id_kind": _("请选择证件类型。")})
    if newcomer.id_kind == IdKind.RESIDENT_ID:
        return _by_resident_number(by, newcomer.number)
    number = normalise_number(newcomer.number)
    if number and not _PAPER.fullmatch(number):
        raise ValidationError({"number": _("证件号码是 6 到 20 位字母和数字，请照证件核对。")})
    if not number and newcomer.id_kind != IdKind.BIRTH_CERTIFICATE:
        raise ValidationError({"number": _("请填证件号码。只有新生儿可以先没有号码。")})
    if newcomer.birth_date is None:
        raise ValidationError({"birth_date": _("请填出生日期。")})
    if newcomer.sex not in Sex.values:
        raise ValidationError({"sex": _("请选性别。")})
    check_day(by, newcomer.birth_date, "birth_date")
    return Identity(newcomer.id_kind, number, newcomer.birth_date, newcomer.sex)


def _by_resident_number(by: User, raw: str) -> Identity:
    parsed = read_number(raw, business_date(by.county_code))
    if not parsed.ok:
        raise ValidationError({"number": _("%(why)s。") % {"why": parsed.message}})
    return Identity(IdKind.RESIDENT_ID, parsed.number, parsed.birth_date, str(parsed.sex))


def read_person_name(raw: str) -> str:
    """A name as stored. Raises ValidationError for none, or one nobody has."""
    name = normalise_name(raw)
    if not name or len(name) > 60:
        raise ValidationError({"name": _("请填姓名，最多 60 个字。")})
    return name


def number_columns(by: User, number: str) -> dict[str, Any]:
    """The columns of a number: encrypted, its blind index, and its tail's index for the county."""
    if not number:
        return {"number_encrypted": None, "number_index": None, "tail_index": None}
    keys = get_keyring()
    return {
        "number_encrypted": keys.encrypt(number),
        "number_index": keys.blind_index(number),
        "tail_index": keys.tail_index(by.county_code, number[-4:]),
    }


def phone_columns(raw: str) -> dict[str, Any]:
    """The columns of a phone. Raises ValidationError for what is none."""
    digits = re.sub(r"[\s-]", "", raw)
    if digits and not _PHONE.fullmatch(digits):
        raise ValidationError({"phone": _("电话号码不对：手机 11 位，座机带区号。")})
    return {
        "phone_encrypted": get_keyring().encrypt(digits) if digits else None,
        "phone_tail": digits[-4:],
    }


def _check_free(by: User, number: str, but: int | None = None) -> None:
    """Raises ValidationError when somebody whom the user sees holds the number already."""
    if not number:
        return
    holder = (
        Resident.objects.visible_to(by)
        .filter(county_id=by.county_id, number_index=get_keyring().blind_index(number), merged_into=None)
        .exclude(pk=but)
        .select_related("unit")
        .first()
    )
    if holder is not None:
        raise ValidationError(
            {
                "number": _(
                    "这个号码已经是%(unit)s的%(name)s。如果是同一个人，不用再登记；如果建了两份档案，请到“疑似重复”里并档。"
                )
                % {"unit": holder.unit.name, "name": holder.name}
            }
        )


def _taken_elsewhere() -> ValidationError:
    return ValidationError(
        {
            "number": _(
                "这个号码在本镇街登记不了。如果是从本县区别的镇街迁来的，请让迁出的镇街转过来，或者请区医保局办。"
            )
        }
    )


@transaction.atomic
def take_in(
    *,
    by: User,
    unit: CollectingUnit,
    newcomer: Newcomer,
    on: date,
    evidence: str,
    household: Household | None = None,
    household_number: str = "",
    papers: Sequence[str] = (),
    source: str = "",
) -> Resident:
    """Take a person into the register of a unit, into a household of it or a new one, whose head he then is.

    A child with a birth certificate or without any number is a newborn; the resident number comes later to the same
    record (``give_number``). Raises ValidationError by field.
    """
    check_post(by)
    assert by.county_id is not None
    if not CollectingUnit.objects.visible_to(by).filter(pk=unit.pk).exists() or unit.village_id is None:
        raise ValidationError({"unit": _("请选一个本辖区的村居。")})
    if household is not None and household.unit_id != unit.pk:
        raise ValidationError({"household_number": _("这一户不在所选的村居。")})
    name = read_person_name(newcomer.name)
    identity = read_identity(by, newcomer)
    born = identity.id_kind == IdKind.BIRTH_CERTIFICATE
    check_day(by, on, "on", not_before=identity.birth_date)
    words = check_evidence(evidence)
    _check_free(by, identity.number)
    new_home = household is None
    if household is None:
        household = Household.objects.create(
            township_id=unit.township_id, unit=unit, village_id=unit.village_id,
            number=free_number(unit, household_number), head_name=name, walk=_last_walk(unit) + 1,
        )  # fmt: skip
    try:
        with transaction.atomic():
            row: Resident = Resident.objects.create(
                county_id=by.county_id, township_id=unit.township_id, unit=unit, village_id=unit.village_id,
                household=household, name=name, initials=initials(name)[:20],
                relation=newcomer.relation.strip()[:20] or ("户主" if new_home else ""), is_head=new_home,
                id_kind=identity.id_kind, birth_date=identity.birth_date, sex=identity.sex,
                registration_area=_chosen(newcomer.registration_area, RegistrationArea.values, "registration_area"),
                residence_permit=_chosen(
                    newcomer.residence_permit, ("true", "parent", "false"), "residence_permit"
                ),
                address=newcomer.address.strip()[:120], left_why="",
                **number_columns(by, identity.number), **phone_columns(newcomer.phone),
            )  # fmt: skip
    except IntegrityError:
        # Somebody out of sight holds the number: the database knows, and nothing of him is told.
        raise _taken_elsewhere() from None
    tell(
        by=by, kind=EventKind.BORN if born else EventKind.ENROLLED, residents=[row], on=on, evidence=words,
        source=source, detail={"papers": list(papers), "household": household.number},
    )  # fmt: skip
    return row


def _chosen(value: str, choices: Sequence[str], field: str) -> str:
    if value not in choices:
        raise ValidationError({field: _("请从列出的里面选。")})
    return value


def _last_walk(unit: CollectingUnit) -> int:
    last = Household.objects.filter(unit=unit).order_by("-walk").values_list("walk", flat=True).first()
    return int(last or 0)


@transaction.atomic
def give_number(
    *, by: User, resident: int, number: str, on: date, evidence: str, number_decides: bool = False
) -> Resident:
    """Give a person the resident number: the same record, its earlier paper kept and still found.

    Also corrects a wrong number. Where the number's birth date or sex differs from the record, it is refused until
    ``number_decides`` says that the number is right; then both follow it. Raises ValidationError, Resident.DoesNotExist.
    """
    row = held_resident(by, resident)
    identity = _by_resident_number(by, number)
    words = check_evidence(evidence)
    check_day(by, on, "on", not_before=identity.birth_date)
    columns = number_columns(by, identity.number)
    same = row.number_index is not None and bytes(row.number_index) == columns["number_index"]
    if same and (row.birth_date, row.sex) == (identity.birth_date, identity.sex):
        raise ValidationError({"number": _("号码没有变，和档案里的一样。")})
    _check_free(by, identity.number, but=row.pk)
    before = {"birth_date": row.birth_date, "sex": row.sex}
    differs = [
        label
        for label, mine, theirs in (
            (_("出生日期"), row.birth_date, identity.birth_date),
            (_("性别"), row.sex, identity.sex),
        )
        if mine and mine != theirs
    ]
    if differs and not number_decides:
        raise ValidationError(
            {
                "number_decides": _(
                    "号码里的%(what)s和档案里的不一样，请核对是不是这个人的号码。号码对的，勾选“以号码为准”再保存。"
                )
                % {"what": "、".join(differs)}
            }
        )
    first = row.id_kind != IdKind.RESIDENT_ID or row.number_index is None
    if not same and row.number_index is not None and row.number_encrypted is not None:
        FormerNumber.objects.get_or_create(
            resident=row, number_index=bytes(row.number_index),
            defaults={
                "township_id": row.township_id, "unit_id": row.unit_id, "id_kind": row.id_kind,
                "number_encrypted": bytes(row.number_encrypted), "until": on, "also_units": row.also_units,
                "also_townships": row.also_townships,
            },
        )  # fmt: skip
    former_kind = row.id_kind
    row.id_kind = IdKind.RESIDENT_ID
    row.birth_date, row.sex = identity.birth_date, identity.sex
    for name, value in columns.items():
        setattr(row, name, value)
    try:
        _save(row, "id_kind", "birth_date", "sex", *columns)
    except IntegrityError:
        raise _taken_elsewhere() from None
    tell(
        by=by, kind=EventKind.NUMBER_GIVEN if first else EventKind.NUMBER_CORRECTED, residents=[row], on=on,
        evidence=words,
        detail={
            "before": {**before, "id_kind": former_kind}, "after": {"birth_date": row.birth_date, "sex": row.sex},
        },
    )  # fmt: skip
    return row


def _save(row: Resident, *fields: str) -> None:
    row.changed_at = timezone.now()
    with transaction.atomic():
        row.save(update_fields=[*fields, "changed_at"])


@transaction.atomic
def correct_name(*, by: User, resident: int, name: str, on: date, evidence: str) -> Resident:
    """Correct how somebody is called; the number says that it is the same person. Raises ValidationError."""
    row = held_resident(by, resident)
    wanted = read_person_name(name)
    words = check_evidence(evidence)
    check_day(by, on, "on", not_before=row.birth_date)
    if wanted == row.name:
        raise ValidationError({"name": _("姓名没有变。")})
    before, row.name = row.name, wanted
    row.initials = initials(wanted)[:20]
    _save(row, "name", "initials")
    if row.is_head and row.household_id is not None:
        Household.objects.filter(pk=row.household_id).update(head_name=wanted)
    tell(
        by=by, kind=EventKind.NAME_CORRECTED, residents=[row], on=on, evidence=words,
        detail={"before": {"name": before}, "after": {"name": wanted}},
    )  # fmt: skip
    return row


@transaction.atomic
def note_death(*, by: User, resident: int, died_on: date, source: str, evidence: str) -> Resident:
    """Note a death with its day and where it is known from. Raises ValidationError."""
    row = held_resident(by, resident)
    check_day(by, died_on, "died_on", not_before=row.birth_date)
    words = check_evidence(evidence)
    if row.death_date == died_on:
        raise ValidationError({"died_on": _("已经登记过这个死亡日期。")})
    before, row.death_date = row.death_date, died_on
    _save(row, "death_date")
    tell(
        by=by, kind=EventKind.DIED, residents=[row], on=died_on, source=source.strip(), evidence=words,
        detail={"before": {"death_date": before}, "after": {"death_date": died_on}},
    )  # fmt: skip
    return row


@transaction.atomic
def withdraw_death(*, by: User, resident: int, evidence: str) -> Resident:
    """Take back a death that was none. Raises ValidationError for somebody who lives."""
    row = held_resident(by, resident)
    if row.death_date is None:
        raise ValidationError(_("档案里没有死亡登记，不用撤销。"))
    words = check_evidence(evidence)
    before, row.death_date = row.death_date, None
    _save(row, "death_date")
    tell(
        by=by, kind=EventKind.DEATH_WITHDRAWN, residents=[row], on=business_date(by.county_code), evidence=words,
        detail={"before": {"death_date": before}},
    )  # fmt: skip
    return row


@transaction.atomic
def leave(*, by: User, resident: int, why: str, on: date, evidence: str) -> Resident:
    """End somebody's registration here (户口迁出、注销、空挂户): he stands on no round, his record stays.

    Raises ValidationError.
    """
    row = held_resident(by, resident)
    if why not in LeaveReason.values:
        raise ValidationError({"why": _("请选原因。")})
    check_day(by, on, "on", not_before=row.birth_date)
    words = check_evidence(evidence)
    if row.left_on is not None:
        raise ValidationError(_("已经登记过迁出或注销。"))
    before = {"registration_area": row.registration_area}
    row.left_on, row.left_why = on, why
    if why not in _STILL_LOCAL:
        row.registration_area = RegistrationArea.OUTSIDE
    _save(row, "left_on", "left_why", "registration_area")
    tell(
        by=by, kind=EventKind.LEFT, residents=[row], on=on, evidence=words,
        detail={"before": before, "after": {"why": why}},
    )  # fmt: skip
    return row


@transaction.atomic
def come_back(*, by: User, resident: int, on: date, evidence: str) -> Resident:
    """Take somebody who left back in, as he was registered before. Raises ValidationError for one who never left."""
    row = held_resident(by, resident)
    if row.left_on is None:
        raise ValidationError(_("没有迁出或注销的登记，不用恢复。"))
    check_day(by, on, "on", not_before=row.left_on)
    words = check_evidence(evidence)
    last = ResidentEvent.objects.filter(resident=row, kind=EventKind.LEFT).order_by("-pk").first()
    area = last.detail.get("before", {}).get("registration_area") if last is not None else None
    why, row.left_on, row.left_why = row.left_why, None, ""
    row.registration_area = area if area in RegistrationArea.values else RegistrationArea.LOCAL
    _save(row, "left_on", "left_why", "registration_area")
    tell(
        by=by, kind=EventKind.RETURNED, residents=[row], on=on, evidence=words,
        detail={"before": {"why": why}, "after": {"registration_area": row.registration_area}},
    )  # fmt: skip
    return row
