"""A card reader at the other end of a TCP connection: the bench's reader, or a box beside a remote pump.

The reader is the server. Each message, both ways, is a 16-bit big-endian length and a payload of 2 to 300 bytes:

    kind  ordinal  then
     1       n     ATR          reader -> client: a card was inserted; n counts cards, modulo 256
     2       n     -            reader -> client: it was removed
     3       n     APDU         client -> reader: for card n; a reader drops it when card n is gone
     3       n     answer       reader -> client: from card n

The ordinal keeps a command that was under way while cards were swapped from reaching, or an answer from seeming to
come from, the new card. One client at a time: a newer connection replaces the older one. No authentication and no
secrecy: bind it to the loopback or a wire of its own. A card in the field at connection is announced at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from card_io import errors
from card_io.application import CardProfile
from card_io.identify import TapSession
from card_io.keys import KeyStore
from card_io.orders import (
    ChangeOrder,
    ResolveOrder,
    Unresolved,
    change_session,
    not_begun,
    resolve_session,
    unread,
)
from card_io.purse import Resolved
from card_io.reader import (
    CardPresented,
    CardRefused,
    CardRemoved,
    ReaderDown,
    ReaderEvent,
    ReaderUp,
    Sleep,
    pause,
)
from card_io.transaction import Changed
from card_io.transport import run_session

INSERTED, REMOVED, APDU = 1, 2, 3
PAYLOAD_MAX = 300  # a short answer is 258 bytes; whatever is longer is no reader

CONNECT_MS = 3_000
ANSWER_MS = 2_000  # DESFire's slowest command, a commit, takes some 100 ms
RETRY_FIRST_MS, RETRY_MAX_MS = 250, 5_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message; see the file's head."""

    kind: int
    ordinal: int
    data: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if self.kind not in (INSERTED, REMOVED, APDU):
            raise ValueError(f"no message has kind {self.kind}")
        if not 0 <= self.ordinal <= 0xFF:
            raise ValueError("an ordinal is one byte")
        if len(self.data) > PAYLOAD_MAX - 2:
            raise ValueError(f"a message holds at most {PAYLOAD_MAX - 2} bytes")

    def __bytes__(self) -> bytes:
        return (2 + len(self.data)).to_bytes(2, "big") + bytes((self.kind, self.ordinal)) + self.data


async def read_message(stream: asyncio.StreamReader) -> Message:
    """The next message. Raises EOFError (as IncompleteReadError) at the end, GarbledAnswer for what is none."""
    length = int.from_bytes(await stream.readexactly(2), "big")
    if not 2 <= length <= PAYLOAD_MAX:
        raise errors.GarbledAnswer(f"a message of {length} bytes came from the reader")
    payload = await stream.readexactly(length)
    try:
        return Message(payload[0], payload[1], payload[2:])
    except ValueError as error:
        raise errors.GarbledAnswer(f"the reader sent nonsense ({error})") from None


