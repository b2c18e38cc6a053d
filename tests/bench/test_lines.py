"""Each cable with a foreign client at its other end, and bytes that take the time they take on a real line."""

import asyncio
import os
import socket
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import serial

from controller.machine import MachineClock
from controller.pumps.core import LineSettings
from controller.pumps.dart import transactions as dart
from controller.pumps.dart.frame import is_whole
from sim.bench import Bench
from sim.bench_file import BenchError, parse
from sim.pumps.lines import Rfc2217
from sim.pumps.port import LineEnd
from tests.bench.clocks import HandClock
from tests.bench.dart_pump import ACK, ASK_STATUS, EOT, POLL, news_in, pump
from tests.pumps.servers import tcp_server

DEADLINE_S = 30
SILENT_S = 0.3
PUMP = '[[pumps]]\nnumber = 1\nline = "north"\naddress = 0x50\nnozzles = [{grade = "diesel", price = "40.00"}]\n'
LINE = LineSettings()
LATENCY_US = 25_000

# pyserial's client of RFC 2217 makes its thread the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name).* is deprecated:DeprecationWarning")


@asynccontextmanager
async def bench(folder: Path, line: str, *, real_port: bool = False) -> AsyncIterator[tuple[Bench, str]]:
    """A bench with one line `north` and one pump; gives where the line is."""
    text = f'printer = "none"\nreader_ports = []\n[[lines]]\nname = "north"\n{line}\n{PUMP}'
    made = Bench(parse(text, folder / "bench.toml"), MachineClock(), real_port=real_port)
    said: list[str] = []
    ready, stop = asyncio.Event(), asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        if text == "ready":
            ready.set()

    running = asyncio.create_task(made.run(say, stop))
    try:
        async with asyncio.timeout(DEADLINE_S):
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if running.done():
                running.result()
            yield made, said[0].split(" ")[2]
    finally:
        stop.set()
        await running


def ask(url: str, *frames: bytes, unanswered: int = 0) -> list[bytes]:
    """A foreign program: opens the port by its URL or path, and says each frame when the last was answered.

    It is not patient with the first `unanswered` ones.
    """
    with serial.serial_for_url(url, 9_600, parity=serial.PARITY_NONE, timeout=DEADLINE_S) as port:
        answers = []
        for number, frame in enumerate(frames):
            port.timeout = SILENT_S if number < unanswered else DEADLINE_S
            port.write(frame)
            answers.append(port.read_until(b"\xfa"))
        return answers


@pytest.mark.parametrize("pace", ["false", "true"])
@pytest.mark.parametrize("transport", ["pty", "tcp", "rfc2217"])
def test_a_foreign_client_polls_a_pump_over_every_cable(transport: str, pace: str, tmp_path: Path) -> None:
    async def main() -> tuple[str, list[bytes]]:
        async with bench(tmp_path, f'transport = "{transport}"\npace = {pace}') as (_, where):
            return where, await asyncio.to_thread(ask, where, POLL, ASK_STATUS, POLL)

    where, answers = asyncio.run(main())
    scheme = {"pty": "/dev/pts/", "tcp": "socket://127.0.0.1:", "rfc2217": "rfc2217://127.0.0.1:"}[transport]
    assert where.startswith(scheme)
    assert answers[:2] == [EOT, ACK]
    assert dart.Status(dart.State.RESET) in news_in(answers[2])


def test_a_pump_on_a_real_cable_answers_when_that_is_meant(tmp_path: Path) -> None:
    async def main() -> list[bytes]:
        near, far = os.openpty()
        tty.setraw(far)
        os.set_blocking(near, True)
        try:
            line = f'transport = "serial"\nport = "{os.ttyname(far)}"'
            async with bench(tmp_path, line, real_port=True):
                answers = []
                for frame in (POLL, ASK_STATUS):
                    os.write(near, frame)
                    answers.append(await asyncio.to_thread(os.read, near, 100))
                return answers
        finally:
            os.close(near)
            os.close(far)

    assert asyncio.run(main()) == [EOT, ACK]


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
def test_a_pump_on_a_cable_behind_a_serial_server_answers_when_that_is_meant(scheme: str, tmp_path: Path) -> None:
    async def main() -> tuple[str, list[bytes]]:
        answers: asyncio.Queue[bytes] = asyncio.Queue()
        telnet = Rfc2217(LINE)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked, ready = [POLL, ASK_STATUS], scheme == "socket"
            if ready:
                writer.write(asked.pop(0))
            while data := await reader.read(1_000):
                if scheme == "rfc2217":
                    data, reply = telnet.receive(data)
                    writer.write(reply)
                    if not ready and bytes.fromhex("ff fa 2c 68") in reply:  # the stop bits, set last
                        ready = True
                        writer.write(asked.pop(0))
                if data:
                    answers.put_nowait(data)
                    writer.write(asked.pop(0) if asked else b"")

        async with tcp_server(serve) as number:
            url = f"{scheme}://127.0.0.1:{number}"
            async with bench(tmp_path, f'transport = "serial"\nport = "{url}"', real_port=True) as (_, where):
                return where, [await answers.get(), await answers.get()]

    where, answers = asyncio.run(main())
    assert where.startswith(f"{scheme}://127.0.0.1:")
    assert answers == [EOT, ACK]


