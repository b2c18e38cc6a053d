"""Lines for simulated pumps: a pseudo terminal in real time (`PtyLine`), and a port in virtual time
(`SimLinePort`).

Both carry any protocol whose pumps are `Twin`s. Time comes from the injected `Clock` only.
"""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Protocol

from controller.domain.seams import Clock, Timer
from controller.pumps.core import LineSettings, Turn
from controller.pumps.dart.frame import is_whole
from sim.pumps.head import HeadChange, PumpHead

READ_BYTES = 4_096
BUFFER_BYTES_MAX = 512
"""Longer than any frame: noise."""
SILENCE_US = 15_000
"""A frame that stops for so long is dropped."""


class Twin(Protocol):
    """A simulated pump's end of a line, in any protocol."""

    @property
    def head(self) -> PumpHead: ...

    @property
    def reply_latency_us(self) -> int: ...

    @property
    def quiet_answer(self) -> bytes:
        """What it says to a poll when it has no news."""
        ...

    def hears(self, data: bytes) -> bool:
        """Whether these bytes are said to this pump."""
        ...

    def receive(self, data: bytes, now_us: int) -> bytes:
        """The answer, as of `now_us`; empty for none. Of the head, it knows what happened strictly before."""
        ...

    def has_news(self, now_us: int) -> bool:
        """The next poll may bring something else than the quiet answer."""
        ...


class SimLinePort:
    """A line in virtual time; implements `LinePort`.

    A turn takes its gap, its bytes, the pump's latency and the answer's bytes, or the whole window if nobody
    answers. The answer is decided at the start of the turn, so what the pump will say does not depend on how
    the line came there; that is what lets `rest` compute quiet turns instead of making them.
    """

    def __init__(self, twins: Sequence[Twin], settings: LineSettings, clock: Clock, *, skip: bool = True) -> None:
        self._twins = list(twins)
        self._settings = settings
        self._clock = clock
        self._skip = skip
        self._woken: asyncio.Future[None] | None = None
        self.turns_made = 0
        self.turns_skipped = 0
        for twin in self._twins:
            twin.head.listeners.append(self._head_changed)

    def _now(self) -> int:
        return self._clock.now().mono_us

    def _turn_us(self, turn: Turn, answer: bytes, twin: Twin | None) -> int:
        sent_us = turn.gap_us + self._settings.wire_us(len(turn.data))
        if turn.window_us == 0:
            return sent_us
        if twin is None or not answer:
            return sent_us + turn.window_us
        return sent_us + twin.reply_latency_us + self._settings.wire_us(len(answer))

    def _hearing(self, turn: Turn) -> Twin | None:
        return next((twin for twin in self._twins if twin.hears(turn.data)), None)

    async def transact(self, turn: Turn) -> bytes:
        """One turn, in virtual time."""
        start_us = self._now()
        twin = self._hearing(turn)
        answer = twin.receive(turn.data, start_us) if twin is not None else b""
        self.turns_made += 1
        await self._clock.sleep_until(start_us + self._turn_us(turn, answer, twin))
        return answer

    async def rest(self, turns: Sequence[Turn]) -> int:
        """Wait for something to happen; return, at the end of the turn it fell into, how many turns fitted."""
        start_us = self._now()
        if not self._skip or any(twin.has_news(start_us) for twin in self._twins):
            return 0
        twins = [self._hearing(turn) for turn in turns]
        if None in twins:
            return 0  # a silent pump is about to be noticed: that is not quiet
        durations = [
            self._turn_us(turn, twin.quiet_answer, twin)
            for turn, twin in zip(turns, twins, strict=True)
            if twin is not None
        ]
        await self._something(start_us)
        elapsed_us = self._now() - start_us
        rounds, into_us = divmod(elapsed_us, sum(durations))
        skipped = rounds * len(durations)
        end_us = start_us + rounds * sum(durations)
        for duration in cycle(durations):
            end_us += duration
            into_us -= duration
            skipped += 1
            if into_us < 0:
                break
        self.turns_skipped += skipped
        await self._clock.sleep_until(end_us)
        return skipped

    async def _something(self, now_us: int) -> None:
        """Until a head changes or `wake` is called."""
        self._woken = asyncio.get_running_loop().create_future()
        ends = [twin.head.next_change_us(now_us) for twin in self._twins]
        timers: list[Timer] = [self._clock.call_at(end, self._look) for end in ends if end is not None]
        try:
            await self._woken
        finally:
            self._woken = None
            for timer in timers:
                timer.cancel()

    def _look(self) -> None:
        """A delivery ends by itself about now: the head says so when it is looked at."""
        for twin in self._twins:
            twin.head.advance(self._now())

    def _head_changed(self, _change: HeadChange, _nozzle: int, _at_us: int) -> None:
        self.wake()

    def wake(self) -> None:
        """Stop resting."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def close(self) -> None:
        """Nothing is held."""


class PtyLine:
    """Simulated pumps on a pseudo terminal, in real time: `path` is what a controller opens.

    Create it inside a running event loop; `close` it at the end.
    """

    def __init__(
        self,
        twins: Sequence[Twin],
        clock: Clock,
        settings: LineSettings | None = None,
        complete: Callable[[bytes], bool] = is_whole,
    ) -> None:
        """`complete` says whether the bytes so far are a whole frame of the line's protocol."""
        self._twins = list(twins)
        self._clock = clock
        self._settings = settings or LineSettings()
        self._complete = complete
        self._buffer = bytearray()
        self._silence: Timer | None = None
        self._loop = asyncio.get_running_loop()
        # The other end stays open here: else reading fails whenever no controller has it open.
        self._fd, self._other_fd = os.openpty()
        tty.setraw(self._other_fd)
        os.set_blocking(self._fd, False)
        self.path = os.ttyname(self._other_fd)
        self._loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except OSError:
            return
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        for byte in data:
            self._buffer.append(byte)
            if self._complete(bytes(self._buffer)):
                self._heard(bytes(self._buffer))
                self._buffer.clear()
            elif len(self._buffer) > BUFFER_BYTES_MAX:
                self._buffer.clear()
        if self._buffer:
            self._silence = self._clock.call_at(self._clock.now().mono_us + SILENCE_US, self._buffer.clear)

    def _heard(self, data: bytes) -> None:
        now_us = self._clock.now().mono_us
        for twin in self._twins:
            if twin.hears(data):
                answer = twin.receive(data, now_us)
                if answer:
                    wire_us = self._settings.wire_us(len(data) + len(answer))
                    self._clock.call_at(now_us + twin.reply_latency_us + wire_us, lambda a=answer: self._say(a))  # type: ignore[misc]
                return

    def _say(self, answer: bytes) -> None:
        with contextlib.suppress(OSError):  # closed, or nobody reads: as on a real wire, it is lost
            os.write(self._fd, answer)

    def close(self) -> None:
        """Pull the cable."""
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        if self._silence is not None:
            self._silence.cancel()
        os.close(self._fd)
        os.close(self._other_fd)
        self._fd = self._other_fd = -1
