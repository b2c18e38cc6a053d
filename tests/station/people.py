"""Who stands at a house's pumps and tills: what they lift, show and take, and what they tell the station.

It must not know how the house is put together; see `tests.station.house`.
"""

import asyncio

from controller.domain.desk import (
    AnswerNeed,
    AuthorisePoint,
    Command,
    CommandResult,
    LeaseDelivery,
    Need,
    PayDelivery,
    PointState,
)
from controller.domain.records import TenderKind
from controller.pumps.dart import transactions as dart
from sim.cards.card import SimCard
from sim.cards.inline import InlineReader
from sim.pumps.head import PumpHead
from tests.station.seen import Seen
from tests.station.yard import AnyYard

CARD = "9001000000000101"
CARD_ODOMETER = "9001000000000102"
CARD_PLATE = "9001000000000103"
CARD_GASOLINE = "9001000000000301"
CARD_STOPPED = "9001000000000302"
CARD_EARLY, CARD_LATE = "9001000000000201", "9001000000000202"
ITS_PLATE = "34 SIM 103"
KNOWN_PLATE = "16 SIM 401"
CARDS_CSV = f"""\
card,plate,account,status,products,valid_from,valid_until,only_plate,ask_odometer,fill_volume,day_volume
{CARD},,KUZEY,active,diesel,,,,no,60,2000
{CARD_ODOMETER},,KUZEY,active,diesel,,,,yes,60,2000
{CARD_PLATE},,KUZEY,active,diesel;gasoline,,,{ITS_PLATE},no,60,2000
{CARD_GASOLINE},,EGE,active,gasoline,,,,no,20,35
{CARD_STOPPED},,EGE,stopped,gasoline,,,,no,60,2000
{CARD_EARLY},,ANKARA,active,gasoline,2027-01-01,,,no,60,2000
{CARD_LATE},,ANKARA,active,gasoline,,2025-12-30,,no,60,2000
,{KNOWN_PLATE},BURSA,active,gasoline;diesel,,,,no,60,2000
"""
GASOLINE, DIESEL = 1, 2
"""Nozzles of points 1 and 2."""
TILL, OTHER_TILL = "till-1", "till-2"


class People(Seen):
    """Customers and attendants. Who puts the house together sets what is named here."""

    cards: dict[str, SimCard]
    yard: AnyYard
    _readers: dict[int, InlineReader]
    _ids: int

    # ---- the customer

    def head(self, number: int = 1) -> PumpHead:
        return self.pumps[number].head

    @property
    def diesel(self) -> int:
        """The nozzle of diesel at point 1."""
        return self.yard.places[0].grades.index("diesel") + 1

    def lift(self, number: int = 1, nozzle: int | None = None) -> None:
        self.head(number).lift(nozzle or self.diesel, self.now_us)

    def squeeze(self, number: int = 1, volume_ml: int = 10_000) -> None:
        self.head(number).squeeze(volume_ml, self.now_us)

    def hang_up(self, number: int = 1) -> None:
        self.head(number).hang_up(self.now_us)

    async def fill_by_card(self, number: int = 1, volume_ml: int = 10_000, card: str = CARD) -> None:
        """A whole delivery on a card's account."""
        before = self.books.sums.sales
        await self.calls(number)
        self.show_card(number, card)
        await self.shows_nothing(number)
        await self.fills(number, volume_ml)
        await self.until(lambda: self.books.sums.sales > before and self.point(number).state is PointState.IDLE)

    def show_card(self, number: int = 1, card: str = CARD) -> None:
        self._readers[number].insert(self.cards[card])

    async def shown_ml(self, volume_ml: int, number: int = 1, *, seconds: float = 300) -> None:
        """Until the pump's display shows at least so much."""
        await self.until(lambda: self.head(number).volume_ml(self.now_us) >= volume_ml, seconds)

    async def shows_nothing(self, number: int = 1) -> None:
        """Until the pump has taken the order: then the delivery before has gone from its display."""
        await self.until(lambda: self.head(number).volume_ml(self.now_us) == 0, 10)

    async def fills(self, number: int = 1, volume_ml: int = 10_000) -> None:
        """Squeeze, wait until all has run, hang up."""
        self.squeeze(number, volume_ml)
        await self.shown_ml(volume_ml, number)
        self.hang_up(number)

    async def calls(self, number: int = 1, nozzle: int | None = None) -> None:
        self.lift(number, nozzle)
        await self.state(number, PointState.CALLING, seconds=30)

    async def is_let_go(self, number: int = 1) -> None:
        """Until the pump itself says that it may deliver."""
        await self.until(lambda: self.twins[number].state is dart.State.AUTHORIZED, 10)
        await self.state(number, PointState.AUTHORISED)

    async def cash_delivery(self, number: int = 1, volume_ml: int = 10_000, nozzle: int | None = None) -> str:
        """A whole delivery on an attendant's word, left unpaid. Returns the delivery's id."""
        before = self.books.sums.deliveries
        await self.calls(number, nozzle)
        assert (await self.authorise(number)).done
        await self.shows_nothing(number)
        await self.fills(number, volume_ml)
        await self.until(lambda: self.books.sums.deliveries > before and self.point(number).state is PointState.IDLE)
        return self.point(number).unpaid[-1].delivery_id

    # ---- the tills

    def next_id(self) -> str:
        self._ids += 1
        return f"command-{self._ids}"

    async def command(self, command: Command, till: str = TILL) -> CommandResult:
        """A till's command; it ends with the controller."""
        return await self.station.command(till, command)

    def send(self, command: Command, till: str = TILL) -> asyncio.Task[CommandResult]:
        """As `command`, without waiting for the answer."""
        return asyncio.ensure_future(self.station.command(till, command))

    async def authorise(
        self, number: int = 1, *, plate: str = "", volume_ml: int | None = None, amount_minor: int | None = None
    ) -> CommandResult:
        return await self.command(AuthorisePoint(self.next_id(), number, plate, volume_ml, amount_minor))

    def answering(self, number: int, need: Need, value: str) -> AnswerNeed:
        """An answer to what this pump asks now."""
        return AnswerNeed(self.next_id(), number, need, value, self.point(number).question)

    async def answer(self, number: int, need: Need, value: str) -> CommandResult:
        return await self.command(self.answering(number, need, value))

    async def lease(self, delivery_id: str, till: str = TILL) -> CommandResult:
        return await self.command(LeaseDelivery(self.next_id(), delivery_id), till)

    async def pay(
        self, delivery_id: str, given_minor: int = 10**7, till: str = TILL, *, tender: TenderKind = TenderKind.CASH
    ) -> CommandResult:
        """Lease and pay."""
        leased = await self.lease(delivery_id, till)
        if not leased.done:
            return leased
        return await self.command(PayDelivery(self.next_id(), delivery_id, tender, given_minor), till)
