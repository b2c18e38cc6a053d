"""A line behind a serial server in the network: RFC 2217 and raw TCP, with simulated pumps or foreign servers there."""

import asyncio
import errno
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import serial
from serial.rfc2217 import PortManager

from controller import daemon
from controller.config import ConfigError, parse
from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.install import template
from controller.machine import MachineClock
from controller.pumps import net
from controller.pumps.address import BadAddress, NetAddress, net_address
from controller.pumps.azt2.pump import AztPump, AztSettings
from controller.pumps.core import ConnectingPort, LinePort, LineSettings, PacedPort, PumpCore, Turn
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.line import LineRunner
from controller.pumps.net import NetLinePort
from controller.pumps.protocols import line_settings
from controller.pumps.schedule import LineSchedule
from controller.pumps.stream import PortError
from controller.pumps.telnet import Rfc2217Client
from controller.pumps.two_wire.pump import TwoWirePump, TwoWireSettings
from controller.pumps.words import Authorise, Idle, Offline, Online, Preset, PumpEvent, Refusal, Refused, Stop
from controller.wire.tap import Tap
from sim.pumps.azt2 import AztTwin
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.lines import NetLine, Raw, Rfc2217
from sim.pumps.port import LineEnd, Twin
from sim.pumps.protocols import protocol
from sim.pumps.two_wire import TwoWireTwin
from tests.pumps.port_bench import Station
from tests.pumps.servers import tcp_server

TRY = CURRENCIES["TRY"]
DEADLINE_S = 30
HOST = "127.0.0.1"
POLL = bytes.fromhex("50 20 fa")
EOT = bytes.fromhex("50 70 fa")


def pump(name: str) -> tuple[PumpCore, Twin]:
    head = PumpHead([HeadNozzle("diesel", UnitPrice(4_000, 2))], TRY, flow_ml_per_s=5_000, slow_ml_per_s=1_000)
    match name:
        case "dart":
            dart = DartSettings(address=0x50, currency=TRY, display_hold_ms=100)
            return DartPump(dart), DartTwin(head, dart, reply_latency_us=5_000)
        case "two-wire":
            two_wire = TwoWireSettings(pump_id=1, currency=TRY)
            return TwoWirePump(two_wire), TwoWireTwin(head, two_wire, reply_latency_us=3_000)
        case _:
            azt = AztSettings(channel=1, currency=TRY)
            return AztPump(azt), AztTwin(head, azt, reply_latency_us=3_000)


class NetStation(Station):
    """A controller's line at a serial server on this machine; `pull` and `await plug` its cable."""

    def __init__(self, name: str, scheme: str) -> None:
        self.pump = pump(name)
        self.settings = line_settings(name, None)
        self.scheme = scheme
        self.servers: list[Rfc2217] = []
        self._speaks = protocol(name)
        self._port = 0
        super().__init__({1: self.pump}, self.settings, self._speaks.complete)

    def plug_in(self) -> None:
        """Nothing yet: a server takes its time."""

    async def plug(self) -> None:
        def end(say: Callable[[bytes], None]) -> LineEnd:
            twins, complete = [self.pump[1]], self._speaks.complete
            return LineEnd(twins, self.clock, self.settings, complete, say, silence_us=200_000)

        self.net = NetLine("north", self._port, end, self._framing, self.scheme)
        await self.net.start()
        self._port = self.net.port

    def _framing(self) -> Raw | Rfc2217:
        if self.scheme == "socket":
            return Raw()
        self.servers.append(Rfc2217(LineSettings(1_200, 8, "N", 1)))
        return self.servers[-1]

    def _open(self) -> LinePort:
        where = net_address(self.net.where)
        assert where is not None
        return NetLinePort(where, self.settings, self.clock)


