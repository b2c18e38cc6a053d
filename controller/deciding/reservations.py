"""Money that stays reserved for lost deliveries: shown until it is known what became of it, and a manager's way out.

A totaliser says what ran out (`controller.deciding.doubts`). Where a pump has none, or never comes back, only a person
can: what he says, and how he knows it, is a row of the journal. Knows no decision and no protocol.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from controller.deciding.decisions import refuse
from controller.domain.allotments import Held
from controller.domain.desk import CommandResult, Unreserve
from controller.domain.quantities import money_text, volume_for
from controller.domain.reasons import Reason
from controller.domain.records import Record, Released, RowName, Unreserved, parse_row_name
from controller.domain.seams import US_PER_S
from controller.site import Site
from controller.store.writer import JournalUnwritable

SHOWN_AFTER_S = 60
"""A pump that has a totaliser has told it by then."""


class Reservations:
    """All reservations of a station. `offline`: whether a fuelling point's pump does not answer."""

    def __init__(self, site: Site, offline: Callable[[int], bool]) -> None:
        self._site = site
        self._offline = offline
        self._since_us: dict[str, int] = {}
        self._shown: set[str] = set()
        self._ending = asyncio.Lock()
        """One word after the other: the second manager at once must hear that it is over."""
        site.on_change(self._look)

    async def end(self, command: Unreserve, till: str) -> CommandResult:
        """Do what a manager says of a reservation."""
        async with self._ending:
            reason = await self._end(command, till)
        if reason is not None:
            return refuse(command.command_id, reason)
        return CommandResult(command.command_id, done=True)

    # ---- inside

    async def _end(self, command: Unreserve, till: str) -> Reason | None:
        found = self._found(command)
        if found is None:
            return Reason.RESERVATION_UNKNOWN
        name, held = found
        if not (held.doubtful or self._offline(held.point)):
            return Reason.RESERVATION_IN_USE
        spent_minor = held.amount_minor if command.spent_minor is None else command.spent_minor
        if not command.reason.strip() or not 0 <= spent_minor <= held.amount_minor:
            return Reason.UNRESERVE_INVALID
        volume_ml = None
        if command.spent_minor is not None:
            volume_ml = volume_for(spent_minor, held.price, self._site.currency)
        said: dict[str, Any] = {"till": till, "command_id": command.command_id, "reason": command.reason.strip()}
        rows: list[Record] = [Unreserved(name, held.pot, spent_minor, volume_ml, **said)]
        if not held.doubtful:
            # The pump is gone with its authorisation: whatever it says one day belongs to nobody.
            rows.insert(0, Released(name, "given up by a manager", proven=False))
        try:
            await self._site.write(*rows)
        except JournalUnwritable:
            return Reason.JOURNAL_FULL
        return None

    def _found(self, command: Unreserve) -> tuple[RowName, Held] | None:
        """The one that is meant."""
        held = self._site.books.usage.allotments.held
        if command.row:
            return (parse_row_name(command.row), held[command.row]) if command.row in held else None
        there = [(parse_row_name(name), each) for name, each in held.items() if each.point == command.point]
        return there[0] if len(there) == 1 else None

    def _look(self) -> None:
        """Say what is in doubt for long."""
        held = self._site.books.usage.allotments.held
        if not held and not self._since_us:
            return
        clock = self._site.clock
        now_us = clock.now().mono_us
        doubtful = {name: each for name, each in held.items() if each.doubtful}
        for name in [name for name in self._since_us if name not in doubtful]:
            del self._since_us[name]
            if name in self._shown:
                self._shown.remove(name)
                self._site.trouble(f"reservation {name}", None)
        for name, each in doubtful.items():
            since_us = self._since_us.get(name)
            if since_us is None:
                self._since_us[name] = now_us
                clock.call_at(now_us + SHOWN_AFTER_S * US_PER_S, self._look)
            elif name not in self._shown and now_us - since_us >= SHOWN_AFTER_S * US_PER_S:
                self._shown.add(name)
                self._site.trouble(f"reservation {name}", self._text(name, each))

    def _text(self, name: str, held: Held) -> str:
        amount = money_text(held.amount_minor, self._site.currency)
        return (
            f"{amount} stay reserved for a delivery that pump {held.point}, nozzle {held.nozzle} has lost: its "
            "totaliser tells what ran out. If it never will, a manager says it: "
            f"forecourt station unreserve {name} --spent AMOUNT --reason TEXT"
        )
