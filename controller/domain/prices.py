"""Which price of a grade counts: the one that was changed at the desk, or the one that stands in station.toml.

A change at the desk is journalled together with what station.toml said then. It counts, also after a restart, until
station.toml says something else than it said then: who edits the file means it. What headquarters sets by the list is
`controller.domain.list_prices`. Knows no file and no pump.
"""

from collections.abc import Iterable

import msgspec

from controller.domain.products import Grade
from controller.domain.quantities import UnitPrice, parse_decimal, same_price
from controller.domain.records import PriceChanged

PRICE_DECIMALS_MAX = 6
PRICE_VALUE_MAX = 10**12
"""More than any pump can show."""


class PriceField(msgspec.Struct, frozen=True):
    """How a pump shows a price: its decimals (below zero: whole tens, hundreds ...), and its largest number."""

    decimals: int
    most: int


def current(grade: Grade, changed: PriceChanged | None) -> Grade:
    """`grade`, as station.toml has it, with the price that counts. `changed`: the last change of its price."""
    if changed is None or not same_price(changed.file_price, grade.price):
        return grade
    return msgspec.structs.replace(grade, price=changed.price)


def file_was_edited(grade: Grade, changed: PriceChanged | None) -> bool:
    """Whether station.toml says another price than at the last change: then the file counts, and that is a change."""
    return changed is not None and not same_price(changed.file_price, grade.price)


def parse_price(text: str, fields: Iterable[PriceField]) -> UnitPrice:
    """A price that all of these pumps can show. ValueError says what is wrong with it."""
    value, exponent = parse_decimal(text)
    while exponent > 0 and value % 10 == 0:
        value, exponent = value // 10, exponent - 1
    if value <= 0:
        raise ValueError(f"{text!r}: expected a price above zero")
    if exponent > PRICE_DECIMALS_MAX or value > PRICE_VALUE_MAX:
        raise ValueError(f"{text!r}: no pump can show this price")
    return price_shown(UnitPrice(value, exponent), fields)


def price_shown(price: UnitPrice, fields: Iterable[PriceField]) -> UnitPrice:
    """The price as the pumps of a grade show it. ValueError says why one of them cannot."""
    shown = price
    for field in sorted(fields, key=lambda field: field.decimals, reverse=True):
        digits = price_in(price, field.decimals)
        if digits is None:
            raise ValueError(f"'{price}': the pumps of this grade show {field.decimals} decimals")
        if digits.value > field.most:
            most = UnitPrice(field.most, field.decimals)
            raise ValueError(f"'{price}': the pumps of this grade show at most {most}")
        shown = digits if field.decimals > 0 else price
    return shown


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
