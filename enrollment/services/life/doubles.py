"""Two records of one person: found by a query, decided by people, put together so that it can be taken apart again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import (
    ClosingReason,
    EventKind,
    FamilyRecord,
    FormerNumber,
    IdKind,
    Membership,
    PairVerdict,
    Registration,
    Resident,
    ResidentPair,
    Transfer,
    TransferState,
)
from enrollment.services.life.common import check_evidence, held_residents, keep_seen, tell
from enrollment.services.life.moves import remember_homes
from foundation.clock.services import business_date
from townships.models import User

# Facts the living record takes over where it has none: a column and what stands there when nothing is known.
_FILLED: Final[dict[str, Any]] = {
    "household_id": None, "nickname": "", "relation": "", "birth_date": None, "sex": "", "school": "",
    "other_enrolment": "", "death_date": None, "phone_encrypted": None, "phone_tail": "", "address": "",
}  # fmt: skip
_FLAGS: Final = ("in_school", "employee_pension", "employee_medical")
_NUMBER: Final = ("id_kind", "number_encrypted", "number_index", "tail_index")
_KEPT: Final = (*_FILLED, *_FLAGS, *_NUMBER, "is_head")
# What may have changed since without standing in the way of taking a merge back: it is left as it is now.
_HARMLESS: Final = frozenset(
    {"phone_encrypted", "phone_tail", "address", "nickname", "relation", "household_id", "is_head"}
)

# Why two records may be one person, the stronger reason first. ``a`` is of the places asked for, ``b`` whoever is seen.
_PAIRS: Final = """
WITH asked AS (
    SELECT id, county_id, unit_id, household_id, name, birth_date, sex, id_kind, number_index, tail_index
    FROM enrollment_resident
    WHERE township_id = ANY (%(townships)s) AND merged_into_id IS NULL AND birth_date IS NOT NULL
), found AS (
    SELECT least(a.id, b.id) AS first, greatest(a.id, b.id) AS second, 1 AS reason
    FROM asked a JOIN asked b ON b.unit_id = a.unit_id AND b.name = a.name AND b.birth_date = a.birth_date AND a.id < b.id
    UNION ALL
    SELECT least(a.id, b.id), greatest(a.id, b.id), 2
    FROM asked a JOIN asked b ON b.household_id = a.household_id AND b.birth_date = a.birth_date AND a.id < b.id
        AND b.sex = a.sex
        AND ((a.id_kind = 'birth_certificate') <> (b.id_kind = 'birth_certificate'))
    UNION ALL
    SELECT least(a.id, b.id), greatest(a.id, b.id), 3
    FROM asked a JOIN enrollment_resident b ON b.tail_index = a.tail_index AND b.id <> a.id AND b.county_id = a.county_id
        AND b.name = a.name AND b.birth_date = a.birth_date AND b.merged_into_id IS NULL
)
SELECT f.first, f.second, min(f.reason) AS reason
FROM found f
WHERE NOT EXISTS (
    SELECT FROM enrollment_residentpair p
    WHERE p.first_id = f.first AND p.second_id = f.second AND p.verdict <> 'undone')
GROUP BY f.first, f.second ORDER BY min(f.reason), f.first, f.second LIMIT %(limit)s
"""


@dataclass(frozen=True)
class Pair:
    """Two living records that may be one person, and why: 1 same name, birth date and unit; 2 a birth certificate and
    a number in one household; 3 same name, birth date and last four digits."""

    first: int
    second: int
    reason: int


def possible_doubles(townships: Collection[int], limit: int = 200) -> list[Pair]:
    """Pairs of the running scope nobody has decided yet, with at least one side in these townships. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, {"townships": sorted(townships), "limit": limit})
        return [Pair(*row) for row in cursor.fetchall()]


def _ordered(one: int, other: int) -> tuple[int, int]:
    if one == other:
        raise ValidationError(_("请选两份不同的档案。"))
    return min(one, other), max(one, other)


