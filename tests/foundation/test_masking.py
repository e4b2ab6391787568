"""The mask: what each audience may see, and never more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.masking import Audience, mask_name, mask_number, mask_phone, mask_receipt

NUMBER = "11010519491231002X"


@pytest.mark.parametrize(("audience", "shown"), [("office", "2X"), ("tablet", "002X"), ("public", "")])
def test_each_audience_sees_its_digits_from_the_end_and_no_other(audience: str, shown: str) -> None:
    masked = mask_number(NUMBER, Audience(audience))
    assert masked == "*" * (18 - len(shown)) + shown


@pytest.mark.parametrize("audience", list(Audience))
def test_a_kept_tail_is_shown_like_the_whole_number(audience: Audience) -> None:
    assert mask_number(NUMBER[-4:], audience) == mask_number(NUMBER, audience)


def test_a_resident_without_a_number_has_nothing_to_mask() -> None:
    assert mask_number("", Audience.OFFICE) == ""


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张小明", "张*明"),
        ("张明", "张*"),
        ("王小二明", "王**明"),
        ("欧阳修", "欧阳*"),
        ("欧阳小明", "欧阳*明"),
        ("欧阳", "欧*"),
        ("阿卜杜·热合曼", "阿卜杜·*"),
        ("买买提·艾力·托合提", "买买提·*"),
        ("𬀩小䶮", "𬀩*䶮"),
        ("葛\U000e0101小明", "葛\U000e0101*明"),
        ("张", "*"),
        ("", ""),
        ("John Smith", "J*** S****"),
    ],
)
def test_a_name_keeps_surname_and_last_character(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@given(st.text("张王李欧阳司马小明红伟·", min_size=2, max_size=6))
def test_a_masked_name_is_never_the_name(name: str) -> None:
    assert mask_name(name) != name
    assert "*" in mask_name(name)


def test_phones_and_receipts() -> None:
    assert mask_phone("138 0632 1226", Audience.OFFICE) == "*********26"
    assert mask_phone("13806321226", Audience.TABLET) == "138****1226"
    assert mask_phone("13806321226", Audience.PUBLIC) == ""
    assert mask_phone("", Audience.OFFICE) == ""
    assert mask_receipt("370406-23-0081926") == "1926"
    assert mask_receipt("370406-23-0081926", Audience.OFFICE) == "370406-23-0081926"
