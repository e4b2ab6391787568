"""Small files that grow in whoever opens them."""

from __future__ import annotations

from tests.corpus.packages import package, repeated, sheet_xml
from tests.corpus.sheets import two, workbook_2003

_HEAD = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_TAIL = b"</sheetData></worksheet>"


def far_cell() -> bytes:
    return package(
        {"名单": (_HEAD + b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' + _TAIL).decode()}
    )


def giant_cell() -> bytes:
    head = _HEAD + b'<row r="1"><c r="A1" t="inlineStr"><is><t>'
    return package({"名单": repeated(b"0" * (1 << 20), 600, head=head, tail=b"</t></is></c></row>" + _TAIL)})


def many_cells() -> bytes:
    row = b"<row>" + b"<c><v>1</v></c>" * 20 + b"</row>"
    return package({"名单": repeated(row * 100, 3_750, head=_HEAD, tail=_TAIL)})


def ratio() -> bytes:
    texts = repeated(b"<si><t>0</t></si>" * 65_536, 64, head=b"<sst>", tail=b"</sst>")
    return package({"名单": sheet_xml(two())}, {"xl/sharedStrings.xml": texts})


def no_references() -> bytes:
    """Sixteen thousand columns and three hundred thousand rows, a cell each: the rectangle has billions."""
    head = _HEAD + b"<row>" + b"<c><v>1</v></c>" * 16_000 + b"</row>"
    rows = "".join(f"<row><c><v>{n * 7919 % 99991}</v></c></row>" for n in range(300_000))
    return package({"名单": (head + rows.encode() + _TAIL).decode()})


def many_parts() -> bytes:
    return package({"名单": sheet_xml(two())}, {f"customXml/item{n}.xml": b"<x/>" for n in range(3_000)})


def lying() -> bytes:
    head = _HEAD + b'<row r="1"><c r="A1" t="inlineStr"><is><t>'
    part = repeated(b"0" * (1 << 20), 20, head=head, tail=b"</t></is></c></row>" + _TAIL)
    return package({"名单": part}, claimed={"xl/worksheets/sheet1.xml": 100})


_ENTITIES = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9)
) + "]>"  # fmt: skip


def entities() -> bytes:
    return package({"名单": _ENTITIES + sheet_xml(two()).replace("居民", "&j;", 1)})


def entities_2003() -> bytes:
    return workbook_2003(two(), prolog=_ENTITIES)


def far_index() -> bytes:
    extra = '<Row ss:Index="1048576"><Cell ss:Index="16384"><Data ss:Type="String">x</Data></Cell></Row>'
    return workbook_2003(two(), extra=extra)


def nested_tables() -> bytes:
    return b"<html>" + b"<table><tr><td>" * 20_000
