"""The bench's control port: one JSON object a line over TCP, for tests, demonstrations and curious people.

`{"ask": "totals"}` gives all meters together; `{"ask": "street"}` says who stands at which fuelling point.
Listens on this machine only.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal

import msgspec

HOST = "127.0.0.1"
LINE_BYTES_MAX = 4_096


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ask: Literal["totals", "street"]


class Totals(msgspec.Struct, frozen=True):
    """All meters of all pumps, in thousandths of a litre, and how many customers were served."""

    totaliser_ml: int
    served: int


class Standing(msgspec.Struct, frozen=True):
    """A customer at a fuelling point: how they mean to pay, and the plate if they have an account."""

    point: int
    pays: str
    plate: str


class Complaint(msgspec.Struct, frozen=True):
    error: str


class ControlPort:
    """The server's end."""

    def __init__(self, totals: Callable[[], Totals], standing: Callable[[], list[Standing]]) -> None:
        self._totals = totals
        self._standing = standing
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, port: int) -> int:
        """Listen; returns the port. OSError if it is taken."""
        self._server = await asyncio.start_server(self._talk, HOST, port, limit=LINE_BYTES_MAX)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.close()
            await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(self._answer(line)) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            return  # they went away, or sent a line without end
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(self, line: bytes) -> Totals | list[Standing] | Complaint:
        try:
            ask = msgspec.json.decode(line, type=Ask)
        except msgspec.DecodeError as error:
            return Complaint(f'{error}: send {{"ask": "totals"}} or {{"ask": "street"}}')
        return self._totals() if ask.ask == "totals" else self._standing()


class ControlClient:
    """The other end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._asking = asyncio.Lock()

    async def totals(self) -> Totals:
        return msgspec.json.decode(await self._ask("totals"), type=Totals)

    async def street(self) -> list[Standing]:
        return msgspec.json.decode(await self._ask("street"), type=list[Standing])

    async def _ask(self, what: str) -> bytes:
        async with self._asking:  # an answer belongs to the question before it
            if self._streams is None:
                self._streams = await asyncio.open_connection(HOST, self._port)
            return await self._exchange(*self._streams, what)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: str) -> bytes:
        try:
            writer.write(msgspec.json.encode({"ask": what}) + b"\n")
            line = await reader.readline()
        except BaseException:
            # Called off in the middle: its answer is still to come, and must not be taken for the next one's.
            writer.close()
            self._streams = None
            raise
        if not line:
            raise ConnectionError("the bench has ended")
        return line

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(ConnectionError):
                await self._streams[1].wait_closed()
            self._streams = None
