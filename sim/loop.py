"""An asyncio loop whose time is a number: nothing waits, the clock jumps to whatever is due next.

Time is counted in whole microseconds, so no float can differ between machines. Threads, executors, descriptors and
subprocesses are refused: what a simulated world runs must be the same each time. When nothing is left to wait for,
that is a deadlock and an error.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

from controller.domain.seams import US_PER_MS, US_PER_S, ClockQuality, Now, Timer

T = TypeVar("T")


class NotInASimulatedWorld(RuntimeError):
    """Something asked for a thread, a descriptor or real time."""


class Deadlock(RuntimeError):
    """Every task waits, and nothing is due: the world would stand still for ever."""


class _Timer(asyncio.TimerHandle):
    """Timers due at the same microsecond run in the order in which they were set."""

    __slots__ = ("order",)
    order: int

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        return (self.when(), self.order) < (other.when(), other.order)


class _Jump:
    """Stands where a selector stands: instead of waiting, it moves the loop's time."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise Deadlock("nothing is due any more: every task of this world waits for another")
        if timeout > 0:
            self._loop.jump()
        return []

    def close(self) -> None:
        """Nothing to close: there is no descriptor."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs ordinary asyncio code in virtual time. `now_us` is microseconds since the world began."""

    def __init__(self) -> None:
        super().__init__()
        self.now_us = 0
        self.jumps = 0
        self._order = 0
        # BaseEventLoop runs what is due before time() + this: so a timer runs when its microsecond is reached.
        self._clock_resolution = 1
        self._selector = _Jump(self)

    def time(self) -> int:
        """Whole microseconds: a float would round."""
        return self.now_us

    def jump(self) -> None:
        """Go to the next timer."""
        self.now_us = self._scheduled[0].when()  # type: ignore[attr-defined]  # BaseEventLoop's heap of timers
        self.jumps += 1

    def call_at(self, when: int, callback: Callable[..., Any], *args: Any, context: Any = None) -> _Timer:  # type: ignore[override]
        if not isinstance(when, int):
            raise NotInASimulatedWorld(f"a moment here is a whole number of microseconds, not {when!r}")
        self._check_closed()  # type: ignore[attr-defined]  # BaseEventLoop's
        timer = _Timer(when, callback, args, self, context)
        self._order += 1
        timer.order = self._order
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]  # what BaseEventLoop.call_at sets
        return timer

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> _Timer:  # type: ignore[override]
        """`delay` in seconds, as asyncio.sleep() gives it."""
        return self.call_at(self.now_us + round(delay * US_PER_S), callback, *args, context=context)

    def _process_events(self, event_list: list[object]) -> None:
        """There are no descriptors, so there are no events."""

    def _write_to_self(self) -> None:
        """Called for wake-ups from other threads, of which there are none."""


def _refuse(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotInASimulatedWorld(f"a simulated world has no {what}")

    return refuse


for _name, _what in {
    "call_soon_threadsafe": "second thread",
    "run_in_executor": "executor",
    "add_reader": "descriptors",
    "add_writer": "descriptors",
    "subprocess_exec": "other processes",
    "subprocess_shell": "other processes",
    "create_connection": "network",
    "create_server": "network",
}.items():
    setattr(VirtualLoop, _name, _refuse(_what))


class VirtualClock:
    """The clock of a virtual loop. `start_ms`: the wall time (UTC) at which the world begins."""

    def __init__(self, loop: VirtualLoop, start_ms: int) -> None:
        self._loop = loop
        self.start_ms = start_ms

    @property
    def quality(self) -> ClockQuality:
        return ClockQuality.SIMULATED

    def now(self) -> Now:
        now_us = self._loop.now_us
        return Now(self.start_ms + now_us // US_PER_MS, now_us)

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        return self._loop.call_at(max(mono_us, self._loop.now_us), callback)

    async def sleep_until(self, mono_us: int) -> None:
        if mono_us <= self._loop.now_us:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = self._loop.create_future()
        timer = self._loop.call_at(mono_us, _finish, future)
        try:
            await future
        finally:
            timer.cancel()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run `main(loop)` on a new virtual loop until it returns."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(_settle(loop))
        loop.close()


async def _settle(loop: VirtualLoop) -> None:
    current = asyncio.current_task()
    rest = [task for task in asyncio.all_tasks(loop) if task is not current]
    await asyncio.gather(*rest, return_exceptions=True)
