"""Reads of plans and of the register that several rooms share."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from django.db.models import Q, QuerySet

from enrollment.models import CollectionPlan, FormerNumber, PlanStatus
from foundation.encryption import get_keyring
from foundation.identity import normalise_number
from foundation.names import normalise_name

# Numbers of papers other than the identity card, as birth certificates and permits bear them.
_PAPER: Final = re.compile(r"[A-Z]{1,3}\d{6,15}")


def find_plan(code: str) -> CollectionPlan | None:
    """A plan by its code: the version in force, before there is one the newest draft."""
    return CollectionPlan.objects.in_force().select_related("county").filter(code=code).first()


def live_plans(county: int) -> QuerySet[CollectionPlan]:
    """A county's plans under which something may still become due, the newest year first."""
    plans = CollectionPlan.objects.in_force().select_related("county").filter(county=county)
    return plans.exclude(status=PlanStatus.CLOSED).order_by("-coverage_year", "code")


def governed_elsewhere(plan: CollectionPlan, insurance: str) -> list[int]:
    """Townships of the plan's county that a plan of their own governs for this insurance and year.

    Exactly one plan governs a unit; a township's own goes before the county's.
    """
    if plan.township_id is not None:
        return []
    own = CollectionPlan.objects.in_force().filter(
        county=plan.county_id, coverage_year=plan.coverage_year, township__isnull=False,
        insurances__contains=[insurance],
    )  # fmt: skip
    return sorted({pk for pk in own.values_list("township_id", flat=True) if pk is not None})


def search_condition(text: str, county_code: str) -> Q:
    """Residents by name, pinyin initials, nickname, last four of the number, phone tail, or a full number.

    A full number is looked up by its blind index, the last four by their keyed index: neither is readable in the
    database. A number somebody had before (a birth certificate) finds him too. Raises nothing: words that fit nobody
    find nobody.
    """
    word = unicodedata.normalize("NFKC", text).strip()
    number = normalise_number(word)
    keys = get_keyring()
    if len(number) == 18 or _PAPER.fullmatch(number):
        index = keys.blind_index(number)
        # Looked up first: an OR with a subquery would read every resident.
        earlier = FormerNumber.objects.filter(number_index=index).values_list("resident_id", flat=True)
        return Q(number_index=index) | Q(pk__in=list(earlier[:10]))
    condition = Q(name__contains=normalise_name(word)) | Q(nickname__contains=word)
    if word.isascii() and word.isalpha():
        condition |= Q(initials__startswith=word.lower())
    if len(word) == 4 and word[:3].isdigit():
        condition |= Q(tail_index=keys.tail_index(county_code, word.upper())) | Q(phone_tail=word)
    return condition
