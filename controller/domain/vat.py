"""Value added tax in a price that includes it: the rate of a grade on a day, and the exact split. Knows no receipt."""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.domain.quantities import decimal_text

BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class VatRate:
    """From `since` on (date.toordinal, local) this share of the price before tax. Of `grade`, or of all (empty)."""

    grade: str
    since: int
    basis_points: int

    @property
    def text(self) -> str:
        """As people write it: "20", "8.5"."""
        text = decimal_text(self.basis_points, 2)
        return text.rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class VatLine:
    """What one rate takes of an amount: `net_minor + tax_minor` is the amount."""

    rate: VatRate
    net_minor: int
    tax_minor: int


def rate_on(rates: Iterable[VatRate], grade: str, day: int) -> VatRate | None:
    """The rate in force for a grade: of its own ones the latest begun, else of those for all grades."""
    begun = [rate for rate in rates if rate.since <= day and rate.grade in (grade, "")]
    return max(begun, key=lambda rate: (bool(rate.grade), rate.since), default=None)


def split(amount_minor: int, rate: VatRate) -> VatLine:
    """The tax that is in an amount, rounded half up; the rest is net."""
    whole = BASIS_POINTS + rate.basis_points
    tax_minor = (2 * amount_minor * rate.basis_points + whole) // (2 * whole)
    return VatLine(rate, amount_minor - tax_minor, tax_minor)
