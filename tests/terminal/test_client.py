"""The API's client against a real server on a loopback port."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
import uvicorn
from click.testing import CliRunner
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State
from litestar.response import Stream

from controller.api.client import (
    COMMAND_TRIES,
    EVENT_BYTES_MAX,
    EventLines,
    NotAllowed,
    StationClient,
    StationError,
    StationUnreachable,
)
from controller.domain.desk import AuthorisePoint, Command, CommandResult, Snapshot
from terminal.commands import terminal
from tests.terminal.fake import forecourt, snapshot

TOKEN = "secret"
AnyRequest = Request[object, object, State]


class Server:
    """What the server has heard, and how it behaves."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.body = b""
        self.port = 0


def application(server: Server) -> Litestar:
    def allowed(request: AnyRequest) -> bool:
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"

    @get("/v1/whoami")
    async def whoami(request: AnyRequest) -> Response[bytes]:
        if not allowed(request):
            return Response(b"", status_code=401)
        return Response(server.body or b'{"till": "till-1"}', media_type="application/json")

    @post("/v1/commands")
    async def commands(request: AnyRequest) -> Response[bytes]:
        command = msgspec.json.decode(await request.body(), type=Command)
        server.commands.append(command)
        return Response(msgspec.json.encode(CommandResult(command.command_id, True, text="Done")))

    @get("/v1/events")
    async def events(request: AnyRequest) -> Stream | Response[bytes]:
        if not allowed(request):
            return Response(b"", status_code=401)

        async def lines() -> AsyncIterator[bytes]:
            yield b": hello\n\n"
            for version in (1, 2):
                now = msgspec.structs.replace(snapshot(forecourt()), version=version, station_name="A\u2028B")
                data = b"data: " + msgspec.json.encode(now) + b"\n\n"
                yield data[:50]
                yield data[50:]

        return Stream(lines(), media_type="text/event-stream")

    return Litestar([whoami, commands, events])


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[str]:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application(server), log_config=None, lifespan="off", ws="none")
        http = uvicorn.Server(config)
        task = asyncio.create_task(http.serve(sockets=[port]))
        try:
            async with asyncio.timeout(30):
                while not http.started:
                    await asyncio.sleep(0)
            yield f"http://127.0.0.1:{port.getsockname()[1]}"
        finally:
            http.should_exit = True
            await task


def with_server(scene: Callable[[StationClient, Server], Awaitable[None]], token: str = TOKEN) -> Server:
    server = Server()

    async def whole() -> None:
        async with running(server) as url:
            client = StationClient(url, token)
            try:
                await scene(client, server)
            finally:
                await client.close()

    asyncio.run(whole())
    return server


def test_the_till_is_told_its_name() -> None:
    async def scene(client: StationClient, _: Server) -> None:
        assert await client.whoami() == "till-1"

    with_server(scene)


def test_a_command_arrives_whole_and_its_result_comes_back() -> None:
    command = AuthorisePoint("id-1", 4, "34 AB 1", preset_volume_ml=20_000)

    async def scene(client: StationClient, _: Server) -> None:
        assert await client.command(command) == CommandResult("id-1", True, text="Done")

    assert with_server(scene).commands == [command]


def test_snapshots_come_whole_until_the_stream_breaks() -> None:
    seen: list[Snapshot] = []

    async def scene(client: StationClient, _: Server) -> None:
        snapshots = client.snapshots()
        seen.append(await anext(snapshots))
        seen.append(await anext(snapshots))
        with pytest.raises(StationUnreachable, match="connects again"):
            await anext(snapshots)

    with_server(scene)
    assert [now.version for now in seen] == [1, 2]
    assert seen[0].station_name == "A\u2028B"
    assert seen[0].points == forecourt()


def test_a_strange_token_is_told_what_to_do() -> None:
    async def scene(client: StationClient, _: Server) -> None:
        with pytest.raises(NotAllowed, match=r"station\.toml"):
            await client.whoami()
        with pytest.raises(NotAllowed):
            await anext(client.snapshots())

    with_server(scene, "wrong")


def test_an_unreadable_answer_is_told_as_another_release() -> None:
    async def scene(client: StationClient, server: Server) -> None:
        server.body = b'{"name": 1}'
        with pytest.raises(StationError, match="same release"):
            await client.whoami()

    with_server(scene)


def test_a_command_whose_answer_is_lost_is_sent_again_with_the_same_id() -> None:
    heard: list[bytes] = []
    result = msgspec.json.encode(CommandResult("id-1", True))

    async def scene(losses: int) -> CommandResult:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            heard.append(await reader.readexactly(length))
            if len(heard) > losses:
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(result), result))
                await writer.drain()
            writer.close()
            await writer.wait_closed()

        listening = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with listening:
            client = StationClient(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", TOKEN)
            try:
                return await client.command(AuthorisePoint("id-1", 4))
            finally:
                await client.close()

    assert asyncio.run(scene(COMMAND_TRIES - 1)).done
    assert len(heard) == COMMAND_TRIES
    assert len(set(heard)) == 1
    heard.clear()
    with pytest.raises(StationUnreachable):
        asyncio.run(scene(COMMAND_TRIES))
    assert len(heard) == COMMAND_TRIES


def test_a_station_that_is_not_there_is_told_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

        async def scene() -> None:
            client = StationClient(f"http://127.0.0.1:{port}", TOKEN)
            with pytest.raises(StationUnreachable, match="station is running"):
                await client.whoami()
            with pytest.raises(StationUnreachable):
                await anext(client.snapshots())
            await client.close()

        asyncio.run(scene())


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_events_are_found_however_their_bytes_are_cut(size: int) -> None:
    stream, lines = b": x\n\nevent: s\ndata: one\r\ndata:two\r\n\r\n\ndata: 3\n\n", EventLines()
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [event for chunk in chunks for event in lines.feed(chunk)] == [b"one\ntwo", b"3"]


def test_an_event_without_an_end_is_refused() -> None:
    lines = EventLines()
    lines.feed(b"x" * EVENT_BYTES_MAX)
    with pytest.raises(StationError, match="address of a station"):
        lines.feed(b"x")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "FORECOURT_TILL_TOKEN"),
        (["--token-file", "/nowhere/token"], "cannot be read"),
        (["--station", "localhost:7733"], "write it as http://"),
    ],
)
def test_the_command_says_what_it_misses(arguments: list[str], says: str) -> None:
    result = CliRunner(env={"FORECOURT_TILL_TOKEN": ""}).invoke(terminal, arguments)
    assert result.exit_code
    assert says in result.output
