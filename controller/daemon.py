"""The station as a process: real clock, ports, files, readers and API around `Station`.

The link to headquarters is handed in by whoever starts it: the controller does not know the sync.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from card_io.application import CardProfile
from card_io.errors import CardError
from card_io.keys import FileKeyStore
from card_io.pcsc import PcscReader
from card_io.reader import CardReader
from card_io.tcp import TcpReader
from controller import keys
from controller.api.server import ApiError, Changes, listen, make_app, serve
from controller.cards_table import CardsTable, ReaderTable
from controller.config import LineTable, StationConfig
from controller.domain.books import Books
from controller.domain.days import BusinessDay
from controller.domain.headquarters import Headquarters
from controller.domain.seams import US_PER_MS, Clock, Randomness
from controller.keeper import BooksKeeper, Opened, open_books
from controller.keypads.keypads import tcp_keypad
from controller.machine import MachineClock, MachineRandomness, ThreadedPins, boot_id
from controller.printing.escpos import MODELS
from controller.printing.port import PortPrinter, PortSettings
from controller.printing.spool import Printer, PrintQueue, SpoolDirectory
from controller.pumps.address import net_address
from controller.pumps.core import LinePort
from controller.pumps.line import SerialLinePort, is_pty
from controller.pumps.net import NetLinePort
from controller.station import Station
from controller.store import checkpoint as checkpoint_file
from controller.store import journal as journal_file
from controller.store.checkpoint import CheckpointFile
from controller.store.journal import Journal, JournalError
from controller.store.whitelist import Whitelist
from controller.store.whitelist_file import WHITELIST_FILE
from controller.store.writer import JournalWriter, ThreadWriter

JOURNAL_FILE = journal_file.FILE_NAME
SPOOL_FOLDER = "receipts"
log = logging.getLogger("forecourt.station")


class CannotRun(Exception):
    """The station cannot start; the text says why and what to do."""


LinkFactory = Callable[[StationConfig, JournalWriter, Ed25519PrivateKey, Clock, Randomness], Headquarters | None]


class NoPrinter:
    """A station without a printer: the readable copies stay in the spool."""

    async def print(self, data: bytes) -> None:
        """Nothing to send it to."""


async def run_station(
    config: StationConfig, *, simulation: bool, make_link: LinkFactory, ready: Callable[[str], None]
) -> None:
    """Run until SIGTERM or SIGINT. `ready` gets the API's address. CannotRun says what stands in the way."""
    table = config.file.station
    if table.simulated and not simulation:
        raise CannotRun(
            "station.toml says simulated = true: start it with --simulation, or use the real station's file"
        )
    if simulation and not table.simulated:
        raise CannotRun("--simulation needs a station.toml with simulated = true: this one is a real station's")
    clock, randomness = MachineClock(), MachineRandomness()
    async with contextlib.AsyncExitStack() as stack:
        try:
            bound = stack.enter_context(listen(config.file.api.host, config.file.api.port, what="the station's API"))
            tokens = keys.TillTokens(
                {till.id: keys.read_secret(config.folder / till.token_file) for till in config.file.tills}
            )
            checkpoint = CheckpointFile(config.data / checkpoint_file.FILE_NAME)
            journal, opened = _open_journal(config, checkpoint)
            writer = ThreadWriter(journal, clock, boot_id())
            stack.push_async_callback(writer.close)
            station = _assemble(config, opened.books, writer, make_link, clock, randomness, simulation=simulation)
            keeper = BooksKeeper(opened, checkpoint, writer, clock, station.site.trouble, station.site.changed)
            changes = Changes()
            station.site.on_change(changes.changed)
            await station.start(randomness, journal.begin_epoch)
        except (keys.KeyFileError, CardError, ApiError, JournalError, OSError) as error:
            raise CannotRun(str(error)) from error
        ended = _signals()
        app = make_app(station, tokens, changes, clock, title=f"Forecourt station {table.id}")
        jobs = [asyncio.ensure_future(job) for job in (station.run(), serve(app, bound, changes), keeper.run())]
        host, port = bound.getsockname()[:2]
        ready(f"http://{host}:{port}")
        try:
            await _first_of(jobs, ended)
        finally:
            for job in jobs:
                job.cancel()
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            faults = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
            await station.stop("fault" if faults else "ordered")
        for fault in faults:
            raise fault


def _signals() -> asyncio.Event:
    """Set once the process is told to end."""
    signalled = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    return signalled


async def _first_of(jobs: Sequence["asyncio.Task[None]"], ended: asyncio.Event) -> None:
    """Until the process is told to end, or a job ends by itself."""
    waiting = asyncio.ensure_future(ended.wait())
    everything: set[asyncio.Future[Any]] = {*jobs, waiting}
    try:
        await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _open_journal(config: StationConfig, checkpoint: CheckpointFile) -> tuple[Journal, Opened]:
    config.data.mkdir(parents=True, exist_ok=True)
    journal = Journal(config.data / JOURNAL_FILE, randomness=MachineRandomness())
    try:
        business_day = BusinessDay(config.zone, config.file.station.business_day_starts)
        return journal, open_books(journal, business_day, checkpoint)
    except BaseException:
        journal.close()
        raise


