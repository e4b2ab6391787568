"""Notes on cells (批注): what stands on the sender's own ones, and ours on the faulty cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape

from foundation.sheets.marking.names import MAIN, column_name, column_of, main, parse

MOST: Final = 1000
"""More notes than this make a sheet slow, and nobody reads them: the fill and the reason stay."""
_WIDE, _HIGH = 2, 4  # columns and rows a note covers


def read_notes(data: bytes) -> dict[tuple[int, int], str]:
    """The sender's notes as plain text, by (row from 1, column from 0)."""
    found: dict[tuple[int, int], str] = {}
    for comment in parse(data).iter(main("comment")):
        reference = comment.get("ref", "")
        column = column_of(reference)
        text = "".join(node.text or "" for node in comment.iter(main("t")))
        if column is not None and text and len(found) < MOST:
            found[int("".join(filter(str.isdigit, reference))), column] = text
    return found


def comments_part(notes: Mapping[tuple[int, int], str], author: str) -> bytes:
    """The text of the notes."""
    rows = "".join(
        f'<comment ref="{column_name(column)}{row}" authorId="0"><text><r><rPr><sz val="10"/></rPr>'
        f'<t xml:space="preserve">{escape(text)}</t></r></text></comment>'
        for (row, column), text in sorted(notes.items())
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<comments xmlns="{MAIN}"><authors><author>{escape(author)}</author></authors>'
        f"<commentList>{rows}</commentList></comments>"
    ).encode()


def drawing_part(notes: Mapping[tuple[int, int], str]) -> bytes:
    """Their boxes, which spreadsheet programs want beside the text; hidden until the cell is pointed at."""
    shapes = "".join(
        f'<v:shape id="_x0000_s{1025 + index}" type="#_x0000_t202" style="position:absolute;margin-left:60pt;'
        f'margin-top:1.5pt;width:144pt;height:60pt;z-index:{index + 1};visibility:hidden" fillcolor="#ffffe1"'
        ' o:insetmode="auto"><v:fill color2="#ffffe1"/><v:shadow color="black" obscured="t"/>'
        '<v:path o:connecttype="none"/><v:textbox style="mso-direction-alt:auto"/>'
        '<x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/>'
        f"<x:Anchor>{column + 1}, 12, {max(row - 2, 0)}, 6, {column + 1 + _WIDE}, 12, {row - 2 + _HIGH}, 0</x:Anchor>"
        f"<x:AutoFill>False</x:AutoFill><x:Row>{row - 1}</x:Row><x:Column>{column}</x:Column>"
        "</x:ClientData></v:shape>"
        for index, (row, column) in enumerate(sorted(notes))
    )
    return (
        '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
        ' xmlns:x="urn:schemas-microsoft-com:office:excel"><o:shapelayout v:ext="edit">'
        '<o:idmap v:ext="edit" data="1"/></o:shapelayout><v:shapetype id="_x0000_t202" coordsize="21600,21600"'
        ' o:spt="202" path="m,l,21600r21600,l21600,xe"><v:stroke joinstyle="miter"/>'
        '<v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
        f"{shapes}</xml>"
    ).encode()
