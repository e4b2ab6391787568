"""ID numbers: read what people type, check it, and make valid ones for synthetic data.

The rule is GB 11643-1999: six digits of region, eight of birth date, three of sequence (odd is male) and one
check character, where the weighted sum modulo 11 is 1. Region codes are not looked up: counties were merged
and renumbered, and a resident keeps the code of the county as it was at birth.

`read_number` is called once per row of a file with more than a million rows. Its fast path is therefore three
table look-ups and one comparison; everything people do to a number in a spreadsheet is undone on the slow
path.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Final, Literal, NamedTuple

from django.utils.translation import gettext as _

Sex = Literal["male", "female"]
NumberError = Literal[
    "",
    "empty",
    "bad_length",
    "bad_characters",
    "bad_date",
    "bad_check_digit",
    "scientific_notation",
    "masked",
]

EARLIEST_BIRTH: Final = date(1880, 1, 1)

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK: Final = "10X98765432"


class ParsedNumber(NamedTuple):
    """One reading of an ID number.

    `number` is the 18-character form and `error` is empty when the number holds; otherwise `number` is empty,
    `birth_date` and `sex` are None, and `error` is one of the codes of `NumberError`.
    """

    number: str
    birth_date: date | None
    sex: Sex | None
    error: NumberError

    @property
    def ok(self) -> bool:
        """Whether the number may be stored."""
        return not self.error

    @property
    def message(self) -> str:
        """What to tell the sender, in the language of the reader; empty when the number holds."""
        return error_message(self.error)


def error_message(error: NumberError) -> str:
    """Return the sentence for a code; no digit of the number is in it, so that it may be logged."""
    if error == "":
        return ""
    if error == "empty":
        return _("没有填身份证号")
    if error == "bad_length":
        return _("身份证号位数不对，应为18位")
    if error == "bad_characters":
        return _("身份证号里有不该有的字符，应为17位数字加一位数字或X")
    if error == "bad_date":
        return _("身份证号里的出生日期不存在，或晚于今天")
    if error == "masked":
        return _("身份证号打了星号（脱敏），认不出是谁；请用号码完整的表")
    if error == "bad_check_digit":
        return _("身份证号校验位不对，请照身份证核对")
    return _("身份证号被表格软件变成了数字，末几位已经丢失，无法还原；请把该列设为文本后重新填写")


class _PrefixSums(dict[str, int]):
    """Weighted sum of the six region digits, remembered per region."""

    def __missing__(self, prefix: str) -> int:
        if len(prefix) != 6 or not (prefix.isascii() and prefix.isdigit()):
            raise KeyError(prefix)
        if len(self) > 50_000:  # a file of rubbish must not fill the memory
            self.clear()
        total = self[prefix] = sum(w * int(d) for w, d in zip(_WEIGHTS[:6], prefix, strict=True))
        return total


class _Days(dict[str, tuple[int, date]]):
    """Weighted sum and date of the eight birth digits; only days that exist are remembered."""

    def __missing__(self, digits: str) -> tuple[int, date]:
        if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
            raise KeyError(digits)
        try:
            day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        except ValueError:
            raise KeyError(digits) from None
        if day < EARLIEST_BIRTH:
            raise KeyError(digits)
        total = sum(w * int(d) for w, d in zip(_WEIGHTS[6:14], digits, strict=True))
        entry = self[digits] = (total, day)
        return entry


def _tails() -> dict[str, tuple[int, Sex]]:
    """All 11,000 endings that can occur: three sequence digits and a check character."""
    table: dict[str, tuple[int, Sex]] = {}
    for sequence in range(1000):
        digits = f"{sequence:03d}"
        total = sum(w * int(d) for w, d in zip(_WEIGHTS[14:], digits, strict=True))
        sex: Sex = "male" if sequence % 2 else "female"
        for check in "0123456789X":
            table[digits + check] = (total + (10 if check == "X" else int(check)), sex)
    # No sequence is 000; an ending of 0000 is what a spreadsheet leaves of a number it has rounded to 15
    # digits.
    del table["0000"]
    return table


_PREFIXES: Final = _PrefixSums()
_DAYS: Final = _Days()
_TAILS: Final = _tails()

_NOISE: Final = re.compile(r"[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff'`´‘’\"“”]+")
_BETWEEN_DIGITS: Final = re.compile(r"[-‐‑–—−,]")
_POINT_ZERO: Final = re.compile(r"(\.0*)+$")
_SCIENTIFIC: Final = re.compile(r"^\d(\.\d*)?E\+?\d+$")
_MASKED: Final = re.compile(r"[\dX]*\*{3,}[\dX*]*")
# Keys that look like X, and its lower case. Letters of other kinds stay: they are no part of a number.
_LETTERS: Final = {code: code - 32 for code in range(ord("a"), ord("z") + 1)} | {
    ord("×"): "X",
    ord("Х"): "X",  # Cyrillic
    ord("х"): "X",
    ord("Χ"): "X",  # Greek
    ord("χ"): "X",
}


def normalise_number(raw: str) -> str:
    """Undo what keyboards and spreadsheets do to an ID number, without judging it.

    Full-width becomes half-width, spaces, quotes and invisible characters go, x becomes X, a trailing `.0`
    goes. Applying it twice changes nothing.
    """
    text = _NOISE.sub("", unicodedata.normalize("NFKC", raw)).translate(_LETTERS)
    return text if "E" in text else _POINT_ZERO.sub("", text)


def check_character(first17: str) -> str:
    """Return the check character that follows seventeen digits."""
    return _CHECK[sum(w * int(d) for w, d in zip(_WEIGHTS, first17, strict=True)) % 11]


def read_number(raw: str, today: date) -> ParsedNumber:
    """Read an ID number as typed and check it; births after `today` are refused.

    Fifteen-digit numbers of the first generation are completed to eighteen. Never raises.
    """
    try:
        tail_sum, sex = _TAILS[raw[14:]]
        day_sum, birth = _DAYS[raw[6:14]]
        if (tail_sum + day_sum + _PREFIXES[raw[:6]]) % 11 == 1 and birth <= today:
            return ParsedNumber(raw, birth, sex, "")
    except KeyError:
        pass
    return _read_slowly(raw, today)


def _refused(error: NumberError) -> ParsedNumber:
    return ParsedNumber("", None, None, error)


def _read_slowly(raw: str, today: date) -> ParsedNumber:
    text = _BETWEEN_DIGITS.sub("", normalise_number(raw))
    if not text:
        return _refused("empty")
    if _SCIENTIFIC.match(text):
        return _refused("scientific_notation")
    if _MASKED.fullmatch(text):
        return _refused("masked")
    body = text[:-1] if text.endswith("X") and len(text) == 18 else text
    if not (body.isascii() and body.isdigit()):
        return _refused("bad_characters")
    if len(text) == 15:
        text = text[:6] + "19" + text[6:]
        text += check_character(text)
    if len(text) != 18:
        return _refused("bad_length")
    if text.endswith("0000"):
        return _refused("scientific_notation")
    try:
        day_sum, birth = _DAYS[text[6:14]]
    except KeyError:
        return _refused("bad_date")
    if birth > today:
        return _refused("bad_date")
    tail_sum, sex = _TAILS[text[14:]]
    if (tail_sum + day_sum + _PREFIXES[text[:6]]) % 11 != 1:
        # A spreadsheet keeps fifteen digits and puts zeros for the rest.
        return _refused("scientific_notation" if text.endswith("000") else "bad_check_digit")
    return ParsedNumber(text, birth, sex, "")


def read_disability_card(raw: str, today: date) -> ParsedNumber:
    """Read the ID number out of a disability card number.

    The card is the holder's ID number, one digit for the kind, one for the grade and, when reissued, `B`
    and a count. A plain ID number is accepted too, since lists mix both.
    """
    text = normalise_number(raw)
    return read_number(text[:18] if re.fullmatch(r"\d{17}[\dX]\d\d(B\d{1,2})?", text) else text, today)


def make_number(prefix6: str, birth_date: date, sequence: int) -> str:
    """Make a valid number for synthetic data.

    `prefix6` is six digits, `sequence` 1 to 999 (odd for a man). Raises ValueError outside these.
    """
    if not (len(prefix6) == 6 and prefix6.isascii() and prefix6.isdigit()):
        raise ValueError("prefix6 must be six digits")
    if not 1 <= sequence <= 999:
        raise ValueError("sequence must be 1 to 999")
    first17 = f"{prefix6}{birth_date:%Y%m%d}{sequence:03d}"
    return first17 + check_character(first17)
