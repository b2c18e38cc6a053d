"""The bench's card reader: a TCP server that `card_io.tcp.TcpReader` connects to, and a hand that moves cards.

The framing is described in `card_io.tcp`; this is its other end.
"""

from __future__ import annotations

import asyncio
import contextlib

from card_io.errors import GarbledAnswer
from card_io.tcp import APDU, INSERTED, REMOVED, Message, read_message
from sim.cards.field import FieldCard, LeftField


class TcpReaderDevice:
    """`await start()`, then `insert(card)` and `remove()` at will; `port` is the one it listens on."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host, self.port = host, port
        self._server: asyncio.Server | None = None
        self._client: asyncio.StreamWriter | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._card: FieldCard | None = None
        self._ordinal = 0

    async def start(self) -> None:
        """Begins to listen; port 0 becomes the port that was free. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends the server and its connection; `start()` may follow, on the same port."""
        if self._server is not None:
            self._server.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None

    def insert(self, card: FieldCard) -> None:
        """A card into the field; one that was there is removed first."""
        if self._card is not None:
            self.remove()
        card.reset()
        self._card = card
        self._ordinal = (self._ordinal + 1) % 256
        self._send(Message(INSERTED, self._ordinal, card.atr))

    def remove(self) -> None:
        """The card out of the field; nothing happens when there is none."""
        if self._card is not None:
            self._card = None
            self._send(Message(REMOVED, self._ordinal))

    def _send(self, message: Message) -> None:
        if self._client is not None:
            self._client.write(bytes(message))

    async def _accept(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        if self._client is not None:
            self._client.close()
        self._client = writer
        try:
            if self._card is not None:
                self._send(Message(INSERTED, self._ordinal, self._card.atr))
            while True:
                self._take(await read_message(stream))
        except (EOFError, OSError, GarbledAnswer, asyncio.CancelledError):
            pass  # the client went, or the bench ends: either way this connection is over
        finally:
            self._connections.discard(task)
            if self._client is writer:
                self._client = None
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    def _take(self, message: Message) -> None:
        if message.kind != APDU or self._card is None or message.ordinal != self._ordinal:
            return
        try:
            answer = self._card.transmit(message.data)
        except LeftField:
            self.remove()
            return
        if answer is not None:
            reply = Message(APDU, self._ordinal, answer)
            if self._card.latency_ms:
                asyncio.get_running_loop().call_later(self._card.latency_ms / 1000, self._send, reply)
            else:
                self._send(reply)
