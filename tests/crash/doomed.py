"""The real station in a process of its own that kills itself (SIGKILL) at a named step of a sale.

It is the production command. Its seams to the outside (the journal's file, the pump's cable, the printer, the spool,
the link, the lists) are wrapped from here, so that the process ends exactly between two of its steps; nothing in the
product knows of it. `run_forecourt` runs any `forecourt` command in a child of this module's own fork server, which has
imported everything already: the start of Python is what would take most of the time.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import controller.daemon
import controller.keeper
import controller.station
import controller.store.checkpoint
import controller.store.whitelist
import controller.store.whitelist_file
import sync.link
from controller.domain.records import Body, Record, Settlement, Stamp, decode_body, kind_of
from controller.points.point import CardRejected, FuellingPoint, TokenShown
from controller.printing.port import PortPrinter
from controller.printing.spool import Slip, SpoolDirectory
from controller.pumps import words
from controller.pumps.core import Turn
from controller.pumps.dart import frame
from controller.pumps.dart import transactions as dart
from controller.pumps.line import SerialLinePort
from controller.store.journal import Journal
from forecourt import main
from sync.transport import HttpTransport
from sync.wire import BATCHES_PATH, SealedBatch

POINT, ADDRESS, LINE = 1, 0x50, "side-1"
"""The sale that is meant is at this fuelling point, alone on its line; others go on meanwhile."""
DIED = "died: "
PRELOADED = [
    "tests.crash.doomed",
    "controller.api.server",
    "controller.commands",
    "controller.office.whitelist_commands",
    "httpx",
    "sync.hq.commands",
    "uvicorn.protocols.http.h11_impl",
]

BEFORE_AUTHORISED = "before authorised is on disk"
AUTHORISED = "authorised is on disk, the pump not told"
TOLD = "the pump was told"
FUELLING = "while it fuels"
COMPLETED = "completed, before delivery is on disk"
DELIVERED = "delivery is on disk, the pump not cleared"
CLEARED = "cleared, before settlement is on disk"
SETTLED = "settlement is on disk, the receipt not spooled"
SPOOLED = "the receipt is spooled, not printed"
HALF_PRINTED = "in the middle of printing"
PRINTED = "printed, and not marked so"
MARKED = "printed, and marked so"
HALF_SENT = "in the middle of sending a batch"
ANSWERED = "the batch is acknowledged, and nobody has read that"
CURSOR = "the acknowledgement is read, the cursor not kept"
LIST_SWITCHES = "a new list is open, the old one not let go"
CHECKPOINT_HALF = "in the middle of writing a checkpoint"
CHECKPOINT_WHOLE = "a checkpoint is written, not in place"
CHECKPOINT_PLACED = "a checkpoint is in place"
CHECKPOINTS = {CHECKPOINT_HALF, CHECKPOINT_WHOLE, CHECKPOINT_PLACED}
LIST_MADE = "import: the new list is whole, not in place"
LIST_PLACED = "import: the new list is in place, its folder not synced"


class Doom:
    """Where this process ends, and what it has done until then."""

    def __init__(self, step: str) -> None:
        self._step = step
        self.delivered = self.settled = self.fuelling = False

    def is_at(self, step: str) -> bool:
        return self._step == step

    @property
    def waits_for_a_checkpoint(self) -> bool:
        return self._step in CHECKPOINTS

    def comes(self, step: str) -> None:
        """This step has come: perhaps the last one."""
        if self._step == step:
            os.write(1, f"{DIED}{step}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


doom = Doom("")
"""Of this process."""


class DoomedJournal(Journal):
    """Ends before or after a commit, on the thread that makes it."""

    def append(self, records: Sequence[Record], stamp: Stamp) -> tuple[Body, ...]:
        kinds = {kind_of(record) for record in records if getattr(record, "point", POINT) == POINT}
        if "authorised" in kinds:
            doom.comes(BEFORE_AUTHORISED)
        if "delivery" in kinds:
            doom.comes(COMPLETED)
        if "settlement" in kinds and doom.is_at(CLEARED):
            threading.Event().wait()  # a slow disk: the pump is cleared meanwhile, and then this process ends
        bodies = super().append(records, stamp)
        if "authorised" in kinds:
            doom.comes(AUTHORISED)
        if "delivery" in kinds:
            doom.delivered = True
            doom.comes(DELIVERED)
        if "settlement" in kinds:
            doom.settled = True
            doom.comes(SETTLED)
        return bodies

    def set_cursor(self, seq: int) -> None:
        if doom.settled and seq == self.head_seq:
            doom.comes(CURSOR)
        super().set_cursor(seq)


class DoomedCable(SerialLinePort):
    """Ends when a pump has heard an order and has said so."""

    async def transact(self, turn: Turn) -> bytes:
        answer = await super().transact(turn)
        heard = frame.decode(turn.data)
        if self.path.endswith(LINE) and answer:
            orders = {item.order for item in dart.to_pump(heard.body) if isinstance(item, dart.Command)}
            if dart.Order.AUTHORIZE in orders:
                doom.comes(TOLD)
            if dart.Order.RESET in orders and doom.delivered:
                doom.comes(CLEARED)
        return answer


class DoomedPoint(FuellingPoint):
    """Ends when fuel is seen to run."""

    def post(self, message: words.PumpEvent | TokenShown | CardRejected) -> None:
        # A slow machine may see nothing of a delivery but its end: its fuel has run, and no row says so yet. Not so one
        # that the pump still shows at the start: that is the sale of the life before.
        ends = isinstance(message, words.Completed) and not message.at_start
        if self.number == POINT and (ends or (isinstance(message, words.Fuelling) and message.volume_ml)):
            doom.fuelling = True
            doom.comes(FUELLING)
            if ends and doom.waits_for_a_checkpoint:
                return  # else the sale might be over before the next one is written
        super().post(message)


class DoomedSpool(SpoolDirectory):
    """Ends when a receipt is kept, or marked as printed."""

    def put(self, slip: Slip) -> bool:
        new = super().put(slip)
        if new:
            doom.comes(SPOOLED)
        return new

    def finish(self, name: str) -> None:
        super().finish(name)
        doom.comes(MARKED)


class DoomedPrinter(PortPrinter):
    """Ends in the middle of a receipt, or behind it."""

    async def print(self, data: bytes) -> None:
        if doom.is_at(HALF_PRINTED):
            await super().print(data[: len(data) // 2])
        else:
            await super().print(data)
        doom.comes(HALF_PRINTED)
        doom.comes(PRINTED)


class DoomedTransport:
    """Ends while a batch with the settlement is under way. Implements the sync's Transport."""

    def __init__(self, inner: HttpTransport, public_key: bytes) -> None:
        self._inner = inner
        self._public_key = public_key

    async def post(self, path: str, body: bytes) -> bytes:
        if path != BATCHES_PATH or not self._has_the_sale(body):
            return await self._inner.post(path, body)
        if doom.is_at(HALF_SENT):
            await self._inner._client.post(path, content=_half(body), headers={"content-length": str(len(body))})
        answer = await self._inner.post(path, body)
        doom.comes(ANSWERED)
        return answer

    def _has_the_sale(self, body: bytes) -> bool:
        rows = SealedBatch(body).open(self._public_key).rows
        return doom.settled and any(isinstance(decode_body(row.body).record, Settlement) for row in rows)


