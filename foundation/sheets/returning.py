"""Errors back: the rejected rows in the sender's own layout, with one more column that says why."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import xlsxwriter

from foundation.sheets.reading import Table, normalise_header, open_table
from foundation.sheets.synonyms import ERROR_HEADER
from foundation.sheets.writing import clean_text


def _display_width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def write_errors(
    source: Path | str | Table, target: Path | str | BinaryIO, messages: Mapping[int, str]
) -> int:
    """Write the rows that were rejected, ready to correct and upload again; return how many.

    `source` is the file that came in, or the table opened from it (keep it when a saved mapping was used);
    `messages` gives the reason for each rejected row by its number in that file. The titles and the header
    come first, then the faulty rows in their order, every cell as text in its own column, and 错误原因 at
    the end. A file that comes back a second time has its old reasons replaced.
    """
    table = source if isinstance(source, Table) else open_table(source)
    known = [normalise_header(header) for header in table.headers]
    column = known.index(ERROR_HEADER) if ERROR_HEADER in known else len(table.headers)
    book = xlsxwriter.Workbook(
        str(target) if isinstance(target, Path) else target,
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False},
    )
    written = 0
    try:
        text = book.add_format({"num_format": "@"})
        head = book.add_format({"bold": True, "num_format": "@"})
        reason = book.add_format({"num_format": "@", "font_color": "#B3261E"})
        page = book.add_worksheet()
        for index, header in enumerate(table.headers):
            page.set_column(index, index, min(max(_display_width(header) + 4, 10), 24))
        page.set_column(column, column, 60)
        row = 0
        for number, cells in table.raw_rows():
            if number > table.header_row and number not in messages:
                continue
            style = head if number <= table.header_row else text
            for index, cell in enumerate(cells):
                if cell and index != column:
                    page.write_string(row, index, clean_text(cell), style)
            if number == table.header_row:
                page.write_string(row, column, ERROR_HEADER, head)
            elif number in messages:
                page.write_string(row, column, clean_text(messages[number]), reason)
                written += 1
            row += 1
        page.ignore_errors({"number_stored_as_text": f"A1:XFD{row + 1}"})
    finally:
        book.close()
    return written
