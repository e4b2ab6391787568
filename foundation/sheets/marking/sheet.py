"""One sheet's XML, copied element by element from one stream to another, with marks where they belong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final
from xml.sax.saxutils import quoteattr

from lxml import etree

from foundation.sheets.marking.names import MAIN, RELATIONS, NotMarkable, column_name, column_of, main
from foundation.sheets.marking.styles import Styles
from foundation.sheets.synonyms import ERROR_HEADER

# What a table needs; the rest (drawings, links, objects, protection) stays behind.
_BEFORE: Final = ("sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols")
_AFTER: Final = (
    "mergeCells", "conditionalFormatting", "dataValidations", "printOptions", "pageMargins", "pageSetup",
    "headerFooter", "rowBreaks", "colBreaks",
)  # fmt: skip
_TAGS: Final = tuple(main(name) for name in ("worksheet", "sheetData", "row", *_BEFORE, *_AFTER))
# The formula of a drop-down or a conditional format: cells, texts, numbers and these functions; no other workbook, no
# command.
_FORMULA: Final = re.compile(r"""(?:"[^"|]*"|[\w$:.,+\-*/<>=&%!' ()])*""")
_FUNCTION: Final = re.compile(r"([A-Za-z_.][\w.]*)\s*\(")
_HARMLESS: Final = frozenset(
    {
        "AND", "OR", "NOT", "IF", "LEN", "LEFT", "RIGHT", "MID", "COUNTIF", "COUNTIFS", "COUNTA", "ISBLANK", "ISERROR",
        "ISNUMBER", "ISTEXT", "EXACT", "TRIM", "MOD", "ROW", "COLUMN", "SEARCH", "FIND", "SUMPRODUCT", "INDIRECT",
        "TODAY", "VALUE",
    }
)  # fmt: skip
_DECLARED: Final = re.compile(rb'(?: xmlns(?::[\w.-]+)?="[^"]*")+')
_COMPUTED: Final = etree.XPath("x:c[x:f or @cm or @vm]", namespaces={"x": MAIN})
_WIDTH: Final = "46"
_LINE: Final = 22
"""Characters of a reason that stand on one line of that width."""
_IGNORABLE: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Ignorable"


@dataclass(frozen=True)
class Marks:
    """What to mark on the sheet called ``sheet``. Rows count from 1, columns from 0, as the sheet itself counts.

    ``reasons`` gives the sentence of each faulty row, ``cells`` what is wrong with its single cells; ``column`` is where
    错误原因 stands, and ``came_back`` says that it stood there already. With ``hide`` the sound rows between the header
    and ``last_row`` are filtered away: they are there, in their order.
    """

    sheet: str
    header_row: int
    column: int
    last_row: int
    reasons: Mapping[int, str]
    cells: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    came_back: bool = False
    hide: bool = True


