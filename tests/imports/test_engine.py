"""The path every file takes: sealed, staged, checked, applied once, undone whole, rows back in the sender's layout."""

from __future__ import annotations

import io
import os
from datetime import date
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection
from openpyxl import Workbook, load_workbook

from enrollment.models import Household, Registration, Resident
from foundation.audit.models import AuditEvent
from foundation.encryption import DecryptionError
from foundation.imports.engine import vault
from foundation.imports.kinds import ImportRefused
from foundation.imports.models import ImportChange, ImportMapping
from foundation.imports.services.apply import apply, undo
from foundation.imports.services.check import check
from foundation.imports.services.errors import write_error_book
from foundation.imports.services.receive import abandon
from foundation.imports.services.returned import close_rows, samples
from foundation.scope.context import places_scope
from tests.imports.office import Desk, as_csv, number_of, registration_row


def test_missing_column_is_named_beside_the_headers_found(desk: Desk) -> None:
    """Wrong headers: one sentence with what is missing and what was found; nothing is staged."""
    rows = [registration_row()]
    rows[0]["身份证"] = rows[0].pop("身份证号")
    rows[0]["保险"] = rows[0].pop("险种")
    with pytest.raises(ImportRefused) as refused:
        desk.checked("registration", rows)
    assert "缺少必需的列：险种" in str(refused.value)
    assert "保险" in str(refused.value)
    assert "名单.csv" in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01\x02\x03" * 50, b"<html><table></table></html>", b"PK\x03\x04broken"]
)
def test_unreadable_files_get_one_chinese_sentence(desk: Desk, content: bytes) -> None:
    """An empty, binary, mislabelled or broken file is refused as a whole, in words."""
    with pytest.raises(ImportRefused) as refused:
        desk.checked("registration", content)
    assert any("\u4e00" <= char <= "\u9fff" for char in str(refused.value).partition("：")[2])


def test_files_are_sealed_at_rest(desk: Desk) -> None:
    """Neither a number nor a name stands in the stored file, and no plain copy stays in the work folder."""
    batch = desk.take("registration", [registration_row()])
    stored = batch.files.get().stored_as
    with default_storage.open(stored, "rb") as file:
        sealed = file.read()
    assert number_of().encode() not in sealed
    assert "张大山".encode() not in sealed
    assert "名单" not in stored
    assert b"".join(vault.read(stored)) == as_csv([registration_row()])
    assert not list((Path(settings.DATA_DIR) / "work").glob(f"import-work-{os.getpid()}-*"))


def test_a_changed_or_shortened_stored_file_is_refused(db: None) -> None:
    """Pieces carry their place: a file cut at a piece's end or with a changed byte does not open."""
    stored = vault.store(io.BytesIO(b"x" * (3 << 20)), folder="test")
    with default_storage.open(stored.name, "rb") as file:
        sealed = file.read()
    first = 4 + int.from_bytes(sealed[:4], "big")
    for wrong in (sealed[:first], sealed[first:], sealed[:100] + b"?" + sealed[101:]):
        name = default_storage.save("test/wrong", io.BytesIO(wrong))
        with pytest.raises(DecryptionError):
            list(vault.read(name))


def test_same_file_twice_changes_nothing(desk: Desk) -> None:
    """The second time everything is unchanged, whether rows went back or not."""
    rows = [
        registration_row(),
        registration_row(姓名="李晓", 身份证号=number_of(sequence=4), 与户主关系="妻"),
    ]
    faulty = registration_row(**{"村(居)": "无名村", "身份证号": number_of(sequence=6)})
    for content in (rows, [*rows, faulty]):
        first, second = desk.take("registration", content), desk.take("registration", content)
        assert (second.new_count, second.changed_count) == (0, 0)
        assert second.unchanged_count == first.accepted_count == 2
        assert second.rejected_count == first.rejected_count
    with places_scope(desk.cast.places):
        assert Resident.objects.count() == 2
        assert not ImportChange.objects.exists()


