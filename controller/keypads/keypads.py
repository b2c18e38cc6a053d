"""The keypad at a pump: what the station wants of one, and the one that listens on TCP.

A keypad shows two rows to the driver and says which keys are pressed. It is known by its address, connected again
without end, and asked every few seconds whether it is still there. What is typed goes through here and is kept and
logged nowhere. Knows no point, no PIN and no card; the lines are in controller/domain/keypad_words.py.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from controller.domain.keypad_words import (
    KEYPAD_LINE_MAX,
    NUMBER_MAX,
    GarbledLine,
    Hello,
    Key,
    Lines,
    Ping,
    Screen,
    Show,
    keypad_said,
    line_of,
)
from controller.domain.seams import US_PER_MS, US_PER_S, Clock

ANSWER_US = 3 * US_PER_S
"""How long a connection, and its first word, may take."""
PING_US = 5 * US_PER_S
"""After so long a silence a keypad is asked, and after as long again it is dead."""
RETRY_FIRST_MS, RETRY_MAX_MS = 250, 5_000
STEADY_US = 10 * US_PER_S
"""A keypad that held out for less is connected again more and more slowly."""
READ_BYTES = 256
WAITING_BYTES_MAX = 16_384
"""A keypad that reads so little is none."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeypadUp:
    """It is there, and shows what it was told last."""


@dataclass(frozen=True, slots=True)
class KeypadDown:
    """It is not there; the text says which, why, and what to do."""

    text: str


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key of `keypad_words.KEYS`, pressed at what is shown now."""

    key: str = field(repr=False)


KeypadEvent = KeypadUp | KeypadDown | KeyPressed


class Keypad(Protocol):
    """Two rows for the driver, and the keys."""

    def show(self, screen: Screen) -> None:
        """Show this from now on, also once it is back. What was typed before is gone."""
        ...

    def events(self) -> AsyncGenerator[KeypadEvent, None]:
        """What happens there, without end. One listener at a time; it is disconnected when the listening ends."""
        ...


class Wire(Protocol):
    """A connection to a keypad."""

    async def read(self) -> bytes:
        """What came, at most `READ_BYTES`; empty at the end. OSError if it broke."""
        ...

    def write(self, data: bytes) -> None:
        """Send it some time. OSError if it cannot be."""
        ...

    def close(self) -> None: ...


class LineKeypad:
    """A `Keypad` that speaks the lines of keypad_words. `name`: for messages; `dial` connects, or raises OSError."""

    def __init__(self, name: str, dial: Callable[[], Coroutine[Any, Any, Wire]], clock: Clock) -> None:
        self._name = name
        self._dial = dial
        self._clock = clock
        self._screen = Screen()
        self._number = 0
        self._wire: Wire | None = None
        """While a keypad is there."""

    def show(self, screen: Screen) -> None:
        """See Keypad."""
        self._screen = screen
        self._send()

    async def events(self) -> AsyncGenerator[KeypadEvent, None]:
        """See Keypad."""
        told, retry_ms = "", RETRY_FIRST_MS
        while True:
            since_us = self._now_us
            try:
                async with contextlib.aclosing(self._connected()) as events:
                    async for event in events:
                        if isinstance(event, KeypadUp):
                            told = ""
                        yield event
                why = "it closed the connection"
            except TimeoutError:
                why = "it does not answer"
            except (OSError, GarbledLine) as error:
                why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            text = (
                f"The keypad at {self._name} is gone ({why}): check its power and cable; until it is back, answer at "
                "the terminal"
            )
            if text != told:
                yield KeypadDown(text)
                told = text
            if self._now_us - since_us >= STEADY_US:
                retry_ms = RETRY_FIRST_MS
            await self._clock.sleep_until(self._now_us + retry_ms * US_PER_MS)
            retry_ms = min(2 * retry_ms, RETRY_MAX_MS)

    # ---- inside

    @property
    def _now_us(self) -> int:
        return self._clock.now().mono_us

    async def _connected(self) -> AsyncGenerator[KeypadUp | KeyPressed, None]:
        """One connection's life, to its end. OSError, TimeoutError and GarbledLine say why it ended otherwise."""
        wire = await within(self._clock, ANSWER_US, self._dial())
        lines = Lines(KEYPAD_LINE_MAX)
        try:
            while data := await self._read(wire):
                for line in lines.feed(data):
                    match keypad_said(line):
                        case Hello() if self._wire is None:
                            self._wire = wire
                            self._send()
                            yield KeypadUp()
                        case Key(number, key) if self._wire is not None:
                            if number == self._number:  # else it was meant for what was shown before
                                yield KeyPressed(key)
                        case word if self._wire is None or isinstance(word, Hello):
                            raise GarbledLine("it does not begin as a keypad does")
        finally:
            self._wire = None
            wire.close()

    async def _read(self, wire: Wire) -> bytes:
        if self._wire is None:
            return await within(self._clock, ANSWER_US, wire.read())
        try:
            return await within(self._clock, PING_US, wire.read())
        except TimeoutError:
            wire.write(line_of(Ping()))
            return await within(self._clock, PING_US, wire.read())

    def _send(self) -> None:
        self._number = self._number % NUMBER_MAX + 1
        if self._wire is None:
            return
        try:
            self._wire.write(line_of(Show(self._number, self._screen)))
        except OSError:
            self._wire.close()  # whoever reads hears of it


class _TcpWire:
    """Implements `Wire`."""

    def __init__(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._stream, self._writer = stream, writer

    async def read(self) -> bytes:
        return await self._stream.read(READ_BYTES)

    def write(self, data: bytes) -> None:
        if self._writer.transport.get_write_buffer_size() > WAITING_BYTES_MAX:
            raise ConnectionError("it takes no more")
        self._writer.write(data)

    def close(self) -> None:
        self._writer.transport.abort()


def tcp_keypad(host: str, port: int, clock: Clock) -> LineKeypad:
    """The keypad that listens there."""

    async def dial() -> Wire:
        # A small buffer: a keypad that never stops talking must not take the loop for long at a time.
        try:
            return _TcpWire(*await asyncio.open_connection(host, port, limit=READ_BYTES))
        except UnicodeError as error:
            raise OSError(f"{host!r} is no name of a host") from error

    return LineKeypad(f"{host}:{port}", dial, clock)


async def within(clock: Clock, timeout_us: int, work: Awaitable[T]) -> T:
    """The work's result. TimeoutError when the clock gets there first: then the work is called off."""
    task = asyncio.ensure_future(work)
    late = asyncio.ensure_future(clock.sleep_until(clock.now().mono_us + timeout_us))
    try:
        await asyncio.wait({task, late}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        task.cancel()
        late.cancel()
        await asyncio.gather(task, late, return_exceptions=True)
