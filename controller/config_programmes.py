"""What station.toml says of fuel programmes, of the receipt's language and of tax: its tables, and what they must be.

`controller.config` reads the file and puts the tables together.
"""

from collections.abc import Callable, Mapping
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
    """A rate of tax, in percent ("20"), from a day on. Prices include it.

    Of one `grade`, by its code, or of all grades of a `product` of the programmes; without either, of all grades.
    """

    since: date = msgspec.field(name="from")
    rate: str
    grade: str = ""
    product: Product | None = None


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


def check_vat(
    tables: tuple[VatTable, ...], products: Mapping[str, Product | None], wrong: Wrong
) -> tuple[VatRate, ...]:
    """The rates. `products`: what is named beside the codes of all grades that there are."""
    rates: dict[tuple[str, date], VatRate] = {}
    for index, table in enumerate(tables):
        codes = _taxed(table, products, f"vat[{index}]", wrong)
        if any((code, table.since) in rates for code in codes):
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
        for code in codes:
            rates[code, table.since] = VatRate(code, table.since.toordinal(), basis_points)
    return tuple(rates.values())


def _taxed(table: VatTable, products: Mapping[str, Product | None], where: str, wrong: Wrong) -> list[str]:
    """The grades of a rate; an empty code stands for all of them."""
    if table.grade and table.grade not in products:
        raise wrong(f"{where}.grade", f"{table.grade!r} is no grade of this station")
    if table.product is None:
        return [table.grade]
    codes = [code for code, named in products.items() if product_of(code, named) == table.product]
    if table.grade or not codes:
        what = "give one of product and grade" if table.grade else "no grade of this station is that"
        raise wrong(f"{where}.product", f"{table.product}: {what}")
    return codes


def product_of(code: str, named: Product | None) -> Product | None:
    """The programmes' word for a grade: the one that station.toml names, else its code, if that is such a word."""
    return named or next((product for product in PRODUCTS if product == code), None)
