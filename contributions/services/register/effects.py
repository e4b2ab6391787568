"""What follows a change of the register: people are assessed again, and money already taken becomes a case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from contributions.models import OWN_PARTS, CaseKind, PaymentCase, PaymentLine
from contributions.queries import paid_by_registration
from enrollment.models import Registration, Resident
from enrollment.services.pending import touch

ZERO = Decimal("0.00")


def renew(by: Any, residents: Sequence[int]) -> None:
    """Assess people again at once, or by the queue while a long job is at work; the scope must hold all their places."""
    touch(by=by, residents=residents)


def units_of(residents: Iterable[Resident]) -> set[int]:
    """Every unit that has a row of these people: where they live, and where they are registered."""
    return {unit for person in residents for unit in (person.unit_id, *(person.also_units or ())) if unit}


def season_registrations(residents: Sequence[int], on: date) -> QuerySet[Registration]:
    """Registrations of these people for years that are not over on a day, in the running scope."""
    rows: QuerySet[Registration] = Registration.objects.filter(
        resident__in=residents, coverage_year__gte=on.year
    )
    return rows.order_by("pk")


def open_cases(
    *,
    registrations: Sequence[Registration],
    kind: CaseKind,
    detail: dict[str, Any],
    unless: Sequence[CaseKind] = (),
) -> list[PaymentCase]:
    """A case for each registration on which money rests, for somebody to decide what becomes of it.

    One open case of a kind and registration is enough; ``unless`` names kinds that ask the same question already (what
    assessing found). The cases stand where the money was taken.
    """
    paid = paid_by_registration([g.pk for g in registrations])
    held = {g.pk: g for g in registrations if paid.get(g.pk, ZERO) > 0}
    known = set(
        PaymentCase.objects.filter(registration__in=held, kind__in=[kind, *unless], state="open").values_list(
            "registration_id", flat=True
        )
    )
    lines = PaymentLine.objects.filter(
        registration__in=held, part__in=OWN_PARTS, amount__gt=0, payment__reverses=None
    )
    newest = dict(lines.order_by("pk").values_list("registration_id", "payment_id"))
    return PaymentCase.objects.bulk_create(
        PaymentCase(
            township_id=g.township_id, unit_id=g.unit_id, kind=kind, registration=g,
            payment_id=newest.get(g.pk), amount=paid[g.pk], detail=detail,
        )
        for g in held.values()
        if g.pk not in known
    )  # fmt: skip


def close_cases(*, registrations: Sequence[int], kind: CaseKind, outcome: str) -> int:
    """Close open cases of a kind whose ground is gone; how many."""
    return PaymentCase.objects.filter(registration__in=registrations, kind=kind, state="open").update(
        state="closed", outcome=outcome[:200], closed_at=timezone.now()
    )
