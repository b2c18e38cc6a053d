"""File 05: what changes on a card at a fill: velocity counters, PIN tries, odometer, and the open debit of its purse.

    offset length
     0      1     format of this file: 1; a file of zeros was never written and counts as empty
     1      1     wrong PINs in a row
     2      2     the day of the counters, as days since 2000-01-01
     4      1     fills on that day
     5      4     volume of that day, ml
     9      5     amount of that day, minor units
    14      4     volume of that day's month, ml
    18      5     amount of that day's month, minor units
    23      3     odometer, km
    26      1     purse debit: 0 none, 1 open, 2 settled (its rest was given back)
    27      4     ... the station's number
    31      8     ... epoch
    39      4     ... sequence number: with the two before it, the journal's name of the debit
    43      4     ... what was debited, in the purse's unit

47 bytes, because that is the most that one 59-byte frame carries encrypted: 48 with padding, and a MAC of 8. The
file is a backup file, so the debit's name and the debit itself are committed together or not at all. Counters on a
card bound what it can do offline; they prove nothing, since every station may write them. Knows no session.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from card_io.errors import NotOurCard
from card_io.octets import DAY_MAX, DAY_ZERO, Octets, day, day_of, number

COUNTERS_FILE = 0x05
COUNTERS_LENGTH = 47
COUNTERS_FORMAT = 1
EPOCH_LENGTH = 8

AHEAD = timedelta(days=1)  # by how much the day of two stations may differ: their clocks, and when their day begins
FAR_AHEAD = timedelta(days=366)  # a day so far off comes from a wrong clock: nobody lives to see it end
FIRST_DAY = DAY_ZERO + timedelta(days=1)  # the zero of the file is a card that was never used
FILLS_MAX = 0xFF

DebitState = Literal["open", "settled"]
_STATES: dict[int, DebitState] = {1: "open", 2: "settled"}


@dataclass(frozen=True, slots=True)
class PurseIntent:
    """A debit's name and size: (station, epoch, seq) as in the journal, `maximum` 1..2^31-1 in the purse's unit."""

    station: int
    epoch: bytes
    seq: int
    maximum: int

    def __post_init__(self) -> None:
        number(self.station, 4, "a station's number")
        number(self.seq, 4, "a sequence number")
        if len(self.epoch) != EPOCH_LENGTH:
            raise ValueError(f"an epoch has {EPOCH_LENGTH} bytes, not {len(self.epoch)}")
        if not 0 < self.maximum < 1 << 31:
            raise ValueError(f"a debit is 1 to {(1 << 31) - 1}, not {self.maximum}")


@dataclass(frozen=True, slots=True)
class CardDebit:
    """The latest debit that the card remembers."""

    intent: PurseIntent
    state: DebitState


@dataclass(frozen=True, slots=True)
class Use:
    """What was taken, or is taken at most."""

    volume_ml: int = 0
    amount_minor: int = 0


@dataclass(frozen=True, slots=True)
class Used:
    """What a card says was used on one day, and in its month."""

    day_fills: int = 0
    day: Use = Use()
    month: Use = Use()


@dataclass(frozen=True, slots=True)
class Counters:
    """See the file's head. `day` is None on a card that was never used; then all counters are zero."""

    pin_tries: int = 0
    day: date | None = None
    day_fills: int = 0
    day_volume_ml: int = 0
    day_amount_minor: int = 0
    month_volume_ml: int = 0
    month_amount_minor: int = 0
    odometer_km: int = 0
    debit: CardDebit | None = None

    def __post_init__(self) -> None:
        counted = (
            self.day_fills,
            self.day_volume_ml,
            self.day_amount_minor,
            self.month_volume_ml,
            self.month_amount_minor,
        )
        if self.day is None and any(counted):
            raise ValueError("counters belong to a day")
        if self.day == DAY_ZERO:
            raise ValueError(f"the first day that a card can count is {FIRST_DAY}")
        self.encode()

    def used_on(self, today: date) -> Used:
        """What counts on `today`: counters of another day or month are worth nothing.

        Those of tomorrow count, as a station made them whose day began earlier.
        """
        if self.day is None:
            return Used()
        now = timedelta() <= self.day - today <= AHEAD
        month = now or (self.day.year, self.day.month) == (today.year, today.month)
        return Used(
            self.day_fills if now else 0,
            Use(self.day_volume_ml, self.day_amount_minor) if now else Use(),
            Use(self.month_volume_ml, self.month_amount_minor) if month else Use(),
        )

    def corrected(self, counted: Use, taken: Use) -> Counters:
        """A fill that was counted as `counted` took this much; none at all takes the fill back, too.

        It stays on the day on which it was counted.
        """
        none = taken == Use()
        more_ml, more_minor = taken.volume_ml - counted.volume_ml, taken.amount_minor - counted.amount_minor
        return replace(
            self,
            day_fills=max(self.day_fills - none, 0),
            day_volume_ml=max(self.day_volume_ml + more_ml, 0),
            day_amount_minor=max(self.day_amount_minor + more_minor, 0),
            month_volume_ml=max(self.month_volume_ml + more_ml, 0),
            month_amount_minor=max(self.month_amount_minor + more_minor, 0),
        )

    def after_fill(self, today: date, volume_ml: int, amount_minor: int, odometer_km: int | None = None) -> Counters:
        """With one more fill. A clock that went back counts on: it never gives a limit back.

        Only a day that is further ahead than `FAR_AHEAD` is forgotten: it would hold the card for years.
        """
        counted = today if self.day is None or self.day - today > FAR_AHEAD else max(self.day, today)
        same_day = self.day == counted
        same_month = self.day is not None and (self.day.year, self.day.month) == (counted.year, counted.month)
        return replace(
            self,
            day=counted,
            day_fills=min((self.day_fills if same_day else 0) + 1, FILLS_MAX),
            day_volume_ml=(self.day_volume_ml if same_day else 0) + volume_ml,
            day_amount_minor=(self.day_amount_minor if same_day else 0) + amount_minor,
            month_volume_ml=(self.month_volume_ml if same_month else 0) + volume_ml,
            month_amount_minor=(self.month_amount_minor if same_month else 0) + amount_minor,
            odometer_km=self.odometer_km if odometer_km is None else odometer_km,
        )

    def encode(self) -> bytes:
        """The 47 bytes of file 05. Raises ValueError for a counter that does not fit."""
        raw = (
            bytes((COUNTERS_FORMAT,))
            + number(self.pin_tries, 1, "the number of wrong PINs")
            + (bytes(2) if self.day is None else day(self.day, "the day of the counters"))
            + number(self.day_fills, 1, "a day's fills")
            + number(self.day_volume_ml, 4, "a day's volume in ml")
            + number(self.day_amount_minor, 5, "a day's amount")
            + number(self.month_volume_ml, 4, "a month's volume in ml")
            + number(self.month_amount_minor, 5, "a month's amount")
            + number(self.odometer_km, 3, "the odometer")
        )
        if self.debit is None:
            return raw.ljust(COUNTERS_LENGTH, b"\0")
        state = next(code for code, name in _STATES.items() if name == self.debit.state)
        intent = self.debit.intent
        return raw + b"".join(
            (
                bytes((state,)),
                number(intent.station, 4, "a station's number"),
                intent.epoch,
                number(intent.seq, 4, "a sequence number"),
                number(intent.maximum, 4, "a debit"),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Counters:
        """File 05 from its bytes. Raises NotOurCard for anything that `encode` would not write."""
        if data == bytes(COUNTERS_LENGTH):
            return cls()
        if len(data) != COUNTERS_LENGTH:
            raise NotOurCard(f"file 05 has {len(data)} bytes, not {COUNTERS_LENGTH}")
        if data[0] != COUNTERS_FORMAT:
            raise NotOurCard(f"file 05 has format {data[0]}, this program reads format {COUNTERS_FORMAT}")
        try:
            counters = cls._decode(Octets(data[1:]))
        except ValueError as error:
            raise NotOurCard(f"file 05 cannot be read ({error})") from None
        if counters.encode() != data:
            raise NotOurCard("file 05 has bytes that format 1 does not know")
        return counters

    @classmethod
    def _decode(cls, data: Octets) -> Counters:
        pin_tries, days = data.number(1), data.number(2)
        day_fills, day_volume_ml, day_amount_minor = data.number(1), data.number(4), data.number(5)
        month_volume_ml, month_amount_minor = data.number(4), data.number(5)
        odometer_km, state = data.number(3), data.number(1)
        debit = None
        if state:
            if state not in _STATES:
                raise ValueError(f"a debit of state {state}")
            intent = PurseIntent(data.number(4), data.take(EPOCH_LENGTH), data.number(4), data.number(4))
            debit = CardDebit(intent, _STATES[state])
        return cls(
            pin_tries,
            day_of(days) if days else None,
            day_fills,
            day_volume_ml,
            day_amount_minor,
            month_volume_ml,
            month_amount_minor,
            odometer_km,
            debit,
        )


def countable(today: date) -> date:
    """The nearest day that a card can count: a station's clock may stand in 1970."""
    return min(max(today, FIRST_DAY), DAY_MAX)
