"""A tap as a stream of JSON lines, as the station's API sends it and `wire record --station` reads it.

    {"wire":1,"protocol":"dart","source":"line forecourt","started_ms":1790000000000}
    {"at_us":0,"direction":"to-pump","hex":"51 20 fa"}

A line of nothing but its end is a heartbeat, at least each `HEARTBEAT_US`. `at_us` counts from the heading on.
Knows no HTTP, on either side.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from controller.domain.seams import US_PER_S, Clock
from controller.pumps.decoded import Direction
from controller.wire.record import Heading
from controller.wire.tap import Listening, Piece

HEARTBEAT_US = US_PER_S
LINE_BYTES_MAX = 100_000
"""A piece is an answer of a pump: longer lines are not of a station."""


class BadStream(Exception):
    """What came is no station's stream."""


class Passed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Bytes of one direction. `lost`: pieces before this one that the listener was too slow for."""

    at_us: int
    direction: Direction
    hex: str
    lost: int = 0


async def lines(listening: Listening, protocol: str, source: str, clock: Clock) -> AsyncGenerator[bytes, None]:
    """The station's end: lines for ever, until the iteration is closed."""
    began = clock.now()
    waiting: asyncio.Future[Piece] | None = None
    try:
        yield _line(Heading(protocol=protocol, source=source, started_ms=began.wall_ms))
        while True:
            waiting = asyncio.ensure_future(listening.piece())
            while not await _done(waiting, clock):
                yield b"\n"
            piece = waiting.result()
            yield _line(Passed(max(piece.at_us - began.mono_us, 0), piece.direction, piece.data.hex(" "), piece.lost))
    finally:
        if waiting is not None:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
        listening.close()


async def _done(waiting: "asyncio.Future[Piece]", clock: Clock) -> bool:
    """Wait for it, but not longer than a heartbeat."""
    if waiting.done():
        return True
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = clock.call_at(clock.now().mono_us + HEARTBEAT_US, lambda: None if over.done() else over.set_result(None))
    both: set[asyncio.Future[Any]] = {waiting, over}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return waiting.done()


def _line(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value) + b"\n"


class StreamReader:
    """The listener's end: bytes cut anywhere in, a heading once and then pieces out."""

    def __init__(self) -> None:
        self._rest = b""
        self.heading: Heading | None = None

    def feed(self, data: bytes) -> list[Passed]:
        """`BadStream` if it is none."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_BYTES_MAX:
            raise BadStream("a line without an end: is this the address of a station?")
        found = []
        for line in filter(None, whole):
            try:
                if self.heading is None:
                    self.heading = msgspec.json.decode(line, type=Heading)
                else:
                    found.append(msgspec.json.decode(line, type=Passed))
            except msgspec.MsgspecError as error:
                raise BadStream(f"{error}: station and this program should be of the same release") from error
        return found
