"""A pump line over the station's API: who may listen, what is heard, and that a listener leaves nothing behind."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from controller.machine import MachineClock
from controller.pumps.core import Turn
from controller.wire.record import Heading, Recorder, Recording
from controller.wire.remote import StationSaysNo, record_station
from controller.wire.tap import LISTENERS_MAX, Tap
from tests.api.stage import PATIENCE_S, TILL, TOKEN, World, served

POLL, EOT = bytes.fromhex("51 20 FA"), bytes.fromhex("51 70 FA")
TURN = Turn(POLL, 0, 100_000, 15_000, lambda _: True)


class Port:
    """A line whose pump has nothing to say."""

    async def transact(self, turn: Turn) -> bytes:
        assert turn.data == POLL
        return EOT

    async def rest(self, turns: object) -> int:
        raise AssertionError(f"nobody rests here: {turns}")

    def wake(self) -> None:
        """Nobody waits."""

    def close(self) -> None:
        """Nothing to close."""


def tapped() -> tuple[World, Tap]:
    clock = MachineClock()
    world, tap = World(clock), Tap(clock)
    world.desk.taps["east"] = tap
    return world, tap


async def heard_by(tap: Tap, count: int) -> None:
    """Until so many listen."""
    while tap.listeners != count:
        await asyncio.sleep(0.001)


def test_a_recording_of_a_station_has_every_frame_both_ways(tmp_path: Path) -> None:
    out = tmp_path / "out.wire"

    async def main() -> None:
        world, tap = tapped()
        async with served(world) as url:
            with out.open("xb") as file:

                def recorder(heading: Heading) -> Recorder:
                    return Recorder(file, heading)

                recording = asyncio.ensure_future(record_station(url, TOKEN, "east", recorder, pytest.fail))
                await heard_by(tap, 1)
                port = tap.port(Port())
                for _ in range(3):
                    await port.transact(TURN)
                while out.read_bytes().count(b"\n") < 7:
                    await asyncio.sleep(0.001)
                recording.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await recording
                await heard_by(tap, 0)

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))
    with out.open("rb") as file:
        recording = Recording(file)
    assert (recording.heading.protocol, recording.heading.source) == ("dart", "line east")
    assert [(frame.kind, frame.direction) for frame in recording.frames] == [
        ("poll", "to-pump"),
        ("eot", "to-master"),
    ] * 3


def test_the_end_of_the_station_ends_a_recording() -> None:
    async def main() -> None:
        world, tap = tapped()
        async with served(world) as url:
            recording = asyncio.ensure_future(record_station(url, TOKEN, "east", lambda _: _Nowhere(), pytest.fail))
            await heard_by(tap, 1)
        with pytest.raises(StationSaysNo, match="ended its stream"):
            await recording
        await heard_by(tap, 0)

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


class _Nowhere(Recorder):
    """A recording that nobody reads."""

    def __init__(self) -> None:
        """Writes no heading."""


@pytest.mark.parametrize(
    ("line", "headers", "status", "words"),
    [
        ("east", {}, 401, "Send the till's token"),
        ("east", {"Authorization": "Bearer x"}, 401, "Send the till's token"),
        ("west", TILL, 404, "There is no line 'west': the names are those of station.toml"),
        ("../snapshot", TILL, 404, ""),
    ],
)
def test_who_may_not_listen_is_told_why(line: str, headers: dict[str, str], status: int, words: str) -> None:
    async def main() -> None:
        world, tap = tapped()
        async with served(world) as url, httpx.AsyncClient(base_url=url) as http:
            answer = await http.get(f"/v1/lines/{line.replace('/', '%2F')}/wire", headers=headers)
            assert answer.status_code == status
            assert words in answer.json()["detail"]
        await heard_by(tap, 0)

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def test_more_listeners_than_a_line_bears_are_refused_until_one_leaves() -> None:
    async def main() -> None:
        world, tap = tapped()
        others = [tap.listen() for _ in range(LISTENERS_MAX)]
        async with served(world) as url, httpx.AsyncClient(base_url=url, headers=TILL) as http:
            answer = await http.get("/v1/lines/east/wire")
            assert answer.status_code == 429
            assert answer.json()["detail"] == "8 listen to this line already: stop one of them"
            others.pop().close()
            async with http.stream("GET", "/v1/lines/east/wire") as stream:
                assert stream.status_code == 200
                heading = json.loads(await anext(stream.aiter_lines()))
                assert (heading["protocol"], heading["source"]) == ("dart", "line east")
        for other in others:
            other.close()
        await heard_by(tap, 0)

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))
