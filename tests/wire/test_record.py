"""`wire record` and `wire replay` as programs on pseudo terminals: a real line is written down, and played again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.machine import MachineClock
from controller.pumps.dart.settings import DartSettings
from controller.pumps.stream import PortError
from controller.wire import replay
from controller.wire.commands import _record_port, wire
from controller.wire.protocols import protocol_of
from controller.wire.record import Recording
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import PtyLine
from tests.pumps.servers import tcp_server

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
PATIENT_US = 30_000_000
TALK = """
51 20 FA | 51 70 FA | 51 33 01 01 05 62 DB 03 FA | 51 C3 FA | 50 20 FA
50 36 01 01 02 03 04 00 21 80 11 0E 48 03 FA | 50 C6 FA | 51 36 01 01 06 22 16 03 FA | 51 C6 FA
"""
PIECES = [bytes.fromhex(piece) for piece in TALK.replace("\n", "|").split("|") if piece.strip()]
NOISE = b"\x51\x33\x01"
PAUSE_S = 0.02
DIRECTIONS = ["to-pump", "to-master"] * 2 + ["to-pump", "to-master", "to-pump", "to-pump", "to-master"]


@contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    """The far end of a serial cable, and the name of its near end."""
    far, near = os.openpty()
    tty.setraw(near)
    try:
        yield far, os.ttyname(near)
    finally:
        os.close(far)
        os.close(near)


def wait_for(path: Path, count: int) -> list[str]:
    """The file's lines, once there are so many; whole ones only at any moment."""
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert not text or text.endswith("\n")
        if text.count("\n") >= count:
            return text.splitlines()
        time.sleep(0.02)
    raise AssertionError(f"only {path.read_text(encoding='utf-8')}")


@contextmanager
def recording(*words: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", "from controller.wire.commands import wire; wire()", "record", *words]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_line_is_written_down_until_a_signal_comes(tmp_path: Path, stop: signal.Signals) -> None:
    out = tmp_path / "out.wire"
    with terminal() as (far, near), recording("--port", near, "--protocol", "dart", str(out)) as process:
        wait_for(out, 1)
        for count, piece in enumerate([*PIECES, NOISE], 1):
            time.sleep(PAUSE_S)  # not to wait for anything: so much lies between the times at which they are heard
            os.write(far, piece)
            wait_for(out, 1 + count)
        process.send_signal(stop)
        assert process.wait(DEADLINE_S) == 0
    with out.open("rb") as file:
        said = Recording(file)
    assert said.heading.source == near
    assert [frame.data for frame in said.frames] == [*PIECES, NOISE]
    assert [frame.direction for frame in said.frames[:-1]] == DIRECTIONS
    assert said.frames[-1].kind == "noise"
    times = [frame.at_us for frame in said.frames]
    assert times == sorted(times, key=lambda at: at if isinstance(at, int) else -1)
    assert isinstance(times[8], int)
    assert isinstance(times[0], int)
    assert 8 * PAUSE_S * 1_000_000 <= times[8] - times[0] < DEADLINE_S * 1_000_000


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    out = tmp_path / "out.wire"
    out.write_text("mine", encoding="ascii")
    result = CliRunner().invoke(wire, ["record", "--port", "/dev/null", str(out)])
    assert result.exit_code == 1
    assert out.read_text(encoding="ascii") == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give either --port, or --station"),
        (["--port", "/dev/x", "--station", "http://x"], "give either --port, or --station"),
        (["--station", "http://127.0.0.1:9"], "--token-file and --line"),
        (["--port", "/dev/there-is-none"], "there is no such port"),
        (["--port", "socket://10.0.0.5"], "with the port's number, 1 to 65535"),
        (["--port", "socket://10.0.0.5:4001", "--baud", "9600"], "the line's settings are the serial server's"),
        (["--port", "socket://127.0.0.1:1"], "port socket://127.0.0.1:1: nothing listens there"),
    ],
)
def test_what_cannot_be_recorded_is_said(tmp_path: Path, words: list[str], said: str) -> None:
    result = CliRunner().invoke(wire, ["record", *words, str(tmp_path / "out.wire")])
    assert result.exit_code == 1
    assert said in result.stderr
    assert not (tmp_path / "out.wire").exists()


