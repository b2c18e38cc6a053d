"""A whole station in virtual time for one test: the production Station on a real journal, with simulated devices.

A test lifts nozzles, shows cards, gives a till's commands, lets virtual time pass until something is so, breaks the
disk, the link or a pump, and kills the controller at a named moment. Pumps, paper, disk and headquarters outlive it.
"""

import asyncio
import inspect
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from card_io.keys import KeyRing
from controller.config import LineTable, StationConfig, parse
from controller.domain.books import Books
from controller.domain.days import BusinessDay
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
    Snapshot,
)
from controller.domain.records import Authorised, Body, Declined, Delivery, Record, TenderKind, kind_of
from controller.domain.seams import US_PER_MS, US_PER_S
from controller.points.point import CardRejected, FuellingPoint, TokenShown
from controller.printing.escpos import MODELS
from controller.printing.spool import MemorySpool, PrintQueue
from controller.pumps import words
from controller.pumps.core import LinePort
from controller.pumps.dart import transactions as dart
from controller.site import Lists
from controller.station import Station, read_books
from controller.store.journal import Journal
from controller.store.whitelist import Whitelist
from controller.store.whitelist_import import build, read_csv
from controller.store.writer import InlineWriter, JournalUnwritable
from sim.cards.card import SimCard
from sim.cards.inline import InlineReader
from sim.chance import Chance
from sim.faults import FaultyTwin
from sim.keypads import KeypadInPlace
from sim.loop import VirtualClock, VirtualLoop, run
from sim.printer import PrintedSlip, PrinterTwin
from sim.pumps.head import PumpHead
from sim.pumps.port import SimLinePort
from sim.site import PROFILE, STATION_ID, make_cards
from sync.link import StationLink
from sync.runner import Transport
from tests.station.yard import AnyYard, DemoYard, Heard, Wire, faulty

SEED = 7
START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: three in the morning in Istanbul, an hour before the business day ends."""
LOOK_MS = 50
DAY_STARTS_HOUR = 4
COMMIT_US = (300, 6_000)
PRINT_MS = 1_500
ROUNDING_ML = 10
"""A display and a totaliser of hundredths each cut off less than this."""

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


class Disk(InlineWriter):
    """The journal's writer on a disk that may be full, and that tells the house before and after each commit."""

    def __init__(self, house: "House", journal: Journal, chance: Chance) -> None:
        super().__init__(journal, house.clock, chance.random_bytes(8), lambda: chance.between(*COMMIT_US))
        self._house = house

    async def append(self, *records: Record) -> tuple[Body, ...]:
        for record in records:
            self._house.moment(f"before {kind_of(record)}")
        if self._house.dead:
            await asyncio.sleep(3_600)  # it died in the call: nothing of it reaches the disk
        if self._house.disk_full and self._house.disk_full(records):
            raise JournalUnwritable("the disk is full (test): free disk space; nothing was lost")
        written = asyncio.ensure_future(super().append(*records))
        await asyncio.sleep(0)  # the commit itself; its caller hears of it after the disk's delay
        for record in records:
            self._house.moment(f"after {kind_of(record)}")
        return await written


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What a power cut at one moment would leave: the rows of a copy of the journal's files."""

    at_us: int
    what: str
    kinds: tuple[str, ...]


