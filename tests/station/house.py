"""A whole station in virtual time for one test: the production Station on a real journal, with simulated devices.

A test lifts nozzles, shows cards, gives a till's commands, lets virtual time pass until something is so, breaks the
disk, the link or a pump, and kills the controller at a named moment. Pumps, paper, disk and headquarters outlive it.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from card_io.keys import KeyRing
from controller.config import LineTable, StationConfig, parse
from controller.domain.desk import PointState
from controller.domain.records import Body, Record, kind_of
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
from sim.pumps.port import SimLinePort
from sim.site import PROFILE, STATION_ID, make_cards
from sync.link import StationLink
from sync.runner import Transport
from tests.station.people import (
    CARD,
    CARD_EARLY,
    CARD_GASOLINE,
    CARD_LATE,
    CARD_ODOMETER,
    CARD_PLATE,
    CARD_STOPPED,
    CARDS_CSV,
    DIESEL,
    GASOLINE,
    ITS_PLATE,
    KNOWN_PLATE,
    OTHER_TILL,
    TILL,
    People,
)
from tests.station.seen import ROUNDING_ML, read_books_of
from tests.station.yard import AnyYard, DemoYard, Heard, Wire, faulty

__all__ = [
    "CARD",
    "CARDS_CSV",
    "CARD_EARLY",
    "CARD_GASOLINE",
    "CARD_LATE",
    "CARD_ODOMETER",
    "CARD_PLATE",
    "CARD_STOPPED",
    "DIESEL",
    "GASOLINE",
    "ITS_PLATE",
    "KNOWN_PLATE",
    "OTHER_TILL",
    "ROUNDING_ML",
    "SEED",
    "START_MS",
    "TILL",
    "House",
    "OnDisk",
    "_toml",
    "live",
    "read_books_of",
    "story",
]

SEED = 7
START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: three in the morning in Istanbul, an hour before the business day ends."""
DAY_STARTS_HOUR = 4
COMMIT_US = (300, 6_000)
PRINT_MS = 1_500


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


class House(People):
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
        return Whitelist(self.list_path, station=self.config.file.station.id)

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
