"""The bench: simulated pumps, card readers and a printer on real ports, in real time, for any program to talk to.

Pumps hang on pseudo terminals, readers on TCP, the printer on a pseudo terminal; a small control port answers what
one sees through the window. Simulated customers may come by themselves.
"""

import asyncio
import contextlib
import logging
import signal
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from card_io.errors import CardError
from card_io.keys import FileKeyStore
from controller.domain.seams import Clock
from controller.machine import MachineClock
from controller.printing.escpos import MODELS
from controller.pumps.core import LineSettings
from sim.cards.tcp import TcpReaderDevice
from sim.chance import Chance
from sim.control import ControlPort, Standing, Totals
from sim.customers import BRISK, EASY, Customer, Pays, Quota, Street, stream
from sim.printer import PrintedSlip, PrinterTwin, serve_pty
from sim.pumps.port import PtyLine
from sim.site import LINES, PLACES, make_cards, make_twin, totaliser_ml

log = logging.getLogger("forecourt.sim.bench")


class BenchError(Exception):
    """The bench cannot be set up; the text says why and what to do."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class CustomersTable(_Table, frozen=True):
    """Customers that come by themselves. `served`: how many; 0 is without end."""

    tempo: Literal["brisk", "easy"] = "easy"
    served: int = 0
    questions: bool = False
    plates: bool = False


class BenchFile(_Table, frozen=True):
    """bench.toml. Ports of 0 take a free one; `links` is a folder of stable names for the pseudo terminals."""

    seed: int = 1
    control_port: int = 0
    links: str = "ports"
    card_keys: str = ""
    reader_ports: tuple[int, ...] = (0, 0, 0, 0)
    printer: Literal["epson", "generic", "none"] = "epson"
    flow_ml_per_s: int = 600
    customers: CustomersTable | None = None


def load(path: Path) -> BenchFile:
    """Read and check a bench.toml. BenchError names file and key."""
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), BenchFile)
    except OSError as error:
        raise BenchError(f"{path} cannot be read ({error.strerror}): see docs/simulator.md for one to copy") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BenchError(f"{path}: {error}") from error
    if len(file.reader_ports) != len(PLACES):
        raise BenchError(f"{path}: reader_ports: expected {len(PLACES)} ports, one a fuelling point")
    if file.customers is not None and not file.card_keys:
        raise BenchError(f"{path}: card_keys: customers need the station's keys/cards.json to have cards made")
    return file


class Bench:
    """All devices of one simulated station, in real time."""

    def __init__(self, file: BenchFile, folder: Path, clock: Clock) -> None:
        self._file = file
        self._folder = folder
        self._clock = clock
        self.twins = {place.number: make_twin(place, flow_ml_per_s=file.flow_ml_per_s) for place in PLACES}
        self.street = Street()
        self._links: list[Path] = []

    async def run(self, say: Callable[[str], None], stop: asyncio.Event) -> None:
        """Open every device, `say` a line for each, and serve until `stop`."""
        async with contextlib.AsyncExitStack() as stack:
            for name in LINES:
                twins = [self.twins[place.number] for place in PLACES if place.line == name]
                line = PtyLine(twins, self._clock, LineSettings())
                stack.callback(line.close)
                say(f"line {name} {line.path} {self._link(stack, name, line.path)}")
            readers: dict[int, TcpReaderDevice] = {}
            for place, port in zip(PLACES, self._file.reader_ports, strict=True):
                device = TcpReaderDevice("127.0.0.1", port)
                try:
                    await device.start()
                except OSError as error:
                    raise BenchError(f"reader {place.number}: port {port} is taken ({error.strerror})") from error
                stack.push_async_callback(device.stop)
                readers[place.number] = device
                say(f"reader {place.number} 127.0.0.1:{device.port}")
            if self._file.printer != "none":
                printer = serve_pty(PrinterTwin(MODELS[self._file.printer], 42), self._slip)
                stack.callback(printer.close)
                say(f"printer {printer.path} {self._link(stack, 'printer', printer.path)}")
            control = ControlPort(self._totals, self._standing)
            try:
                port = await control.start(self._file.control_port)
            except OSError as error:
                raise BenchError(f"control port {self._file.control_port} is taken ({error.strerror})") from error
            stack.push_async_callback(control.stop)
            say(f"control 127.0.0.1:{port}")
            customers = self._customers(readers)
            stack.push_async_callback(_end, customers)
            say("ready")
            waiting = asyncio.ensure_future(stop.wait())
            stack.callback(waiting.cancel)
            running: set[asyncio.Task[None]] = set(customers)
            while not waiting.done():
                done, _ = await asyncio.wait({waiting, *running}, return_when=asyncio.FIRST_COMPLETED)
                for task in done & running:
                    running.discard(task)
                    task.result()

    def _link(self, stack: contextlib.AsyncExitStack, name: str, target: str) -> Path:
        """A stable name for a pseudo terminal, which has another number each time."""
        link = self._folder / self._file.links / name
        link.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(target)
        stack.callback(lambda: link.unlink(missing_ok=True))
        return link

    def _customers(self, readers: dict[int, TcpReaderDevice]) -> list[asyncio.Task[None]]:
        table = self._file.customers
        if table is None:
            return []
        try:
            masters = FileKeyStore(self._folder / self._file.card_keys).handover()
        except CardError as error:
            raise BenchError(str(error)) from error
        version = max(masters, key=int)
        cards = make_cards(bytes.fromhex(masters[version]), Chance(self._file.seed, "cards"))
        tempo = BRISK if table.tempo == "brisk" else EASY
        weigh = {Pays.CARD: 5, Pays.CASH: 4, Pays.PLATE: 1 if table.plates else 0}
        heads = {number: twin.head for number, twin in self.twins.items()}
        customer = Customer(heads, readers, cards, self.street, self._clock, tempo)
        quota = Quota(table.served or None)
        return [
            asyncio.ensure_future(
                stream(place, customer, self._clock, self._file.seed, tempo, weigh, quota, questions=table.questions)
            )
            for place in PLACES
        ]

    def _slip(self, slip: PrintedSlip) -> None:
        log.info("the printer cut a slip:\n%s", slip.text)

    def _totals(self) -> Totals:
        return Totals(totaliser_ml(self.twins, self._clock.now().mono_us), self.street.served)

    def _standing(self) -> list[Standing]:
        return [
            Standing(number, visit.pays, visit.holder.plate if visit.holder else "")
            for number, visit in sorted(self.street.standing.items())
        ]


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve(path: Path, say: Callable[[str], None]) -> None:
    """Run the bench of a bench.toml until SIGTERM or SIGINT."""
    file = load(path)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Bench(file, path.parent, MachineClock()).run(say, stop)
