"""The small Protocols through which the outside world comes in: time and chance.

Only declarations live here. The real ones are in `controller.machine`, the simulated ones in `sim.world`.
Everything else in the product asks one of these, so that the same code runs in real time at a station and in
virtual time under one seed.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec

US_PER_MS = 1_000
US_PER_S = 1_000_000
MS_PER_S = 1_000
MS_PER_DAY = 86_400_000


class ClockQuality(StrEnum):
    """How far the wall clock can be believed."""

    SYNCHRONISED = "synchronised"
    FREE_RUNNING = "free_running"
    SIMULATED = "simulated"


class Now(msgspec.Struct, frozen=True, array_like=True):
    """One reading of both clocks.

    `wall_ms`: milliseconds since 1970-01-01 UTC; may jump. `mono_us`: microseconds since an unnamed moment of
    this boot; never goes back.
    """

    wall_ms: int
    mono_us: int


class Timer(Protocol):
    """A call that is due later and can be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Where time comes from."""

    @property
    def quality(self) -> ClockQuality: ...

    def now(self) -> Now: ...

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the event loop once `mono_us` is reached."""
        ...

    async def sleep_until(self, mono_us: int) -> None:
        """Return when the monotonic clock has reached `mono_us`; at once if it has already."""
        ...


class Randomness(Protocol):
    """Where chance comes from: epochs, command ids, jitter."""

    def random_bytes(self, count: int) -> bytes: ...

    def below(self, limit: int) -> int:
        """A whole number, 0 <= n < limit."""
        ...
