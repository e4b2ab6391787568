"""Namespaces, part names and references of a workbook's XML."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES: Final = "http://schemas.openxmlformats.org/package/2006/content-types"
_REFERENCE: Final = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d+)")


class NotMarkable(Exception):
    """The workbook is built in a way that is not copied here; an equivalent one must do."""


def parse(data: bytes) -> etree._Element:
    """A small part, without entities, network or giant texts."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(data, parser)


def main(name: str) -> str:
    """A tag of the spreadsheet namespace."""
    return f"{{{MAIN}}}{name}"


def column_of(reference: str) -> int | None:
    """The column of a reference such as ``AB12``, 0 for A; None when it is none."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return None
    number = 0
    for char in found[1].upper():
        number = number * 26 + ord(char) - 64
    return number - 1


def column_name(column: int) -> str:
    """The letters of a column, A for 0."""
    name, rest = "", column + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        name = chr(65 + digit) + name
    return name
