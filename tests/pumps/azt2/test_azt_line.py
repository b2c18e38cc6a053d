"""AZT pumps on one line: in turn, in virtual time with and without skipped polls, and over a real pseudo terminal."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
import serial

from controller.pumps.azt2.frame import is_whole
from controller.pumps.azt2.protocol import LINE
from controller.pumps.azt2.pump import AztPump, AztSettings
from controller.pumps.core import LinePort, PumpCore
from controller.pumps.line import LineRunner, SerialLinePort
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import (
    Authorise,
    Authorised,
    Calling,
    Clear,
    Completed,
    Idle,
    Offline,
    Online,
    Preset,
    PumpEvent,
    SetPrices,
    Stop,
)
from sim.pumps.azt2 import AztTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import PtyLine, SimLinePort
from tests.pumps.azt2.bench import PRICE, UAH
from tests.pumps.test_line_pty import LoopClock
from tests.pumps.test_sim_skip import JumpingClock, JumpingLoop

SECOND_US = 1_000_000
DEADLINE_S = 30
LAST_TURNS = 4


class Line:
    """A schedule over twins, turn by turn; `cut` pumps do not answer."""

    def __init__(self, *channels: int) -> None:
        self.twins: dict[int, AztTwin] = {}
        cores: dict[int, PumpCore] = {}
        for point, channel in enumerate(channels, 1):
            settings = AztSettings(channel=channel, currency=UAH)
            self.twins[point] = AztTwin(PumpHead([HeadNozzle("diesel", PRICE)], UAH), settings)
            cores[point] = AztPump(settings)
        self.schedule = LineSchedule(cores)
        self.now_us = 1_000_000
        self.cut: set[int] = set()
        self.told: list[tuple[int, PumpEvent]] = []
        self.spoken: list[int] = []

    def turn(self) -> int:
        point, turn = self.schedule.next(self.now_us)
        hearing = [p for p, twin in self.twins.items() if twin.hears(turn.data)]
        assert hearing == [point], "each request is heard by one pump only"
        answer = b"" if point in self.cut else self.twins[point].receive(turn.data, self.now_us)
        spent_us = self.twins[point].reply_latency_us if answer else turn.window_us
        self.now_us += turn.gap_us + spent_us + LINE.wire_us(len(turn.data) + len(answer))
        self.schedule.answered(answer, self.now_us)
        self.told += self.schedule.events()
        self.spoken.append(point)
        return point

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.turn()

    def kinds(self, point: int) -> list[type[PumpEvent]]:
        return [type(event) for at, event in self.told if at == point]


def test_pumps_of_a_line_fuel_side_by_side() -> None:
    line = Line(1, 15, 16, 225)
    line.run(60)
    for point, twin in line.twins.items():
        assert line.kinds(point)[-1] is Idle
        twin.head.lift(1, line.now_us)
    line.run(40)
    for point in line.twins:
        line.schedule.submit(point, Authorise((1,), Preset(volume_ml=1_000 * point)), line.now_us)
    line.run(80)
    for point, twin in line.twins.items():
        assert Authorised in line.kinds(point)
        twin.head.squeeze(50_000, line.now_us)
    line.run(1_000)
    done = {point: event for point, event in line.told if isinstance(event, Completed)}
    assert {point: event.volume_ml for point, event in done.items()} == {1: 1_000, 2: 2_000, 3: 3_000, 4: 4_000}
    for point, event in done.items():
        line.twins[point].head.hang_up(line.now_us)
        line.schedule.submit(point, Clear(event.clear_token), line.now_us)
    line.run(80)
    assert all(line.kinds(point)[-1] is Idle for point in line.twins)
    assert line.schedule.quiet_cycle(line.now_us) is not None


def test_a_stop_goes_before_everything() -> None:
    line = Line(1, 2, 3)
    line.run(40)
    for point in (1, 2, 3):
        line.twins[point].head.lift(1, line.now_us)
    line.run(20)
    for point in (1, 2, 3):
        line.schedule.submit(point, Authorise((1,)), line.now_us)
    line.run(60)
    for point in (1, 2, 3):
        line.twins[point].head.squeeze(500_000, line.now_us)
    line.run(20)
    line.schedule.submit(3, Stop(), line.now_us)
    line.now_us += 1
    assert line.turn() == 3
    line.run(30)
    assert Completed in line.kinds(3)


def test_a_silent_pump_costs_the_others_little_and_comes_back() -> None:
    line = Line(1, 2, 3)
    line.cut = {2}
    line.run(100)
    assert line.kinds(2) == [Offline]
    line.spoken.clear()
    line.run(200)
    assert Counter(line.spoken)[2] < 20
    line.cut.clear()
    for _ in range(1_000):  # the longer it was silent, the more seldom it is tried
        line.turn()
    assert line.kinds(2)[-1] is Idle


def test_a_lost_port_makes_every_pump_offline_once() -> None:
    line = Line(1, 2)
    line.run(40)
    line.schedule.port_lost(line.now_us)
    line.schedule.port_lost(line.now_us)
    assert line.schedule.events() == [(1, Offline()), (2, Offline())]


Story = list[tuple[int, int, PumpEvent]]


def no_port() -> LinePort:
    raise AssertionError("a simulated port is never gone")


def run(seed: int, *, skip: bool, seconds: int) -> tuple[Story, SimLinePort]:
    """Customers come at moments drawn from the seed; the controller answers at once or a little later."""
    loop = JumpingLoop()
    clock = JumpingClock(loop)
    chance = random.Random(seed)
    heads = {n: PumpHead([HeadNozzle("a", PRICE)], UAH) for n in range(1, 4)}
    settings = {n: AztSettings(channel=14 + n, currency=UAH) for n in heads}
    port = SimLinePort([AztTwin(heads[n], settings[n]) for n in heads], LINE, clock, skip=skip)
    story: Story = []
    cores: dict[int, PumpCore] = {n: AztPump(settings[n]) for n in heads}

    def on_event(point: int, event: PumpEvent) -> None:
        now_us = clock.now().mono_us
        story.append((now_us, point, event))
        if isinstance(event, Online):
            runner.submit(point, SetPrices((PRICE,)))
        if isinstance(event, Calling):
            order = Authorise((1,), Preset(amount_minor=30_000), event.price)
            clock.call_at(now_us + 3 * SECOND_US, lambda: runner.submit(point, order))
        if isinstance(event, Completed):
            clock.call_at(now_us + 2 * SECOND_US, lambda: runner.submit(point, Clear(event.clear_token)))

    runner = LineRunner(LineSchedule(cores), port, clock, on_event, no_port)

    async def customers(head: PumpHead, moments: list[int]) -> None:
        for moment in moments:
            await clock.sleep_until(moment)
            head.lift(1, moment)
            await clock.sleep_until(moment + 6 * SECOND_US)
            head.squeeze(2_000 + moment % 6_000, clock.now().mono_us)
            await clock.sleep_until(moment + 30 * SECOND_US)
            head.hang_up(clock.now().mono_us)

    async def main() -> None:
        tasks = [asyncio.create_task(runner.run())]
        for head in heads.values():
            moments = sorted(chance.randrange(0, seconds // 60) * 60 * SECOND_US for _ in range(3))
            moments = [moment + chance.randrange(20 * SECOND_US) for moment in dict.fromkeys(moments)]
            tasks.append(asyncio.create_task(customers(head, moments)))
        await clock.sleep_until(seconds * SECOND_US)
        port.wake()  # a rest that is called off is not counted
        await clock.sleep_until(seconds * SECOND_US + LAST_TURNS * 50_000)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [r for r in results if isinstance(r, Exception)] == []

    with asyncio.Runner(loop_factory=lambda: loop) as at_once:
        at_once.run(main())
    return story, port


@pytest.mark.parametrize("seed", range(4))
def test_skipping_quiet_polls_changes_nothing_else(seed: int) -> None:
    with_skips, port = run(seed, skip=True, seconds=720)
    without, whole = run(seed, skip=False, seconds=720)
    assert with_skips == without
    sold = [event for _, _, event in without if isinstance(event, Completed) and event.volume_ml]
    assert len(sold) >= 3
    assert port.turns_skipped > port.turns_made
    assert whole.turns_skipped == 0
    assert abs(port.turns_made + port.turns_skipped - whole.turns_made) <= LAST_TURNS, "skipped turns are counted"


class Station:
    """A controller's line at a simulated one, in real time."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.heads = {n: PumpHead([HeadNozzle("diesel", PRICE)], UAH, flow_ml_per_s=5_000) for n in (1, 2)}
        settings = {1: AztSettings(channel=1, currency=UAH), 2: AztSettings(channel=16, currency=UAH)}
        self.twins = {n: AztTwin(self.heads[n], settings[n], reply_latency_us=5_000) for n in self.heads}
        self.line = PtyLine(list(self.twins.values()), self.clock, LINE, complete=is_whole)
        self.ports: list[SerialLinePort] = []
        self.told: list[tuple[int, PumpEvent]] = []
        self._news = asyncio.Event()
        cores: dict[int, PumpCore] = {n: AztPump(settings[n]) for n in self.heads}
        self.runner = LineRunner(LineSchedule(cores), None, self.clock, self.on_event, self.open)

    def open(self) -> LinePort:
        port = SerialLinePort(self.line.path, LINE, self.clock)
        self.ports.append(port)
        return port

    def on_event(self, point: int, event: PumpEvent) -> None:
        self.told.append((point, event))
        self._news.set()

    @property
    def now_us(self) -> int:
        return self.clock.now().mono_us

    async def until(self, point: int, kind: type[PumpEvent], since: int = 0) -> PumpEvent:
        """The first event of this kind at this point, after `since` events."""
        while True:
            for at, event in self.told[since:]:
                if at == point and isinstance(event, kind):
                    return event
            self._news.clear()
            await self._news.wait()


