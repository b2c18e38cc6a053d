"""Grades: what a station sells. Knows no price list and no tank."""

import msgspec

from controller.domain.quantities import Unit, UnitPrice


class Grade(msgspec.Struct, frozen=True, array_like=True):
    """A product at a pump: `code` is what lists and records say ("diesel"), `name` what people read."""

    code: str
    name: str
    unit: Unit
    price: UnitPrice
