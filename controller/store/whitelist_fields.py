"""What may stand in one field of a list that people write, and what it means. A ValueError says what is wrong with it.

An empty field means: no such condition.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from controller.domain.lists import MINUTES_A_DAY, Hours
from controller.domain.pins import parse_verifier
from controller.domain.prices import PRICE_DECIMALS_MAX, PRICE_VALUE_MAX
from controller.domain.quantities import UnitPrice, parse_decimal, power_of_ten
from controller.domain.seams import MS_PER_S

NUMBER_MAX = 10**15
"""Above any limit that means something, below what a row can hold."""
COUNT_MAX = 10**6
NAME_LETTERS_MAX = 64
_CODE = re.compile(r"[\w.-]{1,32}")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIMES = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? ([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d)")


def needed_name(text: str) -> str:
    """Such as an account's; what has none is refused."""
    name = text.strip()
    if not name:
        raise ValueError("empty: say who pays, or what it is called")
    if len(name) > NAME_LETTERS_MAX:
        raise ValueError(f"{name[:NAME_LETTERS_MAX]!r}... has more than {NAME_LETTERS_MAX} letters")
    return name


def code(text: str) -> str:
    """Such as a grade's."""
    if not _CODE.fullmatch(text):
        raise ValueError(f"{text!r}: expected a code of at most 32 letters and digits, such as diesel")
    return text


def codes(text: str) -> str:
    """Several, with commas between them."""
    return ",".join(map(code, filter(None, text.replace(";", ",").replace(" ", "").split(","))))


def one_of(words: type[StrEnum], default: StrEnum) -> Callable[[str], str]:
    """A parser of one of these words."""
    known = {word.value: word.value for word in words} | {"": default.value}

    def parse(text: str) -> str:
        try:
            return known[text.strip()]
        except KeyError:
            raise ValueError(f"{text!r}: expected {' or '.join(words)}") from None

    return parse


def yes(text: str) -> bool:
    word = text.strip().lower()
    if word not in {"", "yes", "no"}:
        raise ValueError(f"{text!r}: expected yes or no")
    return word == "yes"


def yes_unless_no(text: str) -> bool:
    """As `yes`, where nothing means yes."""
    return not text.strip() or yes(text)


def bounded(most: int) -> Callable[[str], int]:
    """A parser of whole numbers up to this; 0 for nothing."""

    def parse(text: str) -> int:
        digits = text.strip()
        if digits and not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(most))):
            raise ValueError(f"{text!r}: expected a whole number from 0 to {most}, or nothing")
        value = int(digits or 0)
        if value > most:
            raise ValueError(f"{text!r}: expected a whole number from 0 to {most}, or nothing")
        return value

    return parse


def verifier(text: str) -> str:
    """A PIN's verifier, never a PIN. What stands there is not repeated."""
    return parse_verifier(text.strip()).text if text.strip() else ""


def day_ms(zone: ZoneInfo, text: str, *, days_later: int = 0) -> int:
    """A date as the UTC moment of its local midnight; 0 for nothing. The last valid day is valid to its end."""
    if not text.strip():
        return 0
    try:
        day = date.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r}: expected a day such as 2026-12-31") from error
    if day < date.max:  # 9999-12-31 is what people write for ever
        day += timedelta(days=days_later)
    return int(datetime.combine(day, time(), zone).timestamp()) * MS_PER_S


def moment_ms(text: str) -> int:
    """A moment with its offset, in UTC; 0 for nothing."""
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r}: expected a moment such as 2026-12-31T06:00+03:00") from error
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset: expected a moment such as 2026-12-31T06:00+03:00")
    return int(moment.timestamp()) * MS_PER_S


def counted(text: str) -> int:
    """A number of times; 0 for nothing."""
    digits = text.strip()
    if not digits:
        return 0
    if not (
        digits.isascii() and digits.isdecimal() and len(digits) <= len(str(COUNT_MAX)) and 0 < int(digits) <= COUNT_MAX
    ):
        raise ValueError(f"{text!r}: expected a whole number from 1 to {COUNT_MAX}, or nothing for none")
    return int(digits)


def numbers(decimals: int) -> Callable[[str], int]:
    """A parser of numbers with so many decimals, as whole numbers of their last one; 0 for nothing."""

    def parse(text: str) -> int:
        if not text.strip():
            return 0
        value, given = parse_decimal(text)
        if given > decimals or not 0 < value <= NUMBER_MAX:
            raise ValueError(
                f"{text!r}: expected a number above zero with at most {decimals} decimals, or nothing for no limit"
            )
        return value * power_of_ten(decimals - given)

    return parse


def price(text: str) -> UnitPrice:
    """Of one unit, above zero. The same price is written in one way only."""
    value, exponent = parse_decimal(text)
    while exponent > 0 and value % 10 == 0:
        value, exponent = value // 10, exponent - 1
    if not 0 < value <= PRICE_VALUE_MAX or exponent > PRICE_DECIMALS_MAX:
        raise ValueError(f"{text!r}: expected a price above zero with at most {PRICE_DECIMALS_MAX} decimals")
    return UnitPrice(value, exponent)


def hours(text: str) -> tuple[Hours, ...]:
    """Days and times of the week: `mon-fri 06:00-22:00; sat 22:00-02:00`."""
    return tuple(_one_time(each.strip().lower()) for each in text.split(";") if each.strip())


def _one_time(text: str) -> Hours:
    found = _TIMES.fullmatch(text)
    if found is None or {found[1], found[2] or found[1]} - set(_DAYS):
        raise ValueError(f"{text!r}: expected days and hours such as mon-fri 06:00-22:00; sat 08:00-14:00")
    first, last = _DAYS.index(found[1]), _DAYS.index(found[2] or found[1])
    days = sum(1 << (first + step) % 7 for step in range((last - first) % 7 + 1))
    begin, end = int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6])
    if begin >= MINUTES_A_DAY or end > MINUTES_A_DAY:
        raise ValueError(f"{text!r}: expected times from 00:00 to 24:00")
    return Hours(days, begin, end % MINUTES_A_DAY)
