"""Pinyin of names: initials to search by, and a key to sort by.

Characters with several readings take another as a surname than elsewhere (单 is shan, not dan), so the
surname is looked up first and the rest character by character. PostgreSQL has no Chinese collation
everywhere; the sort key orders by plain byte comparison instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_TABLE_FILE: Final = Path(__file__).with_name("pinyin_table.txt")
_SURNAME_FILE: Final = Path(__file__).with_name("pinyin_surnames.txt")


def _entries(file: Path) -> list[list[str]]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.split(" ") for line in lines if not line.startswith("#")]


_SURNAMES: Final = {chars: syllables for chars, *syllables in _entries(_SURNAME_FILE)}

SURNAMES: Final = {chars: syllables[0] for chars, syllables in _SURNAMES.items() if len(chars) == 1}
"""Reading of a character as a surname, where it may differ from its commonest reading."""

_COMPOUND: Final = {chars: " ".join(syllables) for chars, syllables in _SURNAMES.items() if len(chars) == 2}

COMPOUND_SURNAMES: Final = frozenset(_COMPOUND)
"""Surnames of two characters; a name of exactly these two characters is read as one of one character."""


def _load() -> tuple[dict[int, str], dict[int, str | None]]:
    syllables: dict[int, str] = {}
    for syllable, chars in _entries(_TABLE_FILE):
        syllables.update(dict.fromkeys(map(ord, chars), syllable))
    initials: dict[int, str | None] = {code: syllable[0] for code, syllable in syllables.items()}
    for code in range(128):
        char = chr(code)
        initials[code] = char.lower() if char.isalnum() else None
    return syllables, initials


class _Initials(dict[int, "str | None"]):
    """A translation table that drops what it does not know: dots, marks, characters without a reading."""

    def __missing__(self, code: int) -> None:
        return None


class _Keys(dict[int, str]):
    """A translation table to `syllable character `; unknown characters sort behind all syllables."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        self[code] = key = f"~ {char} " if not char.isspace() else ""
        return key


_SYLLABLES, _known = _load()
_INITIALS: Final = _Initials(_known)
_KEYS: Final = _Keys({code: f"{syllable} {chr(code)} " for code, syllable in _SYLLABLES.items()})
_KEYS.update({code: chr(code).lower() for code in range(128) if chr(code).isalnum()})
_SURNAME_INITIALS: Final = {char: syllable[0] for char, syllable in SURNAMES.items()}
_COMPOUND_INITIALS: Final = {
    name: "".join(syllable[0] for syllable in syllables.split()) for name, syllables in _COMPOUND.items()
}


def initials(name: str) -> str:
    """Return the first letters of a normalised name in lower case: 单小明 is sxm, 尉迟恭 is ycg.

    Letters and digits stay, dots and characters without a known reading are left out.
    """
    if len(name) > 2 and name[:2] in _COMPOUND_INITIALS:
        return _COMPOUND_INITIALS[name[:2]] + name[2:].translate(_INITIALS)
    first = _SURNAME_INITIALS.get(name[:1])
    if first is not None:
        return first + name[1:].translate(_INITIALS)
    return name.translate(_INITIALS)


def _surname_key(syllables: str, chars: str) -> str:
    return "".join(f"{syllable} {char} " for syllable, char in zip(syllables.split(), chars, strict=True))


def sort_key(name: str) -> str:
    """Return a key that sorts names as a register does: by syllable, the same characters together.

    张明 is `zhang 张 ming 明`. Compare it bytewise (collation C); tones are not told apart.
    """
    if len(name) > 2 and name[:2] in _COMPOUND:
        return (_surname_key(_COMPOUND[name[:2]], name[:2]) + name[2:].translate(_KEYS)).rstrip()
    syllable = SURNAMES.get(name[:1])
    if syllable is not None:
        return (_surname_key(syllable, name[:1]) + name[1:].translate(_KEYS)).rstrip()
    return name.translate(_KEYS).rstrip()