def test_a_serial_server_that_is_not_there_is_a_sentence_and_needs_to_be_meant(tmp_path: Path) -> None:
    line = 'transport = "serial"\nport = "socket://127.0.0.1:1"'

    async def main(*, real_port: bool) -> None:
        async with bench(tmp_path, line, real_port=real_port):
            pass

    with pytest.raises(BenchError, match=r"this opens the real device socket://127\.0\.0\.1:1"):
        asyncio.run(main(real_port=False))
    with pytest.raises(BenchError, match="nothing listens there"):
        asyncio.run(main(real_port=True))
    with pytest.raises(BenchError, match="with the port's number"):
        parse(f'[[lines]]\nname = "north"\n{line.replace(":1", "")}\n{PUMP}', tmp_path / "bench.toml")


@pytest.mark.parametrize("transport", ["tcp", "rfc2217"])
def test_a_newer_client_replaces_the_older_one(transport: str, tmp_path: Path) -> None:
    def two(url: str) -> tuple[bytes, bytes]:
        host, port = url.partition("://")[2].split(":")
        with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as old:
            old.sendall(POLL)
            greeting = b""
            while EOT not in greeting:
                greeting += old.recv(100)
            old.sendall(POLL[:1])  # half a frame: it is nobody's when the client is gone
            [answer] = ask(url, POLL)
            try:
                return answer, old.recv(100)
            except ConnectionResetError:
                return answer, b""

    async def main() -> tuple[bytes, bytes]:
        async with bench(tmp_path, f'transport = "{transport}"') as (_, where):
            return await asyncio.to_thread(two, where)

    assert asyncio.run(main()) == (EOT, b""), "the older connection is at its end"


def test_a_fault_from_python_shows_to_a_foreign_client(tmp_path: Path) -> None:
    async def main() -> list[bytes]:
        async with bench(tmp_path, 'transport = "tcp"') as (made, where):
            made.twins[1].faults.inject("no_response", MachineClock().now().mono_us, count=1)
            return await asyncio.to_thread(partial(ask, where, POLL, POLL, unanswered=1))

    assert asyncio.run(main()) == [b"", EOT]


# ---- RFC 2217, byte by byte


def telnet(hex_text: str, server: Rfc2217 | None = None) -> tuple[bytes, bytes]:
    return (server or Rfc2217(LINE)).receive(bytes.fromhex(hex_text))


def test_what_is_no_serial_port_is_refused_and_nothing_is_said_twice() -> None:
    server = Rfc2217(LINE)
    server.greeting()
    assert telnet("ff fd 01", server) == (b"", bytes.fromhex("ff fc 01")), "no echo"
    assert telnet("ff fb 18", server) == (b"", bytes.fromhex("ff fe 18")), "no terminal type"
    assert telnet("ff fd 00", server) == (b"", b""), "binary was offered in the greeting"
    assert telnet("ff fb 2c", server)[1].startswith(bytes.fromhex("ff fd 2c ff fa 2c 6b"))
    assert telnet("ff fb 2c", server) == (b"", b"")


