"""A card reader in the same process: for worlds without ports. The card sessions are the production ones."""

import asyncio
from collections.abc import AsyncIterator, Callable

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
from card_io.reader import CardPresented, CardRefused, CardRemoved, ReaderDown, ReaderEvent, ReaderUp
from card_io.transaction import Changed
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
        self._card: FieldCard | None = None
        self._down = False
        self._events: asyncio.Queue[ReaderEvent | None] = asyncio.Queue()
        self._events.put_nowait(ReaderUp())

    def insert(self, card: FieldCard) -> None:
        """A card is put in and read at once; a reader that is unplugged sees nothing."""
        card.reset()
        if self._down:
            return
        self._card = card
        session = TapSession(self._profile, self._keys, self._random_bytes)
        try:
            facts = run_session_blocking(session, self._transmit)
        except errors.CardError as error:
            self._events.put_nowait(CardRefused(error.kind, str(error)))
        else:
            self._events.put_nowait(CardPresented(facts))

    def remove(self) -> None:
        """The card is taken out, if there is one."""
        self._card = None
        self._events.put_nowait(CardRemoved())

    def unplug(self) -> None:
        """The reader goes, and its card with it."""
        self._down, self._card = True, None
        self._events.put_nowait(ReaderDown(str(errors.ReaderGone("the card reader is unplugged"))))

    def plug_in(self) -> None:
        """The reader comes back, without a card."""
        self._down = False
        self._events.put_nowait(ReaderUp())

    async def events(self) -> AsyncIterator[ReaderEvent]:
        """See CardReader."""
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        self._events.put_nowait(None)

    async def change(self, order: ChangeOrder) -> Changed:
        """See CardReader."""
        session = change_session(order, self._profile, self._keys, self._random_bytes)
        if (error := self._why_not()) is not None:
            return not_begun(error)
        changed = run_session_blocking(session, self._transmit)
        self._tell_if_gone()
        return changed

    async def resolve(self, order: ResolveOrder) -> Resolved | Unresolved:
        """See CardReader."""
        session = resolve_session(order, self._profile, self._keys, self._random_bytes)
        if (why := self._why_not()) is not None:
            return unread(why)
        try:
            return run_session_blocking(session, self._transmit)
        except errors.CardError as error:
            return unread(error)
        finally:
            self._tell_if_gone()

    def _why_not(self) -> errors.CardError | None:
        if self._down:
            return errors.ReaderGone("the card reader is unplugged")
        return errors.CardRemoved("there is no card on the reader") if self._card is None else None

    def _tell_if_gone(self) -> None:
        if self._card is None and not self._down:
            self._events.put_nowait(CardRemoved())

    def _transmit(self, frame: bytes) -> bytes:
        card = self._card
        if card is None:
            raise errors.CardRemoved("the card was taken away too early")
        try:
            answer = card.transmit(frame)
        except LeftField:
            self._card = None
            raise errors.CardRemoved("the card was taken away too early") from None
        if answer is None or card.latency_ms > ANSWER_MS:
            raise errors.CardSilent("the card did not answer")
        return answer
