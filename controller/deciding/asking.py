"""Headquarters asked for one fuelling point: the question goes, and its answer comes back in the point's own turn.

Meanwhile the point hears its pump, its reader and its tills. Knows no pump, no tile and no wire, and not who may fuel.
"""

import asyncio
from collections.abc import Awaitable, Callable

from controller.deciding.answers import Pending, QuestionIds
from controller.deciding.facts import most_minor
from controller.domain.decide import Facts
from controller.domain.grants import GrantDesk
from controller.domain.headquarters import Granted
from controller.domain.questions import Outcome, Question
from controller.site import Site

InTurn = Callable[[Callable[[], Awaitable[None]]], None]
"""Has something done when a point has handled all that came before."""
Told = Callable[[Pending, Granted], Awaitable[None]]


class Asking:
    """For the point of this number. `told` gets what was pending and the answer, in turn; nothing may be pending any
    more."""

    def __init__(self, site: Site, number: int, in_turn: InTurn, told: Told) -> None:
        self._site = site
        self._number = number
        self._in_turn = in_turn
        self._told = told
        self._questions: set[asyncio.Task[None]] = set()
        self._ids = QuestionIds(site, number)

    @property
    def reachable(self) -> bool:
        """Whether headquarters is heard."""
        headquarters = self._site.headquarters
        return headquarters is not None and headquarters.state.connected

    def question(self, question: Question, told: Callable[[Outcome], Awaitable[None]]) -> None:
        """Ask it; `told` gets how it ended, in turn: also when nobody answered in time."""
        headquarters = self._site.headquarters
        assert headquarters is not None  # `reachable` said so
        name = self._ids.next()

        async def ask() -> None:
            outcome = await headquarters.ask(question, name)
            self._in_turn(lambda: told(outcome))

        task = asyncio.ensure_future(ask())
        self._questions.add(task)
        task.add_done_callback(self._questions.discard)

    def wanted_minor(self, pending: Pending, facts: Facts) -> int | None:
        """Up to how much it would be asked for (0: there is no bound); None where it makes no sense to ask."""
        grants = self._site.grants
        if grants is None or not grants.reachable or pending.request is None:
            return None
        return most_minor(pending.request, facts, self._site.wall_ms)

    async def grant(self, pending: Pending, facts: Facts, most: int) -> None:
        """Ask for money of a prepaid account. JournalUnwritable: nothing was asked."""
        grants, row = self._site.grants, facts.found.row
        assert grants is not None  # `wanted_minor` said so
        assert row is not None

        def heard(granted: Granted) -> None:
            self._in_turn(lambda: self._decided(grants, pending, granted))

        await grants.ask(self._number, row.account, most, heard)

    async def _decided(self, grants: GrantDesk, pending: Pending, granted: Granted) -> None:
        try:
            await self._told(pending, granted)
        finally:
            if granted.asked is not None:
                grants.over(granted.asked)
