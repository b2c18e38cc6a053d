"""What station.toml says of fuel programmes, of the receipt's language and of tax: its tables, and what they must be.

`controller.config` reads the file and puts the tables together.
"""

from collections.abc import Callable, Container
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from controller.domain.programmes.programme import ProgrammeError
from controller.domain.programmes.rules import PRODUCTS, Product
from controller.domain.quantities import Currency, parse_decimal, power_of_ten
from controller.domain.vat import VatRate
from controller.programme_files import ProgrammeText, programme_text

VAT_DECIMALS, VAT_PERCENT_MAX = 2, 100
Wrong = Callable[[str, str], Exception]
"""Makes the error that names a key and what is wrong with it."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class ReceiptTable(_Table, frozen=True):
    """`language`: of all fixed words on receipts."""

    language: Literal["en", "tr", "vi", "uk"] = "en"


class ProgrammesTable(_Table, frozen=True):
    """The fuel programmes of this station: shipped names, or TOML files."""

    use: tuple[str, ...] = ()


class VatTable(_Table, frozen=True, kw_only=True):
    """A rate of tax, in percent ("20"), from a day on. Prices include it. `grade`: its code; without one, of all."""

    since: date = msgspec.field(name="from")
    rate: str
    grade: str = ""


def check_programmes(
    table: ProgrammesTable, folder: Path, currency: Currency, wrong: Wrong
) -> tuple[ProgrammeText, ...]:
    """The programmes that are used, in their order."""
    found: dict[str, ProgrammeText] = {}
    for index, name in enumerate(table.use):
        key = f"programmes.use[{index}]"
        try:
            text = programme_text(name, folder)
        except ProgrammeError as error:
            raise wrong(key, str(error)) from error
        programme = text.programme
        if programme.currency != currency:
            raise wrong(key, f"{programme.name} counts in {programme.currency.code}, the station in {currency.code}")
        if programme.name in found:
            raise wrong(key, f"{programme.name} stands twice")
        found[programme.name] = text
    return tuple(found.values())


def check_vat(tables: tuple[VatTable, ...], grades: Container[str], wrong: Wrong) -> tuple[VatRate, ...]:
    """The rates. `grades`: the codes that there are."""
    rates: dict[tuple[str, date], VatRate] = {}
    for index, table in enumerate(tables):
        if table.grade and table.grade not in grades:
            raise wrong(f"vat[{index}].grade", f"{table.grade!r} is no grade of this station")
        if (table.grade, table.since) in rates:
            raise wrong(f"vat[{index}].from", f"{table.since}: another rate begins on this day already")
        try:
            value, decimals = parse_decimal(table.rate)
        except ValueError as error:
            raise wrong(f"vat[{index}].rate", f'{error}; write percents in quotes, as "20"') from error
        if decimals > VAT_DECIMALS or not 0 <= value <= VAT_PERCENT_MAX * power_of_ten(decimals):
            raise wrong(
                f"vat[{index}].rate", f"{table.rate!r}: expected 0 to {VAT_PERCENT_MAX} percent, such as 20 or 8.5"
            )
        basis_points = value * power_of_ten(VAT_DECIMALS - decimals)
        rates[table.grade, table.since] = VatRate(table.grade, table.since.toordinal(), basis_points)
    return tuple(rates.values())


def product_of(code: str, named: Product | None) -> Product | None:
    """The programmes' word for a grade: the one that station.toml names, else its code, if that is such a word."""
    return named or next((product for product in PRODUCTS if product == code), None)
