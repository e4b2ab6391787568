"""Sound rows to spoil, and the programs that write them: as text, by openpyxl, by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import xlsxwriter
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from foundation.identity import make_number

Row = Sequence[Any]


def number(sequence: int) -> str:
    """A valid number; odd sequences are men's."""
    return make_number("370406", date(1985, 5, 5), sequence)


def person(sequence: int, **values: Any) -> dict[str, Any]:
    """A sound registration row, another person for each sequence."""
    name = f"居民{'甲乙丙丁戊己庚辛'[sequence % 8]}"
    row = {
        "镇街": "甲镇", "村(居)": "东村", "村小组": "1组", "户编号": f"{sequence:04d}", "户主姓名": name, "与户主关系": "户主",
        "姓名": name, "身份证号": number(sequence), "联系电话": "13900000001", "险种": "城乡居民基本医疗保险", "缴费档次": "",
    }  # fmt: skip
    return row | values


def table(*rows: Mapping[str, Any]) -> list[list[Any]]:
    """Header and cells of rows."""
    return [list(rows[0]), *(list(row.values()) for row in rows)]


def two() -> list[list[Any]]:
    """The smallest sound file: two residents of one village."""
    return table(person(1), person(2))


def text(
    rows: Sequence[Row],
    *,
    mark: str = ",",
    encoding: str = "utf-8",
    newline: str = "\r\n",
    quoted: bool = True,
) -> bytes:
    """Delimited text; unquoted it is what a careless program writes."""
    if not quoted:
        return newline.join(mark.join(map(str, row)) for row in rows).encode(encoding)
    out = io.StringIO()
    csv.writer(out, delimiter=mark, lineterminator=newline).writerows(rows)
    return out.getvalue().encode(encoding)


def book(
    sheets: Mapping[str, Sequence[Row]] | Sequence[Row],
    *,
    hidden: Sequence[str] = (),
    then: Callable[[Worksheet], None] | None = None,
    at: tuple[int, int] = (1, 1),
) -> bytes:
    """A workbook as openpyxl writes it; ``then`` is done to every sheet, ``at`` is where its first cell stands."""
    named = sheets if isinstance(sheets, Mapping) else {"名单": sheets}
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in named.items():
        page = workbook.create_sheet(name)
        page.sheet_state = "hidden" if name in hidden else "visible"
        for y, row in enumerate(rows, start=at[0]):
            for x, value in enumerate(row, start=at[1]):
                if value not in (None, ""):
                    page.cell(y, x, value)
        if then is not None:
            then(page)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def written(make: Callable[[xlsxwriter.Workbook, xlsxwriter.worksheet.Worksheet], None]) -> bytes:
    """A workbook as XlsxWriter writes it."""
    out = io.BytesIO()
    workbook = xlsxwriter.Workbook(out)
    make(workbook, workbook.add_worksheet("名单"))
    workbook.close()
    return out.getvalue()


def page(rows: Sequence[Row], *, head: str = "", encoding: str = "utf-8") -> bytes:
    """A web page with a table, as bureau systems export it under the name of xls."""
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<html><head>{head}</head><body><table border=1>{lines}</table></body></html>".encode(encoding)


def workbook_2003(rows: Sequence[Row], *, prolog: str = "", extra: str = "") -> bytes:
    """An XML workbook of 2003."""
    lines = "".join(
        "<Row>" + "".join(f'<Cell><Data ss:Type="String">{cell}</Data></Cell>' for cell in row) + "</Row>"
        for row in rows
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<?mso-application progid="Excel.Sheet"?>\n{prolog}'
        '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"'
        ' xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet ss:Name="名单">'
        f"<Table>{lines}{extra}</Table></Worksheet></Workbook>"
    ).encode()
