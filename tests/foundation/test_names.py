"""Names: written in many ways, stored in one, and divisions stay apart."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.names import normalise_division, normalise_name, normalise_township

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
        ("𬀩㛃", "𬀩㛃"),
        ("Ｊｏｈｎ  Smith", "John Smith"),
        ("\ufeff张明\t", "张明"),
    ],
)
def test_a_name_is_stored_in_one_way(typed: str, stored: str) -> None:
    assert normalise_name(typed) == stored


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
