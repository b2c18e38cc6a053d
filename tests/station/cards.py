"""A house whose customers have the network's cards: rights, PINs and purses, and a hand that tears them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from card_io.application import ALL_PARTS, CardHeader, Part, PurseUnit
from card_io.entitlement import Entitlement, Limits
from card_io.issue import IssueSession
from card_io.keys import KeyRing
from card_io.layout import CardLayout
from card_io.pin import PinVerifier
from card_io.rotate import LoadSession
from card_io.transport import run_session_blocking
from controller.domain.desk import ExpectCard, PointState
from controller.domain.purse_records import PurseIntended
from controller.domain.purses import PurseCase
from controller.domain.records import Declined, Record, TenderKind
from sim.cards.broken import Tear, TornCard
from sim.cards.card import SimCard
from sim.cards.field import FieldCard
from sim.cards.inline import InlineReader
from sim.cards.make import new_state
from sim.cards.state import CardState, ValueFile
from sim.loop import VirtualLoop
from sim.site import LINES, PRICES, Place
from tests.cards.bench import NUMBER, UID, seeded
from tests.cards.office import OFFICE, STATION_KEYS, VAULT, VERSION
from tests.station.house import House
from tests.station.yard import DemoYard

STATION_NUMBER = 12
READ_KEYS = KeyRing.from_handover({f"1.{VERSION}": VAULT.for_station(1)["1"][str(VERSION)]})
"""Of a station without the debit key."""
LOADED = 200_000
"""In the purse, minor units."""
PIN = "2580"
UNLISTED = "7001234567890999"
PURSE_CSV = f"""\
card,plate,account,status,products,funds
{NUMBER},,ACME,active,diesel,card_purse
,16 SIM 401,BURSA,active,diesel,
"""
PLAIN = ALL_PARTS & ~(Part.PURSE | Part.TRANSACTION_MAC)
REST = Entitlement(UID, NUMBER, "ACME", 5, date(2026, 1, 1), date(2028, 12, 31), "diesel", "TRY")
PLATE = "16 SIM 401"


def entitled(number: str = NUMBER, **changes: Any) -> Entitlement:
    return replace(REST, card_number=number, **changes)


@cache
def _issued(rights: Entitlement, parts: Part, value: int, holds: PurseUnit) -> CardState:
    unit: PurseUnit | None = holds if Part.PURSE in parts else None
    layout = (
        CardLayout(parts, unit, 1_000_000, mac_key_version=VERSION)
        if unit
        else CardLayout(parts, mac_key_version=VERSION)
    )
    header = CardHeader(rights.card_number, "FLT1", rights.issuer, VERSION, parts, unit)
    card = SimCard(new_state(rights.uid), seeded())
    signed = rights.signed(VAULT)
    issue = IssueSession(OFFICE, VAULT, seeded(2), layout=layout, header=header, entitlement=lambda uid: signed)
    run_session_blocking(issue, card.transmit)
    if value:
        load = LoadSession(OFFICE, VAULT, seeded(3), uid=rights.uid, amount=value, reader_id=b"headquarters' 01")
        assert run_session_blocking(load, card.transmit).outcome == "applied"
    return card.state


def a_card(
    rights: Entitlement = REST, parts: Part = PLAIN, value: int = 0, holds: PurseUnit = "money_minor"
) -> SimCard:
    return SimCard(_issued(rights, parts, value, holds).copy(), seeded(4))


def a_purse(value: int = LOADED, rights: Entitlement = REST, holds: PurseUnit = "money_minor") -> SimCard:
    return a_card(rights, ALL_PARTS, value, holds)


def with_pin(number: str = NUMBER) -> Entitlement:
    return entitled(number, pin=PinVerifier.make(PIN, number, b"saltsalt", cost=10))


def limited(number: str, *, fill_ml: int | None = None, day_ml: int | None = None) -> Entitlement:
    return entitled(number, fill=Limits(fill_ml), day=Limits(day_ml))


class Hand(FieldCard):
    """Holds a card, and tears it out at the frame that is planned, counted from when the plan was made."""

    def __init__(self, card: SimCard) -> None:
        self.card = card
        self._held: FieldCard = card
        self.frames = 0

    def plan(self, tear: Tear) -> None:
        self._held = TornCard(self.card, tear)

    @property
    def atr(self) -> bytes:
        return self.card.atr

    @property
    def latency_ms(self) -> int:
        return self.card.latency_ms

    def reset(self) -> None:
        self._held.reset()

    def transmit(self, frame: bytes) -> bytes | None:
        self.frames += 1
        return self._held.transmit(frame)


def value_of(card: SimCard) -> int:
    """What is in the purse, as the chip keeps it."""
    file = card.state.applications[0].files[3]
    assert isinstance(file, ValueFile)
    return file.value


@dataclass(frozen=True)
class CardYard(DemoYard):
    """The demonstration's pumps; `keys` stand in the file's table of cards."""

    keys: str = f"station_number = {STATION_NUMBER}\npurse = true\nunlisted = true"

    def toml(self) -> str:
        before, _, rest = super().toml().partition("[cards]\n")
        rest = rest.partition("\n")[2].partition("\n")[2]
        mine = f'aid = "{OFFICE.aid.hex()}"\nsystem = "{OFFICE.system_id.decode()}"\n{self.keys}\n'
        return f"{before}[cards]\n{mine}{rest}"


@dataclass(frozen=True)
class WideYard(CardYard):
    """Sixteen pumps on two lines, a reader at each."""

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(Place(number, LINES[number % 2], 0x50 + number // 2, ("diesel",)) for number in range(1, 17))

    def toml(self) -> str:
        text, _, rest = super().toml().partition("[[points]]")
        points = "".join(
            f'[[points]]\nnumber = {place.number}\nline = "{place.line}"\naddress = {place.address}\n'
            'nozzles = ["diesel"]\n'
            for place in self.places
        )
        cards = rest[rest.index("[cards]") :]
        before, _, after = cards.partition("[[readers]]")
        readers = "".join(
            f'[[readers]]\npoint = {place.number}\nkind = "tcp"\nname = "house:{place.number}"\n'
            for place in self.places
        )
        return f"{text}{points}{before}{readers}[printer]{after.partition('[printer]')[2]}"


class CardHouse(House):
    """The house, with the network's keys; its customer has one card at a time in his hand."""

    def __init__(self, loop: VirtualLoop, folder: Path, *, debit_key: bool = True, **settings: Any) -> None:
        super().__init__(loop, folder, **{"cards_csv": PURSE_CSV, "yard": CardYard(), **settings})
        self.profile = OFFICE
        self.ring = STATION_KEYS if debit_key else READ_KEYS

    def reader(self, number: int = 1) -> InlineReader:
        return self._readers[number]

    def put_on(self, card: FieldCard, number: int = 1) -> None:
        self.reader(number).insert(card)

    def take_off(self, number: int = 1) -> None:
        self.reader(number).remove()

    @property
    def open_cases(self) -> list[PurseCase]:
        return list(self.books.purses.cases.values())

    def of_kind(self, kind: type[Record]) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    @property
    def intended(self) -> list[PurseIntended]:
        return self.of_kind(PurseIntended)

    async def refused(self, reason: str, number: int = 1) -> None:
        """Until the point's tile says this reason."""
        await self.until(lambda: self.point(number).reason == reason, 20)

    @property
    def declined(self) -> list[Declined]:
        return self.of_kind(Declined)

    async def expect(self, till: str, number: int) -> None:
        assert (await self.command(ExpectCard(self.next_id(), number), till)).done

    async def command_expect(self, number: int) -> str:
        """What the till hears when it names this pump."""
        return (await self.command(ExpectCard(self.next_id(), number))).reason

    async def pays(
        self, hand: FieldCard, volume_ml: int, *, number: int = 1, take_off_when: Callable[[], bool] | None = None
    ) -> None:
        """A customer: shows the card until fuel is let go, takes what is wanted, hangs up."""
        before = self.books.sums.deliveries
        self.lift(number)
        for _ in range(8):
            await self.state(number, *_BEFORE, seconds=30)
            self.put_on(hand, number)
            await self.until(lambda: self.point(number).state in _AFTER, 3, fails=False)
            if self.point(number).state in _AFTER:
                break
        await self.is_let_go(number)
        if take_off_when is not None and take_off_when():
            self.take_off(number)
        await self.fills(number, volume_ml)
        await self.until(lambda: self.books.sums.deliveries > before and self.point(number).state is PointState.IDLE)

    async def gets_back(self, hand: FieldCard, number: int = 1) -> None:
        """Shows the card until nothing is owed to it."""
        for _ in range(4):
            await self.wait(1)
            if not self.open_cases:
                return
            self.put_on(hand, number)
        raise AssertionError(f"still open: {self.open_cases}")

    def assert_all_paid_once(self, card: SimCard, loaded: int = LOADED) -> None:
        """What the purse lost is what was sold, and nothing is open."""
        assert not self.open_cases
        assert not self.books.usage.allotments.held
        sums = self.books.sums
        assert value_of(card) + sums.sales_amount_minor == loaded
        assert sums.sales == sums.deliveries
        settled = [tender.kind for sale in self.books.settled.values() for tender in sale.settlement.tenders]
        assert set(settled) == {TenderKind.CARD_PURSE}
        self.assert_books_agree()


_BEFORE = (PointState.CALLING, PointState.DECIDING, PointState.REFUSED, PointState.ERROR)
_AFTER = (PointState.AUTHORISED, PointState.FUELLING)
DIESEL_MINOR = PRICES["diesel"].value
"""A litre, in kuruş: the price has two decimals, as the money."""
