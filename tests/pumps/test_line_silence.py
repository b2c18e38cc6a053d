"""What a line does with its silences: bytes leave as soon as they may, a stop is chosen at the end of a gap, and a
silent pump on a simulated line is waited for without polling. The clock here is a number.
"""

import asyncio
import os
import tty
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.domain.seams import US_PER_S, ClockQuality, Now, Timer
from controller.pumps.core import LinePort, LineSettings, PacedPort, PumpCore, Turn
from controller.pumps.dart.frame import Control, Frame, encode, is_whole
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.line import USB_SLACK_US, LineRunner, SerialLinePort
from controller.pumps.schedule import LineSchedule
from controller.pumps.stream import ANSWER_BYTES_MAX, SILENCE_TRIES_MAX
from controller.pumps.words import Idle, Offline, Online, PumpEvent, Stop
from sim.loop import VirtualClock, VirtualLoop, run
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import SimLinePort

TRY = CURRENCIES["TRY"]
POLL = Turn(encode(Frame(0x51, Control.POLL)), 35_000, 120_000, 15_000, is_whole)
ACK = Turn(encode(Frame(0x50, Control.ACK, 3)), 5_000, 0, 0, is_whole)
EOT = encode(Frame(0x51, Control.EOT))
BYTES_3_US = LineSettings().wire_us(3)


class StepClock:
    """Time that stands still, and goes on only when somebody sleeps or a timer is all there is to wait for."""

    quality = ClockQuality.SIMULATED

    def __init__(self, *, timers_ring: bool) -> None:
        self.now_us = 1_000_000
        self.on_sleep: Callable[[], None] = lambda: None
        self._timers_ring = timers_ring

    def now(self) -> Now:
        return Now(0, self.now_us)

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        def ring() -> None:
            if self._timers_ring:
                self.now_us = max(self.now_us, mono_us)
                callback()

        return asyncio.get_running_loop().call_soon(ring)

    async def sleep_until(self, mono_us: int) -> None:
        self.now_us = max(self.now_us, mono_us)
        self.on_sleep()


class Wire:
    """A port on a pseudo terminal; `heard` has (when, bytes), `answers` are given one for each."""

    def __init__(self, *, timers_ring: bool, slack_us: int | None = None) -> None:
        self.clock = StepClock(timers_ring=timers_ring)
        self.heard: list[tuple[int, bytes]] = []
        self.answers: list[bytes] = []
        self._fd, self._other = os.openpty()
        tty.setraw(self._other)
        asyncio.get_running_loop().add_reader(self._fd, self._hear)
        self.port = SerialLinePort(os.ttyname(self._other), LineSettings(), self.clock, slack_us=slack_us)

    def _hear(self) -> None:
        self.heard.append((self.clock.now_us, os.read(self._fd, 100)))
        if self.answers:
            self.say(self.answers.pop(0))

    def say(self, data: bytes) -> None:
        os.write(self._fd, data)

    def close(self) -> None:
        self.port.close()
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        os.close(self._other)


def on_wire(
    story: Callable[[Wire], Coroutine[Any, Any, None]], *, timers_ring: bool, slack_us: int | None = None
) -> None:
    async def main() -> None:
        wire = Wire(timers_ring=timers_ring, slack_us=slack_us)
        try:
            async with asyncio.timeout(20):
                await story(wire)
        finally:
            wire.close()

    asyncio.run(main())


def test_a_turn_leaves_when_its_gap_is_over_and_no_later() -> None:
    async def story(wire: Wire) -> None:
        wire.answers = [EOT, EOT]
        assert await wire.port.transact(POLL) == EOT
        first_us = wire.clock.now_us
        wire.clock.now_us += 10_000
        assert await wire.port.transact(POLL) == EOT
        assert wire.clock.now_us == first_us + 35_000

    on_wire(story, timers_ring=False)


def test_an_acknowledgement_waits_its_own_gap_only_and_the_next_poll_may_follow_directly() -> None:
    async def story(wire: Wire) -> None:
        wire.answers = [EOT]
        assert await wire.port.transact(POLL) == EOT
        start_us = wire.clock.now_us
        assert await wire.port.transact(ACK) == b""
        assert wire.clock.now_us == start_us + 5_000
        following = asyncio.create_task(wire.port.transact(Turn(POLL.data, 0, 120_000, 15_000, is_whole)))
        while b"".join(data for _, data in wire.heard) != POLL.data + ACK.data + POLL.data:
            await asyncio.sleep(0)
        assert wire.clock.now_us == start_us + 5_000, "nothing was waited for"
        wire.say(EOT)
        assert await following == EOT

    on_wire(story, timers_ring=False)


def test_the_window_begins_when_all_bytes_have_left_those_of_the_turn_before_as_well() -> None:
    async def story(wire: Wire) -> None:
        await wire.port.transact(ACK)
        start_us = wire.clock.now_us
        assert await wire.port.transact(Turn(POLL.data, 0, 120_000, 15_000, is_whole)) == b""
        assert wire.clock.now_us == start_us + 2 * BYTES_3_US + 120_000

    on_wire(story, timers_ring=True)


@pytest.mark.parametrize(("slack_us", "added_us"), [(None, 0), (0, 0), (USB_SLACK_US, USB_SLACK_US)])
def test_only_a_slow_converter_lengthens_the_window_of_a_silent_pump(slack_us: int | None, added_us: int) -> None:
    async def story(wire: Wire) -> None:
        start_us = wire.clock.now_us
        assert await wire.port.transact(POLL) == b""
        assert wire.clock.now_us == start_us + 35_000 + BYTES_3_US + 120_000 + added_us

    on_wire(story, timers_ring=True, slack_us=slack_us)