async def _half(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    doom.comes(HALF_SENT)


class DoomedLink(sync.link.StationLink):
    def __init__(self, *, transport: HttpTransport, key: Any, **others: Any) -> None:
        public_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        super().__init__(transport=DoomedTransport(transport, public_key), key=key, **others)


class _OfCheckpoints:
    """The operating system, as the checkpoint's file uses it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fdopen(self, number: int, mode: str) -> "_HalfFile":
        return _HalfFile(os.fdopen(number, mode))

    def replace(self, source: Path, target: Path) -> None:
        if doom.fuelling:
            doom.comes(CHECKPOINT_WHOLE)
        os.replace(source, target)
        if doom.fuelling:
            doom.comes(CHECKPOINT_PLACED)


class _HalfFile:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_HalfFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        if doom.fuelling and doom.is_at(CHECKPOINT_HALF):
            self._file.write(data[: len(data) // 2])
            self._file.flush()
            doom.comes(CHECKPOINT_HALF)
        self._file.write(data)


def _second(open_list: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """The first list that is opened is the one of the start."""
    opened: list[Any] = []

    def open_and_end(path: Path) -> Any:
        opened.append(open_list(path))
        if len(opened) > 1:
            doom.comes(LIST_SWITCHES)
        return opened[-1]

    return open_and_end


def _syncs(sync_path: Callable[[Path], None]) -> Callable[[Path], None]:
    """What makes a list syncs it, and then the folder in which it was put in place."""

    def sync_and_end(path: Path) -> None:
        sync_path(path)
        doom.comes(LIST_PLACED if path.is_dir() else LIST_MADE)

    return sync_and_end


def wrap(step: str) -> None:
    """Put the wrapped seams where the product takes its own from. Each must be there: else this proves nothing."""
    global doom  # noqa: PLW0603  # it is this process's one
    doom = Doom(step)
    for module, name, wrapped in (
        (controller.daemon, "Journal", DoomedJournal),
        (controller.daemon, "SerialLinePort", DoomedCable),
        (controller.daemon, "SpoolDirectory", DoomedSpool),
        (controller.daemon, "PortPrinter", DoomedPrinter),
        (controller.station, "FuellingPoint", DoomedPoint),
        (sync.link, "StationLink", DoomedLink),
        (controller.store.checkpoint, "os", _OfCheckpoints()),
        (controller.store.whitelist, "open_to_read", _second(controller.store.whitelist_file.open_to_read)),
        (controller.store.whitelist_file, "sync_to_disk", _syncs(controller.store.whitelist_file.sync_to_disk)),
    ):
        assert hasattr(module, name), f"{module.__name__} takes no {name} any more: wrap what it takes"
        setattr(module, name, wrapped)
    if doom.waits_for_a_checkpoint:
        assert hasattr(controller.keeper, "CHECKPOINT_EVERY_S")
        controller.keeper.CHECKPOINT_EVERY_S = 0  # otherwise an hour must pass until one falls into a sale


def _run(folder: Path, log: Path, command: tuple[str, ...], step: str) -> None:
    """In the child: a `forecourt` command, its output in a file."""
    number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(number, 1)
    os.dup2(number, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    os.chdir(folder)
    if step:
        wrap(step)
    main(command, prog_name="forecourt")


def fork_server() -> ForkServerContext:
    """Where children come from: a process of one thread that has imported the product, and has done nothing with it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def run_forecourt(
    context: ForkServerContext, folder: Path, log: Path, *command: str, step: str = ""
) -> ForkServerProcess:
    """A `forecourt` command as a process in `folder`. With `step` it kills itself there."""
    process = context.Process(target=_run, args=(folder, log, command, step), daemon=True)
    process.start()
    return process