def _decide(
    by: User, at: Resident, pair: tuple[int, int], verdict: PairVerdict, **values: Any
) -> ResidentPair:
    row, _made = ResidentPair.objects.update_or_create(
        first_id=pair[0], second_id=pair[1],
        defaults={
            "township_id": at.township_id, "unit_id": at.unit_id, "verdict": verdict, "decided_by": by,
            "decided_at": timezone.now(), **values,
        },
    )  # fmt: skip
    return row


@transaction.atomic
def keep_apart(*, by: User, one: int, other: int, reason: str) -> ResidentPair:
    """Two people: remembered, never asked again. Raises ValidationError; Resident.DoesNotExist out of scope."""
    pair = _ordered(one, other)
    people = held_residents(by, pair)
    return _decide(
        by, people[0], pair, PairVerdict.DIFFERENT, reason=check_evidence(reason, "reason"), moved={}
    )


@dataclass(frozen=True)
class Taken:
    """What a merge took over of the registrations: moved to the living record, and left with the other as settled."""

    moved: tuple[int, ...] = ()
    swapped: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()


@transaction.atomic
def merge_records(
    *, by: User, living: int, merged: int, prefer: Collection[int], reason: str
) -> tuple[ResidentPair, Taken]:
    """Put two records of one person together: ``merged`` points at ``living``, which takes over what it did not have.

    Rows keep their keys, places and money. Where both are registered for an insurance and year, the living record keeps
    its own unless the other one's is in ``prefer`` (it holds the money); the one that is not kept stays with the merged
    record, settled as 重复档案. Raises ValidationError; Resident.DoesNotExist out of scope.
    """
    pair = _ordered(living, merged)
    rows = {row.pk: row for row in held_residents(by, pair)}
    words = check_evidence(reason, "reason")
    stays, goes = rows[living], rows[merged]
    if Transfer.objects.filter(resident__in=rows.values(), state=TransferState.OFFERED).exists():
        raise ValidationError(_("有一份档案正在转出，请等对方答复或先撤回转移单。"))
    before = {name: _plain(getattr(stays, name)) for name in _KEPT}
    remember_homes([goes])
    goes.merged_into = stays
    goes.save(update_fields=["merged_into"])
    former = _take_number(stays, goes)
    _take_facts(stays, goes)
    stays.changed_at = timezone.now()
    stays.save(update_fields=[*_KEPT, "changed_at"])
    taken = _take_registrations(stays, goes, prefer)
    groups = _take_groups(stays, goes)
    keep_seen([stays.pk, goes.pk], [h for h in (goes.household_id, stays.household_id) if h])
    moved = {
        "living": living, "merged": merged, "before": before, "former": former, **groups,
        "registrations": {"moved": taken.moved, "swapped": taken.swapped, "closed": taken.closed},
        "after": {name: _plain(getattr(stays, name)) for name in _KEPT},
    }  # fmt: skip
    decided = _decide(by, stays, pair, PairVerdict.SAME, reason=words, moved=moved)
    tell(
        by=by, kind=EventKind.MERGED, residents=[stays], on=business_date(by.county_code), evidence=words,
        detail={"before": {"name": goes.name, "place": goes.unit.name}}, also=[goes.unit],
    )  # fmt: skip
    return decided, taken


def _plain(value: Any) -> Any:
    """A value as JSON keeps it: bytes (ciphertext, indexes) as hex, days as ISO."""
    if isinstance(value, bytes | memoryview):
        return "\\x" + bytes(value).hex()
    return value.isoformat() if hasattr(value, "isoformat") else value


def _back(value: Any) -> Any:
    return bytes.fromhex(value[2:]) if isinstance(value, str) and value.startswith("\\x") else value


