"""Several two-wire pumps on one line: who is spoken to between a delivery's end and its `Clear`, skipped polls, and a
real serial port."""

import asyncio
import random
from collections.abc import Callable

import pytest

from controller.domain.quantities import UnitPrice
from controller.domain.seams import US_PER_S
from controller.machine import MachineClock
from controller.pumps.core import LinePort, PumpCore
from controller.pumps.line import LineRunner, SerialLinePort
from controller.pumps.schedule import LineSchedule
from controller.pumps.two_wire.frame import STOP_ALL, Status, is_whole
from controller.pumps.two_wire.keeping import HOLD_US_MAX
from controller.pumps.two_wire.protocol import LINE
from controller.pumps.two_wire.pump import TwoWirePump, TwoWireSettings
from controller.pumps.words import (
    Authorise,
    Authorised,
    Calling,
    Clear,
    Completed,
    Idle,
    Offline,
    Order,
    Preset,
    PumpEvent,
    Stop,
    Suspended,
)
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import PtyLine, SimLinePort
from sim.pumps.two_wire import TwoWireTwin
from tests.pumps.test_sim_skip import JumpingClock, JumpingLoop, Story
from tests.pumps.two_wire.bench import PRICE, TRY


class Line:
    """A schedule over twins, turn by turn; all twins hear all, as on a real wire."""

    def __init__(self, count: int, *, old_board: bool = False) -> None:
        self.twins: dict[int, TwoWireTwin] = {}
        cores: dict[int, PumpCore] = {}
        for point in range(1, count + 1):
            settings = TwoWireSettings(pump_id=point, currency=TRY, old_board=old_board)
            self.twins[point] = TwoWireTwin(PumpHead([HeadNozzle("diesel", PRICE)], TRY), settings)
            cores[point] = TwoWirePump(settings)
        self.schedule = LineSchedule(cores)
        self.now_us = 1_000_000
        self.told: list[tuple[int, PumpEvent]] = []
        self.spoken: list[int] = []
        self.sent: list[bytes] = []
        self.cut: set[int] = set()

    def turn(self) -> int:
        point, turn = self.schedule.next(self.now_us)
        heard = [t for n, t in self.twins.items() if n not in self.cut and t.hears(turn.data)]
        answers = [answer for t in heard if (answer := t.receive(turn.data, self.now_us))]
        assert len(answers) <= 1, "two pumps speak at once"
        answer = b"".join(answers) if turn.window_us else b""
        self.now_us += turn.gap_us + LINE.wire_us(len(turn.data))
        if turn.window_us:
            self.now_us += 30_000 + LINE.wire_us(len(answer)) if answer else turn.window_us
        self.schedule.answered(answer, self.now_us)
        self.told += self.schedule.events()
        self.spoken.append(point)
        self.sent.append(turn.data)
        return point

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.turn()

    def submit(self, point: int, order: Order) -> None:
        self.schedule.submit(point, order, self.now_us)
        self.now_us += 1

    def kinds(self, point: int) -> list[type[PumpEvent]]:
        return [type(event) for at, event in self.told if at == point]

    def until(self, point: int, kind: type[PumpEvent], turns_max: int = 3_000) -> None:
        begin = len(self.told)
        for _ in range(turns_max):
            self.turn()
            if any(at == point and isinstance(event, kind) for at, event in self.told[begin:]):
                return
        raise AssertionError(f"no {kind.__name__} of {point}: {self.told[-10:]}")

    def fuel(self, *points: int) -> None:
        for point in points:
            self.twins[point].head.lift(1, self.now_us)
        self.run(20 * len(points) + 40)
        for point in points:
            self.submit(point, Authorise((1,)))
        self.run(20 * len(points) + 40)
        for point in points:
            assert Authorised in self.kinds(point)
            self.twins[point].head.squeeze(1_000_000, self.now_us)
        self.run(40 * len(points))


def rested(count: int, *, old_board: bool = False) -> Line:
    line = Line(count, old_board=old_board)
    line.run(10 * count)
    assert all(line.kinds(point)[-1] is Idle for point in range(1, count + 1))
    return line


def test_nobody_else_is_spoken_to_between_the_end_and_clear() -> None:
    line = rested(6)
    line.fuel(2, 3)
    line.twins[2].head.hang_up(line.now_us)
    line.spoken.clear()
    line.until(2, Completed)
    line.run(5)
    begin = line.spoken.index(2)
    while line.spoken[begin + 1] != 2:
        begin = line.spoken.index(2, begin + 1)
    assert set(line.spoken[begin:]) == {2}
    states = [line.twins[2].state]
    line.submit(2, Clear(1))
    line.until(2, Idle)
    assert [*states, line.twins[2].state] == [Status.FEOT, Status.OFF]
    assert set(line.spoken[-6:]) != {2}


