"""A file's sheets and columns on their way in: every sheet that fits, columns in doubt asked, what was noticed said."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from openpyxl import Workbook, load_workbook

from foundation.imports.kinds import ImportRefused
from foundation.imports.models import ImportBatch, ImportMapping
from foundation.imports.services.check import check, look
from foundation.imports.services.errors import write_error_book
from foundation.imports.services.mapping import change_mapping
from foundation.imports.services.receive import Upload, receive
from foundation.imports.services.returned import samples
from foundation.jobs.models import Job
from foundation.jobs.services.run import run_job
from foundation.scope.context import places_scope
from tests.imports.office import Desk, make_desk, number_of, registration_row

Rows = Sequence[Mapping[str, Any] | Sequence[Any]]


def book_of(sheets: Mapping[str, Rows], hidden: Sequence[str] = ()) -> bytes:
    """A workbook; a row is a mapping by header (the first writes the header too) or a list of cells."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        page.sheet_state = "hidden" if name in hidden else "visible"
        headed = False
        for row in rows:
            if isinstance(row, Mapping):
                if not headed:
                    page.append(list(row))
                headed = True
                page.append(list(row.values()))
            else:
                page.append(list(row))
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def villages(**broken: str) -> bytes:
    """Two villages, each on its sheet; in the second one row is faulty. Beside them a note and a hidden copy."""
    east = [
        registration_row(),
        registration_row(姓名="李晓", 身份证号=number_of(sequence=4), 与户主关系="妻"),
    ]
    west = [
        registration_row(**{"村(居)": "西村", "身份证号": number_of(sequence=6), "姓名": "王小"}),
        registration_row(**{"村(居)": "西村", "身份证号": number_of(sequence=8), "姓名": "赵二"} | broken),
    ]
    return book_of({"说明": [["请看"]], "东村": east, "西村": west, "备份": east}, hidden=["备份"])


def test_every_sheet_that_fits_is_read_and_said(desk: Desk) -> None:
    """One sheet for each village: all go in; a sheet without the columns and a hidden one are named."""
    batch = desk.checked("registration", villages())
    assert (batch.read_count, batch.rejected_count) == (4, 0)
    table = batch.files.get().table
    assert [sheet["name"] for sheet in table["sheets"]] == ["东村", "西村"]
    assert (table["other_sheets"], table["hidden_sheets"]) == (["说明"], ["备份"])


def test_a_sheet_can_be_left_out(desk: Desk) -> None:
    """The clerk unticks one: it is not read, named beside the others, and can be ticked again."""
    batch = desk.checked("registration", villages())
    columns = {column["key"]: column["field"] for column in batch.files.get().table["columns"]}
    with places_scope(desk.cast.places):
        change_mapping(by=None, batch=batch, position=0, mapping=columns, sheets=["东村"])
        check(by=None, batch=batch, places=desk.cast.places)
        assert batch.read_count == 2
        assert batch.files.get().table["other_sheets"] == ["说明", "西村"]
        with pytest.raises(ImportRefused, match="至少留下一个"):
            change_mapping(by=None, batch=batch, position=0, mapping=columns, sheets=[])
        change_mapping(by=None, batch=batch, position=0, mapping=columns, sheets=["东村", "西村"])
        check(by=None, batch=batch, places=desk.cast.places)
        assert batch.read_count == 4


def test_rows_of_several_sheets_go_back_on_their_own_sheet(desk: Desk) -> None:
    """Faulty rows with the same row number on two sheets are told apart, on the page and in the workbook."""
    bad = "370406198505050010"
    rows = [registration_row(身份证号=bad, 姓名="甲")]
    west = [registration_row(**{"村(居)": "无名村", "身份证号": number_of(sequence=6), "姓名": "乙"})]
    batch = desk.checked("registration", book_of({"东村": rows, "西村": west}))
    assert batch.reasons == {"bad_check_digit": 1, "unknown_village": 1}
    shown = samples(batch)
    assert [(row.sheet, row.source_row) for row in shown] == [("东村", 2), ("西村", 2)]
    out = io.BytesIO()
    assert write_error_book(batch, out) == 2
    book = load_workbook(io.BytesIO(out.getvalue()))
    assert book.sheetnames == ["东村", "西村"]
    reasons = [book[name].cell(2, 12).value for name in book.sheetnames]
    assert "校验位" in reasons[0]
    assert "没有这个村居" in reasons[1]
    assert book["东村"]["H2"].comment is not None
    again = desk.checked("registration", out.getvalue())
    assert again.reasons == batch.reasons


