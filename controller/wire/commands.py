"""The commands `forecourt wire ...`: each turns words into one call, and an error into a sentence and exit code 1."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import click
import msgspec

from controller.domain.seams import Clock
from controller.machine import MachineClock
from controller.pumps.address import BadAddress, net_address
from controller.pumps.core import LineSettings
from controller.pumps.decoded import Direction
from controller.pumps.line import SerialLinePort, is_pty
from controller.pumps.net import NetLinePort
from controller.pumps.stream import PortError, StreamPort
from controller.wire.decode import BadHex, Ear, decode_all, from_hex
from controller.wire.filter import BadFilter, filter_of
from controller.wire.listen import record_port
from controller.wire.protocols import PROTOCOLS, UnknownProtocol, WireProtocol, protocol_of
from controller.wire.record import BadRecording, Heading, Recorder, Recording
from controller.wire.remote import StationSaysNo, record_station
from controller.wire.replay import Replayed, exchanges, replay
from controller.wire.show import HEAD, line_of

_protocol_option = click.option("--protocol", type=click.Choice(list(PROTOCOLS)), default="dart", show_default=True)
_file_argument = click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)


@click.group()
def wire() -> None:
    """What passes on a pump line: decode it, record it, show it, send it again."""


@wire.command()
@_protocol_option
@click.option("--direction", type=click.Choice(list(map(str, Direction))), help="Who spoke; else both are tried.")
@click.argument("words", metavar="HEX...", nargs=-1)
def decode(protocol: str, direction: str | None, words: tuple[str, ...]) -> None:
    """Say in JSON, a line a frame, what these bytes mean."""
    try:
        data = from_hex(" ".join(words))
        frames = decode_all(protocol_of(protocol), data, Direction(direction) if direction else None)
    except (BadHex, UnknownProtocol) as error:
        _fail(str(error))
    if not frames:
        _fail("no bytes: give hex digits, such as 51 20 FA")
    for frame in frames:
        click.echo(msgspec.json.encode(frame).decode())
    damaged = [number for number, frame in enumerate(frames, 1) if frame.damaged]
    if damaged:
        _fail(f"frame {damaged[0]} of {len(frames)}: {frames[damaged[0] - 1].error}")


@wire.command()
@click.option(
    "--port", "port_path", help="Serial port with a tap on the line, or the URL of one; nothing is ever sent on it."
)
@_protocol_option
@click.option("--baud", type=click.IntRange(50, 1_000_000), help="Else what is usual for the protocol.")
@click.option("--bits", type=click.IntRange(7, 8))
@click.option("--parity", type=click.Choice(["N", "E", "O"]))
@click.option("--stop", type=click.IntRange(1, 2))
@click.option("--station", metavar="URL", help="Listen in at a running station instead.")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A till's token.")
@click.option("--line", "line_name", metavar="NAME", help="The station's line, by its name in station.toml.")
@click.argument("out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def record(
    port_path: str | None,
    protocol: str,
    baud: int | None,
    bits: int | None,
    parity: str | None,
    stop: int | None,
    station: str | None,
    token_file: Path | None,
    line_name: str | None,
    out: Path,
) -> None:
    """Write down what passes, a frame a line, until SIGINT or SIGTERM."""
    if (port_path is None) == (station is None):
        _fail("give either --port, or --station with --token-file and --line")
    if out.exists():
        _fail(f"{out} is there already: a recording is never written over")
    try:
        if station is not None:
            if token_file is None or line_name is None:
                _fail("--station needs --token-file and --line")
            token = token_file.read_text(encoding="ascii", errors="replace").strip()
            _until_signal(_record_station(station, token, line_name, out))
        else:
            assert port_path is not None, "one of the two"
            row = protocol_of(protocol)
            where = net_address(port_path)
            if where is not None and where.scheme == "socket" and (baud or bits or parity or stop):
                _fail("the line's settings are the serial server's with socket://: set them there, or use rfc2217://")
            usual = row.line()
            settings = LineSettings(baud or usual.baud, bits or usual.bits, parity or usual.parity, stop or usual.stop)
            _until_signal(_record_port(port_path, row, settings, out))
    except (StationSaysNo, UnknownProtocol, PortError, OSError, BadAddress) as error:
        _fail(str(error))


async def _record_station(url: str, token: str, line: str, out: Path) -> None:
    with contextlib.ExitStack() as stack:

        def recorder(heading: Heading) -> Recorder:
            click.echo(f"recording line {line} of {url} into {out}", err=True)
            return Recorder(stack.enter_context(_create(out)), heading)

        await record_station(url, token, line, recorder, lambda text: click.echo(text, err=True))


async def _record_port(path: str, protocol: WireProtocol, settings: LineSettings, out: Path) -> None:
    clock = MachineClock()
    ear = Ear(protocol)
    port = await _port(path, settings, clock)
    with contextlib.closing(port), _create(out) as file:
        heading = Heading(protocol=protocol.name, source=path, started_ms=clock.now().wall_ms)
        click.echo(f"recording {path} into {out}", err=True)
        await record_port(port, clock, ear, Recorder(file, heading))


async def _port(text: str, settings: LineSettings, clock: Clock) -> StreamPort:
    """An open port, by its path or its URL. `PortError` or `BadAddress` if there is none."""
    where = net_address(text)
    if where is None:
        return SerialLinePort(text, settings, clock)
    port = NetLinePort(where, settings, clock)
    await port.connect()
    return port


def _create(path: Path) -> BinaryIO:
    return path.open("xb")


def _until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run it until it ends or the process is told to stop."""

    async def main() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


