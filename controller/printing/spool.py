"""The spool: slips wait here until paper has them. Knows no receipt, no journal and no port.

The settlement is on disk before its slip is put here, so a slip may be put again after a crash: the spool takes
each name once, and the journal can be replayed into it. A slip is files in one directory, its state their name:

    receipt-000123.txt       the readable copy, written first and kept
    receipt-000123.escpos    waits
    receipt-000123.sending   its bytes are going to the printer, or went when the controller died
    receipt-000123.printed   done

Each file is whole or absent: written beside, fsynced, renamed.

What a crash does: a slip is never lost, and may come out twice, because nobody can know how much of a slip that
was being sent is on paper. So a slip that is found `sending` (or whose sending broke off) is printed again under
REPRINT_NOTICE, which calls it a copy: one sale never gives two originals. A slip that found no printer at all goes
back to waiting and is printed as the original that it is.
"""

import asyncio
import errno
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from controller.domain.receipt import COPY
from controller.domain.seams import US_PER_S, Clock
from controller.printing.escpos import notice_bytes

RETRY_FIRST_US = US_PER_S
RETRY_MAX_US = 15 * US_PER_S
"""An attendant who has put paper in waits no longer than this."""
REPRINT_NOTICE = notice_bytes(f"{COPY} - MAY HAVE BEEN PRINTED")
"""At most 32 columns: it must fit the narrowest paper."""

WAITING, SENDING, PRINTED, READABLE, UNFINISHED = ".escpos", ".sending", ".printed", ".txt", ".tmp"
_NAME = re.compile(r"receipt-(\d+)(?:-copy-(\d+))?", re.ASCII)


class PrinterError(Exception):
    """The printer did not take a slip; the text says what to do.

    `begun`: some of its bytes may have reached the printer.
    """

    def __init__(self, text: str, *, begun: bool) -> None:
        super().__init__(text)
        self.begun = begun


class SpoolError(Exception):
    """The disk did not take or give a slip; the text says what to do."""


class Printer(Protocol):
    """Where a slip's bytes go."""

    async def print(self, data: bytes) -> None:
        """Return when the printer has taken all of `data`; PrinterError if not."""
        ...


@dataclass(frozen=True, slots=True)
class Slip:
    """A receipt ready for printing: its name (see `slip_name`), the text to read and the bytes to send."""

    name: str
    text: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """A slip that is not printed. `begun`: it may be on paper already, whole or in part."""

    name: str
    begun: bool


class Spool(Protocol):
    """Keeps slips. All methods raise SpoolError.

    The three marks may be repeated, and do nothing for a slip that the disk did not take.
    """

    def put(self, slip: Slip) -> bool:
        """Keep a slip durably. False if its name is known, printed or not: then nothing is written."""
        ...

    def waiting(self) -> tuple[Waiting, ...]:
        """What is not printed, by receipt number."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of a slip that is not printed."""
        ...

    def begin(self, name: str) -> None:
        """The slip's bytes are about to be sent."""
        ...

    def put_back(self, name: str) -> None:
        """None of the bytes were sent after all."""
        ...

    def finish(self, name: str) -> None:
        """The printer has the slip."""
        ...


def slip_name(receipt_number: int, copy: int = 0) -> str:
    """The name of a receipt's slip, or of its nth copy."""
    return f"receipt-{receipt_number:06}" + (f"-copy-{copy}" if copy else "")