def test_two_columns_for_one_field_are_asked(desk: Desk) -> None:
    """Which of two numbers is meant is not guessed: named with their letters; the clerk's answer is remembered."""
    clerk = desk.cast.user("township_clerk")
    row = registration_row() | {"公民身份号码": number_of(sequence=9)}
    data = book_of({"名单": [row]})
    with pytest.raises(ImportRefused) as refused:
        desk.checked("registration", data, by=clerk)
    assert refused.value.code == "ambiguous"
    assert "H列“身份证号”、L列“公民身份号码”" in str(refused.value)
    mapping = _FIELDS | {"公民身份号码": ""}
    batch = _received(desk, clerk, data)
    change_mapping(by=clerk, batch=batch, position=0, mapping=mapping)
    places = clerk.scope_places()
    with places_scope(places):
        check(by=clerk, batch=batch, places=places)
        assert (batch.accepted_count, batch.rejected_count) == (1, 0)
    assert desk.checked("registration", data, by=clerk).accepted_count == 1


_FIELDS = {
    "镇街": "township", "村(居)": "village", "村小组": "group", "户编号": "household", "户主姓名": "head",
    "与户主关系": "relation",
    "姓名": "name", "身份证号": "id_number", "联系电话": "phone",
    "险种": "insurance", "缴费档次": "tier",
}  # fmt: skip


def _received(desk: Desk, user: Any, data: bytes) -> ImportBatch:
    """Received and looked at, as a job does before it checks."""
    upload = Upload("名单.xlsx", io.BytesIO(data))
    batch = receive(by=user, terms=desk.terms("registration"), uploads=[upload])
    look(batch=batch)
    return batch


def test_columns_that_say_the_same_are_not_asked(desk: Desk) -> None:
    """A second column with the same content, a blank one, or a header that may mean many things: no question."""
    rows = [
        registration_row() | {"公民身份号码": number_of(), "人员姓名": "", "金额": "7", "证件号": "不是号码"}
    ]
    assert desk.checked("registration", book_of({"名单": rows})).accepted_count == 1


def test_two_columns_with_the_same_header_can_be_told_apart(desk: Desk) -> None:
    """Of two columns called 姓名 the clerk says which one is the person's."""
    header = [*_FIELDS, "姓名"]
    row = [*registration_row(姓名="写错的").values(), "张大山"]
    data = book_of({"名单": [header, row]})
    with pytest.raises(ImportRefused, match="姓名"):
        desk.checked("registration", data)
    batch = _received(desk, None, data)
    change_mapping(by=None, batch=batch, position=0, mapping=_FIELDS | {"姓名": "", "姓名#2": "name"})
    with places_scope(desk.cast.places):
        check(by=None, batch=batch, places=desk.cast.places)
    assert "no_name" not in {row.code for row in samples(batch)}
    with places_scope(desk.cast.places), connection.cursor() as cursor:
        cursor.execute("SELECT name FROM import_staging_registration")
        assert cursor.fetchall() == [("张大山",)]