def test_settings_are_acknowledged_and_questions_answered() -> None:
    server = Rfc2217(LINE)
    assert telnet("ff fa 2c 01 00 00 25 80 ff f0", server)[1] == bytes.fromhex("ff fa 2c 65 00 00 25 80 ff f0")
    assert telnet("ff fa 2c 03 02 ff f0", server)[1] == bytes.fromhex("ff fa 2c 67 02 ff f0")
    assert not server.differs()
    assert telnet("ff fa 2c 03 03 ff f0", server)[1] == bytes.fromhex("ff fa 2c 67 03 ff f0")
    assert server.differs()
    assert telnet("ff fa 2c 03 00 ff f0", server)[1] == bytes.fromhex("ff fa 2c 67 03 ff f0"), "0 asks"
    assert telnet("ff fa 2c 01 00 00 00 ff ff ff f0", server)[1] == bytes.fromhex("ff fa 2c 65 00 00 00 ff ff ff f0")
    assert telnet("ff fa 2c 05 07 ff f0", server)[1] == bytes.fromhex("ff fa 2c 69 08 ff f0"), "DTR is on"
    assert telnet("ff fa 2c 0c 03 ff f0", server)[1] == bytes.fromhex("ff fa 2c 70 03 ff f0")


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_data_pass_through_commands_in_any_pieces(size: int) -> None:
    stream = bytes.fromhex("50 ff ff ff fa 2c 05 08 ff f0 20 ff f1 fa")
    server = Rfc2217(LINE)
    wire = b"".join(server.receive(stream[at : at + size])[0] for at in range(0, len(stream), size))
    assert wire == bytes.fromhex("50 ff 20 fa")
    assert server.wrap(b"\x01\xff\x02") == b"\x01\xff\xff\x02"


# ---- how long bytes take


Said = list[tuple[int, bytes]]
"""(when, what)."""


def end_of(clock: HandClock, said: Said, *, pace: bool) -> LineEnd:
    def say(data: bytes) -> None:
        said.append((clock.now_us, data))

    return LineEnd([pump()], clock, LINE, is_whole, say, pace=pace)


def test_a_paced_line_hears_and_says_each_byte_when_it_is_through() -> None:
    clock, said = HandClock(), Said()
    start_us = clock.now_us
    end_of(clock, said, pace=True).heard(POLL)
    clock.advance(1_000_000)
    heard_us = start_us + LINE.wire_us(len(POLL))
    assert said == [(heard_us + LATENCY_US + LINE.wire_us(count), bytes((byte,))) for count, byte in enumerate(EOT, 1)]


def test_an_unpaced_line_answers_whole_at_the_moment_of_the_last_byte() -> None:
    clock, said = HandClock(), Said()
    start_us = clock.now_us
    end_of(clock, said, pace=False).heard(POLL)
    clock.advance(1_000_000)
    assert said == [(start_us + LINE.wire_us(len(POLL)) + LATENCY_US + LINE.wire_us(len(EOT)), EOT)]


def test_bytes_of_a_paced_line_queue_up_however_they_come() -> None:
    """Two frames written at once are heard one after the other, at the line's speed, not at the network's."""

    def heard_at(pieces: list[bytes]) -> list[int]:
        clock, said = HandClock(), Said()
        end = end_of(clock, said, pace=True)
        for piece in pieces:
            end.heard(piece)
        clock.advance(2_000_000)
        return [at for at, byte in said if byte == b"\xfa"]

    whole = heard_at([POLL + POLL])
    assert whole == heard_at([bytes((byte,)) for byte in POLL + POLL])
    assert whole[0] == 1_000_000 + LINE.wire_us(3) + LATENCY_US + LINE.wire_us(3)
    assert whole[1] == 1_000_000 + LINE.wire_us(6) + LATENCY_US + LINE.wire_us(3)


def test_eleven_bits_a_byte_at_4800_baud() -> None:
    assert LineSettings(4_800, 7, "E", 2).wire_us(48) == 110_000


def frames_heard(act: Callable[[LineEnd, HandClock], None]) -> int:
    clock, said = HandClock(), Said()
    end = end_of(clock, said, pace=False)
    act(end, clock)
    clock.advance(1_000_000)
    return len(said)


def test_half_a_frame_is_dropped_after_silence_and_kept_before() -> None:
    def with_gap(gap_us: int) -> Callable[[LineEnd, HandClock], None]:
        def act(end: LineEnd, clock: HandClock) -> None:
            end.heard(POLL[:1])
            clock.advance(gap_us)
            end.heard(POLL[1:])

        return act

    assert frames_heard(with_gap(14_000)) == 1
    assert frames_heard(with_gap(16_000)) == 0


def test_an_answer_under_way_is_forgotten_with_its_client() -> None:
    def act(end: LineEnd, _: HandClock) -> None:
        end.heard(POLL)
        end.forget()

    assert frames_heard(act) == 0
