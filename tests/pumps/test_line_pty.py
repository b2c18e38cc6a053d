"""The serial line as it is: pyserial on a pseudo terminal, simulated pumps at its other end, real time."""

import asyncio
import os
import tty
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import serial

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.domain.seams import ClockQuality, Now, Timer
from controller.machine import MachineClock
from controller.pumps.core import LinePort, LineSettings, PumpCore, Turn
from controller.pumps.dart.frame import is_whole
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.line import LineRunner, PortError, SerialLinePort
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
    Refusal,
    Refused,
    Stop,
)
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import PtyLine

TRY = CURRENCIES["TRY"]
PRICE = UnitPrice(4000, 2)
DEADLINE_S = 20


class LoopClock:
    """The event loop's own time."""

    quality = ClockQuality.FREE_RUNNING

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> Now:
        return Now(0, int(self._loop.time() * 1_000_000))

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        return self._loop.call_at(mono_us / 1_000_000, callback)

    async def sleep_until(self, mono_us: int) -> None:
        done = self._loop.create_future()
        timer = self.call_at(mono_us, lambda: None if done.done() else done.set_result(None))
        try:
            if self.now().mono_us < mono_us:
                await done
        finally:
            timer.cancel()


class Station:
    """A controller's line at a simulated one."""

    def __init__(self, count: int = 2) -> None:
        self.clock = LoopClock()
        self.heads = {n: PumpHead([HeadNozzle("diesel", PRICE)], TRY, flow_ml_per_s=5_000) for n in range(1, count + 1)}
        settings = {n: DartSettings(address=0x50 + n, currency=TRY, display_hold_ms=100) for n in self.heads}
        self.twins = [DartTwin(self.heads[n], settings[n], reply_latency_us=5_000) for n in self.heads]
        self.line = PtyLine(self.twins, self.clock)
        self.ports: list[SerialLinePort] = []
        self.port_texts: list[str | None] = []
        self.told: list[tuple[int, PumpEvent]] = []
        self._news = asyncio.Event()
        cores: dict[int, PumpCore] = {n: DartPump(settings[n]) for n in self.heads}
        self.runner = LineRunner(
            LineSchedule(cores), None, self.clock, self.on_event, self.open, on_port=self.port_texts.append
        )

    def open(self) -> LinePort:
        port = SerialLinePort(self.line.path, LineSettings(), self.clock)
        self.ports.append(port)
        return port

    def on_event(self, point: int, event: PumpEvent) -> None:
        self.told.append((point, event))
        self._news.set()

    @property
    def now_us(self) -> int:
        return self.clock.now().mono_us


async def until(station: Station, point: int, kind: type[PumpEvent], since: int = 0) -> PumpEvent:
    """The first event of this kind at this point, after `since` events."""
    while True:
        for at, event in station.told[since:]:
            if at == point and isinstance(event, kind):
                return event
        station._news.clear()
        await station._news.wait()


def at_station(story: Callable[[Station], Awaitable[None]], count: int = 2) -> None:
    async def main() -> None:
        station = Station(count)
        running = asyncio.create_task(station.runner.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                await story(station)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            station.line.close()

    asyncio.run(main())


def test_a_sale_over_a_real_serial_port() -> None:
    async def story(station: Station) -> None:
        await until(station, 1, Idle)
        station.heads[1].lift(1, station.now_us)
        call = await until(station, 1, Calling)
        assert call == Calling(1, PRICE, 0)
        station.runner.submit(1, Authorise((1,), Preset(amount_minor=2_000)))
        await until(station, 1, Authorised)
        reached = asyncio.Event()
        station.heads[1].listeners.append(lambda *_: reached.set())
        station.heads[1].squeeze(50_000, station.now_us)
        await reached.wait()
        station.heads[1].hang_up(station.now_us)
        done = await until(station, 1, Completed)
        assert isinstance(done, Completed)
        assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (500, 2_000, 500)
        seen = len(station.told)
        station.runner.submit(1, Clear(done.clear_token))
        await until(station, 1, Idle, seen)
        await until(station, 2, Idle)

    at_station(story)


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
        await until(station, 1, Idle)
        await until(station, 2, Idle)
        seen = len(station.told)
        station.line.close()
        await until(station, 1, Offline, seen)
        await until(station, 2, Offline, seen)
        station.runner.submit(1, Stop())
        refused = await until(station, 1, Refused, seen)
        assert refused == Refused(Stop(), Refusal.OFFLINE)
        station.line = PtyLine(station.twins, station.clock)
        await until(station, 1, Online, seen)
        await until(station, 2, Online, seen)
        gone = [event for _, event in station.told if isinstance(event, Offline)]
        assert len(gone) == 2
        assert len(station.port_texts) == 2
        assert "check the cable" in str(station.port_texts[0])
        assert station.port_texts[1] is None

    at_station(story)


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

    return asyncio.run(main())


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
