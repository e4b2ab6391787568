"""Pinyin: hard surnames are read as surnames, registers sort by syllable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.pinyin import initials, sort_key

HARD = {
    "s": "单召折莘",
    "q": "仇覃亓",
    "o": "区",
    "z": "查曾翟祭訾",
    "x": "解冼郗郇",
    "c": "种重晁谌褚",
    "g": "盖句",
    "p": "朴繁",
    "y": "乐员幺么燕",
    "r": "任",
    "h": "华",
    "w": "尉隗",
    "m": "缪宓",
    "n": "乜",
    "b": "秘",
    "d": "都",
    "k": "阚",
    "j": "降",
}


@pytest.mark.parametrize(
    ("surname", "letter"), [(char, letter) for letter, chars in HARD.items() for char in chars]
)
def test_a_hard_surname_is_read_as_a_surname(surname: str, letter: str) -> None:
    assert initials(surname + "小明") == letter + "xm"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("张小明", "zxm"),
        ("尉迟恭", "ycg"),
        ("万俟卨", "mqx"),
        ("单于小明", "cyxm"),
        ("长孙无忌", "zswj"),
        ("小单", "xd"),
        ("阿卜杜·热合曼", "abdrhm"),
        ("刘䶮", "ly"),
        ("John", "john"),
        ("吕绿", "ll"),
        ("", ""),
    ],
)
def test_initials(name: str, expected: str) -> None:
    assert initials(name) == expected


def test_names_sort_by_syllable_with_the_same_characters_together() -> None:
    names = ["张小明", "詹天", "章丽", "张丽", "单强", "阿明", "张三丰", "赵一"]
    assert sorted(names, key=sort_key) == ["阿明", "单强", "詹天", "张丽", "张三丰", "张小明", "章丽", "赵一"]


@given(st.text(max_size=8))
def test_any_text_gives_letters_and_a_key_without_an_error(name: str) -> None:
    assert initials(name).isascii()
    assert "\x00" in name or isinstance(sort_key(name).encode("utf-8", "surrogatepass"), bytes)
