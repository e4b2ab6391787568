"""What a named database server must be able to do; ``migrate`` and ``check --database default`` ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from portal.embedded.accounts import EmbeddedError
from portal.embedded.postgres import check_character_type


@register(Tags.database)
def knows_chinese_letters(*, databases: Sequence[str] | None = None, **_others: Any) -> list[CheckMessage]:
    """Search by name rests on trigrams, which are empty for Chinese where LC_CTYPE is C."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            try:
                check_character_type(cursor)
            except EmbeddedError as error:
                found.append(Error(str(error), id="portal.E001"))
    return found
