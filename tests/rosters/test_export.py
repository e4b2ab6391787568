"""Official workbooks of sealed rosters: what is printed, what is summed, who sees whose numbers."""

from __future__ import annotations

import io
import json
import zipfile
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.management import call_command
from django.db.models import Sum

from contributions.models import Charge, PaymentLine
from foundation.audit.models import AuditEvent
from rosters.models import RosterKind
from rosters.rules import safe_name
from rosters.services.export import export_workbook
from tests.rosters.conftest import Village, number_of

ROUND_HEADER = [
    "序号",
    "户主",
    "姓名",
    "关系",
    "身份证后四位",
    "类别说明",
    "养老档次",
    "养老",
    "医疗",
    "合计",
    "签字",
]
LEDGER_HEADER = [
    "序号", "户编号", "户主", "姓名", "与户主关系", "身份证号", "村组", "电话", "人员类别", "上年档次",
    "养老档次", "养老金额", "医疗应缴", "资助额", "个人缴", "合计", "缴费方式", "日期", "签字", "备注",
]  # fmt: skip


def rows_of(sheet: Any) -> list[list[Any]]:
    """Cell values of a sheet, row by row."""
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def total_row(sheet: Any) -> dict[str, Any]:
    """The 合计 row under the header's names."""
    rows = rows_of(sheet)
    total = next(row for row in rows if row[0] == "合计")
    return dict(zip(rows[2], total, strict=True))


def export(tmp_path: Path, kind: str, *arguments: str) -> tuple[dict[str, Any], zipfile.ZipFile]:
    """Run the command; its answer and the zip."""
    out, target = StringIO(), tmp_path / "out.zip"
    call_command(
        "export_rosters", "--plan", "shanting-2023", "--kind", kind, "--out", str(target), "--json", *arguments,
        stdout=out,
    )  # fmt: skip
    return json.loads(out.getvalue().splitlines()[-1]), zipfile.ZipFile(target)


def book(archive: zipfile.ZipFile, index: int = 0) -> Any:
    """A workbook of the zip."""
    return openpyxl.load_workbook(io.BytesIO(archive.read(archive.namelist()[index])))


@pytest.fixture
def three(village: Village) -> Village:
    """Three villages of two townships with sealed levy rosters."""
    village.family(village.cast.dong, "1", ["赵大", "赵小"])
    village.family(village.cast.dong, "2", ["钱大"], personal="175.00", government="175.00")
    village.family(village.cast.xi, "1", ["孙大"])
    village.family(village.cast.nan, "1", ["李大"])
    village.seal(village.cast.dong, village.cast.xi, village.cast.nan)
    return village


@pytest.mark.covers("E073")
def test_one_workbook_a_village_in_township_folders(three: Village, tmp_path: Path) -> None:
    """A folder a township, a workbook a village, CONTRACT's keys; nothing half-written beside it."""
    answer, archive = export(tmp_path, "levy")
    assert set(answer) == {"workbooks", "lines", "bytes", "seconds", "peak_mb"}
    assert (answer["workbooks"], answer["lines"]) == (3, 5)
    assert archive.namelist() == [
        "01-甲镇/001-东村-征收清册-2023-第1版.xlsx",
        "01-甲镇/002-西村-征收清册-2023-第1版.xlsx",
        "02-乙镇/003-南村-征收清册-2023-第1版.xlsx",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["out.zip"]
    answer, archive = export(tmp_path, "levy", "--township", three.cast.yi.code)
    assert [name.split("/")[0] for name in archive.namelist()] == ["02-乙镇"]


def test_sheets_print_as_the_practice_asks(three: Village, tmp_path: Path) -> None:
    """入户册 on A4 at 12 points with 11 columns, 台账 on A3 with the whole table; header repeated, pages numbered,
    version and digest on every page."""
    workbook = book(export(tmp_path, "levy")[1])
    assert workbook.sheetnames == ["入户册", "台账"]
    roster = three.roster()
    for sheet, header, paper in zip(workbook, (ROUND_HEADER, LEDGER_HEADER), (9, 8), strict=True):
        rows = rows_of(sheet)
        assert rows[2] == header
        assert rows[0][0] == "甲镇东村2023年度城乡居民两险征收清册"
        assert roster.number in rows[1][0]
        assert (int(sheet.page_setup.paperSize), sheet.page_setup.orientation) == (paper, "landscape")
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.print_title_rows == "$3:$3"
        assert sheet.oddFooter.center.text == "第&P页 共&N页"
        assert roster.number in sheet.oddFooter.left.text
        assert [str(r) for r in sheet.merged_cells.ranges] == [f"A1:{'K' if paper == 9 else 'T'}1"]
        assert any(roster.digest in str(cell) for row in rows for cell in row if cell)
    assert workbook["入户册"]["B4"].font.sz == 12
    assert [row[2] for row in rows_of(workbook["入户册"])[3:6]] == ["赵大", "赵小", "钱大"]


def test_foot_equals_the_ledger(three: Village, tmp_path: Path) -> None:
    """The sum in the foot is the sum of the charges, and of the payments, to the fen."""
    dong = three.cast.dong
    charges = list(Charge.objects.filter(unit=dong, current=True))
    three.pay(*charges[:2], voucher="337040623000000")
    due = Charge.objects.filter(unit=dong, current=True).aggregate(
        personal=Sum("personal_amount"), government=Sum("government_paid_amount")
    )
    foot = total_row(book(export(tmp_path, "levy")[1])["台账"])
    assert Decimal(str(foot["个人缴"])) == due["personal"]
    assert Decimal(str(foot["资助额"])) == due["government"]
    assert Decimal(str(foot["合计"])) == due["personal"] + due["government"]
    three.seal(dong, kind=RosterKind.PAYMENT)
    sheet = book(export(tmp_path, "payment")[1])["台账"]
    paid = PaymentLine.objects.filter(unit=dong).aggregate(paid=Sum("amount"))["paid"]
    assert Decimal(str(total_row(sheet)["已缴合计"])) == paid == Decimal("700.00")
    first = dict(zip(rows_of(sheet)[2], rows_of(sheet)[3], strict=True))
    assert (first["凭证号"], first["缴费方式"], first["日期"].date().isoformat()) == (
        "3370406230000000", "扫码", "2022-11-30",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "＝1+1"])
