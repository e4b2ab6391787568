"""Money: Decimal yuan with two places, split so that parts always add up, written in figures and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final, Literal

Rounding = Literal["personal_down", "personal_half_up"]

PERSONAL: Final = "personal"
"""The key of the resident's own share in `split`."""

_CENT: Final = Decimal("0.01")
_DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"
_PLACES: Final = ("", "拾", "佰", "仟")
_GROUPS: Final = ("", "万", "亿", "万亿")
_LARGEST: Final = Decimal("9999999999999999.99")


class MoneyError(ValueError):
    """The value is not an amount of yuan with at most two places. The message never reaches a screen."""


def yuan(value: Decimal | int | str) -> Decimal:
    """Return `value` as yuan with exactly two places.

    Text may carry thousands separators, a currency sign and surrounding spaces. Binary floats, a third place
    that is not zero, infinities and empty text raise MoneyError: money is never rounded on the way in.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise MoneyError(f"not an amount: {type(value).__name__}")
    if isinstance(value, str):
        text = value.strip().removeprefix("¥").removeprefix("￥").removesuffix("元").strip()
        if "," in text or "，" in text:
            text = text.replace("，", ",")
            whole, _, rest = text.partition(".")
            first, *groups = whole.lstrip("-").split(",")
            if not (1 <= len(first) <= 3 and all(len(group) == 3 for group in groups) and "," not in rest):
                raise MoneyError("thousands separators out of place")
            text = text.replace(",", "")
        if "_" in text or "e" in text.lower():
            raise MoneyError("not an amount")
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise MoneyError("not an amount") from None
    amount = Decimal(value)
    if not amount.is_finite() or abs(amount) > _LARGEST:
        raise MoneyError("not a finite amount")
    cents = amount.quantize(_CENT)
    if cents != amount:
        raise MoneyError("more than two places")
    return cents if cents else Decimal("0.00")


def format_yuan(amount: Decimal) -> str:
    """Return `amount` with thousands separators and two places, as on screens and papers: 1,025.00."""
    return f"{yuan(amount):,.2f}"


def split(
    amount: Decimal,
    parts: Sequence[tuple[str, Fraction]],
    rounding: Rounding = "personal_down",
) -> dict[str, Decimal]:
    """Split `amount` among payers so that the parts add up to it to the cent.

    `parts` names payers with fractions that sum to 1, governments from the highest level down. The personal
    share is rounded down, or half up, as the plan's setting `money.rounding` says; each government share is
    rounded down and what is left goes to the first government. 355.55 halved is 177.77 personal and 177.78
    government; halved between county and township it is 177.78 county and 177.77 township.
    Raises MoneyError for a negative amount, fractions that do not sum to 1, or a payer named twice.
    """
    cents = int(yuan(amount) * 100)
    shares: Mapping[str, Fraction] = dict(parts)
    if cents < 0 or len(shares) != len(parts) or any(share < 0 for share in shares.values()):
        raise MoneyError("amount and fractions must not be negative, payers not repeated")
    if sum(shares.values(), Fraction(0)) != 1:
        raise MoneyError("fractions must sum to 1")
    result: dict[str, int] = {}
    for payer, share in shares.items():
        exact = cents * share
        up = payer == PERSONAL and rounding == "personal_half_up"
        result[payer] = int(exact + Fraction(1, 2)) if up else int(exact)
    rest = cents - sum(result.values())
    if rest:
        others = [payer for payer, share in shares.items() if payer != PERSONAL and share]
        result[others[0] if others else PERSONAL] += rest
    return {payer: (Decimal(value) / 100).quantize(_CENT) for payer, value in result.items()}


def _group_in_words(number: int) -> str:
    """Write 1 to 9999 in capitals, one 零 for zeros in between, none at the end."""
    words = ""
    gap = False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            words += ("零" if gap and words else "") + _DIGITS[digit] + _PLACES[place]
            gap = False
        else:
            gap = True
    return words


def _integer_in_words(number: int) -> str:
    words = ""
    gap = False
    for index in (3, 2, 1, 0):
        group = number // 10 ** (4 * index) % 10_000
        if not group:
            gap = bool(words)
            continue
        if words and (gap or group < 1000):
            words += "零"
        unit = "万" if index == 3 and number // 10**8 % 10_000 else _GROUPS[index]
        words += _group_in_words(group) + unit
        gap = False
    return words


def in_words(amount: Decimal) -> str:
    """Write an amount in Chinese capitals as on receipts: 350 is 人民币叁佰伍拾元整.

    整 follows 元 and 角 and never 分; zeros in a row are written once; 零 stands between 元 and 分 when there
    are no 角. A negative amount begins with 负. Source: the payment rules for filling in bills
    (支付结算办法 附一).
    """
    value = yuan(amount)
    cents = int(abs(value) * 100)
    whole, jiao, fen = cents // 100, cents // 10 % 10, cents % 10
    words = "人民币" + ("负" if value < 0 else "")
    if whole:
        words += _integer_in_words(whole) + "元"
    elif not cents:
        return words + "零元整"
    if jiao:
        words += _DIGITS[jiao] + "角"
    if not fen:
        return words + "整"
    if whole and not jiao:
        words += "零"
    return words + _DIGITS[fen] + "分"
