"""``import_file`` and ``undo_import`` as users script them."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from openpyxl import Workbook, load_workbook

from enrollment.models import Registration
from foundation.imports.models import ImportBatch
from foundation.scope.context import places_scope
from foundation.sheets import SheetError
from foundation.sheets.child import Child
from tests.imports.office import Desk, as_csv, number_of, registration_row

KEYS = [
    "batch",
    "read",
    "accepted",
    "new",
    "changed",
    "unchanged",
    "rejected",
    "reasons",
    "seconds",
    "peak_mb",
]


def _run(*arguments: object, **options: Any) -> tuple[dict[str, Any], str]:
    out = StringIO()
    call_command(*map(str, arguments), "--json", stdout=out, **options)
    *lines, last = out.getvalue().splitlines()
    return json.loads(last), "\n".join(lines)


def _stored(desk: Desk) -> set[str]:
    folder = f"imports/{desk.cast.county.code}"
    return set(default_storage.listdir(folder)[1]) if default_storage.exists(folder) else set()


def _refused(*arguments: object) -> str:
    err = StringIO()
    with pytest.raises(SystemExit) as left:
        call_command(*map(str, arguments), stderr=err)
    assert left.value.code == 2
    lines = [line for line in err.getvalue().splitlines() if line.strip()]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One good row and one whose check digit is wrong."""
    path = tmp_path / "登记.csv"
    path.write_bytes(
        as_csv([registration_row(), registration_row(姓名="李晓", 身份证号="370406198505050010")])
    )
    return path


@pytest.mark.covers("E071")
def test_import_file_prints_the_promised_keys(desk: Desk, file: Path, tmp_path: Path) -> None:
    """Good rows go in, the bad one comes back by row and in a workbook of the sender's layout."""
    book = tmp_path / "back.xlsx"
    answer, text = _run("import_file", "registration", file, "--county", "370406", "--errors", book)
    assert list(answer) == KEYS
    assert (answer["read"], answer["new"], answer["rejected"]) == (2, 1, 1)
    assert answer["reasons"] == {"bad_check_digit": 1}
    assert "第3行：身份证号校验位不对" in text
    assert "370406198505050010" not in text
    page = load_workbook(book).active
    assert page is not None
    assert page.cell(1, 12).value == "错误原因"
    with places_scope(desk.cast.places):
        assert Registration.objects.count() == 1


def test_dry_run_applies_nothing(desk: Desk, file: Path) -> None:
    """The counts are those of the real run; the register, the storage and the staging stay empty."""
    answer, _text = _run("import_file", "registration", file, "--county", "370406", "--dry-run")
    assert (answer["new"], answer["rejected"]) == (1, 1)
    batch = ImportBatch.objects.get()
    assert batch.state == "abandoned"
    assert batch.files.get().stored_as == ""
    with places_scope(desk.cast.places):
        assert not Registration.objects.exists()


def test_several_files_are_one_batch(desk: Desk, file: Path, tmp_path: Path) -> None:
    """Rows of both files go in together; a person repeated in the second file is a repetition."""
    second = tmp_path / "登记二.csv"
    second.write_bytes(
        as_csv([registration_row(), registration_row(姓名="王五", 身份证号=number_of(sequence=9))])
    )
    answer, _text = _run("import_file", "registration", file, second, "--county", "370406000000")
    assert (answer["read"], answer["new"], answer["reasons"]) == (
        4,
        2,
        {"bad_check_digit": 1, "duplicate": 1},
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import_file", "nonsense", "x.csv", "--county", "370406"], "registration"),
        (["import_file", "registration", "x.csv", "--county", "999999"], "load_county"),
        (["import_file", "registration", "x.csv", "--county", "370406", "--plan", "other"], "other"),
        (["import_file", "registration", "no-such-file.csv", "--county", "370406"], "no-such-file.csv"),
        (["undo_import", "424242"], "424242"),
    ],
)
def test_unusable_input_is_one_line_and_exit_code_2(desk: Desk, arguments: list[str], said: str) -> None:
    """An unknown kind, county, plan, file or batch."""
    assert said in _refused(*arguments)


def test_wrong_headers_are_one_line_and_leave_nothing(desk: Desk, tmp_path: Path) -> None:
    """The missing column beside those found; no batch, no stored file."""
    path = tmp_path / "错.csv"
    path.write_bytes("姓名,村居,险种\n张三,东村,医疗\n".encode("gb18030"))
    before = _stored(desk)
    line = _refused("import_file", "registration", path, "--county", "370406")
    assert "缺少必需的列：身份证号" in line
    assert "姓名、村居、险种" in line
    assert not ImportBatch.objects.exists()
    assert _stored(desk) == before


@pytest.mark.parametrize("answer", [1, 3, 4, 5])
def test_a_file_that_fails_in_the_middle_is_one_line(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    """A workbook whose parser dies after its head was read: the sentence, no traceback of the database, nothing left."""
    path, taken = tmp_path / "登记.xlsx", []
    book = Workbook()
    assert book.active is not None
    book.active.append(list(registration_row()))
    for _row in range(4_000):
        book.active.append(list(registration_row().values()))
    book.save(path)
    real = Child._take

    def dies(child: Child) -> None:
        taken.append(child)
        if len(taken) == answer:
            raise SheetError("too_slow")
        real(child)

    monkeypatch.setattr(Child, "_take", dies)
    said = _refused("import_file", "registration", path, "--county", "370406", "--plan", desk.plan.code)
    assert "文件读了太久" in said
    assert len(taken) == answer
    assert not Registration.objects.exists()


def test_undo_import(desk: Desk, file: Path) -> None:
    """A batch taken back whole; a second time it is refused."""
    answer, _text = _run("import_file", "registration", file, "--county", "370406")
    undone, _text = _run("undo_import", answer["batch"])
    assert undone == {"batch": answer["batch"], "undone": True}
    with places_scope(desk.cast.places):
        assert not Registration.objects.exists()
    assert "撤销" in _refused("undo_import", answer["batch"])


def test_a_list_of_no_group_is_refused_in_one_line(desk: Desk, tmp_path: Path) -> None:
    """Without ``--category`` and without a column that names the group, nothing is read."""
    path = tmp_path / "名单.csv"
    path.write_bytes(as_csv([{"姓名": "张大山", "身份证号": number_of()}]))
    assert "--category" in _refused("import_file", "category", path, "--county", "370406")
    assert not ImportBatch.objects.exists()