def test_names_that_look_like_formulas_stay_text(village: Village, tmp_path: Path, name: str) -> None:
    """A cell never becomes a formula, and ID numbers stay text with all their digits."""
    village.family(village.cast.dong, "1", [name])
    village.seal()
    sheet = book(export(tmp_path, "levy")[1])["台账"]
    cell = sheet["D4"]
    assert (cell.value, cell.data_type) == (name, "s")
    line = village.lines(village.roster())[0]
    assert (sheet["F4"].value, sheet["F4"].data_type) == (number_of(line), "s")


@pytest.mark.parametrize(
    ("role", "whole"),
    [("tax_bureau", True), ("medical_bureau", True), ("hr_bureau", True), ("township_clerk", False), ("auditor", False)],
)  # fmt: skip
def test_whole_numbers_for_whose_systems_need_them(village: Village, role: str, whole: bool) -> None:
    """Bureaus get the whole number in the 台账, everybody else the last four; each export is audited."""
    village.family(village.cast.dong, "1", ["赵大"])
    village.seal()
    roster = village.roster()
    number = number_of(village.lines(roster)[0])
    content = export_workbook(by=village.cast.user(role), roster=roster)
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    assert workbook["台账"]["F4"].value == (number if whole else "*" * 14 + number[-4:])
    assert workbook["入户册"]["E4"].value == number[-4:]
    assert role in workbook["台账"].oddFooter.left.text, "the footer names who took it"
    event = AuditEvent.objects.get(action="roster.export")
    assert (event.actor_id, event.detail["lines"], event.detail["whole_numbers"]) == (
        village.cast.user(role).pk, 1, whole,
    )  # fmt: skip
    assert number not in json.dumps(event.detail)


def test_file_names_are_safe() -> None:
    """A unit's name never leaves its folder and opens on every desktop."""
    assert safe_name("../../etc/passwd") == "_.._etc_passwd"
    assert safe_name('a\\b:c*d?"<>|\x00') == "a_b_c_d______"
    assert safe_name(" . ") == "_"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--kind", "payment"], "no payment rosters"),
        (["--kind", "levy", "--township", "370406999"], "no township"),
        (["--kind", "levy", "--plan", "nowhere-1999"], "no plan"),
    ],
)
def test_nothing_to_export_is_unusable(
    three: Village, tmp_path: Path, arguments: list[str], says: str
) -> None:
    """Exit 2, one line, no file."""
    err = StringIO()
    base = {"--plan": "shanting-2023", "--out": str(tmp_path / "x.zip")}
    base |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    with pytest.raises(SystemExit) as error:
        call_command("export_rosters", *[part for pair in base.items() for part in pair], stderr=err)
    assert (error.value.code, err.getvalue().strip().count("\n")) == (2, 0)
    assert says in err.getvalue()
    assert not list(tmp_path.iterdir())