def test_a_batch_applies_once(desk: Desk) -> None:
    """An applied batch is neither checked, applied nor dropped again."""
    batch = desk.take("registration", [registration_row()])
    with places_scope(desk.cast.places):
        with pytest.raises(ImportRefused):
            apply(by=None, batch=batch, places=desk.cast.places)
        with pytest.raises(ImportRefused):
            check(by=None, batch=batch, places=desk.cast.places)
        with pytest.raises(ImportRefused):
            abandon(by=None, batch=batch)


def test_staged_rows_lost_in_a_crash_are_staged_again(desk: Desk) -> None:
    """Unlogged tables come back empty after a crash; apply reads the stored file once more."""
    batch = desk.checked("registration", [registration_row()])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM import_staging_registration")
    with places_scope(desk.cast.places):
        apply(by=None, batch=batch, places=desk.cast.places)
        assert Registration.objects.count() == 1
    assert batch.new_count == 1


def test_abandoned_batch_leaves_no_file_and_no_rows(desk: Desk) -> None:
    """Dropping a checked batch removes its file, staged and returned rows; the register was never touched."""
    batch = desk.checked(
        "registration", [registration_row(), registration_row(身份证号="370406198505050010")]
    )
    stored = batch.files.get().stored_as
    with places_scope(desk.cast.places):
        abandon(by=None, batch=batch)
        assert not Resident.objects.exists()
    assert not default_storage.exists(stored)
    assert not batch.returned_rows.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM import_staging_registration")
        assert cursor.fetchone() == (0,)


def test_errors_come_back_in_the_senders_layout(desk: Desk) -> None:
    """The workbook as it was sent, sound rows filtered away, 错误原因 at the end, faulty cells marked; it can come again."""
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["甲镇参保登记信息"])
    page.append(["备忘", *registration_row()])
    page.append(["好", *registration_row().values()])
    page.append(["坏", *registration_row(姓名="=cmd|' /C calc'!A0", 身份证号="37040619850505001X").values()])
    page.append(["村", *registration_row(**{"村(居)": "无名村", "身份证号": number_of(sequence=8)}).values()])
    page["H4"].data_type = "s"  # text, as a person types it after an apostrophe
    data = io.BytesIO()
    book.save(data)
    batch = desk.take("registration", data.getvalue())
    out = io.BytesIO()
    assert write_error_book(batch, out) == 2
    sheet = load_workbook(io.BytesIO(out.getvalue())).worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0][0] == "甲镇参保登记信息"
    assert rows[1][-1] == "错误原因"
    assert [row[0] for row in rows[2:]] == ["好", "坏", "村"]
    assert [sheet.row_dimensions[number].hidden for number in (1, 2, 3, 4, 5)] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert rows[2][-1] is None
    assert (rows[3][7], sheet["H4"].data_type) == ("=cmd|' /C calc'!A0", "s")
    assert "校验位" in str(rows[3][-1])
    assert "没有这个村居" in str(rows[4][-1])
    marked = {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.comment}
    assert marked == {"I4", "B5", "C5"}  # the number; township and village
    again = desk.take("registration", out.getvalue())
    assert (again.read_count, again.unchanged_count) == (3, 1)
    assert again.reasons == {"bad_check_digit": 1, "unknown_village": 1}


def test_payload_names_travel_as_text(desk: Desk) -> None:
    """A name that looks like a formula is stored as it is written."""
    desk.take("registration", [registration_row(姓名="=cmd|' /C calc'!A0")])
    with places_scope(desk.cast.places):
        assert Resident.objects.get().name == "=cmd|' /C calc'!A0"


def test_control_characters_cannot_break_a_row(desk: Desk) -> None:
    """Delimiters of the staging format inside a cell are dropped, and the row stays one row."""
    desk.take("registration", [registration_row(户主姓名="张\x01大\x02山\n、")])
    with places_scope(desk.cast.places):
        assert Household.objects.get().head_name == "张大山 、"


