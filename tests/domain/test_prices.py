"""Which price of a grade counts."""

import pytest

from controller.domain.prices import current, file_was_edited, parse_price
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
    parsed = parse_price(text, decimals)
    assert str(parsed) == price
    assert same_price(parsed, UnitPrice(*(int(text.replace(".", "")), len(text.partition(".")[2]))))


@pytest.mark.parametrize(
    ("text", "decimals"),
    [("45.123", 2), ("0", 2), ("-3", 2), ("", 2), ("x", 2), ("23500", -3), ("9" * 40, 2), ("1e3", 2)],
)
def test_no_other_price_is_taken(text: str, decimals: int) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_price(text, decimals)