class House:
    """The station and its street. `start()` it, use it, `close()` it."""

    def __init__(
        self,
        loop: VirtualLoop,
        folder: Path,
        *,
        cards_csv: str | None = CARDS_CSV,
        headquarters: bool = False,
        yard: AnyYard | None = None,
        keypads: tuple[int, ...] = (),
    ) -> None:
        self.loop = loop
        self.yard = yard or DemoYard()
        self.folder = folder
        self.clock = VirtualClock(loop, START_MS)
        secrets = Chance(SEED, "secrets")
        self._list_secret = secrets.random_bytes(32)
        master = secrets.random_bytes(16)
        self.profile, self.ring = PROFILE, KeyRing({1: master})
        self.till_readers: dict[str, InlineReader] = {}
        self.keypads = {number: KeypadInPlace(f"keypad-{number}:7900", self.clock) for number in keypads}
        self.cards: dict[str, SimCard] = make_cards(master, Chance(SEED, "cards"))
        self.pumps: dict[int, FaultyTwin] = {place.number: faulty(self.yard, place, SEED) for place in self.yard.places}
        self.twins: dict[int, Any] = {number: pump.twin for number, pump in self.pumps.items()}
        """Without the faults around them: of the yard's protocol."""
        self.wires = {number: Wire(pump) for number, pump in self.pumps.items()}
        if self.yard.protocol == "dart":
            for number, twin in self.twins.items():
                twin.log = Heard(number, self._pump_hears)
        self.told: list[tuple[int, words.PumpEvent]] = []
        """What pumps have said, by the points that heard it."""
        self.config: StationConfig = parse(_toml(self.yard), folder / "station.toml")
        self.list_path = folder / "whitelist.db"
        if cards_csv is not None:
            self.write_list(cards_csv)
        self.code_keys: tuple[bytes, ...] = ()
        """By which codes of one use are signed."""
        self.transport: Transport | None = None
        self.link_key: Any = None
        self._with_headquarters = headquarters
        self.disk_full: Callable[[Sequence[Record]], bool] | None = None
        self.lines_down: set[str] = set()
        self.orders: list[OnDisk] = []
        self.watch_orders = False
        self.slips: list[PrintedSlip] = []
        self._paper = PrinterTwin(MODELS["epson"], 42)
        self.spool = MemorySpool()
        self._epochs = Chance(SEED, "epochs")
        self._boots = 0
        self._ids = 0
        self._kill_at: Callable[[str], bool] | None = None
        self._at: list[tuple[str, Callable[[], object]]] = []
        self.dead = True
        self.died_at = ""
        self._life: asyncio.Task[None] | None = None
        self._readers: dict[int, InlineReader] = {}

    def write_list(self, text: str, version: int = 1) -> None:
        """Put a whitelist in place."""
        csv_path = self.folder / "cards.csv"
        csv_path.write_text(text, encoding="utf-8")
        build(self.list_path, read_csv(csv_path, self._list_secret, self.config.currency, self.config.zone), version)

    def make_lists(self) -> Lists:
        """The whitelist as the station looks it up."""
        return Whitelist(self.list_path)

    # ---- the controller's lives

    async def start(self) -> None:
        """The controller starts, as the daemon starts it."""
        assert self.dead, "it runs already"
        self._boots += 1
        self.dead, self.died_at = False, ""
        self.journal = Journal(self.folder / "journal.db", randomness=Chance(SEED, f"seals/{self._boots}"))
        chance = Chance(SEED, f"boot/{self._boots}")
        self.writer = Disk(self, self.journal, chance)
        link = None
        if self.transport is not None:
            link = StationLink(
                station=STATION_ID,
                key=self.link_key,
                outbox=self.writer,
                transport=self.transport,
                clock=self.clock,
                randomness=chance,
            )
        self._readers = {
            place.number: InlineReader(self.profile, self.ring, chance.random_bytes) for place in self.yard.places
        }
        self.station = Station(
            self.config,
            books=read_books(self.journal, self.config),
            writer=self.writer,
            lists=self.make_lists(),
            list_secret=self._list_secret,
            clock=self.clock,
            open_port=self._open_port,
            readers=self._readers,
            print_queue=PrintQueue(self.spool, self, self.clock, lambda _: None),
            printer_model=MODELS["epson"],
            headquarters=link,
            till_readers=self.till_readers,
            keypads={number: device.keypad for number, device in self.keypads.items()},
            issuer_keys=self.profile.issuer_keys,
            code_keys=self.code_keys,
        )
        for number, point in self.station.points.items():
            self._listen(number, point)
        self._life = asyncio.ensure_future(self._live())

    def _listen(self, number: int, point: FuellingPoint) -> None:
        post = point.post

        def heard(message: words.PumpEvent | TokenShown | CardRejected) -> None:
            if not isinstance(message, TokenShown | CardRejected):
                self.told.append((number, message))
            post(message)

        point.post = heard  # type: ignore[method-assign]

    async def _live(self) -> None:
        await self.station.start(self._epochs, self.journal.begin_epoch)
        await self.station.run()

    def moment(self, name: str) -> None:
        """A named moment has come; perhaps the controller dies in it."""
        for wanted, call in self._at:
            if wanted == name:
                call()
        if self._kill_at is not None and self._kill_at(name) and not self.dead:
            self._kill_at = None
            self._die(name)

    def at(self, name: str, call: Callable[[], object]) -> None:
        """Call this whenever the named moment comes."""
        self._at.append((name, call))

    def at_nothing(self) -> None:
        """No more of these calls."""
        self._at.clear()

    def kill_when(self, *names: str) -> None:
        """The controller dies at the first of these moments, and nothing more of it happens."""
        self._kill_at = names.__contains__

    def _die(self, name: str) -> None:
        self.dead, self.died_at = True, name
        assert self._life is not None
        self._life.cancel()

    async def kill(self) -> None:
        """The controller dies now, if it has not: what is on disk is on disk, everything else is gone."""
        if not self.dead:
            self._die("now")
        assert self._life is not None
        await asyncio.gather(self._life, return_exceptions=True)
        self._life = None
        self.journal.close()

    async def close(self) -> None:
        """The end of the test."""
        if self._life is not None:
            await self.kill()

    # ---- time

    @property
    def now_us(self) -> int:
        return self.loop.now_us

    async def wait(self, seconds: float) -> None:
        await self.until(lambda: False, seconds, fails=False)

    async def until(self, so: Callable[[], bool], seconds: float = 120, *, fails: bool = True) -> None:
        """Let time pass until it is so. AssertionError, with what the tiles show, if it is not in time."""
        deadline_us = self.now_us + round(seconds * US_PER_S)
        while not so():
            if self._life is not None and self._life.done() and not self._life.cancelled():
                self._life.result()
            if self.now_us >= deadline_us:
                if not fails:
                    return
                raise AssertionError(f"not so within {seconds} s of virtual time: {inspect.getsource(so).strip()}")
            await self.clock.sleep_until(min(self.now_us + LOOK_MS * US_PER_MS, deadline_us))

    async def state(self, number: int, *states: PointState, seconds: float = 120) -> None:
        """Until the tile shows one of these."""
        await self.until(lambda: self.point(number).state in states, seconds)

    # ---- what can be seen

    @property
    def snapshot(self) -> Snapshot:
        return self.station.snapshot()

    @property
    def books(self) -> Books:
        return self.station.site.books

    def point(self, number: int = 1) -> PointView:
        return next(point for point in self.snapshot.points if point.number == number)

    def trouble(self, where: str) -> str:
        return next((trouble.text for trouble in self.snapshot.troubles if trouble.where == where), "")

    @property
    def records(self) -> list[Record]:
        """All that is in the journal, in order."""
        return [body.record for body in self.journal.bodies_after(0, 100_000)]

    @property
    def kinds(self) -> list[str]:
        return [kind_of(record) for record in self.records]

    def story(self) -> list[str]:
        """The kinds of the journal's rows, without starts and readings of totalisers."""
        return [kind for kind in self.kinds if kind not in {"started", "totaliser", "stopped"}]

    @property
    def deliveries(self) -> list[Delivery]:
        return [record for record in self.records if isinstance(record, Delivery)]

    @property
    def authorised(self) -> list[Authorised]:
        return [record for record in self.records if isinstance(record, Authorised)]

    @property
    def reasons(self) -> list[str]:
        """Why tokens were refused, by the journal."""
        return [str(record.reason) for record in self.records if isinstance(record, Declined)]

    def copy_of_disk(self) -> list[Body]:
        """The journal as a power cut at this moment would leave it: from a copy of its files."""
        place = self.folder / "after-a-power-cut"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name in ("journal.db", "journal.db-wal"):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, place / name)
        journal = Journal(place / "journal.db")
        try:
            return list(journal.replay())
        finally:
            journal.close()

    def meters_ml(self, number: int | None = None) -> int:
        """The pump's own counters, of all its nozzles; of all pumps, if none is named."""
        twins = self.twins.values() if number is None else [self.twins[number]]
        return sum(
            twin.head.totaliser_ml(nozzle, self.now_us)
            for twin in twins
            for nozzle in range(1, len(twin.head.nozzles) + 1)
        )

    def given_ml(self) -> int:
        """What really ran out of all pumps, whatever their counters say."""
        return sum(pump.head.given_ml(self.now_us) for pump in self.pumps.values())

    def assert_books_agree(self, deliveries: int | None = None) -> None:
        """The meters are the books, and the books are the file: the chain is checked on the way."""
        again = read_books_of(self.copy_of_disk(), self.config)
        assert again.sums == self.books.sums
        assert again.unpaid.keys() == self.books.unpaid.keys()
        assert again.open.keys() == self.books.open.keys()
        sums = self.books.sums
        assert abs(sums.volume_ml + sums.unrecorded_ml - self.meters_ml()) < ROUNDING_ML * (sums.deliveries + 1)
        if deliveries is not None:
            assert sums.deliveries == deliveries

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

    async def answer(self, number: int, need: Need, value: str) -> CommandResult:
        return await self.command(AnswerNeed(self.next_id(), number, need, value))

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

    # ---- devices

    def _open_port(self, line: LineTable) -> LinePort:
        if line.name in self.lines_down:
            raise OSError(5, f"line {line.name}: the converter is unplugged")
        wires = [self.wires[place.number] for place in self.yard.places if place.line == line.name]
        port = SimLinePort(wires, line.settings, self.clock)
        for wire in wires:
            wire.line = port
        return port

    def _pump_hears(self, point: int, item: dart.ToPump) -> None:
        if not isinstance(item, dart.Command):
            return
        if self.watch_orders and item.order in {dart.Order.AUTHORIZE, dart.Order.RESET}:
            self._note(f"pump {point} {item.order.name}")
        self.moment(f"pump {item.order.name}")

    def _note(self, what: str) -> None:
        kinds = tuple(kind_of(body.record) for body in self.copy_of_disk())
        self.orders.append(OnDisk(self.now_us, what, kinds))

    async def print(self, data: bytes) -> None:
        """The printer."""
        if self.watch_orders:
            self._note("printer")
        self.moment("printing")
        await self.clock.sleep_until(self.now_us + PRINT_MS * US_PER_MS)
        self.slips += self._paper.feed(data)


