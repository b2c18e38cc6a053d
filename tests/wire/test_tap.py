"""Listening in at a line: everything passes as it was, listeners get copies, and a slow one never holds the line."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

from controller.machine import MachineClock
from controller.pumps.core import LinePort, PacedPort, Turn
from controller.pumps.decoded import Direction
from controller.wire.record import Heading, Recorder, Recording
from controller.wire.remote import StationSaysNo, record_station
from controller.wire.stream import BadStream, StreamReader, lines
from controller.wire.tap import LISTENERS_MAX, PIECES_MAX, LineTap, Tap, TooManyListeners

POLL, EOT = bytes.fromhex("51 20 FA"), bytes.fromhex("51 70 FA")
TURN = Turn(POLL, 0, 100_000, 15_000, lambda _: True)


class Port:
    """A line whose pump has nothing to say."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.answer = EOT
        self.error: OSError | None = None

    async def transact(self, turn: Turn) -> bytes:
        if self.error is not None:
            raise self.error
        self.did.append(turn.data.hex())
        return self.answer

    async def rest(self, turns: Sequence[Turn]) -> int:
        self.did.append("rest")
        return 7

    def wake(self) -> None:
        self.did.append("wake")

    def close(self) -> None:
        self.did.append("close")


class Paced(Port):
    async def silence(self, gap_us: int) -> None:
        self.did.append(f"silence {gap_us}")


def test_a_tapped_port_is_the_port() -> None:
    async def main() -> None:
        inner = Port()
        port: LinePort = Tap(MachineClock()).port(inner)
        assert not isinstance(port, PacedPort)
        assert await port.transact(TURN) == EOT
        assert await port.rest([TURN]) == 7
        port.wake()
        port.close()
        assert inner.did == ["5120fa", "rest", "wake", "close"]
        inner.error = OSError("gone")
        with pytest.raises(OSError, match="gone"):
            await port.transact(TURN)

    asyncio.run(main())


def test_a_paced_port_stays_paced() -> None:
    async def main() -> None:
        inner = Paced()
        port = Tap(MachineClock()).port(inner)
        assert isinstance(port, PacedPort)
        await port.silence(35_000)
        assert await port.transact(TURN) == EOT
        assert inner.did == ["silence 35000", "5120fa"]

    asyncio.run(main())


def test_listeners_hear_both_directions_from_then_on_over_any_port_of_the_line() -> None:
    async def main() -> None:
        tap = Tap(MachineClock())
        await tap.port(Port()).transact(TURN)
        a, b = tap.listen(), tap.listen()
        await tap.port(Port()).transact(TURN)
        silent = Port()
        silent.answer = b""
        await tap.port(silent).transact(TURN)
        for listening in (a, b):
            heard = [await listening.piece() for _ in range(3)]
            assert [(piece.direction, piece.data) for piece in heard] == [
                (Direction.TO_PUMP, POLL),
                (Direction.TO_MASTER, EOT),
                (Direction.TO_PUMP, POLL),
            ]
            assert heard[0].at_us <= heard[1].at_us <= heard[2].at_us
            listening.close()
            listening.close()

    asyncio.run(main())


def test_a_listener_that_sleeps_loses_pieces_and_is_told_how_many() -> None:
    async def main() -> None:
        tap = Tap(MachineClock())
        slow = tap.listen()
        port = tap.port(Port())
        for _ in range(PIECES_MAX):
            await port.transact(TURN)
        for _ in range(PIECES_MAX):
            assert (await slow.piece()).lost == 0
        await port.transact(TURN)
        assert (await slow.piece()).lost == PIECES_MAX
        assert (await slow.piece()).lost == 0

    asyncio.run(main())


def test_there_are_not_too_many_listeners() -> None:
    async def main() -> None:
        tap: LineTap = Tap(MachineClock())
        first, *_ = [tap.listen() for _ in range(LISTENERS_MAX)]
        with pytest.raises(TooManyListeners):
            tap.listen()
        first.close()
        tap.listen()

    asyncio.run(main())


