"""Kinds of files, under names that may lie; locked ones and damaged ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

from tests.corpus.compound import Computed, Day, Failed, compound, xls
from tests.corpus.packages import STRICT, package, sheet_xml, with_parts, zipped
from tests.corpus.sheets import book, number, page, person, table, two, workbook_2003


def old() -> bytes:
    return xls({"名单": two()})


def old_failed() -> bytes:
    rows: list[list[Any]] = table(person(1), person(2), person(3))
    place = rows[0].index("身份证号")
    rows[1][place] = float(int(number(1)[:17] + "0"))
    rows[2][place] = Failed()
    rows[3][place] = Computed(number(3))
    return xls({"名单": [[*row, Day(44805)] for row in rows]})


def new() -> bytes:
    return book(two())


def web_page() -> bytes:
    return page(
        two(), head='<meta http-equiv=Content-Type content="text/html; charset=gb2312">', encoding="gb18030"
    )


def web_page_spans() -> bytes:
    header, *rows = table(person(1), person(2), person(3))
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in header) + "</tr>"]
    for at, row in enumerate(rows):
        cells = [f"<td rowspan=3>{cell}</td>" if x < 2 else f"<td>{cell}</td>" for x, cell in enumerate(row)]
        lines.append("<tr>" + "".join(cells[2:] if at else cells) + "</tr>")
    return f"<html><table><tr><td colspan=11>登记名单</td></tr>{''.join(lines)}</table></html>".encode()


def web_page_without() -> bytes:
    return "<!DOCTYPE html><html><body><p>登录超时，请重新登录</p></body></html>".encode()


def mhtml() -> bytes:
    return b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\n" + page(two())


def xml_2003() -> bytes:
    return workbook_2003(two())


def prefixed() -> bytes:
    return package({"名单": sheet_xml(two(), prefix="x", references=False)})


def strict() -> bytes:
    return package({"名单": sheet_xml(two(), space=STRICT)}, strict=True)


def macros() -> bytes:
    return with_parts(new(), {"xl/vbaProject.bin": compound({"VBA": b"x"})})


def links() -> bytes:
    return with_parts(new(), {"xl/externalLinks/externalLink1.xml": b"<externalLink/>"})


def xlsb() -> bytes:
    return zipped({"xl/workbook.bin": b"\x83\x01\x00", "[Content_Types].xml": b"<Types/>"})


def pdf() -> bytes:
    return b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n"


def zip_of_books() -> bytes:
    return zipped({"东村.xlsx": new(), "西村.xlsx": new()})


def password() -> bytes:
    return compound({"EncryptionInfo": b"\x04\x00\x04\x00@\x00\x00\x00", "EncryptedPackage": bytes(8192)})


def password_old() -> bytes:
    return xls({"名单": two()}, locked=True)


def cut() -> bytes:
    data = new()
    return data[: len(data) * 2 // 3]


def cut_old() -> bytes:
    data = xls({"名单": table(*(person(n) for n in range(1, 60)))})
    return data[: len(data) // 2]


def loop() -> bytes:
    return xls({"名单": two()}, loop=True)


def names_of(data: bytes) -> Sequence[str]:
    """The parts of a package, for a test's message."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.namelist()
