"""A whole station in virtual time, from one seed: the production controller, journal, sync and headquarters, with
simulated pumps, cards, printer, link and people. No thread, no real port, no sleep.

`World.run()` gives a report of what the journal, the pumps' meters and headquarters say; they must agree.
"""

import asyncio
import logging
import re
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from card_io.keys import KeyRing
from controller.config import LineTable, StationConfig, parse
from controller.domain.desk import Command, CommandResult, Snapshot
from controller.domain.seams import US_PER_MS, US_PER_S, Clock
from controller.printing.escpos import MODELS
from controller.printing.spool import MemorySpool, PrintQueue
from controller.pumps.core import LinePort
from controller.station import Station, read_books
from controller.store.journal import Journal
from controller.store.whitelist import Whitelist
from controller.store.whitelist_import import build, read_csv
from controller.store.writer import InlineWriter
from sim.attendant import Attendant, Bell
from sim.cards.inline import InlineReader
from sim.chance import Chance
from sim.club import SHOWN, with_members, with_programmes
from sim.customers import Customer, Pays, Quota, Street, Tempo, stream
from sim.headquarters import LinkQuality, SimulatedHeadquarters
from sim.loop import VirtualClock, VirtualLoop
from sim.printer import PrinterTwin
from sim.pumps.head import FLOW_ML_PER_S
from sim.pumps.port import SimLinePort
from sim.site import (
    CARD_MASTER_BYTES,
    LINES,
    PLACES,
    PROFILE,
    STATION_ID,
    list_csv,
    make_cards,
    make_twin,
    station_toml,
    totaliser_ml,
)
from sync.link import StationLink

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
SALES_A_DAY = 300
HOUR_S = 3_600
CLOSING_S = 900
"""After the last customer has come: time to fill, to pay, and to send the rest."""
COMMIT_US = (300, 6_000)
"""How long a commit takes on a small station's disk."""
TILL = "till-1"
WEIGH = {Pays.CARD: 5, Pays.CASH: 4, Pays.PLATE: 1}

log = logging.getLogger("forecourt.sim.world")


class Disagreement(Exception):
    """The books do not agree; the text says which, and how to repeat it."""


class Report(msgspec.Struct, frozen=True):
    """What came of a world. Volumes are thousandths of a litre, amounts minor units."""

    seed: int
    hours: int
    sales: int
    volume_ml: int
    amount_minor: int
    totaliser_ml: int
    unrecorded_ml: int
    unpaid: int
    declined: int
    headquarters_sales: int
    headquarters_volume_ml: int
    headquarters_forks: int
    epochs: int
    receipts: int
    rows: int
    journal_head: str

    def disagreements(self) -> list[str]:
        """Sentences on what does not agree; empty when all is well."""
        wrong = []
        if self.volume_ml + self.unrecorded_ml != self.totaliser_ml:
            wrong.append(
                f"the meters say {self.totaliser_ml} ml, the journal {self.volume_ml} ml "
                f"and {self.unrecorded_ml} ml unrecorded"
            )
        if self.sales != self.headquarters_sales or self.volume_ml != self.headquarters_volume_ml:
            wrong.append(
                f"the station has {self.sales} sales of {self.volume_ml} ml, "
                f"headquarters {self.headquarters_sales} of {self.headquarters_volume_ml} ml"
            )
        if self.unpaid:
            wrong.append(f"{self.unpaid} deliveries are unpaid at the end")
        if self.receipts != self.sales:
            wrong.append(f"{self.sales} sales and {self.receipts} printed receipts")
        return wrong


@dataclass(frozen=True, slots=True)
class Plan:
    """What a world shall be. `crashes`: how often the controller dies; `skip`: leave out quiet polls."""

    seed: int
    hours: int
    sales_a_day: int = SALES_A_DAY
    crashes: int = 0
    skip: bool = True
    link: LinkQuality = field(default_factory=LinkQuality)


