"""Which price of a grade counts: the one that was changed at the desk, or the one that stands in station.toml.

A change at the desk is journalled together with what station.toml said then. It counts, also after a restart, until
station.toml says something else than it said then: who edits the file means it. Knows no file and no pump.
"""

import msgspec

from controller.domain.products import Grade
from controller.domain.quantities import UnitPrice, parse_decimal, same_price
from controller.domain.records import PriceChanged

PRICE_DECIMALS_MAX = 6
PRICE_VALUE_MAX = 10**12
"""More than any pump can show."""


def current(grade: Grade, changed: PriceChanged | None) -> Grade:
    """`grade`, as station.toml has it, with the price that counts. `changed`: the last change of its price."""
    if changed is None or not same_price(changed.file_price, grade.price):
        return grade
    return msgspec.structs.replace(grade, price=changed.price)


def file_was_edited(grade: Grade, changed: PriceChanged | None) -> bool:
    """Whether station.toml says another price than at the last change: then the file counts, and that is a change."""
    return changed is not None and not same_price(changed.file_price, grade.price)


def parse_price(text: str, decimals: int) -> UnitPrice:
    """A price that pumps with so many decimals can show. ValueError says what is wrong with it."""
    value, exponent = parse_decimal(text)
    while exponent > 0 and value % 10 == 0:
        value, exponent = value // 10, exponent - 1
    if value <= 0:
        raise ValueError(f"{text!r}: expected a price above zero")
    if exponent > PRICE_DECIMALS_MAX or value > PRICE_VALUE_MAX:
        raise ValueError(f"{text!r}: no pump can show this price")
    price = UnitPrice(value, exponent)
    shown = price_in(price, decimals)
    if shown is None:
        raise ValueError(f"{text!r}: the pumps of this grade show {decimals} decimals")
    return shown if decimals > 0 else price


def price_in(price: UnitPrice, decimals: int) -> UnitPrice | None:
    """The same price with so many decimals (below zero: whole tens, hundreds ...); None where that is not exact."""
    value = price.value
    for _ in range(decimals - price.exponent):
        value *= 10
    for _ in range(price.exponent - decimals):
        if value % 10:
            return None
        value //= 10
    return UnitPrice(value, decimals)
