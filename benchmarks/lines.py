"""The controller's lines as the benchmarks run them: the product's port, schedule and runner, and a note of what
they told.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from benchmarks.wire import settings_of
from controller.machine import MachineClock
from controller.pumps.core import LinePort, LineSettings, PumpCore
from controller.pumps.dart.pump import DartPump
from controller.pumps.line import LineRunner, SerialLinePort
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import PumpEvent

Place = tuple[int, int]
"""A pump: its line and its place there, both counted from 0."""


class Lines:
    """Several lines at once. `listeners` are called with every event and where it came from."""

    def __init__(self, paths: Sequence[str], pumps: int) -> None:
        self.clock = MachineClock()
        self.listeners: list[Callable[[Place, PumpEvent], None]] = []
        self.runners = [self._runner(number, path, pumps) for number, path in enumerate(paths)]

    def _runner(self, number: int, path: str, pumps: int) -> LineRunner:
        cores: dict[int, PumpCore] = {index: DartPump(settings_of(index)) for index in range(pumps)}

        def on_event(index: int, event: PumpEvent) -> None:
            for listener in self.listeners:
                listener((number, index), event)

        def open_port() -> LinePort:
            return SerialLinePort(path, LineSettings(), self.clock)

        return LineRunner(LineSchedule(cores), None, self.clock, on_event, open_port)

    def now_us(self) -> int:
        return self.clock.now().mono_us

    async def all_said(self, places: Sequence[Place], kind: type[PumpEvent]) -> None:
        """Return when each of these pumps has said this."""
        missing = set(places)
        heard = asyncio.Event()

        def listen(place: Place, event: PumpEvent) -> None:
            if isinstance(event, kind):
                missing.discard(place)
                if not missing:
                    heard.set()

        self.listeners.append(listen)
        try:
            await heard.wait()
        finally:
            self.listeners.remove(listen)


@contextlib.asynccontextmanager
async def running(paths: Sequence[str], pumps: int) -> AsyncIterator[Lines]:
    """The lines at these ports, until the block ends."""
    lines = Lines(paths, pumps)
    tasks = [asyncio.create_task(runner.run()) for runner in lines.runners]
    try:
        yield lines
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
