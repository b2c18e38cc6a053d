"""Which price of a grade counts."""

import pytest

from controller.domain.prices import PriceField, current, file_was_edited, parse_price, price_shown
from controller.domain.products import Grade
from controller.domain.quantities import Unit, UnitPrice, same_price
from controller.domain.records import PriceChanged

GRADE = Grade("diesel", "Diesel", Unit.LITRE, UnitPrice(4412, 2))
CHANGED = PriceChanged("diesel", UnitPrice(4500, 2), UnitPrice(44120, 3), "till-1", "c1")


def test_without_a_change_the_file_counts() -> None:
    assert current(GRADE, None) == GRADE
    assert not file_was_edited(GRADE, None)


def test_a_change_counts_as_long_as_the_file_says_what_it_said_then() -> None:
    assert current(GRADE, CHANGED).price == UnitPrice(4500, 2)
    assert not file_was_edited(GRADE, CHANGED)


def test_an_edit_of_the_file_after_it_counts_and_is_a_change_itself() -> None:
    edited = Grade("diesel", "Diesel", Unit.LITRE, UnitPrice(4600, 2))
    assert current(edited, CHANGED) == edited
    assert file_was_edited(edited, CHANGED)


@pytest.mark.parametrize(
    ("text", "decimals", "price"), [("45.1", 2, "45.10"), ("45.100", 2, "45.10"), ("23000", -3, "23000")]
)
def test_a_price_is_what_the_pumps_can_show(text: str, decimals: int, price: str) -> None:
    parsed = parse_price(text, [PriceField(decimals, 999_999)])
    assert str(parsed) == price
    assert same_price(parsed, UnitPrice(*(int(text.replace(".", "")), len(text.partition(".")[2]))))


@pytest.mark.parametrize(
    ("text", "decimals"),
    [("45.123", 2), ("0", 2), ("-3", 2), ("", 2), ("x", 2), ("23500", -3), ("9" * 40, 2), ("1e3", 2)],
)
def test_no_other_price_is_taken(text: str, decimals: int) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_price(text, [PriceField(decimals, 999_999)])


@pytest.mark.parametrize(
    ("price", "fields", "wrong"),
    [
        (UnitPrice(10_000, 2), [PriceField(2, 9_999)], "show at most 99.99"),
        (UnitPrice(99, 0), [PriceField(2, 9_999), PriceField(3, 9_999)], "show at most 9.999"),
        (UnitPrice(4412, 2), [PriceField(3, 999_999), PriceField(1, 9_999)], "show 1 decimals"),
        (UnitPrice(23_500, 0), [PriceField(-3, 9_999)], "show -3 decimals"),
    ],
)
def test_a_price_that_one_pump_of_the_grade_cannot_show_is_said(
    price: UnitPrice, fields: list[PriceField], wrong: str
) -> None:
    with pytest.raises(ValueError, match=wrong):
        price_shown(price, fields)


def test_a_price_that_all_pumps_show_has_the_decimals_that_all_have() -> None:
    assert price_shown(UnitPrice(441, 1), [PriceField(3, 999_999), PriceField(2, 9_999)]) == UnitPrice(4410, 2)
    assert price_shown(UnitPrice(441, 1), []) == UnitPrice(441, 1), "no pump has it"
