"""Moves: within what one user keeps at once, between townships by an offer that the new one accepts.

The person's place, household and groups change with the day. Registrations, charges, payments, rosters and figures stay
where they were collected: each registration remembers the house it was collected in, and its unit goes on reading the
person. A registration on which nothing was paid may be taken along; who decides what is paid stands above this room.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import EventKind, Household, Registration, Resident, Transfer, TransferState
from enrollment.models.life import TRANSFER_STEPS
from enrollment.services.life.common import (
    check_day,
    check_evidence,
    check_post,
    free_number,
    held_residents,
    keep_seen,
    tell,
)
from foundation.scope.context import with_units
from townships.models import CollectingUnit, User


@dataclass(frozen=True)
class NewHome:
    """Where people move in: a household of the unit by its number, or a new one (empty ``number`` takes the next)."""

    number: str = ""
    new: bool = True
    group_name: str = ""
    house_number: str = ""
    address: str = ""


def find_unit_to_move_to(by: User, unit: CollectingUnit | None) -> CollectingUnit:
    """A village's unit of the user's county. Raises ValidationError."""
    if unit is None or unit.village_id is None or unit.township.county_id != by.county_id:
        raise ValidationError({"to_unit": _("请选迁往的村居。")})
    return unit


def may_receive(by: User, unit: CollectingUnit) -> bool:
    """Whether the user keeps both ends, so that nobody else need accept."""
    return CollectingUnit.objects.visible_to(by).filter(pk=unit.pk).exists()


@transaction.atomic
def move(
    *,
    by: User,
    residents: Sequence[int],
    to_unit: CollectingUnit,
    home: NewHome,
    on: date,
    evidence: str,
    source: str = "",
) -> list[Resident]:
    """Move people to another unit (or house) whose both ends the user keeps. Returns them at their new place.

    Raises ValidationError; Resident.DoesNotExist for somebody of another's places.
    """
    people = held_residents(by, residents)
    find_unit_to_move_to(by, to_unit)
    if not may_receive(by, to_unit):
        raise ValidationError({"to_unit": _("迁往的村居在别的镇街，要由那边接收，请用“转出”。")})
    check_day(by, on, "on")
    words = check_evidence(evidence)
    if any(person.left_on is not None for person in people):
        raise ValidationError(_("已经迁出或注销的人要先恢复，才能迁移。"))
    return _settle(by, people, to_unit, home, on, words, source)


def _settle(
    by: User,
    people: list[Resident],
    to_unit: CollectingUnit,
    home: NewHome,
    on: date,
    evidence: str,
    source: str,
) -> list[Resident]:
    """Write a move under the scope of every place that has a row of these people."""
    units = {to_unit.pk}
    for person in people:
        units |= {person.unit_id, *(person.also_units or ())}
    with with_units(units):
        household = _house(to_unit, home, people)
        origins = CollectingUnit.objects.select_related("township").in_bulk({p.unit_id for p in people})
        left = {person.pk: (person.unit_id, person.household_id) for person in people}
        numbers = dict(
            Household.objects.filter(pk__in=[p.household_id for p in people if p.household_id]).values_list(
                "pk", "number"
            )
        )
        remember_homes(people)
        for person in people:
            _place(person, to_unit, household, home)
        # A registration here counts as collected where the person lives again.
        Registration.objects.filter(resident__in=people, unit=to_unit).update(household=None)
        keep_seen([p.pk for p in people], [h for _u, h in left.values() if h is not None])
        for person in people:
            unit_id, household_id = left[person.pk]
            origin = origins[unit_id]
            tell(
                by=by, kind=EventKind.MOVED, residents=[person], on=on, source=source, evidence=evidence,
                also=[origin],
                detail={
                    "before": {
                        "place": f"{origin.township.name}{origin.name}", "unit": origin.code,
                        "household": numbers.get(household_id or 0, ""),
                    },
                    "after": {
                        "place": f"{to_unit.township.name}{to_unit.name}", "unit": to_unit.code,
                        "household": household.number,
                    },
                },
            )  # fmt: skip
    for person in people:
        person.refresh_from_db()
    return people


def remember_homes(people: Sequence[Resident]) -> None:
    """Let registrations keep the house they were collected in, before the people leave it."""
    for person in people:
        if person.household_id is not None:
            Registration.objects.filter(resident=person, unit=person.unit_id, household=None).update(
                household=person.household_id
            )


def _place(person: Resident, unit: CollectingUnit, household: Household, home: NewHome) -> None:
    alone = home.new and household.head_name == person.name
    person.township_id, person.unit_id, person.village_id = unit.township_id, unit.pk, unit.village_id or 0
    if not alone and (person.is_head or person.relation == "户主"):
        person.relation = ""
    person.is_head = alone and not household.residents.filter(is_head=True).exists()
    if person.is_head:
        person.relation = "户主"
    person.household = household
    if home.address.strip():
        person.address = home.address.strip()[:120]
    person.changed_at = timezone.now()
    person.save(
        update_fields=[
            "township", "unit", "village", "household", "relation", "is_head", "address", "changed_at",
        ]
    )  # fmt: skip


def _house(unit: CollectingUnit, home: NewHome, people: Sequence[Resident]) -> Household:
    if not home.new:
        found: Household | None = Household.objects.filter(
            unit=unit, number=home.number.strip(), merged_into=None
        ).first()
        if found is None:
            raise ValidationError({"household_number": _("迁往的村里没有这个户编号。")})
        return found
    chief = next((person for person in people if person.is_head), people[0])
    last = Household.objects.filter(unit=unit).order_by("-walk").values_list("walk", flat=True).first()
    household: Household = Household.objects.create(
        township_id=unit.township_id, unit=unit, village_id=unit.village_id or 0,
        number=free_number(unit, home.number), group_name=home.group_name.strip()[:20],
        house_number=home.house_number.strip()[:20], head_name=chief.name, walk=int(last or 0) + 1,
    )  # fmt: skip
    return household


@transaction.atomic
def offer(
    *,
    by: User,
    residents: Sequence[int],
    to_unit: CollectingUnit,
    on: date,
    evidence: str,
    with_registrations: bool = False,
) -> list[Transfer]:
    """Offer people to another township (转出): nothing of theirs changes until it accepts. Raises ValidationError."""
    people = held_residents(by, residents)
    if not people:
        raise ValidationError({"residents": _("请勾选要转出的人。")})
    find_unit_to_move_to(by, to_unit)
    if may_receive(by, to_unit):
        raise ValidationError({"to_unit": _("迁往的村居也归您管，不用转移单，请用“迁移”。")})
    check_day(by, on, "on")
    words = check_evidence(evidence)
    gone = [person.name for person in people if person.death_date or person.left_on]
    if gone:
        raise ValidationError(_("%(names)s已登记死亡、迁出或注销，不能转出。") % {"names": "、".join(gone)})
    open_already = Transfer.objects.filter(resident__in=people, state=TransferState.OFFERED).first()
    if open_already is not None:
        raise ValidationError(_("%(name)s已经有一张没答复的转移单。") % {"name": open_already.name})
    party = uuid.uuid4()
    made = Transfer.objects.bulk_create(
        Transfer(
            township_id=person.township_id, unit_id=person.unit_id, also_townships=[to_unit.township_id],
            also_units=[to_unit.pk], party=party, resident=person, to_unit=to_unit, name=person.name,
            sex=person.sex, birth_date=person.birth_date, moved_on=on, evidence=words,
            with_registrations=with_registrations, offered_by=by,
        )
        for person in people
    )  # fmt: skip
    tell(
        by=by, kind=EventKind.OFFERED, residents=people, on=on, evidence=words,
        detail={"after": {"place": f"{to_unit.township.name}{to_unit.name}"}},
    )  # fmt: skip
    return made


def _open_party(party: uuid.UUID) -> list[Transfer]:
    """The open transfers of a party, locked in key order under the running scope. Raises Transfer.DoesNotExist."""
    rows = list(Transfer.objects.filter(party=party).order_by("pk").select_for_update(of=("self",)))
    if not rows:
        raise Transfer.DoesNotExist
    if any(TransferState.ACCEPTED not in TRANSFER_STEPS.get(row.state, ()) for row in rows):
        raise ValidationError(_("这张转移单已经答复过了。"))
    return rows


def _answer(by: User, rows: Sequence[Transfer], state: TransferState, answer: str) -> None:
    for row in rows:
        row.state, row.answer = state, answer.strip()[:200]
        row.decided_by, row.decided_at = by, timezone.now()
    Transfer.objects.bulk_update(rows, ["state", "answer", "decided_by", "decided_at"])


def receiving(by: User, party: uuid.UUID) -> list[Transfer]:
    """A party's transfers to a unit of the user's; empty for anybody else's."""
    check_post(by)
    rows = list(Transfer.objects.visible_to(by).filter(party=party).select_related("to_unit__township"))
    return [row for row in rows if may_receive(by, row.to_unit)]


