"""Names that look like formulas travel in and out as text, whichever way."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from pathlib import Path

import openpyxl
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.names import normalise_name
from foundation.sheets import Column, Fault, Layout, open_table, write_errors, write_official
from foundation.sheets.writing import clean_text

# What a spreadsheet program takes for the beginning of a formula, and then anything a person or a thief may write.
PAYLOADS = st.builds(
    str.__add__,
    st.sampled_from(
        [
            "=",
            "+",
            "-",
            "@",
            "\t=",
            "＝",
            "＋",
            "－",
            "＠",
            "'=",
            " =",
            "=cmd|' /C calc'!",
            "http://",
            "file:///",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x1e\x1f"), max_size=20),
)
LAYOUT = Layout("test", (Column("name", "姓名", 12), Column("number", "身份证号", 20)))
NUMBER = "11010519491231002X"


def shown(text: str) -> str:
    """What a cell can show of a text: no control characters, no spaces around it."""
    return clean_text(text).strip()


def parts(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return "".join(
            archive.read(name).decode()
            for name in archive.namelist()
            if name.startswith("xl/worksheets/sheet")
        )


@settings(max_examples=25)
@given(st.lists(PAYLOADS, min_size=1, max_size=12))
def test_an_official_workbook_holds_them_as_text_and_gives_them_back(names: list[str]) -> None:
    """Out and in again: the same texts, no formula, no link."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roster.xlsx"
        write_official(path, LAYOUT, [{"name": name, "number": NUMBER} for name in names], title="名单")
        cells = [row[1] for row in openpyxl.load_workbook(path).active.iter_rows(min_row=4)]
        assert {cell.data_type for cell in cells if cell.value} <= {"s"}
        assert "<f>" not in parts(path)
        assert "hyperlink" not in parts(path)
        table = open_table(path)
        back = [record["name"] for _number, record in table.rows() if isinstance(record, dict)]
        table.source.close()
    assert back == [shown(name) for name in names]


@settings(max_examples=25)
@given(st.lists(PAYLOADS, min_size=1, max_size=8), st.booleans())
def test_they_go_back_to_their_sender_as_text(names: list[str], packed: bool) -> None:
    """As delimited text or as a workbook they come in and go back with the reason; sent again they say the same."""
    with tempfile.TemporaryDirectory() as folder:
        sent, back = Path(folder) / "sent", Path(folder) / "back.xlsx"
        rows = [["姓名", "身份证号"], *([name, NUMBER] for name in names)]
        if packed:
            write_official(sent, LAYOUT, [{"name": name, "number": NUMBER} for name in names], title="名单")
        else:
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            sent.write_bytes(text.getvalue().encode())
        first = 4 if packed else 2
        faults = {first + n: Fault(f"=原因{n}", {1 if packed else 0: "@x"}) for n in range(len(names))}
        assert write_errors(sent, back, faults) == len(names)
        assert "<f>" not in parts(back)
        table = open_table(back)
        found = [record["name"] for _number, record in table.rows() if isinstance(record, dict)]
        table.source.close()
    assert found == [shown(name) for name in names]


@given(PAYLOADS)
def test_as_names_they_stay_what_they_are(name: str) -> None:
    """Stored they keep their first sign, in one width, and stay the same however often they are read."""
    once = normalise_name(name)
    assert normalise_name(once) == once
    assert once[:1] in "=+-@'hf"
