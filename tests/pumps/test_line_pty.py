"""The serial line as it is: pyserial on a pseudo terminal, simulated pumps at its other end, steady time."""

import asyncio
import os
import select
import tty
from pathlib import Path

import pytest
import serial

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.machine import MachineClock
from controller.pumps.core import LineSettings, PumpCore, Turn
from controller.pumps.dart.frame import is_whole
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.line import SerialLinePort
from controller.pumps.stream import PortError
from controller.pumps.words import (
    Authorise,
    Calling,
    Idle,
    Offline,
    Online,
    Preset,
    Refusal,
    Refused,
    Stop,
)
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import PtyLine, Twin
from tests.pumps.port_bench import DEADLINE_S, LoopClock, Station, at_station
from tests.pumps.steady import run_steadily

TRY = CURRENCIES["TRY"]
PRICE = UnitPrice(4000, 2)


def station(count: int = 2) -> Station:
    pumps: dict[int, tuple[PumpCore, Twin]] = {}
    for n in range(1, count + 1):
        head = PumpHead([HeadNozzle("diesel", PRICE)], TRY, flow_ml_per_s=5_000, slow_ml_per_s=1_000)
        settings = DartSettings(address=0x50 + n, currency=TRY, display_hold_ms=100)
        pumps[n] = (DartPump(settings), DartTwin(head, settings, reply_latency_us=5_000))
    return Station(pumps, LineSettings(), is_whole)


def test_input_that_is_forgotten_between_the_look_and_the_read_is_no_lost_port() -> None:
    """A late byte, and a new turn before the loop comes to read it: pyserial's terminal then reads nothing at all."""
    master, other = os.openpty()
    tty.setraw(other)

    async def main() -> bytes:
        port = SerialLinePort(os.ttyname(other), LineSettings(), MachineClock())
        os.write(master, b"late")
        select.select([port.serial.fileno()], [], [], DEADLINE_S)
        turned = asyncio.Event()
        asyncio.get_running_loop().call_soon(port.serial.reset_input_buffer)  # before what the loop is about to see
        asyncio.get_running_loop().call_later(0, turned.set)
        await turned.wait()
        os.write(master, b"now")
        _, heard = await port.hear(DEADLINE_S * 1_000_000)
        port.close()
        return heard

    try:
        assert asyncio.run(main()) == b"now"
    finally:
        os.close(master)
        os.close(other)


def test_a_sale_over_a_real_serial_port() -> None:
    async def story(station: Station) -> None:
        call, done = await station.sell(1, Authorise((1,), Preset(amount_minor=2_000)))
        assert call == Calling(1, PRICE, 0)
        assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (500, 2_000, 500)
        await station.until(2, Idle)

    at_station(station, story)


def test_the_port_is_opened_with_the_settings_of_the_line() -> None:
    async def main() -> None:
        line = PtyLine([], LoopClock())
        port = SerialLinePort(line.path, LineSettings(), LoopClock())
        try:
            found = port.serial
            assert (found.baudrate, found.bytesize, found.parity, found.stopbits) == (9600, 8, "O", 1)
            assert found.exclusive
            assert (found.timeout, found.write_timeout) == (0, 0)
            assert LineSettings().wire_us(3) == 3_437
        finally:
            port.close()
            port.close()
            line.close()

    asyncio.run(main())


def test_a_missing_port_is_told_in_a_sentence() -> None:
    async def main() -> None:
        with pytest.raises(PortError, match=r"/dev/no-such-port: there is no such port: check the cable"):
            SerialLinePort("/dev/no-such-port", LineSettings(), LoopClock())

    asyncio.run(main())


def test_a_port_that_another_program_uses_is_told_in_a_sentence() -> None:
    async def main() -> None:
        line = PtyLine([], LoopClock())
        try:
            with (
                serial.Serial(line.path, exclusive=True),
                pytest.raises(PortError, match="another program uses it: stop that program"),
            ):
                SerialLinePort(line.path, LineSettings(), LoopClock())
        finally:
            line.close()

    asyncio.run(main())


def test_something_that_is_no_port_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    async def main() -> None:
        with pytest.raises(PortError, match="it is no serial port"):
            SerialLinePort(str(tmp_path / "file"), LineSettings(), LoopClock())

    asyncio.run(main())


def test_a_pulled_cable_is_offline_once_and_orders_are_refused_until_it_is_back() -> None:
    async def story(station: Station) -> None:
        await station.until(1, Idle)
        await station.until(2, Idle)
        seen = len(station.told)
        station.line.close()
        await station.until(1, Offline, seen)
        await station.until(2, Offline, seen)
        station.runner.submit(1, Stop())
        refused = await station.until(1, Refused, seen)
        assert refused == Refused(Stop(), Refusal.OFFLINE)
        station.plug_in()
        await station.until(1, Online, seen)
        await station.until(2, Online, seen)
        gone = [event for _, event in station.told if isinstance(event, Offline)]
        assert len(gone) == 2
        assert len(station.port_texts) == 2
        assert "check the cable" in str(station.port_texts[0])
        assert station.port_texts[1] is None

    at_station(station, story)


def transact_with(answer_parts: list[bytes]) -> bytes:
    """One turn against a peer that writes these parts as soon as it hears something."""

    async def main() -> bytes:
        clock = LoopClock()
        loop = asyncio.get_running_loop()
        fd, other = os.openpty()
        tty.setraw(other)

        def heard() -> None:
            os.read(fd, 100)
            for index, part in enumerate(answer_parts):
                loop.call_later(0.005 * index, os.write, fd, part)

        loop.add_reader(fd, heard)
        port = SerialLinePort(os.ttyname(other), LineSettings(), clock)
        try:
            os.write(fd, b"stale")
            async with asyncio.timeout(DEADLINE_S):
                return await port.transact(Turn(b"\x50\x20\xfa", 5_000, 60_000, 15_000, is_whole))
        finally:
            port.close()
            loop.remove_reader(fd)
            os.close(fd)
            os.close(other)

    return run_steadily(main())


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ([b"\x50\x70\xfa"], b"\x50\x70\xfa"),
        ([b"\x50", b"\x70", b"\xfa"], b"\x50\x70\xfa"),
        ([b"\x50\x70"], b"\x50\x70"),
        ([], b""),
    ],
)
def test_an_answer_is_given_whole_or_as_far_as_it_came(parts: list[bytes], answer: bytes) -> None:
    assert transact_with(parts) == answer


def test_a_pseudo_terminal_can_be_opened_again_with_parity() -> None:
    """A pty keeps its settings and refuses parity as the only change: a restart must get in all the same."""

    async def open_twice() -> None:
        master, other = os.openpty()
        try:
            path = os.ttyname(other)
            for _ in range(3):
                port = SerialLinePort(path, LineSettings(), MachineClock())
                port.close()
        finally:
            os.close(master)
            os.close(other)

    asyncio.run(open_twice())