@transaction.atomic
def accept(*, by: User, party: uuid.UUID, home: NewHome) -> list[Resident]:
    """Accept a party of people who move here (接收): they live in ``home`` from the offered day on.

    Raises Transfer.DoesNotExist for one that was not offered to the user, ValidationError when it is answered already.
    """
    offered = receiving(by, party)
    if not offered:
        raise Transfer.DoesNotExist
    to_unit = offered[0].to_unit
    with with_units({row.unit_id for row in offered} | {to_unit.pk}):
        rows = _open_party(party)
        people = list(
            Resident.objects.filter(pk__in=[row.resident_id for row in rows], merged_into=None)
            .order_by("pk")
            .select_for_update(of=("self",))
        )
        if len(people) != len(rows) or any(p.death_date or p.left_on for p in people):
            raise ValidationError(_("转出的人里有人已登记死亡、迁出、注销或并档，请让对方撤回后重新发起。"))
        moved = _settle(by, people, to_unit, home, rows[0].moved_on, rows[0].evidence, _("转移单"))
        _answer(by, rows, TransferState.ACCEPTED, "")
    return moved


@transaction.atomic
def decline(*, by: User, party: uuid.UUID, answer: str) -> None:
    """Do not take a party in, for a reason the old township reads. Raises as ``accept``."""
    offered = receiving(by, party)
    if not offered:
        raise Transfer.DoesNotExist
    words = check_evidence(answer, "answer")
    with with_units({row.unit_id for row in offered}):
        rows = _open_party(party)
        _answer(by, rows, TransferState.DECLINED, words)
        tell(
            by=by, kind=EventKind.DECLINED, residents=[row.resident for row in rows], on=rows[0].moved_on,
            evidence=words,
        )  # fmt: skip


@transaction.atomic
def withdraw(*, by: User, party: uuid.UUID) -> None:
    """Take an offer back before it is answered. Raises Transfer.DoesNotExist for one that is not the user's own."""
    check_post(by)
    if not Transfer.objects.held_by(by).filter(party=party).exists():
        raise Transfer.DoesNotExist
    rows = _open_party(party)
    _answer(by, rows, TransferState.WITHDRAWN, "")
    tell(
        by=by, kind=EventKind.WITHDRAWN, residents=[row.resident for row in rows], on=rows[0].moved_on
    )  # fmt: skip
