"""Fetches lists from headquarters: asks what is newer, takes the file piece by piece, and has it put in place.

A file is signed in itself, so a piece needs no signature; what is wrong with it is found when it is taken. A fetch that
was broken off goes on where it was; if nothing good comes of that, it begins again. A delta that does not fit is
followed by the whole list. All waiting goes through the clock; the disk is behind `ListStore`. Knows no HTTP, no list.
"""

import asyncio
import errno
import logging
from collections.abc import Callable
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain.list_parts import LIST_NAME
from controller.domain.seams import US_PER_S, Clock
from sync.runner import LinkDown, Refused, Transport, post_patiently
from sync.wire import LISTS_PATH, ListAsk, ListPiece, Malformed, WireError, pack_list_ask, unpack_list_piece

EVERY_US = 300 * US_PER_S
"""As often as headquarters is asked anything at all."""
RETRY_US = 30 * US_PER_S
"""After a fetch that was broken off in the middle."""
REFUSED_US = 3_600 * US_PER_S
"""A file that was not taken is fetched again after this: the right keys may have been put in place meanwhile."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

log = logging.getLogger("forecourt.link")


class NotNow(Exception):
    """A list cannot be kept or taken just now, whatever stands in it. The text says why, and what to do."""


class ListStore(Protocol):
    """Where lists come to at a station. It may take long, and does not hold the loop.

    NotNow and OSError: it is tried again later, and what is here of a file stays, unless it took too much room.
    """

    async def held(self) -> int:
        """The version of the list in place, if headquarters signed it; else 0."""
        ...

    async def fetched(self, name: str, size: int) -> int:
        """How many bytes of this file are here, which is to have `size` of them. NotNow if there is no room for it."""
        ...

    async def add(self, name: str, offset: int, data: bytes) -> None:
        """Put a piece behind what is here."""
        ...

    async def take(self, name: str) -> str:
        """Put the list in place of the one before, or say in a sentence what is wrong with it. Then it is gone."""
        ...

    async def drop(self) -> None:
        """Let go of what is here of any file."""
        ...


class ListFetch:
    """One station's fetching: `run()` it beside the link. `trouble`: why the newest list is not taken; else empty."""

    def __init__(
        self,
        *,
        station: str,
        key: Ed25519PrivateKey,
        store: ListStore,
        transport: Transport,
        clock: Clock,
        on_trouble: Callable[[], None],
    ) -> None:
        """`on_trouble` is called whenever `trouble` has changed."""
        self._station = station
        self._key = key
        self._store = store
        self._transport = transport
        self._clock = clock
        self._on_trouble = on_trouble
        self._whole = False
        self._refused: tuple[str, int, int] | None = None
        """A file that was not taken, its size, and until when it is not fetched again."""
        self._fetching = False
        self._wake = asyncio.Event()
        self.trouble = ""

    def connected(self) -> None:
        """Headquarters is heard again."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. Nothing that goes wrong with a list ends it."""
        while True:
            self._wake.clear()
            try:
                while await self._fetch_one():
                    pass
                wait_us = EVERY_US
            except LinkDown as error:
                log.info("no list was fetched: %s", error)
                wait_us = RETRY_US if self._fetching else EVERY_US
            except (Refused, WireError) as error:
                log.info("headquarters gives no list: %s", error)
                wait_us = EVERY_US
            except NotNow as error:
                self._say(f"A list from headquarters waits, the old list stays: {error}")
                wait_us = EVERY_US
            except OSError as error:
                todo = "free disk space" if error.errno in NO_ROOM else "see to the disk"
                self._say(f"A list from headquarters cannot be kept ({error}): {todo}. The old list stays")
                wait_us = EVERY_US
            timer = self._clock.call_at(self._clock.now().mono_us + wait_us, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()

    async def _fetch_one(self) -> bool:
        """Fetch and take the next file. False if there is nothing more to do now."""
        self._fetching = False
        version = await self._store.held()
        first = await self._ask(ListAsk(self._station, version, self._whole))
        name = first.name
        if not name:
            await self._store.drop()
            self._whole = False
            self._say("")
            return False
        found = LIST_NAME.fullmatch(name)
        if found is not None and int(found[1]) < version:
            self._say(
                f"Headquarters has list version {found[1]}, and the one in place is version {version}: nothing is "
                f"taken before headquarters counts on (forecourt whitelist publish --version {version + 1})"
            )
            return False
        if self._waits(name, first.size):
            return False
        began = offset = await self._store.fetched(name, first.size)
        if offset > first.size:
            began = offset = 0  # it is another file of that name
        self._fetching = True
        while offset < first.size:
            piece = await self._ask(ListAsk(self._station, version, self._whole, name, offset))
            if (piece.name, piece.size, piece.offset) != (name, first.size, offset):
                await self._store.drop()
                raise LinkDown(f"headquarters changed {name}, or took it away, while it was fetched")
            if not piece.data:
                raise Malformed("headquarters sends a piece of a list with nothing in it")
            await self._store.add(name, offset, piece.data)
            offset += len(piece.data)
        return await self._take(name, first.size, resumed=began > 0)

    def _waits(self, name: str, size: int) -> bool:
        """This very file was not taken, not long ago."""
        refused, now_us = self._refused, self._clock.now().mono_us
        return refused is not None and refused[:2] == (name, size) and now_us < refused[2]

    async def _take(self, name: str, size: int, *, resumed: bool) -> bool:
        why_not = await self._store.take(name)
        if not why_not:
            log.info("%s from headquarters is in place", name)
            self._whole, self._refused = False, None
            self._say("")
            return True
        log.warning("%s from headquarters is not taken: %s", name, why_not)
        if resumed:
            return True  # its beginning may be of before a power cut, or of another file of that name: once more, whole
        if not self._whole and name.endswith(".delta"):
            self._whole = True
            return True
        self._refused = name, size, self._clock.now().mono_us + REFUSED_US
        self._say(f"Headquarters' {name} is not taken, the old list stays: {why_not}")
        return False

    async def _ask(self, ask: ListAsk) -> ListPiece:
        answer = await post_patiently(self._transport, self._clock, LISTS_PATH, pack_list_ask(ask, self._key))
        return unpack_list_piece(answer)

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._on_trouble()
