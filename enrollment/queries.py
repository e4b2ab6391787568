"""Reads of plans and of the register that several rooms share."""

from __future__ import annotations

import unicodedata

from django.db.models import Q

from enrollment.models import CollectionPlan
from foundation.encryption import get_keyring
from foundation.identity import normalise_number
from foundation.names import normalise_name


def find_plan(code: str) -> CollectionPlan | None:
    """A plan by its code: the version in force, before there is one the newest draft."""
    return CollectionPlan.objects.in_force().select_related("county").filter(code=code).first()


def search_condition(text: str, county_code: str) -> Q:
    """Residents by name, pinyin initials, nickname, last four of the number, phone tail, or a full number.

    A full number is looked up by its blind index, the last four by their keyed index: neither is readable in the
    database. Raises nothing: words that fit nobody find nobody.
    """
    word = unicodedata.normalize("NFKC", text).strip()
    number = normalise_number(word)
    keys = get_keyring()
    if len(number) == 18:
        return Q(number_index=keys.blind_index(number))
    condition = Q(name__contains=normalise_name(word)) | Q(nickname__contains=word)
    if word.isascii() and word.isalpha():
        condition |= Q(initials__startswith=word.lower())
    if len(word) == 4 and word[:3].isdigit():
        condition |= Q(tail_index=keys.tail_index(county_code, word.upper())) | Q(phone_tail=word)
    return condition
