"""Worksheets read as a stream and by the general parser: the same rows, whoever wrote them, or the stream says no."""

from __future__ import annotations

import io
import tempfile
from datetime import datetime
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.parsing.limits import Limits
from foundation.parsing.plain import NotPlain
from foundation.parsing.workbook import Workbook
from tests.corpus.packages import MAIN, package

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12),
    st.sampled_from(
        [
            "",
            " 张 ",
            "\u3000李\u3000",
            "a&b<c>\"'",
            "x\ny",
            "_x0041_",
            "&amp;",
            "是",
            "0007",
            "=1+1",
            "  ",
            "𬀩㛃",
        ]
    ),
)
VALUES = st.one_of(
    st.none(),
    TEXTS,
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.datetimes(datetime(1901, 1, 1), datetime(2199, 12, 31)).map(lambda day: day.replace(microsecond=0)),  # noqa: DTZ001
)
ROWS = st.lists(st.lists(VALUES, max_size=6), max_size=8)
AREAS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2), st.integers(0, 2)), max_size=2
)


def by_openpyxl(rows: list[list[Any]], areas: list[tuple[int, int, int, int]]) -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    for y, row in enumerate(rows, start=1):
        for x, value in enumerate(row, start=1):
            if value is not None:
                cell = page.cell(y, x, value)
                if isinstance(value, str):
                    cell.data_type = "s"
    seen: set[tuple[int, int]] = set()
    for top, left, down, right in areas:
        cells = {(y, x) for y in range(top, top + down + 1) for x in range(left, left + right + 1)}
        if not cells & seen and len(cells) > 1:
            seen |= cells
            page.merge_cells(start_row=top, start_column=left, end_row=top + down, end_column=left + right)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def by_xlsxwriter(rows: list[list[Any]], options: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True, **options}
    )
    page = book.add_worksheet()
    line, day = book.add_format({"border": 1}), book.add_format({"num_format": "yyyy年m月d日 hh:mm:ss"})
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            if value is None:
                page.write_blank(y, x, None, line)
            elif isinstance(value, datetime):
                page.write_datetime(y, x, value, day)
            elif isinstance(value, int) and not isinstance(value, bool):
                page.write_number(y, x, float(value))
            else:
                page.write(y, x, value)
    book.close()
    return out.getvalue()


def trimmed(lines: list[bytes]) -> list[list[str]]:
    """Rows without the blank and covered cells and rows at their ends, which programs write or leave out as they like."""
    rows = [line.decode().split("\x1f") for line in lines]
    for row in rows:
        row[0] = row[0].removeprefix("\ufdd3")  # says that one of the cells has a sign
        while row and row[-1][:1] in ("", "\ufdd2"):
            row.pop()
    while rows and not rows[-1]:
        rows.pop()
    return rows


def both(data: bytes) -> tuple[list[list[str]] | None, list[list[str]]]:
    """What the stream says (None when it says no), and what the general parser says."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        book = Workbook(file, Limits())
        sheet = book.sheets[0]
        seen = book._look(sheet)
        assert seen is not None
        try:
            stream = trimmed(list(book._plain(sheet, seen))) if seen.plain else None
        except NotPlain:
            stream = None
        return stream, trimmed(list(book._cells(sheet)))


@settings(max_examples=150)
@given(ROWS, AREAS)
def test_what_openpyxl_writes_is_read_alike(
    rows: list[list[Any]], areas: list[tuple[int, int, int, int]]
) -> None:
    """Texts of any kind, numbers, days, truths, merged cells: one answer."""
    stream, general = both(by_openpyxl(rows, areas))
    assert stream == general


@settings(max_examples=100)
@given(ROWS, st.booleans())
def test_what_xlsxwriter_writes_is_read_alike(rows: list[list[Any]], constant: bool) -> None:
    """Shared texts and texts inside the cells, blank cells with a format."""
    stream, general = both(by_xlsxwriter(rows, {"constant_memory": constant, "in_memory": not constant}))
    assert stream == general


def sheet(data: str) -> bytes:
    return package({"名单": f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'})


@pytest.mark.parametrize(
    "data",
    [
        '<row r="1"><c r="A1"><f>1+1</f><v>2</v></c><c r="B1" t="str"><f>"a"</f><v></v></c></row>',
        '<row r="1"><c r="A1"><f>1+1</f></c><c r="B1"><f>1</f><v></v></c><c r="C1" t="n"><f t="shared" si="0"/></c></row>',
        '<row r="1"><c r="A1" t="e"><v>#N/A</v></c><c r="B1" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>',
        '<row r="2" spans="1:3"><c r="C2"><v>1</v></c></row><row r="5"/><row r="7"><c r="A7"><v>0.10</v></c></row>',
        '<row r="1"><c r="A1" s="0"></c><c r="B1"/><c r="C1"><v/></c><c r="D1"><v>1E3</v></c></row>',
        '<row r="1"><c r="A1" t="inlineStr"><is><t xml:space="preserve"> a &#20013; </t></is></c></row>',
        "",
    ],
)
def test_what_programs_write_of_formulas_gaps_and_blanks_is_read_alike(data: str) -> None:
    stream, general = both(sheet(data))
    assert stream == general


@pytest.mark.parametrize(
    "data",
    [
        '<row r="1"><c t="n" r="A1"><v>1</v></c></row>',
        '<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>2</v></c></row>',
        '<row r="2"><c r="A2"><v>1</v></c></row><row r="1"><c r="A1"><v>2</v></c></row>',
        "<row><c><v>1</v></c></row>",
        '<row r="1"><c r="A1" t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c></row>',
        '<row r="1"><!-- x --><c r="A1"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v><![CDATA[1]]></v></c></row>',
        '<row r="1"><c r="A1" t="d"><v>2022-09-01</v></c></row>',
    ],
)
def test_what_is_written_otherwise_is_left_to_the_general_parser(data: str) -> None:
    stream, _general = both(sheet(data))
    assert stream is None


def test_a_sheet_that_stops_being_plain_goes_on_where_it_was() -> None:
    """The first rows come from the stream, the rest from the general parser: none twice, none lost."""
    plain = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in range(1, 90_001))
    odd = '<row r="90001"><c t="n" r="A90001"><v>90001</v></c></row>'
    with tempfile.TemporaryFile() as file:
        file.write(sheet(plain + odd))
        file.flush()
        file.seek(0)
        book = Workbook(file, Limits())
        assert list(book.lines(book.sheets[0])) == [str(n).encode() for n in range(1, 90_002)]
