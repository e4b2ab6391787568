"""ID numbers: what is accepted, what is refused and how it is said."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.identity import (
    check_character,
    make_number,
    normalise_number,
    read_disability_card,
    read_number,
)
from foundation.parsing.texts import cell_text

TODAY = date(2022, 11, 30)
BIRTHS = st.dates(date(1880, 1, 1), TODAY)
PREFIXES = st.integers(110000, 829999).map(str)
NUMBERS = st.builds(make_number, PREFIXES, BIRTHS, st.integers(1, 999))


@given(PREFIXES, BIRTHS, st.integers(1, 999))
def test_a_made_number_is_read_back_with_birth_date_and_sex(prefix: str, birth: date, sequence: int) -> None:
    parsed = read_number(make_number(prefix, birth, sequence), TODAY)
    assert parsed.ok
    assert parsed.birth_date == birth
    assert parsed.sex == ("male" if sequence % 2 else "female")
    assert parsed.number.startswith(prefix)


@given(NUMBERS, st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(number: str, place: int, shift: int) -> None:
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert read_number(wrong, TODAY).error in {"bad_check_digit", "bad_date"}


@given(NUMBERS, st.integers(0, 15))
def test_two_neighbouring_digits_exchanged_are_always_noticed(number: str, place: int) -> None:
    wrong = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert wrong == number or not read_number(wrong, TODAY).ok


@given(NUMBERS)
def test_the_standard_sum_of_the_rule_holds(number: str) -> None:
    values = [10 if char == "X" else int(char) for char in number]
    assert sum(2 ** (17 - place) * value for place, value in enumerate(values)) % 11 == 1


@pytest.mark.parametrize(
    "typed",
    [
        "11010519491231002X",
        "11010519491231002x",
        " 110105 19491231 002X ",
        "'11010519491231002X",
        "１１０１０５１９４９１２３１００２Ｘ",
        "11010519491231002Ｘ\u200b",
        "\ufeff11010519491231002X\t",
        "“11010519491231002X”",
        "11010519491231002×",
        "11010519491231002Х",  # Cyrillic
        "110105-19491231-002x",
        "\u202d11010519491231002X\u202c",
    ],
)
def test_what_keyboards_and_spreadsheets_do_is_undone(typed: str) -> None:
    parsed = read_number(typed, TODAY)
    assert (parsed.number, parsed.birth_date, parsed.sex) == (
        "11010519491231002X",
        date(1949, 12, 31),
        "female",
    )


def test_a_number_with_point_zero_appended_is_read() -> None:
    number = make_number("370406", date(1957, 5, 5), 14)
    assert read_number(number + ".0", TODAY).number == number


def test_fifteen_digits_become_eighteen() -> None:
    parsed = read_number("370406570505012", TODAY)
    assert parsed.number == make_number("370406", date(1957, 5, 5), 12)


def test_a_region_that_no_longer_exists_is_accepted() -> None:
    assert read_number(make_number("372424", date(1950, 1, 1), 11), TODAY).ok


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("110105194912310021", "bad_check_digit"),
        ("37040619570505", "bad_length"),
        ("3704061957050500121", "bad_length"),
        ("37040619570505OO12", "bad_characters"),
        ("370406X95705050012", "bad_characters"),
        ("370406195702300012", "bad_date"),
        ("370406187001010012", "bad_date"),
        ("3.70406E+17", "scientific_notation"),
        ("3.70406195705050E+17", "scientific_notation"),
        ("370406195705050000", "scientific_notation"),
        ("3.70406195705050e+017", "scientific_notation"),
        ("370,406,195,705,050,000", "scientific_notation"),
        ("370406195705050000.0", "scientific_notation"),
        ("370406********0012", "masked"),
        ("3704**********001*", "masked"),
        ("无", "bad_characters"),
        ("٣٧٠٤٠٦١٩٥٧٠٥٠٥٠٠١٢", "bad_characters"),
    ],
)
def test_an_unusable_number_is_refused_with_its_reason_and_none_of_its_digits(typed: str, error: str) -> None:
    parsed = read_number(typed, TODAY)
    assert parsed.error == error
    assert (parsed.number, parsed.birth_date, parsed.sex) == ("", None, None)
    assert parsed.message
    assert typed.strip() == "" or typed not in parsed.message


def test_a_birth_after_the_given_day_is_refused_and_on_it_is_not() -> None:
    number = make_number("370406", TODAY, 7)
    assert read_number(number, TODAY).ok
    assert read_number(number, TODAY - timedelta(days=1)).error == "bad_date"
    assert read_number(" " + number, TODAY - timedelta(days=1)).error == "bad_date"


@given(st.text(max_size=25))
def test_no_text_makes_it_raise(text: str) -> None:
    parsed = read_number(text, TODAY)
    assert parsed.ok == bool(parsed.number)


@given(NUMBERS, st.sampled_from(["", "43", "11B1", "72B12"]))
def test_the_number_is_found_in_a_disability_card(number: str, rest: str) -> None:
    assert read_disability_card(number + rest, TODAY).number == number


def test_make_number_refuses_what_cannot_be_a_number() -> None:
    with pytest.raises(ValueError, match="sequence"):
        make_number("370406", TODAY, 0)
    with pytest.raises(ValueError, match="six digits"):
        make_number("37040", TODAY, 1)
    assert check_character("11010519491231002") == "X"


FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
HANDS = st.sampled_from(
    [
        str.lower,
        lambda text: text.translate(FULL_WIDTH),
        lambda text: f"'{text}",
        lambda text: f" {text[:6]} {text[6:14]} {text[14:]}\u3000",
        lambda text: f"{text[:6]}-{text[6:14]}-{text[14:]}",
        lambda text: f"\ufeff{text}\u200b",
        lambda text: f"“{text}”",
        lambda text: text if text.endswith("X") else f"{text}.0",
    ]
)


@given(NUMBERS, st.lists(HANDS, max_size=3))
def test_however_it_is_typed_it_is_the_same_number(number: str, hands: list[Any]) -> None:
    typed = number
    for hand in hands:
        typed = hand(typed)
    assert read_number(typed, TODAY).number == number


@given(st.one_of(st.text(max_size=25), st.text("0123456789.０Ｘx*E+- '\u200b", max_size=25), NUMBERS))
def test_normalising_a_number_twice_changes_nothing(text: str) -> None:
    once = normalise_number(text)
    assert normalise_number(once) == once
    assert read_number(once, TODAY) == read_number(text, TODAY)


@given(st.builds(make_number, PREFIXES, st.dates(date(1900, 1, 1), date(1999, 12, 31)), st.integers(1, 999)))
def test_fifteen_digits_and_eighteen_are_one_person(number: str) -> None:
    """The old number is the new one without the century and the check character."""
    assert read_number(number[:6] + number[8:17], TODAY) == read_number(number, TODAY)


@given(NUMBERS.filter(lambda number: not number.endswith("000")))
def test_a_number_that_a_spreadsheet_took_for_an_amount_is_never_guessed(number: str) -> None:
    """Fifteen digits are all it keeps: the reason is said, unless what it shows holds by chance (one in eleven)."""
    amount = float(number[:15] + "000")
    for shown in (f"{amount:.5E}", f"{amount:.14E}", cell_text(amount)):
        assert read_number(shown, TODAY).error == "scientific_notation"
    whole = number[:15] + "000"
    assert read_number(whole, TODAY).error == "scientific_notation" or check_character(whole[:17]) == "0"


@given(NUMBERS, st.integers(1, 7), st.integers(1, 4))
def test_a_card_gives_its_holders_number_and_nothing_else(number: str, kind: int, grade: int) -> None:
    """Twenty digits: read as a plain number they are refused, as a card they are the holder's."""
    card = f"{number}{kind}{grade}"
    assert read_number(card, TODAY).error in {"bad_length", "bad_characters"}
    assert read_disability_card(card, TODAY) == read_number(number, TODAY)
