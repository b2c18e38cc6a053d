"""A line's port as a stream of bytes: what is sent when, and which bytes that come are the answer.

`StreamPort` knows turns, windows, silences and echoes; where its bytes go and come from is the business of the port
that is made of it: a serial device, a serial server in the network. Every wait goes through the injected `Clock`.
Knows no protocol of pumps.
"""

import asyncio
import errno
from abc import ABC, abstractmethod
from collections.abc import Sequence

from controller.domain.seams import US_PER_S, Clock, Timer
from controller.pumps.core import LineSettings, Turn
from controller.pumps.echo import Echo

ANSWER_BYTES_MAX = 1_024
"""Far above any protocol's answer: a converter that never falls silent must not hold the line."""
ANSWER_US_MAX = 15 * US_PER_S
"""Nor one that says a byte from time to time: no answer takes so long, with the longest silences in it."""
SILENCE_TRIES_MAX = 3
"""Likewise: after so many disturbed silences we speak all the same, and the pumps fall silent by their own rules."""


class PortError(OSError):
    """The port cannot be used. The text says what happened, at which port, and what to do."""

    def __str__(self) -> str:
        return str(self.strerror)


class StreamPort(ABC):
    """Turns on a stream of bytes; implements `LinePort` and `PacedPort`. Make and use it in a running event loop."""

    def __init__(self, name: str, settings: LineSettings, clock: Clock, *, slack_us: int, echo: bool) -> None:
        """`name`: in messages. `slack_us`: how long the way to the line may hold bytes back.

        `echo`: what is sent is heard again, and is taken out of what the pumps say.
        """
        self.name = name
        self.settings = settings
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._slack_us = slack_us
        self._buffer = bytearray()
        self._echo = Echo() if echo else None
        self._error: PortError | None = None
        self._turn: Turn | None = None
        self._ended: asyncio.Future[None] | None = None
        self._timer: Timer | None = None
        self._latest_us = 0
        """The turn ends then at the latest."""
        self._news = asyncio.Event()
        self._quiet_since_us = self._now()

    # --- what kind of port it is ----------------------------------------------------------------------------

    @abstractmethod
    def put(self, data: bytes) -> bool:
        """Let these bytes go out, without waiting and as no turn; False if not all are taken. OSError if it is gone."""

    @abstractmethod
    def _forget_input(self) -> None:
        """What came before belongs to no turn. OSError if the port is gone."""

    @abstractmethod
    def close(self) -> None:
        """Let the port go; may be called twice, and on a port that is gone."""

    def _gone(self, error: PortError) -> None:
        """No byte will come any more."""
        self._error = error
        self._end()
        self._news.set()

    def _heard(self, data: bytes) -> None:
        """These bytes came now."""
        self._quiet_since_us = self._now()
        turn = self._turn
        if self._echo is not None:
            data = self._echo.heard(data)
            if turn is not None and not turn.window_us and not self._echo.owed:
                self._end()
        if not data:
            return
        first = not self._buffer
        self._buffer += data
        self._news.set()
        if turn is not None and turn.window_us:
            if turn.complete(bytes(self._buffer)) or len(self._buffer) > ANSWER_BYTES_MAX:
                self._end()
            elif first:
                self._wait_until(self._quiet_since_us + turn.silence_us + self._slack_us)

    # --- turns ----------------------------------------------------------------------------------------------

    async def silence(self, gap_us: int) -> None:
        """Return when the line has been silent for `gap_us`; at once if that is 0, behind our own bytes."""
        for _ in range(SILENCE_TRIES_MAX):
            if not gap_us or self._now() >= self._quiet_since_us + gap_us:
                return
            await self._clock.sleep_until(self._quiet_since_us + gap_us)

    async def transact(self, turn: Turn) -> bytes:
        """Send, and wait for the answer. `PortError` if the port is gone."""
        await self.silence(turn.gap_us)
        self._check()
        sent_us = self._send(turn.data)
        if turn.window_us == 0 and self._echo is None:
            return b""
        self._turn = turn
        self._ended = self._loop.create_future()
        window_us = sent_us + turn.window_us + self._slack_us
        self._latest_us = window_us + ANSWER_US_MAX
        self._wait_until(window_us)
        try:
            await self._ended
        finally:
            self._turn = self._ended = None
            if self._timer is not None:
                self._timer.cancel()
        self._check()
        answer = bytes(self._buffer)
        self._buffer.clear()
        return answer

    async def hear(self, wait_us: int) -> tuple[int, bytes]:
        """Beside turns, for who only listens: what has come, and when the last of it came (monotonic); empty after
        `wait_us`. `PortError` if the port is gone."""
        if not self._buffer and self._error is None:
            self._news.clear()
            timer = self._clock.call_at(self._now() + wait_us, self._news.set)
            try:
                await self._news.wait()
            finally:
                timer.cancel()
        if not self._buffer:
            self._check()
        data = bytes(self._buffer)
        self._buffer.clear()
        return (self._quiet_since_us if data else self._now()), data

    async def rest(self, turns: Sequence[Turn]) -> int:
        """A real line is never skipped."""
        return 0

    def wake(self) -> None:
        """It never rests; who only listens looks up."""
        self._news.set()

    # --- inside ---------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return self._clock.now().mono_us

    def _wait_until(self, deadline_us: int) -> None:
        """For the answer, or for the rest of it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_at(deadline_us, self._waited)

    def _waited(self) -> None:
        # One timer an answer, not one a byte: what came meanwhile is looked at when it ends.
        turn = self._turn
        if turn is None:
            return
        until_us = min(self._quiet_since_us + turn.silence_us + self._slack_us, self._latest_us)
        if self._buffer and until_us > self._now():
            self._wait_until(until_us)
        else:
            self._end()

    def _end(self) -> None:
        """The answer is whole, or no more of it will come."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _send(self, data: bytes) -> int:
        """Give the bytes to the port; returns when the last of them will have left it, in microseconds."""
        self._forget_input()
        self._buffer.clear()
        if self._echo is not None:
            self._echo.sent(data)
        if not self.put(data):
            raise PortError(errno.EIO, f"{self.name}: it takes no more bytes: check the converter")
        # What follows directly waits in the port until our bytes before it have left.
        self._quiet_since_us = max(self._now(), self._quiet_since_us) + self.settings.wire_us(len(data))
        return self._quiet_since_us

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
