"""Households: part of one leaves for a house of its own, two become one, another head."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import EventKind, Household, Resident
from enrollment.services.life.common import (
    check_day,
    check_evidence,
    free_number,
    held_household,
    members_of,
    tell,
)
from townships.models import User

HEAD = "户主"


@transaction.atomic
def split_household(
    *,
    by: User,
    household: int,
    leaving: Sequence[int],
    head: int,
    on: date,
    evidence: str,
    number: str = "",
    house_number: str = "",
) -> Household:
    """Let some members found a household of their own in the same unit, under a head of theirs (分户).

    What was paid and what is due stays with each person. Raises ValidationError when nobody or everybody leaves, or the
    head is not among them.
    """
    home = held_household(by, household)
    check_day(by, on, "on")
    words = check_evidence(evidence)
    members = members_of(home)
    going = [person for person in members if person.pk in set(leaving)]
    if not going:
        raise ValidationError({"leaving": _("请勾选分出去的人。")})
    if len(going) == len(members):
        raise ValidationError({"leaving": _("不能全家都分出去，至少留一个人。")})
    chief = next((person for person in going if person.pk == head), None)
    if chief is None:
        raise ValidationError({"head": _("新户的户主要在分出去的人里。")})
    new = Household.objects.create(
        township_id=home.township_id, unit_id=home.unit_id, village_id=home.village_id,
        number=free_number(home.unit, number), group_name=home.group_name,
        house_number=house_number.strip()[:20] or home.house_number, head_name=chief.name, walk=home.walk,
    )  # fmt: skip
    _settle(going, new, chief)
    tell(
        by=by, kind=EventKind.SPLIT, residents=going, on=on, evidence=words,
        detail={"before": {"household": home.number}, "after": {"household": new.number}},
    )  # fmt: skip
    return new


def _settle(people: Sequence[Resident], home: Household, chief: Resident | None) -> None:
    """Put people into a household; where ``chief`` is given he is its head and how others are related is asked anew."""
    for person in people:
        person.household = home
        is_chief = chief is not None and person.pk == chief.pk
        if is_chief or person.is_head or person.relation == HEAD:
            person.relation = HEAD if is_chief else ""
        person.is_head = is_chief
        person.changed_at = timezone.now()
    Resident.objects.bulk_update(people, ["household", "is_head", "relation", "changed_at"])


@transaction.atomic
def merge_households(*, by: User, household: int, into: int, on: date, evidence: str) -> Household:
    """Let everybody of one household live in another of the same unit (并户); the empty one keeps its number.

    Raises ValidationError for the same household or another unit's.
    """
    # Locked in key order, since somebody may merge the other way round at the same moment.
    pair = {pk: held_household(by, pk) for pk in sorted({household, into})}
    if len(pair) < 2:
        raise ValidationError({"into": _("请选另外一户。")})
    home, target = pair[household], pair[into]
    if home.unit_id != target.unit_id:
        raise ValidationError({"into": _("两户不在同一个村居。要先迁移，再并户。")})
    check_day(by, on, "on")
    words = check_evidence(evidence)
    people = members_of(home)
    _settle(people, target, None)
    Household.objects.filter(pk=home.pk).update(merged_into=target)
    tell(
        by=by, kind=EventKind.JOINED, residents=people, on=on, evidence=words,
        detail={"before": {"household": home.number}, "after": {"household": target.number}},
    )  # fmt: skip
    return target


@transaction.atomic
def change_head(*, by: User, household: int, head: int, on: date, evidence: str) -> Household:
    """Make another member the head (变更户主). Raises ValidationError for somebody else's, or the head himself."""
    home = held_household(by, household)
    check_day(by, on, "on")
    words = check_evidence(evidence)
    members = members_of(home)
    chief = next((person for person in members if person.pk == head), None)
    if chief is None:
        raise ValidationError({"head": _("请从这一户的人里选户主。")})
    if chief.is_head:
        raise ValidationError({"head": _("已经是户主。")})
    if chief.death_date is not None:
        raise ValidationError({"head": _("登记死亡的人不能做户主。")})
    before = home.head_name
    _settle(members, home, chief)
    home.head_name = chief.name
    home.save(update_fields=["head_name"])
    tell(
        by=by, kind=EventKind.HEAD, residents=members, on=on, evidence=words,
        detail={"before": {"head": before}, "after": {"head": chief.name}},
    )  # fmt: skip
    return home
