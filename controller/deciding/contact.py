"""How long ago headquarters was last heard: exactly while the controller runs, by the journal after a restart.

While headquarters is heard, a row of the journal says so at least hourly. Knows no wire and no decision.
"""

import asyncio
import logging

from controller.domain.headquarters import Headquarters, LinkState
from controller.domain.records import Contact
from controller.domain.seams import US_PER_MS
from controller.site import Site
from controller.store.writer import JournalUnwritable

EVERY_MS = 3_600_000

log = logging.getLogger("forecourt.station")


class LastContact:
    """Follows the link's state. `run()` it beside the link."""

    def __init__(self, site: Site, headquarters: Headquarters) -> None:
        self._site = site
        self._headquarters = headquarters
        self._connected = headquarters.state.connected
        self._lost_us: int | None = None
        self._woken = asyncio.Event()

    def changed(self, state: LinkState) -> None:
        """The link has another state."""
        if self._connected and not state.connected:
            self._lost_us = self._site.clock.now().mono_us
        if state.connected and not self._connected:
            self._woken.set()
        self._connected = state.connected

    @property
    def age_ms(self) -> int:
        """Zero while headquarters is heard."""
        if self._connected:
            return 0
        by_journal_ms = self._site.elapsed_ms - self._site.books.usage.contact_ms
        if self._lost_us is None:
            return by_journal_ms
        return min(by_journal_ms, (self._site.clock.now().mono_us - self._lost_us) // US_PER_MS)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            if self._connected and self._due_ms <= 0:
                try:
                    await self._site.write(Contact(self._headquarters.state.waiting_rows))
                except JournalUnwritable as error:
                    log.warning("the contact with headquarters could not be written: %s", error)
            wait_us = (self._due_ms if self._due_ms > 0 else EVERY_MS) * US_PER_MS
            timer = self._site.clock.call_at(self._site.clock.now().mono_us + wait_us, self._woken.set)
            try:
                await self._woken.wait()
            finally:
                timer.cancel()

    @property
    def _due_ms(self) -> int:
        """Until the next row; the first one of a journal is due at once."""
        usage = self._site.books.usage
        return EVERY_MS - (self._site.elapsed_ms - usage.contact_ms) if usage.contact_ms else 0