def test_without_clear_the_others_wait_a_bounded_time_and_the_delivery_is_not_forgotten() -> None:
    line = rested(4)
    line.fuel(1, 3)
    line.twins[1].head.hang_up(line.now_us)
    line.until(1, Completed)
    told_us = line.now_us
    while line.turn() == 1:
        pass
    assert line.now_us - told_us <= HOLD_US_MAX + 300_000
    line.run(200)
    assert line.twins[1].state is Status.OFF, "it was left"
    assert Idle not in line.kinds(1)[line.kinds(1).index(Completed) :]
    line.submit(1, Clear(1))
    line.run(30)
    assert line.kinds(1)[-1] is Idle
    line.twins[3].head.hang_up(line.now_us)
    line.until(3, Completed)


def test_a_preset_is_not_parted_by_another_pump() -> None:
    line = rested(5)
    line.fuel(1, 2)
    line.sent.clear()
    line.spoken.clear()
    line.submit(4, Authorise((1,), Preset(volume_ml=5_000)))
    line.until(4, Authorised)
    at = line.sent.index(b"\x24")
    assert [data.hex() for data in line.sent[at : at + 5] if len(data) == 1] == ["24", "04", "14", "04"]
    assert set(line.spoken[at - 1 : at + 5]) == {4}


def test_two_deliveries_that_end_together_are_both_told() -> None:
    line = rested(3)
    line.fuel(1, 2, 3)
    for twin in line.twins.values():
        twin.head.hang_up(line.now_us)
    for token in range(1, 4):
        before = len(line.told)
        while not (done := [p for p, event in line.told[before:] if isinstance(event, Completed)]):
            line.turn()
        line.submit(done[0], Clear(1))
        assert token == sum(isinstance(event, Completed) for _, event in line.told)
    line.run(60)
    assert all(line.kinds(point)[-1] is Idle for point in (1, 2, 3))
    said = {p: event for p, event in line.told if isinstance(event, Completed)}
    for point, event in said.items():
        assert event.volume_ml == line.twins[point].head.volume_ml(line.now_us) // 10 * 10


def test_one_transmission_stops_all() -> None:
    line = rested(4)
    line.fuel(2, 3)
    line.sent.clear()
    line.schedule.stop_all(line.now_us)
    line.now_us += 1
    while bytes((STOP_ALL,)) not in line.sent:
        line.turn()
    assert not any(twin.head.flowing for twin in line.twins.values())
    line.run(40)
    assert Suspended in line.kinds(2)
    assert Suspended in line.kinds(3)
    assert line.kinds(1)[-1] is Idle


def test_a_stop_waits_for_nobody_but_a_delivery_that_is_being_saved() -> None:
    line = rested(6)
    line.fuel(2, 3, 4)
    line.submit(4, Stop())
    while line.schedule._pumps[line.schedule._last].owes_turn:
        line.turn()
    assert line.turn() == 4
    line.run(10)
    assert Suspended in line.kinds(4)


def test_silent_pumps_cost_little_and_come_back() -> None:
    line = Line(3)
    line.cut = {2}
    line.run(200)
    assert line.kinds(2) == [Offline]
    line.cut.clear()
    line.run(600)
    assert line.kinds(2)[-1] is Idle


def test_old_boards_do_not_keep_the_line() -> None:
    line = rested(3, old_board=True)
    line.fuel(1, 2)
    line.twins[1].head.hang_up(line.now_us)
    line.until(1, Completed)
    line.spoken.clear()
    line.run(20)
    assert line.spoken.count(2) > 5


# --- virtual time -------------------------------------------------------------------------------------------