def at_server(name: str, scheme: str, story: Callable[[NetStation], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        station = NetStation(name, scheme)
        await station.plug()
        running = asyncio.create_task(station.runner.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                await story(station)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await station.net.close()

    asyncio.run(main())


@pytest.mark.parametrize("scheme", ["rfc2217", "socket"])
@pytest.mark.parametrize("name", ["dart", "two-wire", "azt2"])
def test_a_sale_over_a_serial_server(name: str, scheme: str) -> None:
    async def story(station: NetStation) -> None:
        preset = Preset(volume_ml=500)
        call, done = await station.sell(1, Authorise((1,), preset, UnitPrice(4_000, 2)))
        assert call.nozzle == 1
        assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (500, 2_000, 500)
        assert [server.client for server in station.servers] == [station.settings] * (scheme == "rfc2217")

    at_server(name, scheme, story)


@pytest.mark.parametrize("scheme", ["rfc2217", "socket"])
def test_a_server_that_restarts_is_offline_once_and_is_set_again_when_it_is_back(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.pumps.line.REOPEN_US", 100_000)

    async def story(station: NetStation) -> None:
        await station.until(1, Idle)
        seen = len(station.told)
        await station.net.close()
        await station.until(1, Offline, seen)
        station.runner.submit(1, Stop())
        assert await station.until(1, Refused, seen) == Refused(Stop(), Refusal.OFFLINE)
        await station.plug()
        await station.until(1, Online, seen)
        assert len([event for _, event in station.told if isinstance(event, Offline)]) == 1
        gone, back = station.port_texts
        assert gone is not None
        assert gone.startswith(f"port {scheme}://127.0.0.1:")
        assert "the connection ended: the serial server restarted, or another program has taken this port" in gone
        assert back is None
        assert [server.client for server in station.servers] == [station.settings] * 2 * (scheme == "rfc2217")

    at_server("two-wire", scheme, story)


def test_while_it_is_being_connected_orders_are_answered_and_the_loop_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address at which nobody ever answers."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        texts: list[str | None] = []
        told: list[tuple[int, PumpEvent]] = []
        news, dialled = asyncio.Event(), asyncio.Event()

        async def nobody(*_: object) -> None:
            dialled.set()
            await loop.create_future()

        monkeypatch.setattr(loop, "create_connection", nobody)
        clock = MachineClock()

        def on_event(point: int, event: PumpEvent) -> None:
            told.append((point, event))
            news.set()

        def on_port(text: str | None) -> None:
            texts.append(text)
            news.set()

        where = NetAddress("rfc2217", "10.9.8.7", 4_001)

        def open_port() -> LinePort:
            return Tap(clock).port(NetLinePort(where, LineSettings(), clock))

        runner = LineRunner(LineSchedule({1: pump("dart")[0]}), None, clock, on_event, open_port, on_port=on_port)
        running = asyncio.create_task(runner.run())
        await dialled.wait()
        runner.submit(1, Stop())
        await news.wait()
        assert told == [(1, Refused(Stop(), Refusal.OFFLINE))]
        assert texts == []
        monkeypatch.setattr(net, "CONNECT_US_MAX", 20_000)
        monkeypatch.setattr("controller.pumps.line.REOPEN_US", 1_000)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        running = asyncio.create_task(runner.run())
        for _ in range(2):
            dialled.clear()
            await dialled.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert texts == [
            "port rfc2217://10.9.8.7:4001: it does not answer: check the serial server's power, the network's cable "
            "and the address"
        ], "told once"

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))


# --- what stands in the way -------------------------------------------------------------------------------------


@asynccontextmanager
async def server(answer: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """A server that answers so to what it hears; where it listens."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1_000):
            writer.write(answer(data))

    async with tcp_server(serve) as number:
        yield number


def port_at(port: int, scheme: str = "rfc2217", settings: LineSettings | None = None) -> NetLinePort:
    where = net_address(f"{scheme}://{HOST}:{port}")
    assert where is not None
    return NetLinePort(where, settings or LineSettings(), MachineClock())


def another_speed(data: bytes) -> bytes:
    """Telnet's words with a server that has 9600 baud, whatever it is asked for."""
    said = Rfc2217(LineSettings()).receive(data)[1]
    return said.replace(bytes.fromhex("2c 65 00 00 16 9b"), bytes.fromhex("2c 65 00 00 25 80"))


def no_com_port(data: bytes) -> bytes:
    return bytes.fromhex("ff fe 2c") if b"\xff\xfb\x2c" in data else b""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: b"", "it says nothing of telnet: set it to RFC 2217, or write socket:// for a raw port"),
        (lambda data: data[:0] + EOT, "it says nothing of telnet: set it to RFC 2217"),
        (
            another_speed,
            "it set 9600 baud where 5787 baud was asked for: set baud and framing of the line to what it can",
        ),
        (no_com_port, "it speaks telnet, and sets no speed of a serial port: set it to RFC 2217"),
        (lambda _: b"\xff\xfb\x03", "it does not say that it has set the line: see whether it is set to RFC 2217"),
    ],
)
def test_a_server_that_does_not_set_the_line_is_a_sentence(
    answer: Callable[[bytes], bytes], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net, "CONNECT_US_MAX", 150_000)

    async def main() -> None:
        async with server(answer) as number:
            with pytest.raises(PortError) as caught:
                await port_at(number, settings=line_settings("two-wire", None)).connect()
            text = str(caught.value)
            assert text.startswith(f"port rfc2217://{HOST}:{number}: {said}")
            assert ("set baud" in text) is ("set baud" in said), "what to do is of this cause"

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))


