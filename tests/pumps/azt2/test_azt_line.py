"""AZT pumps on one line: in turn, in virtual time with and without skipped polls, and over a real pseudo terminal."""

import asyncio
from collections import Counter
from typing import Any

import pytest
import serial

from controller.pumps.azt2.frame import is_whole
from controller.pumps.azt2.protocol import LINE
from controller.pumps.azt2.pump import AztPump, AztSettings
from controller.pumps.core import PumpCore
from controller.pumps.line import SerialLinePort
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
)
from sim.pumps.azt2 import AztTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import PtyLine, Twin
from tests.pumps.azt2.bench import PRICE, UAH, bench
from tests.pumps.line_bench import LineBench
from tests.pumps.port_bench import LoopClock, Station, at_station


def line_of(*channels: int) -> LineBench[AztTwin]:
    return LineBench({point: bench(channel=channel) for point, channel in enumerate(channels, 1)})


def test_pumps_of_a_line_fuel_side_by_side() -> None:
    line = line_of(1, 15, 16, 225)
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
    line = line_of(1, 2, 3)
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
    line = line_of(1, 2, 3)
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
    line = line_of(1, 2)
    line.run(40)
    line.schedule.port_lost(line.now_us)
    line.schedule.port_lost(line.now_us)
    assert line.schedule.events() == [(1, Offline()), (2, Offline())]


def station() -> Station:
    pumps: dict[int, tuple[PumpCore, Twin]] = {}
    for point, channel in ((1, 1), (2, 16)):
        head = PumpHead([HeadNozzle("diesel", PRICE)], UAH, flow_ml_per_s=5_000, slow_ml_per_s=1_000)
        settings = AztSettings(channel=channel, currency=UAH)
        pumps[point] = (AztPump(settings), AztTwin(head, settings, reply_latency_us=5_000))
    return Station(pumps, LINE, is_whole)


def test_a_sale_over_a_real_serial_port() -> None:
    async def story(station: Station) -> None:
        await station.until(1, Idle)
        call, done = await station.sell(2, Authorise((1,), Preset(amount_minor=5_499), PRICE))
        assert call == Calling(1, PRICE, 0)
        assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (1_000, 5_499, 1_000)

    at_station(station, story)


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
