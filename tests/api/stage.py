"""What the tests of the station's API share: a desk that does everything at once, and the API before it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from litestar import Litestar

from controller.api.server import Changes, listen, make_app, serve
from controller.domain.desk import Command, CommandResult, LinkView, Snapshot
from controller.domain.seams import Clock
from controller.keys import TillTokens
from controller.wire.tap import LineTap, Tap

TOKEN = "a" * 48
TILL = {"Authorization": f"Bearer {TOKEN}"}
PATIENCE_S = 30


class FakeDesk:
    """A station that does everything at once, or fails, and counts its snapshots."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, Command]] = []
        self.version = 0
        self.fails = False
        self.taps: dict[str, Tap] = {}

    def snapshot(self) -> Snapshot:
        link = LinkView(configured=False, connected=False, waiting_rows=0, down_since_ms=0)
        return Snapshot("TR-0001", "Test", True, "TRY", 2, 0, self.version, (), link, (), "", 0)

    async def command(self, till: str, command: Command) -> CommandResult:
        if self.fails:
            raise RuntimeError("secret inner words")
        self.commands.append((till, command))
        return CommandResult(command.command_id, done=True)

    def tap(self, line: str) -> tuple[str, LineTap] | None:
        return ("dart", self.taps[line]) if line in self.taps else None


class World:
    def __init__(self, clock: Clock) -> None:
        self.desk = FakeDesk()
        self.changes = Changes()
        tokens = TillTokens({"till-1": TOKEN, "till-2": "b" * 48})
        self.app: Litestar = make_app(self.desk, tokens, self.changes, clock, title="Forecourt station TR-0001")

    def change(self) -> None:
        self.desk.version += 1
        self.changes.changed()


@contextlib.asynccontextmanager
async def served(world: World, port: int = 0) -> AsyncIterator[str]:
    bound = listen("127.0.0.1", port, what="the station's API")
    serving = asyncio.ensure_future(serve(world.app, bound, world.changes))
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
