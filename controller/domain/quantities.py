"""Exact quantities: money, fuel and prices as integers with their unit.

No float is taken or given anywhere. Knows nothing of pumps, programmes or storage.
"""

from enum import StrEnum

import msgspec

MILLI = 1_000


class Unit(StrEnum):
    """What a grade is sold by. A quantity is counted in thousandths of it."""

    LITRE = "l"
    CUBIC_METRE = "m3"
    KILOGRAM = "kg"


class Currency(msgspec.Struct, frozen=True, array_like=True):
    """An ISO 4217 code and how many decimals its minor unit has (TRY 2, UAH 2, VND 0)."""

    code: str
    decimals: int


CURRENCIES = {c.code: c for c in (Currency("TRY", 2), Currency("UAH", 2), Currency("VND", 0), Currency("EUR", 2))}


class UnitPrice(msgspec.Struct, frozen=True, array_like=True):
    """A price for one unit: `value` / 10**`exponent` of the currency's main unit.

    UnitPrice(4379, 2) is 43.79 a litre. The exponent may be negative: UnitPrice(23, -3) is 23,000.
    """

    value: int
    exponent: int

    def __str__(self) -> str:
        return decimal_text(self.value, self.exponent)


def same_price(first: UnitPrice, second: UnitPrice) -> bool:
    """Equal as numbers: 43.7 is 43.70."""
    low = min(first.exponent, second.exponent)
    return first.value * power_of_ten(second.exponent - low) == second.value * power_of_ten(first.exponent - low)


def amount_for(volume_ml: int, price: UnitPrice, currency: Currency) -> int:
    """What `volume_ml` thousandths of a unit cost, in minor units, rounded half up.

    Only for presets and simulated pumps: what a real delivery cost is what the pump says.
    """
    numerator = volume_ml * price.value * power_of_ten(currency.decimals)
    return _scaled(numerator, price.exponent, round_half_up=True)


def volume_for(amount_minor: int, price: UnitPrice, currency: Currency) -> int:
    """How many thousandths of a unit `amount_minor` buys, rounded down. The price must be above zero."""
    if price.value <= 0:
        raise ValueError(f"a price of {price} buys no volume: set the grade's price first")
    numerator = amount_minor * MILLI
    denominator = price.value * power_of_ten(currency.decimals)
    if price.exponent >= 0:
        return numerator * power_of_ten(price.exponent) // denominator
    return numerator // (denominator * power_of_ten(-price.exponent))


def power_of_ten(exponent: int) -> int:
    """10**exponent as an int; the exponent is not negative (type checkers cannot know that `**` stays whole)."""
    result: int = 10**exponent
    return result


def _scaled(numerator: int, exponent: int, *, round_half_up: bool) -> int:
    denominator = MILLI
    if exponent >= 0:
        denominator *= power_of_ten(exponent)
    else:
        numerator *= power_of_ten(-exponent)
    half = denominator // 2 if round_half_up else 0
    return (numerator + half) // denominator


def decimal_text(value: int, decimals: int) -> str:
    """`value` / 10**`decimals` as plain decimal text: decimal_text(-5, 2) == "-0.05"."""
    if decimals <= 0:
        return str(value * power_of_ten(-decimals))
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def money_text(amount_minor: int, currency: Currency) -> str:
    """Money with its code, for people: "1234.50 TRY"."""
    return f"{decimal_text(amount_minor, currency.decimals)} {currency.code}"


def volume_text(volume_ml: int, unit: Unit) -> str:
    """A quantity to the hundredth, cut and never rounded up, as pumps show it: "40.00 l"."""
    hundredths = abs(volume_ml) // 10
    return f"{decimal_text(-hundredths if volume_ml < 0 else hundredths, 2)} {unit}"


def parse_decimal(text: str) -> tuple[int, int]:
    """Plain decimal text as (value, decimals): "43.79" -> (4379, 2). ValueError says what is wrong with it."""
    whole, point, fraction = text.strip().partition(".")
    digits = whole.removeprefix("-")
    if not digits.isdecimal() or not digits.isascii() or (point and not (fraction.isdecimal() and fraction.isascii())):
        raise ValueError(f"{text!r} is not a plain decimal number such as 43.79")
    return int(whole + fraction), len(fraction)
