"""Names of residents and of divisions as they are stored and compared, whatever a sender typed."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_PLAIN: Final = re.compile(r"[\u4e00-\u9fef]{2,6}")
# Spaces, marks nobody sees, and selectors of a character's shape: the character is the same.
_NOISE: Final = re.compile(
    r"[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad\ufe00-\ufe0f\U000e0100-\U000e01ef]+"
)
_LETTERS: Final = re.compile(r"[A-Za-z]")
_POINTS: Final = re.compile(r"[·•‧・∙⋅․.●∘◦⸱⸳᛫˙ᆞ⦁]+")
_WRITTEN_OUT: Final = re.compile(r"&\s*(?:middot|bull|#0*183|#0*8226|#x0*b7)\s*;", re.IGNORECASE)
# What is left of a character that some system could not write: its stand-in. Spread over a name it was masked.
_LOST: Final = re.compile(r"[\ufffd?□〓■*]")
_PRIVATE: Final = re.compile(r"[\ue000-\uf8ff\U000f0000-\U0010ffff]")

# Radicals that Unicode does not itself map to the character they look like (Kangxi radicals are mapped by
# NFKC).
_RADICALS: Final = dict(
    zip(
        "⺁⺇⺊⺒⺓⺝⺟⺠⺩⺪⺫⺮⺶⺻⺼⻁⻄⻅⻆⻉⻊⻋⻌⻑⻒⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳",
        "厂几卜巳幺月母民王疋罒竹羊聿肉虎西见角贝足车辶長镸长门青韦页风飞食马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟",
        strict=True,
    )
)
# Characters that older encodings kept in the private-use area and Unicode has since given a place.
_PRIVATE_USE: Final = {
    "\ue816": "\U00020087",
    "\ue817": "\U00020089",
    "\ue818": "\U000200cc",
    "\ue81e": "\u9fb4",
    "\ue826": "\u9fb5",
    "\ue82b": "\u9fb6",
    "\ue82c": "\u9fb7",
    "\ue831": "\U000215d7",
    "\ue832": "\u9fb8",
    "\ue83b": "\U0002298f",
    "\ue843": "\u9fb9",
    "\ue854": "\u9fba",
    "\ue855": "\U000241fe",
    "\ue863": "\u4dae",
    "\ue864": "\u9fbb",
}
_CHARACTERS: Final = str.maketrans(_RADICALS | _PRIVATE_USE)

_DIVISION_SUFFIXES: Final = (
    "社区居民委员会",
    "社区居委会",
    "村村民委员会",
    "村民委员会",
    "居民委员会",
    "村委会",
    "居委会",
    "社区",
)
_TOWNSHIP_SUFFIXES: Final = (
    ("街道办事处", "街道"),
    ("街道办", "街道"),
    ("镇人民政府", "镇"),
    ("镇政府", "镇"),
    ("乡人民政府", "乡"),
    ("乡政府", "乡"),
    ("开发区管委会", "开发区"),
    ("开发区管理委员会", "开发区"),
)


def normalise_name(raw: str) -> str:
    """Return a resident's name as it is stored.

    Spaces go (inside Chinese names; names in letters keep single ones), full-width becomes half-width,
    radicals and private-use characters become the ideographs they stand for, every dot between parts
    becomes ·, also one that a web page wrote as &middot;. Rare ideographs are kept as they are, and so are private
    characters nobody has placed. Applying it twice changes nothing.
    """
    if _PLAIN.fullmatch(raw):
        return raw
    text = unicodedata.normalize("NFKC", raw.translate(_CHARACTERS)).translate(_CHARACTERS)
    if "&" in text:
        text = _WRITTEN_OUT.sub("·", text)
    if _LETTERS.search(text):
        return " ".join(_NOISE.sub(" ", text).split())
    return _POINTS.sub("·", _NOISE.sub("", text)).strip("·")


def has_lost_characters(name: str) -> bool:
    """Whether something stands in a name instead of a character: a question mark, a box, a star, U+FFFD."""
    return _LOST.search(name) is not None


def has_private_characters(name: str) -> bool:
    """Whether a character of a name has no place in Unicode: it is shown where its font is, nowhere else."""
    return _PRIVATE.search(name) is not None


def _plain_division(raw: str) -> str:
    return _NOISE.sub("", unicodedata.normalize("NFKC", raw.translate(_CHARACTERS)))


def _without_suffix(text: str) -> str:
    for suffix in _DIVISION_SUFFIXES:
        stem = text.removesuffix(suffix)
        if stem and stem != text:
            # 桑村民委员会 is the committee of 桑村 and not of 桑.
            return stem + "村" if len(stem) == 1 and suffix.startswith("村") else stem
    return text[:-1] if len(text) > 2 and text.endswith("村") else text


def normalise_division(raw: str) -> str:
    """Return what people call a village or community: 柳泉村委会 and 柳泉村 are both 柳泉.

    村 is kept when only one character would remain (桑村村委会 is 桑村). Applying it twice changes nothing.
    """
    text = _plain_division(raw)
    while (shorter := _without_suffix(text)) != text:
        text = shorter
    return text


def normalise_township(raw: str) -> str:
    """Return a township's name without the name of its office: 山城街道办事处 is 山城街道."""
    text = _plain_division(raw)
    for suffix, kept in _TOWNSHIP_SUFFIXES:
        if text.endswith(suffix) and text != suffix:
            return text.removesuffix(suffix) + kept
    return text
