"""A network of cards for tests: one profile, one set of masters, cards of them, and events with deadlines."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from card_io.application import CardProfile
from card_io.identify import CardFacts, IdentifySession
from card_io.keys import KeyRing, KeyStore
from card_io.reader import CardReader, ReaderEvent
from card_io.transport import run_session_blocking
from sim.cards.card import SimCard
from sim.cards.field import FieldCard
from sim.cards.make import Masters, make_card
from sim.cards.vpcd import serve_vpcd

PROFILE = CardProfile(aid=bytes.fromhex("F5423F"), system_id=b"FORECOURT TEST")
MASTERS = Masters(PROFILE, {1: bytes(range(16)), 2: bytes(range(16, 32))}, key_version=3)
KEYS = KeyRing({3: bytes(range(16))})
NUMBER = "7001234567890123"
UID = bytes.fromhex("04A1B2C3D4E5F6")
DEADLINE_S = 60.0  # far beyond what any step takes; only a failing test waits for it


def seeded(seed: int = 1) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def card(number: str = NUMBER, uid: bytes = UID, seed: int = 1) -> SimCard:
    return make_card(number, "ACME", uid, MASTERS, seeded(seed))


def identify(sim: SimCard, *, profile: CardProfile = PROFILE, keys: KeyStore = KEYS) -> CardFacts:
    return run_session_blocking(IdentifySession(profile, keys, seeded(2)), sim.transmit)


async def sleep_ms(ms: int) -> None:
    await asyncio.sleep(ms / 1000)


async def stay_in_reader(sim: FieldCard, port: int, inserted: asyncio.Event) -> None:
    """Holds the card in pcscd's virtual reader until cancelled or until nobody listens there any more.

    The driver's two threads may close the connection of a card that follows hard on one that hung: it is put in again.
    """
    while True:
        try:
            await serve_vpcd(sim, "127.0.0.1", port, inserted=inserted)
        except ConnectionError:
            return


class Events:
    """A reader's events, each awaited with a deadline."""

    def __init__(self, events: AsyncIterator[ReaderEvent]) -> None:
        self._events = events

    async def next(self) -> ReaderEvent:
        async with asyncio.timeout(DEADLINE_S):
            return await anext(self._events)


@asynccontextmanager
async def listening(reader: CardReader) -> AsyncIterator[Events]:
    """The reader's events; at the end the reader is closed and its stream of events must end by itself."""
    events = reader.events()
    try:
        yield Events(events)
    finally:
        await reader.close()
        async with asyncio.timeout(DEADLINE_S):
            async for _ in events:
                pass


def write_key_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path
