"""Local days, months and periods of a programme. Moments are milliseconds since 1970 UTC; days are ordinals.

Knows no clock: every moment is an argument.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

NEVER_MS = 1 << 60
"""Later than any date: the expiry of what does not expire."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_PERIOD = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])([ab]?)")
FIRST_YEAR, LAST_YEAR = 1900, 2900
"""Beyond them, days and expiries would leave the calendar."""
HALF_DAY = 15
"""The last day of a month's first half."""


def to_ms(moment: datetime) -> int:
    """An aware moment as milliseconds since 1970 UTC, cut."""
    return (moment - _EPOCH) // _MS


class LocalTime:
    """Days and months in one time zone. Remembers the day it was asked for last, since events come in order."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._day = 0
        self._from_ms = 0
        self._until_ms = 0

    def day(self, at_ms: int) -> int:
        """The local day of a moment (date.toordinal)."""
        if not self._from_ms <= at_ms < self._until_ms:
            self._day = self.local(at_ms).toordinal()
            self._from_ms = self.midnight(self._day)
            self._until_ms = self.midnight(self._day + 1)
        return self._day

    def local(self, at_ms: int) -> datetime:
        return (_EPOCH + at_ms * _MS).astimezone(self.zone)

    def text(self, at_ms: int) -> str:
        """A moment for a statement: local, with offset, to the second."""
        return self.local(at_ms).isoformat(timespec="seconds")

    def midnight(self, day: int) -> int:
        """When a local day begins."""
        start = date.fromordinal(day)
        return to_ms(datetime(start.year, start.month, start.day, tzinfo=self.zone))

    def months_later(self, at_ms: int, months: int) -> int:
        """The same local time of day so many months later; on the month's last day where it has no such day."""
        local = self.local(at_ms)
        index = local.year * 12 + local.month - 1 + months
        year, month = divmod(index, 12)
        day = min(local.day, monthrange(year, month + 1)[1])
        return to_ms(local.replace(year=year, month=month + 1, day=day))


def month_of(day: int) -> int:
    """A day's month as one number: year * 12 + month - 1."""
    found = date.fromordinal(day)
    return found.year * 12 + found.month - 1


def years_reached(birth: date, day: int) -> int:
    """Full years of age on a day. Who was born on 29 February has the birthday on 1 March in other years."""
    today = date.fromordinal(day)
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


@dataclass(frozen=True, slots=True)
class Period:
    """A month, or a half of one. `last_day` is its last, an ordinal."""

    name: str
    month: int
    half: bool
    last_day: int


def parse_period(text: str) -> Period:
    """ "2026-01", "2026-01a" (1 to 15) or "2026-01b". ValueError if it is none."""
    found = _PERIOD.fullmatch(text)
    if found is None or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise ValueError(f"expected a period such as 2026-01, 2026-01a or 2026-01b, got {text!r}")
    year, month = int(found[1]), int(found[2])
    last = HALF_DAY if found[3] == "a" else monthrange(year, month)[1]
    return Period(text, year * 12 + month - 1, found[3] != "", date(year, month, last).toordinal())


def period_name(day: int, half: bool) -> str:
    """The name of the period a day belongs to."""
    found = date.fromordinal(day)
    part = ("a" if found.day <= HALF_DAY else "b") if half else ""
    return f"{found.year:04}-{found.month:02}{part}"
