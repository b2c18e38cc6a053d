"""A controller's line at simulated pumps over a real pseudo terminal, in steady time: for any protocol."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from controller.domain.seams import ClockQuality, Now, Timer
from controller.pumps.core import LinePort, LineSettings, PumpCore
from controller.pumps.line import LineRunner, SerialLinePort
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import Authorise, Authorised, Calling, Clear, Completed, Idle, PumpEvent
from sim.pumps.port import PtyLine, Twin
from tests.pumps.steady import run_steadily

EventT = TypeVar("EventT", bound=PumpEvent)
DEADLINE_S = 20


class LoopClock:
    """The event loop's own time."""

    quality = ClockQuality.FREE_RUNNING

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> Now:
        return Now(0, int(self._loop.time() * 1_000_000))

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        return self._loop.call_at(mono_us / 1_000_000, callback)

    async def sleep_until(self, mono_us: int) -> None:
        done = self._loop.create_future()
        timer = self.call_at(mono_us, lambda: None if done.done() else done.set_result(None))
        try:
            if self.now().mono_us < mono_us:
                await done
        finally:
            timer.cancel()


class Station:
    """A controller's line at a simulated one. Create it inside a running loop."""

    def __init__(
        self,
        pumps: Mapping[int, tuple[PumpCore, Twin]],
        line: LineSettings,
        complete: Callable[[bytes], bool],
        *,
        pace: bool = False,
    ) -> None:
        self.clock = LoopClock()
        self.twins = [twin for _, twin in pumps.values()]
        self.heads = {point: twin.head for point, (_, twin) in pumps.items()}
        self.told: list[tuple[int, PumpEvent]] = []
        self.port_texts: list[str | None] = []
        self._line, self._complete, self._pace = line, complete, pace
        self._news = asyncio.Event()
        self.plug_in()
        self.runner = LineRunner(
            LineSchedule({point: core for point, (core, _) in pumps.items()}),
            None,
            self.clock,
            self._on_event,
            self._open,
            on_port=self.port_texts.append,
        )

    def plug_in(self) -> None:
        """A new cable."""
        self.line = PtyLine(self.twins, self.clock, self._line, self._complete, pace=self._pace)

    def _open(self) -> LinePort:
        return SerialLinePort(self.line.path, self._line, self.clock)

    def _on_event(self, point: int, event: PumpEvent) -> None:
        self.told.append((point, event))
        self._news.set()

    @property
    def now_us(self) -> int:
        return self.clock.now().mono_us

    async def until(self, point: int, kind: type[EventT], since: int = 0) -> EventT:
        """The first event of this kind at this point, after `since` events."""
        while True:
            for at, event in self.told[since:]:
                if at == point and isinstance(event, kind):
                    return event
            self._news.clear()
            await self._news.wait()

    async def sell(self, point: int, order: Authorise) -> tuple[Calling, Completed]:
        """A whole sale up to the order's preset, which the pump must reach."""
        head = self.heads[point]
        await self.until(point, Idle)
        seen = len(self.told)
        head.lift(1, self.now_us)
        call = await self.until(point, Calling, seen)
        self.runner.submit(point, order)
        await self.until(point, Authorised, seen)
        reached = asyncio.Event()
        head.listeners.append(lambda *_: reached.set())
        head.squeeze(50_000, self.now_us)
        await reached.wait()
        head.hang_up(self.now_us)
        done = await self.until(point, Completed, seen)
        seen = len(self.told)
        self.runner.submit(point, Clear(done.clear_token))
        await self.until(point, Idle, seen)
        return call, done


def at_station(make: Callable[[], Station], story: Callable[[Station], Awaitable[None]]) -> None:
    """Play a story at a station that runs."""

    async def main() -> None:
        station = make()
        running = asyncio.create_task(station.runner.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                await story(station)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            station.line.close()

    run_steadily(main())
