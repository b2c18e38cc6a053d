"""Several two-wire pumps on one line: who is spoken to between a delivery's end and its `Clear`, skipped polls, and a
real serial port."""

import asyncio
from collections.abc import Callable

import pytest

from controller.domain.quantities import UnitPrice
from controller.machine import MachineClock
from controller.pumps.core import PumpCore
from controller.pumps.line import SerialLinePort
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
    Preset,
    Stop,
    Suspended,
)
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import PtyLine, Twin
from sim.pumps.two_wire import TwoWireTwin
from tests.pumps.line_bench import LineBench
from tests.pumps.port_bench import Station, at_station
from tests.pumps.two_wire.bench import TRY, bench


def line_of(count: int, *, old_board: bool = False) -> LineBench[TwoWireTwin]:
    return LineBench({number: bench(pump=number, old_board=old_board) for number in range(1, count + 1)})


def rested(count: int, *, old_board: bool = False) -> LineBench[TwoWireTwin]:
    line = line_of(count, old_board=old_board)
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
    line.turns.clear()
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
    line.turns.clear()
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


@pytest.mark.parametrize("turns", range(0, 40, 3))
@pytest.mark.parametrize("damaged", [True, False])
def test_a_stop_waits_for_one_exchange_although_a_pump_keeps_the_line(turns: int, *, damaged: bool) -> None:
    """Whether its values are being read, damaged or not, or wait for the disk: fuel runs on elsewhere."""
    line = rested(3)
    line.fuel(1, 2)
    if damaged:
        line.spoil = lambda point, answer: answer[:-1] if point == 1 and len(answer) > 1 else answer
    line.twins[1].head.hang_up(line.now_us)
    line.run(turns)
    asked_us = line.now_us
    line.turns.clear()
    line.schedule.stop_all(line.now_us)
    line.now_us += 1
    while bytes((STOP_ALL,)) not in line.sent:
        line.turn()
    sent_us = line.now_us - line.turns[-1].window_us - line.line.wire_us(1)
    assert sent_us - asked_us <= 50_000, line.sent
    line.spoil = None
    done = line.of(1, Completed) or [line.until(1, Completed)]
    assert done[0].volume_ml == line.twins[1].head.volume_ml(line.now_us) // 10 * 10 > 0
    line.run(40)
    assert Suspended in line.kinds(2)
    assert not any(twin.head.flowing for twin in line.twins.values())


@pytest.mark.parametrize("turns", range(0, 40, 3))
def test_a_stop_of_one_pump_does_not_wait_for_another_that_keeps_the_line(turns: int) -> None:
    line = rested(3)
    line.fuel(1, 2)
    line.spoil = lambda point, answer: answer[:-1] if point == 1 and len(answer) > 1 else answer
    line.twins[1].head.hang_up(line.now_us)
    line.run(turns)
    asked_us = line.now_us
    line.submit(2, Stop())
    while line.turn() != 2:
        pass
    assert line.sent[-1] == bytes((0x32,))
    assert line.now_us - asked_us <= 50_000
    line.spoil = None
    done = line.of(1, Completed) or [line.until(1, Completed)]
    assert done[0].volume_ml == line.twins[1].head.volume_ml(line.now_us) // 10 * 10 > 0


def test_silent_pumps_cost_little_and_come_back() -> None:
    line = line_of(3)
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


def station() -> Station:
    pumps: dict[int, tuple[PumpCore, Twin]] = {}
    for n in (1, 2):
        head = PumpHead([HeadNozzle("diesel", UnitPrice(4_000, 2))], TRY, flow_ml_per_s=5_000, slow_ml_per_s=1_000)
        made = TwoWireSettings(pump_id=n, currency=TRY, wide=n == 2)
        pumps[n] = (TwoWirePump(made), TwoWireTwin(head, made, reply_latency_us=3_000))
    # Word by word: an answer that came whole at its end would begin after the window.
    return Station(pumps, LINE, is_whole, pace=True)


def test_sales_over_a_real_serial_port() -> None:
    async def story(station: Station) -> None:
        for point in (1, 2):
            call, done = await station.sell(point, Authorise((1,), Preset(amount_minor=2_000)))
            assert call == Calling(1, UnitPrice(4_000, 2), 0)
            assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (500, 2_000, 500)

    at_station(station, story)
