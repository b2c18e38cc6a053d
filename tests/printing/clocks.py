"""Two clocks for tests of waiting: one moved by hand, one that follows the running event loop."""

import asyncio
from collections.abc import Callable

from controller.domain.seams import US_PER_S, ClockQuality, Now, Timer


class HandTimer:
    def __init__(self, due_us: int, callback: Callable[[], None]) -> None:
        self.due_us = due_us
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class HandClock:
    """Time stands still until `skip` takes it to the next thing that somebody waits for."""

    quality = ClockQuality.SIMULATED

    def __init__(self) -> None:
        self.mono_us = 0
        self._timers: list[HandTimer] = []

    def now(self) -> Now:
        return Now(0, self.mono_us)

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        timer = HandTimer(mono_us, callback)
        self._timers.append(timer)
        return timer

    async def sleep_until(self, mono_us: int) -> None:
        if mono_us > self.mono_us:
            reached = asyncio.Event()
            self.call_at(mono_us, reached.set)
            await reached.wait()

    def skip(self) -> int:
        """Jump to the next timer and fire it; how far that was, in microseconds."""
        timer = min((timer for timer in self._timers if not timer.cancelled), key=lambda timer: timer.due_us)
        self._timers.remove(timer)
        passed, self.mono_us = timer.due_us - self.mono_us, timer.due_us
        timer.callback()
        return passed


class LoopClock:
    """The running loop's own time, for real ports."""

    quality = ClockQuality.FREE_RUNNING

    def now(self) -> Now:
        return Now(0, int(asyncio.get_running_loop().time() * US_PER_S))

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_at(mono_us / US_PER_S, callback)

    async def sleep_until(self, mono_us: int) -> None:
        reached = asyncio.Event()
        timer = self.call_at(mono_us, reached.set)
        try:
            await reached.wait()
        finally:
            timer.cancel()
