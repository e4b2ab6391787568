"""Delimited text as it comes."""

from __future__ import annotations

from tests.corpus.sheets import person, table, text, two

_BROKEN = "#"  # becomes half a character of GB18030


def utf8() -> bytes:
    return text(two())


def utf8_mark() -> bytes:
    return text(two(), encoding="utf-8-sig")


def gb18030() -> bytes:
    return text(two(), encoding="gb18030")


def pipes() -> bytes:
    return text(two(), mark="|", encoding="gb18030", quoted=False)


def tabs() -> bytes:
    return text(two(), mark="\t", encoding="gb18030")


def semicolons() -> bytes:
    return text(two(), mark=";")


def chinese_commas() -> bytes:
    return text(two(), mark="，", quoted=False)


def utf16_little() -> bytes:
    return b"\xff\xfe" + text(two(), mark="\t", encoding="utf-16-le")


def utf16_big() -> bytes:
    return b"\xfe\xff" + text(two(), encoding="utf-16-be")


def old_mac() -> bytes:
    return text(two(), newline="\r")


def sep_line() -> bytes:
    return b"sep=,\r\n" + utf8()


def line_breaks() -> bytes:
    return text(table(person(1, 住址="1组\n3号,东院"), person(2, 住址="“上\r\n院”")))


def _halved(data: bytes) -> bytes:
    return data.replace(_BROKEN.encode(), b"\xb0")


def broken_name() -> bytes:
    return _halved(text(table(person(1, 姓名=f"张{_BROKEN}"), person(2)), encoding="gb18030"))


def broken_pipe() -> bytes:
    rows = table(person(1, 姓名=f"张{_BROKEN}"), person(2))
    return _halved(text(rows, mark="|", encoding="gb18030", quoted=False))


def broken_address() -> bytes:
    rows = table(person(1, 备注=f"住{_BROKEN}东院"), person(2, 备注=""))
    return _halved(text(rows, encoding="gb18030"))


def cut_in_utf8() -> bytes:
    rows = table(person(1, 备注="好"), person(2, 备注="好"))
    return text(rows, newline="\n").rstrip(b"\n")[:-1]


def lone_quote() -> bytes:
    lines = text(table(*(person(n) for n in range(1, 400)))).decode().split("\r\n")
    lines[3] = lines[3].replace(",甲镇", '"甲镇', 1).replace("甲镇,", '"甲镇,', 1)
    return "\r\n".join(lines).encode() + b"x" * 140_000


def two_lone_quotes() -> bytes:
    lines = text(table(*(person(n) for n in range(1, 300)))).decode().split("\r\n")
    for at in (5, 105):
        lines[at] = lines[at].replace("甲镇,", '"甲镇,', 1)
    return "\r\n".join(lines).encode()


def comma_in_address() -> bytes:
    return text(table(person(1, 户主姓名="张,大山"), person(2)), quoted=False)


def zeros() -> bytes:
    return b"\0".join(b"abc,def\r\n" for _line in range(400))


def empty() -> bytes:
    return b""


def separators() -> bytes:
    return b"\xef\xbb\xbf,,,\r\n,,,\r\n"


def one_line() -> bytes:
    return utf8() + b"x" * (60 << 20)


def many_columns() -> bytes:
    return text(table(person(1) | {f"列{n}": "1" for n in range(600)}))


def trailing_separators() -> bytes:
    return text([[*row, *[""] * 40] for row in two()])


def header_only() -> bytes:
    return text(two()[:1])