def test_a_sale_over_a_real_serial_port() -> None:
    async def story(station: Station) -> None:
        await station.until(1, Idle)
        await station.until(2, Idle)
        station.heads[2].lift(1, station.now_us)
        assert await station.until(2, Calling) == Calling(1, PRICE, 0)
        station.runner.submit(2, Authorise((1,), Preset(amount_minor=5_499), PRICE))
        await station.until(2, Authorised)
        station.heads[2].squeeze(50_000, station.now_us)
        done = await station.until(2, Completed)
        station.heads[2].hang_up(station.now_us)
        assert isinstance(done, Completed)
        assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (1_000, 5_499, 1_000)
        seen = len(station.told)
        station.runner.submit(2, Clear(done.clear_token))
        await station.until(2, Idle, seen)

    async def main() -> None:
        station = Station()
        running = asyncio.create_task(station.runner.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                await story(station)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            station.line.close()

    asyncio.run(main())


def test_the_port_is_asked_for_4800_baud_seven_bits_even_parity_and_two_stop_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []
    real = serial.Serial

    def watched(path: str, baud: int, **options: Any) -> serial.Serial:
        asked.append({"baud": baud, **options})
        return real(path, baud, **options)

    monkeypatch.setattr(serial, "Serial", watched)

    async def main() -> None:
        line = PtyLine([], LoopClock(), LINE, complete=is_whole)
        try:
            SerialLinePort(line.path, LINE, LoopClock()).close()
        finally:
            line.close()

    asyncio.run(main())
    (first,) = asked
    assert (first["baud"], first["bytesize"], first["parity"], first["stopbits"]) == (
        4_800,
        serial.SEVENBITS,
        serial.PARITY_EVEN,
        serial.STOPBITS_TWO,
    )


def test_a_pseudo_terminal_can_be_opened_again_with_seven_bits() -> None:
    """A pty keeps its settings, and has eight bits and no parity: a restart must get in all the same."""

    async def main() -> None:
        line = PtyLine([], LoopClock(), LINE, complete=is_whole)
        try:
            for _ in range(3):
                SerialLinePort(line.path, LINE, LoopClock()).close()
        finally:
            line.close()

    asyncio.run(main())
