"""Money, fuel and prices are exact: no float, no lost digit, and rounding that is said aloud."""

from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from controller.domain.quantities import (
    CURRENCIES,
    Unit,
    UnitPrice,
    amount_for,
    decimal_text,
    money_text,
    parse_decimal,
    same_price,
    volume_for,
    volume_text,
)

currencies = st.sampled_from(sorted(CURRENCIES.values(), key=lambda currency: currency.code))
prices = st.builds(UnitPrice, st.integers(1, 10**7), st.integers(-4, 6))
volumes = st.integers(0, 10**9)
amounts = st.integers(0, 10**12)
LIRA, DONG = CURRENCIES["TRY"], CURRENCIES["VND"]


def exact(price: UnitPrice) -> Fraction:
    return Fraction(price.value) / Fraction(10) ** price.exponent


@pytest.mark.parametrize(
    ("volume_ml", "price", "currency", "amount_minor"),
    [
        (10_000, UnitPrice(4379, 2), "TRY", 43_790),
        (1, UnitPrice(4379, 2), "TRY", 4),  # 4.379 kurus
        (500, UnitPrice(4379, 2), "TRY", 2_190),  # 2189.5: half goes up
        (1_000, UnitPrice(43_795, 3), "TRY", 4_380),  # 4379.5: half goes up
        (1_000, UnitPrice(23, -3), "VND", 23_000),
        (40_000, UnitPrice(23, -3), "VND", 920_000),
        (1_234, UnitPrice(23_450, 0), "VND", 28_937),  # 28937.3
        (0, UnitPrice(4379, 2), "UAH", 0),
    ],
)
def test_a_volume_costs_what_a_calculator_says(
    volume_ml: int, price: UnitPrice, currency: str, amount_minor: int
) -> None:
    assert amount_for(volume_ml, price, CURRENCIES[currency]) == amount_minor


@pytest.mark.parametrize(
    ("amount_minor", "price", "currency", "volume_ml"),
    [
        (50_000, UnitPrice(4379, 2), "TRY", 11_418),  # 11.41813...
        (100_000, UnitPrice(23, -3), "VND", 4_347),  # 4.3478...
        (23_000, UnitPrice(23, -3), "VND", 1_000),
        (43_790, UnitPrice(4379, 2), "TRY", 10_000),
    ],
)
def test_money_buys_volume_rounded_down(amount_minor: int, price: UnitPrice, currency: str, volume_ml: int) -> None:
    assert volume_for(amount_minor, price, CURRENCIES[currency]) == volume_ml


@given(volumes, prices, currencies)
def test_an_amount_is_within_half_a_minor_unit_of_the_exact_one(volume_ml, price, currency) -> None:  # type: ignore[no-untyped-def]
    exact_minor = Fraction(volume_ml, 1000) * exact(price) * 10**currency.decimals
    off = amount_for(volume_ml, price, currency) - exact_minor
    assert Fraction(-1, 2) < off <= Fraction(1, 2)


@given(amounts, prices, currencies)
def test_a_money_limit_is_never_exceeded_by_the_volume_it_becomes(amount_minor, price, currency) -> None:  # type: ignore[no-untyped-def]
    volume_ml = volume_for(amount_minor, price, currency)
    assert amount_for(volume_ml, price, currency) <= amount_minor
    more = Fraction(volume_ml + 1, 1000) * exact(price) * 10**currency.decimals
    assert more > amount_minor, "a thousandth more must not have fitted"


@pytest.mark.parametrize("value", [0, -1])
def test_a_grade_without_a_price_buys_nothing_and_says_so(value: int) -> None:
    with pytest.raises(ValueError, match="set the grade's price first"):
        volume_for(1000, UnitPrice(value, 2), LIRA)


@given(st.integers(), st.integers(0, 12))
def test_decimal_text_comes_back_as_the_same_number(value: int, decimals: int) -> None:
    assert parse_decimal(decimal_text(value, decimals)) == (value, decimals)


@given(st.integers(-(10**15), 10**15), st.integers(-6, 6))
def test_decimal_text_is_the_number_that_it_means(value: int, decimals: int) -> None:
    text = decimal_text(value, decimals)
    assert Decimal(text) == Decimal(value).scaleb(-decimals)
    assert "e" not in text.lower()


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(4379, 2, "43.79"), (5, 2, "0.05"), (-5, 2, "-0.05"), (0, 3, "0.000"), (23, -3, "23000"), (-7, 0, "-7")],
)
def test_decimal_text_is_plain(value: int, decimals: int, text: str) -> None:
    assert decimal_text(value, decimals) == text


def test_a_price_in_thousands_of_dong_reads_in_dong() -> None:
    assert str(UnitPrice(23, -3)) == "23000"
    assert money_text(920_000, DONG) == "920000 VND"
    assert money_text(123_450, LIRA) == "1234.50 TRY"


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "-", "1.", ".5", "1,5", "1e3", "+1", "--1", "1.-5", "1 000", "0x10", "٣.٥", "½", "1.²", "NaN"],
)
def test_what_is_no_plain_decimal_is_refused_and_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a plain decimal number"):
        parse_decimal(text)


@given(st.text(max_size=20))
def test_any_text_is_a_decimal_or_a_value_error(text: str) -> None:
    try:
        value, decimals = parse_decimal(text)
    except ValueError:
        return
    assert Decimal(text.strip()) == Decimal(value).scaleb(-decimals)


@given(prices, st.integers(0, 5))
def test_zeros_behind_the_point_change_no_price(price: UnitPrice, zeros: int) -> None:
    longer = UnitPrice(price.value * 10**zeros, price.exponent + zeros)
    assert same_price(price, longer)
    assert same_price(longer, price)


@given(prices, prices)
def test_prices_are_the_same_only_if_their_numbers_are(first: UnitPrice, second: UnitPrice) -> None:
    assume(first != second)
    assert same_price(first, second) == (exact(first) == exact(second))


@given(st.integers(-(10**9), 10**9), st.sampled_from(Unit))
def test_a_shown_volume_is_cut_and_never_more_than_was_measured(volume_ml: int, unit: Unit) -> None:
    number, shown_unit = volume_text(volume_ml, unit).split(" ")
    cut = (Decimal(abs(volume_ml)) / 1000).quantize(Decimal("0.01"), ROUND_FLOOR)
    assert abs(Decimal(number)) == cut
    assert shown_unit == unit
