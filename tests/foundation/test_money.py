"""Money: parts always add up, figures and capitals say the same amount."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.money import PERSONAL, MoneyError, Rounding, format_yuan, in_words, split, yuan

AMOUNTS = st.decimals(min_value=0, max_value=Decimal("9999999999999.99"), places=2)
HALF = Fraction(1, 2)


@st.composite
def fractions(draw: st.DrawFn) -> list[tuple[str, Fraction]]:
    weights = draw(st.lists(st.integers(0, 50), min_size=1, max_size=4).filter(any))
    names = [PERSONAL, "county_finance", "township_finance", "medical_assistance_fund"]
    return [(names[index], Fraction(weight, sum(weights))) for index, weight in enumerate(weights)]


@given(AMOUNTS, fractions(), st.sampled_from(["personal_down", "personal_half_up"]))
def test_parts_add_up_and_none_is_negative(
    amount: Decimal, parts: list[tuple[str, Fraction]], rounding: Rounding
) -> None:
    result = split(amount, parts, rounding)
    assert sum(result.values()) == amount
    assert all(value >= 0 and value == yuan(value) for value in result.values())
    assert all(
        abs(Fraction(result[payer]) - Fraction(amount) * share) < Fraction(4, 100) for payer, share in parts
    )


def test_the_odd_cent_of_a_half_goes_to_the_government_by_default() -> None:
    parts = [(PERSONAL, HALF), ("government_or_department", HALF)]
    expected = {PERSONAL: Decimal("177.77"), "government_or_department": Decimal("177.78")}
    assert split(Decimal("355.55"), parts) == expected
    assert split(Decimal("355.55"), parts[::-1]) == expected


def test_the_odd_cent_of_a_half_goes_to_the_person_when_set_so() -> None:
    parts = [(PERSONAL, HALF), ("government_or_department", HALF)]
    assert split(Decimal("355.55"), parts, "personal_half_up") == {
        PERSONAL: Decimal("177.78"),
        "government_or_department": Decimal("177.77"),
    }


def test_the_odd_cent_between_governments_goes_to_the_higher_level() -> None:
    assert split(Decimal("355.55"), [("county_finance", HALF), ("township_finance", HALF)]) == {
        "county_finance": Decimal("177.78"),
        "township_finance": Decimal("177.77"),
    }


def test_a_payer_without_a_share_never_gets_the_remainder() -> None:
    result = split(
        Decimal("0.01"), [("county_finance", Fraction(0)), (PERSONAL, HALF), ("township_finance", HALF)]
    )
    assert result == {"county_finance": 0, PERSONAL: 0, "township_finance": Decimal("0.01")}


@pytest.mark.parametrize(
    "parts",
    [
        [(PERSONAL, HALF)],
        [(PERSONAL, HALF), (PERSONAL, HALF)],
        [(PERSONAL, Fraction(3, 2)), ("government", Fraction(-1, 2))],
        [],
    ],
)
def test_fractions_that_are_not_a_whole_are_refused(parts: list[tuple[str, Fraction]]) -> None:
    with pytest.raises(MoneyError):
        split(Decimal("1.00"), parts)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("350", "350.00"),
        ("1,025.5", "1025.50"),
        ("¥ 20.00元", "20.00"),
        (7, "7.00"),
        ("-3.10", "-3.10"),
        ("-0", "0.00"),
    ],
)
def test_yuan_reads_amounts_with_two_places(value: str | int, expected: str) -> None:
    assert str(yuan(value)) == expected


@pytest.mark.parametrize(
    "value", ["", "1.005", "abc", "NaN", "Infinity", "1e3", "1,0,0", "12,34", "1_000", 0.1, True, "1" * 20]
)
def test_yuan_refuses_what_is_not_an_exact_amount(value: object) -> None:
    with pytest.raises(MoneyError):
        yuan(value)  # type: ignore[arg-type]


def test_figures_carry_thousands_separators() -> None:
    assert format_yuan(Decimal("1234567.5")) == "1,234,567.50"


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("350", "人民币叁佰伍拾元整"),
        ("1025", "人民币壹仟零贰拾伍元整"),
        ("0", "人民币零元整"),
        ("10", "人民币壹拾元整"),
        ("0.05", "人民币伍分"),
        ("0.50", "人民币伍角整"),
        ("325.04", "人民币叁佰贰拾伍元零肆分"),
        ("16409.02", "人民币壹万陆仟肆佰零玖元零贰分"),
        ("6007.14", "人民币陆仟零柒元壹角肆分"),
        ("107000.53", "人民币壹拾万柒仟元伍角叁分"),
        ("100050", "人民币壹拾万零伍拾元整"),
        ("10000001", "人民币壹仟万零壹元整"),
        ("100000000", "人民币壹亿元整"),
        ("100010001.05", "人民币壹亿零壹万零壹元零伍分"),
        ("-175", "人民币负壹佰柒拾伍元整"),
    ],
)
def test_capitals_follow_the_rules_for_bills(amount: str, words: str) -> None:
    assert in_words(Decimal(amount)) == words


def read_words(words: str) -> Decimal:
    """Read capitals by what each character stands for, independent of how they were written."""
    digits = {char: value for value, char in enumerate("零壹贰叁肆伍陆柒捌玖")}
    total = section = digit = 0
    cents = 0
    for char in words.removeprefix("人民币").removesuffix("整"):
        if char in digits:
            digit = digits[char]
        elif char in "拾佰仟":
            section += digit * {"拾": 10, "佰": 100, "仟": 1000}[char]
            digit = 0
        elif char == "万":
            section, digit = (section + digit) * 10_000, 0
            total, section = total + section, 0
        elif char == "亿":
            total, section, digit = (total + section + digit) * 10**8, 0, 0
        elif char == "元":
            total, section, digit = total + section + digit, 0, 0
        else:
            cents += digit * (10 if char == "角" else 1)
            digit = 0
    return Decimal(total) + Decimal(cents) / 100


@given(AMOUNTS)
def test_capitals_read_back_to_the_same_amount(amount: Decimal) -> None:
    words = in_words(amount)
    assert read_words(words) == amount
    assert "零零" not in words
    assert words.endswith(("分", "整"))