def test_a_port_on_which_nothing_listens_is_a_sentence() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            for host in (HOST, "localhost"):
                where = NetAddress("socket", host, taken.getsockname()[1])
                with pytest.raises(PortError, match=r"nothing listens there: check the number of the port") as caught:
                    await NetLinePort(where, LineSettings(), MachineClock()).connect()
                assert caught.value.errno == errno.ECONNREFUSED

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))


def test_a_name_that_nobody_knows_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def main() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", unknown)
        with pytest.raises(PortError, match=r"socket://moxa:4001: the name is not known \(Name or service not known\)"):
            await NetLinePort(NetAddress("socket", "moxa", 4_001), LineSettings(), MachineClock()).connect()

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))


def test_a_connection_that_ends_in_a_turn_ends_the_turn() -> None:
    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)

        async with tcp_server(serve) as number:
            port = port_at(number, "socket")
            await port.connect()
            turn = Turn(POLL, 0, 60_000_000, 15_000, lambda _: False)
            for _ in range(2):
                with pytest.raises(PortError, match="the connection ended"):
                    await port.transact(turn)
            port.close()
            port.close()

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))


def test_a_server_that_takes_each_connection_and_ends_it_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program has its port, and it takes one only."""
    monkeypatch.setattr("controller.pumps.line.REOPEN_US", 1_000)

    async def main() -> None:
        texts: list[str | None] = []
        taken, enough = [], asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken.append(writer)
            if len(taken) == 5:
                enough.set()

        async with tcp_server(serve) as number:
            core, clock = pump("dart")[0], MachineClock()
            schedule = LineSchedule({1: core})
            runner = LineRunner(
                schedule, None, clock, lambda *_: None, lambda: port_at(number, "socket"), on_port=texts.append
            )
            running = asyncio.create_task(runner.run())
            await enough.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert len(texts) == 1
        assert "the connection ended" in str(texts[0])

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))


def test_what_stands_in_the_way_is_told_anew_when_it_is_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.pumps.line.REOPEN_US", 1_000)

    async def main() -> None:
        texts: list[str | None] = []
        reasons = iter(["no power", "no power", "no cable", "no cable", "no power"])
        told = asyncio.Event()

        def open_port() -> LinePort:
            reason = next(reasons, None)
            if reason is None:
                told.set()
            raise PortError(errno.EIO, reason or "no power")

        runner = LineRunner(
            LineSchedule({1: pump("dart")[0]}), None, MachineClock(), lambda *_: None, open_port, on_port=texts.append
        )
        running = asyncio.create_task(runner.run())
        await told.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert texts == ["no power", "no cable", "no power"]

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))


def test_a_network_that_takes_no_bytes_is_a_sentence_and_holds_nobody() -> None:
    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.get_running_loop().create_future()  # and reads nothing

        async with tcp_server(serve) as number:
            port = port_at(number, "socket")
            await port.connect()

            def send() -> None:
                for _ in range(1_000):
                    port._send(bytes(100_000))

            with pytest.raises(PortError, match="it takes no more bytes"):
                send()
            port.close()

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))


# --- the words of RFC 2217 --------------------------------------------------------------------------------------


class Link:
    """What pyserial's server writes to its connection."""

    def __init__(self) -> None:
        self.sent = bytearray()

    def write(self, data: bytes) -> None:
        self.sent += data


