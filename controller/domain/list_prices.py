"""Which of headquarters' prices a station takes from the list, and by what time it goes.

A price holds from a moment on, until another one does. The latest that has begun counts; of two that begin together,
the one that names the station. It goes forward only: a price that began before the one in force is never taken, so
that an old list, or a clock that lost its time, brings no old price back. Knows no file, no pump and no till.
"""

from collections.abc import Iterable, Sequence

from controller.domain.list_entries import ListPrice
from controller.domain.quantities import UnitPrice, same_price
from controller.domain.records import PriceChanged, PriceSource
from controller.domain.seams import MS_PER_S, US_PER_MS, ClockQuality, Now

JUMP_MS = 60 * MS_PER_S
"""A wall clock that went so far ahead of the monotonic one was set."""
SETTLE_MS = 3_600 * MS_PER_S
"""A clock that was set forward is believed after this: who mistyped the date has seen it by then."""


def prices_of(prices: Iterable[ListPrice], grade: str, station: str) -> tuple[ListPrice, ...]:
    """The prices of a grade that are for this station, in the order in which they begin to hold."""
    own = [price for price in prices if price.grade == grade and price.is_for(station)]
    return tuple(sorted(own, key=lambda price: (price.from_ms, bool(price.stations), price.stations)))


def clashing(prices: Iterable[ListPrice]) -> tuple[ListPrice, ListPrice] | None:
    """Two prices of a grade that name the same station from the same moment on; None where there are none."""
    named: dict[tuple[str, int, str], ListPrice] = {}
    for price in prices:
        for station in filter(None, price.stations.split(",")):
            other = named.setdefault((price.grade, price.from_ms, station), price)
            if other is not price:
                return other, price
    return None


def in_force(own: Sequence[ListPrice], now_ms: int) -> ListPrice | None:
    """Of `prices_of`: the one that holds at this moment; None while none does."""
    return next((price for price in reversed(own) if price.from_ms <= now_ms), None)


def next_ms(own: Sequence[ListPrice], now_ms: int) -> int | None:
    """Of `prices_of`: when the next one begins to hold."""
    return next((price.from_ms for price in own if price.from_ms > now_ms), None)


def to_take(
    own: Sequence[ListPrice], price: UnitPrice, changed: PriceChanged | None, now_ms: int, *, sure: bool
) -> ListPrice | None:
    """The price that the station should take now; None where it has it, or has a later one.

    `price`: the station's own of now, and `changed` the row that made it. `sure`: the clock is known to be right.
    Then a price that came too early, by a clock that was wrong, goes back to the one that holds.
    """
    due = in_force(own, now_ms)
    if due is None:
        return None
    if changed is None or changed.source is not PriceSource.HEADQUARTERS:
        return due
    if due.from_ms < changed.from_ms and not (sure and changed.from_ms > now_ms):
        return None
    return None if due.from_ms == changed.from_ms and same_price(due.price, price) else due


class SteadyTime:
    """The wall clock as prices go by it: a jump forward counts once it has lasted, or once the clock is synchronised.

    A jump back counts at once: it can bring no price.
    """

    def __init__(self) -> None:
        self._last: Now | None = None
        self._jumped_us: int | None = None
        """When the clock was first seen ahead."""

    def read(self, now: Now, quality: ClockQuality) -> int:
        """The time in milliseconds (UTC). `now`: both clocks, never of an earlier moment than before."""
        expected_ms = now.wall_ms if self._last is None else self._expected_ms(self._last, now)
        if quality is not ClockQuality.FREE_RUNNING or now.wall_ms - expected_ms <= JUMP_MS:
            return self._believe(now)
        if self._jumped_us is None:
            self._jumped_us = now.mono_us
        if now.mono_us - self._jumped_us >= SETTLE_MS * US_PER_MS:
            return self._believe(now)
        return expected_ms

    @property
    def doubts(self) -> bool:
        """The wall clock was set forward, and is not believed yet."""
        return self._jumped_us is not None

    def _believe(self, now: Now) -> int:
        self._last, self._jumped_us = now, None
        return now.wall_ms

    @staticmethod
    def _expected_ms(last: Now, now: Now) -> int:
        return last.wall_ms + (now.mono_us - last.mono_us) // US_PER_MS
