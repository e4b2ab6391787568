"""Cell formats derived from the sender's own: the same font, border and alignment, with a mark."""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from lxml import etree

from foundation.sheets.marking.names import NotMarkable, main, parse

FAULTY: Final = "FFFBDAD7"
"""Fill of a faulty cell. Nothing else has exactly this colour, so a mark of ours is known again."""
_WRONG: Final = "FFB3261E"
_TEXT: Final = "49"  # the built-in format @
_MOST: Final = 60_000  # a workbook holds 64,000 cell formats


class Styles:
    """The style sheet of a workbook, with formats added as they are asked for."""

    def __init__(self, data: bytes | None) -> None:
        self._root = parse(data) if data else _plain()
        self._formats = self._child("cellXfs")
        self._fonts, self._fills = self._child("fonts"), self._child("fills")
        if not len(self._formats):
            etree.SubElement(self._formats, main("xf"), numFmtId="0", fontId="0", fillId="0", borderId="0")
        self._derived: dict[tuple[int, str], int] = {}
        self._red: dict[str, str] = {}
        self._fill = ""
        self._ours = {str(i) for i, fill in enumerate(self._fills) if _colour(fill) == FAULTY}
        self._marked = {i for i, xf in enumerate(self._formats) if xf.get("fillId") in self._ours}

    def _child(self, name: str) -> etree._Element:
        found = self._root.find(main(name))
        if found is None:
            raise NotMarkable(f"style sheet without {name}")
        return found

    def faulty(self, style: int) -> int:
        """The format of a cell that has to be corrected."""
        return self._derive(style, "faulty")

    def head(self, style: int) -> int:
        """The format of our column's header, beside the sender's last one."""
        return self._derive(style, "head")

    def reason(self, style: int) -> int:
        """The format of a reason: text, red, wrapped, within the row's own borders."""
        return self._derive(style, "reason")

    def clean(self, style: int) -> int:
        """The format without a mark of ours from an earlier time."""
        return self._derive(style, "clean") if style in self._marked else style

    def write(self) -> bytes:
        """The part as it goes into the workbook."""
        for name in ("cellXfs", "fonts", "fills"):
            child = self._child(name)
            child.set("count", str(len(child)))
        return bytes(etree.tostring(self._root, xml_declaration=True, encoding="UTF-8", standalone=True))

    def _derive(self, style: int, what: str) -> int:
        known = self._derived.get((style, what))
        if known is not None:
            return known
        if len(self._formats) >= _MOST:
            return style
        xf = deepcopy(self._formats[style if 0 <= style < len(self._formats) else 0])
        if what == "faulty":
            xf.set("fillId", self._fill_id())
            xf.set("applyFill", "1")
        elif what == "clean":
            xf.set("fillId", "0")
        else:
            xf.set("fontId", self._red_font(xf.get("fontId", "0")))
            xf.set("applyFont", "1")
        if what == "reason":
            self._as_reason(xf)
        self._formats.append(xf)
        number = len(self._formats) - 1
        self._derived[style, what] = number
        return number

    def _as_reason(self, xf: etree._Element) -> None:
        xf.set("numFmtId", _TEXT)
        xf.set("applyNumberFormat", "1")
        xf.set("applyAlignment", "1")
        if xf.get("fillId") in self._ours:
            xf.set("fillId", "0")
        alignment = xf.find(main("alignment"))
        if alignment is not None:
            xf.remove(alignment)
        xf.insert(0, etree.Element(main("alignment"), horizontal="left", vertical="center", wrapText="1"))

    def _fill_id(self) -> str:
        if not self._fill:
            fill = etree.SubElement(self._fills, main("fill"))
            pattern = etree.SubElement(fill, main("patternFill"), patternType="solid")
            etree.SubElement(pattern, main("fgColor"), rgb=FAULTY)
            etree.SubElement(pattern, main("bgColor"), indexed="64")
            self._fill = str(len(self._fills) - 1)
            self._ours.add(self._fill)
        return self._fill

    def _red_font(self, font: str) -> str:
        if font not in self._red:
            number = int(font) if font.isdigit() and int(font) < len(self._fonts) else 0
            copy = deepcopy(self._fonts[number]) if len(self._fonts) else etree.Element(main("font"))
            for colour in copy.findall(main("color")):
                copy.remove(colour)
            etree.SubElement(copy, main("color"), rgb=_WRONG)
            self._fonts.append(copy)
            self._red[font] = str(len(self._fonts) - 1)
        return self._red[font]


def _colour(fill: etree._Element) -> str:
    found = fill.find(f"{main('patternFill')}/{main('fgColor')}")
    return found.get("rgb", "").upper() if found is not None else ""


def _plain() -> etree._Element:
    return parse(
        b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        b'<fonts count="1"><font><sz val="11"/><name val="\xe5\xae\x8b\xe4\xbd\x93"/></font></fonts>'
        b'<fills count="2"><fill><patternFill patternType="none"/></fill>'
        b'<fill><patternFill patternType="gray125"/></fill></fills>'
        b'<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        b'<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        b'<cellXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/></cellXfs></styleSheet>'
    )
