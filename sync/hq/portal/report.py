"""The report of a customer's sales: lines, what filters leave of them, and their totals. Pure.

Amounts are minor units, volumes thousandths; whoever shows them spells them. Card numbers are masked where a line is
shown; a filter is matched against the whole number.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

import msgspec

from controller.domain.tokens import fold_plate, mask_card, plate_letters

LAST_DIGITS_MIN = 4


class FilterError(ValueError):
    """What was asked for cannot be meant; the text says what was expected."""


class ReportLine(msgspec.Struct, frozen=True):
    """One sale. `at`: local time of the programme. `card` and `plate` are empty where none was shown."""

    customer: str
    plate: str
    card: str
    station: str
    at: datetime
    product: str
    volume_ml: int
    amount_minor: int
    discount_minor: int

    @property
    def card_shown(self) -> str:
        return mask_card(self.card) if self.card else ""


class Filter(msgspec.Struct, frozen=True):
    """What is wanted. None or empty: all. `since` and `until` are days, both in it; `card` ends with these digits."""

    since: date | None = None
    until: date | None = None
    card: str = ""
    product: str = ""
    plate: str = ""


class Totals(msgspec.Struct, frozen=True):
    """The sums under a report."""

    sales: int = 0
    volume_ml: int = 0
    amount_minor: int = 0
    discount_minor: int = 0


def filter_of(since: str, until: str, card: str, product: str, plate: str) -> Filter:
    """The filter that these words mean, as a person typed them. FilterError says what is wrong with which."""
    digits = card.replace(" ", "").replace("*", "")
    if digits and not (digits.isascii() and digits.isdecimal() and len(digits) >= LAST_DIGITS_MIN):
        raise FilterError(f"card: at least the last {LAST_DIGITS_MIN} digits of its number, and nothing else")
    try:
        folded = fold_plate(plate) if plate.strip() else ""
    except ValueError as error:
        raise FilterError(f"plate: {error}") from error
    first, last = _day("from", since), _day("to", until)
    if first is not None and last is not None and first > last:
        raise FilterError("the first day is after the last")
    return Filter(first, last, digits, product.strip(), folded)


def fits(line: ReportLine, wanted: Filter) -> bool:
    """Whether a sale is in the report."""
    day = line.at.date()
    return (
        (wanted.since is None or day >= wanted.since)
        and (wanted.until is None or day <= wanted.until)
        and line.card.endswith(wanted.card)
        and wanted.product in {"", line.product}
        and (not wanted.plate or plate_letters(line.plate) == wanted.plate)
    )


def wanted_lines(lines: Iterable[ReportLine], wanted: Filter) -> Iterator[ReportLine]:
    """Those that fit, in their order."""
    return (line for line in lines if fits(line, wanted))


def totals_of(lines: Iterable[ReportLine]) -> Totals:
    sales = volume_ml = amount_minor = discount_minor = 0
    for line in lines:
        sales += 1
        volume_ml += line.volume_ml
        amount_minor += line.amount_minor
        discount_minor += line.discount_minor
    return Totals(sales, volume_ml, amount_minor, discount_minor)


def _day(name: str, text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise FilterError(f"{name}: a day such as 2026-01-31") from None
