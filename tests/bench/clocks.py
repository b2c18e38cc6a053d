"""A clock that a test moves by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field

from controller.domain.seams import ClockQuality, Now, Timer


@dataclass(eq=False)
class _HandTimer:
    at_us: int
    act: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class HandClock:
    """`advance` rings what falls due, in its order, each at its own moment."""

    now_us: int = 1_000_000
    timers: list[_HandTimer] = field(default_factory=list)
    quality: ClockQuality = ClockQuality.SIMULATED

    def now(self) -> Now:
        return Now(0, self.now_us)

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        timer = _HandTimer(mono_us, callback)
        self.timers.append(timer)
        return timer

    async def sleep_until(self, mono_us: int) -> None:
        raise AssertionError("nobody sleeps here")

    def advance(self, by_us: int) -> None:
        until_us = self.now_us + by_us
        while due := [timer for timer in self.timers if timer.at_us <= until_us and not timer.cancelled]:
            first = min(due, key=lambda timer: timer.at_us)
            self.timers.remove(first)
            self.now_us = max(self.now_us, first.at_us)
            first.act()
        self.now_us = until_us
