"""The running station: puts pumps, readers, printer, journal and tills together.

All devices, the disk, the clock and chance are handed in, so that the simulator runs this very class in virtual
time. Knows no serial port, no PC/SC, no HTTP and no file.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from card_io.reader import CardReader
from controller.cards.card_desk import CardDesk
from controller.cards.purse_desk import PurseDesk
from controller.config import LineTable, PointTable, StationConfig
from controller.config_programmes import product_of
from controller.deciding.contact import LastContact
from controller.deciding.entitled import CardsProven, EntitledLists, EntitledPins, EntitledRules
from controller.deciding.grants import HeadquartersGrants
from controller.deciding.list_prices import ListPrices
from controller.deciding.pin_notes import PinNotes
from controller.deciding.set_apart import SetApartHere
from controller.deciding.shown import verified_by
from controller.deciding.used_elsewhere import UsedElsewhere
from controller.domain.books import Books, Sale, Unpaid
from controller.domain.days import BusinessDay
from controller.domain.desk import (
    Command,
    CommandResult,
    LinkView,
    PointView,
    Snapshot,
    Trouble,
    UnpaidView,
)
from controller.domain.headquarters import Headquarters, LinkState
from controller.domain.meters import meter
from controller.domain.records import RowName, Started, Stopped, Tender
from controller.domain.seams import Clock, Randomness
from controller.keypads.keypad_desk import KeypadDesk
from controller.keypads.keypads import Keypad
from controller.paying import account_tender, charged_tender, pays_itself
from controller.pincheck import InlinePins, PinChecker
from controller.points.devices import Devices
from controller.points.point import FuellingPoint
from controller.points.pricing import Pricing
from controller.printing.escpos import PrinterModel
from controller.printing.spool import PrintQueue
from controller.pumps import words
from controller.pumps.core import LinePort
from controller.pumps.line import LineRunner
from controller.pumps.protocols import PROTOCOLS, Setup
from controller.pumps.schedule import LineSchedule
from controller.site import JOURNAL_RETRY_S, Lists, Site
from controller.store.journal import Journal
from controller.store.writer import JournalUnwritable, JournalWriter
from controller.tills.balances import Balances
from controller.tills.charging import Charging
from controller.tills.list_rules import ListRules
from controller.tills.programmes_desk import ProgrammesDesk
from controller.tills.receipts import Receipts
from controller.tills.redeeming import Redeeming
from controller.tills.tills import Tills
from controller.wire.tap import LineTap, Tap

EPOCH_RANDOM_BYTES = 8
UNSURE_RECEIPTS = 20
"""Settlements whose slips are given to the queue again at start: more than can be on their way at once."""
SOFTWARE = "forecourt 0.1.0"

log = logging.getLogger("forecourt.station")


def read_books(journal: Journal, config: StationConfig) -> Books:
    """The books of a journal, read from its first row; its chain is checked on the way."""
    books = Books(BusinessDay(config.zone, config.file.station.business_day_starts))
    for body in journal.replay():
        books.apply(body)
    return books


class Station:
    """One station. `start()` it, `run()` it, give it commands, look at its `snapshot()`."""

    def __init__(
        self,
        config: StationConfig,
        *,
        books: Books,
        writer: JournalWriter,
        lists: Lists,
        list_secret: bytes,
        clock: Clock,
        open_port: Callable[[LineTable], LinePort],
        readers: Mapping[int, CardReader],
        print_queue: PrintQueue,
        printer_model: PrinterModel,
        headquarters: Headquarters | None,
        pins: PinChecker | None = None,
        till_readers: Mapping[str, CardReader] | None = None,
        keypads: Mapping[int, Keypad] | None = None,
        issuer_keys: tuple[bytes, ...] = (),
        code_keys: tuple[bytes, ...] = (),
    ) -> None:
        """`readers` and `keypads`: by fuelling point; `pins`: who checks PINs, in place if nobody is named.

        `issuer_keys`: headquarters' public keys, 32 bytes each, for its words on card purses; `code_keys` for codes.
        """
        self.config = config
        file = config.file
        self._clock = clock
        self._writer = writer
        self._readers = readers
        self._till_readers = till_readers or {}
        proven = CardsProven()
        self._print_queue = print_queue
        self._headquarters = headquarters
        self._snapshot: Snapshot | None = None
        self.site = Site(
            station=file.station.id,
            currency=config.currency,
            file_grades=config.grades,
            books=books,
            writer=writer,
            lists=EntitledLists(lists, proven, _entitled(config, list_secret)),
            list_secret=list_secret,
            clock=clock,
            rules=file.limits.rules,
            pins=EntitledPins(pins or InlinePins(), proven),
        )
        self.site.card_seen = proven.seen
        self.site.verify_code = verified_by(code_keys)
        self.site.card_use = proven.use
        self._lines: dict[str, LineRunner] = {}
        self._taps: dict[str, Tap] = {}
        self.points: dict[int, FuellingPoint] = {}
        for line in file.lines:
            self._add_line(line, [point for point in file.points if point.line == line.name], open_port)
        self.points = dict(sorted(self.points.items()))
        self._purse: PurseDesk | None = None
        if file.cards is not None and file.cards.purse:
            self._purse = PurseDesk(self.site, file.cards.station_number)
            self.site.take_from_purse = self._purse.take
        number = file.cards.station_number if file.cards else 0
        notes = PinNotes(self.site, number, proven.proved)
        self.site.note_pin = notes.note
        self._cards = CardDesk(
            self.site,
            self.points,
            list_secret=list_secret,
            proven=proven,
            purse=self._purse,
            notes=notes,
            station_number=number,
            issuer_keys=issuer_keys,
        )
        resting = "SIMULATION" if file.station.simulated else ""
        self._keypads = [
            KeypadDesk(self.site, self.points[number], keypad, resting=resting)
            for number, keypad in (keypads or {}).items()
        ]
        self._pricing, self._list_prices = self._make_pricing()
        named = {grade.code: product_of(grade.code, grade.product) for grade in file.grades}
        products = {code: product for code, product in named.items() if product is not None}
        self._receipts = Receipts(config, products, print_queue, printer_model)
        self._programmes = ProgrammesDesk(
            self.site,
            config.programmes,
            products,
            list_secret=list_secret,
            headquarters=headquarters,
            on_quoted=lambda sale: self._receipts.print_points(sale, self.site.books),
        )
        self._list_rules = ListRules(
            self.site, self._programmes, config.programmes, config.currency, self._receipts.go_by
        )
        self._redeeming = Redeeming(self.site, self._programmes, headquarters)
        self._charging = Charging(self.site, self._programmes, headquarters)
        self._tills = Tills(
            self.site,
            self.points,
            pricing=self._pricing,
            stop_all=self._stop_all,
            on_sale=self._print_receipt,
            ask_balance=Balances(self.site, headquarters).ask,
            programmes=self._programmes,
            redeeming=self._redeeming,
            charging=self._charging,
            cards=self._cards,
            managers=frozenset(till.id for till in file.tills if till.manager),
            devices=Devices(self.site, self.points, file.tills),
        )
        self._cards.show = self._tills.show_card
        if headquarters is not None:
            self._listen_to(headquarters)

    def _listen_to(self, headquarters: Headquarters) -> None:
        self._writer.on_append(headquarters.rows_written)
        headquarters.on_state(self._link_changed)
        self._grants = HeadquartersGrants(self.site, headquarters)
        self.site.headquarters = headquarters
        self.site.grants = self._grants
        self._set_apart = SetApartHere(self.site, headquarters)
        UsedElsewhere(self.site, headquarters)
        self._contact = LastContact(self.site, headquarters)
        headquarters.on_state(self._contact.changed)
        self.site.contact_age_ms = lambda: self._contact.age_ms

    def _make_pricing(self) -> tuple[Pricing, ListPrices | None]:
        """Who changes prices here: the desk, and at a station that says so, headquarters by its list."""
        fields = self.config.price_fields
        if self.config.file.prices.set_by == "desk":
            return Pricing(self.site, fields, self._price_changed), None
        by_list = ListPrices(self.site, fields, self._price_changed)
        return Pricing(self.site, fields, self._price_changed, by_list.sets), by_list

    def _add_line(self, line: LineTable, tables: list[PointTable], open_port: Callable[[LineTable], LinePort]) -> None:
        config = self.config
        pumps = {
            table.number: PROTOCOLS[line.protocol].core(
                Setup(
                    address=table.address,
                    nozzles=len(table.nozzles),
                    digits=table.digits(config.currency),
                    options=table.options,
                )
            )
            for table in tables
        }
        tap = self._taps[line.name] = Tap(self._clock)
        runner = LineRunner(
            LineSchedule(pumps),
            None,
            self._clock,
            self._pump_event,
            lambda: tap.port(open_port(line)),
            on_port=lambda text: self.site.trouble(f"line {line.name}", text),
        )
        self._lines[line.name] = runner
        for table in tables:
            number = table.number

            def tell(order: words.Order, *, runner: LineRunner = runner, number: int = number) -> None:
                runner.submit(number, order)

            counts = meter(
                volume_decimals=table.volume_decimals,
                totaliser_decimals=table.totaliser_decimals,
                totaliser_digits=table.totaliser_digits or PROTOCOLS[line.protocol].totaliser_digits,
                flow_limit_ml_per_s=table.flow_limit_ml_per_s,
            )
            point = FuellingPoint(self.site, number, table.nozzles, tell, self._delivered, meter=counts)
            self.points[number] = point

    async def start(self, randomness: Randomness, journal_epoch: Callable[[bytes], None]) -> None:
        """Begin a new epoch, and finish what the last one left: unpaid deliveries on account, receipts not printed."""
        previous = self._writer.head
        journal_epoch(randomness.random_bytes(EPOCH_RANDOM_BYTES))
        table = self.config.file.station
        await self.site.write(Started(table.id, SOFTWARE, table.simulated, previous, self.site.grades))
        await self._pricing.start()
        if self._list_prices is not None:
            await self._list_prices.start()
        await self._programmes.start()
        await self._list_rules.start()
        for point in self.points.values():
            point.meters.show_troubles()
        for sale in list(self.site.books.settled.values())[-UNSURE_RECEIPTS:]:
            self._receipts.print_all(sale, self.site.books)
        for name in list(self.site.books.unpaid):
            await self._delivered(name)

    async def run(self) -> None:
        """Until cancelled. A failure of a device never ends it; a fault in this program does, loudly."""
        work: list[Coroutine[Any, Any, None]] = [
            *(point.run() for point in self.points.values()),
            *(line.run() for line in self._lines.values()),
            *(self._cards.listen_at_point(number, reader) for number, reader in self._readers.items()),
            *(self._cards.listen_at_till(till, reader) for till, reader in self._till_readers.items()),
            *(keypad.run() for keypad in self._keypads),
            self._print_queue.run(),
        ]
        if self._purse is not None:
            work.append(self._purse.run())
        if self._list_prices is not None:
            work.append(self._list_prices.run())
        if self.config.programmes:
            work.append(self._list_rules.run())
        if self._headquarters is not None:
            work += [self._headquarters.run(), self._contact.run(), self._grants.run(), self._set_apart.run()]
            work.append(self._redeeming.run())
        tasks = [asyncio.ensure_future(job) for job in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise RuntimeError("a part of the station ended by itself: this is a fault in the program")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._tills.close()

    async def stop(self, why: str) -> None:
        """After `run()` was cancelled: write that the end was in order, and close the journal."""
        for reader in (*self._readers.values(), *self._till_readers.values()):
            await reader.close()
        try:
            await self.site.write(Stopped(why))
        except JournalUnwritable as error:
            log.warning("the end could not be written: %s", error)
        await self._writer.close()

    async def command(self, till: str, command: Command) -> CommandResult:
        """Carry out a till's command; a repeated one gets its first answer."""
        return await self._tills.carry_out(till, command)

    def tap(self, line: str) -> tuple[str, LineTap] | None:
        """What passes on a pump line, by its name in station.toml: its protocol, and where to listen in."""
        for table in self.config.file.lines:
            if table.name == line:
                return table.protocol, self._taps[line]
        return None

    def snapshot(self) -> Snapshot:
        """What the tills show now."""
        kept = self._snapshot
        now_ms = self.site.wall_ms
        if kept is not None and kept.version == self.site.version and kept.at_ms == now_ms:
            return kept
        file = self.config.file
        self._snapshot = Snapshot(
            station=file.station.id,
            station_name=file.station.name,
            simulated=file.station.simulated,
            currency=self.config.currency.code,
            decimals=self.config.currency.decimals,
            at_ms=now_ms,
            version=self.site.version,
            points=tuple(self._view(point) for point in self.points.values()),
            link=self._link_view(),
            troubles=tuple(
                Trouble(where, trouble.text, trouble.since_ms) for where, trouble in self.site.troubles.items()
            ),
            journal_head=self._writer.head_hash.hex(),
            sales=self.site.books.sums.sales,
            time_zone=file.station.time_zone,
            point_worth_minor=self._programmes.point_worth_minor,
        )
        return self._snapshot

    # ---- inside

    def _pump_event(self, number: int, event: words.PumpEvent) -> None:
        self.points[number].post(event)

    def _price_changed(self, grade: str) -> None:
        for point in self.points.values():
            point.price_changed(grade)

    def _stop_all(self) -> None:
        # The lines first: where one transmission stops all pumps of a line, it goes before each pump's own Stop.
        for line in self._lines.values():
            line.stop_all()
        for point in self.points.values():
            point.stop()

    async def _delivered(self, name: RowName) -> None:
        unpaid = self.site.books.unpaid.get(name)
        if unpaid is not None and pays_itself(unpaid):
            await self._settle_by_itself(unpaid, account_tender(unpaid))
        elif unpaid is not None and self._charging.pays_by_itself(unpaid):
            await self._settle_by_itself(unpaid, charged_tender(unpaid))

    async def _settle_by_itself(self, unpaid: Unpaid, tenders: tuple[Tender, ...]) -> None:
        while True:
            try:
                await self._tills.settle_by_itself(unpaid, tenders)
                return
            except JournalUnwritable:
                await self.site.sleep_s(JOURNAL_RETRY_S)

    def _print_receipt(self, sale: Sale) -> str:
        """Give the slip of a settled sale to the printer's queue, once; returns its readable text."""
        return self._receipts.print(sale, self.site.books)

    def _link_changed(self, state: LinkState) -> None:
        self.site.trouble("headquarters", state.trouble or None)
        self.site.trouble("headquarters' list", state.list_trouble or None)
        self.site.changed()

    def _link_view(self) -> LinkView:
        if self._headquarters is None:
            return LinkView(configured=False, connected=False, waiting_rows=0, down_since_ms=0)
        state = self._headquarters.state
        return LinkView(
            configured=True,
            connected=state.connected,
            waiting_rows=state.waiting_rows,
            down_since_ms=state.down_since_ms,
        )

    def _view(self, point: FuellingPoint) -> PointView:
        display = point.display
        grade = point.grade(display.nozzle)
        return PointView(
            number=point.number,
            state=display.state,
            since_ms=display.since_ms,
            grade=grade.name if grade else "",
            unit=grade.unit if grade else "l",
            price=str(display.price) if display.price else "",
            volume_ml=display.volume_ml,
            amount_minor=display.amount_minor,
            token=display.token,
            need=display.need,
            reason=display.reason,
            text=display.text or point.prices.text or (self._purse.tile_text(point.number) if self._purse else ""),
            unpaid=tuple(self._unpaid_view(unpaid) for unpaid in self.site.books.unpaid_at(point.number)),
            choices=point.choices,
            question=display.question,
        )

    def _unpaid_view(self, unpaid: Unpaid) -> UnpaidView:
        delivery = unpaid.delivery
        grade = self.config.grades.get(delivery.grade)
        return UnpaidView(
            delivery_id=unpaid.name.text,
            point=delivery.point,
            grade=grade.name if grade else delivery.grade,
            unit=delivery.unit,
            volume_ml=delivery.volume_ml,
            amount_minor=delivery.amount_minor,
            price=str(delivery.price),
            ended_ms=unpaid.ended_ms,
            leased_to=self._tills.leased_to(unpaid.name),
        )


def _entitled(config: StationConfig, list_secret: bytes) -> EntitledRules:
    cards = config.file.cards
    if cards is None:
        return EntitledRules(list_secret, config.zone, {})
    return EntitledRules(list_secret, config.zone, cards.product_sets, cards.unlisted, cards.purse, config.grades)