def run(seed: int, *, skip: bool, seconds: int, old_board: bool = False) -> tuple[Story, SimLinePort]:
    """Customers come at moments drawn from the seed; the controller answers at once or a little later."""
    loop = JumpingLoop()
    clock = JumpingClock(loop)
    chance = random.Random(seed)
    heads = {n: PumpHead([HeadNozzle("a", PRICE)], TRY) for n in range(1, 4)}
    made = {n: TwoWireSettings(pump_id=n, currency=TRY, old_board=old_board) for n in heads}
    port = SimLinePort([TwoWireTwin(heads[n], made[n]) for n in heads], LINE, clock, skip=skip)
    story: Story = []
    cores: dict[int, PumpCore] = {n: TwoWirePump(made[n]) for n in heads}

    def on_event(point: int, event: PumpEvent) -> None:
        now_us = clock.now().mono_us
        story.append((now_us, point, event))
        if isinstance(event, Calling):
            order = Authorise((1,), Preset(volume_ml=5_000))
            clock.call_at(now_us + 3_000_000, lambda: runner.submit(point, order))
        if isinstance(event, Completed):
            token = event.clear_token
            clock.call_at(now_us + 40_000, lambda: runner.submit(point, Clear(token)))

    def no_port() -> LinePort:
        raise AssertionError("a simulated port is never gone")

    runner = LineRunner(LineSchedule(cores), port, clock, on_event, no_port)

    async def customers(head: PumpHead, moments: list[int]) -> None:
        for moment in moments:
            await clock.sleep_until(moment)
            head.lift(1, moment)
            await clock.sleep_until(moment + 6 * US_PER_S)
            head.squeeze(2_000 + moment % 6_000, clock.now().mono_us)
            await clock.sleep_until(moment + 30 * US_PER_S)
            head.hang_up(clock.now().mono_us)

    async def main() -> None:
        tasks = [asyncio.create_task(runner.run())]
        for head in heads.values():
            moments = sorted({chance.randrange(0, seconds // 60) * 60 * US_PER_S for _ in range(3)})
            moments = [moment + chance.randrange(20 * US_PER_S) for moment in moments]
            tasks.append(asyncio.create_task(customers(head, moments)))
        await clock.sleep_until(seconds * US_PER_S)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [r for r in results if isinstance(r, Exception)] == []

    with asyncio.Runner(loop_factory=lambda: loop) as at_once:
        at_once.run(main())
    return story, port


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("old_board", [False, True])
def test_skipping_quiet_polls_changes_nothing_else(seed: int, *, old_board: bool) -> None:
    with_skips, port = run(seed, skip=True, seconds=480, old_board=old_board)
    without, whole = run(seed, skip=False, seconds=480, old_board=old_board)
    assert with_skips == without
    sold = [event for _, _, event in without if isinstance(event, Completed)]
    assert len(sold) >= 3
    assert all(2_000 <= event.volume_ml <= 5_000 and event.totaliser_ml for event in sold)
    assert port.turns_skipped > port.turns_made
    assert whole.turns_skipped == 0


# --- a real serial port -------------------------------------------------------------------------------------


def test_the_port_is_asked_for_5787_baud_and_even_parity(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    real: Callable[..., object] = __import__("serial").Serial

    def opened(path: str, baud: int, **options: object) -> object:
        asked.append((baud, options["bytesize"], options["parity"], options["stopbits"]))
        return real(path, baud, **options)

    monkeypatch.setattr("controller.pumps.line.serial.Serial", opened)

    async def main() -> None:
        line = PtyLine([], MachineClock(), LINE, is_whole)
        port = SerialLinePort(line.path, LINE, MachineClock())
        assert port.serial.baudrate == 5_787
        port.close()
        line.close()

    asyncio.run(main())
    assert asked[0] == (5_787, 8, "E", 1)


def test_sales_over_a_real_serial_port() -> None:
    async def main() -> None:
        clock = MachineClock()
        price = UnitPrice(4_000, 2)
        made = {n: TwoWireSettings(pump_id=n, currency=TRY, wide=n == 2) for n in (1, 2)}
        heads = {
            n: PumpHead([HeadNozzle("diesel", price)], TRY, flow_ml_per_s=5_000, slow_ml_per_s=1_000) for n in made
        }
        twins = [TwoWireTwin(heads[n], made[n], reply_latency_us=3_000) for n in made]
        # Word by word: an answer that came whole at its end would begin after the window.
        line = PtyLine(twins, clock, LINE, is_whole, pace=True)
        told: list[tuple[int, PumpEvent]] = []
        news = asyncio.Event()

        def on_event(point: int, event: PumpEvent) -> None:
            told.append((point, event))
            news.set()

        async def until(point: int, kind: type[PumpEvent], since: int = 0) -> PumpEvent:
            while True:
                for at, event in told[since:]:
                    if at == point and isinstance(event, kind):
                        return event
                news.clear()
                await news.wait()

        cores: dict[int, PumpCore] = {n: TwoWirePump(made[n]) for n in made}
        runner = LineRunner(LineSchedule(cores), None, clock, on_event, lambda: SerialLinePort(line.path, LINE, clock))
        running = asyncio.create_task(runner.run())

        async def stories() -> None:
            for point in made:
                await until(point, Idle)
                seen = len(told)
                heads[point].lift(1, clock.now().mono_us)
                assert await until(point, Calling, seen) == Calling(1, price, 0)
                runner.submit(point, Authorise((1,), Preset(amount_minor=2_000)))
                await until(point, Authorised, seen)
                reached = asyncio.Event()
                heads[point].listeners.append(lambda *_, r=reached: r.set())
                heads[point].squeeze(50_000, clock.now().mono_us)
                await reached.wait()
                heads[point].hang_up(clock.now().mono_us)
                done = await until(point, Completed, seen)
                assert isinstance(done, Completed)
                assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (500, 2_000, 500)
                seen = len(told)
                runner.submit(point, Clear(done.clear_token))
                await until(point, Idle, seen)

        try:
            async with asyncio.timeout(20):
                await stories()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            line.close()

    asyncio.run(main())
