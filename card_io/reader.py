"""The reader seam: what any card reader tells the station, whatever it hangs on.

Events come in this order, and a consumer may lean on it: nothing but ReaderDown comes before ReaderUp; each card is
one CardPresented or one CardRefused, then CardRemoved; ReaderDown ends whatever card was shown, without a
CardRemoved of its own. The events are also the lines that the PC/SC child writes, hence msgspec structs.

A card in the field may be changed, by an order that names it. One session at a time is the reader's own affair: an
order waits for the session before it. Orders may be given by whoever iterates the events, between two of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeAlias

import msgspec

from card_io.facts import CardFacts
from card_io.orders import ChangeOrder, ResolveOrder, Unresolved
from card_io.purse import Resolved
from card_io.transaction import Changed

Sleep: TypeAlias = Callable[[int], Awaitable[None]]
"""Waits so many milliseconds; comes from whoever owns the clock."""


class CardPresented(msgspec.Struct, frozen=True, tag="presented"):
    """A card was read; see CardFacts for how far it may be trusted."""

    facts: CardFacts


class CardRefused(msgspec.Struct, frozen=True, tag="refused"):
    """A card could not be read. `error_kind` is `CardError.kind`, `text` says what happened and what to do."""

    error_kind: str
    text: str


class CardRemoved(msgspec.Struct, frozen=True, tag="removed"):
    """The card that was presented or refused left."""


class ReaderDown(msgspec.Struct, frozen=True, tag="down"):
    """The reader can't be used; it is tried again without end. Said once for each outage and reason."""

    text: str


class ReaderUp(msgspec.Struct, frozen=True, tag="up"):
    """The reader works (again)."""


ReaderEvent: TypeAlias = CardPresented | CardRefused | CardRemoved | ReaderDown | ReaderUp


class CardReader(Protocol):
    """One reader. `events()` is iterated once, by one task; `close()` ends it from another, and may come twice."""

    def events(self) -> AsyncIterator[ReaderEvent]: ...

    async def change(self, order: ChangeOrder) -> Changed:
        """Carry out a change on the card in the field. Never raises a CardError, and ends within bounded time.

        "unknown" also where the reader's own process ended meanwhile.
        """

    async def resolve(self, order: ResolveOrder) -> Resolved | Unresolved:
        """Read what became of a debit from the card in the field."""

    async def close(self) -> None: ...


async def pause(sleep: Sleep, ms: int, closing: asyncio.Event) -> None:
    """Waits `ms` milliseconds, or less when the reader is being closed."""
    waits = {asyncio.ensure_future(sleep(ms)), asyncio.ensure_future(closing.wait())}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
