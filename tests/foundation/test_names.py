"""Names: written in many ways, stored in one, and divisions stay apart."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.names import (
    has_lost_characters,
    has_private_characters,
    normalise_division,
    normalise_name,
    normalise_township,
)

DIVISIONS = sorted((Path(__file__).parents[2] / "fixtures" / "divisions").glob("*.json"))


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("张 小 明", "张小明"),
        ("张\u3000明", "张明"),
        ("⻢小⽟", "马小玉"),
        ("阿卜杜．热合曼", "阿卜杜·热合曼"),
        ("阿卜杜•热合曼", "阿卜杜·热合曼"),
        ("阿卜杜・热合曼", "阿卜杜·热合曼"),
        ("阿卜杜.热合曼", "阿卜杜·热合曼"),
        ("刘\ue863", "刘䶮"),
        ("阿卜杜·热合曼", "阿卜杜·热合曼"),
        ("阿卜杜&middot;热合曼", "阿卜杜·热合曼"),
        ("·阿卜杜··热合曼·", "阿卜杜·热合曼"),
        ("阿卜杜 · 热合曼", "阿卜杜·热合曼"),
        ("葛\U000e0100小明\ufe00", "葛小明"),
        ("⻰⼩⻓", "龙小长"),
        ("﨑", "﨑"),
        ("凞\uf900", "凞豈"),
        ("王\ue000", "王\ue000"),
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("𬀩㛃", "𬀩㛃"),
        ("Ｊｏｈｎ  Smith", "John Smith"),
        ("\ufeff张明\t", "张明"),
    ],
)
def test_a_name_is_stored_in_one_way(typed: str, stored: str) -> None:
    assert normalise_name(typed) == stored


# What names are really made of: ideographs of all planes, radicals, compatibility and private characters, dots, spaces.
WRITTEN = st.text(
    st.one_of(
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF),
        st.characters(min_codepoint=0x20000, max_codepoint=0x323AF),
        st.characters(min_codepoint=0x2E80, max_codepoint=0x2FD5),
        st.characters(min_codepoint=0xF900, max_codepoint=0xFAFF),
        st.characters(min_codepoint=0xE000, max_codepoint=0xF8FF),
        st.sampled_from(list("·•‧・．.● \u3000\u200b\ufe00&;#183middot　ＡａA")),
    ),
    max_size=12,
)


@given(WRITTEN)
def test_a_name_of_any_characters_has_one_form(text: str) -> None:
    once = normalise_name(text)
    assert normalise_name(once) == once
    assert not set(once) & set("•‧・．\u3000\u200b\ufe00") or any("A" <= char <= "z" for char in once)
    assert not any("\u2f00" <= char <= "\u2fd5" for char in once)


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FEF), min_size=2, max_size=6))
def test_radicals_read_as_the_characters_they_look_like(name: str) -> None:
    radicals = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0x2F00, 0x2FD6)}
    assert normalise_name("".join(radicals.get(char, char) for char in name)) == name


@pytest.mark.parametrize(("name", "lost", "private"), [
    ("张小明", False, False), ("王?", True, False), ("王？", False, False), ("张*明", True, False), ("李□", True, False),
    ("王\ufffd", True, False), ("王\ue000", False, True), ("𬀩㛃", False, False),
])  # fmt: skip
def test_characters_that_some_system_lost_are_noticed(name: str, lost: bool, private: bool) -> None:
    assert has_lost_characters(name) is lost
    assert has_private_characters(name) is private
    assert has_lost_characters(normalise_name("王？"))


@given(st.text(max_size=12))
def test_normalising_a_name_twice_changes_nothing(text: str) -> None:
    assert normalise_name(normalise_name(text)) == normalise_name(text)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("柳泉村委会", "柳泉"),
        ("柳泉村", "柳泉"),
        ("柳泉村民委员会", "柳泉"),
        ("柳泉村村民委员会", "柳泉"),
        ("柳泉", "柳泉"),
        ("桑村村委会", "桑村"),
        ("桑村村民委员会", "桑村"),
        ("桑村", "桑村"),
        ("灵芝湖社区居委会", "灵芝湖"),
        ("灵芝湖社区", "灵芝湖"),
        ("双山居民委员会", "双山"),
        ("柳泉村（社区）", "柳泉村(社区)"),
        ("　柳泉 村 ", "柳泉"),
        ("村", "村"),
    ],
)
def test_a_division_is_known_by_what_people_say(written: str, said: str) -> None:
    assert normalise_division(written) == said


@given(st.text("柳泉桑社区居民委员会村", max_size=10))
def test_normalising_a_division_twice_changes_nothing_and_leaves_something(text: str) -> None:
    once = normalise_division(text)
    assert normalise_division(once) == once
    assert bool(once) == bool(text)


def test_a_township_is_known_without_its_office() -> None:
    assert normalise_township("山城街道办事处") == "山城街道"
    assert normalise_township("店子镇人民政府") == "店子镇"
    assert normalise_township("山亭经济开发区管委会") == "山亭经济开发区"
    assert normalise_township("店子镇") == "店子镇"


@pytest.mark.parametrize("path", DIVISIONS, ids=lambda path: path.stem)
def test_no_two_divisions_of_a_township_are_known_by_the_same_name(path: Path) -> None:
    county = json.loads(path.read_text(encoding="utf-8"))
    for township in county.get("townships", county.get("towns")):
        counts = Counter(normalise_division(village["name"]) for village in township["villages"])
        assert [name for name, count in counts.items() if count > 1] == []
        assert township["name"] == normalise_township(township["name"])
