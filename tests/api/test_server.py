"""The station's API: who speaks is known, what comes in is checked, and the stream never falls silent."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from typing import Any, get_args

import httpx
import msgspec
import pytest

from controller.api.client import StationClient, StationUnreachable
from controller.api.server import (
    MAX_BODY_BYTES,
    SNAPSHOT_GAP_MS,
    ApiError,
    listen,
)
from controller.domain.desk import (
    COMMAND_ID_LETTERS,
    HEARTBEAT_MS,
    QUANTITY_MAX,
    AuthorisePoint,
    Command,
    CommandResult,
    PayDelivery,
    Snapshot,
    StopAll,
)
from controller.domain.records import TenderKind
from controller.domain.seams import US_PER_MS
from controller.machine import MachineClock
from sim.held_ports import HeldPorts
from sim.loop import VirtualClock, VirtualLoop, run
from tests.api.stage import PATIENCE_S, TILL, TOKEN, World, served


def asked(question: Callable[[httpx.AsyncClient, World], Awaitable[None]]) -> None:
    async def main() -> None:
        world = World(MachineClock())
        app: Any = world.app  # Litestar and httpx name the same ASGI types differently
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://station") as client:
            await question(client, world)

    asyncio.run(main())


# ---- who speaks


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/whoami"), ("GET", "/v1/snapshot"), ("GET", "/v1/events"), ("POST", "/v1/commands")],
)
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer till-1",
        f"Bearer {TOKEN},{TOKEN}",
    ],
)
def test_without_a_tills_token_nothing_is_shown_or_done(method: str, path: str, header: str | None) -> None:
    async def question(client: httpx.AsyncClient, world: World) -> None:
        headers = {} if header is None else {"Authorization": header}
        answer = await client.request(
            method, path, headers=headers, content=msgspec.json.encode(StopAll("c1")) if method == "POST" else None
        )
        assert answer.status_code == 401
        assert answer.json()["detail"].startswith("Send the till's token as: Authorization: Bearer TOKEN")
        assert not world.desk.commands

    asked(question)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_till_is_told_its_name(scheme: str) -> None:
    async def question(client: httpx.AsyncClient, _: World) -> None:
        answer = await client.get("/v1/whoami", headers={"Authorization": f"{scheme} {TOKEN}"})
        assert (answer.status_code, answer.json()) == (200, {"till": "till-1"})
        answer = await client.get("/v1/whoami", headers={"Authorization": f"{scheme} {'b' * 48}"})
        assert answer.json() == {"till": "till-2"}

    asked(question)


def test_a_snapshot_can_be_asked_for() -> None:
    async def question(client: httpx.AsyncClient, world: World) -> None:
        world.desk.version = 7
        answer = await client.get("/v1/snapshot", headers=TILL)
        assert msgspec.json.decode(answer.content, type=Snapshot) == world.desk.snapshot()

    asked(question)


# ---- commands


def test_a_command_reaches_the_station_with_the_name_of_its_till() -> None:
    async def question(client: httpx.AsyncClient, world: World) -> None:
        command = AuthorisePoint("c1", point=3, plate="34 ABC 123", preset_amount_minor=50_000)
        answer = await client.post("/v1/commands", headers=TILL, content=msgspec.json.encode(command))
        assert answer.status_code == 200
        assert msgspec.json.decode(answer.content, type=CommandResult) == CommandResult("c1", done=True)
        assert world.desk.commands == [("till-1", command)]

    asked(question)


NO_COMMANDS = {
    "an unknown field": ('{"kind":"stop_all","command_id":"a","force":true}', "unknown field force"),
    "an unknown kind": ('{"kind":"explode","command_id":"a"}', "kind: Invalid value 'explode'"),
    "no kind": ('{"command_id":"a"}', "missing required field kind"),
    "no id": ('{"kind":"stop_all"}', "missing required field command_id"),
    "an empty id": ('{"kind":"stop_all","command_id":""}', "command_id: Expected str of length >= 1"),
    "an endless id": (f'{{"kind":"stop_all","command_id":"{"x" * (COMMAND_ID_LETTERS + 1)}"}}', "length <= 64"),
    "a missing field": ('{"kind":"stop","command_id":"a"}', "missing required field point"),
    "a wrong type": ('{"kind":"stop","command_id":"a","point":"one"}', "point: Expected int"),
    "a fraction": ('{"kind":"authorise","command_id":"a","point":1,"preset_volume_ml":1.5}', "preset_volume_ml: "),
    "more than a journal holds": (
        f'{{"kind":"authorise","command_id":"a","point":1,"preset_amount_minor":{QUANTITY_MAX + 1}}}',
        "preset_amount_minor: Expected int <= 1000000000000",
    ),
    "money beyond measure": (
        f'{{"kind":"pay","command_id":"a","delivery_id":"d","tender":"cash","given_minor":{"9" * 40}}}',
        "given_minor: Expected int <= 1000000000000",
    ),
    "an unknown tender": (
        '{"kind":"pay","command_id":"a","delivery_id":"d","tender":"shells","given_minor":1}',
        "tender: Invalid enum value 'shells'",
    ),
    "a list": ("[]", "Expected object, got array"),
    "nothing": ("", "the body is empty"),
    "half of it": ('{"kind":"stop_all"', "truncated"),
    "no JSON": ("stop everything!", "JSON is malformed"),
}


@pytest.mark.parametrize(("body", "said"), NO_COMMANDS.values(), ids=NO_COMMANDS)
def test_what_is_no_command_is_refused_in_words(body: str, said: str) -> None:
    async def question(client: httpx.AsyncClient, world: World) -> None:
        headers = {**TILL, "Content-Type": "application/json"}
        answer = await client.post("/v1/commands", headers=headers, content=body)
        assert answer.status_code == 400
        assert said in answer.json()["detail"]
        assert not world.desk.commands

    asked(question)


def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    async def question(client: httpx.AsyncClient, world: World) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b" " * 1_000

        headers = {**TILL, "Content-Type": "application/json"}
        for content in (b" " * (MAX_BODY_BYTES + 1), chunks()):
            answer = await client.post("/v1/commands", headers=headers, content=content)
            assert answer.status_code == 413
        assert not world.desk.commands

    asked(question)


def test_a_fault_inside_is_told_without_its_inner_words(caplog: pytest.LogCaptureFixture) -> None:
    async def question(client: httpx.AsyncClient, world: World) -> None:
        world.desk.fails = True
        answer = await client.post("/v1/commands", headers=TILL, content=msgspec.json.encode(StopAll("c1")))
        assert answer.status_code == 500
        assert answer.json()["detail"] == "The station failed on this request: see its log"
        assert "secret inner words" not in answer.text

    asked(question)
    assert "secret inner words" in caplog.text


def test_the_description_lists_every_command_and_needs_no_token() -> None:
    async def question(client: httpx.AsyncClient, _: World) -> None:
        described = (await client.get("/schema/openapi.json")).json()
        assert described["info"]["title"] == "Forecourt station TR-0001"
        paths = {"/v1/whoami", "/v1/snapshot", "/v1/events", "/v1/commands", "/v1/lines/{name}/wire"}
        assert set(described["paths"]) == paths
        body = described["paths"]["/v1/commands"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        names = {part["$ref"].rpartition("/")[2] for part in body["oneOf"]}
        assert names == {kind.__name__ for kind in get_args(Command)}
        schemas = described["components"]["schemas"]
        assert all("command_id" in schemas[name]["required"] for name in names)
        assert described["components"]["securitySchemes"]["till"]["scheme"] == "bearer"

    asked(question)


# ---- the stream, in virtual time


class Listener:
    """One till at the stream: when each snapshot came (ms), and its version."""

    def __init__(self, loop: VirtualLoop, world: World) -> None:
        self.heard: list[tuple[int, int]] = []
        self.status = 0
        self.ended = False
        self._loop = loop
        self._gone = asyncio.Event()
        self._task = asyncio.ensure_future(self._listen(world))

    async def _listen(self, world: World) -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/v1/events",
            "raw_path": b"/v1/events",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"authorization", TILL["Authorization"].encode())],
            "client": ("127.0.0.1", 1),
            "server": ("station", 80),
        }
        await world.app(scope, self._receive, self._send)  # type: ignore[arg-type]  # a scope is a plain dict

    async def _receive(self) -> Any:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if message["body"]:
            head, data, *rest = message["body"].split(b"\n")
            assert (head, rest) == (b"event: snapshot", [b"", b""])
            snapshot = msgspec.json.decode(data.removeprefix(b"data: "), type=Snapshot)
            self.heard.append((self._loop.now_us // US_PER_MS, snapshot.version))
        self.ended = not message.get("more_body", False)
        if self.ended:
            self._gone.set()  # a server says so too, once the answer is complete

    def leave(self) -> None:
        self._gone.set()

    async def end(self) -> None:
        await self._task


def in_virtual_time(story: Callable[[VirtualLoop, VirtualClock, World], Awaitable[None]]) -> None:
    async def main(loop: VirtualLoop) -> None:
        clock = VirtualClock(loop, 0)
        await story(loop, clock, World(clock))

    run(main)


def at(clock: VirtualClock, ms: int) -> Awaitable[None]:
    return clock.sleep_until(ms * US_PER_MS)


def test_a_quiet_station_is_heard_at_once_and_at_each_heartbeat() -> None:
    async def story(loop: VirtualLoop, clock: VirtualClock, world: World) -> None:
        listener = Listener(loop, world)
        await at(clock, 5 * HEARTBEAT_MS + 1)
        assert listener.heard == [(beat * HEARTBEAT_MS, 0) for beat in range(6)]
        listener.leave()
        await listener.end()

    in_virtual_time(story)


def test_a_change_is_heard_at_once_and_the_next_beat_counts_from_it() -> None:
    async def story(loop: VirtualLoop, clock: VirtualClock, world: World) -> None:
        listener = Listener(loop, world)
        await at(clock, 400)
        world.change()
        await at(clock, 1_999)
        assert listener.heard == [(0, 0), (400, 1), (1_400, 1)]
        listener.leave()
        await listener.end()

    in_virtual_time(story)


def test_changes_that_come_fast_share_a_snapshot_and_the_last_is_never_lost() -> None:
    async def story(loop: VirtualLoop, clock: VirtualClock, world: World) -> None:
        listener = Listener(loop, world)
        for ms in range(500, 1_500, 2):
            await at(clock, ms)
            world.change()
        await at(clock, 1_700)
        times = [ms for ms, _ in listener.heard]
        assert all(later - earlier >= SNAPSHOT_GAP_MS for earlier, later in pairwise(times))
        assert 10 <= len(listener.heard) <= 13
        assert listener.heard[-1][1] == world.desk.version
        listener.leave()
        await listener.end()

    in_virtual_time(story)


def test_every_till_hears_everything_and_one_that_leaves_disturbs_nobody() -> None:
    async def story(loop: VirtualLoop, clock: VirtualClock, world: World) -> None:
        first, second = Listener(loop, world), Listener(loop, world)
        await at(clock, 300)
        first.leave()
        await first.end()
        world.change()
        await at(clock, 301)
        assert first.heard == [(0, 0)]
        assert second.heard == [(0, 0), (300, 1)]
        second.leave()
        await second.end()
        assert not world.changes._waiting, "nobody is woken for a till that is gone"

    in_virtual_time(story)


def test_the_end_of_the_station_ends_every_stream() -> None:
    async def story(loop: VirtualLoop, clock: VirtualClock, world: World) -> None:
        listeners = [Listener(loop, world) for _ in range(3)]
        await at(clock, 300)
        world.changes.close()
        for listener in listeners:
            await listener.end()
            assert listener.ended
            assert listener.status == 200
        assert loop.now_us <= 500 * US_PER_MS
        late = Listener(loop, world)
        await late.end()
        assert late.heard == []

    in_virtual_time(story)


# ---- over a real port


def test_the_tills_own_client_understands_the_server() -> None:
    async def main() -> None:
        world = World(MachineClock())
        async with served(world) as url:
            client = StationClient(url, TOKEN)
            assert await client.whoami() == "till-1"
            command = PayDelivery("c1", "0001020304050607-1", TenderKind.CASH, 5_000)
            assert await client.command(command) == CommandResult("c1", done=True)
            assert world.desk.commands == [("till-1", command)]
            versions = []
            async for snapshot in client.snapshots():
                versions.append(snapshot.version)
                if len(versions) == 3:
                    break
                world.change()
            assert versions == [0, 1, 2]
            await client.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def test_a_shut_down_ends_open_streams_and_frees_the_port() -> None:
    async def main() -> None:
        world = World(MachineClock())
        heard = asyncio.Event()

        async def listen_to(client: StationClient) -> None:
            async for _ in client.snapshots():
                heard.set()

        async with served(world, port) as url:
            client = StationClient(url, TOKEN)
            listening = asyncio.ensure_future(listen_to(client))
            await heard.wait()
        with pytest.raises(StationUnreachable, match="ended its stream"):
            await listening
        await client.close()
        listen("127.0.0.1", port, what="another").close()

    with contextlib.closing(HeldPorts()) as ports:
        port = ports.one()
        asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def test_a_station_that_is_stopped_before_it_began_stops() -> None:
    async def main() -> None:
        async with served(World(MachineClock()), port):
            await asyncio.sleep(0)
        listen("127.0.0.1", port, what="another").close()

    with contextlib.closing(HeldPorts()) as ports:
        port = ports.one()
        asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def test_a_busy_port_is_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ApiError) as caught:
            listen("127.0.0.1", port, what="the station's API")
    assert str(caught.value).startswith(f"the station's API cannot listen on 127.0.0.1:{port} (Address already in use)")
    assert "stop it or choose another" in str(caught.value)


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("no such host", 0), ("x" * 300, 0), ("203.0.113.1", 0)]
)
def test_a_host_or_port_that_cannot_be_is_said_in_a_sentence(host: str, port: int) -> None:
    with pytest.raises(ApiError, match="cannot listen on"):
        listen(host, port, what="the station's API")