class TcpReader:
    """A CardReader on TCP; card sessions run in this process. Reconnects by itself, without end.

    `sleep` waits milliseconds between attempts; `answer_ms` is how long one APDU may take.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        profile: CardProfile,
        keys: KeyStore,
        random_bytes: Callable[[int], bytes],
        sleep: Sleep,
        answer_ms: int = ANSWER_MS,
    ) -> None:
        self._host, self._port = host, port
        self._profile, self._keys, self._random_bytes = profile, keys, random_bytes
        self._sleep = sleep
        self._answer_ms = answer_ms
        self._closing = asyncio.Event()
        self._link: _Link | None = None
        self._session = asyncio.Lock()

    async def events(self) -> AsyncIterator[ReaderEvent]:
        """See CardReader."""
        down_text: str | None = None
        retry_ms = RETRY_FIRST_MS
        while not self._closing.is_set():
            try:
                link = await self._connect()
            except (OSError, TimeoutError) as error:
                why = str(error) or "no answer in time"
            else:
                async with contextlib.aclosing(link):
                    self._link = link
                    if self._closing.is_set():
                        return  # while it connected
                    yield ReaderUp()
                    down_text, retry_ms = None, RETRY_FIRST_MS
                    card_in = False
                    while (message := await link.card_message()) is not None:
                        if card_in:
                            yield CardRemoved()  # also where the reader says only that the next one is there
                        card_in = message.kind == INSERTED
                        if card_in:
                            yield await self._read_card(link, message.ordinal)
                why = link.ended
            if self._closing.is_set():
                return
            text = str(errors.ReaderGone(f"the card reader at {self._host}:{self._port} is gone ({why})"))
            if text != down_text:
                yield ReaderDown(text)
                down_text = text
            await pause(self._sleep, retry_ms, self._closing)
            retry_ms = min(2 * retry_ms, RETRY_MAX_MS)

    async def close(self) -> None:
        """See CardReader."""
        self._closing.set()
        if self._link is not None:
            await self._link.aclose()

    async def change(self, order: ChangeOrder) -> Changed:
        """See CardReader."""
        session = change_session(order, self._profile, self._keys, self._random_bytes)
        async with self._session:
            try:
                card = self._card()
            except errors.CardError as error:
                return not_begun(error)
            return await run_session(session, card)

    async def resolve(self, order: ResolveOrder) -> Resolved | Unresolved:
        """See CardReader."""
        session = resolve_session(order, self._profile, self._keys, self._random_bytes)
        async with self._session:
            try:
                return await run_session(session, self._card())
            except errors.CardError as error:
                return unread(error)

    def _card(self) -> _Card:
        """The card that is in the field now. Raises ReaderGone or CardRemoved."""
        if self._link is None or self._link.over:
            raise errors.ReaderGone(f"the card reader at {self._host}:{self._port} is gone")
        if self._link.ordinal is None:
            raise errors.CardRemoved("there is no card on the reader")
        return _Card(self._link, self._link.ordinal)

    async def _connect(self) -> _Link:
        async with asyncio.timeout(CONNECT_MS / 1000):
            return _Link(*await asyncio.open_connection(self._host, self._port), answer_ms=self._answer_ms)

    async def _read_card(self, link: _Link, ordinal: int) -> ReaderEvent:
        session = TapSession(self._profile, self._keys, self._random_bytes)
        try:
            async with self._session:
                facts = await run_session(session, _Card(link, ordinal))
        except errors.CardError as error:
            return CardRefused(error.kind, str(error))
        return CardPresented(facts)


class _Card:
    """The CardTransport to one card: it never reaches the next one."""

    def __init__(self, link: _Link, ordinal: int) -> None:
        self._link, self._ordinal = link, ordinal

    async def transmit(self, apdu: bytes) -> bytes:
        return await self._link.transmit(self._ordinal, apdu)


class _Link:
    """One connection: a task sorts what arrives into answers and cards that come and go."""

    def __init__(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answer_ms: int) -> None:
        self.ended = "it closed the connection"
        self._stream, self._writer = stream, writer
        self._answer_ms = answer_ms
        self.ordinal: int | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._cards: asyncio.Queue[Message | None] = asyncio.Queue()
        self.over = False
        self._task = asyncio.create_task(self._sort())

    async def card_message(self) -> Message | None:
        """The next INSERTED or REMOVED; None at the end of the connection."""
        return await self._cards.get()

    async def transmit(self, ordinal: int, apdu: bytes) -> bytes:
        if self.over:
            raise errors.ReaderGone("the card reader's connection ended")
        if ordinal != self.ordinal:
            raise errors.CardRemoved("the card was taken away too early")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answer = answer
        try:
            self._writer.write(bytes(Message(APDU, ordinal, apdu)))
            async with asyncio.timeout(self._answer_ms / 1000):
                return await answer
        except TimeoutError:
            raise errors.CardSilent(f"the card did not answer within {self._answer_ms} ms") from None
        finally:
            if answer.cancelled() and ordinal == self.ordinal:  # too late, or nobody waits any more
                self.ordinal = None  # its answer would be taken for the next command's: this card is over
            self._answer = None

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._end()  # a task that never ran ends without a word
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _sort(self) -> None:
        try:
            while True:
                self._take(await read_message(self._stream))
        except (EOFError, OSError):
            pass
        except errors.GarbledAnswer as error:
            self.ended = error.what
        finally:
            self._end()

    def _end(self) -> None:
        self.over = True
        self._fail(errors.ReaderGone("the card reader's connection ended"))
        self._cards.put_nowait(None)

    def _take(self, message: Message) -> None:
        if message.kind != APDU:
            self.ordinal = message.ordinal if message.kind == INSERTED else None
            self._fail(errors.CardRemoved("the card was taken away too early"))
            self._cards.put_nowait(message)
        elif message.ordinal == self.ordinal and self._answer is not None and not self._answer.done():
            self._answer.set_result(message.data)

    def _fail(self, error: errors.CardError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