@wire.command()
@_file_argument
@click.option("--filter", "filter_text", help="Such as: pump==0x51 and kind in (data, ack).")
def show(path: Path, filter_text: str | None) -> None:
    """Print a recording as a table."""
    recording, protocol = _read(path)
    try:
        wanted = filter_of(filter_text) if filter_text is not None else (lambda _: True)
    except BadFilter as error:
        _fail(f"--filter: {error}")
    frames = [frame for frame in recording.frames if wanted(frame)]
    click.echo(HEAD)
    for frame in frames:
        click.echo(line_of(frame, protocol))
    click.echo(f"{len(frames)} of {len(recording.frames)} frames, {recording.heading.source}", err=True)


def _read(path: Path) -> tuple[Recording, WireProtocol]:
    try:
        with path.open("rb") as file:
            recording = Recording(file)
        protocol = protocol_of(recording.heading.protocol)
        protocol.decoder()
    except (BadRecording, UnknownProtocol, OSError) as error:
        _fail(f"{path}: {error}")
    if recording.cut:
        click.echo(f"{path}: the last line was cut off and is left out", err=True)
    return recording, protocol


@wire.command("replay")
@_file_argument
@click.option("--port", "port_path", required=True, help="Where the pumps are: the port of a simulated line.")
@click.option("--speed", type=click.FloatRange(0.01, 1_000), default=1.0, show_default=True)
@click.option("--real-port", is_flag=True, help="Send to a real serial port: whatever was authorised then, is again.")
def replay_(path: Path, port_path: str, speed: float, real_port: bool) -> None:
    """Send again what went to the pumps, and compare the answers. Exit code 1 if any is another."""
    recording, protocol = _read(path)
    try:
        if not real_port and net_address(port_path) is not None:
            _fail(f"{port_path} may have real pumps behind it, and they would deliver. If you mean it, add --real-port")
        if not real_port and not is_pty(port_path):
            _fail(f"{port_path} is a real serial port: real pumps would deliver. If you mean it, add --real-port")
        same, others = asyncio.run(_replay(recording, protocol, port_path, speed))
    except (UnknownProtocol, PortError, BadAddress) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"serial port {port_path}: {error.strerror or error}")
    click.echo(f"{same + others} sent, {same} answered as recorded, {others} otherwise", err=True)
    if others:
        raise SystemExit(1)


async def _replay(recording: Recording, protocol: WireProtocol, path: str, speed: float) -> tuple[int, int]:
    clock = MachineClock()
    port = await _port(path, protocol.line(), clock)
    counts = [0, 0]
    try:
        click.echo(HEAD)
        async for done in replay(exchanges(recording.frames), port, clock, protocol, speed):
            counts[not done.same] += 1
            _tell(done, protocol)
    finally:
        port.close()
    return counts[0], counts[1]


def _tell(done: Replayed, protocol: WireProtocol) -> None:
    at_us = done.at_us
    for frame in (done.exchange.sent, *done.answers):
        click.echo(line_of(msgspec.structs.replace(frame, at_us=at_us), protocol))
    if not done.same:
        recorded = " ".join(frame.hex for frame in done.exchange.answers) or "nothing"
        click.echo(f"{'':>10}  != recorded: {recorded}")
