"""The attendant of a simulated station: authorises, answers what a card asks, takes the money.

Speaks to the station as a till does, in the desk's words, and looks through the window at who stands where.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Protocol

from controller.domain.desk import (
    AnswerNeed,
    AuthorisePoint,
    Command,
    CommandResult,
    LeaseDelivery,
    Need,
    PayDelivery,
    PointState,
    PointView,
    PresentAfter,
    Shown,
    Snapshot,
    UnpaidView,
)
from controller.domain.records import TenderKind
from controller.domain.seams import US_PER_MS, Clock
from sim.chance import Chance
from sim.customers import Pays, Visit

COMMAND_ID_BYTES = 8
BANKNOTE_MINOR = 5_000
"""Customers pay with notes of 50: the smallest sum of them that is enough."""
ODOMETER_STEP_KM = 5


class TillDesk(Protocol):
    """The station, as this attendant's till sees it."""

    async def changed(self) -> None:
        """Return when there may be something new to see."""
        ...

    def snapshot(self) -> Snapshot: ...

    async def command(self, command: Command) -> CommandResult: ...


Window = Callable[[int], Visit | None]
"""Who stands at this fuelling point."""


class Attendant:
    """Serves until cancelled. `reaction_ms`: how long it takes to notice (least, most)."""

    def __init__(
        self,
        desk: TillDesk,
        window: Window,
        clock: Clock,
        chance: Chance,
        reaction_ms: tuple[int, int] = (800, 3_000),
        shown: Sequence[Shown | None] = (),
    ) -> None:
        """`shown`: what customers who pay at the till show there for their points, in turn."""
        self._desk = desk
        self._window = window
        self._clock = clock
        self._chance = chance
        self._reaction_ms = reaction_ms
        self._shown = cycle(shown or (None,))
        self._odometer_km = 10_000

    async def run(self) -> None:
        while True:
            await self._desk.changed()
            pause_us = self._chance.between(*self._reaction_ms) * US_PER_MS
            await self._clock.sleep_until(self._clock.now().mono_us + pause_us)
            for point in self._desk.snapshot().points:
                await self._serve(point)
                for unpaid in point.unpaid:
                    await self._take_money(unpaid)

    async def _serve(self, point: PointView) -> None:
        visit = self._window(point.number)
        if visit is None:
            return
        if point.state is PointState.CALLING and visit.pays is not Pays.CARD:
            plate = visit.holder.plate if visit.pays is Pays.PLATE and visit.holder else ""
            grade = "" if plate else _grade(point, visit)
            await self._desk.command(AuthorisePoint(self._id(), point.number, plate=plate, grade=grade))
        elif point.state is PointState.REFUSED and visit.pays is Pays.PLATE:
            await self._desk.command(AuthorisePoint(self._id(), point.number, grade=_grade(point, visit)))
        elif point.state is PointState.DECIDING and point.need is Need.GRADE:
            await self._answer(point, Need.GRADE, str(visit.nozzle))
        elif point.state is PointState.DECIDING and point.need is Need.PLATE and visit.holder:
            await self._answer(point, Need.PLATE, visit.holder.plate)
        elif point.state is PointState.DECIDING and point.need is Need.ODOMETER:
            self._odometer_km += ODOMETER_STEP_KM
            await self._answer(point, Need.ODOMETER, str(self._odometer_km))

    async def _answer(self, point: PointView, need: Need, value: str) -> None:
        await self._desk.command(AnswerNeed(self._id(), point.number, need, value, point.question))

    async def _take_money(self, unpaid: UnpaidView) -> None:
        leased = await self._desk.command(LeaseDelivery(self._id(), unpaid.delivery_id))
        if not leased.done:
            return
        if (shown := next(self._shown)) is not None:
            # A card that was shown at the pump already is not shown again: then this is refused.
            await self._desk.command(PresentAfter(self._id(), unpaid.delivery_id, shown))
        tender, given_minor = TenderKind.BANK_CARD, unpaid.amount_minor
        if self._chance.one_in(2):
            tender = TenderKind.CASH
            given_minor = -(-unpaid.amount_minor // BANKNOTE_MINOR) * BANKNOTE_MINOR
        await self._desk.command(PayDelivery(self._id(), unpaid.delivery_id, tender, given_minor))

    def _id(self) -> str:
        return self._chance.random_bytes(COMMAND_ID_BYTES).hex()


def _grade(point: PointView, visit: Visit) -> str:
    """What one sees in the customer's hand, where the pump does not say it."""
    return str(visit.nozzle) if point.choices else ""


class Bell:
    """An event that remembers a ring: for `TillDesk.changed`."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event.clear()