def test_undo_gives_back_what_was(desk: Desk) -> None:
    """Rows the batch made go; rows it changed are as before; others stay."""
    desk.take("registration", [registration_row()])
    newcomer = registration_row(姓名="李晓", 身份证号=number_of(sequence=4), 与户主关系="妻")
    second = desk.take(
        "registration", [registration_row(联系电话="13900007777", 户主姓名="张大川"), newcomer]
    )
    assert (second.new_count, second.changed_count) == (1, 1)
    with places_scope(desk.cast.places):
        assert Resident.objects.get(name="张大山").phone_tail == "7777"
        undo(by=None, batch=second, places=desk.cast.places)
        kept = Resident.objects.get()
        assert (kept.name, kept.phone_tail) == ("张大山", "0001")
        assert Household.objects.get().head_name == "张大山"
        assert Registration.objects.count() == 1
    assert second.state == "undone"


def test_undo_says_what_depends_on_the_batch(desk: Desk) -> None:
    """A later batch on the same rows keeps the earlier one from being undone."""
    desk.take("registration", [registration_row()])
    second = desk.take("registration", [registration_row(联系电话="13900007777")])
    third = desk.take("registration", [registration_row(联系电话="13900008888")])
    with places_scope(desk.cast.places):
        with pytest.raises(ImportRefused, match=f"批次 {third.pk}"):
            undo(by=None, batch=second, places=desk.cast.places)
        undo(by=None, batch=third, places=desk.cast.places)
        undo(by=None, batch=second, places=desk.cast.places)
        assert Resident.objects.get().phone_tail == "0001"


def test_remembered_mapping_is_used_for_the_same_headers(desk: Desk) -> None:
    """A header the table of synonyms does not know is read as its sender confirmed it before."""
    from foundation.imports.engine.tables import headers_digest
    from foundation.imports.senders import sender_of

    clerk = desk.cast.user("township_clerk")
    row = registration_row()
    row["证号（甲）栏"] = row.pop("身份证号")
    ImportMapping.objects.create(
        kind="registration",
        sender=sender_of(clerk),
        headers_digest=headers_digest(list(row)),
        mapping={"证号（甲）栏": "id_number"},
    )
    assert desk.checked("registration", [row], by=clerk).accepted_count == 1


def test_returned_rows_stay_open_until_closed_with_a_reason(desk: Desk) -> None:
    """A returned row is shown masked, closes with a reason once, and leaves the errors workbook."""
    batch = desk.take("registration", [registration_row(身份证号="370406198505050010")])
    shown = samples(batch)
    assert [(row.name, row.number) for row in shown] == [("张*山", "*" * 16 + "10")]
    row = batch.returned_rows.get()
    with pytest.raises(ImportRefused):
        close_rows(by=None, rows=[row], reason=" ")
    close_rows(by=None, rows=[row], reason="已更正后重传")
    with pytest.raises(ImportRefused):
        close_rows(by=None, rows=[row], reason="再来一次")
    with pytest.raises(ImportRefused, match="没有退回的行"):
        write_error_book(batch, io.BytesIO())


def test_an_import_is_audited_without_personal_data(desk: Desk) -> None:
    """Each step is one event with counts and a digest; no name or number stands in it."""
    batch = desk.take("registration", [registration_row(身份证号=number_of(date(1990, 1, 2), 5))])
    events = AuditEvent.objects.filter(target_kind="import", target=str(batch.pk)).order_by("pk")
    assert list(events.values_list("action", flat=True)) == ["import.receive", "import.apply"]
    text = str(list(events.values_list("detail", flat=True)))
    assert "19900102" not in text
    assert "张大山" not in text
    assert len(events[1].detail["digest"]) == 64


def test_staging_lies_outside_row_level_security(desk: Desk) -> None:
    """COPY fails under row-level security: staging has none, is unlogged and empty after an import; the register has it."""
    desk.take("registration", [registration_row()])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, relrowsecurity, relpersistence FROM pg_class WHERE relkind = 'r'"
            " AND relname IN ('import_staging_registration', 'import_staging_person', 'import_staging_tax',"
            " 'enrollment_resident', 'imports_importchange') ORDER BY relname"
        )
        assert cursor.fetchall() == [
            ("enrollment_resident", True, "p"), ("import_staging_person", False, "u"),
            ("import_staging_registration", False, "u"), ("import_staging_tax", False, "u"),
            ("imports_importchange", True, "p"),
        ]  # fmt: skip
        cursor.execute("SELECT count(*) FROM import_staging_registration")
        assert cursor.fetchone() == (0,)
