"""Fonts of our papers, and text in them: every character that any of the fonts has is drawn.

Names hold characters that no single free font has. A string is therefore cut into runs, each in the first
font of its chain that knows its characters; what none knows is drawn as 〓, as printers do, and can be
asked for before a paper goes out with `missing_characters`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

REGULAR: Final = "NotoSansSC-Regular"
BOLD: Final = "NotoSansSC-Bold"
RARE: Final = "NotoSansCJKsc-Rare"
UNKNOWN: Final = "〓"

_DIRECTORY: Final = Path(__file__).with_name("fonts")
_CHAINS: Final = {REGULAR: (REGULAR, RARE), BOLD: (BOLD, REGULAR, RARE)}
# Selectors pick a variant of the character before them; without them the standard form is drawn.
_IGNORED: Final = frozenset(map(chr, (0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10))))


_BEYOND_BMP: Final = re.compile(r"(?<= <)[0-9A-F]{5,6}(?=>)")


class _Font(TTFont):
    """A font whose rare characters can be copied and searched.

    The library writes a character beyond the basic plane as five digits where the format wants UTF-16; readers
    then lose it.
    """

    def addObjects(self, doc: Any) -> None:  # noqa: N802 the library's name
        super().addObjects(doc)
        for key, stream in doc.idToObject.items():
            if str(key).startswith("toUnicodeCMap:") and isinstance(stream.content, str):
                stream.content = _BEYOND_BMP.sub(
                    lambda found: chr(int(found[0], 16)).encode("utf-16-be").hex().upper(), stream.content
                )


@lru_cache(maxsize=3)
def _characters(font: str) -> frozenset[str]:
    """Register a font on first use and return the characters it has."""
    made = _Font(font, str(_DIRECTORY / f"{font}.ttf"))
    pdfmetrics.registerFont(made)
    return frozenset(map(chr, made.face.charToGlyph))


def _is_ignored(char: str) -> bool:
    return char in _IGNORED or "\U000e0100" <= char <= "\U000e01ef"


def missing_characters(text: str) -> str:
    """Return the characters of `text` that none of the fonts has, each once, in order."""
    known = [_characters(font) for font in _CHAINS[BOLD]]
    unknown = (
        char
        for char in text
        if not char.isspace() and not _is_ignored(char) and not any(char in font for font in known)
    )
    return "".join(dict.fromkeys(unknown))


@lru_cache(maxsize=4096)
def runs(text: str, font: str = REGULAR) -> tuple[tuple[str, str], ...]:
    """Cut `text` into (font, run) pairs along the chain of `font`."""
    chain = _CHAINS[font]
    first = _characters(chain[0])
    if first.issuperset(text):
        return ((font, text),) if text else ()
    result: list[tuple[str, str]] = []
    for char in text:
        if _is_ignored(char):
            continue
        for candidate in chain:
            if char in _characters(candidate):
                break
        else:
            candidate, char = chain[0], " " if char.isspace() else UNKNOWN
        if result and result[-1][0] == candidate:
            result[-1] = (candidate, result[-1][1] + char)
        else:
            result.append((candidate, char))
    return tuple(result)


def width(text: str, size: float, font: str = REGULAR) -> float:
    """Return the width of `text` in points."""
    return float(sum(pdfmetrics.stringWidth(run, name, size) for name, run in runs(text, font)))


def draw(canvas: Canvas, x: float, y: float, text: str, size: float, font: str = REGULAR) -> float:
    """Draw `text` from its left end on the baseline `y`; return the x behind it.

    The bold font has the common characters alone; others in a bold text are thickened, so that no name is
    half bold.
    """
    for name, run in runs(text, font):
        if font == BOLD and name != BOLD:
            canvas.saveState()
            canvas.setLineWidth(size * 0.04)
            canvas.setFont(name, size)
            canvas.drawString(x, y, run, mode=2)
            canvas.restoreState()
        else:
            canvas.setFont(name, size)
            canvas.drawString(x, y, run)
        x += pdfmetrics.stringWidth(run, name, size)
    return x


def draw_centred(canvas: Canvas, x: float, y: float, text: str, size: float, font: str = REGULAR) -> None:
    """Draw `text` around `x`."""
    draw(canvas, x - width(text, size, font) / 2, y, text, size, font)


def draw_right(canvas: Canvas, x: float, y: float, text: str, size: float, font: str = REGULAR) -> None:
    """Draw `text` so that it ends at `x`."""
    draw(canvas, x - width(text, size, font), y, text, size, font)


def fitting_size(text: str, room: float, size: float, font: str = REGULAR, smallest: float = 5.0) -> float:
    """Return the size at which `text` fits into `room` points, at most `size`, at least `smallest`."""
    taken = width(text, size, font)
    return size if taken <= room else max(smallest, size * room / taken)


_CLOSERS: Final = frozenset("，。、；：！？）》”’」』】〉…%‰")
_OPENERS: Final = frozenset("（《“‘「『【〈")


def _units(text: str) -> list[str]:
    """Split into pieces that stay on one line: words and numbers, marks with what they belong to."""
    units: list[str] = []
    for char in text:
        previous = units[-1] if units else ""
        word = (
            char.isascii() and not char.isspace() and previous[-1:].isascii() and not previous[-1:].isspace()
        )
        if previous and (char in _CLOSERS or word or previous[-1] in _OPENERS):
            units[-1] += char
        else:
            units.append(char)
    return units


def wrap(text: str, room: float, size: float, font: str = REGULAR, *, indent: float = 0) -> list[str]:
    """Break `text` into lines of `room` points, the first shorter by `indent`, as Chinese is set.

    No line begins with a closing mark or ends with an opening one; numbers and words are kept whole unless
    they alone are wider than the room.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line, taken, space = "", 0.0, room - indent
        for unit in _units(paragraph):
            needed = width(unit, size, font)
            if needed > room:
                for char in unit:
                    step = width(char, size, font)
                    if line and taken + step > space:
                        lines.append(line)
                        line, taken, space = "", 0.0, room
                    line, taken = line + char, taken + step
                continue
            if line and taken + needed > space:
                lines.append(line.rstrip())
                line, taken, space = "", 0.0, room
                if unit.isspace():
                    continue
            line, taken = line + unit, taken + needed
        lines.append(line.rstrip())
        indent = 0
    return lines
