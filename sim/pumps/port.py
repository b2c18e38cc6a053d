"""Lines for simulated pumps: a port in virtual time (`SimLinePort`), the pumps' end of a line in real time
(`LineEnd`), and a pseudo terminal that carries one (`PtyLine`).

All carry any protocol whose pumps are `Twin`s. Time comes from the injected `Clock` only. The other cables are in
`sim.pumps.lines`.
"""

import asyncio
import contextlib
import os
import tty
from collections import deque
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

    def _answered(self, turn: Turn, now_us: int) -> tuple[Twin | None, bytes]:
        """Who answers, and what. All that hear it are told; an answer that comes after the window is lost."""
        answered: tuple[Twin | None, bytes] = (None, b"")
        for twin in self._twins:
            if twin.hears(turn.data):
                answer = twin.receive(turn.data, now_us)
                if answer and not answered[1] and (not turn.window_us or twin.reply_latency_us <= turn.window_us):
                    answered = (twin, answer)
        return answered

    async def transact(self, turn: Turn) -> bytes:
        """One turn, in virtual time."""
        start_us = self._now()
        twin, answer = self._answered(turn, start_us)
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


class LineEnd:
    """What simulated pumps make of the bytes of a line in real time, whatever cable brings them.

    Unpaced, bytes are heard as they come and an answer leaves whole, at the moment at which its last byte would be
    through at the line's speed. Paced, each byte is accepted and leaves when its stop bit is over at that speed.
    Knows no port: `say` gets what the pumps say.
    """

    def __init__(
        self,
        twins: Sequence[Twin],
        clock: Clock,
        settings: LineSettings,
        complete: Callable[[bytes], bool],
        say: Callable[[bytes], None],
        *,
        silence_us: int = SILENCE_US,
        pace: bool = False,
    ) -> None:
        """`complete` says whether the bytes so far are a whole frame; `silence_us` of quiet drops one that is not."""
        self._twins = list(twins)
        self._clock = clock
        self._settings = settings
        self._complete = complete
        self._say = say
        self._silence_us = silence_us
        self._pace = pace
        self._buffer = bytearray()
        self._heard_from_us = self._heard_us = 0
        self._heard_bytes = 0
        self._said_us = 0
        self._due: deque[tuple[int, bytes]] = deque()
        self._timers: set[Timer] = set()

    def heard(self, data: bytes) -> None:
        """These bytes came over the cable now."""
        now_us = self._clock.now().mono_us
        if now_us - self._heard_us > self._silence_us:
            self._buffer.clear()
        if now_us >= self._heard_us:
            self._heard_from_us, self._heard_bytes = now_us, 0
        for byte in data:
            self._heard_bytes += 1
            through_us = self._settings.wire_us(self._heard_bytes) if self._pace else 0
            self._heard_us = self._heard_from_us + through_us
            self._buffer.append(byte)
            if self._complete(bytes(self._buffer)):
                self._at(self._heard_us, lambda frame=bytes(self._buffer): self._frame(frame))  # type: ignore[misc]
                self._buffer.clear()
            elif len(self._buffer) > BUFFER_BYTES_MAX:
                self._buffer.clear()

    def forget(self) -> None:
        """The other end has gone: what was half heard or half said concerns nobody."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._due.clear()
        self._buffer.clear()
        self._heard_us = self._said_us = 0

    def _at(self, at_us: int, act: Callable[[], None]) -> None:
        if at_us <= self._clock.now().mono_us:
            act()
            return

        def ring() -> None:
            self._timers.discard(timer)
            act()

        timer = self._clock.call_at(at_us, ring)
        self._timers.add(timer)

    def _frame(self, frame: bytes) -> None:
        now_us = self._clock.now().mono_us
        for twin in self._twins:
            if twin.hears(frame):
                answer = twin.receive(frame, now_us)
                if answer:
                    heard_us = 0 if self._pace else self._settings.wire_us(len(frame))
                    self._answer(answer, now_us + heard_us + twin.reply_latency_us)

    def _answer(self, answer: bytes, from_us: int) -> None:
        from_us = max(from_us, self._said_us)
        speaking = bool(self._due)
        if self._pace:
            for count, byte in enumerate(answer, 1):
                self._due.append((from_us + self._settings.wire_us(count), bytes((byte,))))
        else:
            self._due.append((from_us + self._settings.wire_us(len(answer)), answer))
        self._said_us = self._due[-1][0]
        if not speaking:
            self._at(self._due[0][0], self._speak)

    def _speak(self) -> None:
        """Say what is due, and come back for the rest."""
        now_us = self._clock.now().mono_us
        while self._due and self._due[0][0] <= now_us:
            self._say(self._due.popleft()[1])
        if self._due:
            self._at(self._due[0][0], self._speak)


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
        *,
        silence_us: int = SILENCE_US,
        pace: bool = False,
    ) -> None:
        """As `LineEnd`."""
        self._end = LineEnd(
            twins, clock, settings or LineSettings(), complete, self._say, silence_us=silence_us, pace=pace
        )
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
        self._end.heard(data)

    def _say(self, answer: bytes) -> None:
        with contextlib.suppress(OSError):  # closed, or nobody reads: as on a real wire, it is lost
            os.write(self._fd, answer)

    def close(self) -> None:
        """Pull the cable."""
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        self._end.forget()
        os.close(self._fd)
        os.close(self._other_fd)
        self._fd = self._other_fd = -1