def _take_number(stays: Resident, goes: Resident) -> list[int]:
    """A resident number wins over a paper; the one that is not kept goes on finding the person."""
    if goes.number_index is None:
        return []
    better = stays.number_index is None or (
        goes.id_kind == IdKind.RESIDENT_ID and stays.id_kind != IdKind.RESIDENT_ID
    )
    lost = stays if better else goes
    former = []
    if lost.number_index is not None and lost.number_encrypted is not None:
        row, made = FormerNumber.objects.get_or_create(
            resident=stays, number_index=bytes(lost.number_index),
            defaults={
                "township_id": stays.township_id, "unit_id": stays.unit_id, "id_kind": lost.id_kind,
                "number_encrypted": bytes(lost.number_encrypted), "until": timezone.localdate(),
            },
        )  # fmt: skip
        former = [row.pk] if made else []
    if better:
        for name in _NUMBER:
            setattr(stays, name, getattr(goes, name))
        stays.birth_date, stays.sex = goes.birth_date or stays.birth_date, goes.sex or stays.sex
    return former


def _take_facts(stays: Resident, goes: Resident) -> None:
    for name, nothing in _FILLED.items():
        # A house of another unit is none for somebody who lives here.
        if getattr(stays, name) == nothing and (name != "household_id" or goes.unit_id == stays.unit_id):
            setattr(stays, name, getattr(goes, name))
    if goes.is_head and goes.household_id == stays.household_id:
        stays.is_head = True
    for name in _FLAGS:
        setattr(stays, name, getattr(stays, name) or getattr(goes, name))


def _take_registrations(stays: Resident, goes: Resident, prefer: Collection[int]) -> Taken:
    own = {(g.insurance, g.coverage_year): g for g in Registration.objects.filter(resident=stays)}
    theirs = list(Registration.objects.filter(resident=goes).order_by("pk"))
    moved, swapped, closed = [], [], []
    for row in theirs:
        mine = own.get((row.insurance, row.coverage_year))
        if mine is None:
            Registration.objects.filter(pk=row.pk).update(resident=stays)
            moved.append(row.pk)
        elif row.pk in prefer:
            _swap(mine, row, stays, goes)
            swapped += [row.pk, mine.pk]
            closed.append(_close(mine))
        else:
            closed.append(_close(row))
    return Taken(tuple(moved), tuple(swapped), tuple(pk for pk in closed if pk))


def _swap(leaves: Registration, comes: Registration, stays: Resident, goes: Resident) -> None:
    """Exchange the owners of two registrations of one insurance and year.

    The constraint is looked at row by row, so the one that leaves steps aside for a moment, to a year nobody has.
    """
    Registration.objects.filter(pk=leaves.pk).update(coverage_year=-leaves.coverage_year)
    Registration.objects.filter(pk=comes.pk).update(resident=stays)
    Registration.objects.filter(pk=leaves.pk).update(resident=goes, coverage_year=leaves.coverage_year)


def _close(row: Registration) -> int:
    """Settle what is not kept, unless it is settled already; its key when it was done here, else 0."""
    done = Registration.objects.filter(pk=row.pk, closing_reason="").update(
        closing_reason=ClosingReason.SAME_PERSON
    )
    return row.pk if done else 0


def _take_groups(stays: Resident, goes: Resident) -> dict[str, Any]:
    """Memberships and family records move; a membership that overlaps one of the living record lends it its days."""
    moved, stretched = [], {}
    for row in Membership.objects.filter(resident=goes).order_by("pk"):
        rivals = [
            m
            for m in Membership.objects.filter(resident=stays, category=row.category_id)
            if (m.valid_to is None or m.valid_to >= row.valid_from)
            and (row.valid_to is None or m.valid_from <= row.valid_to)
        ]
        if not rivals:
            Membership.objects.filter(pk=row.pk).update(resident=stays)
            moved.append(row.pk)
        elif len(rivals) == 1:
            mine = rivals[0]
            stretched[str(mine.pk)] = [_plain(mine.valid_from), _plain(mine.valid_to)]
            ends = None if None in (mine.valid_to, row.valid_to) else max(mine.valid_to, row.valid_to)
            Membership.objects.filter(pk=mine.pk).update(
                valid_from=min(mine.valid_from, row.valid_from), valid_to=ends
            )
    have = set(FamilyRecord.objects.filter(resident=stays).values_list("kind", flat=True))
    family = list(
        FamilyRecord.objects.filter(resident=goes).exclude(kind__in=have).values_list("pk", flat=True)
    )
    FamilyRecord.objects.filter(pk__in=family).update(resident=stays)
    spouses = list(FamilyRecord.objects.filter(spouse=goes).values_list("pk", flat=True))
    FamilyRecord.objects.filter(pk__in=spouses).update(spouse=stays)
    return {"memberships": moved, "stretched": stretched, "family": family, "spouses": spouses}


