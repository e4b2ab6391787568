"""What stands in the cells."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import xlsxwriter

from tests.corpus.sheets import book, number, person, table, text, written


def typed_as_number() -> bytes:
    return book(table(*(person(n) | {"身份证号": float(int(number(n)[:17] + "0"))} for n in (1, 2))))


def scientific() -> bytes:
    spoilt = [f"{float(number(1)[:17] + '0'):.5E}", number(3)[:15] + "000"]
    return text(table(person(1, 身份证号=spoilt[0]), person(3, 身份证号=spoilt[1]), person(2)))


def _digits(sequence: int) -> str:
    """A number that ends in a digit, as a spreadsheet can take for an amount."""
    while number(sequence).endswith("X"):
        sequence += 10
    return number(sequence)


def point_zero() -> bytes:
    return text(table(person(1, 身份证号=f"{_digits(1)}.0"), person(2, 身份证号=f"{_digits(2)}.00")))


def full_width() -> bytes:
    wide = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
    with_x = next(each for n in range(1, 900) if (each := number(n)).endswith("X"))
    ways = [
        number(1).translate(wide),
        with_x.lower(),
        f" {number(3)[:6]} {number(3)[6:14]} {number(3)[14:]} ",
        f"'{number(4)}",
    ]
    return text(table(*(person(n, 身份证号=way) for n, way in enumerate(ways, start=1))))


def fifteen() -> bytes:
    return text(table(person(1, 身份证号=number(1)[:6] + number(1)[8:17])))


def masked() -> bytes:
    return text(table(person(1, 身份证号=number(1)[:6] + "*" * 8 + number(1)[14:]), person(2, 姓名="张*山")))


def bad_numbers() -> bytes:
    good = number(1)
    wrong = good[:17] + ("0" if good[17] != "0" else "1")
    ways = [wrong, good[:10] + "0230" + good[14:], good[:14], "37040619850505OO1X"]
    return text(table(*(person(n, 身份证号=way) for n, way in enumerate(ways, start=1))))


def disability_cards() -> bytes:
    rows = [
        ["姓名", "残疾证号", "残疾等级"],
        ["居民甲", number(1) + "43", "三级"],
        ["居民乙", number(2) + "11B1", "一级"],
    ]
    return book(rows)


def radicals() -> bytes:
    return text(table(person(1, 姓名="⻢⼩⽟"), person(2, 姓名="䶮㛃"), person(3, 姓名="𬀩𠅤")))


def private_use() -> bytes:
    return text(table(person(1, 姓名="刘\ue863"), person(2, 姓名="王\ue000")))


def dots() -> bytes:
    """One person, each insurance under another dot: the same name, no difference to ask about."""
    one = person(1, 姓名="阿卜杜•热合曼")
    other = person(1, 姓名="阿卜杜．热合曼", 险种="城乡居民基本养老保险", 缴费档次="300")
    return text(table(one, other))


def lost_characters() -> bytes:
    return text(table(person(1, 姓名="王?"), person(2, 姓名="李□"), person(3)))


def payloads() -> bytes:
    names = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "＝1＋1"]
    return text(table(*(person(n, 姓名=name) for n, name in enumerate(names, start=1))))


def _deaths(*days: Any) -> list[list[Any]]:
    return [
        ["姓名", "身份证号", "死亡时间"],
        *(["居民甲", number(n), day] for n, day in enumerate(days, start=1)),
    ]


def days() -> bytes:
    moment = datetime(2022, 9, 1, 10, 30)  # noqa: DTZ001
    texts = ("2022.9.1", "20220901", "2022年9月1日", "２０２２/９/１")
    return book(_deaths(*texts, 44805, moment, date(2022, 9, 1)))


def bad_days() -> bytes:
    return book(_deaths("2022-02-30", "去年", "9999-01-01"))


def no_value() -> bytes:
    return book(table(person(1) | {"身份证号": '=A1&"1"'}, person(2) | {"身份证号": "=B1"}))


def formulas() -> bytes:
    def make(workbook: xlsxwriter.Workbook, page: Any) -> None:
        for y, row in enumerate(table(person(1), person(2))):
            for x, cell in enumerate(row):
                if y and row[x] == number(y):
                    page.write_formula(y, x, f'=Z{y}&""', None, str(cell))
                else:
                    page.write_string(y, x, str(cell))

    return written(make)


def total_formula() -> bytes:
    rows = table(person(1), person(2))
    return book([*rows, ["合计", "", "", "", "", "", "", "", "", "", "=SUM(K2:K3)"]])


def failed() -> bytes:
    return book(table(person(1) | {"身份证号": "#N/A"}, person(2) | {"身份证号": "#REF!"}))