class PrintQueue:
    """Sends slips in order, one at a time, until the printer takes each.

    `on_trouble` is told a sentence for the attendant when something is wrong, and None when all is well again.
    """

    def __init__(self, spool: Spool, printer: Printer, clock: Clock, on_trouble: Callable[[str | None], None]) -> None:
        self._spool = spool
        self._printer = printer
        self._clock = clock
        self._on_trouble = on_trouble
        self._jobs: dict[str, bytes | None] = {}  # bytes only of what the disk did not take
        self._begun: set[str] = set()
        self._wake = asyncio.Event()
        self._spool_trouble: str | None = None
        self._printer_trouble: str | None = None
        self._told: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The slips that are not printed, in the order of printing."""
        return tuple(self._jobs)

    def submit(self, slip: Slip) -> None:
        """Keep a slip and print it in its turn. A name that the spool knows is not printed again.

        Never fails: what the disk does not take is printed from memory, and `on_trouble` hears of it. The sale is
        in the journal already.
        """
        try:
            new = self._spool.put(slip)
        except SpoolError as error:
            self._say(spool=str(error))
            self._jobs.setdefault(slip.name, slip.data)
        else:
            self._say(spool=None)
            if new:
                self._jobs.setdefault(slip.name, None)
        self._wake.set()

    async def run(self) -> None:
        """Print, for ever; first what an earlier run left. Cancel it to stop: what waits stays in the spool."""
        self._load()
        while True:
            self._wake.clear()
            while self._jobs:
                await self._print_until_taken(next(iter(self._jobs)))
            await self._wake.wait()

    def _load(self) -> None:
        try:
            left = self._spool.waiting()
        except SpoolError as error:
            self._say(spool=str(error))
            return
        self._begun |= {job.name for job in left if job.begun}
        submitted = self._jobs
        self._jobs = {job.name: None for job in left if job.name not in submitted}
        self._jobs.update(submitted)

    async def _print_until_taken(self, name: str) -> None:
        data = self._jobs[name]
        if data is None:
            try:
                data = self._spool.read(name)
            except SpoolError as error:
                # One bad file must not hold up the others. It stays on disk and is tried again at the next start.
                self._say(spool=str(error))
                del self._jobs[name]
                return
        pause_us = RETRY_FIRST_US
        while not await self._print_once(name, data):
            await self._clock.sleep_until(self._clock.now().mono_us + pause_us)
            pause_us = min(2 * pause_us, RETRY_MAX_US)

    async def _print_once(self, name: str, data: bytes) -> bool:
        begun = name in self._begun
        self._mark(self._spool.begin, name)
        try:
            await self._printer.print(REPRINT_NOTICE + data if begun else data)
        except PrinterError as error:
            if error.begun:
                self._begun.add(name)
            elif not begun:
                self._mark(self._spool.put_back, name)
            self._say(printer=str(error))
            return False
        self._mark(self._spool.finish, name)
        del self._jobs[name]
        self._begun.discard(name)
        self._say(printer=None)
        return True

    def _mark(self, mark: Callable[[str], None], name: str) -> None:
        """Paper matters more than a mark on disk: without it, the worst is one copy too many after a crash."""
        try:
            mark(name)
        except SpoolError as error:
            self._say(spool=str(error))

    def _say(self, **trouble: str | None) -> None:
        self._printer_trouble = trouble.get("printer", self._printer_trouble)
        self._spool_trouble = trouble.get("spool", self._spool_trouble)
        text = " ".join(filter(None, (self._printer_trouble, self._spool_trouble))) or None
        if text != self._told:
            self._told = text
            self._on_trouble(text)


class SpoolDirectory:
    """The spool on disk. The directory is made if it is missing; one controller owns it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, slip: Slip) -> bool:
        _number_of(slip.name)
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            if any(self._file(slip.name, state).exists() for state in (WAITING, SENDING, PRINTED)):
                return False
            self._write(slip.name, READABLE, slip.text.encode())
            self._write(slip.name, WAITING, slip.data)
        except OSError as error:
            raise SpoolError(self._sentence("keep", slip.name, error)) from error
        return True

    def waiting(self) -> tuple[Waiting, ...]:
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            entries = sorted(self._path.iterdir())
            for entry in entries:
                if entry.suffix == UNFINISHED:
                    entry.unlink()  # of a write that a crash cut short: its slip was never promised
        except OSError as error:
            raise SpoolError(self._sentence("list", "slips", error)) from error
        left = [
            Waiting(entry.stem, begun=entry.suffix == SENDING)
            for entry in entries
            if entry.suffix in (WAITING, SENDING) and _NAME.fullmatch(entry.stem)
        ]
        return tuple(sorted(left, key=lambda job: _number_of(job.name)))

    def read(self, name: str) -> bytes:
        try:
            path = self._file(name, WAITING)
            return (path if path.exists() else self._file(name, SENDING)).read_bytes()
        except OSError as error:
            raise SpoolError(self._sentence("read", name, error)) from error

    def begin(self, name: str) -> None:
        self._become(name, WAITING, SENDING)

    def put_back(self, name: str) -> None:
        self._become(name, SENDING, WAITING)

    def finish(self, name: str) -> None:
        # A `begin` that failed has left the slip waiting.
        self._become(name, WAITING, PRINTED)
        self._become(name, SENDING, PRINTED)

    def _become(self, name: str, before: str, after: str) -> None:
        try:
            with suppress(FileNotFoundError):
                self._file(name, before).replace(self._file(name, after))
                self._sync_directory()
        except OSError as error:
            raise SpoolError(self._sentence("mark", name, error)) from error

    def _write(self, name: str, suffix: str, data: bytes) -> None:
        unfinished = self._file(name, suffix + UNFINISHED)
        try:
            with unfinished.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._file(name, suffix))
            self._sync_directory()
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)  # a full disk needs the room
            raise

    def _sync_directory(self) -> None:
        """A rename is durable only when its directory is."""
        directory = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _file(self, name: str, suffix: str) -> Path:
        return self._path / f"{name}{suffix}"

    def _sentence(self, what: str, name: str, error: OSError) -> str:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return (
                f"The disk is full: the spool could not {what} {name}. Sales go on and receipts are printed from "
                f"memory; free some room under {self._path}."
            )
        why = error.strerror or str(error)
        return f"The receipt spool could not {what} {name}: {why}. Sales go on; check the directory {self._path}."


class MemorySpool:
    """The spool of a simulated station: outlives its controller as a disk would. `full` refuses new slips."""

    def __init__(self) -> None:
        self.full = False
        self.states: dict[str, str] = {}
        self.slips: dict[str, Slip] = {}

    def put(self, slip: Slip) -> bool:
        _number_of(slip.name)
        if slip.name in self.states:
            return False
        if self.full:
            raise SpoolError(f"The disk is full: the spool could not keep {slip.name}. Free some room.")
        self.slips[slip.name] = slip
        self.states[slip.name] = WAITING
        return True

    def waiting(self) -> tuple[Waiting, ...]:
        left = [Waiting(name, state == SENDING) for name, state in self.states.items() if state != PRINTED]
        return tuple(sorted(left, key=lambda job: _number_of(job.name)))

    def read(self, name: str) -> bytes:
        return self.slips[name].data

    def begin(self, name: str) -> None:
        self._become(name, SENDING)

    def put_back(self, name: str) -> None:
        self._become(name, WAITING)

    def finish(self, name: str) -> None:
        self._become(name, PRINTED)

    def _become(self, name: str, state: str) -> None:
        if name in self.states:
            self.states[name] = state


def _number_of(name: str) -> tuple[int, int]:
    """Receipt number and number of the copy. ValueError if it is no slip's name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} names no slip: use slip_name(receipt_number, copy)")
    return int(match[1]), int(match[2] or 0)
