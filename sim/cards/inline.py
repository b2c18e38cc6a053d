"""A card reader in the same process: for worlds without ports. The card session is the production one."""

import asyncio
from collections.abc import AsyncIterator, Callable

from card_io import errors
from card_io.application import CardProfile
from card_io.identify import IdentifySession
from card_io.keys import KeyStore
from card_io.reader import CardPresented, CardRefused, CardRemoved, ReaderEvent, ReaderUp
from card_io.transport import run_session_blocking
from sim.cards.field import FieldCard, LeftField

ANSWER_MS = 2_000
"""A card that takes longer for an answer counts as silent, as at the real readers."""


class InlineReader:
    """Implements `CardReader`, and the card slot of simulated customers."""

    def __init__(self, profile: CardProfile, keys: KeyStore, random_bytes: Callable[[int], bytes]) -> None:
        self._profile = profile
        self._keys = keys
        self._random_bytes = random_bytes
        self._events: asyncio.Queue[ReaderEvent | None] = asyncio.Queue()
        self._events.put_nowait(ReaderUp())

    def insert(self, card: FieldCard) -> None:
        """A card is put in and read at once."""
        card.reset()
        session = IdentifySession(self._profile, self._keys, self._random_bytes)
        try:
            facts = run_session_blocking(session, lambda frame: _transmitted(card, frame))
        except errors.CardError as error:
            self._events.put_nowait(CardRefused(error.kind, str(error)))
        else:
            self._events.put_nowait(CardPresented(facts))

    def remove(self) -> None:
        self._events.put_nowait(CardRemoved())

    async def events(self) -> AsyncIterator[ReaderEvent]:
        """See CardReader."""
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        self._events.put_nowait(None)


def _transmitted(card: FieldCard, frame: bytes) -> bytes:
    try:
        answer = card.transmit(frame)
    except LeftField:
        raise errors.CardRemoved("the card was taken away too early") from None
    if answer is None or card.latency_ms > ANSWER_MS:
        raise errors.CardSilent("the card did not answer")
    return answer