def _assemble(
    config: StationConfig,
    books: Books,
    writer: JournalWriter,
    make_link: LinkFactory,
    clock: Clock,
    randomness: Randomness,
    *,
    simulation: bool,
) -> Station:
    troubles: list[Callable[[str | None], None]] = []

    def printer_trouble(text: str | None) -> None:
        for tell in troubles:
            tell(text)

    spool = SpoolDirectory(config.data / SPOOL_FOLDER)
    station = Station(
        config,
        books=books,
        writer=writer,
        lists=Whitelist(config.data / WHITELIST_FILE, station=config.file.station.id),
        list_secret=keys.list_key(config.keys),
        clock=clock,
        open_port=lambda line: _open_port(config, line, clock, simulation=simulation),
        readers={
            reader.point: _reader(config, reader, clock, randomness)
            for reader in config.file.readers
            if reader.point is not None
        },
        till_readers={
            reader.till: _reader(config, reader, clock, randomness)
            for reader in config.file.readers
            if reader.till is not None
        },
        keypads={keypad.point: tcp_keypad(keypad.host, keypad.port, clock) for keypad in config.file.keypads},
        issuer_keys=_issuer_keys(config),
        code_keys=_code_keys(config),
        print_queue=PrintQueue(spool, _printer(config, clock), clock, printer_trouble),
        printer_model=MODELS[config.file.printer.model if config.file.printer else "generic"],
        headquarters=make_link(config, writer, keys.station_key(config.keys), clock, randomness),
        pins=ThreadedPins(),
    )
    # The queue is made before the station that it tells of its troubles.
    troubles.append(lambda text: station.site.trouble("printer", text))
    return station


def _open_port(config: StationConfig, line: LineTable, clock: Clock, *, simulation: bool) -> LinePort:
    """The line's port. OSError with a sentence: the line tries again, the rest of the station goes on."""
    where = net_address(line.port)
    if where is not None:
        if simulation and not where.here:
            raise OSError(f"port {where} is on another machine: a simulated station keeps its hands off real pumps")
        return NetLinePort(where, line.settings, clock, slack_us=line.slack_us, echo=line.echo)
    path = config.folder / line.port
    if simulation and path.exists() and not is_pty(str(path)):
        raise OSError(f"{path} is no pseudo terminal: a simulated station keeps its hands off real pumps")
    return SerialLinePort(str(path), line.settings, clock, slack_us=line.slack_us, echo=line.echo)


def _issuer_keys(config: StationConfig) -> tuple[bytes, ...]:
    """Headquarters' public keys for cards; none at a station without cards, which may have no file of them."""
    return FileKeyStore(config.keys / keys.CARD_KEYS).issuer_keys if config.file.cards is not None else ()


def _code_keys(config: StationConfig) -> tuple[bytes, ...]:
    """By which codes are signed: the key that signs lists, where the station has its public half."""
    path = config.keys / keys.HEADQUARTERS_PUBLIC
    return (keys.read_public(path),) if path.exists() else ()


def card_profile(table: CardsTable, issuer_keys: tuple[bytes, ...]) -> CardProfile:
    """How the network's cards are spoken to. `issuer_keys`: of the key file."""
    aid, system = bytes.fromhex(table.aid), table.system.encode()
    return CardProfile(aid, system, table.read_key_number, issuer_keys=issuer_keys)


def _reader(config: StationConfig, reader: ReaderTable, clock: Clock, randomness: Randomness) -> CardReader:
    table = config.file.cards
    assert table is not None  # config.py asks for [cards] where there are readers
    ring = FileKeyStore(config.keys / keys.CARD_KEYS)
    profile = card_profile(table, ring.issuer_keys)

    async def sleep_ms(ms: int) -> None:
        await clock.sleep_until(clock.now().mono_us + ms * US_PER_MS)

    if reader.kind == "pcsc":
        return PcscReader(reader.name, profile=profile, keys=ring, sleep=sleep_ms)
    host, _, port = reader.name.rpartition(":")
    if not (host and port.isdecimal()):
        place = f"point {reader.point}" if reader.till is None else f"till {reader.till}"
        raise ApiError(f"readers, {place}: name = {reader.name!r}: expected host:port for a tcp reader")
    return TcpReader(host, int(port), profile=profile, keys=ring, random_bytes=randomness.random_bytes, sleep=sleep_ms)


def _printer(config: StationConfig, clock: Clock) -> Printer:
    table = config.file.printer
    if table is None:
        return NoPrinter()
    address = table.port if table.port.startswith("tcp://") else str(config.folder / table.port)
    return PortPrinter(address, clock, PortSettings(baud=table.baud, hardware_flow=table.hardware_flow))
