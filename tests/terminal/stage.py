"""Runs a till against a fake station: presses keys, waits for what must come, reads the screen as text."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from terminal.app import TerminalApp
from tests.terminal.fake import FakeClock, FakeStation, ids

DEADLINE_S = 30.0
SMALL, MIDDLE, WIDE = (80, 24), (100, 30), (180, 50)
KEYS = {"-": "minus", "*": "asterisk", "/": "slash", "+": "plus", ".": "full_stop", ",": "comma"}


class Stage:
    """One till on the stage."""

    def __init__(self, app: TerminalApp, pilot: Pilot[None], clock: FakeClock) -> None:
        self.app = app
        self.pilot = pilot
        self.clock = clock

    async def keys(self, text: str) -> None:
        """Press keys, parted by blanks; a number is typed digit by digit: "4 enter 500 enter"."""
        for word in text.split():
            for key in [word] if word[0].isalpha() else list(word):
                await self.pilot.press(KEYS.get(key, key))

    async def until(self, holds: Callable[[], object], why: str = "") -> None:
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not holds():
                    await self.pilot.pause()
        except TimeoutError:
            raise AssertionError(f"{why or 'it'} never came; the screen:\n{self.text}") from None

    async def sees(self, text: str) -> None:
        await self.until(lambda: text in self.text, repr(text))

    @property
    def text(self) -> str:
        """The screen on top, as an attendant reads it."""
        width, height = self.app.size
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.ljust(width) for strip in lines[:height])

    def line(self, containing: str) -> str:
        return next(line for line in self.text.splitlines() if containing in line)


@asynccontextmanager
async def on_stage(
    station: FakeStation, size: tuple[int, int] = SMALL, *, till: str = "till-1", ready: bool = True
) -> AsyncIterator[Stage]:
    clock = FakeClock()
    app = TerminalApp(lambda: station.till(till), monotonic_ms=clock, new_id=ids(till))
    async with app.run_test(size=size) as pilot:
        stage = Stage(app, pilot, clock)
        if ready:
            await stage.until(lambda: app.view.snapshot is not None and app.view.till, "the first snapshot")
            await stage.sees("Kuzey Petrol")
        yield stage


def play(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene to its end."""

    async def whole() -> None:
        await scene()

    asyncio.run(whole())