@pytest.mark.parametrize("name", ["dart", "two-wire", "azt2"])
@pytest.mark.parametrize("size", [1, 1_000])
def test_a_foreign_server_sets_the_line_and_carries_every_byte(name: str, size: int) -> None:
    """The server's side of pyserial, around a serial port that gives back what it is given."""
    settings = line_settings(name, None)
    device = serial.serial_for_url("loop://", timeout=0)
    link = Link()
    manager = PortManager(cast(Any, device), cast(Any, link))  # it takes any serial port, and whatever has a `write`
    client = Rfc2217Client(settings)
    to_server = client.greeting()
    heard = b""
    for _ in range(20):
        list(map(device.write, [b"".join(manager.filter(to_server))]))
        said, to_server = bytes(link.sent) + b"".join(manager.escape(device.read(1_000))), b""
        link.sent.clear()
        for at in range(0, len(said), size):
            line, reply = client.receive(said[at : at + size])
            heard += line
            to_server += reply
        if client.ready and not heard and not to_server:
            to_server = client.wrap(bytes(range(256)))
    assert client.ready
    assert (device.baudrate, device.bytesize, device.parity, device.stopbits) == (
        settings.baud,
        settings.bits,
        settings.parity,
        settings.stop,
    )
    assert (device.xonxoff, device.rtscts) == (False, False)
    assert heard == bytes(range(256))


def test_nothing_is_agreed_to_but_what_is_needed_and_nothing_is_said_twice() -> None:
    client = Rfc2217Client(LineSettings())
    assert client.greeting() == bytes.fromhex("ff fb 00 ff fb 03 ff fb 2c ff fd 00 ff fd 03")
    assert client.receive(bytes.fromhex("ff fb 01 ff fb 01")) == (b"", bytes.fromhex("ff fe 01")), "no echo"
    assert client.receive(bytes.fromhex("ff fd 18")) == (b"", bytes.fromhex("ff fc 18")), "no terminal type"
    assert client.receive(bytes.fromhex("ff fb 00 ff fd 00")) == (b"", b""), "offered in the greeting"
    asked = client.receive(bytes.fromhex("ff fd 2c"))[1]
    assert asked == bytes.fromhex(
        "ff fa 2c 01 00 00 25 80 ff f0 ff fa 2c 02 08 ff f0 ff fa 2c 03 02 ff f0 ff fa 2c 04 01 ff f0"
        "ff fa 2c 05 01 ff f0 ff fa 2c 0c 03 ff f0"
    )
    assert client.receive(bytes.fromhex("ff fd 2c")) == (b"", b"")
    assert not client.ready


def test_bytes_without_an_end_are_not_kept() -> None:
    client = Rfc2217Client(LineSettings())
    assert client.receive(b"\xff\xfa\x2c" + bytes(100_000)) == (b"", b"")
    assert client.receive(b"\xff\xf0\x50") == (b"\x50", b"")
    assert not client.refused