def test_the_stream_has_a_heading_then_pieces_and_a_heartbeat() -> None:
    async def main() -> None:
        tap = Tap(MachineClock())
        stream = lines(tap.listen(), "dart", "line forecourt", MachineClock())
        reader = StreamReader()
        assert reader.feed(await anext(stream)) == []
        assert reader.heading is not None
        assert (reader.heading.protocol, reader.heading.source) == ("dart", "line forecourt")
        await tap.port(Port()).transact(TURN)
        for direction, data in ((Direction.TO_PUMP, POLL), (Direction.TO_MASTER, EOT)):
            (passed,) = reader.feed(await anext(stream))
            assert (passed.direction, bytes.fromhex(passed.hex), passed.lost) == (direction, data, 0)
            assert 0 <= passed.at_us < 5_000_000
        assert await anext(stream) == b"\n"
        await tap.port(Port()).transact(TURN)
        assert reader.feed(await anext(stream))
        await stream.aclose()
        assert len([tap.listen() for _ in range(LISTENERS_MAX)]) == LISTENERS_MAX  # it has left

    asyncio.run(main())


def test_a_stream_may_be_cut_anywhere() -> None:
    heading = b'{"wire":1,"protocol":"dart","source":"x","started_ms":5}\n'
    data = heading + b'\n\n{"at_us":1,"direction":"to-pump","hex":"51 20 fa"}\n'
    reader = StreamReader()
    passed = [piece for byte in data for piece in reader.feed(bytes((byte,)))]
    assert [piece.hex for piece in passed] == ["51 20 fa"]


@pytest.mark.parametrize("data", [b"<html>\n", b"{}\n", b"x" * 200_000])
def test_what_is_no_stream_is_named(data: bytes) -> None:
    with pytest.raises(BadStream):
        StreamReader().feed(data)


class Body(httpx.AsyncByteStream):
    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def from_station(tmp_path: Path, status: int, *chunks: bytes) -> tuple[str, list[httpx.Request], list[str]]:
    """What the recorder ends with, what it asked, and what it said to people."""
    asked: list[httpx.Request] = []
    said: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, stream=Body(chunks))

    async def main() -> str:
        with (tmp_path / "out.wire").open("wb") as file:

            def recorder(heading: Heading) -> Recorder:
                return Recorder(file, heading)

            with pytest.raises(StationSaysNo) as error:
                await record_station(
                    "http://127.0.0.1:7733/", "secret", "line 1", recorder, said.append, httpx.MockTransport(answer)
                )
        return str(error.value)

    return asyncio.run(main()), asked, said


def test_a_stations_stream_becomes_a_recording(tmp_path: Path) -> None:
    error, asked, said = from_station(
        tmp_path,
        200,
        b'{"wire":1,"protocol":"dart","source":"line 1","started_ms":5}\n\n{"at_us":10,"direction":"to-pu',
        b'mp","hex":"51 20 fa"}\n{"at_us":20,"direction":"to-master","hex":"51 70 fa","lost":3}\n',
    )
    assert "ended its stream" in error
    assert asked[0].url.raw_path == b"/v1/lines/line%201/wire"
    assert asked[0].headers["Authorization"] == "Bearer secret"
    with (tmp_path / "out.wire").open("rb") as file:
        recording = Recording(file)
    assert [(frame.kind, frame.direction, frame.at_us) for frame in recording.frames] == [
        ("poll", "to-pump", 10),
        ("eot", "to-master", 20),
    ]
    assert said == ["3 pieces were lost: this end is too slow"]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"", "does not know this token"),
        (404, b"", "no line 'line 1'"),
        (429, b"", "too many listeners"),
        (500, b"", "answered 500"),
        (200, b"<html>\n", "same release"),
        (200, b'{"wire":1,"protocol":"new","source":"","started_ms":5}\n', "no protocol 'new'"),
        (
            200,
            b'{"wire":1,"protocol":"dart","source":"","started_ms":5}\n{"at_us":1,"direction":"to-pump","hex":"5"}\n',
            "hex",
        ),
    ],
)
def test_a_station_that_says_no_is_told_in_words(tmp_path: Path, status: int, body: bytes, words: str) -> None:
    error, _, _ = from_station(tmp_path, status, body)
    assert words in error
    assert "secret" not in error


def test_no_station_at_all() -> None:
    async def main() -> None:
        with pytest.raises(StationSaysNo, match="no answer from the station"):
            await record_station("http://127.0.0.1:9", "t", "x", lambda _: pytest.fail("made a file"), print)

    asyncio.run(main())


def test_the_stream_is_json_a_line() -> None:
    async def main() -> None:
        tap = Tap(MachineClock())
        stream = lines(tap.listen(), "dart", "x", MachineClock())
        assert json.loads(await anext(stream))["wire"] == 1
        await stream.aclose()

    asyncio.run(main())
