"""Moves where money stands: the season stays where it was collected, unless nothing was paid and it is taken along."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date

from django.db import transaction

from contributions.models import Charge, FundingLine, PaymentLine, Pledge
from contributions.services.register.effects import renew, season_registrations, units_of
from enrollment.models import EventKind, Registration, Resident
from enrollment.services.life import moves
from enrollment.services.life.common import keep_seen, tell
from enrollment.services.life.moves import NewHome
from foundation.scope.context import with_units
from townships.models import CollectingUnit, User

__all__ = ["NewHome", "accept_transfer", "move_people"]


@transaction.atomic
def move_people(
    *,
    by: User,
    residents: Sequence[int],
    to_unit: CollectingUnit,
    home: NewHome,
    on: date,
    evidence: str,
    with_registrations: bool = False,
) -> list[Resident]:
    """Move people between places the user keeps. Raises as ``enrollment.services.life.moves.move``."""
    origins = set(Resident.objects.held_by(by).filter(pk__in=residents).values_list("unit_id", flat=True))
    people = moves.move(by=by, residents=residents, to_unit=to_unit, home=home, on=on, evidence=evidence)
    _follow(by, people, origins, on, with_registrations, evidence)
    return people


@transaction.atomic
def accept_transfer(*, by: User, party: uuid.UUID, home: NewHome) -> list[Resident]:
    """Accept people from another township, with what nobody has paid on if they were offered so."""
    offered = moves.receiving(by, party)
    people = moves.accept(by=by, party=party, home=home)
    first = offered[0]
    origins = {row.unit_id for row in offered}
    _follow(by, people, origins, first.moved_on, first.with_registrations, first.evidence)
    return people


def _follow(
    by: User,
    people: Sequence[Resident],
    origins: set[int],
    on: date,
    with_registrations: bool,
    evidence: str,
) -> None:
    # Whoever is not registered is assessed where he lives: that answer moves with him, out of the place he left.
    with with_units(units_of(people) | origins):
        if with_registrations:
            _take_along(by, people, on, evidence)
        renew(by, [person.pk for person in people])


def _take_along(by: User, people: Sequence[Resident], on: date, evidence: str) -> None:
    """Registrations of the season on which no money ever rested go where the person lives now.

    What a charge said at the old place is no longer current; the next assessment charges at the new one. What was paid,
    promised by a sponsor or asked of the government stays, and its registration with it.
    """
    lives = {person.pk: person for person in people}
    mine = list(
        season_registrations(list(lives), on).select_related("unit__township").select_for_update(of=("self",))
    )
    keys = [g.pk for g in mine]
    bound = {
        *PaymentLine.objects.filter(registration__in=keys).values_list("registration_id", flat=True),
        *FundingLine.objects.filter(registration__in=keys, live=True).values_list(
            "registration_id", flat=True
        ),
        *Pledge.objects.filter(registration__in=keys, withdrawn_at=None).values_list(
            "registration_id", flat=True
        ),
    }
    going = [g for g in mine if g.pk not in bound and g.unit_id != lives[g.resident_id].unit_id]
    for row in going:
        person, origin = lives[row.resident_id], row.unit
        Charge.objects.filter(registration=row, current=True).update(current=False)
        Registration.objects.filter(pk=row.pk).update(
            township=person.township_id, unit=person.unit_id, village=person.village_id, household=None
        )
        tell(
            by=by, kind=EventKind.REGISTRATION_MOVED, residents=[person], on=on, evidence=evidence, also=[origin],
            detail={
                "insurance": row.insurance, "year": row.coverage_year,
                "before": {"place": f"{origin.township.name}{origin.name}"},
            },
        )  # fmt: skip
    if going:
        keep_seen(sorted({g.resident_id for g in going}))
        for person in people:
            person.refresh_from_db()