# --- where it is written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("/dev/ttyUSB0", None),
        ("bench/line", None),
        ("/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0", None),
        ("/dev/serial/by-path/platform-usb-0:1", None),
        ("rfc2217://10.0.0.5:4001", NetAddress("rfc2217", "10.0.0.5", 4_001)),
        ("socket://moxa.station:950/", NetAddress("socket", "moxa.station", 950)),
        ("socket://[::1]:4001", NetAddress("socket", "::1", 4_001)),
        ("socket://[fe80::1%eth0]:4001", NetAddress("socket", "fe80::1%eth0", 4_001)),
        ("socket://möxa-7:4001", NetAddress("socket", "möxa-7", 4_001)),
    ],
)
def test_a_port_is_a_path_or_a_url(text: str, where: NetAddress | None) -> None:
    assert net_address(text) == where
    if where is not None:
        assert str(where) == text.rstrip("/")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tcp://10.0.0.5:4001", "expected rfc2217://HOST:PORT or socket://HOST:PORT, or the path of a device"),
        ("socket://10.0.0.5", "with the port's number, 1 to 65535"),
        ("socket://:4001", "with the port's number"),
        ("socket://10.0.0.5:0", "with the port's number"),
        ("socket://10.0.0.5:70000", "Port out of range"),
        ("socket://10.0.0.5:east", "could not be cast"),
        ("rfc2217://10.0.0.5:4001?timeout=3", "and nothing besides"),
        ("rfc2217://me@10.0.0.5:4001", "and nothing besides"),
        ("socket://10.0.0.300:4001", "no address and no name"),
        ("socket://my moxa:4001", "no address and no name"),
        (f"socket://{'a' * 64}:4001", "no address and no name"),
        ("socket://moxa..station:4001", "no address and no name"),
        ("socket://fe80::1:4001", r"an IPv6 address stands in brackets, as socket://[::1]:4001"),
        ("socket:10.0.0.5:4001", "expected rfc2217://HOST:PORT or socket://HOST:PORT"),
        ("rfc2217:/10.0.0.5:4001", "expected rfc2217://HOST:PORT or socket://HOST:PORT"),
        ("10.0.0.5:4001", "expected rfc2217://HOST:PORT or socket://HOST:PORT"),
        ("[::1]:4001", "expected rfc2217://HOST:PORT or socket://HOST:PORT"),
    ],
)
def test_a_url_that_is_none_is_refused_by_the_file(text: str, said: str) -> None:
    with pytest.raises(BadAddress, match=re.escape(said)):
        net_address(text)
    file = template(simulated=False).replace('port = "/dev/ttyUSB0"', f'port = "{text}"')
    with pytest.raises(ConfigError, match=r"lines\[0\]\.port: ") as caught:
        parse(file, Path("/srv/station.toml"))
    assert said in str(caught.value)


@pytest.mark.parametrize("scheme", ["rfc2217", "socket"])
def test_the_station_opens_a_url_and_a_simulated_one_only_on_this_machine(scheme: str) -> None:
    file = template(simulated=False).replace('port = "/dev/ttyUSB0"', f'port = "{scheme}://%s:4001"\nslack_us = 3000')

    async def main() -> None:
        for host, simulation in (("10.0.0.5", False), ("127.0.0.1", True), ("localhost", True), ("[::1]", True)):
            config = parse(file % host, Path("/srv/station.toml"))
            port = daemon._open_port(config, config.file.lines[0], MachineClock(), simulation=simulation)
            assert isinstance(port, NetLinePort)
            assert isinstance(port, ConnectingPort)
            assert isinstance(port, PacedPort)
            assert (port.where.port, port.settings, port._slack_us) == (4_001, LineSettings(9_600, 8, "O", 1), 3_000)
        config = parse(file % "10.0.0.5", Path("/srv/station.toml"))
        with pytest.raises(OSError, match="a simulated station keeps its hands off real pumps"):
            daemon._open_port(config, config.file.lines[0], MachineClock(), simulation=True)

    asyncio.run(main())