def test_a_line_that_never_falls_silent_does_not_hold_us() -> None:
    async def story(wire: Wire) -> None:
        sleeps = 0

        def disturb() -> None:
            nonlocal sleeps
            sleeps += 1
            wire.port._quiet_since_us = wire.clock.now_us

        wire.clock.on_sleep = disturb
        await wire.port.silence(35_000)
        assert sleeps == SILENCE_TRIES_MAX
        wire.answers = [b"\x00" * (ANSWER_BYTES_MAX + 1)]
        assert len(await wire.port.transact(POLL)) > ANSWER_BYTES_MAX

    on_wire(story, timers_ring=False)


# --- the runner, in virtual time ------------------------------------------------------------------------------


class RealLikePort:
    """A line in virtual time that, like a real one, waits its silences before the turn is chosen."""

    def __init__(self, inner: SimLinePort, clock: VirtualClock, sent: list[tuple[int, bytes]]) -> None:
        self._inner = inner
        self._clock = clock
        self._sent = sent
        self._quiet_since_us = 0

    async def silence(self, gap_us: int) -> None:
        await self._clock.sleep_until(self._quiet_since_us + gap_us)

    async def transact(self, turn: Turn) -> bytes:
        await self.silence(turn.gap_us)
        self._sent.append((self._clock.now().mono_us, turn.data))
        at_once = Turn(turn.data, 0, turn.window_us, turn.silence_us, turn.complete)
        answer = await self._inner.transact(at_once)
        self._quiet_since_us = self._clock.now().mono_us
        return answer

    async def rest(self, turns: Sequence[Turn]) -> int:
        raise AssertionError("a real line never rests, and is not asked")

    def wake(self) -> None:
        """It never rests."""

    def close(self) -> None:
        """Nothing is held."""


def never() -> LinePort:
    raise AssertionError("a simulated port is never gone")


def pumps(count: int) -> tuple[dict[int, PumpCore], list[DartTwin]]:
    cores: dict[int, PumpCore] = {}
    twins = []
    for number in range(1, count + 1):
        settings = DartSettings(address=0x50 + number, currency=TRY)
        cores[number] = DartPump(settings)
        twins.append(DartTwin(PumpHead([HeadNozzle("diesel", UnitPrice(4000, 2))], TRY), settings))
    return cores, twins


@pytest.mark.parametrize("into_us", range(0, 70_000, 5_000))
@pytest.mark.parametrize("everything", [True, False])
def test_a_stop_leaves_within_one_gap_of_the_running_exchange(into_us: int, everything: bool) -> None:
    """Whatever moment of an idle line's turn it comes at: no exchange begins between it and its first byte."""

    async def main(loop: VirtualLoop) -> None:
        clock = VirtualClock(loop, 0)
        sent: list[tuple[int, bytes]] = []
        cores, twins = pumps(4)
        port = RealLikePort(SimLinePort(twins, LineSettings(), clock, skip=False), clock, sent)
        assert isinstance(port, PacedPort)
        told: list[tuple[int, PumpEvent]] = []
        runner = LineRunner(LineSchedule(cores), port, clock, lambda *event: told.append(event), never)
        task = asyncio.create_task(runner.run())
        await clock.sleep_until(20 * US_PER_S + into_us)
        count = len(sent)
        asked_us = clock.now().mono_us
        if everything:
            runner.stop_all()
        else:
            runner.submit(3, Stop())
        await clock.sleep_until(asked_us + US_PER_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        at_us, data = sent[count]
        assert data[1] & 0xF0 == Control.DATA, "the very next transmission is a stop"
        running_us = BYTES_3_US + 25_000 + BYTES_3_US
        assert at_us - asked_us <= running_us + 35_000

    run(main)


@pytest.mark.parametrize("seed", range(3))
def test_a_silent_pump_is_waited_for_in_closed_form_and_nothing_else_changes(seed: int) -> None:
    skipping, port = live(seed, skip=True)
    polling, whole = live(seed, skip=False)
    assert skipping == polling
    assert [type(event) for _, point, event in skipping if point == 2].count(Offline) == 1
    assert [type(event) for _, point, event in skipping if point == 2][-3:].count(Online) == 1
    assert port.turns_made < whole.turns_made / 3
    assert abs(port.turns_made + port.turns_skipped - whole.turns_made) <= 3


def live(seed: int, *, skip: bool) -> tuple[list[tuple[int, int, PumpEvent]], SimLinePort]:
    """Pump 2 is cut off for some minutes; another is lifted and hung up meanwhile."""

    async def main(loop: VirtualLoop) -> tuple[list[tuple[int, int, PumpEvent]], SimLinePort]:
        clock = VirtualClock(loop, 0)
        cores, twins = pumps(3)
        port = SimLinePort(twins, LineSettings(), clock, skip=skip)
        told: list[tuple[int, int, PumpEvent]] = []

        def on_event(point: int, event: PumpEvent) -> None:
            told.append((clock.now().mono_us, point, event))

        task = asyncio.create_task(LineRunner(LineSchedule(cores), port, clock, on_event, never).run())
        await clock.sleep_until((30 + seed) * US_PER_S)
        cut = port._twins.pop(1)
        port.wake()
        await clock.sleep_until(100 * US_PER_S + seed)
        twins[0].head.lift(1, clock.now().mono_us)
        await clock.sleep_until(160 * US_PER_S + seed)
        twins[0].head.hang_up(clock.now().mono_us)
        await clock.sleep_until(240 * US_PER_S)
        port._twins.insert(1, cut)
        await clock.sleep_until(300 * US_PER_S)
        port.wake()  # a rest that is called off is not counted
        await clock.sleep_until(300 * US_PER_S + 100_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert isinstance(told[-1][2], Idle)
        return told, port

    return run(main)
