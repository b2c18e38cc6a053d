"""Value added tax: rates by product and date, and what of a price is tax. Pure, whole numbers only.

Prices include the tax. It is rounded half up to a minor unit, once for each sum; what is left is the net amount, so
that net and tax are always the whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import msgspec

from controller.domain.programmes.programme import BASIS_POINTS
from controller.domain.programmes.rules import Product


class VatRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From this day on: `rate` in basis points (2000 is 20 %)."""

    product: Product
    since: date = msgspec.field(name="from")
    rate: Annotated[int, msgspec.Meta(ge=0, le=BASIS_POINTS)]


class NoVatRate(ValueError):
    """There is no rate for a product on a day."""


@dataclass(frozen=True, slots=True)
class Taxed:
    """One sale as tax sees it, or one line of a sum. `sales`: how many it is, -1 for one that is taken off."""

    product: Product
    day: date
    gross_minor: int
    volume_ml: int
    sales: int = 1


class VatLine(msgspec.Struct, frozen=True):
    """A sum of one rate. `day` is empty where the sum is over many days. `net_minor + vat_minor == gross_minor`."""

    product: str
    day: str
    rate_bp: int
    sales: int
    volume_ml: int
    gross_minor: int
    net_minor: int
    vat_minor: int


def rate_on(rates: Sequence[VatRate], product: str, day: date) -> int:
    """The rate in force. NoVatRate."""
    found = [rate for rate in rates if rate.product == product and rate.since <= day]
    if not found:
        raise NoVatRate(f"no rate of VAT for {product} on {day}: add a [[vat]] with product, from and rate to hq.toml")
    return max(found, key=lambda rate: rate.since).rate


def split(gross_minor: int, rate_bp: int) -> tuple[int, int]:
    """Net and tax of an amount that includes it."""
    whole = BASIS_POINTS + rate_bp
    tax = (2 * abs(gross_minor) * rate_bp + whole) // (2 * whole)
    tax = tax if gross_minor >= 0 else -tax
    return gross_minor - tax, tax


def by_rate(rates: Sequence[VatRate], sold: Iterable[Taxed], *, daily: bool) -> list[VatLine]:
    """One line for each product and rate (and day): sums, split once each. NoVatRate."""
    sums: dict[tuple[str, str, int], list[int]] = {}
    for each in sold:
        key = (each.product, each.day.isoformat() if daily else "", rate_on(rates, each.product, each.day))
        held = sums.setdefault(key, [0, 0, 0])
        held[0] += each.sales
        held[1] += each.volume_ml
        held[2] += each.gross_minor
    lines = []
    for (product, day, rate), (count, volume_ml, gross_minor) in sorted(sums.items()):
        lines.append(VatLine(product, day, rate, count, volume_ml, gross_minor, *split(gross_minor, rate)))
    return lines
