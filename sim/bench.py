"""The bench: simulated pumps, card readers, keypads and a printer on real ports, in real time, for any program.

Pumps hang on the lines that bench.toml names, readers and keypads on TCP, the printer on a pseudo terminal; behind a
small control port are the window, a customer's hands, and the faults. Simulated customers may come by themselves. Knows
no protocol.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from card_io.errors import CardError
from card_io.keys import FileKeyStore
from controller.domain.seams import Clock
from controller.machine import MachineClock
from controller.printing.escpos import MODELS
from controller.pumps.address import net_address
from sim import control
from sim.bench_file import BenchError, BenchLine, BenchPlan, load
from sim.cards.card import SimCard
from sim.cards.tcp import TcpReaderDevice
from sim.chance import Chance
from sim.control import (
    CONTROL_FILE,
    ControlError,
    ControlPort,
    FaultView,
    KeypadView,
    NozzleView,
    PumpView,
    Standing,
    Totals,
)
from sim.customers import BRISK, EASY, Customer, Pays, Quota, Street, stream
from sim.faults import FaultError, Faults, FaultyTwin, make_fault
from sim.keypads import TcpKeypadDevice
from sim.printer import PrintedSlip, PrinterTwin, serve_pty
from sim.pumps.lines import NETWORK_SILENCE_US, NetLine, Raw, Rfc2217, SerialLine, ServerLine
from sim.pumps.port import LineEnd, PtyLine
from sim.site import make_cards

log = logging.getLogger("forecourt.sim.bench")


class Bench:
    """All devices of one simulated station, in real time.

    `twins`: the pumps by number, with their faults around them; `twins[3].faults.inject(...)` is what the control port
    does. `real_port`: lines on real serial devices are meant.
    """

    def __init__(self, plan: BenchPlan, clock: Clock, *, real_port: bool = False) -> None:
        self._plan = plan
        self._file = plan.file
        self._folder = plan.path.parent
        self._clock = clock
        self._pumps = {pump.place.number: pump for pump in plan.pumps}
        self.twins: dict[int, FaultyTwin] = {
            number: pump.protocol.faulty(pump.twin, Faults(Chance(plan.file.seed, f"faults/{number}")))
            for number, pump in self._pumps.items()
        }
        self.street = Street()
        self._readers: dict[int, TcpReaderDevice] = {}
        self._cards: dict[str, SimCard] = {}
        self._keypads: dict[int, TcpKeypadDevice] = {}
        for index, line in enumerate(plan.lines):
            if line.table.transport == "serial" and not real_port:
                raise BenchError(
                    f"{plan.path}: lines[{index}].transport: this opens the real device {line.table.port}: start the "
                    "bench with --real-port if a simulated pump on a real cable is meant"
                )

    async def run(self, say: Callable[[str], None], stop: asyncio.Event) -> None:
        """Open every device, `say` a line for each, and serve until `stop`."""
        async with contextlib.AsyncExitStack() as stack:
            for line in self._plan.lines:
                say(f"line {line.table.name} {await self._open_line(stack, line)}")
            for number, port in self._plan.reader_ports.items():
                device = TcpReaderDevice("127.0.0.1", port)
                try:
                    await device.start()
                except OSError as error:
                    raise BenchError(f"reader {number}: port {port} is taken ({error.strerror})") from error
                stack.push_async_callback(device.stop)
                self._readers[number] = device
                say(f"reader {number} 127.0.0.1:{device.port}")
            await self._open_keypads(stack, say)
            if self._file.printer != "none":
                printer = serve_pty(PrinterTwin(MODELS[self._file.printer], 42), self._slip)
                stack.callback(printer.close)
                say(f"printer {printer.path} {self._link(stack, 'printer', printer.path)}")
            self._cards = self._make_cards()
            say(f"control {await self._open_control(stack)}")
            customers = self._customers()
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

    async def _open_line(self, stack: contextlib.AsyncExitStack, line: BenchLine) -> str:
        """Returns where it is, in words for people."""
        table, speaks = line.table, line.protocol
        twins = [self.twins[pump.place.number] for pump in line.pumps]
        slack_us = table.slack_us
        if slack_us is None:
            local = table.transport == "pty" or str(table.port).startswith("/")
            slack_us = 0 if local else NETWORK_SILENCE_US
        silence_us = speaks.silence_us + slack_us
        if table.transport == "pty":
            pty = PtyLine(twins, self._clock, line.settings, speaks.complete, silence_us=silence_us, pace=line.pace)
            stack.callback(pty.close)
            return f"{pty.path} {self._link(stack, table.name, pty.path)}"

        def end(speak: Callable[[bytes], None]) -> LineEnd:
            return LineEnd(
                twins,
                self._clock,
                line.settings,
                speaks.complete,
                speak,
                silence_us=silence_us,
                pace=line.pace,
            )

        try:
            where = net_address(table.port) if isinstance(table.port, str) else None
            if where is not None:
                server = ServerLine(where, line.settings, self._clock, end)
                await server.start()
                stack.push_async_callback(server.close)
                return f"{server.where} (real port)"
            if isinstance(table.port, str):
                cable = SerialLine(table.port, line.settings, end)
                stack.callback(cable.close)
                return f"{cable.where} (real port)"
            raw = table.transport == "tcp"
            framing = Raw if raw else partial(Rfc2217, line.settings)
            net = NetLine(table.name, table.port, end, framing, "socket" if raw else "rfc2217")
            await net.start()
        except OSError as error:
            raise BenchError(f"line {table.name}: port {table.port} cannot be opened ({error})") from error
        stack.push_async_callback(net.close)
        return net.where

    async def _open_keypads(self, stack: contextlib.AsyncExitStack, say: Callable[[str], None]) -> None:
        for table in self._file.keypads:
            device = TcpKeypadDevice(table.port)
            try:
                await device.start()
            except OSError as error:
                raise BenchError(f"keypad {table.point}: port {table.port} is taken ({error.strerror})") from error
            stack.push_async_callback(device.stop)
            self._keypads[table.point] = device
            say(f"keypad {table.point} 127.0.0.1:{device.port}")

    async def _open_control(self, stack: contextlib.AsyncExitStack) -> str:
        server = ControlPort(self._asked)
        try:
            port = await server.start(self._file.control_port)
        except OSError as error:
            raise BenchError(f"control port {self._file.control_port} is taken ({error.strerror})") from error
        stack.push_async_callback(server.stop)
        where = f"{control.HOST}:{port}"
        path = self._folder / self._file.links / CONTROL_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{where}\n", encoding="ascii")
        stack.callback(lambda: path.unlink(missing_ok=True))
        return where

    def _link(self, stack: contextlib.AsyncExitStack, name: str, target: str) -> Path:
        """A stable name for a pseudo terminal, which has another number each time."""
        link = self._folder / self._file.links / name
        link.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(target)
        stack.callback(lambda: link.unlink(missing_ok=True))
        return link

    def _make_cards(self) -> dict[str, SimCard]:
        """The customers' cards by number; none without the station's keys."""
        if not self._file.card_keys:
            return {}
        try:
            masters = FileKeyStore(self._folder / self._file.card_keys).handover()
        except CardError as error:
            raise BenchError(str(error)) from error
        version = max(masters, key=int)
        return make_cards(bytes.fromhex(masters[version]), Chance(self._file.seed, "cards"))

    def _customers(self) -> list[asyncio.Task[None]]:
        table = self._file.customers
        if table is None:
            return []
        tempo = BRISK if table.tempo == "brisk" else EASY
        weigh = {Pays.CARD: 5, Pays.CASH: 4, Pays.PLATE: 1 if table.plates else 0}
        heads = {number: twin.head for number, twin in self.twins.items()}
        customer = Customer(heads, self._readers, self._cards, self.street, self._clock, tempo)
        quota = Quota(table.served or None)
        places = [pump.place for pump in self._plan.pumps]
        return [
            asyncio.ensure_future(
                stream(place, customer, self._clock, self._file.seed, tempo, weigh, quota, questions=table.questions)
            )
            for place in places
        ]

    def _slip(self, slip: PrintedSlip) -> None:
        log.info("the printer cut a slip:\n%s", slip.text)

    # --- the control port -----------------------------------------------------------------------------------

    def _now(self) -> int:
        return self._clock.now().mono_us

    def _asked(self, ask: control.Ask) -> control.Answer:
        try:
            return self._do(ask)
        except FaultError as error:
            raise ControlError(str(error)) from error

    def _do(self, ask: control.Ask) -> control.Answer:
        match ask:
            case control.AskTotals():
                return self._totals()
            case control.AskStreet():
                return self._standing()
            case control.AskPumps():
                return [self._view(number) for number in self.twins]
            case control.AskFaults():
                return self._faults()
            case control.AskKeypads() | control.TypeKeys():
                return self._at_keypads(ask)
            case control.Inject(pump, fault, count, values):
                self._twin(pump).faults.order(make_fault(fault, count, values), self._now())
                return self._faults()
            case control.Clear(pump, fault):
                for twin in self.twins.values() if pump is None else [self._twin(pump)]:
                    twin.faults.clear(self._now(), fault)
                return self._faults()
            case control.InsertCard() | control.RemoveCard():
                self._slot(ask)
            case _:
                self._hands(ask)
        return self._view(ask.pump)

    def _hands(self, ask: control.Lift | control.Squeeze | control.HangUp) -> None:
        head = self._twin(ask.pump).head
        try:
            match ask:
                case control.Lift(_, nozzle):
                    head.lift(nozzle, self._now())
                case control.Squeeze(_, volume_ml):
                    head.squeeze(volume_ml, self._now())
                case control.HangUp():
                    head.hang_up(self._now())
        except ValueError as error:
            raise ControlError(f"pump {ask.pump}: {error}") from error

    def _slot(self, ask: control.InsertCard | control.RemoveCard) -> None:
        self._twin(ask.pump)
        reader = self._readers.get(ask.pump)
        if reader is None:
            raise ControlError(f"pump {ask.pump} has no reader: give it a port in reader_ports of bench.toml")
        if isinstance(ask, control.RemoveCard):
            reader.remove()
            return
        if ask.card not in self._cards:
            known = ", ".join(self._cards) or "none: set card_keys in bench.toml"
            raise ControlError(f"there is no card {ask.card}: expected one of {known}")
        reader.insert(self._cards[ask.card])

    def _at_keypads(self, ask: control.KeypadAsk) -> list[KeypadView]:
        if isinstance(ask, control.AskKeypads):
            return [_keypad_view(*pair) for pair in sorted(self._keypads.items())]
        keypad = self._keypads.get(ask.point)
        if keypad is None:
            known = ", ".join(map(str, sorted(self._keypads))) or "none: give it one with [[keypads]] in bench.toml"
            raise ControlError(f"point {ask.point} has no keypad: expected one of {known}")
        if not keypad.twin.asks:
            raise ControlError(f"the keypad of point {ask.point} asks nothing now: see `forecourt sim keypads`")
        try:
            for key in ask.keys:
                keypad.press(key)
        except ValueError as error:
            raise ControlError(str(error)) from error
        return [_keypad_view(ask.point, keypad)]

    def _twin(self, number: int) -> FaultyTwin:
        if number not in self.twins:
            raise ControlError(f"there is no pump {number}: expected one of {', '.join(map(str, self.twins))}")
        return self.twins[number]

    def _view(self, number: int) -> PumpView:
        pump, twin, now_us = self._pumps[number], self.twins[number], self._now()
        head = twin.head
        state = getattr(twin.twin, "state", None)
        return PumpView(
            pump=number,
            line=pump.place.line,
            protocol=pump.protocol.name,
            address=pump.place.address,
            state=str(getattr(state, "name", state)).lower(),
            nozzle_out=head.nozzle_out or 0,
            lamp=head.lamp,
            flowing=head.next_change_us(now_us) is not None,
            volume_ml=head.volume_ml(now_us),
            amount_minor=head.amount_minor(now_us),
            nozzles=tuple(
                NozzleView(
                    nozzle.grade,
                    str(nozzle.price),
                    head.totaliser_ml(at, now_us),
                    head.totaliser_minor(at, now_us),
                )
                for at, nozzle in enumerate(head.nozzles, 1)
            ),
            faults=tuple(fault.name for fault in twin.faults.active()),
        )

    def _faults(self) -> list[FaultView]:
        return [
            FaultView(number, fault.name, fault.left, fault.values)
            for number, twin in self.twins.items()
            for fault in twin.faults.active()
        ]

    def _totals(self) -> Totals:
        now_us = self._now()
        heads = [twin.head for twin in self.twins.values()]
        meters = [head.totaliser_ml(at, now_us) for head in heads for at in range(1, len(head.nozzles) + 1)]
        return Totals(sum(meters), self.street.served)

    def _standing(self) -> list[Standing]:
        return [
            Standing(number, visit.pays, visit.holder.plate if visit.holder else "")
            for number, visit in sorted(self.street.standing.items())
        ]


def _keypad_view(point: int, keypad: TcpKeypadDevice) -> KeypadView:
    return KeypadView(point, keypad.twin.rows, keypad.twin.asks, keypad.connected)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve(path: Path, say: Callable[[str], None], *, real_port: bool = False) -> None:
    """Run the bench of a bench.toml until SIGTERM or SIGINT."""
    bench = Bench(load(path), MachineClock(), real_port=real_port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await bench.run(say, stop)
