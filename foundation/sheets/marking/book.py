"""The workbook around the sheets: which parts go over, and what names them."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from foundation.sheets.marking.names import (
    MAIN,
    PACKAGE,
    RELATIONS,
    TYPES,
    NotMarkable,
    column_name,
    main,
    parse,
)
from foundation.sheets.marking.notes import MOST, comments_part, drawing_part, read_notes
from foundation.sheets.marking.sheet import Marks, Sheet
from foundation.sheets.marking.styles import Styles

_WORKBOOK: Final = "xl/workbook.xml"
_DOCUMENT: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_ROLE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
# What an area of a printed page looks like; a name that computes or reaches out stays behind.
_AREA: Final = re.compile(r"(?:(?:^|,)(?:'[^'\[\]|]*'|[\w.]+)!\$?[A-Z]*\$?\d*(?::\$?[A-Z]*\$?\d*)?)+")
_PRINTED: Final = frozenset({"_xlnm.Print_Area", "_xlnm.Print_Titles"})
_AUTHOR: Final = "导入检查"
_SMALL: Final = 64 << 20
_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class _Part:
    """A sheet of the source: its name, where it stands, whether it is shown."""

    name: str
    path: str
    state: str


def mark_workbook(source: Path, target: Path | BinaryIO, marks: Sequence[Marks]) -> None:
    """Write the workbook at ``source`` with marks on the sheets they name; the first of them opens.

    The file has passed ``foundation.parsing.package``; rows are streamed, so that memory does not grow with them. Raises
    NotMarkable when it is built in a way that is not copied here; what was written to ``target`` is then of no use.
    """
    try:
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
            _Copy(old, new, marks).run()
    except (zipfile.BadZipFile, etree.XMLSyntaxError, KeyError, ValueError, UnicodeError) as error:
        raise NotMarkable(type(error).__name__) from None


class _Copy:
    def __init__(self, old: zipfile.ZipFile, new: zipfile.ZipFile, marks: Sequence[Marks]) -> None:
        self._old, self._new = old, new
        self._marks = {each.sheet: each for each in marks}
        # Programs write part names in another case than they ask for.
        self._names = {name.lower(): name for name in old.namelist()}
        self._book = parse(self._read(_WORKBOOK))
        if self._book.tag != main("workbook"):
            raise NotMarkable("another kind of workbook")
        self._related = self._relations(_WORKBOOK)

    def run(self) -> None:
        sheets = self._sheets()
        which = [index for index, sheet in enumerate(sheets) if sheet.name in self._marks]
        if not which or len(which) != len(self._marks):
            raise NotMarkable("no such sheet")
        styles = Styles(self._role("styles"))
        noted: list[int] = []
        for index, sheet in enumerate(sheets):
            marks = self._marks.get(sheet.name)
            notes = self._notes(sheet, marks) if marks else {}
            with self._open(sheet.path) as old, self._write(f"xl/worksheets/sheet{index + 1}.xml") as new:
                Sheet(styles, marks, notes="rId1" if notes else "").copy(old, new)
            if notes:
                noted.append(index)
                self._add_notes(index, notes)
        self._add("xl/styles.xml", styles.write())
        self._rest(sheets, which, noted)

    def _add_notes(self, index: int, notes: Mapping[tuple[int, int], str]) -> None:
        number = index + 1
        self._add(f"xl/comments{number}.xml", comments_part(notes, _AUTHOR))
        self._add(f"xl/drawings/vmlDrawing{number}.vml", drawing_part(notes))
        self._add(
            f"xl/worksheets/_rels/sheet{number}.xml.rels",
            _relationships(
                {
                    "rId1": ("vmlDrawing", f"../drawings/vmlDrawing{number}.vml"),
                    "rId2": ("comments", f"../comments{number}.xml"),
                }
            ),
        )

    # -- reading

    def _path(self, path: str) -> str:
        return self._names[path.lower()]

    def _open(self, path: str) -> IO[bytes]:
        return self._old.open(self._path(path))

    def _read(self, path: str) -> bytes:
        with self._open(path) as file:
            data = file.read(_SMALL + 1)
        if len(data) > _SMALL:
            raise NotMarkable("a part that should be small is not")
        return data

    def _relations(self, path: str) -> dict[str, tuple[str, str]]:
        """What a part points at: id → (role, path). Files outside the workbook are left out."""
        folder, name = posixpath.split(path)
        listed = f"{folder}/_rels/{name}.rels"
        if listed.lower() not in self._names:
            return {}
        found = {}
        for each in parse(self._read(listed)).iter(f"{{{PACKAGE}}}Relationship"):
            if each.get("TargetMode") != "External":
                path = posixpath.normpath(posixpath.join("/", folder, each.get("Target", ""))).lstrip("/")
                found[each.get("Id", "")] = (each.get("Type", "").rpartition("/")[2], path)
        return found

    def _role(self, role: str) -> bytes | None:
        path = next((path for kind, path in self._related.values() if kind == role), "")
        return self._read(path) if path.lower() in self._names else None

    def _sheets(self) -> list[_Part]:
        found = []
        for each in self._book.iter(main("sheet")):
            role, path = self._related.get(each.get(f"{{{RELATIONS}}}id", ""), ("", ""))
            if role == "worksheet":
                found.append(_Part(each.get("name", ""), path, each.get("state", "visible")))
        return found

    def _notes(self, sheet: _Part, marks: Marks) -> dict[tuple[int, int], str]:
        """Ours first: a sender's own notes stay where there is room and none of ours."""
        ours = {
            (row, column): text
            for row, cells in marks.cells.items()
            for column, text in cells.items()
            if text
        }
        kept = dict(sorted(ours.items())[:MOST])
        path = next((path for kind, path in self._relations(sheet.path).values() if kind == "comments"), "")
        if path.lower() in self._names and not marks.came_back:
            for place, text in read_notes(self._read(path)).items():
                if len(kept) < MOST:
                    kept.setdefault(place, text)
        return kept

    # -- writing

    def _write(self, path: str) -> IO[bytes]:
        part = zipfile.ZipInfo(path)
        part.compress_type = zipfile.ZIP_DEFLATED
        return self._new.open(part, "w", force_zip64=True)

    def _add(self, path: str, data: bytes) -> None:
        self._new.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)

    def _rest(self, sheets: list[_Part], marked: list[int], noted: list[int]) -> None:
        book = {f"rId{i + 1}": ("worksheet", f"worksheets/sheet{i + 1}.xml") for i in range(len(sheets))}
        types = {f"/xl/worksheets/sheet{i + 1}.xml": f"{_DOCUMENT}.worksheet+xml" for i in range(len(sheets))}
        book["rIdStyles"] = ("styles", "styles.xml")
        types["/xl/styles.xml"] = f"{_DOCUMENT}.styles+xml"
        if self._carry("sharedStrings", "xl/sharedStrings.xml"):
            book["rIdTexts"] = ("sharedStrings", "sharedStrings.xml")
            types["/xl/sharedStrings.xml"] = f"{_DOCUMENT}.sharedStrings+xml"
        theme = self._role("theme")
        if theme is not None and b":embed" not in theme and b":link" not in theme:  # pictures stay behind
            self._add("xl/theme/theme1.xml", theme)
            book["rIdTheme"] = ("theme", "theme/theme1.xml")
            types["/xl/theme/theme1.xml"] = "application/vnd.openxmlformats-officedocument.theme+xml"
        for index in noted:
            types[f"/xl/comments{index + 1}.xml"] = f"{_DOCUMENT}.comments+xml"
        types[f"/{_WORKBOOK}"] = f"{_DOCUMENT}.sheet.main+xml"
        self._add(_WORKBOOK, self._workbook(sheets, marked))
        self._add("xl/_rels/workbook.xml.rels", _relationships(book))
        self._add("_rels/.rels", _relationships({"rId1": ("officeDocument", _WORKBOOK)}))
        self._add("[Content_Types].xml", _content_types(types))

    def _carry(self, role: str, path: str) -> bool:
        """Copy a part as it is: texts hold nothing that acts."""
        found = next((path for kind, path in self._related.values() if kind == role), "")
        if found.lower() not in self._names:
            return False
        with self._open(found) as old, self._write(path) as new:
            while block := old.read(_BLOCK):
                new.write(block)
        return True

    def _workbook(self, sheets: list[_Part], marked: list[int]) -> bytes:
        old = self._book.find(main("workbookPr"))
        since = ' date1904="1"' if old is not None and old.get("date1904") in {"1", "true"} else ""
        rows = "".join(
            f'<sheet name={quoteattr(sheet.name)} sheetId="{i + 1}" r:id="rId{i + 1}"'
            + (f' state="{sheet.state}"' if sheet.state in {"hidden", "veryHidden"} else "")
            + "/>"
            for i, sheet in enumerate(sheets)
        )
        names = self._defined(len(sheets))
        for index in marked:
            marks = self._marks[sheets[index].name]
            if marks.hide:
                quoted = marks.sheet.replace("'", "''")
                area = f"'{quoted}'!$A${marks.header_row}:${column_name(marks.column)}${marks.last_row}"
                names += (
                    f'<definedName name="_xlnm._FilterDatabase" localSheetId="{index}" hidden="1">'
                    f"{escape(area)}</definedName>"
                )
        return (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><workbookPr{since}/>'
            f'<bookViews><workbookView activeTab="{marked[0]}"/></bookViews><sheets>{rows}</sheets>'
            + (f"<definedNames>{names}</definedNames>" if names else "")
            + "</workbook>"
        ).encode()

    def _defined(self, count: int) -> str:
        """Printed areas and repeated rows; they are numbered by sheet, so only where every sheet came along."""
        if count != len(list(self._book.iter(main("sheet")))):
            return ""
        kept = ""
        for each in self._book.iter(main("definedName")):
            text, place = each.text or "", each.get("localSheetId", "")
            if (
                each.get("name") in _PRINTED
                and place.isdigit()
                and int(place) < count
                and _AREA.fullmatch(text)
            ):
                kept += f'<definedName name="{each.get("name")}" localSheetId="{place}">{escape(text)}</definedName>'
        return kept


def _relationships(items: Mapping[str, tuple[str, str]]) -> bytes:
    rows = "".join(
        f'<Relationship Id="{key}" Type="{_ROLE}/{role}" Target="{path}"/>'
        for key, (role, path) in items.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<Relationships xmlns="{PACKAGE}">{rows}</Relationships>'
    ).encode()


def _content_types(parts: Mapping[str, str]) -> bytes:
    rows = "".join(f'<Override PartName="{path}" ContentType="{kind}"/>' for path, kind in parts.items())
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<Types xmlns="{TYPES}"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="vml" ContentType="application/vnd.openxmlformats-officedocument.vmlDrawing"/>'
        f"{rows}</Types>"
    ).encode()
