"""The one mask. Every screen, file, log and posted list that shows a person goes through here.

ID digits add up: birth year plus the first six and last four digits leave some thirty candidates. So each
audience sees the fewest digits that still tell two people of a village apart, always from the end, and posted
lists see none.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Final

from foundation.pinyin import COMPOUND_SURNAMES


class Audience(StrEnum):
    """Who looks: staff at a desk, the agent who knows the people, or anyone."""

    OFFICE = "office"
    TABLET = "tablet"
    PUBLIC = "public"


DIGITS_SHOWN: Final = {Audience.OFFICE: 2, Audience.TABLET: 4, Audience.PUBLIC: 0}
RECEIPT_DIGITS_SHOWN: Final = 4
_STAR: Final = "*"


def number_tail(number: str, audience: Audience) -> str:
    """Return the last digits that `audience` may see of an ID number or of a kept tail; may be empty."""
    shown = DIGITS_SHOWN[Audience(audience)]
    return number[-shown:] if shown else ""


def mask_number(number: str, audience: Audience) -> str:
    """Return an ID number with stars for all that `audience` may not see.

    A whole number keeps its length; a tail alone (four characters or fewer) is shown without telling the
    length. Empty stays empty, since not every resident has a number.
    """
    if not number:
        return ""
    tail = number_tail(number, audience)
    return _STAR * (max(len(number), 18) - len(tail)) + tail


def mask_receipt(serial: str, audience: Audience = Audience.PUBLIC) -> str:
    """Return the end of a receipt or voucher serial, enough for its holder to recognise it."""
    return serial if Audience(audience) is Audience.OFFICE else serial[-RECEIPT_DIGITS_SHOWN:]


def _clusters(name: str) -> list[str]:
    """Split into what a reader sees as one character: a variation selector stays with its ideograph."""
    clusters: list[str] = []
    for char in name:
        if clusters and (unicodedata.combining(char) or "\ufe00" <= char <= "\ufe0f" or char >= "\U000e0100"):
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def mask_name(name: str) -> str:
    """Return a name as posted lists show it: surname, stars, last character.

    张小明 is 张*明, 张明 is 张*, 欧阳修 is 欧阳*, 王小二明 is 王**明. A name of several parts joined by ·
    keeps its first part alone (阿卜杜·*), a name in letters the first letter of each word. One character
    is a star.
    """
    name = name.strip()
    if "·" in name:
        first, _, rest = name.partition("·")
        return f"{first if len(first) > 1 else _STAR}·{_STAR}" if rest else mask_name(first)
    if name.isascii():
        return " ".join(word[0] + _STAR * max(len(word) - 1, 1) for word in name.split())
    chars = _clusters(name)
    if len(chars) < 2:
        return _STAR * len(chars)
    surname = 2 if len(chars) > 2 and "".join(chars[:2]) in COMPOUND_SURNAMES else 1
    given = chars[surname:]
    if len(given) == 1:
        return "".join(chars[:surname]) + _STAR
    return "".join(chars[:surname]) + _STAR * (len(given) - 1) + given[-1]


def mask_phone(phone: str, audience: Audience = Audience.OFFICE) -> str:
    """Return a phone number with its middle hidden: the office sees two digits, the agent three and four.

    Posted lists see nothing.
    """
    digits = "".join(char for char in phone if char.isdigit())
    if not digits or Audience(audience) is Audience.PUBLIC:
        return ""
    if Audience(audience) is Audience.TABLET and len(digits) == 11:
        return digits[:3] + _STAR * 4 + digits[-4:]
    return _STAR * max(len(digits) - 2, 1) + digits[-2:]