def test_headers_nobody_knows_can_be_named_by_hand(desk: Desk) -> None:
    """The file is refused, its columns are shown all the same, and what the clerk says of them is enough."""
    names = {header: f"项目{n}" for n, header in enumerate(_FIELDS)}
    data = book_of({"名单": [{names[header]: value for header, value in registration_row().items()}]})
    with pytest.raises(ImportRefused) as refused:
        desk.checked("registration", data)
    assert refused.value.code == "no_header"
    batch = _received(desk, None, data)
    assert [column["field"] for column in batch.files.get().table["columns"]] == [""] * len(_FIELDS)
    change_mapping(
        by=None, batch=batch, position=0, mapping={names[header]: field for header, field in _FIELDS.items()}
    )
    with places_scope(desk.cast.places):
        check(by=None, batch=batch, places=desk.cast.places)
    assert batch.accepted_count == 1


def test_what_was_said_of_a_header_holds_when_another_column_joins(desk: Desk) -> None:
    """A month later the file has one column more: the headers confirmed before are still known."""
    clerk = desk.cast.user("township_clerk")
    row = registration_row()
    row["证号（甲）栏"] = row.pop("身份证号")
    batch = _received(desk, clerk, book_of({"名单": [row]}))
    fields = {("证号（甲）栏" if key == "身份证号" else key): field for key, field in _FIELDS.items()}
    change_mapping(by=clerk, batch=batch, position=0, mapping=fields)
    assert ImportMapping.objects.count() == 1
    assert (
        desk.checked("registration", book_of({"名单": [row | {"新加": "x"}]}), by=clerk).accepted_count == 1
    )


def test_rows_that_say_nothing_of_anybody_are_passed_over_and_counted(desk: Desk) -> None:
    """Numbered beforehand and never filled: left aside without an error, and said."""
    rows = [
        {"序号": n} | (registration_row() if n < 2 else dict.fromkeys(registration_row(), ""))
        for n in (1, 2, 3)
    ]
    rows[2]["镇街"] = "甲镇"
    batch = desk.checked("registration", book_of({"名单": rows}))
    assert (batch.read_count, batch.rejected_count) == (1, 0)
    assert batch.files.get().table["skipped"] == {"count": 1, "rows": [4]}


def test_broken_bytes_are_reported_by_row(desk: Desk) -> None:
    """Bytes that are no character: the row goes back where they stand in a name, and the rows are listed."""
    lines = ["|".join(registration_row())] + [
        "|".join(registration_row(姓名=name, 身份证号=number_of(sequence=n), 户主姓名=head).values())
        for name, head, n in (("好人", "甲", 1), ("坏#", "乙", 2), ("好人", "户#", 3))
    ]
    data = "\r\n".join(lines).encode("gb18030").replace(b"#", b"\xb0")
    batch = desk.checked("registration", data)
    assert batch.reasons == {"broken_characters": 1}
    assert batch.files.get().table["broken"] == {"count": 2, "rows": [3, 4]}


def test_the_page_shows_sheets_and_what_was_noticed(stack: str) -> None:
    """The columns card lists the sheets with ticks and says what was left aside."""
    desk = make_desk()
    client = Client()
    clerk = desk.cast.user("township_clerk")
    client.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")
    terms = {
        "kind": "registration",
        "plan": desk.plan.code,
        "files": SimpleUploadedFile("两村.xlsx", villages()),
    }
    answer = client.post(reverse("imports:home"), terms)
    _work()
    page = client.get(answer["Location"]).content.decode()
    for text in (
        "读哪些工作表", "东村", "西村", "没有读的工作表：说明", "隐藏的工作表没有读：备份", "读了 2 个工作表",
    ):  # fmt: skip
        assert text in page
    batch = ImportBatch.objects.get()
    columns = batch.files.get().table["columns"]
    client.post(
        reverse("imports:columns", args=[batch.pk]),
        {
            "file": "0", "sheets": "chosen", "sheet": ["西村"],
            "column": [c["key"] for c in columns], "field": [c["field"] for c in columns],
        },
    )  # fmt: skip
    _work()
    batch.refresh_from_db()
    assert batch.read_count == 2


def _work() -> None:
    job = Job.objects.filter(state="queued").latest("created_at")
    run_job(str(job.pk), worker="test")