def read_books_of(bodies: Sequence[Body], config: StationConfig) -> Books:
    """The books that rows make."""
    books = Books(BusinessDay(config.zone, config.file.station.business_day_starts))
    for body in bodies:
        books.apply(body)
    return books


def _toml(yard: AnyYard | None = None) -> str:
    text = (yard or DemoYard()).toml()
    return text.replace("[station]", f"[station]\nbusiness_day_starts = {DAY_STARTS_HOUR}")


def live(folder: Path, tell: Callable[[Any], Awaitable[None]], *, kind: type[House] = House, **settings: Any) -> None:
    """One story in one house, in virtual time."""

    async def main(loop: VirtualLoop) -> None:
        house = kind(loop, folder, **settings)
        try:
            await house.start()
            await house.until(lambda: all(point.state is PointState.IDLE for point in house.snapshot.points), 30)
            await tell(house)
        except BaseException as error:
            error.add_note(f"seed {SEED}, {loop.now_us / US_PER_S} s of virtual time; {_shown(house)}")
            raise
        finally:
            await house.close()

    run(main)


def _shown(house: House) -> str:
    if not hasattr(house, "station"):
        return "the station was never started"
    tiles = [f"{point.number}:{point.state} {point.text}" for point in house.snapshot.points]
    return f"tiles {tiles}, troubles {house.snapshot.troubles}, last rows {house.kinds[-8:] if not house.dead else '?'}"


def story(**settings: Any) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """Make a test of a coroutine whose first parameter is a running `House`; `settings` go to the house.

    So does the test's own parameter `yard`, if it has one.
    """

    def decorate(tell: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        parameters = list(inspect.signature(tell).parameters.values())[1:]

        def test(tmp_path: Path, **given: Any) -> None:
            wanted = {"yard": given["yard"]} if "yard" in given else {}
            live(tmp_path, lambda house: tell(house, **given), **settings, **wanted)

        test.__name__, test.__doc__, test.__module__ = tell.__name__, tell.__doc__, tell.__module__
        place = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        test.__signature__ = inspect.Signature([place, *parameters])  # type: ignore[attr-defined]
        return test

    return decorate