def merged_into(resident: int) -> list[int]:
    """Records that were merged into one: their history and money are shown with it."""
    return list(Resident.objects.filter(merged_into=resident).values_list("pk", flat=True))


@transaction.atomic
def unmerge_records(*, by: User, pair: ResidentPair, reason: str) -> tuple[Resident, Resident]:
    """Take two records apart again as they were before they were put together; (living, the other).

    Who depends on the merge is asked above this room, where the money is. Raises ValidationError when the living record
    went on changing in what it took over, or the other's number has another holder.
    """
    words = check_evidence(reason, "reason")
    moved = pair.moved
    stays = held_residents(by, [moved["living"]])[0]
    goes = Resident.objects.select_for_update(of=("self",)).get(pk=moved["merged"], merged_into=stays)
    changed = [name for name in _KEPT if _plain(getattr(stays, name)) != moved["after"][name]]
    if set(changed) - _HARMLESS:
        raise ValidationError(_("并档以后这个人的档案又改过，不能自动撤销。请先改回，或分别更正。"))
    if goes.number_index is not None and (
        Resident.objects.filter(
            county_id=goes.county_id, number_index=bytes(goes.number_index), merged_into=None
        )
        .exclude(pk=stays.pk)
        .exists()
    ):
        raise ValidationError(_("另一份档案的号码已经有别的在用档案，不能撤销。"))
    for name in set(_KEPT) - set(changed):
        setattr(stays, name, _back(moved["before"][name]))
    stays.changed_at = timezone.now()
    stays.save(update_fields=[*_KEPT, "changed_at"])
    goes.merged_into = None
    goes.save(update_fields=["merged_into"])
    FormerNumber.objects.filter(pk__in=moved["former"]).delete()
    registrations = moved["registrations"]
    Registration.objects.filter(pk__in=registrations["moved"]).update(resident=goes)
    swapped = registrations["swapped"]
    by_key = Registration.objects.in_bulk(swapped)
    for came, left in zip(swapped[::2], swapped[1::2], strict=True):
        _swap(by_key[came], by_key[left], stays, goes)
    Registration.objects.filter(
        pk__in=registrations["closed"], closing_reason=ClosingReason.SAME_PERSON
    ).update(closing_reason="")
    Membership.objects.filter(pk__in=moved["memberships"]).update(resident=goes)
    for key, (start, end) in moved["stretched"].items():
        Membership.objects.filter(pk=int(key)).update(valid_from=start, valid_to=end)
    FamilyRecord.objects.filter(pk__in=moved["family"]).update(resident=goes)
    FamilyRecord.objects.filter(pk__in=moved["spouses"]).update(spouse=goes)
    for person in (stays, goes):
        # Where somebody lives and registered in the same unit, his house is the one he lives in.
        Registration.objects.filter(resident=person, unit=person.unit_id).update(household=None)
    keep_seen([stays.pk, goes.pk], [h for h in (stays.household_id, goes.household_id) if h])
    pair.verdict, pair.decided_by, pair.decided_at = PairVerdict.UNDONE, by, timezone.now()
    pair.save(update_fields=["verdict", "decided_by", "decided_at"])
    tell(
        by=by, kind=EventKind.MERGE_UNDONE, residents=[stays, goes], on=business_date(by.county_code),
        evidence=words,
    )  # fmt: skip
    return stays, goes


def standing_merges(by: User, resident: int) -> list[ResidentPair]:
    """Merges into a person that stand, the newest first."""
    of_person = Q(first=resident) | Q(second=resident)
    rows = ResidentPair.objects.visible_to(by).filter(of_person, verdict=PairVerdict.SAME)
    return [row for row in rows.order_by("-decided_at") if row.moved.get("living") == resident]
