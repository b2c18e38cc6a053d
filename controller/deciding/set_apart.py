"""What headquarters sets apart at this station comes with its acknowledgements: each is a row of the journal, once.

It is told again until headquarters has seen that row. Knows no wire and no decision.
"""

import asyncio
import logging

from controller.domain.allotments import account_pot
from controller.domain.headquarters import Headquarters, SetApart
from controller.domain.records import Allotted
from controller.site import Site
from controller.store.writer import JournalUnwritable

log = logging.getLogger("forecourt.station")


class SetApartHere:
    """Writes what is told. `run()` it beside the link."""

    def __init__(self, site: Site, headquarters: Headquarters) -> None:
        self._site = site
        self._told: asyncio.Queue[SetApart] = asyncio.Queue()
        headquarters.on_set_apart(self._told.put_nowait)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            told = await self._told.get()
            pot = told.pot or account_pot(told.account)
            known = self._site.books.usage.allotments.pots.get(pot)
            if known is not None and told.allotment_id in known.ids:
                continue
            try:
                row = Allotted(told.allotment_id, pot, told.amount_minor, "", "", told.valid_until_ms)
                await self._site.write(row)
            except JournalUnwritable as error:
                while not self._told.empty():  # in their order only: what is taken off comes before what is given
                    self._told.get_nowait()
                log.warning("what headquarters set apart could not be written, it will be told again: %s", error)