def test_a_tap_behind_a_serial_server_is_written_down(tmp_path: Path) -> None:
    """Two pumps' words, and then the serial server restarts."""
    out = tmp_path / "out.wire"

    async def main() -> None:
        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"".join(PIECES))
            await writer.drain()

        async with tcp_server(serve) as number:
            where = f"socket://127.0.0.1:{number}"
            row = protocol_of("dart")
            with pytest.raises(PortError, match="the connection ended: the serial server restarted"):
                await _record_port(where, row, row.line(), out)

    asyncio.run(asyncio.wait_for(main(), DEADLINE_S))
    with out.open("rb") as file:
        said = Recording(file)
    assert said.heading.source.startswith("socket://127.0.0.1:")
    assert [frame.data for frame in said.frames] == PIECES
    assert [frame.direction for frame in said.frames] == DIRECTIONS


class SimulatedLine:
    """A pump at 0x51 on a pseudo terminal, in a thread of its own."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)

    async def _run(self) -> None:
        currency = CURRENCIES["TRY"]
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        settings = DartSettings(address=0x51, currency=currency)
        self.twin = DartTwin(PumpHead([HeadNozzle("diesel", UnitPrice(4000, 2))], currency), settings)
        line = PtyLine([self.twin], MachineClock())
        self.path = line.path
        self._ready.set()
        await self._over.wait()
        line.close()

    def __enter__(self) -> "SimulatedLine":
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()


def a_file(path: Path, *frames: tuple[int, str, str]) -> Path:
    lines = [json.dumps({"wire": 1, "protocol": "dart", "source": "test", "started_ms": 0})]
    lines += [
        json.dumps(
            {
                "direction": direction,
                "address": 0x51,
                "kind": "ack" if data[3] == "C" else "x",
                "crc": "none",
                "hex": data,
                "transactions": [],
                "at_us": at_us,
            }
        )
        for at_us, direction, data in frames
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


SALE_BEGINS = (
    (0, "to-pump", "51 20 FA"),
    (30_000, "to-master", "51 70 FA"),
    (200_000, "to-pump", "51 30 01 01 06 22 9E 03 FA"),
    (240_000, "to-master", "51 C0 FA"),
    (400_000, "to-pump", "51 20 FA"),
    (440_000, "to-master", "51 30 01 01 02 23 5D 03 FA"),
    (450_000, "to-pump", "51 C0 FA"),
    (600_000, "to-pump", "51 20 FA"),
    (640_000, "to-master", "51 70 FA"),
)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pumps that answer may take long: the machine may hold up their thread. None here is silent."""
    monkeypatch.setattr(replay, "WINDOW_US", PATIENT_US)


@pytest.mark.usefixtures("patient")
def test_a_recording_is_sent_again_and_answered_alike(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.wire", *SALE_BEGINS)
    began = time.monotonic()
    with SimulatedLine() as line:
        result = CliRunner().invoke(wire, ["replay", str(path), "--port", line.path])
        assert line.twin.state.name == "AUTHORIZED"
    assert result.exit_code == 0, result.output
    assert "5 sent, 5 answered as recorded, 0 otherwise" in result.stderr
    assert "status: state authorized" in result.stdout
    assert time.monotonic() - began > 0.6


@pytest.mark.usefixtures("patient")
def test_other_answers_are_shown_beside_the_recorded_ones(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.wire", (0, "to-pump", "51 20 FA"), (1, "to-master", "51 30 01 01 02 23 5D 03 FA"))
    with SimulatedLine() as line:
        result = CliRunner().invoke(wire, ["replay", str(path), "--port", line.path, "--speed", "10"])
    assert result.exit_code == 1
    assert "!= recorded: 51 30 01 01 02 23 5D 03 FA" in result.stdout
    assert "1 sent, 0 answered as recorded, 1 otherwise" in result.stderr


def test_real_ports_are_refused_unless_they_are_meant(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.wire", *SALE_BEGINS)
    result = CliRunner().invoke(wire, ["replay", str(path), "--port", "/dev/null"])
    assert result.exit_code == 1
    assert "--real-port" in result.stderr
    missing = CliRunner().invoke(wire, ["replay", str(path), "--port", "/dev/there-is-none"])
    assert missing.exit_code == 1
    assert "/dev/there-is-none" in missing.stderr
