"""Packed workbooks made by hand, for what no spreadsheet program writes; the large ones cost nothing to make."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT: Final = "http://purl.oclc.org/ooxml/spreadsheetml/main"
_ROLES: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_STRICT_ROLES: Final = "http://purl.oclc.org/ooxml/officeDocument/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPES: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"

_CHECKED: Final = 256 << 20


class Packed(bytes):
    """Deflated bytes, with how long they say they are."""

    claimed: int = 0
    check: int = 0


def repeated(block: bytes, times: int, *, head: bytes = b"", tail: bytes = b"") -> Packed:
    """``head``, ``block`` many times and ``tail``, deflated: the block is packed once."""
    parts = []
    for data, final in ((head, False), (block, False), (tail, True)):
        pack = zlib.compressobj(9, zlib.DEFLATED, -15)
        parts.append(pack.compress(data) + pack.flush(zlib.Z_FINISH if final else zlib.Z_FULL_FLUSH))
    packed = Packed(parts[0] + parts[1] * times + parts[2])
    packed.claimed = len(head) + times * len(block) + len(tail)
    if packed.claimed < _CHECKED:  # the larger ones are refused long before their end
        packed.check = zlib.crc32(tail, zlib.crc32(block * times, zlib.crc32(head)))
    return packed


def zipped(parts: Mapping[str, bytes], *, flags: int = 0, claimed: Mapping[str, int] | None = None) -> bytes:
    """A zip. Parts that are ``Packed`` go in as they are; ``claimed`` lets a part lie about its size."""
    out, directory = io.BytesIO(), []
    for name, data in parts.items():
        if isinstance(data, Packed):
            packed, size, check = bytes(data), data.claimed, data.check
        else:
            pack = zlib.compressobj(6, zlib.DEFLATED, -15)
            packed, size, check = pack.compress(data) + pack.flush(), len(data), zlib.crc32(data)
        size = (claimed or {}).get(name, size)
        common = struct.pack("<HHHHHIII", 20, flags, 8, 0, 0x5A21, check, len(packed), size)
        path = name.encode()
        at = out.tell()
        out.write(b"PK\x03\x04" + common + struct.pack("<HH", len(path), 0) + path + packed)
        directory.append(
            b"PK\x01\x02\x14\x00" + common + struct.pack("<HHHHHII", len(path), 0, 0, 0, 0, 0, at) + path
        )
    start = out.tell()
    listed = b"".join(directory)
    out.write(listed)
    out.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(parts), len(parts), len(listed), start, 0))
    return out.getvalue()


def sheet_xml(
    rows: Sequence[Sequence[Any]], *, prefix: str = "", space: str = MAIN, references: bool = True
) -> str:
    """A worksheet with texts inside the cells, under a prefix, in another namespace or without references."""
    p = f"{prefix}:" if prefix else ""
    lines = []
    for y, row in enumerate(rows, start=1):
        cells = "".join(
            f'<{p}c{f" r=#{chr(64 + x)}{y}#".replace("#", chr(34)) if references else ""} t="inlineStr">'
            f"<{p}is><{p}t>{escape(str(value))}</{p}t></{p}is></{p}c>"
            for x, value in enumerate(row, start=1)
        )
        lines.append(f"<{p}row{f' r={chr(34)}{y}{chr(34)}' if references else ''}>{cells}</{p}row>")
    declared = f'xmlns:{prefix}="{space}"' if prefix else f'xmlns="{space}"'
    return f"<{p}worksheet {declared}><{p}sheetData>{''.join(lines)}</{p}sheetData></{p}worksheet>"


def package(
    sheets: Mapping[str, bytes | str],
    more: Mapping[str, bytes] | None = None,
    *,
    strict: bool = False,
    **options: Any,
) -> bytes:
    """A workbook around worksheets given as XML (or ``Packed``). ``more`` adds parts or replaces them."""
    space, roles = (STRICT, _STRICT_ROLES) if strict else (MAIN, _ROLES)
    numbers = range(1, len(sheets) + 1)
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>'
        for n, name in zip(numbers, sheets, strict=True)
    )
    parts: dict[str, bytes] = {
        "[Content_Types].xml": (
            f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxml'
            'formats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override'
            f' PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
            + "".join(
                f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPES}.worksheet+xml"/>'
                for n in numbers
            )
            + "</Types>"
        ).encode(),
        "_rels/.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{roles}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>'
        ).encode(),
        "xl/workbook.xml": (
            f'<workbook xmlns="{space}" xmlns:r="{roles}"><sheets>{listed}</sheets></workbook>'
        ).encode(),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            + "".join(
                f'<Relationship Id="rId{n}" Type="{roles}/worksheet" Target="worksheets/sheet{n}.xml"/>'
                for n in numbers
            )
            + "</Relationships>"
        ).encode(),
    }
    for n, xml in zip(numbers, sheets.values(), strict=True):
        parts[f"xl/worksheets/sheet{n}.xml"] = xml.encode() if isinstance(xml, str) else xml
    return zipped(parts | dict(more or {}), **options)


def with_parts(workbook: bytes, more: Mapping[str, bytes]) -> bytes:
    """A workbook with parts added or replaced."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zipped(parts | dict(more))