class Sheet:
    """Copies a sheet. ``marks`` is None for the sheets beside the table."""

    def __init__(self, styles: Styles, marks: Marks | None, *, notes: str = "") -> None:
        self._styles, self._marks, self._notes = styles, marks, notes
        self._number = 0
        self._seen: set[str] = set()
        self._root_names: dict[str | None, str] = {}
        self._declared = b""
        self._prefix = ""

    def copy(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Write the sheet. Raises NotMarkable for another format, etree.XMLSyntaxError for a damaged one."""
        events = etree.iterparse(
            source, ("end",), tag=_TAGS, resolve_entities=False, no_network=True, load_dtd=False
        )
        root: Any = None
        opened = False
        for _event, element in events:
            name = etree.QName(element).localname
            if root is None:
                root = element.getroottree().getroot()
                if root.tag != main("worksheet"):
                    raise NotMarkable("no worksheet")
                target.write(self._opening(root))
            if name in {"row", "sheetData"} and not opened:
                opened = True
                target.write(self._before_rows())
            if name == "row":
                target.write(self._row(element))
            elif name == "sheetData":
                target.write(self._after_rows())
            elif element.getparent() is root:
                target.write(self._part(name, element))
            if element is not root:
                _forget(element)
        if root is None or "sheetData" not in self._seen:
            raise NotMarkable("no rows")
        target.write(self._closing())

    # -- around the rows

    def _tag(self, text: str) -> bytes:
        """Markup of ours under the sender's prefix."""
        return re.sub(r"<(/?)(?=\w)", rf"<\1{self._prefix}", text).encode()

    def _opening(self, root: Any) -> bytes:
        self._root_names = dict(root.nsmap)
        if RELATIONS not in self._root_names.values():
            self._root_names["r"] = RELATIONS
        self._prefix = f"{root.prefix}:" if root.prefix else ""
        names = "".join(
            f" xmlns{f':{prefix}' if prefix else ''}={quoteattr(uri)}"
            for prefix, uri in self._root_names.items()
        )
        # Attributes under foreign prefixes stay on the rows, so the promise that they may be passed over stays too.
        for prefix, uri in self._root_names.items():
            if prefix and _IGNORABLE.startswith(f"{{{uri}}}") and (value := root.get(_IGNORABLE)):
                names += f" {prefix}:Ignorable={quoteattr(value)}"
        return (
            f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<{self._prefix}worksheet{names}>'
        ).encode()

    def _filters(self) -> bool:
        return self._marks is not None and self._marks.hide

    def _first(self) -> bytes:
        """``sheetPr`` comes before everything; a filter is told there."""
        if "sheetPr" in self._seen or not self._filters():
            return b""
        self._seen.add("sheetPr")
        return self._tag('<sheetPr filterMode="1"/>')

    def _before_rows(self) -> bytes:
        written = self._first()
        if self._marks is not None and "cols" not in self._seen:
            n = self._marks.column + 1
            written += self._tag(f'<cols><col min="{n}" max="{n}" width="{_WIDTH}" customWidth="1"/></cols>')
        return written + self._tag("<sheetData>")

    def _after_rows(self) -> bytes:
        self._seen.add("sheetData")
        written = self._tag("</sheetData>")
        marks = self._marks
        if marks is not None and marks.hide:
            last = f"{column_name(marks.column)}{marks.last_row}"
            written += self._tag(
                f'<autoFilter ref="A{marks.header_row}:{last}"><filterColumn colId="{marks.column}"><customFilters>'
                '<customFilter operator="notEqual" val=" "/></customFilters></filterColumn></autoFilter>'
            )
        return written

    def _closing(self) -> bytes:
        written = b""
        if self._marks is not None:
            written += self._tag(
                '<ignoredErrors><ignoredError sqref="A1:XFD1048576" numberStoredAsText="1"/></ignoredErrors>'
            )
        if self._notes:
            prefix = next(p for p, uri in self._root_names.items() if uri == RELATIONS)
            written += self._tag(f'<legacyDrawing {prefix}:id="{self._notes}"/>')
        return written + self._tag("</worksheet>")

    def _part(self, name: str, element: Any) -> bytes:
        before = self._first() if name != "sheetPr" else b""
        self._seen.add(name)
        for extension in list(element.iter(main("extLst"))):
            extension.getparent().remove(extension)
        if name == "sheetPr":
            element.attrib.pop("codeName", None)
            if self._filters():
                element.set("filterMode", "1")
        elif name == "dimension" and self._marks is not None:
            return before  # it grows by a column; programs count for themselves
        elif name == "sheetViews":
            self._view(element)
        elif name == "cols" and self._marks is not None:
            _widen(element, self._marks.column + 1)
        elif name == "pageSetup":
            element.attrib.pop(f"{{{RELATIONS}}}id", None)
        elif name == "conditionalFormatting" and not all(map(_harmless, element.iter(main("cfRule")))):
            return before
        elif name == "dataValidations":
            for each in list(element):
                if not _harmless(each):
                    element.remove(each)
            element.set("count", str(len(element)))
            if not len(element):
                return before
        return before + self._bytes(element)

    def _view(self, element: Any) -> None:
        for view in element.iter(main("sheetView")):
            view.attrib.pop("tabSelected", None)
            if self._marks is not None:
                view.set("tabSelected", "1")
                # It may have been left far below, where rows are hidden now.
                view.attrib.pop("topLeftCell", None)
                for pane in view.iter(main("pane")):
                    if str(pane.get("state", "")).startswith("frozen"):
                        across, down = (int(float(pane.get(name, "0"))) for name in ("xSplit", "ySplit"))
                        pane.set("topLeftCell", f"{column_name(across)}{down + 1}")

    def _bytes(self, element: Any) -> bytes:
        text = bytes(etree.tostring(element, encoding="UTF-8", with_tail=False))
        if not self._declared:
            found = _DECLARED.search(text)
            self._declared = found[0] if found else b" "
        # Every element repeats the declarations of the root; one that has its own keeps them.
        return (
            text.replace(self._declared, b"", 1) if element.nsmap.keys() <= self._root_names.keys() else text
        )

    # -- rows

    def _row(self, row: Any) -> bytes:
        number = int(row.get("r") or self._number + 1)
        self._number = number
        for cell in _COMPUTED(row):
            for formula in cell.findall(main("f")):
                cell.remove(formula)
            for name in ("cm", "vm"):
                cell.attrib.pop(name, None)
        marks = self._marks
        if marks is not None:
            if number == marks.header_row:
                row.attrib.pop("spans", None)
                _put(row, marks.column, ERROR_HEADER, self._styles.head)
            elif number > marks.header_row:
                self._mark(row, number, marks)
        return self._bytes(row)

    def _mark(self, row: Any, number: int, marks: Marks) -> None:
        if marks.came_back:
            self._take_marks_off(row, marks.column)
            row.attrib.pop("hidden", None)
        reason = marks.reasons.get(number)
        if reason is None:
            if marks.hide and number <= marks.last_row:
                row.set("hidden", "1")
            return
        for name in ("hidden", "spans"):
            row.attrib.pop(name, None)
        if len(reason) > _LINE:
            # A height somebody fixed would cut the reason off.
            for name in ("ht", "customHeight"):
                row.attrib.pop(name, None)
        for column in marks.cells.get(number, ()):
            cell, style = _cell(row, column)
            cell.set("s", str(self._styles.faulty(style)))
        _put(row, marks.column, reason, self._styles.reason)

    def _take_marks_off(self, row: Any, column: int) -> None:
        for place, cell in _placed(row):
            if place == column:
                row.remove(cell)
            elif style := int(cell.get("s") or 0):
                cell.set("s", str(self._styles.clean(style)))


def _forget(element: Any) -> None:
    element.clear(keep_tail=False)
    parent = element.getparent()
    while element.getprevious() is not None:
        del parent[0]


def _placed(row: Any) -> Iterator[tuple[int, Any]]:
    """The cells with their columns; a cell that names none stands after the one before."""
    place = -1
    for cell in list(row):
        named = column_of(cell.get("r", ""))
        place = place + 1 if named is None else named
        yield place, cell


def _cell(row: Any, column: int) -> tuple[Any, int]:
    """The cell of a column, made where there is none, with the format it has or takes from its left neighbour."""
    left, index = 0, 0
    for place, cell in _placed(row):
        if place == column:
            return cell, int(cell.get("s") or 0)
        if place > column:
            break
        left = int(cell.get("s") or 0)
        index += 1
    made = etree.SubElement(row, main("c"))
    if row.get("r"):
        made.set("r", f"{column_name(column)}{row.get('r')}")
    row.insert(index, made)
    return made, left


def _put(row: Any, column: int, text: str, styled: Any) -> None:
    cell, style = _cell(row, column)
    for child in list(cell):
        cell.remove(child)
    cell.set("t", "inlineStr")
    cell.set("s", str(styled(style)))
    holder = etree.SubElement(etree.SubElement(cell, main("is")), main("t"))
    holder.text = text


def _widen(columns: Any, number: int) -> None:
    """Give a column its width; a run of columns around it is cut in two."""
    kept: list[dict[str, str]] = []
    for each in list(columns):
        first, last = int(each.get("min", "1")), int(each.get("max", "1"))
        values = dict(each.attrib)
        columns.remove(each)
        for start, end in ((first, min(last, number - 1)), (max(first, number + 1), last)):
            if start <= end:
                kept.append(values | {"min": str(start), "max": str(end)})
    kept.append({"min": str(number), "max": str(number), "width": _WIDTH, "customWidth": "1"})
    for values in sorted(kept, key=lambda item: int(item["min"])):
        etree.SubElement(columns, main("col"), values)


def _harmless(rule: Any) -> bool:
    texts = [node.text or "" for node in rule.iter() if len(node) == 0]
    texts += [node.get("val", "") for node in rule.iter(main("cfvo"))]
    return all(
        _FORMULA.fullmatch(text) and {name.upper() for name in _FUNCTION.findall(text)} <= _HARMLESS
        for text in texts
    )
