"""Headquarters asked for money of a prepaid account, for one delivery; and told of what came to nothing.

The order: `grant_intended` on disk; the question under that row's name; the decision; `authorised`, which names it.
What no authorisation took, for whatever reason, is voided: again and again until headquarters has heard it, also after
a restart, since the books know it. Knows no pump, no tile and no wire.
"""

import asyncio
import logging
from collections.abc import Callable

from controller.domain.grant_records import GrantIntended, GrantVoided
from controller.domain.grants import grant_command, void_command
from controller.domain.headquarters import Granted, Headquarters, LinkState
from controller.domain.names import RowName
from controller.domain.questions import GrantAnswer, GrantAsk, Heard, VoidAnswer, VoidAsk
from controller.site import Site
from controller.store.writer import JournalUnwritable

VOID_AGAIN_S = 30
"""After a void that nobody answered, or that headquarters would not take."""

log = logging.getLogger("forecourt.station")


class HeadquartersGrants:
    """Implements `controller.domain.grants.GrantDesk`. `run()` it beside the link."""

    def __init__(self, site: Site, headquarters: Headquarters) -> None:
        self._site = site
        self._headquarters = headquarters
        self._undecided: set[RowName] = set()
        """Asked by this run of the program, and not over: not to be voided yet."""
        self._asking: set[asyncio.Task[None]] = set()
        self._stir = asyncio.Event()
        site.on_change(self._stir.set)
        headquarters.on_state(self._link_changed)

    @property
    def reachable(self) -> bool:
        return self._headquarters.state.connected

    async def ask(self, point: int, account: str, most_minor: int, heard: Callable[[Granted], None]) -> RowName:
        """See GrantDesk."""
        (body,) = await self._site.write(GrantIntended(point, account, most_minor))
        self._undecided.add(body.name)
        task = asyncio.ensure_future(self._ask(body.name, GrantAsk(account, most_minor), heard))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return body.name

    def over(self, asked: RowName) -> None:
        """See GrantDesk."""
        self._undecided.discard(asked)
        self._stir.set()

    async def run(self) -> None:
        """Void what is owed. Until cancelled."""
        try:
            while True:
                self._stir.clear()
                if self.reachable and not await self._void_all():
                    await self._site.sleep_s(VOID_AGAIN_S)
                    continue
                await self._stir.wait()
        finally:
            for task in list(self._asking):
                task.cancel()

    # ---- inside

    async def _ask(self, name: RowName, question: GrantAsk, heard: Callable[[Granted], None]) -> None:
        outcome = await self._headquarters.ask(question, grant_command(name))
        if outcome.heard is Heard.ANSWERED and isinstance(outcome.answer, GrantAnswer):
            heard(Granted(outcome.answer.amount_minor, name))
        else:
            log.info("grant %s: %s %s", name.text, outcome.heard, outcome.text)
            heard(Granted(None, name))

    async def _void_all(self) -> bool:
        """Whether nothing is owed any more. One that is refused holds up no other."""
        all_given = True
        for name in self._site.books.grants.owed:
            if name in self._undecided:
                continue
            outcome = await self._headquarters.ask(VoidAsk(grant_command(name)), void_command(name))
            if outcome.heard is not Heard.ANSWERED or not isinstance(outcome.answer, VoidAnswer):
                log.info("void of grant %s: %s %s", name.text, outcome.heard, outcome.text)
                all_given = False
                continue
            try:
                await self._site.write(GrantVoided(name, outcome.answer.given_back))
            except JournalUnwritable:
                return False
        return all_given

    def _link_changed(self, state: LinkState) -> None:
        if state.connected:
            self._stir.set()