class World:
    """One station's world. `folder` takes the whitelist, and the journal's file."""

    def __init__(self, loop: VirtualLoop, plan: Plan, folder: Path) -> None:
        self._loop = loop
        self._plan = plan
        self._folder = folder
        self._clock: Clock = VirtualClock(loop, START_MS)
        seed = plan.seed
        self._secrets = Chance(seed, "secrets")
        self._list_secret = self._secrets.random_bytes(32)
        card_master = self._secrets.random_bytes(CARD_MASTER_BYTES)
        self._ring = KeyRing({1: card_master})
        self._cards = make_cards(card_master, Chance(seed, "cards"))
        self._twins = {place.number: make_twin(place, flow_ml_per_s=FLOW_ML_PER_S) for place in PLACES}
        self._config = self._configure()
        self._list_path = folder / "whitelist.db"
        self._boots = 0
        self._epochs = Chance(seed, "epochs")
        self._headquarters = SimulatedHeadquarters(STATION_ID, self._clock, Chance(seed, "link"), plan.link)
        self._printed = PrinterTwin(MODELS["epson"], 42)
        self._receipts: set[int] = set()
        self._spool = MemorySpool()
        self._street = Street()
        self._bell = Bell()
        self.station: Station | None = None
        self._readers: dict[int, InlineReader] = {}

    def _configure(self) -> StationConfig:
        text = station_toml(
            line_ports={line: line for line in LINES},
            reader_ports={place.number: f"world:{place.number}" for place in PLACES},
            printer_port="world",
            api_port=0,
            headquarters=None,
        )
        return parse(with_programmes(text), self._folder / "station.toml")

    async def run(self) -> Report:
        """Live through all hours, close, and report."""
        csv_path = self._folder / "cards.csv"
        csv_path.write_text(with_members(list_csv(), START_MS), encoding="utf-8")
        config = self._config
        build(self._list_path, read_csv(csv_path, self._list_secret, config.currency, config.zone), 1)
        hours_us = self._plan.hours * HOUR_S * US_PER_S
        chance = Chance(self._plan.seed, "crashes")
        crash_times = sorted(chance.below(hours_us) for _ in range(self._plan.crashes))
        people = self._people(hours_us)
        attendant = Attendant(
            self._desk(),
            self._street.standing.get,
            self._clock,
            Chance(self._plan.seed, "attendant"),
            shown=SHOWN,
        )
        serving = asyncio.ensure_future(attendant.run())
        for at_us in crash_times:
            await self._live_until(at_us, serving, crash=True)
        await self._live_until(hours_us, serving, crash=False)
        await asyncio.gather(*people)
        report = await self._close(serving)
        serving.cancel()
        wrong = report.disagreements()
        if wrong:
            plan = self._plan
            raise Disagreement(
                f"{'; '.join(wrong)}. Repeat it: forecourt sim world --seed {plan.seed} --hours {plan.hours} "
                f"--sales {plan.sales_a_day} --crashes {plan.crashes}"
            )
        return report

    # ---- the station's lives

    async def _live_until(self, at_us: int, serving: asyncio.Task[None], *, crash: bool) -> None:
        if self.station is None:
            await self._start()
        assert self.station is not None
        await self._sleep_watching(at_us, serving)
        if crash:
            await self._kill()

    async def _start(self) -> None:
        self._boots += 1
        chance = Chance(self._plan.seed, f"boot/{self._boots}")
        keys = Chance(self._plan.seed, f"seals/{self._boots}")
        journal = Journal(self._folder / "journal.db", randomness=keys)
        writer = InlineWriter(journal, self._clock, chance.random_bytes(8), lambda: chance.between(*COMMIT_US))
        self._journal, self._writer = journal, writer
        link = StationLink(
            station=STATION_ID,
            key=self._headquarters.key,
            outbox=writer,
            transport=self._headquarters,
            clock=self._clock,
            randomness=chance,
        )
        self._readers.clear()
        for place in PLACES:
            self._readers[place.number] = InlineReader(PROFILE, self._ring, chance.random_bytes)
        station = Station(
            self._config,
            books=read_books(journal, self._config),
            writer=writer,
            lists=Whitelist(self._list_path),
            list_secret=self._list_secret,
            clock=self._clock,
            open_port=self._open_port,
            readers=self._readers,
            print_queue=PrintQueue(self._spool, self, self._clock, lambda _: None),
            printer_model=MODELS["epson"],
            headquarters=link,
        )
        station.site.on_change(self._bell.ring)
        self.station = station
        await station.start(self._epochs, journal.begin_epoch)
        self._running = asyncio.ensure_future(station.run())
        self._bell.ring()

    async def _kill(self) -> None:
        """The controller dies where it stands: what is on disk is on disk, everything else is gone."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._journal.close()
        self.station = None

    async def _sleep_watching(self, at_us: int, serving: asyncio.Task[None]) -> None:
        """Sleep, unless the station or its attendant fails: that is raised at once."""
        sleeping = asyncio.ensure_future(self._clock.sleep_until(at_us))
        await asyncio.wait({sleeping, self._running, serving}, return_when=asyncio.FIRST_COMPLETED)
        sleeping.cancel()
        for task in (self._running, serving):
            if task.done():
                task.result()

    def _open_port(self, line: LineTable) -> LinePort:
        twins = [self._twins[place.number] for place in PLACES if place.line == line.name]
        return SimLinePort(twins, line.settings, self._clock, skip=self._plan.skip)

    # ---- the people

    def _people(self, hours_us: int) -> list[asyncio.Task[None]]:
        """Customers of all points. Each point has its share of the day's sales, at even but uncertain distances."""
        total = max(self._plan.sales_a_day * self._plan.hours // 24, 1)
        customer = Customer(
            {number: twin.head for number, twin in self._twins.items()},
            self._readers_now(),
            self._cards,
            self._street,
            self._clock,
            Tempo(arrive_ms=(0, 0)),
        )
        tasks = []
        for index, place in enumerate(PLACES):
            share = total // len(PLACES) + (1 if index < total % len(PLACES) else 0)
            if share == 0:
                continue
            # The mean distance keeps the stream within the hours; a visit itself takes about a minute and a half.
            mean_ms = max(hours_us // US_PER_MS // share - 90_000, 2_000)
            tempo = Tempo(arrive_ms=(mean_ms // 4, mean_ms * 3 // 2))
            tasks.append(
                asyncio.ensure_future(stream(place, customer, self._clock, self._plan.seed, tempo, WEIGH, Quota(share)))
            )
        return tasks

    def _readers_now(self) -> "dict[int, InlineReader]":
        """The slots of the running station; it is the same mapping through all its lives."""
        return self._readers

    def _desk(self) -> "_Till":
        return _Till(self, self._bell)

    async def print(self, data: bytes) -> None:
        """The printer's end: paper takes its time."""
        await self._clock.sleep_until(self._clock.now().mono_us + 1_500 * US_PER_MS)
        for slip in self._printed.feed(data):
            found = re.search(r"Receipt +(\d+)", slip.text)
            if found:
                self._receipts.add(int(found.group(1)))

    # ---- the end

    async def _close(self, serving: asyncio.Task[None]) -> Report:
        station = self.station
        assert station is not None
        deadline_us = self._loop.now_us + CLOSING_S * US_PER_S
        while self._loop.now_us < deadline_us and not self._is_settled(station):
            await self._sleep_watching(self._loop.now_us + 5 * US_PER_S, serving)
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        sums = station.site.books.sums
        totals = self._headquarters.totals()
        head, rows = self._writer.head_hash.hex(), self._writer.head_seq
        unpaid = len(station.site.books.unpaid)
        await station.stop("the world ends")
        return Report(
            seed=self._plan.seed,
            hours=self._plan.hours,
            sales=sums.sales,
            volume_ml=sums.sales_volume_ml,
            amount_minor=sums.sales_amount_minor,
            totaliser_ml=totaliser_ml(self._twins, self._loop.now_us),
            unrecorded_ml=sums.unrecorded_ml,
            unpaid=unpaid,
            declined=sums.declined,
            headquarters_sales=totals.sales,
            headquarters_volume_ml=totals.volume_ml,
            headquarters_forks=totals.forks,
            epochs=station.site.books.epochs,
            receipts=len(self._receipts),
            rows=rows,
            journal_head=head,
        )

    def _is_settled(self, station: Station) -> bool:
        books = station.site.books
        if books.unpaid or books.open or len(self._receipts) < books.sums.sales:
            return False
        return self._writer.cursor == self._writer.head_seq


class _Till:
    """The attendant's till, joined to the running station without HTTP."""

    def __init__(self, world: World, bell: Bell) -> None:
        self._world = world
        self._bell = bell

    async def changed(self) -> None:
        await self._bell.wait()

    def snapshot(self) -> Snapshot:
        assert self._world.station is not None
        return self._world.station.snapshot()

    async def command(self, command: Command) -> CommandResult:
        assert self._world.station is not None
        return await self._world.station.command(TILL, command)
