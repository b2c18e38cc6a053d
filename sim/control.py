"""The bench's control port: one JSON object a line over TCP, for tests, demonstrations and curious people.

What one sees through the window (`totals`, `street`, `pumps`, `keypads`), what a customer's hands do (`lift`,
`squeeze`, `hang_up`, `insert_card`, `remove_card`, `type`), and what goes wrong (`inject`, `clear`, `faults`). Listens
on this machine only. Knows the words and the wire, and no device.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

import msgspec

HOST = "127.0.0.1"
CONTROL_FILE = "control"
"""Beside the pseudo terminals' names: where the control port is."""
LINE_BYTES_MAX = 4_096
ANSWER_BYTES_MAX = 1 << 20
T = TypeVar("T")


class ControlError(Exception):
    """What was asked cannot be done; the text says why."""


class _Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="ask"):
    pass


class AskTotals(_Ask, frozen=True, tag="totals"):
    pass


class AskStreet(_Ask, frozen=True, tag="street"):
    pass


class AskPumps(_Ask, frozen=True, tag="pumps"):
    pass


class AskFaults(_Ask, frozen=True, tag="faults"):
    pass


class Inject(_Ask, frozen=True, tag="inject"):
    """Order a fault. `count`: how often; without one, as the fault's kind says. `values`: its numbers."""

    pump: int
    fault: str
    count: int | None = None
    values: dict[str, int] = {}


class Clear(_Ask, frozen=True, tag="clear"):
    """End the faults of a pump, or of all; one of them by name, or all."""

    pump: int | None = None
    fault: str | None = None


class Lift(_Ask, frozen=True, tag="lift"):
    pump: int
    nozzle: int = 1


class Squeeze(_Ask, frozen=True, tag="squeeze"):
    """Hold the trigger for so much more."""

    pump: int
    volume_ml: int


class HangUp(_Ask, frozen=True, tag="hang_up"):
    pump: int


class InsertCard(_Ask, frozen=True, tag="insert_card"):
    pump: int
    card: str


class RemoveCard(_Ask, frozen=True, tag="remove_card"):
    pump: int


class AskKeypads(_Ask, frozen=True, tag="keypads"):
    pass


class TypeKeys(_Ask, frozen=True, tag="type"):
    """Press keys at the keypad of a point, one after the other: "0" to "9", "enter", "clear", "cancel"."""

    point: int
    keys: tuple[str, ...]


KeypadAsk = AskKeypads | TypeKeys
Ask = (
    AskTotals
    | AskStreet
    | AskPumps
    | AskFaults
    | Inject
    | Clear
    | Lift
    | Squeeze
    | HangUp
    | InsertCard
    | RemoveCard
    | KeypadAsk
)
WORDS = ", ".join(str(kind.__struct_config__.tag) for kind in Ask.__args__)


class Totals(msgspec.Struct, frozen=True):
    """All meters of all pumps, in thousandths of a litre, and how many customers were served."""

    totaliser_ml: int
    served: int


class Standing(msgspec.Struct, frozen=True):
    """A customer at a fuelling point: how they mean to pay, and the plate if they have an account."""

    point: int
    pays: str
    plate: str


class NozzleView(msgspec.Struct, frozen=True):
    """`price` as it stands on the pump."""

    grade: str
    price: str
    totaliser_ml: int
    totaliser_minor: int


class PumpView(msgspec.Struct, frozen=True):
    """A pump as one sees it. `state` is its protocol's word; `nozzle_out` counts from 1, 0 for none. `lamp`: "off",
    "blinking" while its customer waits to be let go, "on" while fuel may run.
    """

    pump: int
    line: str
    protocol: str
    address: int
    state: str
    nozzle_out: int
    lamp: str
    flowing: bool
    volume_ml: int
    amount_minor: int
    nozzles: tuple[NozzleView, ...]
    faults: tuple[str, ...]


class KeypadView(msgspec.Struct, frozen=True):
    """What a driver sees at the keypad of a point. `asks`: keys are wanted; `connected`: a station is there."""

    point: int
    rows: tuple[str, str]
    asks: bool
    connected: bool


class FaultView(msgspec.Struct, frozen=True):
    """A fault that is ordered. `left`: how often it is still to happen; none: until it is cleared."""

    pump: int
    fault: str
    left: int | None
    values: dict[str, int]


class Complaint(msgspec.Struct, frozen=True):
    error: str


Answer = Totals | list[Standing] | list[PumpView] | list[FaultView] | list[KeypadView] | PumpView


class ControlPort:
    """The server's end. `answer` does what is asked; ControlError becomes a complaint."""

    def __init__(self, answer: Callable[[Ask], Answer]) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, port: int) -> int:
        """Listen; returns the port. OSError if it is taken."""
        self._server = await asyncio.start_server(self._talk, HOST, port, limit=LINE_BYTES_MAX)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.close()
            await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(self._heard(line)) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            return  # they went away, or sent a line without end
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _heard(self, line: bytes) -> Answer | Complaint:
        try:
            return self._answer(msgspec.json.decode(line, type=Ask))
        except msgspec.DecodeError as error:
            return Complaint(f'{error}: send {{"ask": WORD}}, WORD one of {WORDS}')
        except ControlError as error:
            return Complaint(str(error))


class ControlClient:
    """The other end. Several may ask at once: they are answered one after the other."""

    def __init__(self, port: int, host: str = HOST) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._asking = asyncio.Lock()
        self._turn = asyncio.Lock()

    async def totals(self) -> Totals:
        return await self.ask(AskTotals(), Totals)

    async def street(self) -> list[Standing]:
        return await self.ask(AskStreet(), list[Standing])

    async def pumps(self) -> list[PumpView]:
        return await self.ask(AskPumps(), list[PumpView])

    async def faults(self) -> list[FaultView]:
        return await self.ask(AskFaults(), list[FaultView])

    async def ask(self, ask: Ask, kind: type[T]) -> T:
        """Ask anything; the answer is of this kind. ControlError is the bench's own sentence."""
        async with self._turn:
            try:
                line = await self._say(msgspec.json.encode(ask))
            except BaseException:
                await self.close()  # an answer that nobody waited for must not be taken for the next one
                raise
        try:
            complaint = msgspec.json.decode(line, type=Complaint)
        except msgspec.ValidationError:
            return msgspec.json.decode(line, type=kind)
        raise ControlError(complaint.error)

    async def _say(self, ask: bytes) -> bytes:
        async with self._asking:  # an answer belongs to the question before it
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port, limit=ANSWER_BYTES_MAX)
            return await self._exchange(*self._streams, ask)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ask: bytes) -> bytes:
        try:
            writer.write(ask + b"\n")
            line = await reader.readline()
        except BaseException:
            # Called off in the middle: its answer is still to come, and must not be taken for the next one's.
            writer.close()
            self._streams = None
            raise
        if not line:
            raise ConnectionError("the bench has ended")
        return line

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(ConnectionError):
                await self._streams[1].wait_closed()
            self._streams = None
