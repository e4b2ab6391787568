"""Where the header stands, what it looks like, and what else stands around the list."""

from __future__ import annotations

from typing import Any

import xlsxwriter
from openpyxl.styles import Border, Side
from openpyxl.worksheet.worksheet import Worksheet

from tests.corpus.sheets import book, number, person, table, text, two, written


def no_header() -> bytes:
    return text(two()[1:])


def titles() -> bytes:
    return book(
        [["山亭区2023年度参保登记名单"], ["填报单位：甲镇", "", "", "制表时间：2022-11-30"], [], *two()]
    )


def _merged(*ranges: str) -> Any:
    def merge(page: Worksheet) -> None:
        for area in ranges:
            page.merge_cells(area)

    return merge


def two_rows() -> bytes:
    head = [
        ["序号", "住处", "", "姓名", "证件", "", "险种"],
        ["", "镇街", "村(居)", "", "证件类型", "证件号码", ""],
    ]
    rows = [[n, "甲镇", "东村", "居民甲", "居民身份证", number(n), "城乡居民基本医疗保险"] for n in (1, 2)]
    return book([*head, *rows], then=_merged("A1:A2", "B1:C1", "D1:D2", "E1:F1", "G1:G2"))


def three_rows() -> bytes:
    head = [
        ["登记", "", "", "", "", ""],
        ["住处", "", "本人", "", "参保", ""],
        ["镇街", "村(居)", "姓名", "身份证号", "险种", "缴费档次"],
    ]
    rows = [["甲镇", "东村", "居民甲", number(n), "城乡居民基本医疗保险", ""] for n in (1, 2)]
    return book([*head, *rows], then=_merged("A1:F1", "A2:B2", "C2:D2", "E2:F2"))


def groups() -> bytes:
    head = [
        ["村(居)", "户主", "", "本人", "", "险种"],
        ["", "姓名", "身份证号", "姓名", "身份证号", ""],
    ]
    rows = [["东村", "张大山", number(9), f"居民{n}", number(n), "城乡居民基本医疗保险"] for n in (1, 2)]
    return book([*head, *rows], then=_merged("A1:A2", "B1:C1", "D1:E1", "F1:F2"))


def decorated() -> bytes:
    header, *rows = two()
    names = {"姓名": "* 姓 名", "身份证号": "身份证号\n（必填）", "险种": "险种：", "村(居)": "村（居）"}
    return book([[names.get(each, each) for each in header], *rows])


def totals() -> bytes:
    header, first, second = two()
    return book(
        [
            header, first, ["小计", "", "", "", "", "", "1人"], second, ["合 计", "", "", "", "", "", "2人"],
            ["制表人：甲", "", "审核人：乙"], ["注：本表一式两份"],
        ]
    )  # fmt: skip


def printed_pages() -> bytes:
    header, *rows = table(person(1), person(2), person(3))
    return book([header, rows[0], header, rows[1], [], header, rows[2]])


def six_pairs() -> bytes:
    pairs = [(f"居民{n}", number(n)) for n in range(1, 9)]
    pairs[3] = ("居民丁", number(4)[:17] + ("0" if number(4)[17] != "0" else "1"))
    cells = [cell for pair in pairs for cell in pair]
    return book([["姓名", "身份证号"] * 6, cells[:12], cells[12:]])


def _without(header: str, *rows: dict[str, Any]) -> list[list[Any]]:
    return table(*({key: value for key, value in row.items() if key != header} for row in rows))


def missing_column() -> bytes:
    return book(_without("险种", person(1), person(2)))


def two_numbers() -> bytes:
    return book(table(person(1, 公民身份号码=number(3)), person(2, 公民身份号码=number(4))))


def same_twice() -> bytes:
    return book(table(person(1, 公民身份号码=number(1)), person(2, 公民身份号码=number(2))))


def unknown() -> bytes:
    header, *rows = two()
    return book([[f"项目{n}" for n, _name in enumerate(header)], *rows])


def deep() -> bytes:
    return book([*[["说明文字"] for _row in range(28)], *two()])


def too_deep() -> bytes:
    return book([*[["说明文字"] for _row in range(44)], *two()])


def from_c5() -> bytes:
    return book(two(), at=(5, 3))


def numbered_rows() -> bytes:
    header, *rows = two()
    filled = [[n, *row] for n, row in enumerate(rows, start=1)]
    return book([["序号", *header], *filled, *([n] for n in range(3, 1001))])


def half_rows() -> bytes:
    header, *rows = two()
    return book([header, *rows, ["甲镇", "东村"], ["甲镇", "东村"]])


def phantom_rows() -> bytes:
    def make(workbook: xlsxwriter.Workbook, page: Any) -> None:
        lines = workbook.add_format({"border": 1})
        for y, row in enumerate(two()):
            for x, cell in enumerate(row):
                page.write_string(y, x, str(cell))
        for y in range(3, 20_000):
            page.write_blank(y, 0, None, lines)

    return written(make)


def phantom_columns() -> bytes:
    def frame(page: Worksheet) -> None:
        for row in range(1, 4):
            for column in range(12, 300):
                page.cell(row, column).border = Border(left=Side("thin"))

    return book(two(), then=frame)


def second_sheet() -> bytes:
    return book({"填表说明": [["请如实填写"], ["姓名要和身份证一致"]], "名单": two()})


def villages() -> bytes:
    return book(
        {
            "东村": table(person(1)),
            "西村": table(person(2, **{"村(居)": "西村"})),
            "东村二组": table(person(3)),
        }
    )


def hidden_copy() -> bytes:
    return book({"名单": two(), "旧": two()}, hidden=["旧"])


def all_hidden() -> bytes:
    return book({"空": [], "名单": two()}, hidden=["名单"])


def chart_sheet() -> bytes:
    def make(workbook: xlsxwriter.Workbook, page: Any) -> None:
        for y, row in enumerate(two()):
            for x, cell in enumerate(row):
                page.write_string(y, x, str(cell))
        chart = workbook.add_chart({"type": "column"})
        chart.add_series({"values": "=名单!$A$2:$A$3"})
        workbook.add_chartsheet("图").set_chart(chart)

    return written(make)


def sheets_600() -> bytes:
    def make(workbook: xlsxwriter.Workbook, page: Any) -> None:
        for n in range(599):
            workbook.add_worksheet(f"表{n}")

    return written(make)


def merged_household() -> bytes:
    header, *rows = table(person(1), person(2), person(3))
    for row in rows[1:]:
        row[0] = row[1] = row[3] = row[4] = ""
    return book([header, *rows], then=_merged("A2:A4", "B2:B4", "D2:D4", "E2:E4"))
