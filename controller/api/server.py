"""The station's local API: JSON over HTTP, a stream of snapshots, described by OpenAPI at /schema.

Every call but the description carries a till's bearer token, so the station knows who speaks. Decodes and checks
what comes in; what it means is the station's business.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any, Protocol

import msgspec
import uvicorn
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import (
    NotAuthorizedException,
    NotFoundException,
    TooManyRequestsException,
    ValidationException,
)
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from controller.domain.desk import HEARTBEAT_MS, Command, CommandResult, Snapshot
from controller.domain.seams import US_PER_MS, Clock
from controller.keys import TillTokens
from controller.wire.stream import lines
from controller.wire.tap import LineTap, TooManyListeners

SNAPSHOT_GAP_MS = 100
"""Changes that come faster than this share a snapshot: an eye sees ten a second."""
MAX_BODY_BYTES = 16_384
SHUTDOWN_S = 2

log = logging.getLogger("forecourt.api")


class ApiError(Exception):
    """The API cannot be served; the text says why and what to do."""


class Desk(Protocol):
    """The station, as its tills see it."""

    def snapshot(self) -> Snapshot: ...

    async def command(self, till: str, command: Command) -> CommandResult: ...

    def tap(self, line: str) -> tuple[str, LineTap] | None:
        """A pump line's protocol, and where to listen in; None if there is no line of this name."""
        ...


class Whoami(msgspec.Struct, frozen=True):
    """The till whose token this is."""

    till: str


class Changes:
    """Wakes every stream when something has changed, and ends them all at the end."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self.closed = False

    def changed(self) -> None:
        for event in self._waiting:
            event.set()

    def close(self) -> None:
        self.closed = True
        self.changed()

    @contextlib.contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        event.set()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)


def make_app(desk: Desk, tokens: TillTokens, changes: Changes, clock: Clock, *, title: str) -> Litestar:
    """The ASGI application."""

    # Async, though it waits for nothing: an ordinary function would cost every request a hop to a thread.
    async def need_till(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        scheme, _space, token = connection.headers.get("authorization", "").partition(" ")
        till = tokens.till_of(token.strip()) if scheme.lower() == "bearer" else None
        if till is None:
            raise NotAuthorizedException("Send the till's token as: Authorization: Bearer TOKEN (from its .token file)")
        connection.state.till = till

    @get("/v1/whoami", guards=[need_till], summary="Which till this token is of")
    async def whoami(request: Request[Any, Any, Any]) -> Whoami:
        return Whoami(request.state.till)

    @get("/v1/snapshot", guards=[need_till], summary="All that a till shows, now")
    async def snapshot() -> Snapshot:
        return desk.snapshot()

    @get("/v1/events", guards=[need_till], summary="A stream of snapshots (text/event-stream), at least one a second")
    async def events() -> Stream:
        return Stream(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @post("/v1/commands", guards=[need_till], status_code=200, summary="A command; repeat it with the same id at will")
    async def commands(request: Request[Any, Any, Any], data: JSONBody[Command]) -> CommandResult:
        return await desk.command(request.state.till, data)

    @get(
        "/v1/lines/{name:str}/wire", guards=[need_till], summary="What passes on a pump line (JSON lines), from now on"
    )
    async def wire(name: FromPath[str]) -> Stream:
        tapped = desk.tap(name)
        if tapped is None:
            raise NotFoundException(f"There is no line {name!r}: the names are those of station.toml")
        protocol, tap = tapped
        try:
            listening = tap.listen()
        except TooManyListeners as error:
            raise TooManyRequestsException(str(error)) from error
        passing = lines(listening, protocol, f"line {name}", clock)
        # Begun here: were it never begun, because the client has gone, nothing would end the listening.
        heading = await anext(passing)
        stream = until_end(heading, passing)
        return Stream(stream, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})

    async def until_end(heading: bytes, passing: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
        """Its heartbeats see to it that the end is noticed."""
        async with contextlib.aclosing(passing):
            yield heading
            async for line in passing:
                yield line
                if changes.closed:
                    return

    async def stream() -> AsyncIterator[bytes]:
        with changes.watch() as changed:
            sent_us = clock.now().mono_us
            while not changes.closed:
                # Counted from the last snapshot, not from the end of the gap: the heartbeat holds its promise.
                beat = clock.call_at(sent_us + HEARTBEAT_MS * US_PER_MS, changed.set)
                try:
                    await changed.wait()
                finally:
                    beat.cancel()
                changed.clear()
                sent_us = clock.now().mono_us
                yield b"event: snapshot\ndata: " + msgspec.json.encode(desk.snapshot()) + b"\n\n"
                await clock.sleep_until(sent_us + SNAPSHOT_GAP_MS * US_PER_MS)

    def failed(_: Request[Any, Any, Any], error: Exception) -> Response[dict[str, object]]:
        log.error("a request failed", exc_info=error)
        return Response(
            {"status_code": 500, "detail": "The station failed on this request: see its log"},
            status_code=500,
            media_type=MediaType.JSON,
        )

    def refused(_: Request[Any, Any, Any], error: ValidationException) -> Response[dict[str, object]]:
        detail = f"This is no command of the station: {_wrong_fields(error.extra)}"
        return Response({"status_code": 400, "detail": detail}, status_code=400, media_type=MediaType.JSON)

    return Litestar(
        [whoami, snapshot, events, commands, wire],
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=OpenAPIConfig(
            title=title,
            version="1",
            components=Components(security_schemes={"till": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"till": []}],
            # The description alone: pages that show it are loaded from elsewhere, and a station may be offline.
            render_plugins=[JsonRenderPlugin()],
        ),
        exception_handlers={500: failed, ValidationException: refused},
        logging_config=None,
    )


def _wrong_fields(extra: object) -> str:
    """Litestar's list of what does not fit, as a sentence."""
    found = [item for item in extra if isinstance(item, dict)] if isinstance(extra, list) else []
    fields = (f"{item.get('key')}: {item.get('message')}" for item in found)
    return "; ".join(fields).replace("data: 'data'", "the body is empty").replace("`", "")


class _Server(uvicorn.Server):
    """Leaves the signals to the process that runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int, *, what: str) -> socket.socket:
    """A bound socket. ApiError says what to do where that is not possible."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen()
    except (OSError, OverflowError, UnicodeError) as error:
        bound.close()
        why = error.strerror if isinstance(error, OSError) else error
        raise ApiError(
            f"{what} cannot listen on {host}:{port} ({why}): another program may have the port; "
            "stop it or choose another host and port in the configuration"
        ) from error
    return bound


async def serve(app: Litestar, bound: socket.socket, changes: Changes) -> None:
    """Serve until cancelled, then let running requests end."""
    config = uvicorn.Config(
        app, log_level="warning", lifespan="off", ws="none", access_log=False, timeout_graceful_shutdown=SHUTDOWN_S
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[bound]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        changes.close()
        server.should_exit = True
        await serving
        raise
    finally:
        bound.close()
